//! The actor of one room that somebody needs here: proposals in, records back, events out.
//!
//! It wakes from the store's snapshot, goes on with the log's tail, and sleeps again when nobody
//! has listened or asked for a while. What may happen in a room is for `core::room` to decide.

mod announce;
mod held_up;
mod listeners;
mod receipts;
mod refill;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::*;
use uuid::Uuid;

use super::bridge::{self, Attach as AttachToLog, Detach, Publish};
use super::outbound::text_frame;
use super::registry::Dialect;
use super::reply::{Outcome, Reply, Trouble};
use super::signals::Signal;
use super::{Hub, now};
use crate::core::kept::Kept;
use crate::core::page::Events;
use crate::core::recent::First;
use crate::core::record::{Action, Record};
use crate::core::room::{Doer, Refusal, Room, Status};
use crate::core::types::{Person, RoomId, UserId};
use crate::core::wire;
use crate::log::{AppendError, Entry};
use announce::Said;
use held_up::HeldUp;
use listeners::Listener;
pub use listeners::{Join, Subscribe, Watch, Welcome};
pub use receipts::ReceiptHeard;
use receipts::Told;
use refill::Refill;

/// What may wait for a room; past it a proposal is refused as unavailable.
const MAILBOX: usize = 2_048;
/// A proposal that has not come back from the log by now has an unknown outcome.
const READ_BACK_WITHIN: Duration = Duration::from_secs(10);
/// A room that nobody listens to sleeps after this.
const IDLE: Duration = Duration::from_secs(60);
const TICK: Duration = Duration::from_secs(2);

/// Somebody wants something to happen in the room.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub struct Propose {
    pub by: Doer,
    pub action: Action,
    pub reply: Reply,
}

/// Entries of the room, in the order of the log.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Fed(pub Vec<Arc<Entry>>);

/// A proposal that the log did not take, or may not have.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Unpublished {
    pub id: Uuid,
    pub error: AppendError,
}

/// What a reader may see that the store may not have yet: what was accepted from an offset on,
/// or `None` where this actor does not reach back that far.
#[derive(Message)]
#[rtype(result = "Result<Option<Events>, Refusal>")]
pub struct Look {
    pub by: Doer,
    pub from: i64,
}

/// Somebody is typing.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Typing {
    pub by: UserId,
    pub reply: Reply,
}

/// Somebody is typing on some instance.
#[derive(Message)]
#[rtype(result = "()")]
pub struct TypingHeard(pub UserId);

/// The account of this person is no more; these are the names to show from now on.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Forget(pub Person);

struct Pending {
    reply: Reply,
    since: Instant,
}

pub struct RoomActor {
    hub: Arc<Hub>,
    id: RoomId,
    key: Arc<str>,
    partition: u16,
    room: Room,
    listeners: Vec<Listener>,
    kept: Kept,
    refill: Refill,
    told: Told,
    /// Sockets of former members that have yet to be told what they missed.
    parting: Vec<Join>,
    /// Published, not read back yet.
    pending: HashMap<Uuid, Pending>,
    said: Said,
    held_up: HeldUp,
    /// The first offset that this actor's state does not have, and that which it had not when it
    /// woke.
    next: i64,
    woken_at: i64,
    used_at: Instant,
    /// Off the registry; what still comes goes to the actor that took its place.
    retired: bool,
}

impl RoomActor {
    pub fn new(hub: Arc<Hub>, id: RoomId) -> RoomActor {
        let most = hub.config.limits.resume_events;
        RoomActor {
            partition: hub.partition_of(id),
            key: id.to_string().into(),
            room: Room::absent(id),
            listeners: Vec::new(),
            kept: Kept::new(id, most, hub.kept.clone(), |room, position, event| {
                text_frame(&wire::event(room, position, event))
            }),
            refill: Refill::default(),
            told: Told::default(),
            parting: Vec::new(),
            pending: HashMap::new(),
            said: Said::default(),
            held_up: HeldUp::default(),
            next: 0,
            woken_at: i64::MAX,
            used_at: Instant::now(),
            retired: false,
            hub,
            id,
        }
    }

    fn publish(&mut self, propose: Propose, ctx: &mut Context<Self>) {
        let Propose { by, action, mut reply } = propose;
        let id = Uuid::now_v7();
        let record = Record::new(action, self.id, by, now(), id);
        let publish =
            Publish { key: self.key.clone(), value: record.encode(), id, room: ctx.address() };
        let sent = self.hub.bridge().map(|bridge| bridge.try_send(publish));
        if matches!(sent, Some(Ok(()))) {
            reply.set_published();
            self.pending.insert(id, Pending { reply, since: Instant::now() });
        }
    }

