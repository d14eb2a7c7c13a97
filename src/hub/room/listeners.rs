//! Who in a room listens here, and how a listener comes in without a gap or a repeat.
//!
//! The rule: one turn of the actor hands over what was missed and adds the listener. What this
//! actor has seen since it woke is kept for that; what is older is replayed from the store.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::*;
use bytes::Bytes;

use super::RoomActor;
use crate::core::follow::SessionId;
use crate::core::greeting::Tells;
use crate::core::kept::Entrance;
use crate::core::room::{Event, Refusal, Standing};
use crate::core::types::{Position, RoomId, UserId};
use crate::core::wire;
use crate::hub::Hub;
use crate::hub::bridge;
use crate::hub::outbound::{Ending, Outbound, text_frame};
use crate::hub::presence::{Follow, Membership};
use crate::hub::registry::{Dialect, SessionHandle};
use crate::hub::reply::explain;
use crate::store::StoreError;

/// Between two tries to tell somebody what became of them.
const AGAIN: Duration = Duration::from_secs(1);
/// Between two looks whether those who were put off have read what they were told before.
const SOON: Duration = Duration::from_millis(20);

/// A socket that hears what happens in the room.
pub struct Listener {
    pub session: SessionId,
    pub user: UserId,
    pub dialect: Dialect,
    pub outbound: Arc<Outbound>,
    /// It was given all that followed this; from the start where it was told to reload.
    pub from: Position,
}

/// A socket joins: it gets what it missed since a position, then all that follows. `false`: this
/// actor is about to sleep; ask the one that takes its place.
#[derive(Message, Clone)]
#[rtype(result = "bool")]
pub struct Join {
    pub session: SessionHandle,
    pub since: Position,
}

/// A socket of the simple API joins, and gets all that follows. `None`: this actor is about to
/// sleep; ask the one that takes its place.
#[derive(Message)]
#[rtype(result = "Option<Result<(), Refusal>>")]
pub struct Subscribe(pub SessionHandle);

/// People with sockets here came into the room by the record at this position. `false`: this actor
/// is about to sleep; ask the one that takes its place.
#[derive(Message, Clone)]
#[rtype(result = "bool")]
pub struct Welcome {
    pub users: Vec<UserId>,
    pub position: Position,
}

/// A socket wants to follow who of the room is online.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Watch {
    pub by: UserId,
    pub outbound: Arc<Outbound>,
    pub follow: Follow,
}

impl RoomActor {
    pub(super) fn join(&mut self, join: Join, ctx: &mut Context<Self>) {
        let Join { session, since } = join;
        let since = session.greeted().since(self.id, since);
        self.await_no_more(session.id);
        if !self.is_member(session.user) {
            return self.tell_of_parting(session, since, ctx);
        }
        if let Some(from) = self.listens_from(&session) {
            return self.come_in_again(session, since, from);
        }
        match self.kept.entrance(session.user, since, self.room.position, self.hub.epoch) {
            Entrance::AtOnce => self.listen(session, since),
            Entrance::Kept => self.replay_kept(session, since, ctx),
            Entrance::Stored if self.kept.has_dropped() => self.reset(session),
            Entrance::Stored => self.join_after_refill(Join { session, since }, ctx),
            Entrance::Anew => self.reset(session),
        }
    }

    fn listens_from(&self, session: &SessionHandle) -> Option<Position> {
        let known = self.listeners.iter().find(|listener| listener.session == session.id);
        known.map(|listener| listener.from)
    }

    /// It was welcomed while it was greeted, and may have missed what lay before.
    fn come_in_again(&mut self, session: SessionHandle, since: Position, from: Position) {
        if since < from {
            self.reset(session);
        }
    }

    fn replay_kept(&mut self, session: SessionHandle, since: Position, ctx: &mut Context<Self>) {
        let frames: Vec<Bytes> = self.frames_kept(since, session.user).collect();
        let bytes: usize = frames.iter().map(Bytes::len).sum();
        let limits = &self.hub.config.limits;
        let most = limits.replay_bytes();
        if frames.len() > limits.resume_events || bytes > most {
            return self.reset(session);
        }
        match session.outbound.push_beside(&frames, most) {
            true => self.listen(session, since),
            false => self.put_off(Join { session, since }, bytes, ctx),
        }
    }

