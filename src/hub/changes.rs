//! Making something happen in a room on behalf of an HTTP request, and waiting for the outcome.

use std::sync::Arc;

use super::Hub;
use super::reply::{Outcome, Reply, Trouble};
use super::room::Propose;
use crate::core::record::Action;
use crate::core::room::Doer;
use crate::core::types::RoomId;

/// Proposes, and waits until the record came back from the log and was accepted or refused.
pub async fn propose(hub: &Arc<Hub>, room: RoomId, by: impl Into<Doer>, action: Action) -> Outcome {
    let (reply, outcome) = Reply::to_request();
    let addr = hub.rooms.wake(hub, room);
    // A full mailbox drops the proposal, and the dropped reply says that it is unavailable.
    let _ = addr.try_send(Propose { by: by.into(), action, reply });
    outcome.await.unwrap_or(Outcome::Failed(Trouble::Unavailable("this instance is stopping")))
}

/// As [`propose`], and then waits until the store has it, so that every instance shows it.
pub async fn propose_and_store(
    hub: &Arc<Hub>,
    room: RoomId,
    by: impl Into<Doer>,
    action: Action,
) -> Outcome {
    let outcome = propose(hub, room, by, action).await;
    if let Outcome::Accepted { position, .. } = &outcome {
        let place = hub.place(hub.partition_of(room), position.offset());
        if let Err(trouble) = hub.until_stored(place).await {
            return Outcome::Failed(trouble);
        }
    }
    outcome
}