    /// Folds in entries that came back from the log, and tells everyone what they did: each
    /// listener once, however many they are.
    fn fold_all(&mut self, entries: &[Arc<Entry>]) {
        entries.iter().for_each(|entry| self.fold(entry));
        self.tell_what_was_said();
    }

    /// Folds in one entry.
    fn fold(&mut self, entry: &Entry) {
        // The snapshot may have been ahead of what this instance had read of the log.
        if entry.offset < self.next {
            return;
        }
        self.next = entry.offset + 1;
        let place = self.hub.place(entry.partition, entry.offset);
        let record = match Record::decode(&entry.key, &entry.value) {
            Ok(record) => record,
            Err(error) => {
                let (room, offset) = (self.id, entry.offset);
                tracing::warn!(%room, offset, %error, "an unreadable record");
                return;
            }
        };
        let pending = self.pending.remove(&record.id);
        match self.room.apply(&record, place) {
            Ok(event) => {
                let (position, event) = (place.position(), Arc::new(event));
                self.announce(position, &event);
                self.said.answers.extend(pending.map(|pending| (pending, position, event)));
            }
            Err(refusal) => {
                if let Some(pending) = pending {
                    // A repeat is not told of what others have yet to hear.
                    self.tell_what_was_said();
                    self.refuse(refusal, pending.reply);
                }
            }
        }
    }

    fn refuse(&self, refusal: Refusal, reply: Reply) {
        match refusal {
            Refusal::Repeat(first) => self.answer_first(first, reply),
            refusal => reply.answer(Outcome::Refused(refusal)),
        }
    }

    /// Answers a repeat with the first message, from memory or from the store.
    fn answer_first(&self, first: First, reply: Reply) {
        if let Some(message) = self.kept.message(first.position) {
            return reply.answer(Outcome::Repeated(Box::new(message)));
        }
        let (hub, partition) = (self.hub.clone(), self.partition);
        actix_rt::spawn(async move {
            // The store may be behind: not having it yet does not mean that it is gone.
            let place = hub.place(partition, first.position.offset());
            if let (true, Err(trouble)) =
                (first.position.epoch() == hub.epoch, hub.until_stored(place).await)
            {
                return reply.answer(Outcome::Failed(trouble));
            }
            reply.answer(match hub.store.message(first.id).await {
                Ok(Some(message)) => Outcome::Repeated(Box::new(message)),
                // It was accepted, and may have been deleted with its room since.
                Ok(None) => Outcome::Refused(Refusal::NotFound),
                Err(_) => Outcome::Failed(Trouble::OutcomeUnknown("the store cannot be reached")),
            });
        });
    }

    fn tick(&mut self, ctx: &mut Context<Self>) {
        self.listeners.retain(|listener| listener.outbound.is_open());
        self.parting.retain(|join| join.session.outbound.is_open());
        let late = |pending: &Pending| pending.since.elapsed() > READ_BACK_WITHIN;
        let unknown = Trouble::OutcomeUnknown("the log has not confirmed it");
        let overdue = self.pending.extract_if(|_, pending| late(pending));
        overdue.for_each(|(_, pending)| pending.reply.answer(Outcome::Failed(unknown)));

        let in_use = !self.listeners.is_empty()
            || !self.pending.is_empty()
            || !self.parting.is_empty()
            || !self.held_up.is_empty()
            || self.refill.is_under_way();
        if in_use {
            self.used_at = Instant::now();
        }
        let idle = self.used_at.elapsed();
        // Whoever asks for rooms that are not there is not to keep one awake for each.
        let patience = if self.room.status == Status::Live { IDLE } else { TICK };
        if self.retired && idle > patience + 2 * TICK {
            ctx.stop();
        } else if !self.retired && idle > patience {
            self.retired = true;
            self.hub.rooms.retire(self.id, &ctx.address());
        }
    }

    /// Passes a message that came too late for this actor to the one that took its place.
    fn forward<M>(&self, message: M)
    where
        M: Message + Send + 'static,
        M::Result: Send,
        RoomActor: Handler<M>,
    {
        // Bounded by what could wait here; it must not be lost on the way.
        self.hub.rooms.wake(&self.hub, self.id).do_send(message);
    }

    fn person(&self, user: UserId) -> Option<&Person> {
        self.room.members.get(&user).map(|member| &member.person)
    }
}

impl Actor for RoomActor {
    type Context = Context<Self>;

