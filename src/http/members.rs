//! The members of a room over HTTP: who is in it, adding, promoting, removing.

use std::collections::HashMap;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::{Value, json};

use super::avatars;
use super::errors::{Answer, Problem};
use super::extract::{Body, LoggedIn, Query, Shared, Viewer, path_id};
use super::rooms::{Done, change, view};
use super::users::ask_presence;
use crate::core::record::Action;
use crate::core::room::{Event, Refusal};
use crate::core::types::{Position, Role, RoomId, Timestamp, UserId};
use crate::hub::{Hub, now};
use crate::store::{Account, Listed};

/// What a member is in the room; tells outsiders of a public group 403 and strangers 404.
pub async fn require_member(hub: &Hub, room: RoomId, viewer: &Viewer) -> Result<Role, Problem> {
    Ok(view(hub, room, viewer.id()).await?.role.ok_or(Refusal::NotAMember)?)
}

/// As [`require_member`], and passes a hub admin in a public group, too.
pub async fn require_reader(hub: &Hub, room: RoomId, viewer: &Viewer) -> Result<(), Problem> {
    let view = view(hub, room, viewer.id()).await?;
    match view.role.is_some() || viewer.runs(&view) {
        true => Ok(()),
        false => Err(Refusal::NotAMember.into()),
    }
}

/// Passes those who run a room; tells members 403, outsiders of a public group, too, and strangers
/// 404.
pub async fn require_admin(hub: &Hub, room: RoomId, viewer: &Viewer) -> Result<(), Problem> {
    let view = view(hub, room, viewer.id()).await?;
    match view.role {
        _ if viewer.runs(&view) => Ok(()),
        Some(_) => Err(Refusal::Forbidden.into()),
        None => Err(Refusal::NotAMember.into()),
    }
}

/// The members with their presence, and until when those are muted who are.
pub async fn members_json(
    hub: &Hub,
    members: Vec<Listed>,
    mutes: &HashMap<UserId, Timestamp>,
) -> Result<Vec<Value>, Problem> {
    let now = now();
    let asked = members.iter().map(|listed| (listed.member.person.id, listed.last_seen)).collect();
    let seen = ask_presence(hub, asked).await?;
    let members = members.iter().zip(seen).map(|(Listed { member, avatar, .. }, seen)| {
        let mut json = json!({
            "user_id": member.person.id,
            "username": member.person.username,
            "display_name": member.person.display_name,
            "avatar": avatars::address(member.person.id, avatar.as_deref()),
            "role": member.role,
            "joined_at": member.joined_at,
            "status": seen.status,
            "last_seen": seen.last_seen,
        });
        if member.person.is_deleted() {
            json["deleted"] = json!(true);
        }
        if let Some(until) = mutes.get(&member.person.id).filter(|until| now < **until) {
            json["muted_until"] = json!(until);
        }
        json
    });
    Ok(members.collect())
}

pub async fn list(request: HttpRequest, hub: Shared, viewer: Viewer) -> Answer {
    let room: RoomId = path_id(&request, "room")?;
    require_reader(&hub, room, &viewer).await?;
    let members = hub.store.members(room).await?;
    let is_member = members.iter().any(|listed| listed.member.person.id == viewer.id());
    let mutes = hub.store.mutes(room).await?;
    let mut members = members_json(&hub, members, &mutes).await?;
    if is_member && viewer.account.read_receipts {
        add_receipts(&hub, room, &mut members).await?;
    }
    Ok(HttpResponse::Ok().json(json!({"members": members})))
}

/// How far each has read who lets others know, in a small room.
async fn add_receipts(hub: &Hub, room: RoomId, members: &mut [Value]) -> Result<(), Problem> {
    let receipts = hub.store.receipts(room, hub.config.limits.receipt_members).await?;
    let receipts: HashMap<String, Position> =
        receipts.into_iter().map(|(user, position)| (user.to_string(), position)).collect();
    for member in members {
        let user = member["user_id"].as_str().unwrap_or_default();
        if let Some(position) = receipts.get(user) {
            member["read_position"] = json!(position);
        }
    }
    Ok(())
}

#[derive(Deserialize)]
pub struct SetRole {
    role: String,
}

/// The account that the path names. Whether the room may be known comes before whether the
/// person exists.
pub async fn target(
    request: &HttpRequest,
    hub: &Hub,
    room: RoomId,
    viewer: &Viewer,
) -> Result<Account, Problem> {
    let user = path_id::<UserId>(request, "user");
    let account = match user {
        Ok(user) => hub.store.user(user).await?,
        Err(_) => None,
    };
    match account {
        Some(account) => Ok(account),
        None => {
            require_reader(hub, room, viewer).await?;
            Err(Problem::not_found())
        }
    }
}

pub async fn put(
    request: HttpRequest,
    hub: Shared,
    LoggedIn(viewer, Body(body)): LoggedIn<Body<SetRole>>,
) -> Answer {
    let room: RoomId = path_id(&request, "room")?;
    let wrong = |_| Problem::invalid("role", "role is admin or member");
    let role: Role = body.role.parse().map_err(wrong)?;
    let account = target(&request, &hub, room, &viewer).await?;
    let user = account.person.id;
    let before = hub.store.is_member(room, user).await?;
    if account.disabled && !before {
        return Err(Problem::not_found());
    }
    // To the room it would be a joining, which has a route of its own.
    if user == viewer.id() && !before {
        require_admin(&hub, room, &viewer).await?;
    }
    let action = Action::MemberSet { member: account.person, role };
    let done = change(&hub, room, viewer.doer(), action).await?;
    let (status, member) = match &done {
        Done::Changed { event, .. } => match &**event {
            Event::MemberAdded { member, .. } => (StatusCode::CREATED, member.clone()),
            Event::MemberUpdated { member, .. } => (StatusCode::OK, member.clone()),
            _ => return Err(Problem::internal()),
        },
        Done::AsBefore => return as_before(&hub, room, user).await,
    };
    let mutes = hub.store.mutes(room).await.map_err(|error| Problem::from(error).after_change())?;
    let listed = Listed { member, last_seen: account.last_seen, avatar: account.avatar };
    one_member(&hub, status, listed, &mutes).await
}

/// The answer to a change that was none.
pub async fn as_before(hub: &Hub, room: RoomId, user: UserId) -> Answer {
    let members = hub.store.members(room).await?;
    let is_them = |listed: &Listed| listed.member.person.id == user;
    let member = members.into_iter().find(is_them).ok_or_else(Problem::not_found)?;
    let mutes = hub.store.mutes(room).await?;
    one_member(hub, StatusCode::OK, member, &mutes).await
}

/// The answer to a change of one member.
pub async fn one_member(
    hub: &Hub,
    status: StatusCode,
    member: Listed,
    mutes: &HashMap<UserId, Timestamp>,
) -> Answer {
    let json = members_json(hub, vec![member], mutes).await.map_err(Problem::after_change)?;
    Ok(HttpResponse::build(status).json(json!({"member": json.first()})))
}

#[derive(Deserialize)]
pub struct Removal {
    #[serde(default)]
    ban: bool,
}

pub async fn delete(
    request: HttpRequest,
    hub: Shared,
    LoggedIn(viewer, Query(removal)): LoggedIn<Query<Removal>>,
) -> Answer {
    let room: RoomId = path_id(&request, "room")?;
    let account = target(&request, &hub, room, &viewer).await?;
    let action = Action::MemberRemoved { member: account.person, ban: removal.ban };
    change(&hub, room, viewer.doer(), action).await?;
    Ok(HttpResponse::NoContent().finish())
}
