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
    let ids = match (of.room, of.users) {
        (Some(room), None) => {
            let room: RoomId = room.parse().map_err(|_| Problem::not_found())?;
            require_reader(&hub, room, &viewer).await?;
            hub.store.member_ids(room).await?
        }
        (None, Some(users)) => {
            let ids = users.split(',').filter(|id| !id.is_empty()).map(|id| id.trim().parse());
            let wrong = |_| Problem::bad_request("the query: users are ids with commas between");
            let ids = ids.collect::<Result<Vec<UserId>, _>>().map_err(wrong)?;
            if ids.len() > MOST {
                return Err(Problem::invalid("users", format!("at most {MOST} users at once")));
            }
            ids
        }
        _ => return Err(Problem::bad_request("the query: name a room, or users")),
    };
    let accounts = hub.store.users(&ids).await?;
    let asked = accounts.iter().map(|account| (account.person.id, account.last_seen)).collect();
    let users = ask_presence(&hub, asked).await?;
    Ok(HttpResponse::Ok().json(json!({"users": users})))
}
