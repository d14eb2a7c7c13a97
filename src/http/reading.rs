//! The read marker over HTTP: read up to here, and unread from here.

use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::json;

use super::errors::Answer;
use super::extract::{Body, LoggedIn, Shared, Viewer, path_id};
use super::members::require_member;
use super::rooms::view_after;
use crate::core::types::{Position, RoomId};
use crate::hub::reading::{mark_read, mark_unread};
use crate::store::ReadMark;

#[derive(Deserialize)]
pub struct ReadUpTo {
    position: Position,
    /// The `read_version` that the reader knows.
    read_version: Option<i64>,
}

pub async fn read(
    request: HttpRequest,
    hub: Shared,
    LoggedIn(viewer, Body(up_to)): LoggedIn<Body<ReadUpTo>>,
) -> Answer {
    let room: RoomId = path_id(&request, "room")?;
    require_member(&hub, room, &viewer).await?;
    let ReadUpTo { position, read_version: version } = up_to;
    mark_read(&hub, ReadMark { room, user: viewer.id(), position, version }).await??;
    answer(&hub, room, &viewer).await
}

#[derive(Deserialize)]
pub struct UnreadFrom {
    position: Position,
}

pub async fn unread(
    request: HttpRequest,
    hub: Shared,
    LoggedIn(viewer, Body(from)): LoggedIn<Body<UnreadFrom>>,
) -> Answer {
    let room: RoomId = path_id(&request, "room")?;
    require_member(&hub, room, &viewer).await?;
    mark_unread(&hub, room, viewer.id(), from.position).await??;
    answer(&hub, room, &viewer).await
}

async fn answer(hub: &Shared, room: RoomId, viewer: &Viewer) -> Answer {
    let room = view_after(hub, room, viewer.id()).await?;
    Ok(HttpResponse::Ok().json(json!({"room": room})))
}
