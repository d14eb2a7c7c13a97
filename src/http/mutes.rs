//! Muting a member for a time, over HTTP, and ending that.

use std::collections::HashMap;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;

use super::errors::{Answer, Problem};
use super::extract::{Body, LoggedIn, Shared, Viewer, path_id};
use super::members::{as_before, one_member, target};
use super::rooms::{Done, change};
use crate::core::mute::MOST_MINUTES;
use crate::core::record::Action;
use crate::core::room::Event;
use crate::core::types::{RoomId, Timestamp};
use crate::hub::now;
use crate::store::{Account, Listed};

#[derive(Deserialize)]
pub struct Mute {
    minutes: i64,
}

/// From now on for so many minutes, whatever it was before. 422 `invalid_minutes`.
pub async fn put(
    request: HttpRequest,
    hub: Shared,
    LoggedIn(viewer, Body(mute)): LoggedIn<Body<Mute>>,
) -> Answer {
    let room: RoomId = path_id(&request, "room")?;
    if !(1..=MOST_MINUTES).contains(&mute.minutes) {
        return Err(Problem::invalid("minutes", format!("minutes is 1 to {MOST_MINUTES}")));
    }
    let account = target(&request, &hub, room, &viewer).await?;
    let user = account.person.id;
    let until = Timestamp(now().0 + mute.minutes * 60_000);
    let action = Action::MemberMuted { member: account.person.clone(), until };
    match change(&hub, room, viewer.doer(), action).await? {
        Done::Changed { event, .. } => match &*event {
            Event::MemberMuted { member, until, .. } => {
                let mutes = HashMap::from([(member.person.id, *until)]);
                let Account { last_seen, avatar, .. } = account;
                let listed = Listed { member: member.clone(), last_seen, avatar };
                one_member(&hub, StatusCode::OK, listed, &mutes).await
            }
            _ => Err(Problem::internal()),
        },
        // Somebody else muted them in the same millisecond, for as long.
        Done::AsBefore => as_before(&hub, room, user).await,
    }
}

/// Also where they were not muted.
pub async fn delete(request: HttpRequest, hub: Shared, viewer: Viewer) -> Answer {
    let room: RoomId = path_id(&request, "room")?;
    let account = target(&request, &hub, room, &viewer).await?;
    let action = Action::MemberUnmuted { member: account.person };
    change(&hub, room, viewer.doer(), action).await?;
    Ok(HttpResponse::NoContent().finish())
}
