//! A page of a room's history: what the store has, then what only the log has yet.

use std::sync::Arc;

use super::reply::Trouble;
use super::room::Look;
use super::{Hub, PATIENCE};
use crate::core::page::complete;
use crate::core::room::{Doer, Refusal};
use crate::core::types::RoomId;
use crate::store::{Page, PageOf};

/// Why there is no page.
pub enum NoPage {
    Refused(Refusal),
    Trouble(Trouble),
}

impl From<Trouble> for NoPage {
    fn from(trouble: Trouble) -> Self {
        NoPage::Trouble(trouble)
    }
}

/// Everything that was acknowledged before the call, on any instance, is in it. The room is asked
/// after the store, so that a removal in between still counts.
pub async fn page(
    hub: &Arc<Hub>,
    room: RoomId,
    by: Doer,
    which: PageOf,
    limit: usize,
) -> Result<Page, NoPage> {
    let busy = NoPage::Trouble(Trouble::Unavailable("the room is too busy, or cannot be woken"));
    let partition = hub.partition_of(room);
    hub.rooms_up_to_date(partition).await?;
    // A second look is enough but for a room that outruns what it keeps, while the store is slow.
    for _ in 0..3 {
        let page = hub.store.page(room, partition, which, limit).await.map_err(Trouble::from)?;
        let look = Look { by, from: page.next };
        match hub.rooms.wake(hub, room).send(look).await {
            Ok(Ok(Some(tail))) => return Ok(complete(page, tail, which, limit)),
            Ok(Ok(None)) => {
                let followed = hub.followed.next(partition);
                let _ = hub.stored.reach_one(partition, followed, PATIENCE).await;
            }
            Ok(Err(refusal)) => return Err(NoPage::Refused(refusal)),
            Err(_) => return Err(busy),
        }
    }
    Err(busy)
}
