//! The log: what was said, in order. One trait, two implementations, one conformance suite.
//!
//! Kafka carries it in a cluster; a SQLite file does on one machine. A log knows keys, bytes and
//! offsets, and nothing of rooms: what an entry means is for `core::record` to say.

pub mod kafka;
pub mod local;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

/// Entries in one batch of a feed, at most.
const BATCH_ENTRIES: usize = 1_000;
/// Bytes of keys and values in one batch, at most, unless a single entry has more.
pub const BATCH_BYTES: usize = 1 << 20;
/// Batches that wait in a feed for a slow reader; the feed pauses when they are full.
const FEED_BATCHES: usize = 16;
/// What a listener of the bus may have waiting; past it signals are dropped and counted.
const BUS_WAITING: usize = 4_096;

/// One entry as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub partition: u16,
    pub offset: i64,
    /// The room id. Lossy where another program wrote bytes that are no UTF-8.
    pub key: Arc<str>,
    pub value: Bytes,
}

impl Entry {
    /// Of key and value.
    pub fn bytes(&self) -> usize {
        self.key.len() + self.value.len()
    }
}

/// Surely not appended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the queue to the log is full")]
    Full,
    #[error("the log cannot be reached")]
    Down,
    /// It never will be taken.
    #[error("the entry is larger than the log takes")]
    TooLarge,
}

/// An append that was handed over and then failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Surely not in the log, now or later.
    #[error("not appended: {0}")]
    NotDone(String),
    /// Nor would it be, however often it is tried.
    #[error("larger than the log takes")]
    TooLarge,
    /// It may be in the log.
    #[error("outcome unknown: {0}")]
    Unknown(String),
}

/// Hears of an append once: its offset when the log has the entry for good, or why not. It is
/// called on a thread of the log, which it must not hold up. It is dropped where the append is
/// refused, and where the log ends first: then the outcome is unknown.
pub type Outcome = Box<dyn FnOnce(Result<i64, AppendError>) + Send + Sync>;

/// The same, to be awaited.
pub type Receipt = oneshot::Receiver<Result<i64, AppendError>>;

#[derive(Debug, thiserror::Error)]
#[error("log: {0}")]
pub struct LogError(pub String);

/// Entries in the order of each partition, a batch at a time. Ends when the log is closed.
pub type Feed = mpsc::Receiver<Vec<Entry>>;

/// What a persister hears: which partitions are its own, and their entries.
#[derive(Debug)]
pub enum Share {
    /// Replaces nothing: these come on top. Their entries follow from the stored offset on.
    Assigned(Vec<u16>),
    /// Nothing more of these follows, until they are assigned again.
    Revoked(Vec<u16>),
    Entries(Vec<Entry>),
}

/// Tells a log from which offset on the store lacks entries; the persister's share starts there.
#[async_trait]
pub trait StoredOffsets: Send + Sync {
    /// The first offset of the partition that is not in the store; 0 if none is.
    async fn next_offset(&self, partition: u16) -> Result<i64, LogError>;
}

/// The log of everything that happens in rooms.
#[async_trait]
pub trait Log: Send + Sync {
    /// How many partitions there are; fixed for the life of the log. At most 1,024.
    fn partitions(&self) -> u16;

    /// The partition of a key: the same on every instance.
    fn partition_of(&self, key: &str) -> u16;

    /// Whether this start made the log: offsets stored earlier belong to another one.
    fn is_new(&self) -> bool;

    /// Queues an entry for appending and returns at once. Entries of one key that one instance
    /// appends stay in order. `Err` is a refusal: nothing was or will be appended.
    fn append_with(&self, key: &str, value: Bytes, outcome: Outcome) -> Result<(), Refused>;

    /// The same, for who waits for the outcome.
    fn append(&self, key: &str, value: Bytes) -> Result<Receipt, Refused> {
        let (told, receipt) = oneshot::channel();
        // Who no longer waits for a receipt misses nothing.
        self.append_with(key, value, Box::new(|outcome| drop(told.send(outcome))))?;
        Ok(receipt)
    }

    /// Every entry of every partition from the given offsets on (one per partition), then live.
    /// A slow reader slows this feed alone. Reconnects by itself.
    async fn follow(&self, from: Vec<i64>) -> Result<Feed, LogError>;

