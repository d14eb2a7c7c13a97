//! Messages over HTTP: history, sending, and the read marker.

use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::json;

use super::errors::{Answer, Problem};
use super::extract::{Body, LoggedIn, Query, Shared, page_limit, path_id};
use super::rooms::view_after;
use crate::core::record::{Action, Post};
use crate::core::room::Event;
use crate::core::text;
use crate::core::types::{Position, RoomId};
use crate::hub::changes::propose;
use crate::hub::history::{self, NoPage};
use crate::hub::reply::Outcome;
use crate::hub::session::mark_read;
use crate::store::PageOf;

#[derive(Deserialize)]
pub struct Which {
    before: Option<Position>,
    after: Option<Position>,
    around: Option<Position>,
    limit: Option<i64>,
}

impl From<NoPage> for Problem {
    fn from(no_page: NoPage) -> Problem {
        match no_page {
            NoPage::Refused(refusal) => refusal.into(),
            NoPage::Trouble(trouble) => trouble.into(),
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
    let page = history::page(&hub, room, viewer.id(), of, limit).await?;
    Ok(HttpResponse::Ok().json(json!({
        "messages": page.messages,
        "has_older": page.has_older,
        "has_newer": page.has_newer,
    })))
}

#[derive(Deserialize)]
pub struct NewMessage {
    body: String,
    client_id: Option<String>,
}

pub async fn send(
    request: HttpRequest,
    hub: Shared,
    LoggedIn(viewer, Body(new)): LoggedIn<Body<NewMessage>>,
) -> Answer {
    let room: RoomId = path_id(&request, "room")?;
    if hub.limiter.check_key(&viewer.id()).is_err() {
        return Err(Problem::too_many("too_many_messages", "slow down, and send it again", 1));
    }
    let body = text::message_body(&new.body, &hub.config.limits.text())?;
    if let Some(client_id) = &new.client_id {
        text::client_id(client_id)?;
    }
    let sender = viewer.account.person.clone();
    let post = Post { sender, body, client_id: new.client_id };
    match propose(&hub, room, viewer.id(), Action::Message(post)).await {
        Outcome::Accepted { event, .. } => match &*event {
            Event::Message { message, .. } => {
                Ok(HttpResponse::Created().json(json!({"message": message})))
            }
            _ => Err(Problem::internal()),
        },
        Outcome::Repeated(message) => Ok(HttpResponse::Ok().json(json!({"message": message}))),
        Outcome::Done => Err(Problem::internal()),
        Outcome::Refused(refusal) => Err(refusal.into()),
        Outcome::Failed(trouble) => Err(trouble.into()),
    }
}

#[derive(Deserialize)]
pub struct ReadUpTo {
    position: Position,
}

pub async fn read(
    request: HttpRequest,
    hub: Shared,
    LoggedIn(viewer, Body(up_to)): LoggedIn<Body<ReadUpTo>>,
) -> Answer {
    let room: RoomId = path_id(&request, "room")?;
    super::members::require_member(&hub, room, &viewer).await?;
    mark_read(&hub, room, viewer.id(), up_to.position).await??;
    let room = view_after(&hub, room, viewer.id()).await?;
    Ok(HttpResponse::Ok().json(json!({"room": room})))
}
