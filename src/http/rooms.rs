//! Rooms over HTTP: my list, the public ones, making, changing, deleting, joining, leaving.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::json;

use super::errors::{Answer, Problem};
use super::extract::{
    Body, LoggedIn, PageLimit, Query, Shared, Viewer, page_limit, path_id, present,
};
use crate::core::record::{Action, Changes, Founding, Seat};
use crate::core::room::{Doer, Event, Refusal};
use crate::core::types::{Person, Position, Role, RoomId, RoomKind, UserId, Visibility};
use crate::core::{text, wire};
use crate::hub::changes::propose_and_store;
use crate::hub::pace::{TooMany, Weight};
use crate::hub::reply::Outcome;
use crate::hub::{Hub, now};
use crate::store::RoomView;

/// What a change to a room came to; `Unchanged` is no error for who wanted just that.
pub enum Done {
    Changed { position: Position, event: Arc<Event> },
    AsBefore,
}

impl From<TooMany> for Problem {
    fn from(TooMany { wait }: TooMany) -> Problem {
        let detail = "too many changes to rooms and members; slow down";
        Problem::too_many("too_many_changes", detail, wait)
    }
}

/// Makes a change, if there were not too many, and waits until every instance can show it.
pub async fn change(hub: &Shared, room: RoomId, by: Doer, action: Action) -> Result<Done, Problem> {
    hub.pace.count(by.user, Weight::ONE)?;
    make(hub, room, by, action).await
}

async fn make(hub: &Shared, room: RoomId, by: Doer, action: Action) -> Result<Done, Problem> {
    match propose_and_store(hub, room, by, action).await {
        Outcome::Accepted { position, event } => Ok(Done::Changed { position, event }),
        Outcome::Refused(Refusal::Unchanged) => Ok(Done::AsBefore),
        Outcome::Refused(refusal) => Err(refusal.into()),
        Outcome::Failed(trouble) => Err(trouble.into()),
        Outcome::Repeated(_) | Outcome::Done => Err(Problem::internal()),
    }
}

/// The room as its viewer sees it; 404 where it may not be known.
pub async fn view(hub: &Hub, room: RoomId, viewer: UserId) -> Result<RoomView, Problem> {
    hub.store_up_to_date().await?;
    let view = hub.store.room_view(room, viewer).await?.ok_or_else(Problem::not_found)?;
    Ok(view.at(now()))
}

/// As [`view`], once something was done to the room, or was so already.
pub async fn view_after(hub: &Hub, room: RoomId, viewer: UserId) -> Result<RoomView, Problem> {
    view(hub, room, viewer).await.map_err(Problem::after_change)
}

/// A new room, as the record that made it shows it.
fn founded(event: &Event, viewer: UserId, position: Position) -> Answer {
    let Event::RoomCreated { info, members, .. } = event else { return Err(Problem::internal()) };
    let founder = members.iter().find(|member| member.person.id == viewer);
    let founder = founder.ok_or_else(Problem::internal)?;
    let room = wire::founders_view(info, founder, position);
    Ok(HttpResponse::Created().json(json!({"room": room})))
}

