//! Finding a message by its id, for those who change it, react to it or reply to it.

use std::sync::Arc;

use super::Hub;
use super::reply::Trouble;
use crate::core::message::{Message, Quote};
use crate::core::record::Action;
use crate::core::room::{Doer, Refusal};
use crate::core::text::Invalid;
use crate::core::types::{MessageId, RoomId, UserId};

/// The message as the store has it, waiting for one that only the log has yet; `None` where there
/// is none. Who asks may not know of it: that is for its room to say.
pub async fn find(hub: &Arc<Hub>, id: MessageId) -> Result<Option<Message>, Trouble> {
    if let Some(message) = hub.store.message(id).await? {
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
    Ok(hub.store.message(id).await?)
}

/// By what right somebody does something to a message through a socket. Hub admins delete those of
/// others, too, and their own where they are no members any more; whether somebody is one may have
/// changed since the socket opened.
pub async fn doer(hub: &Hub, user: UserId, action: &Action) -> Result<Doer, Trouble> {
    if !matches!(action, Action::Deleted { .. }) {
        return Ok(user.into());
    }
    let account = hub.store.user(user).await?;
    Ok(Doer { user, hub_admin: account.is_some_and(|account| account.hub_admin) })
}

/// Why a message cannot be replied to.
pub enum NoQuote {
    /// Who asks is not in the room, and hears no more than without a reply.
    Refused(Refusal),
    Invalid(Invalid),
    Trouble(Trouble),
}

impl From<Trouble> for NoQuote {
    fn from(trouble: Trouble) -> Self {
        NoQuote::Trouble(trouble)
    }
}

/// What a reply to this message shows of it; it has to be a message of the same room. What is no id
/// names none.
pub async fn quote(hub: &Arc<Hub>, room: RoomId, id: &str, by: UserId) -> Result<Quote, NoQuote> {
    let message = match id.parse() {
        Ok(id) => find(hub, id).await?,
        Err(_) => None,
    };
    if let Some(message) = message.filter(|message| message.room_id == room) {
        return Ok(message.to_quote());
    }
    hub.store_up_to_date().await?;
    let view = hub.store.room_view(room, by).await.map_err(Trouble::from)?;
    Err(match view {
        Some(view) if view.role.is_some() => {
            let detail = "this is no message of this room".to_owned();
            NoQuote::Invalid(Invalid { field: "reply_to", detail })
        }
        Some(_) => NoQuote::Refused(Refusal::NotAMember),
        None => NoQuote::Refused(Refusal::NotFound),
    })
}

/// The message with another text. The quote is as it is now, not as it was when it was sent.
pub fn edited(message: Message, body: String) -> Action {
    Action::Edited { message: message.original(), body, quote: message.quote }
}

/// The message deleted.
pub fn deleted(message: Message) -> Action {
    Action::Deleted { message: message.original() }
}

/// The message with one reaction more or less.
pub fn reacted(message: Message, emoji: String, on: bool) -> Action {
    Action::Reaction { message: message.original(), emoji, on }
}
