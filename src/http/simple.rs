//! The simple API: the calls that small Kafka chats document, at the root. Their socket,
//! `/subscribe/{group}`, has its door in `socket` and its dialect in `hub::session::simple`.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::json;

use super::errors::{Answer, Problem};
use super::extract::{Body, LoggedIn, Query, Shared, Viewer, path_id};
use super::messages::{self, change, not_too_fast};
use crate::core::record::Post;
use crate::core::simple::{Line, Posted, group_id, in_our_words};
use crate::core::text;
use crate::core::types::{MessageId, RoomId};
use crate::hub::Hub;
use crate::hub::history;
use crate::hub::messages::{deleted, edited};
use crate::store::PageOf;

/// Messages in one answer.
const PAGE: usize = 1_000;

pub async fn send(hub: Shared, LoggedIn(viewer, Body(posted)): LoggedIn<Body<Posted>>) -> Answer {
    let user =
        posted.user_id.ok_or_else(|| Problem::bad_request("the body: user_id is missing"))?;
    if user != viewer.id() {
        let detail = "user_id is not that of who is logged in";
        return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail));
    }
    not_too_fast(&hub.messages_limiter, &viewer)?;
    let body = checked(&hub, &posted.message)?;
    if let Some(client_id) = &posted.client_id {
        text::client_id(client_id)?;
    }
    let room = match posted.group_id {
        Some(room) => room,
        None => usual_group(&hub, &viewer).await?,
    };
    let sender = viewer.account.person.clone();
    let post = Post { sender, body, client_id: posted.client_id, reply_to: None };
    let (messages::Posted::Now(message) | messages::Posted::Before(message)) =
        messages::posted(&hub, room, post).await?;
    let sent = json!({"id": message.id.0, "group_id": group_id(room), "status": "sent"});
    Ok(HttpResponse::Ok().json(sent))
}

fn checked(hub: &Hub, message: &str) -> Result<String, Problem> {
    let checked = text::message_body(message, &hub.config.limits.text());
    checked.map_err(|invalid| in_our_words(invalid).into())
}

/// The group of who names none. What was sent a moment ago, to any instance, counts.
async fn usual_group(hub: &Hub, viewer: &Viewer) -> Result<RoomId, Problem> {
    hub.store_up_to_date().await?;
    let group = hub.store.usual_group(viewer.id()).await?;
    group.ok_or_else(|| {
        let detail = "name a group_id: you are in no group, or in several and wrote to none lately";
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "no_group", detail)
    })
}

#[derive(Deserialize)]
pub struct Which {
    before: Option<MessageId>,
}

pub async fn list(
    request: HttpRequest,
    hub: Shared,
    LoggedIn(viewer, Query(which)): LoggedIn<Query<Which>>,
) -> Answer {
    let room: RoomId = path_id(&request, "group")?;
    let of = match which.before {
        Some(id) => PageOf::Before(id.place().position()),
        None => PageOf::Newest,
    };
    let page = history::page(&hub, room, viewer.doer(), of, PAGE).await?;
    Ok(HttpResponse::Ok().json(page.messages.iter().map(Line::from).collect::<Vec<_>>()))
}

#[derive(Deserialize)]
pub struct NewText {
    message: String,
}

pub async fn edit(
    request: HttpRequest,
    hub: Shared,
    LoggedIn(viewer, Body(new)): LoggedIn<Body<NewText>>,
) -> Answer {
    let id: MessageId = path_id(&request, "message")?;
    let body = checked(&hub, &new.message)?;
    change(&hub, id, &viewer, |message| edited(message, body)).await?;
    Ok(HttpResponse::Ok().json(json!({"id": id.0, "status": "edited"})))
}

pub async fn delete(request: HttpRequest, hub: Shared, viewer: Viewer) -> Answer {
    let id: MessageId = path_id(&request, "message")?;
    change(&hub, id, &viewer, deleted).await?;
    Ok(HttpResponse::Ok().json(json!({"id": id.0, "status": "deleted"})))
}