    fn frames_kept(&self, since: Position, viewer: UserId) -> impl Iterator<Item = Bytes> {
        self.kept.after(since).map(move |kept| {
            match wire::viewers_apart(&kept.event).contains(&viewer) {
                true => text_frame(&wire::event_for(viewer, self.id, kept.position, &kept.event)),
                false => kept.frame.clone(),
            }
        })
    }

    /// It has yet to read what it was told before, and then so many bytes.
    fn put_off(&mut self, join: Join, bytes: usize, ctx: &mut Context<Self>) {
        self.refill.put_off.push((join, bytes));
        self.look_at_put_off(ctx);
    }

    fn look_at_put_off(&mut self, ctx: &mut Context<Self>) {
        if self.refill.put_off.is_empty() || std::mem::replace(&mut self.refill.looks, true) {
            return;
        }
        ctx.run_later(SOON, |actor, ctx| {
            actor.refill.looks = false;
            let most = actor.hub.config.limits.replay_bytes();
            for join in actor.refill.take_what_fits(most) {
                actor.join(join, ctx);
            }
            actor.look_at_put_off(ctx);
        });
    }

    pub(super) fn reset(&mut self, session: SessionHandle) {
        self.await_no_more(session.id);
        session.outbound.push(text_frame(&wire::reset(self.id, self.room.position)));
        self.listeners.retain(|listener| listener.session != session.id);
        self.listen(session, Position(0));
    }

    /// One who is no member now, but was at `since`, gets what happened up to the removal.
    pub(super) fn tell_of_parting(
        &mut self,
        session: SessionHandle,
        since: Position,
        ctx: &mut Context<Self>,
    ) {
        self.parting.push(Join { session: session.clone(), since });
        let hub = self.hub.clone();
        let (room, partition, position) = (self.id, self.partition, self.room.position);
        let (user, outbound) = (session.user, session.outbound.clone());
        let told = async move {
            outbound.until_half_empty().await;
            // The removal may be younger than what the store has.
            let is_stored = position.epoch() != hub.epoch
                || hub.until_stored(hub.place(partition, position.offset())).await.is_ok();
            (is_stored, parting_frames(&hub, room, partition, user, since).await)
        };
        let told = told.into_actor(self).map(move |(is_stored, frames), actor, ctx| match frames {
            // In again meanwhile, and told to reload: what lies before it would come late, even if
            // they are gone once more.
            _ if !actor.is_still_parting(&session, since) => {}
            _ if actor.is_member(user) => actor.join(Join { session, since }, ctx),
            Ok(mut frames) if is_stored => {
                // The store may be ahead of what this instance has read, which will be told as it
                // happens.
                frames.retain(|(position, _)| *position <= actor.room.position);
                let last = frames.last().map_or(since, |(position, _)| *position);
                let frames: Vec<Bytes> = frames.into_iter().map(|(_, frame)| frame).collect();
                let most = actor.hub.config.limits.replay_bytes();
                if !session.outbound.push_beside(&frames, most) {
                    ctx.run_later(AGAIN, move |actor, ctx| actor.join_again(session, since, ctx));
                    return;
                }
                actor.await_no_more(session.id);
                // A position of nowhere is no knowledge.
                if last <= actor.room.position {
                    session.greeted().leave(room, last);
                }
            }
            told => {
                tracing::warn!(%room, error = ?told.err(), "cannot tell of a removal yet");
                ctx.run_later(AGAIN, move |actor, ctx| actor.join_again(session, since, ctx));
            }
        });
        ctx.spawn(told);
    }

    fn join_again(&mut self, session: SessionHandle, since: Position, ctx: &mut Context<Self>) {
        if self.is_still_parting(&session, since) {
            self.join(Join { session, since }, ctx);
        }
    }

