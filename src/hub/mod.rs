//! The actors: each takes a message, asks the core, carries out the effects.
//!
//! Follow a line of chat by reading `session`, `room`, `bridge`, then `room` again and
//! `outbound` and `writer`; `persister` writes it down meanwhile, and `presence` and `signals` carry
//! what is not worth keeping.

pub mod activity;
pub mod arrivals;
pub mod bridge;
pub mod changes;
pub mod clock;
pub mod history;
pub mod inbound;
pub mod logins;
pub mod messages;
pub mod outbound;
pub mod pace;
pub mod persister;
pub mod presence;
pub mod reading;
pub mod registry;
pub mod reply;
pub mod room;
pub mod session;
pub mod signals;
pub mod watermarks;
pub mod writer;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix::Addr;

use crate::config::Config;
use crate::core::kept::Budget;
use crate::core::types::{Place, RoomId};
use crate::log::{Bus, Entry, Log};
use crate::store::Store;
pub use clock::now;
use registry::{Rooms, Sessions};
use reply::Trouble;
use watermarks::Watermarks;

/// How long an answer waits for the store or the log to catch up before it says `unavailable`.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of frames that all rooms together keep for those who come back; what is parsed of them
/// takes about as much again.
const KEPT_BYTES: usize = 32 * 1024 * 1024;

/// What every part of one instance shares.
pub struct Hub {
    pub config: Config,
    /// Names this run of this instance in presence.
    pub incarnation: String,
    pub log: Arc<dyn Log>,
    pub bus: Arc<dyn Bus>,
    pub store: Store,
    /// How often the log was made anew.
    pub epoch: u16,
    pub rooms: Rooms,
    pub sessions: Sessions,
    pub arrivals: arrivals::Arrivals,
    /// What rooms may keep for those who come back.
    pub kept: Arc<Budget>,
    /// What this instance has read of the log and handed to its rooms.
    pub followed: Watermarks,
    /// What the store has, whichever instance wrote it.
    pub stored: Watermarks,
    pub messages_limiter: session::MessageLimiter,
    /// Edits, deletions and reactions, at the same rate.
    pub changes_limiter: session::MessageLimiter,
    pub pace: pace::Pace,
    bridge: OnceLock<Addr<bridge::Bridge>>,
    presence: OnceLock<Addr<presence::PresenceActor>>,
    caught_up: AtomicBool,
    knows_who_is_here: AtomicBool,
    draining: AtomicBool,
}

impl Hub {
    pub fn new(
        config: Config,
        incarnation: String,
        (log, bus, store): (Arc<dyn Log>, Arc<dyn Bus>, Store),
        epoch: u16,
        stored: Vec<i64>,
    ) -> Arc<Hub> {
        Arc::new(Hub {
            messages_limiter: session::message_limiter(&config.limits),
            changes_limiter: session::message_limiter(&config.limits),
            pace: pace::Pace::new(&config.limits),
            arrivals: arrivals::Arrivals::new(&config.limits),
            kept: Budget::new(KEPT_BYTES),
            config,
            incarnation,
            log,
            bus,
            store,
            epoch,
            rooms: Rooms::default(),
            sessions: Sessions::default(),
            followed: Watermarks::new(stored.clone()),
            stored: Watermarks::new(stored),
            bridge: OnceLock::new(),
            presence: OnceLock::new(),
            caught_up: AtomicBool::new(false),
            knows_who_is_here: AtomicBool::new(false),
            draining: AtomicBool::new(false),
        })
    }

    /// Names the actors that there is one of; called once at start.
    pub fn introduce(&self, bridge: Addr<bridge::Bridge>, presence: Addr<presence::PresenceActor>) {
        let _ = self.bridge.set(bridge);
        let _ = self.presence.set(presence);
    }

    /// `None` only before the start is done.
    pub fn bridge(&self) -> Option<&Addr<bridge::Bridge>> {
        self.bridge.get()
    }

    pub fn presence(&self) -> Option<&Addr<presence::PresenceActor>> {
        self.presence.get()
    }

    pub fn partition_of(&self, room: RoomId) -> u16 {
        self.log.partition_of(&room.to_string())
    }

    /// Whether an entry is in the partition of its key. Another is a foreign program's, and nothing to
    /// any room: in its room's order it has no place.
    pub fn is_in_place(&self, entry: &Entry) -> bool {
        self.log.partition_of(&entry.key) == entry.partition
    }

    pub fn place(&self, partition: u16, offset: i64) -> Place {
        Place { epoch: self.epoch, partition, offset }
    }

    /// Waits until the store has the entry at this place, so that what is answered now can be
    /// read at once from every instance.
    pub async fn until_stored(&self, place: Place) -> Result<(), Trouble> {
        let stored = self.stored.reach_one(place.partition, place.offset + 1, PATIENCE);
        stored.await.map_err(|_| Trouble::OutcomeUnknown("the store has not written it yet"))
    }

    /// Waits until the store has everything that was acknowledged before the call, anywhere.
    pub async fn store_up_to_date(&self) -> Result<(), Trouble> {
        let ends =
            self.log.ends().await.map_err(|_| Trouble::Unavailable("the log cannot be reached"))?;
        let stored = self.stored.reach(&ends, PATIENCE);
        stored.await.map_err(|_| Trouble::Unavailable("the store is behind the log"))
    }

    /// Waits until this instance's rooms have everything that was acknowledged before the call.
    pub async fn rooms_up_to_date(&self, partition: u16) -> Result<(), Trouble> {
        let ends =
            self.log.ends().await.map_err(|_| Trouble::Unavailable("the log cannot be reached"))?;
        let end = ends.get(usize::from(partition)).copied().unwrap_or(0);
        let followed = self.followed.reach_one(partition, end, PATIENCE);
        followed.await.map_err(|_| Trouble::Unavailable("this instance is behind the log"))
    }

    /// Everything that was in the log at start has been read.
    pub fn set_caught_up(&self) {
        self.caught_up.store(true, Ordering::Relaxed);
    }

    pub fn is_caught_up(&self) -> bool {
        self.caught_up.load(Ordering::Relaxed)
    }

    /// Whether every other instance that lives has been heard of, and lately.
    pub fn set_knows_who_is_here(&self, knows: bool) {
        self.knows_who_is_here.store(knows, Ordering::Relaxed);
    }

    pub fn knows_who_is_here(&self) -> bool {
        self.knows_who_is_here.load(Ordering::Relaxed)
    }

    /// From now on: no new sockets, and not ready.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}
