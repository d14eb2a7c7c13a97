//! The actor that knows who is online or away, here and elsewhere, and tells those who follow.
//!
//! Changes are gathered for a tick and told together: ten thousand people coming back at once
//! are a few frames for each follower, not ten thousand. Who is away is found by looking at all
//! sockets now and then, so that a hundred thousand idle ones wake nobody.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::*;
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::activity::Activity;
use super::outbound::{Outbound, text_frame};
use super::{Hub, now};
use crate::core::follow::{Follows, SessionId};
use crate::core::presence::{BEAT, Change, Presence, SILENCE, Status, Told};
use crate::core::types::{RoomId, Timestamp, UserId};
use crate::core::wire::{self, Ref, Seen};
use crate::log::{Channel, Heard};

/// Between two of our own leases that are counted.
const BEAT_AT_LEAST: Duration = Duration::from_millis(700);
/// How long changes are gathered.
const TICK: Duration = Duration::from_millis(100);
/// How often it is written down when people were last seen.
const LAST_SEEN_EVERY: Duration = Duration::from_secs(1);
/// How often idle sockets are looked for: so many times within the time after which one is idle,
/// but no more often than a tick and no more seldom than this.
const LOOKS: u32 = 20;
const LOOK_AT_LEAST_EVERY: Duration = Duration::from_secs(5);
/// Messages that may wait; senders here are few, and each message is small.
const MAILBOX: usize = 65_536;

/// A socket said hello.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Connect {
    pub session: SessionId,
    pub user: UserId,
    pub outbound: Arc<Outbound>,
    pub activity: Arc<Activity>,
}

/// A socket that was idle had input.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Active(pub SessionId);

/// A socket is gone.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Disconnect(pub SessionId);

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

/// How present these people are.
#[derive(Message)]
#[rtype(result = "Vec<Seen>")]
pub struct Ask(pub Vec<(UserId, Option<Timestamp>)>);

/// Everyone who is online or away, in no order.
#[derive(Message)]
#[rtype(result = "Vec<(UserId, Status)>")]
pub struct AskWhoIsHere;

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

struct Socket {
    user: UserId,
    outbound: Arc<Outbound>,
    activity: Arc<Activity>,
    /// As it was told; `activity` may be ahead.
    is_idle: bool,
}