    fn is_parting(&self, session: SessionId) -> bool {
        self.parting.iter().any(|join| join.session.id == session)
    }

    /// Whether it has not been told anything else since.
    fn is_still_parting(&self, session: &SessionHandle, since: Position) -> bool {
        self.parting.iter().any(|join| (join.session.id, join.since) == (session.id, since))
    }

    /// What was still on its way for this socket is not to be told any more.
    fn await_no_more(&mut self, session: SessionId) {
        self.parting.retain(|join| join.session.id != session);
        self.refill.give_up(session);
    }

    pub(super) fn is_member(&self, user: UserId) -> bool {
        matches!(self.room.standing(user), Standing::Member(_))
    }

    /// The one door: members alone, each socket once, and never where the next actor of this room
    /// would not know of them.
    fn listen(&mut self, session: SessionHandle, from: Position) {
        let is_here = self.listens_from(&session).is_some();
        let may_listen = !self.retired && self.is_member(session.user);
        if session.outbound.is_open() && !is_here && may_listen {
            let SessionHandle { id, user, dialect, outbound, .. } = session;
            self.listeners.push(Listener { session: id, user, dialect, outbound, from });
        }
    }

    /// All sockets of one who came in by the record at this position, which they are told next; but
    /// for those that know of it, and those that have to reload, which are returned.
    pub(super) fn listen_all_of(&mut self, user: UserId, position: Position) -> Vec<SessionHandle> {
        let sessions = self.hub.sessions.of(user);
        let mut reloading = Vec::new();
        if self.retired && !sessions.is_empty() {
            // What this actor tells them, the next one would not know of.
            let welcome = Welcome { users: vec![user], position };
            actix_rt::spawn(bridge::welcome(self.hub.clone(), self.id, welcome));
            return reloading;
        }
        for session in sessions {
            match self.tells(&session, position) {
                Tells::Nothing => {}
                Tells::TheRecord => self.listen(session, Position(position.0 - 1)),
                Tells::Reload => reloading.push(session),
            }
        }
        reloading
    }

    /// What a socket is told of its person's coming in by the record at this position.
    fn tells(&self, session: &SessionHandle, position: Position) -> Tells {
        let is_awaited = self.is_parting(session.id) || self.refill.is_for(session.id);
        match session.greeted().tells(self.id, position) {
            Tells::TheRecord if is_awaited => Tells::Reload,
            tells => tells,
        }
    }

    /// They were told of the end of their stay, at this position.
    pub(super) fn stop_listening(&mut self, user: UserId, position: Position) {
        self.end_simple_sockets(Ending::Removed, |listener| listener.user == user);
        self.let_go(|listener| listener.user == user, position);
        self.tell_presence(user, false);
    }

    /// These listeners hear nothing any more, and know why.
    pub(super) fn let_go(&mut self, which: impl Fn(&Listener) -> bool, position: Position) {
        let gone: Vec<Listener> =
            self.listeners.extract_if(.., |listener| which(listener)).collect();
        let users: HashSet<UserId> = gone.iter().map(|listener| listener.user).collect();
        let gone: HashSet<SessionId> = gone.iter().map(|listener| listener.session).collect();
        for session in users.into_iter().flat_map(|user| self.hub.sessions.of(user)) {
            if gone.contains(&session.id) {
                session.greeted().leave(self.id, position);
            }
        }
    }

    /// A socket that has no other room ends with its place in this one.
    pub(super) fn end_simple_sockets(&self, ending: Ending, which: impl Fn(&Listener) -> bool) {
        let simple = |listener: &&Listener| listener.dialect != Dialect::Rookery;
        let ended = self.listeners.iter().filter(simple).filter(|listener| which(listener));
        ended.for_each(|listener| listener.outbound.end(ending));
    }

    pub(super) fn tell_only(&self, user: UserId, frame: &Bytes) {
        let own = self.listeners.iter().filter(|listener| listener.user == user);
        for listener in own {
            listener.outbound.push(frame.clone());
        }
    }

    pub(super) fn tell_presence(&self, user: UserId, is_member: bool) {
        if let Some(presence) = self.hub.presence() {
            presence.do_send(Membership { room: self.id, user, is_member });
        }
    }
}

