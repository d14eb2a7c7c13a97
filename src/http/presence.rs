//! Who is online, over HTTP.

use actix_web::HttpResponse;
use serde::Deserialize;
use serde_json::json;

use super::errors::{Answer, Problem};
use super::extract::{LoggedIn, Query, Shared};
use super::members::require_reader;
use super::users::ask_presence;
use crate::core::types::{RoomId, UserId};

/// People in one question at the most.
const MOST: usize = 1_000;

#[derive(Deserialize)]
pub struct Of {
    room: Option<String>,
    /// Ids, comma-separated.
    users: Option<String>,
}

pub async fn list(hub: Shared, LoggedIn(viewer, Query(of)): LoggedIn<Query<Of>>) -> Answer {
    let ids: Vec<UserId> = match (of.room, of.users) {
        (Some(room), None) => {
            let room: RoomId = room.parse().map_err(|_| Problem::not_found())?;
            require_reader(&hub, room, &viewer).await?;
            hub.store.member_ids(room).await?
        }
        (None, Some(users)) => {
            let ids: Vec<&str> = users.split(',').map(str::trim).collect();
            if ids.len() > MOST {
                return Err(Problem::invalid("users", format!("at most {MOST} users at once")));
            }
            // What is no id names nobody, and is left out as they are who have no account.
            ids.into_iter().filter_map(|id| id.parse().ok()).collect()
        }
        _ => return Err(Problem::bad_request("the query: name a room, or users")),
    };
    let accounts = hub.store.users(&ids).await?;
    let asked = accounts.iter().map(|account| (account.person.id, account.last_seen)).collect();
    let users = ask_presence(&hub, asked).await?;
    Ok(HttpResponse::Ok().json(json!({"users": users})))
}
