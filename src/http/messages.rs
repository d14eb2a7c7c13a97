//! Messages over HTTP: history, sending, changing and reacting.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::json;

use super::errors::{Answer, Problem};
use super::extract::{Body, LoggedIn, PageLimit, Query, Shared, Viewer, page_limit, path_id};
use crate::core::message::Message;
use crate::core::record::{Action, Post};
use crate::core::room::{Event, Refusal};
use crate::core::types::{MessageId, Position, RoomId};
use crate::core::{page, text};
use crate::hub::changes::propose;
use crate::hub::history::{self, NoPage};
use crate::hub::messages::{self, NoQuote, deleted, edited, quote, reacted};
use crate::hub::reply::Outcome;
use crate::hub::session::MessageLimiter;
use crate::store::PageOf;

#[derive(Deserialize)]
pub struct Which {
    before: Option<Position>,
    after: Option<Position>,
    around: Option<Position>,
    limit: Option<PageLimit>,
}

impl From<NoPage> for Problem {
    fn from(no_page: NoPage) -> Problem {
        match no_page {
            NoPage::Refused(refusal) => refusal.into(),
            NoPage::Trouble(trouble) => trouble.into(),
        }
    }
}

impl From<NoQuote> for Problem {
    fn from(no_quote: NoQuote) -> Problem {
        match no_quote {
            NoQuote::Refused(refusal) => refusal.into(),
            NoQuote::Invalid(invalid) => invalid.into(),
            NoQuote::Trouble(trouble) => trouble.into(),
        }
    }
}

pub async fn list(
    request: HttpRequest,
    hub: Shared,
    LoggedIn(viewer, Query(which)): LoggedIn<Query<Which>>,
) -> Answer {
    let room: RoomId = path_id(&request, "room")?;
    let limit = page_limit(which.limit, &hub)?;
    let of = match (which.before, which.after, which.around) {
        (None, None, None) => PageOf::Newest,
        (Some(position), None, None) => PageOf::Before(position),
        (None, Some(position), None) => PageOf::After(position),
        (None, None, Some(position)) => PageOf::Around(position),
        _ => {
            return Err(Problem::bad_request(
                "the query: one of before, after, around at the most",
            ));
        }
    };
    let found = history::page(&hub, room, viewer.doer(), of, limit).await?;
    let messages = found.messages.into_iter().map(|message| message.seen_by(viewer.id()));
    Ok(HttpResponse::Ok().json(json!({
        "messages": messages.collect::<Vec<_>>(),
        "has_older": found.has_older,
        "has_newer": found.has_newer,
    })))
}

#[derive(Deserialize)]
pub struct NewMessage {
    body: String,
    client_id: Option<String>,
    reply_to: Option<String>,
}

pub async fn send(
    request: HttpRequest,
    hub: Shared,
    LoggedIn(viewer, Body(new)): LoggedIn<Body<NewMessage>>,
) -> Answer {
    let room: RoomId = path_id(&request, "room")?;
    not_too_fast(&hub.messages_limiter, &viewer)?;
    let body = text::message_body(&new.body, &hub.config.limits.text())?;
    if let Some(client_id) = &new.client_id {
        text::client_id(client_id)?;
    }
    let sender = viewer.account.person.clone();
    let reply_to = match new.reply_to {
        Some(id) => Some(quote(&hub, room, &id, viewer.id()).await?),
        None => None,
    };
    let post = Post { sender, body, client_id: new.client_id, reply_to };
    let (status, message) = match posted(&hub, room, post).await? {
        Posted::Now(message) => (StatusCode::CREATED, message),
        Posted::Before(message) => (StatusCode::OK, message),
    };
    let message = message.seen_by(viewer.id());
    Ok(HttpResponse::build(status).json(json!({"message": message})))
}

/// A message that is in its room.
pub(super) enum Posted {
    Now(Message),
    /// It had this `client_id` first.
    Before(Message),
}