    /// This instance's share of all entries, from the stored offsets on: each partition belongs
    /// to one instance of the hub at a time.
    async fn share(
        &self,
        stored: Arc<dyn StoredOffsets>,
    ) -> Result<mpsc::Receiver<Share>, LogError>;

    /// The end of each partition: the offset that the next entry will get. Every entry whose
    /// append was confirmed before the call lies before it, whichever instance appended it.
    async fn ends(&self) -> Result<Vec<i64>, LogError>;

    /// Told when the store has every entry of the partition before `next`: a chance to trim, and
    /// to show the progress to the log's own tools.
    fn stored(&self, partition: u16, next: i64);

    /// Keeps a copy of an entry that nobody could read, with the reason.
    fn quarantine(&self, entry: &Entry, reason: &str);

    /// Whether the log could be reached lately.
    fn is_up(&self) -> bool;

    /// What is queued is appended (at most 5 s), then the feeds end.
    async fn close(&self);
}

/// A record that another program wrote for the hub to post.
#[derive(Debug)]
pub struct Arrival {
    pub topic: Arc<str>,
    pub partition: u16,
    pub offset: i64,
    /// When it was written, by the clock of who wrote it or of the broker.
    pub at_ms: i64,
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
    /// The reading that it came by. What an earlier one settles moves nothing any more.
    generation: u64,
    settled: std::sync::mpsc::Sender<Settled>,
}

#[derive(Debug)]
struct Settled {
    generation: u64,
    partition: u16,
    offset: i64,
}

impl Arrival {
    /// It need not be read again: it was posted, or put into quarantine. Those of one partition
    /// are settled in order. One that is dropped unsettled comes again, here or elsewhere.
    pub fn settle(self) {
        let Arrival { generation, partition, offset, .. } = self;
        // Where the reader has ended it comes again, and is then known by its place.
        let _ = self.settled.send(Settled { generation, partition, offset });
    }
}

/// A door through which other programs post by writing to a topic.
#[async_trait]
pub trait Inbound: Send + Sync {
    /// This instance's share of what arrives, each at least once. No more are handed out while
    /// too many are unsettled. Ends when the receiver goes, or the log is closed.
    async fn arrivals(&self) -> Result<mpsc::Receiver<Arrival>, LogError>;

    /// Keeps a copy of what was refused, with the reason; waits until it is there for good.
    async fn quarantine(&self, arrival: &Arrival, reason: &str) -> Result<(), AppendError>;
}

/// Topics beside the log, for what instances tell each other and no one must replay for long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channel {
    /// Typing, read markers, logouts. A subscriber hears what comes after it subscribed.
    Signals,
    /// Leases and who is where. The newest value of each key is kept: a subscriber hears those
    /// first, then `CaughtUp`, then what changes.
    Presence,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// `None` takes back the key.
    Value {
        key: Arc<str>,
        value: Option<Bytes>,
    },
    CaughtUp,
}

/// Short-lived messages between instances. Each instance hears its own too.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Best effort and at once; what cannot be sent now is dropped and counted.
    fn tell(&self, channel: Channel, key: &str, value: Option<Bytes>);
    async fn listen(&self, channel: Channel) -> Result<mpsc::Receiver<Heard>, LogError>;
    /// What was told is sent (at most 2 s).
    async fn flush(&self);
}

/// Counts what becomes of appends and of what the bus is told. Few names, known to the dashboards.
mod count {
    use super::{Channel, Refused};

    pub fn appended(entries: usize) {
        metrics::counter!("rookery_log_appended_total").increment(entries as u64);
    }

    pub fn failed(entries: usize) {
        metrics::counter!("rookery_log_failed_total").increment(entries as u64);
    }

    pub fn refused(refused: Refused) -> Refused {
        let reason = match refused {
            Refused::Full => "full",
            Refused::Down => "down",
            Refused::TooLarge => "too_large",
        };
        metrics::counter!("rookery_log_refused_total", "reason" => reason).increment(1);
        refused
    }

    pub fn dropped(channel: Channel) {
        let channel = match channel {
            Channel::Signals => "signals",
            Channel::Presence => "presence",
        };
        metrics::counter!("rookery_bus_dropped_total", "channel" => channel).increment(1);
    }
}

/// What a thread that panicked left behind is still whole: every change here is one assignment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
