//! Searching messages over HTTP.

use actix_web::HttpResponse;
use serde::Deserialize;
use serde_json::json;

use super::errors::{Answer, Problem};
use super::extract::{LoggedIn, PageLimit, Query, Shared, page_limit};
use super::members::require_member;
use crate::core::search;
use crate::core::types::{MessageId, RoomId};
use crate::hub::messages;

#[derive(Deserialize)]
pub struct Find {
    q: String,
    room: Option<String>,
    before: Option<MessageId>,
    limit: Option<PageLimit>,
}

/// The newest messages in my rooms that have all the words, the newest first. A query without any
/// word finds nothing.
pub async fn list(hub: Shared, LoggedIn(viewer, Query(find)): LoggedIn<Query<Find>>) -> Answer {
    let limit = page_limit(find.limit, &hub)?;
    let room = find.room.map(|room| room.parse::<RoomId>()).transpose();
    let room = room.map_err(|_| Problem::not_found())?;
    match room {
        Some(room) => drop(require_member(&hub, room, &viewer).await?),
        None => hub.store_up_to_date().await?,
    }
    let before = match find.before {
        Some(id) => {
            let unknown = || Problem::invalid("before", "before is the id of a message found");
            let found = messages::find(&hub, id).await?.ok_or_else(unknown)?;
            match hub.store.is_member(found.room_id, viewer.id()).await? {
                true => Some(found),
                false => return Err(unknown()),
            }
        }
        None => None,
    };
    let mut found = match search::Query::parse(&find.q) {
        Some(query) => {
            let store = &hub.store;
            store.search(viewer.id(), &query, room, before.as_ref(), limit + 1).await?
        }
        None => Vec::new(),
    };
    let has_older = found.len() > limit;
    found.truncate(limit);
    let messages = found.into_iter().map(|message| message.seen_by(viewer.id()));
    let messages: Vec<_> = messages.collect();
    Ok(HttpResponse::Ok().json(json!({"messages": messages, "has_older": has_older})))
}
