//! Who may not come into a group, over HTTP. Removing bans, and adding lifts it: see `members`.

use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use super::errors::Answer;
use super::extract::{Shared, Viewer, path_id};
use super::members::require_admin;
use crate::core::types::{Person, RoomId};

/// For those who run a group, by user name.
pub async fn list(request: HttpRequest, hub: Shared, viewer: Viewer) -> Answer {
    let room: RoomId = path_id(&request, "room")?;
    require_admin(&hub, room, &viewer).await?;
    let banned: Vec<Value> = hub.store.banned(room).await?.iter().map(entry).collect();
    Ok(HttpResponse::Ok().json(json!({"members": banned})))
}

fn entry(person: &Person) -> Value {
    json!({
        "user_id": person.id,
        "username": person.username,
        "display_name": person.display_name,
    })
}