pub struct PresenceActor {
    hub: Arc<Hub>,
    heard: Option<mpsc::Receiver<Heard>>,
    presence: Presence,
    follows: Follows,
    sockets: HashMap<SessionId, Socket>,
    /// Whether what was kept on the bus has been heard: what follows is live.
    live: bool,
    /// When a lease of our own was last counted.
    beat_at: Option<Instant>,
    /// When people were last known to be here, as far as it is not written yet. It is noted
    /// whenever they come or go, fall idle or are back, so that even a crash of the only instance
    /// leaves a time that means something.
    seen_at: BTreeMap<UserId, Timestamp>,
    /// Whether some of that is being written.
    is_writing: bool,
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
            beat_at: None,
            seen_at: BTreeMap::new(),
            is_writing: false,
            said_farewell: false,
        }
    }

    fn tell(&self, told: impl IntoIterator<Item = Told>) {
        for told in told {
            let value = told.has_value().then(|| Bytes::from(self.describe(&told)));
            self.hub.bus.tell(Channel::Presence, &told.key(), value);
        }
    }

    /// Tells the others what became of people here, and notes when that was.
    fn share(&mut self, told: impl IntoIterator<Item = Told>) {
        for told in told {
            if let Told::Person(_, user, _) = &told {
                self.seen_at.insert(*user, now());
            }
            self.tell([told]);
        }
    }

    /// A lease of our own came back. Those that were held up come back all at once, and are one.
    fn hear_beat(&mut self) -> Vec<Told> {
        let (now, last) = (Instant::now(), self.beat_at);
        if last.is_some_and(|at| now - at < BEAT_AT_LEAST) {
            return Vec::new();
        }
        let mut told = match last.is_some_and(|at| now - at > SILENCE) {
            true => self.presence.reconnect(),
            false => Vec::new(),
        };
        self.beat_at = Some(now);
        told.extend(self.presence.hear(self.presence.lease(), self.live));
        told
    }

    /// Whether we know who is here: not before we were told, nor while nothing comes back.
    fn is_up_to_date(&self) -> bool {
        self.is_in_touch() && self.presence.is_settled()
    }

    fn is_in_touch(&self) -> bool {
        self.beat_at.is_some_and(|at| at.elapsed() < SILENCE)
    }

    /// What a person sees in a console consumer; of a person's entry the status is read.
    fn describe(&self, told: &Told) -> String {
        let instance = &self.hub.config.server.instance;
        let fields = match told {
            Told::Person(_, user, status) => {
                serde_json::json!({"instance": instance, "user_id": user, "status": status})
            }
            _ => serde_json::json!({"instance": instance, "at": now()}),
        };
        fields.to_string()
    }

    fn seen(&self, user: UserId, last_seen: Option<Timestamp>) -> Seen {
        let status = self.presence.status(user);
        let last_seen = match status {
            Status::Offline => self.seen_at.get(&user).copied().max(last_seen),
            _ => None,
        };
        Seen { user_id: user, status, last_seen }
    }

    /// Those who follow a room learn how present somebody is who comes into it.
    fn tell_of_newcomer(&self, user: UserId, followers: &[SessionId]) {
        if followers.is_empty() || self.presence.status(user) == Status::Offline {
            return;
        }
        let frame = text_frame(&wire::presence(&[self.seen(user, None)]));
        for socket in followers.iter().filter_map(|session| self.sockets.get(session)) {
            socket.outbound.push(frame.clone());
        }
    }

    fn tick(&mut self, _: &mut Context<Self>) {
        self.hub.set_knows_who_is_here(self.is_up_to_date());
        let changes = self.presence.changes();
        self.note_the_lost(&changes);
        let left_at = |change: &Change| match change.lost {
            true => before_silence(),
            false => now(),
        };
        for notice in self.follows.notices(&changes) {
            let seen = notice.changes.iter().map(|change| Seen {
                user_id: change.user,
                status: change.status,
                last_seen: (change.status == Status::Offline).then(|| left_at(change)),
            });
            let frame = text_frame(&wire::presence(&seen.collect::<Vec<_>>()));
            let sockets = notice.to.iter().filter_map(|session| self.sockets.get(session));
            for socket in sockets {
                socket.outbound.push(frame.clone());
            }
        }
    }

    /// Another instance can no longer write down when its people left.
    fn note_the_lost(&mut self, changes: &[Change]) {
        if self.presence.speaks_for_the_lost() {
            let lost = changes.iter().filter(|change| change.lost);
            self.seen_at.extend(lost.map(|change| (change.user, before_silence())));
        }
    }

    fn look_for_idle(&mut self, _: &mut Context<Self>) {
        let after = Duration::from_secs(self.hub.config.presence.away_seconds.into());
        let (mut told, now) = (Vec::new(), Instant::now());
        for socket in self.sockets.values_mut().filter(|socket| !socket.is_idle) {
            if socket.activity.falls_idle(after, now) {
                socket.is_idle = true;
                told.extend(self.presence.turn(socket.user, false));
            }
        }
        self.share(told);
    }

    fn write_last_seen(&mut self, ctx: &mut Context<Self>) {
        if self.seen_at.is_empty() || std::mem::replace(&mut self.is_writing, true) {
            return;
        }
        let seen_at: Vec<(UserId, Timestamp)> =
            self.seen_at.iter().map(|(user, at)| (*user, *at)).collect();
        let store = self.hub.store.clone();
        let write = async move { store.set_last_seen(&seen_at).await.map(|()| seen_at) };
        ctx.spawn(write.into_actor(self).map(|written, actor, _| {
            actor.is_writing = false;
            match written {
                Ok(written) => written.iter().for_each(|(user, at)| {
                    // Unless something became of them meanwhile.
                    if actor.seen_at.get(user) == Some(at) {
                        actor.seen_at.remove(user);
                    }
                }),
                Err(error) => tracing::warn!(%error, "cannot write when people were last seen"),
            }
        }));
    }
}

/// When an instance that is found silent now may have told its last.
fn before_silence() -> Timestamp {
    let silence = i64::try_from(SILENCE.as_millis()).unwrap_or_default();
    Timestamp(now().0 - silence)
}

