//! The bridge to the log: publishes what rooms propose, and feeds what comes back to them.
//!
//! It keeps the tail of the log that the store may not have yet, so that a room that wakes up
//! misses nothing between the store's snapshot and the next entry.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use bytes::Bytes;
use tokio_stream::wrappers::ReceiverStream;
use uuid::Uuid;

use super::Hub;
use super::registry::RoomAddr;
use super::room::{Fed, RoomActor, Unpublished, Welcome};
use crate::core::record::{Action, Record};
use crate::core::tail::Tail;
use crate::core::types::{RoomId, UserId};
use crate::log::{AppendError, Entry, Feed, Refused};

/// Proposals and room starts that may wait; past it a proposal is refused as unavailable.
const MAILBOX: usize = 4_096;
/// How often the tail gives back what the store has.
const TRIM_EVERY: Duration = Duration::from_millis(250);
/// Between two tries to wake a room for those who came into it.
const WELCOME_EVERY: Duration = Duration::from_secs(1);

/// Publish a room's record. What became of it is read back from the log; only failures answer.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Publish {
    pub key: Arc<str>,
    pub value: Bytes,
    pub id: Uuid,
    pub room: Addr<RoomActor>,
}

/// Feed a room from an offset on. Answers with what the tail has from there; what follows comes as
/// [`Fed`]. `None`: the tail no longer reaches back that far, so take a newer snapshot.
#[derive(Message)]
#[rtype(result = "Option<Vec<Arc<Entry>>>")]
pub struct Attach {
    pub key: Arc<str>,
    pub partition: u16,
    pub from: i64,
    pub room: Addr<RoomActor>,
}

/// What the tail has of a partition from an offset on, a batch at the most; `None` if some of it
/// may have been dropped.
#[derive(Message)]
#[rtype(result = "Option<Vec<Arc<Entry>>>")]
pub struct TailOf {
    pub partition: u16,
    pub from: i64,
    pub most: usize,
}

/// Feed this room no more, unless another actor has taken its place.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Detach {
    pub key: Arc<str>,
    pub room: Addr<RoomActor>,
}

pub struct Bridge {
    hub: Arc<Hub>,
    feed: Option<Feed>,
    tail: Tail,
    rooms: HashMap<Arc<str>, RoomAddr>,
    /// The ends of the partitions at start; past them all, this instance is caught up.
    catch_up_to: Vec<i64>,
}

impl Bridge {
    /// A bridge over a feed that begins at the hub's followed offsets.
    pub fn new(hub: Arc<Hub>, feed: Feed, catch_up_to: Vec<i64>) -> Bridge {
        let tail = Tail::new(&hub.followed.all(), hub.config.limits.tail_bytes);
        Bridge { hub, feed: Some(feed), tail, rooms: HashMap::new(), catch_up_to }
    }

    fn check_caught_up(&mut self) {
        let next = self.hub.followed.all();
        if !self.hub.is_caught_up()
            && next.iter().zip(&self.catch_up_to).all(|(next, end)| next >= end)
        {
            self.hub.set_caught_up();
            tracing::info!("caught up with the log");
        }
    }

    /// Takes in entries in order; returns what each awake room is to be fed.
    fn take_in(&mut self, entries: Vec<Entry>) -> Vec<(RoomAddr, Fed)> {
        let mut feeds: Vec<(RoomAddr, Fed)> = Vec::new();
        let mut index: HashMap<Arc<str>, usize> = HashMap::new();
        for entry in entries {
            let entry = Arc::new(entry);
            let is_in_place = self.hub.is_in_place(&entry);
            self.tail.push(entry.clone(), is_in_place);
            match self.rooms.get(&entry.key) {
                _ if !is_in_place => {}
                Some(room) => {
                    let at = *index.entry(entry.key.clone()).or_insert_with(|| {
                        feeds.push((room.clone(), Fed(Vec::new())));
                        feeds.len() - 1
                    });
                    feeds[at].1.0.push(entry);
                }
                None => self.welcome_newcomers(&entry),
            }
        }
        feeds
    }

    /// A room stopped just before these entries came.
    fn fell_asleep(&mut self, entries: &[Arc<Entry>]) {
        for entry in entries {
            self.rooms.remove(&entry.key);
            self.welcome_newcomers(entry);
        }
    }

    /// Wakes a sleeping room that a person with a socket here has just come into.
    fn welcome_newcomers(&self, entry: &Entry) {
        let newcomers = newcomers(&self.hub, entry);
        if let (Some(newcomers), Ok(room)) = (newcomers, entry.key.parse::<RoomId>()) {
            actix_rt::spawn(welcome(self.hub.clone(), room, newcomers));
        }
    }
}

