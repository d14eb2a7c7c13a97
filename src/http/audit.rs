//! The audit of a room over HTTP: who did what.

use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::{Value, json};

use super::errors::Answer;
use super::extract::{LoggedIn, PageLimit, Query, Shared, page_limit, path_id};
use super::members::require_admin;
use crate::core::types::{Position, RoomId};
use crate::core::wire;
use crate::store::Deed;

#[derive(Deserialize)]
pub struct Which {
    before: Option<Position>,
    limit: Option<PageLimit>,
}

/// For those who run a group, the newest first.
pub async fn list(
    request: HttpRequest,
    hub: Shared,
    LoggedIn(viewer, Query(which)): LoggedIn<Query<Which>>,
) -> Answer {
    let room: RoomId = path_id(&request, "room")?;
    let limit = page_limit(which.limit, &hub)?;
    require_admin(&hub, room, &viewer).await?;
    let before = which.before.unwrap_or(Position(i64::MAX));
    let mut deeds = hub.store.audit(room, before, limit + 1).await?;
    let has_older = deeds.len() > limit;
    deeds.truncate(limit);
    let entries: Vec<Value> = deeds.iter().map(entry).collect();
    Ok(HttpResponse::Ok().json(json!({"entries": entries, "has_older": has_older})))
}

fn entry(deed: &Deed) -> Value {
    let (action, mut entry) = wire::deed(&deed.event);
    entry["position"] = json!(deed.position);
    entry["at"] = json!(deed.at);
    entry["by"] = json!(deed.by);
    if deed.hub_admin {
        entry["hub_admin"] = json!(true);
    }
    entry["action"] = json!(action);
    entry
}