impl Actor for PresenceActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        if let Some(heard) = self.heard.take() {
            ctx.add_stream(ReceiverStream::new(heard));
        }
        ctx.run_interval(TICK, Self::tick);
        ctx.run_interval(LAST_SEEN_EVERY, Self::write_last_seen);
        let away_after = Duration::from_secs(self.hub.config.presence.away_seconds.into());
        let look_every = (away_after / LOOKS).clamp(TICK, LOOK_AT_LEAST_EVERY);
        ctx.run_interval(look_every, Self::look_for_idle);
        ctx.run_interval(BEAT, |actor, _| {
            if actor.said_farewell {
                return;
            }
            if !actor.is_in_touch() {
                let unheard = actor.presence.unheard();
                actor.tell(unheard);
            }
            actor.tell([actor.presence.lease()]);
        });
    }
}

impl StreamHandler<Heard> for PresenceActor {
    fn handle(&mut self, heard: Heard, _: &mut Self::Context) {
        let answers = match heard {
            Heard::CaughtUp => {
                self.live = true;
                vec![self.presence.catch_up()]
            }
            Heard::Value { key, value } => match Told::parse(&key, value.as_deref()) {
                Some(Told::Lease(lease)) if lease == self.hub.incarnation => self.hear_beat(),
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
        let Connect { session, user, outbound, activity } = connect;
        let is_idle = activity.is_idle();
        self.sockets.insert(session, Socket { user, outbound, activity, is_idle });
        let told = self.presence.connect(user, !is_idle);
        self.share(told);
    }
}

impl Handler<Active> for PresenceActor {
    type Result = ();

    fn handle(&mut self, Active(session): Active, _: &mut Self::Context) {
        let Some(socket) = self.sockets.get_mut(&session) else { return };
        if std::mem::take(&mut socket.is_idle) {
            let told = self.presence.turn(socket.user, true);
            self.share(told);
        }
    }
}

impl Handler<Disconnect> for PresenceActor {
    type Result = ();

    fn handle(&mut self, Disconnect(session): Disconnect, _: &mut Self::Context) {
        self.follows.end(session);
        let Some(socket) = self.sockets.remove(&session) else { return };
        let told = self.presence.disconnect(socket.user, !socket.is_idle);
        self.share(told);
    }
}

impl Handler<Follow> for PresenceActor {
    type Result = ();

    fn handle(&mut self, follow: Follow, _: &mut Self::Context) {
        let Follow { session, reference, scope, mut people } = follow;
        let Some(Socket { outbound, .. }) = self.sockets.get(&session) else { return };
        let users: Vec<UserId> = people.iter().map(|(user, _)| *user).collect();
        match scope {
            Scope::Everyone => {
                self.follows.everyone(session);
                let known: std::collections::HashSet<UserId> = users.into_iter().collect();
                let others = self.presence.present().filter(|user| !known.contains(user));
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

impl Handler<AskWhoIsHere> for PresenceActor {
    type Result = Vec<(UserId, Status)>;

    fn handle(&mut self, _: AskWhoIsHere, _: &mut Self::Context) -> Self::Result {
        self.presence.present().map(|user| (user, self.presence.status(user))).collect()
    }
}

impl Handler<Membership> for PresenceActor {
    type Result = ();

    fn handle(&mut self, membership: Membership, _: &mut Self::Context) {
        let Membership { room, user, is_member } = membership;
        let told = self.follows.membership(room, user, is_member);
        self.tell_of_newcomer(user, &told);
        if !is_member {
            // What one follows that has left is forgotten with it.
            let own = self.hub.sessions.of(user);
            own.iter().for_each(|session| self.follows.leave_room(session.id, room));
        }
    }
}

impl Handler<Tell> for PresenceActor {
    type Result = ();

    fn handle(&mut self, Tell { of, frame }: Tell, _: &mut Self::Context) {
        let mut told = self.follows.followers(of);
        told.extend(self.hub.sessions.that_speak_rookery(of).map(|session| session.id));
        for socket in told.iter().filter_map(|session| self.sockets.get(session)) {
            socket.outbound.push(frame.clone());
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
        let farewell = self.presence.farewell();
        self.tell(farewell);
    }
}