/// What a former member missed up to the end of their stay; where that is too much, the end alone.
async fn parting_frames(
    hub: &Hub,
    room: RoomId,
    partition: u16,
    user: UserId,
    since: Position,
) -> Result<Vec<(Position, Bytes)>, StoreError> {
    let Some(parting) = hub.store.parting(room, user, since).await? else {
        return Ok(Vec::new());
    };
    let most = hub.config.limits.resume_events;
    let mut replay = hub.store.replay(room, partition, parting.after, most).await?;
    let all_there = replay.events.last().is_some_and(|(last, _)| *last >= parting.until);
    replay.events.retain(|(position, _)| *position <= parting.until);
    let frames = frames_for(user, room, &replay.events);
    let bytes: usize = frames.iter().map(|(_, frame)| frame.len()).sum();
    if all_there && bytes <= hub.config.limits.replay_bytes() {
        return Ok(frames);
    }
    let before = Position(parting.until.0 - 1);
    let replay = hub.store.replay(room, partition, before, 1).await?;
    Ok(frames_for(user, room, &replay.events))
}

fn frames_for(
    viewer: UserId,
    room: RoomId,
    events: &[(Position, Event)],
) -> Vec<(Position, Bytes)> {
    let frame = |(position, event): &(Position, Event)| {
        (*position, text_frame(&wire::event_for(viewer, room, *position, event)))
    };
    events.iter().map(frame).collect()
}

impl Handler<Join> for RoomActor {
    type Result = bool;

    fn handle(&mut self, join: Join, ctx: &mut Self::Context) -> bool {
        if !self.retired {
            self.used_at = Instant::now();
            self.join(join, ctx);
        }
        !self.retired
    }
}

impl Handler<Subscribe> for RoomActor {
    type Result = Option<Result<(), Refusal>>;

    fn handle(&mut self, Subscribe(session): Subscribe, _: &mut Self::Context) -> Self::Result {
        if self.retired {
            return None;
        }
        self.used_at = Instant::now();
        let admitted = self.room.require_member(session.user).map(drop);
        if admitted.is_ok() {
            self.listen(session, self.room.position);
        }
        Some(admitted)
    }
}

impl Handler<Welcome> for RoomActor {
    type Result = bool;

    fn handle(&mut self, Welcome { users, position }: Welcome, ctx: &mut Self::Context) -> bool {
        if self.retired {
            return false;
        }
        self.used_at = Instant::now();
        // What was folded since this actor woke was told as it was.
        if position.epoch() == self.hub.epoch && position.offset() >= self.woken_at {
            return true;
        }
        let since = Position(position.0 - 1);
        for user in users {
            for session in self.hub.sessions.of(user) {
                match self.tells(&session, position) {
                    Tells::Nothing => {}
                    Tells::TheRecord => self.join(Join { session, since }, ctx),
                    Tells::Reload if self.is_member(user) => self.reset(session),
                    // Gone again: it is told when it joins.
                    Tells::Reload => {}
                }
            }
        }
        true
    }
}

impl Handler<Watch> for RoomActor {
    type Result = ();

    fn handle(&mut self, mut watch: Watch, _: &mut Self::Context) {
        if self.retired {
            return self.forward(watch);
        }
        self.used_at = Instant::now();
        let members = &self.room.members;
        if let Err(refusal) = self.room.require_member(watch.by) {
            let reference = &watch.follow.reference;
            let error = wire::refusal(reference, refusal, &explain(refusal));
            watch.outbound.push(text_frame(&error));
            return;
        }
        // The list is the store's, which may be behind.
        let people = &mut watch.follow.people;
        people.retain(|(user, _)| members.contains_key(user));
        let named: HashSet<UserId> = people.iter().map(|(user, _)| *user).collect();
        people
            .extend(members.keys().filter(|user| !named.contains(user)).map(|user| (*user, None)));
        if let Some(presence) = self.hub.presence() {
            presence.do_send(watch.follow);
        }
    }
}
