//! The actor that knows who is online, here and elsewhere, and tells those who follow.
//!
//! Changes are gathered for a tick and told together: ten thousand people coming back at once
//! are a few frames for each follower, not ten thousand.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::outbound::{Outbound, text_frame};
use super::{Hub, now};
use crate::core::follow::{Follows, SessionId};
use crate::core::presence::{BEAT, Presence, Told};
use crate::core::types::{RoomId, Timestamp, UserId};
use crate::core::wire::{self, Ref, Seen, Status};
use crate::log::{Channel, Heard};

/// How long changes are gathered.
const TICK: Duration = Duration::from_millis(100);
/// How often it is written down when people were last seen.
const LAST_SEEN_EVERY: Duration = Duration::from_secs(1);
/// Messages that may wait; senders here are few, and each message is small.
const MAILBOX: usize = 65_536;

/// A socket said hello.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Connect {
    pub session: SessionId,
    pub user: UserId,
    pub outbound: Arc<Outbound>,
}

/// A socket is gone.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Disconnect {
    pub session: SessionId,
    pub user: UserId,
}

#[derive(Debug, Clone)]
pub enum Scope {
    Everyone,
    Room(RoomId),
    People,
}

/// A socket wants a snapshot of these people, then what changes.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Follow {
    pub session: SessionId,
    pub reference: Ref,
    pub scope: Scope,
    /// Everyone in the snapshot, with when they were last seen.
    pub people: Vec<(UserId, Option<Timestamp>)>,
}

/// Who of these is online.
#[derive(Message)]
#[rtype(result = "Vec<Seen>")]
pub struct Ask(pub Vec<(UserId, Option<Timestamp>)>);

/// Somebody came into a room, or is in it no more.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Membership {
    pub room: RoomId,
    pub user: UserId,
    pub is_member: bool,
}

/// Something about a person for everybody who follows them, and for their own sockets.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Tell {
    pub of: UserId,
    pub frame: Bytes,
}

/// A room was deleted.
#[derive(Message)]
#[rtype(result = "()")]
pub struct RoomGone(pub RoomId);

/// The instance is about to stop: tell the others at once.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Farewell;

pub struct PresenceActor {
    hub: Arc<Hub>,
    heard: Option<mpsc::Receiver<Heard>>,
    presence: Presence,
    follows: Follows,
    sockets: HashMap<SessionId, (UserId, Arc<Outbound>)>,
    /// Whether what was kept on the bus has been heard: what follows is live.
    live: bool,
    /// Who left since the last write of last-seen times.
    left: BTreeMap<UserId, Timestamp>,
    said_farewell: bool,
}

impl PresenceActor {
    pub fn new(hub: Arc<Hub>, heard: mpsc::Receiver<Heard>) -> PresenceActor {
        PresenceActor {
            presence: Presence::new(hub.incarnation.clone()),
            hub,
            heard: Some(heard),
            follows: Follows::default(),
            sockets: HashMap::new(),
            live: false,
            left: BTreeMap::new(),
            said_farewell: false,
        }
    }

    fn tell(&self, told: impl IntoIterator<Item = Told>) {
        for told in told {
            let value = told.has_value().then(|| Bytes::from(self.describe(&told)));
            self.hub.bus.tell(Channel::Presence, &told.key(), value);
        }
    }

    /// What a person sees in a console consumer.
    fn describe(&self, told: &Told) -> String {
        let instance = &self.hub.config.server.instance;
        let fields = match told {
            Told::Online(_, user) => {
                serde_json::json!({"instance": instance, "user_id": user, "status": "online"})
            }
            _ => serde_json::json!({"instance": instance, "at": now()}),
        };
        fields.to_string()
    }

    fn seen(&self, user: UserId, last_seen: Option<Timestamp>) -> Seen {
        match self.presence.is_online(user) {
            true => Seen { user_id: user, status: Status::Online, last_seen: None },
            false => {
                let last_seen = self.left.get(&user).copied().max(last_seen);
                Seen { user_id: user, status: Status::Offline, last_seen }
            }
        }
    }

    fn tick(&mut self, _: &mut Context<Self>) {
        let changes = self.presence.changes();
        let at = now();
        for notice in self.follows.notices(&changes) {
            let seen = notice.changes.iter().map(|change| match change.online {
                true => Seen { user_id: change.user, status: Status::Online, last_seen: None },
                false => {
                    Seen { user_id: change.user, status: Status::Offline, last_seen: Some(at) }
                }
            });
            let frame = text_frame(&wire::presence(&seen.collect::<Vec<_>>()));
            let sockets = notice.to.iter().filter_map(|session| self.sockets.get(session));
            for (_, outbound) in sockets {
                outbound.push(frame.clone());
            }
        }
    }