/// A word of an enum: another word is 422, another type 400.
fn word<T: std::str::FromStr>(field: &'static str, value: &str) -> Result<T, Problem>
where
    T::Err: std::fmt::Display,
{
    value.parse().map_err(|error: T::Err| Problem::invalid(field, format!("{field} is {error}")))
}

#[derive(Deserialize)]
pub struct List {
    scope: Option<String>,
    #[serde(default)]
    query: String,
    limit: Option<PageLimit>,
    after: Option<RoomId>,
}

pub async fn list(hub: Shared, LoggedIn(viewer, Query(list)): LoggedIn<Query<List>>) -> Answer {
    match list.scope.as_deref() {
        None | Some("mine") => {
            hub.store_up_to_date().await?;
            let now = now();
            let rooms = hub.store.rooms_of(viewer.id()).await?;
            let rooms: Vec<RoomView> = rooms.into_iter().map(|room| room.at(now)).collect();
            Ok(HttpResponse::Ok().json(json!({"rooms": rooms})))
        }
        Some("public") => {
            let limit = page_limit(list.limit, &hub)?;
            hub.store_up_to_date().await?;
            let query = list.query.trim();
            let mut rooms = hub.store.public_rooms(query, list.after, limit + 1).await?;
            let more = rooms.len() > limit;
            rooms.truncate(limit);
            let next = rooms.last().filter(|_| more).map(|room| room.id);
            let mut body = json!({"rooms": rooms});
            if let Some(next) = next {
                body["next"] = json!(next);
            }
            Ok(HttpResponse::Ok().json(body))
        }
        Some(_) => Err(Problem::invalid("scope", "scope is public, or left out")),
    }
}

#[derive(Deserialize)]
pub struct NewRoom {
    kind: String,
    name: Option<String>,
    visibility: Option<String>,
    /// Of a direct conversation the other one; of a group whoever is in it from the beginning.
    #[serde(default, deserialize_with = "present")]
    members: Option<Vec<String>>,
}

pub async fn create(hub: Shared, LoggedIn(viewer, Body(new)): LoggedIn<Body<NewRoom>>) -> Answer {
    let kind: RoomKind = word("kind", &new.kind)?;
    let members = match (&new.members, kind) {
        (Some(members), _) => user_ids(members)?,
        (None, RoomKind::Group) => Vec::new(),
        (None, RoomKind::Direct) => {
            return Err(Problem::bad_request("the body: missing field `members`"));
        }
    };
    hub.pace.count(viewer.id(), Weight::of_founding(members.len()))?;
    // A direct room stays, also where the other account is no more.
    if let (RoomKind::Direct, [other]) = (kind, &members[..])
        && let Some(room) = RoomId::direct(viewer.id(), *other)
    {
        hub.store_up_to_date().await?;
        if let Some(room) = hub.store.room_view(room, viewer.id()).await? {
            return Ok(HttpResponse::Ok().json(json!({"room": room})));
        }
    }
    let members = people(&hub, &viewer, &members).await?;
    match kind {
        RoomKind::Group => create_group(hub, viewer, new, members).await,
        RoomKind::Direct => open_direct(hub, viewer, members).await,
    }
}

/// What is no id names nobody: 422 `unknown_user`.
fn user_ids(ids: &[String]) -> Result<Vec<UserId>, Problem> {
    ids.iter().map(|id| id.parse().map_err(|_| Problem::unknown_user())).collect()
}

/// The people named, without the viewer and without repeats; 422 `unknown_user` for one who is
/// not there.
async fn people(hub: &Hub, viewer: &Viewer, ids: &[UserId]) -> Result<Vec<Person>, Problem> {
    let mut ids: Vec<UserId> = ids.iter().copied().filter(|id| *id != viewer.id()).collect();
    ids.sort_unstable();
    ids.dedup();
    let found = hub.store.users(&ids).await?;
    let people: Vec<Person> = found
        .into_iter()
        .filter(|account| !account.disabled)
        .map(|account| account.person)
        .collect();
    if people.len() == ids.len() { Ok(people) } else { Err(Problem::unknown_user()) }
}

async fn create_group(hub: Shared, viewer: Viewer, new: NewRoom, members: Vec<Person>) -> Answer {
    let Some(name) = &new.name else {
        return Err(Problem::bad_request("the body: missing field `name`"));
    };
    let name = text::room_name(name, &hub.config.limits.text())?;
    let visibility: Visibility = match &new.visibility {
        Some(visibility) => word("visibility", visibility)?,
        None => Visibility::Private,
    };
    let maker = Seat { person: viewer.account.person.clone(), role: Role::Admin };
    let seats = members.into_iter().map(|person| Seat { person, role: Role::Member });
    let founding = Founding {
        kind: RoomKind::Group,
        name: Some(name),
        visibility,
        members: std::iter::once(maker).chain(seats).collect(),
    };
    let room = hub.store.allocate_room(now()).await?;
    match make(&hub, room, viewer.doer(), Action::RoomCreated(founding)).await? {
        Done::Changed { position, event } => founded(&event, viewer.id(), position),
        Done::AsBefore => Err(Problem::internal()),
    }
}

async fn open_direct(hub: Shared, viewer: Viewer, mut members: Vec<Person>) -> Answer {
    let wrong = || Problem::invalid("members", "a direct conversation names one other person");
    let other = members.pop().filter(|_| members.is_empty()).ok_or_else(wrong)?;
    let room = RoomId::direct(viewer.id(), other.id).ok_or_else(wrong)?;
    let seats = [viewer.account.person.clone(), other];
    let founding = Founding {
        kind: RoomKind::Direct,
        name: None,
        visibility: Visibility::Private,
        members: seats.map(|person| Seat { person, role: Role::Member }).into(),
    };
    match propose_and_store(&hub, room, viewer.id(), Action::RoomCreated(founding)).await {
        Outcome::Accepted { position, event } => founded(&event, viewer.id(), position),
        // The other person was faster.
        Outcome::Refused(Refusal::Exists) => {
            let room = view(&hub, room, viewer.id()).await?;
            Ok(HttpResponse::Ok().json(json!({"room": room})))
        }
        Outcome::Refused(refusal) => Err(refusal.into()),
        Outcome::Failed(trouble) => Err(trouble.into()),
        Outcome::Repeated(_) | Outcome::Done => Err(Problem::internal()),
    }
}

pub async fn get(request: HttpRequest, hub: Shared, viewer: Viewer) -> Answer {
    let room = view(&hub, path_id(&request, "room")?, viewer.id()).await?;
    Ok(HttpResponse::Ok().json(json!({"room": room})))
}

#[derive(Deserialize)]
pub struct RoomChanges {
    #[serde(default, deserialize_with = "present")]
    name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    topic: Option<String>,
    #[serde(default, deserialize_with = "present")]
    visibility: Option<String>,
}

pub async fn update(
    request: HttpRequest,
    hub: Shared,
    LoggedIn(viewer, Body(changes)): LoggedIn<Body<RoomChanges>>,
) -> Answer {
    let room: RoomId = path_id(&request, "room")?;
    let limits = hub.config.limits.text();
    let changes = Changes {
        name: changes.name.map(|name| text::room_name(&name, &limits)).transpose()?,
        topic: changes.topic.map(|topic| text::topic(&topic, &limits)).transpose()?,
        visibility: changes.visibility.map(|value| word("visibility", &value)).transpose()?,
    };
    // A hub admin who makes a group private that they are not in closes the door behind them.
    let before = match changes.visibility {
        Some(Visibility::Private) => hub.store.room_view(room, viewer.id()).await?,
        _ => None,
    };
    let done = change(&hub, room, viewer.doer(), Action::RoomUpdated(changes)).await?;
    let room = match (before, done) {
        (Some(before), Done::Changed { position, event }) if before.role.is_none() => {
            updated(before, position, &event)?
        }
        _ => view_after(&hub, room, viewer.id()).await?,
    };
    Ok(HttpResponse::Ok().json(json!({"room": room})))
}

/// The room as the record that changed it left it.
fn updated(before: RoomView, position: Position, event: &Event) -> Result<RoomView, Problem> {
    let Event::RoomUpdated { info, .. } = event else { return Err(Problem::internal()) };
    Ok(RoomView {
        name: info.name.clone(),
        topic: info.topic.clone(),
        visibility: info.visibility,
        position,
        ..before
    })
}

pub async fn delete(request: HttpRequest, hub: Shared, viewer: Viewer) -> Answer {
    let room: RoomId = path_id(&request, "room")?;
    change(&hub, room, viewer.doer(), Action::RoomDeleted).await?;
    Ok(HttpResponse::NoContent().finish())
}

pub async fn join(request: HttpRequest, hub: Shared, viewer: Viewer) -> Answer {
    let room: RoomId = path_id(&request, "room")?;
    // Who is in already is in, and keeps the role: to the room, a join of theirs would be to give
    // up theirs. A store that lags would know neither of a removal nor of a role given just now.
    hub.store_up_to_date().await?;
    let before = hub.store.room_view(room, viewer.id()).await?;
    let room = match before.filter(|before| before.role.is_some()) {
        Some(room) => room.at(now()),
        None => {
            let member = viewer.account.person.clone();
            let seat = Action::MemberSet { member, role: Role::Member };
            change(&hub, room, viewer.doer(), seat).await?;
            view_after(&hub, room, viewer.id()).await?
        }
    };
    Ok(HttpResponse::Ok().json(json!({"room": room})))
}

pub async fn leave(request: HttpRequest, hub: Shared, viewer: Viewer) -> Answer {
    let room: RoomId = path_id(&request, "room")?;
    let member = viewer.account.person.clone();
    change(&hub, room, viewer.doer(), Action::MemberRemoved { member, ban: false }).await?;
    Ok(HttpResponse::NoContent().finish())
}
