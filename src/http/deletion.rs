//! Deleting my account: out of all groups first, then the account itself.
//!
//! The account goes last, so that whatever breaks off in the middle leaves one that can log in and
//! do it again.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;
use serde_json::json;

use super::Edge;
use super::errors::{Answer, Problem};
use super::extract::{Body, LoggedIn, Shared, Viewer, source_of};
use super::users::require_password;
use crate::auth;
use crate::core::record::Action;
use crate::core::room::Refusal;
use crate::hub::changes::propose_and_store;
use crate::hub::now;
use crate::hub::pace::Weight;
use crate::hub::reply::Outcome;
use crate::hub::signals::Signal;
use crate::store::Seat;

/// Groups that are left at the same time.
const AT_ONCE: usize = 16;

#[derive(Deserialize)]
pub struct Farewell {
    password: String,
}

pub async fn delete_me(
    request: HttpRequest,
    hub: Shared,
    edge: web::Data<Edge>,
    LoggedIn(viewer, Body(form)): LoggedIn<Body<Farewell>>,
) -> Answer {
    hub.pace.count(viewer.id(), Weight::ONE)?;
    let source = source_of(&request, &hub);
    require_password(&hub, &edge, &viewer, form.password, source).await?;
    leave_groups(&hub, &viewer).await?;
    hub.store.erase_from_events(viewer.id()).await?;
    let ended = hub.store.delete_account(viewer.id(), now()).await?;
    tracing::info!(user = %viewer.id(), "deleted the account");
    Signal::Deleted { user: viewer.id() }.tell(&*hub.bus);
    Signal::logout(viewer.id(), &ended).tell(&*hub.bus);
    // Somebody may have let them into another group meanwhile; from now on nobody can.
    if let Err(problem) = leave_groups(&hub, &viewer).await {
        tracing::warn!(user = %viewer.id(), %problem, "a deleted account is still in groups");
    }
    Ok(HttpResponse::NoContent().cookie(auth::cookie(None, edge.is_https())).finish())
}

/// Leaves every group, or none where one of them would be left without an admin.
async fn leave_groups(hub: &Shared, viewer: &Viewer) -> Result<(), Problem> {
    hub.store_up_to_date().await?;
    let seats = hub.store.seats(viewer.id()).await?;
    let held: Vec<&Seat> = seats.iter().filter(|seat| seat.is_last_admin()).collect();
    if !held.is_empty() {
        return Err(last_admin(&held));
    }
    stream::iter(&seats)
        .map(|seat| leave(hub, viewer, seat))
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

async fn leave(hub: &Shared, viewer: &Viewer, seat: &Seat) -> Result<(), Problem> {
    let action = match seat.others {
        // Nobody could ever see it again.
        0 => Action::RoomDeleted,
        _ => Action::MemberRemoved { member: viewer.account.person.clone(), ban: false },
    };
    match propose_and_store(hub, seat.room, viewer.id(), action).await {
        Outcome::Accepted { .. } => Ok(()),
        // Gone from it already.
        Outcome::Refused(Refusal::NotFound | Refusal::NotAMember) => Ok(()),
        // The other admin was faster.
        Outcome::Refused(Refusal::LastAdmin) => Err(last_admin(&[seat])),
        Outcome::Refused(refusal) => Err(refusal.into()),
        Outcome::Failed(trouble) => Err(trouble.into()),
        Outcome::Repeated(_) | Outcome::Done => Err(Problem::internal()),
    }
}

fn last_admin(seats: &[&Seat]) -> Problem {
    let detail = "you are the only admin of groups with others in them; make somebody else an \
                  admin there first";
    let rooms: Vec<_> =
        seats.iter().map(|seat| json!({"id": seat.room, "name": seat.name})).collect();
    Problem::new(StatusCode::CONFLICT, "last_admin", detail).with("rooms", json!(rooms))
}
