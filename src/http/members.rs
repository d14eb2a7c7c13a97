//! The members of a room over HTTP: who is in it, adding, promoting, removing.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::{Value, json};

use super::avatars;
use super::errors::{Answer, Problem};
use super::extract::{Body, LoggedIn, Query, Shared, Viewer, path_id};
use super::rooms::{Done, change};
use super::users::ask_presence;
use crate::core::record::Action;
use crate::core::room::{Event, Refusal};
use crate::core::types::{Role, RoomId, UserId};
use crate::hub::Hub;
use crate::store::{Account, Listed};

/// What a member is in the room; tells outsiders of a public group 403 and strangers 404.
pub async fn require_member(hub: &Hub, room: RoomId, viewer: &Viewer) -> Result<Role, Problem> {
    hub.store_up_to_date().await?;
    let view = hub.store.room_view(room, viewer.id()).await?.ok_or_else(Problem::not_found)?;
    Ok(view.role.ok_or(Refusal::NotAMember)?)
}

async fn members_json(hub: &Hub, members: Vec<Listed>) -> Result<Vec<Value>, Problem> {
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
        json
    });
    Ok(members.collect())
}

pub async fn list(request: HttpRequest, hub: Shared, viewer: Viewer) -> Answer {
    let room: RoomId = path_id(&request, "room")?;
    require_member(&hub, room, &viewer).await?;
    let members = hub.store.members(room).await?;
    Ok(HttpResponse::Ok().json(json!({"members": members_json(&hub, members).await?})))
}

#[derive(Deserialize)]
pub struct SetRole {
    role: String,
}

/// The account that the path names. Whether the room may be known comes before whether the
/// person exists.
async fn target(
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
            require_member(hub, room, viewer).await?;
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
    let action = Action::MemberSet { member: account.person, role };
    let done = change(&hub, room, viewer.id(), action).await?;
    let (status, member) = match &done {
        Done::Changed { event, .. } => match &**event {
            Event::MemberAdded { member, .. } => (StatusCode::CREATED, Some(member.clone())),
            Event::MemberUpdated { member, .. } => (StatusCode::OK, Some(member.clone())),
            _ => return Err(Problem::internal()),
        },
        Done::AsBefore => {
            let members = hub.store.members(room).await?;
            let mut members = members.into_iter().map(|listed| listed.member);
            (StatusCode::OK, members.find(|member| member.person.id == user))
        }
    };
    let member = member.ok_or_else(Problem::not_found)?;
    let listed = Listed { member, last_seen: account.last_seen, avatar: account.avatar };
    let json = members_json(&hub, vec![listed]).await;
    let json = json.map_err(Problem::after_change)?;
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
    change(&hub, room, viewer.id(), action).await?;
    Ok(HttpResponse::NoContent().finish())
}