    fn write_last_seen(&mut self, ctx: &mut Context<Self>) {
        if self.left.is_empty() {
            return;
        }
        let left: Vec<(UserId, Timestamp)> =
            self.left.iter().map(|(user, at)| (*user, *at)).collect();
        let store = self.hub.store.clone();
        let write = async move { store.set_last_seen(&left).await.map(|()| left) };
        ctx.spawn(write.into_actor(self).map(|written, actor, _| match written {
            Ok(left) => left.iter().for_each(|(user, at)| {
                // Unless they came and left again meanwhile.
                if actor.left.get(user) == Some(at) {
                    actor.left.remove(user);
                }
            }),
            Err(error) => tracing::warn!(%error, "cannot write when people were last seen"),
        }));
    }
}

impl Actor for PresenceActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        if let Some(heard) = self.heard.take() {
            ctx.add_stream(ReceiverStream::new(heard));
        }
        self.tell([self.presence.lease()]);
        ctx.run_interval(TICK, Self::tick);
        ctx.run_interval(LAST_SEEN_EVERY, Self::write_last_seen);
        ctx.run_interval(BEAT, |actor, _| {
            if !actor.said_farewell {
                actor.tell([actor.presence.lease()]);
            }
        });
    }
}

impl StreamHandler<Heard> for PresenceActor {
    fn handle(&mut self, heard: Heard, _: &mut Self::Context) {
        let answers = match heard {
            Heard::CaughtUp => {
                self.live = true;
                return;
            }
            Heard::Value { key, value } => match Told::parse(&key, value.is_some()) {
                Some(told) => self.presence.hear(told, self.live),
                None => return tracing::warn!(%key, "an unreadable key in the presence topic"),
            },
        };
        self.tell(answers);
    }
}

impl Handler<Connect> for PresenceActor {
    type Result = ();

    fn handle(&mut self, connect: Connect, _: &mut Self::Context) {
        self.sockets.insert(connect.session, (connect.user, connect.outbound));
        let told = self.presence.connect(connect.user);
        self.tell(told);
    }
}

impl Handler<Disconnect> for PresenceActor {
    type Result = ();

    fn handle(&mut self, disconnect: Disconnect, _: &mut Self::Context) {
        self.follows.end(disconnect.session);
        if self.sockets.remove(&disconnect.session).is_none() {
            return;
        }
        let told = self.presence.disconnect(disconnect.user);
        if told.is_some() {
            self.left.insert(disconnect.user, now());
        }
        self.tell(told);
    }
}

impl Handler<Follow> for PresenceActor {
    type Result = ();

    fn handle(&mut self, follow: Follow, _: &mut Self::Context) {
        let Follow { session, reference, scope, mut people } = follow;
        let Some((_, outbound)) = self.sockets.get(&session) else { return };
        let users: Vec<UserId> = people.iter().map(|(user, _)| *user).collect();
        match scope {
            Scope::Everyone => {
                self.follows.everyone(session);
                let known: std::collections::HashSet<UserId> = users.into_iter().collect();
                let others = self.presence.online().filter(|user| !known.contains(user));
                people.extend(others.map(|user| (user, None)));
            }
            Scope::Room(room) => self.follows.room(session, room, &users),
            Scope::People => {
                if !self.follows.people(session, &users) {
                    let detail = "one socket follows at most 10,000 people by name";
                    let error = wire::error(&reference, "invalid_users", detail, false);
                    outbound.push(text_frame(&error));
                    return;
                }
            }
        }
        let seen: Vec<Seen> = people.iter().map(|(user, at)| self.seen(*user, *at)).collect();
        outbound.push(text_frame(&wire::ok(&reference, serde_json::json!({"users": seen}))));
    }
}

impl Handler<Ask> for PresenceActor {
    type Result = Vec<Seen>;

    fn handle(&mut self, Ask(people): Ask, _: &mut Self::Context) -> Vec<Seen> {
        people.iter().map(|(user, at)| self.seen(*user, *at)).collect()
    }
}

impl Handler<Membership> for PresenceActor {
    type Result = ();

    fn handle(&mut self, membership: Membership, _: &mut Self::Context) {
        let Membership { room, user, is_member } = membership;
        self.follows.membership(room, user, is_member);
        if !is_member {
            let own = self.sockets.iter().filter(|(_, (who, _))| *who == user);
            let own: Vec<SessionId> = own.map(|(session, _)| *session).collect();
            own.into_iter().for_each(|session| self.follows.leave_room(session, room));
        }
    }
}

impl Handler<Tell> for PresenceActor {
    type Result = ();

    fn handle(&mut self, Tell { of, frame }: Tell, _: &mut Self::Context) {
        let followers = self.follows.followers(of);
        for (session, (user, outbound)) in &self.sockets {
            if *user == of || followers.contains(session) {
                outbound.push(frame.clone());
            }
        }
    }
}

impl Handler<RoomGone> for PresenceActor {
    type Result = ();

    fn handle(&mut self, RoomGone(room): RoomGone, _: &mut Self::Context) {
        self.follows.forget_room(room);
    }
}

impl Handler<Farewell> for PresenceActor {
    type Result = ();

    fn handle(&mut self, _: Farewell, _: &mut Self::Context) {
        self.said_farewell = true;
        self.tell(self.presence.farewell());
    }
}