    /// Wakes from the store and the tail of the log; until then the mailbox waits.
    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        ctx.run_interval(TICK, Self::tick);
        let start =
            wake(self.hub.clone(), self.id, self.partition, self.key.clone(), ctx.address());
        let started = start.into_actor(self).map(|woken, actor, ctx| match woken {
            Some(woken) => {
                actor.room = woken.room;
                (actor.next, actor.woken_at) = (woken.from, woken.from);
                actor.kept.begin(woken.from);
                actor.fold_all(&woken.tail);
            }
            None => {
                actor.hub.rooms.retire(actor.id, &ctx.address());
                ctx.stop();
            }
        });
        ctx.wait(started);
    }

    fn stopped(&mut self, ctx: &mut Self::Context) {
        if let Some(bridge) = self.hub.bridge() {
            bridge.do_send(Detach { key: self.key.clone(), room: ctx.address() });
        }
    }
}

struct Woken {
    room: Room,
    from: i64,
    tail: Vec<Arc<Entry>>,
}

/// The store's snapshot, and what the log has after it. `None` when the store cannot be reached.
async fn wake(
    hub: Arc<Hub>,
    id: RoomId,
    partition: u16,
    key: Arc<str>,
    me: Addr<RoomActor>,
) -> Option<Woken> {
    let give_up = Instant::now() + super::PATIENCE;
    while Instant::now() < give_up {
        let snapshot = match hub.store.snapshot(id, partition).await {
            Ok(snapshot) => snapshot,
            Err(error) => {
                tracing::warn!(room = %id, %error, "cannot wake a room");
                return None;
            }
        };
        let from = snapshot.next;
        let attach = AttachToLog { key: key.clone(), partition, from, room: me.clone() };
        if let Some(tail) = hub.bridge()?.send(attach).await.ok()? {
            return Some(Woken { room: snapshot.room, from, tail });
        }
        // The tail has moved on since the snapshot: wait until the store has, too.
        let _ = hub.stored.reach_one(partition, from + 1, Duration::from_millis(500)).await;
    }
    None
}

impl Handler<Propose> for RoomActor {
    type Result = ();

    fn handle(&mut self, propose: Propose, ctx: &mut Self::Context) {
        if self.retired {
            return self.forward(propose);
        }
        self.used_at = Instant::now();
        self.propose(propose, ctx);
    }
}

impl Handler<Fed> for RoomActor {
    type Result = ();

    fn handle(&mut self, Fed(entries): Fed, ctx: &mut Self::Context) {
        // The store was ahead when this actor woke: whoever came in meanwhile is a member already,
        // and has not been told.
        for entry in entries.iter().take_while(|entry| entry.offset < self.woken_at) {
            if let Some(newcomers) = bridge::newcomers(&self.hub, entry) {
                ctx.notify(newcomers);
            }
        }
        self.fold_all(&entries);
    }
}

impl Handler<Unpublished> for RoomActor {
    type Result = ();

    fn handle(&mut self, unpublished: Unpublished, _: &mut Self::Context) {
        let Some(pending) = self.pending.remove(&unpublished.id) else { return };
        // The log says once that it is down, and counts what it did not take.
        tracing::debug!(room = %self.id, error = %unpublished.error, "not published");
        pending.reply.answer(Outcome::Failed(match unpublished.error {
            AppendError::NotDone(_) => Trouble::Unavailable("the log does not take messages now"),
            AppendError::TooLarge => Trouble::TooLarge("the log takes nothing as large as this"),
            AppendError::Unknown(_) => Trouble::OutcomeUnknown("the log did not confirm it"),
        }));
    }
}

impl Handler<Look> for RoomActor {
    type Result = Result<Option<Events>, Refusal>;

    fn handle(&mut self, look: Look, _: &mut Self::Context) -> Self::Result {
        self.used_at = Instant::now();
        self.room.require_reader(look.by)?;
        Ok(self.kept.events_from(look.from))
    }
}

impl Handler<Typing> for RoomActor {
    type Result = ();

    fn handle(&mut self, typing: Typing, _: &mut Self::Context) {
        self.used_at = Instant::now();
        typing.reply.answer(match self.room.require_member(typing.by) {
            Ok(_) => {
                Signal::Typing { room: self.id, user: typing.by }.tell(&*self.hub.bus);
                Outcome::Done
            }
            Err(refusal) => Outcome::Refused(refusal),
        });
    }
}

impl Handler<Forget> for RoomActor {
    type Result = ();

    fn handle(&mut self, Forget(person): Forget, _: &mut Self::Context) {
        self.room.rename(&person);
        self.kept.rename(&person);
        self.refill.outdated = true;
    }
}

impl Handler<TypingHeard> for RoomActor {
    type Result = ();

    fn handle(&mut self, TypingHeard(user): TypingHeard, _: &mut Self::Context) {
        if self.person(user).is_some() {
            let frame = text_frame(&wire::typing(self.id, user));
            let others = self.listeners.iter().filter(|listener| listener.user != user);
            for listener in others.filter(|other| other.dialect == Dialect::Rookery) {
                listener.outbound.push(frame.clone());
            }
        }
    }
}
