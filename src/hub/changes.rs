//! Making something happen in a room on behalf of an HTTP request, and waiting for the outcome.

use std::sync::Arc;

use super::Hub;
use super::reply::{Outcome, Reply, Trouble};
use super::room::Propose;
use crate::core::record::Action;
use crate::core::room::{Doer, Refusal};
use crate::core::types::RoomId;

/// Proposes, and waits until the record came back from the log and was accepted or refused.
pub async fn propose(hub: &Arc<Hub>, room: RoomId, by: impl Into<Doer>, action: Action) -> Outcome {
    let (reply, outcome) = Reply::to_request();
    let addr = hub.rooms.wake(hub, room);
    // A full mailbox drops the proposal, and the dropped reply says that it is unavailable.
    let _ = addr.try_send(Propose { by: by.into(), action, reply });
    outcome.await.unwrap_or(Outcome::Failed(Trouble::Unavailable("this instance is stopping")))
}

/// As [`propose`], and then waits until the store has it, so that every instance shows it. So it
/// does where it was so already: it may have become so a moment ago.
pub async fn propose_and_store(
    hub: &Arc<Hub>,
    room: RoomId,
    by: impl Into<Doer>,
    action: Action,
) -> Outcome {
    let outcome = propose(hub, room, by, action).await;
    let stored = match &outcome {
        Outcome::Accepted { position, .. } => {
            hub.until_stored(hub.place(hub.partition_of(room), position.offset())).await
        }
        Outcome::Refused(Refusal::Unchanged) => hub.store_up_to_date().await,
        _ => Ok(()),
    };
    stored.err().map_or(outcome, Outcome::Failed)
}
