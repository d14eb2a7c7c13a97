//! Moving a person's read marker, and telling those whom it concerns.
//!
//! The person's own devices hear where the marker is. The others of a small room hear how far was
//! read, if both they and the reader want that.

use super::Hub;
use super::reply::Trouble;
use super::signals::Signal;
use crate::core::room::Refusal;
use crate::core::types::{Position, RoomId, UserId};
use crate::store::{Marker, ReadMark, StoreError};

/// Where a marker is now, or why it cannot be moved.
pub type Moved = Result<Result<Marker, Refusal>, Trouble>;

/// Moves a read marker, never backwards and at most to the end of the room. A `version` before the
/// present one changes nothing: it was read before messages were marked as unread.
pub async fn mark_read(hub: &Hub, mark: ReadMark) -> Moved {
    // The end of the room is the end as the store knows it: let it know everything.
    hub.store_up_to_date().await?;
    hub.store.set_read(&[mark]).await?;
    let ReadMark { room, user, .. } = mark;
    let moved = Trouble::OutcomeUnknown("the marker was moved, but cannot be read now");
    match hub.store.marker(room, user).await.map_err(|_| moved)? {
        Some(marker) => {
            tell(hub, room, user, marker, marker.receipt);
            Ok(Ok(marker))
        }
        None => Ok(Err(refusal_of_outsider(hub, room, user).await?)),
    }
}

/// Makes the message at a position, and all after it, unread again.
pub async fn mark_unread(hub: &Hub, room: RoomId, user: UserId, from: Position) -> Moved {
    // What this person sent before counts as read: not when the store comes to write it later.
    hub.store_up_to_date().await?;
    match hub.store.set_unread(room, user, from).await? {
        Some(marker) => {
            // The others are not told: what was seen stays seen.
            tell(hub, room, user, marker, None);
            Ok(Ok(marker))
        }
        None => Ok(Err(refusal_of_outsider(hub, room, user).await?)),
    }
}

fn tell(hub: &Hub, room: RoomId, user: UserId, marker: Marker, receipt: Option<Position>) {
    let Marker { version, position, .. } = marker;
    Signal::Read { room, user, position, version, receipt }.tell(&*hub.bus);
}

/// What one who is not in a room is told of it.
pub async fn refusal_of_outsider(
    hub: &Hub,
    room: RoomId,
    user: UserId,
) -> Result<Refusal, StoreError> {
    Ok(match hub.store.room_view(room, user).await? {
        Some(_) => Refusal::NotAMember,
        None => Refusal::NotFound,
    })
}