/// Who came into a room by this record, if it is one of those, and has a socket here.
pub fn newcomers(hub: &Hub, entry: &Entry) -> Option<Welcome> {
    if Record::looks_like_message(&entry.value) {
        return None;
    }
    let mut users: Vec<UserId> = match Record::decode(&entry.key, &entry.value).ok()?.action {
        Action::MemberSet { member, .. } => vec![member.id],
        Action::RoomCreated(founding) => {
            founding.members.iter().map(|seat| seat.person.id).collect()
        }
        _ => return None,
    };
    users.retain(|user| hub.sessions.is_here(*user));
    let position = hub.place(entry.partition, entry.offset).position();
    (!users.is_empty()).then_some(Welcome { users, position })
}

/// Tries until the room can be woken: who is in a room and not told of it would hear nothing of it.
pub async fn welcome(hub: Arc<Hub>, room: RoomId, welcome: Welcome) {
    while hub.rooms.tell(&hub, room, welcome.clone()).await.is_err() {
        if hub.is_draining() || !welcome.users.iter().any(|user| hub.sessions.is_here(*user)) {
            return;
        }
        tracing::warn!(%room, "a room cannot be woken to welcome somebody; trying again");
        tokio::time::sleep(WELCOME_EVERY).await;
    }
}

impl Actor for Bridge {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        if let Some(feed) = self.feed.take() {
            ctx.add_stream(ReceiverStream::new(feed));
        }
        self.check_caught_up();
        ctx.run_interval(TRIM_EVERY, |bridge, _| {
            for (partition, stored) in bridge.hub.stored.all().into_iter().enumerate() {
                bridge.tail.trim(partition as u16, stored);
            }
            metrics::gauge!("rookery_tail_bytes").set(bridge.tail.bytes() as f64);
        });
    }
}

impl StreamHandler<Vec<Entry>> for Bridge {
    fn handle(&mut self, entries: Vec<Entry>, ctx: &mut Self::Context) {
        metrics::counter!("rookery_entries_read_total").increment(entries.len() as u64);
        let feeds = self.take_in(entries);
        let next = self.tail.next();
        // A room whose mailbox is full holds the whole feed back: its entries cannot be dropped.
        let mut full = Vec::new();
        for (room, fed) in feeds {
            match room.try_send(fed) {
                Ok(()) => {}
                Err(SendError::Full(fed)) => full.push(room.send(fed)),
                Err(SendError::Closed(Fed(entries))) => self.fell_asleep(&entries),
            }
        }
        let done = |bridge: &mut Bridge| {
            let partitions = next.into_iter().enumerate();
            partitions
                .for_each(|(partition, next)| bridge.hub.followed.advance(partition as u16, next));
            bridge.check_caught_up();
        };
        if full.is_empty() {
            return done(self);
        }
        let wait = futures_util::future::join_all(full).into_actor(self);
        ctx.wait(wait.map(move |_, bridge, _| done(bridge)));
    }

    fn finished(&mut self, _: &mut Self::Context) {
        // The log was closed: proposals are still answered, with a refusal, until we stop.
        tracing::debug!("the feed of the log ended");
    }
}

impl Handler<Publish> for Bridge {
    type Result = ();

    fn handle(&mut self, publish: Publish, _: &mut Self::Context) {
        let Publish { key, value, id, room } = publish;
        let told = room.clone();
        // What was appended comes back from the log.
        let outcome = move |outcome| {
            if let Err(error) = outcome {
                told.do_send(Unpublished { id, error });
            }
        };
        if let Err(refused) = self.hub.log.append_with(&key, value, Box::new(outcome)) {
            let error = match refused {
                Refused::TooLarge => AppendError::TooLarge,
                Refused::Full | Refused::Down => AppendError::NotDone(refused.to_string()),
            };
            room.do_send(Unpublished { id, error });
        }
    }
}

impl Handler<Attach> for Bridge {
    type Result = Option<Vec<Arc<Entry>>>;

    fn handle(&mut self, attach: Attach, _: &mut Self::Context) -> Self::Result {
        let entries = self.tail.after(attach.partition, &attach.key, attach.from)?;
        self.rooms.insert(attach.key, Arc::new(attach.room));
        Some(entries)
    }
}

impl Handler<TailOf> for Bridge {
    type Result = Option<Vec<Arc<Entry>>>;

    fn handle(&mut self, of: TailOf, _: &mut Self::Context) -> Self::Result {
        self.tail.from(of.partition, of.from, of.most)
    }
}

impl Handler<Detach> for Bridge {
    type Result = ();

    fn handle(&mut self, detach: Detach, _: &mut Self::Context) {
        if self.rooms.get(&detach.key).is_some_and(|room| **room == detach.room) {
            self.rooms.remove(&detach.key);
        }
    }
}