/// Posts it on behalf of its sender.
pub(super) async fn posted(hub: &Shared, room: RoomId, post: Post) -> Result<Posted, Problem> {
    match propose(hub, room, post.sender.id, Action::Message(post)).await {
        Outcome::Accepted { event, .. } => match &*event {
            Event::Message { message, .. } => Ok(Posted::Now(message.clone())),
            _ => Err(Problem::internal()),
        },
        Outcome::Repeated(message) => Ok(Posted::Before(*message)),
        Outcome::Done => Err(Problem::internal()),
        Outcome::Refused(refusal) => Err(refusal.into()),
        Outcome::Failed(trouble) => Err(trouble.into()),
    }
}

pub(super) fn not_too_fast(limiter: &MessageLimiter, viewer: &Viewer) -> Result<(), Problem> {
    match limiter.check_key(&viewer.id()) {
        Ok(()) => Ok(()),
        Err(_) => Err(Problem::too_many("too_many_messages", "slow down, and send it again", 1)),
    }
}

fn shown(message: Message) -> HttpResponse {
    HttpResponse::Ok().json(json!({"message": message}))
}

/// One message as it is now, for who may read its room: to find what a reply quotes.
pub async fn show(request: HttpRequest, hub: Shared, viewer: Viewer) -> Answer {
    let id: MessageId = path_id(&request, "message")?;
    let found = messages::find(&hub, id).await?.ok_or_else(Problem::not_found)?;
    Ok(shown(as_it_is(&hub, &found, &viewer).await?))
}

/// What became of a message that was found: the history says who may see it, and knows what the
/// store does not have yet.
async fn as_it_is(hub: &Shared, found: &Message, viewer: &Viewer) -> Result<Message, Problem> {
    let around = PageOf::Around(found.position);
    let page = history::page(hub, found.room_id, viewer.doer(), around, 1).await?;
    let message = page.messages.into_iter().find(|message| message.id == found.id);
    Ok(message.ok_or_else(Problem::not_found)?.seen_by(viewer.id()))
}

/// Finds a message and does something to it; returns what the store has of it, with that done. Only
/// an edit brings along all else that the store may not have yet.
pub(super) async fn change(
    hub: &Shared,
    id: MessageId,
    viewer: &Viewer,
    action: impl FnOnce(Message) -> Action,
) -> Result<Message, Problem> {
    not_too_fast(&hub.changes_limiter, viewer)?;
    let found = messages::find(hub, id).await?;
    let mut message = found.ok_or_else(Problem::not_found)?;
    match propose(hub, message.room_id, viewer.doer(), action(message.clone())).await {
        Outcome::Accepted { event, .. } => page::change(&mut message, &event),
        Outcome::Refused(Refusal::Unchanged) => {}
        Outcome::Refused(refusal) => return Err(refusal.into()),
        Outcome::Failed(trouble) => return Err(trouble.into()),
        Outcome::Repeated(_) | Outcome::Done => return Err(Problem::internal()),
    }
    Ok(message.seen_by(viewer.id()))
}

#[derive(Deserialize)]
pub struct NewBody {
    body: String,
}

pub async fn edit(
    request: HttpRequest,
    hub: Shared,
    LoggedIn(viewer, Body(new)): LoggedIn<Body<NewBody>>,
) -> Answer {
    let id: MessageId = path_id(&request, "message")?;
    let body = text::message_body(&new.body, &hub.config.limits.text())?;
    Ok(shown(change(&hub, id, &viewer, |message| edited(message, body)).await?))
}

pub async fn delete(request: HttpRequest, hub: Shared, viewer: Viewer) -> Answer {
    let id: MessageId = path_id(&request, "message")?;
    change(&hub, id, &viewer, deleted).await?;
    Ok(HttpResponse::NoContent().finish())
}

pub async fn add_reaction(request: HttpRequest, hub: Shared, viewer: Viewer) -> Answer {
    react(request, hub, viewer, true).await
}

pub async fn remove_reaction(request: HttpRequest, hub: Shared, viewer: Viewer) -> Answer {
    react(request, hub, viewer, false).await
}

async fn react(request: HttpRequest, hub: Shared, viewer: Viewer, on: bool) -> Answer {
    let id: MessageId = path_id(&request, "message")?;
    let emoji = text::emoji(request.match_info().query("emoji"))?.to_owned();
    let found = change(&hub, id, &viewer, |message| reacted(message, emoji, on)).await?;
    Ok(shown(as_it_is(&hub, &found, &viewer).await.map_err(Problem::after_change)?))
}
