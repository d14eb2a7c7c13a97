//! The command `presence`: whom a socket asks about, and hears of from then on.

use actix::prelude::*;

use super::super::Hub;
use super::super::presence::{Follow, Scope};
use super::super::reading::refusal_of_outsider;
use super::super::room::Watch;
use super::Session;
use crate::core::room::Refusal;
use crate::core::types::{RoomId, Timestamp, UserId};
use crate::core::wire::Ref;
use crate::store::StoreError;

/// People whom a snapshot of everyone's presence names; past it only who is online is named.
const EVERYONE: usize = 1_000;

impl Session {
    pub(super) fn presence(
        &mut self,
        reference: Ref,
        (users, room, all): (Option<Vec<UserId>>, Option<String>, bool),
        ctx: &mut Context<Self>,
    ) {
        let scope = match (users, room, all) {
            (Some(users), None, false) => Ok((Scope::People, users)),
            (None, Some(room), false) => match room.parse::<RoomId>() {
                Ok(room) => Ok((Scope::Room(room), Vec::new())),
                Err(_) => return self.no_such_room(&reference),
            },
            (None, None, true) => Ok((Scope::Everyone, Vec::new())),
            _ => Err("name one of users, room, or all"),
        };
        let (scope, users) = match scope {
            Ok(scope) => scope,
            Err(detail) => return self.error(&reference, "bad_request", detail, false),
        };
        let (hub, me, session) = (self.hub.clone(), self.user(), self.handle.id);
        let people = async move {
            let people = people_in(&hub, &scope, users, me).await?;
            Ok::<_, StoreError>(people.map(|people| (scope, people)))
        };
        self.work(ctx, people, move |people, actor, _| match people {
            _ if actor.has_left => {}
            Ok(Ok((scope, people))) => {
                actor.follow(Follow { session, reference, scope, people });
            }
            Ok(Err(refusal)) => actor.refuse(&reference, refusal),
            Err(error) => actor.trouble(&reference, error.into()),
        });
    }

    /// To follow a room is for the room to allow, in order with those who leave it.
    fn follow(&self, follow: Follow) {
        if let Scope::Room(room) = follow.scope {
            let outbound = self.handle.outbound.clone();
            let watch = Watch { by: self.user(), outbound, follow };
            let room = self.hub.rooms.wake(&self.hub, room);
            if let Err(SendError::Full(watch) | SendError::Closed(watch)) = room.try_send(watch) {
                let detail = "the room is too busy";
                self.error(&watch.follow.reference, "unavailable", detail, true);
            }
        } else if let Some(presence) = self.hub.presence() {
            presence.do_send(follow);
        }
    }
}

type People = Vec<(UserId, Option<Timestamp>)>;

/// The people of a scope with when they were last seen; refused for a room that is not the
/// viewer's.
async fn people_in(
    hub: &Hub,
    scope: &Scope,
    users: Vec<UserId>,
    viewer: UserId,
) -> Result<Result<People, Refusal>, StoreError> {
    let accounts = match scope {
        Scope::People => hub.store.users(&users).await?,
        Scope::Everyone => hub.store.directory("", None, EVERYONE).await?,
        Scope::Room(room) => {
            let is_member = async || hub.store.is_member(*room, viewer).await;
            // Who has just come in may ask sooner than the store knows.
            if !is_member().await?
                && (hub.store_up_to_date().await.is_err() || !is_member().await?)
            {
                return Ok(Err(refusal_of_outsider(hub, *room, viewer).await?));
            }
            hub.store.users(&hub.store.member_ids(*room).await?).await?
        }
    };
    Ok(Ok(accounts.iter().map(|account| (account.person.id, account.last_seen)).collect()))
}
