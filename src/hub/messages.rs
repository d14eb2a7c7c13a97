//! Finding a message by its id, for those who change it, react to it or reply to it.

use std::sync::Arc;

use super::Hub;
use super::reply::Trouble;
use crate::core::message::Message;
use crate::core::types::MessageId;
use crate::store::StoreError;

/// The message as the store has it, waiting for one that only the log has yet; `None` where there
/// is none. Who asks may not know of it: that is for its room to say.
pub async fn find(hub: &Arc<Hub>, id: MessageId) -> Result<Option<Message>, Trouble> {
    let down = |_: StoreError| Trouble::Unavailable("the store cannot be reached");
    if let Some(message) = hub.store.message(id).await.map_err(down)? {
        return Ok(Some(message));
    }
    // The id says where in the log the message is.
    let place = id.place();
    let ends = hub.log.ends().await;
    let ends = ends.map_err(|_| Trouble::Unavailable("the log cannot be reached"))?;
    let end = ends.get(usize::from(place.partition)).copied().unwrap_or(0);
    if place.epoch != hub.epoch || place.offset >= end {
        return Ok(None);
    }
    let behind = |_| Trouble::Unavailable("the store is behind the log");
    hub.until_stored(place).await.map_err(behind)?;
    hub.store.message(id).await.map_err(down)
}
