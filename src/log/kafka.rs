//! The log in a cluster: Apache Kafka.
//!
//! librdkafka keeps threads of its own and hands over what arrives when it is polled, so each
//! consumer here has a thread that polls it and feeds a bounded channel. Nothing in this module
//! blocks a thread of the event loop.

mod bus;
mod client;
mod consumer;
mod ends;
mod follow;
mod inbound;
mod patience;
mod producer;
mod progress;
mod share;
mod topics;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc as std_mpsc};
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rdkafka::ClientConfig;
use rdkafka::error::RDKafkaErrorCode;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::{
    Entry, FEED_BATCHES, Feed, Log, LogError, Outcome, Refused, Share, StoredOffsets, count, lock,
};
use client::Health;
use producer::{Origin, Outgoing, Producer, Purpose};
use topics::{Ensured, Names};

/// For what is queued to be appended when the log is closed.
const WAIT_FOR_CLOSE: Duration = Duration::from_secs(5);
/// After that, for the feeds to hand over what was appended.
const WAIT_FOR_FEEDS: Duration = Duration::from_secs(2);
/// Bytes of a batch beside its entries: keys, the headers of a quarantined entry, and what Kafka writes
/// around them.
const AROUND: usize = 4_096;

/// Where the brokers are and what the topics are like.
#[derive(Clone)]
pub struct KafkaSettings {
    /// `host:port`, separated by commas.
    pub brokers: String,
    /// `chat` makes `chat-messages` and so on, and the consumer group `chat-persistence`.
    pub topic_prefix: String,
    /// Partitions of the messages topic, 1 to 1,024. Fixed once the topic is made.
    pub partitions: u16,
    /// The name of this instance, for the broker's logs and tools.
    pub instance: String,
    /// How long a messages topic that is made now keeps its entries; -1 is for ever.
    pub message_retention_ms: i64,
    /// Bytes of the largest entry, for the producer and for the topics that are made now.
    pub entry_bytes: usize,
    /// Further properties of librdkafka, such as `security.protocol`. They win over ours.
    pub extra: BTreeMap<String, String>,
}

impl KafkaSettings {
    /// The largest batch of Kafka's, which may have to hold the largest entry alone.
    fn message_bytes(&self) -> usize {
        self.entry_bytes.saturating_add(AROUND)
    }
}

impl Default for KafkaSettings {
    fn default() -> KafkaSettings {
        KafkaSettings {
            brokers: "127.0.0.1:9092".to_owned(),
            topic_prefix: "chat".to_owned(),
            partitions: 12,
            instance: "rookery".to_owned(),
            message_retention_ms: -1,
            entry_bytes: 1_000_000,
            extra: BTreeMap::new(),
        }
    }
}

/// The log and the bus on Kafka.
pub struct KafkaLog {
    shared: Arc<Shared>,
    /// To the thread that asks for the ends; it stops when this goes.
    ends: std_mpsc::SyncSender<ends::Ask>,
    is_new: bool,
}

/// What the threads and the handle have in common.
struct Shared {
    settings: KafkaSettings,
    names: Names,
    config: ClientConfig,
    health: Arc<Health>,
    producer: Producer,
    bus: Producer,
    stop: consumer::Stop,
    /// The ends of the partitions when the brokers last told them; empty before they did.
    ends: Mutex<Vec<i64>>,
    /// The first offset of each partition that the store does not have, to be shown to the group.
    progress: Mutex<BTreeMap<u16, i64>>,
    /// The newest call of `share`; the threads of earlier ones end.
    sharing: AtomicU64,
    /// Held by the thread of the share: a new one waits until the one before has left the group.
    share_turn: Mutex<()>,
}

impl KafkaLog {
    /// Reaches the brokers, makes missing topics, and starts the producers.
    pub async fn open(settings: KafkaSettings) -> Result<Arc<KafkaLog>, LogError> {
        let (opened, outcome) = oneshot::channel();
        spawn("kafka-open", move || {
            // Whoever asked may have given up.
            let _ = opened.send(KafkaLog::open_here(settings));
        })?;
        outcome.await.map_err(|_| LogError("opening the log failed".to_owned()))?
    }

    /// Blocks for seconds when a broker is slow.
    fn open_here(settings: KafkaSettings) -> Result<Arc<KafkaLog>, LogError> {
        if !(1..=1_024).contains(&settings.partitions) {
            let wrong = settings.partitions;
            return Err(LogError(format!("{wrong} partitions; it can be 1 to 1,024")));
        }
        let health = Arc::new(Health::default());
        let config = client::config(&settings);
        let names = Names::new(&settings.topic_prefix);
        let probe = client::probe(&config, &health)?;
        let Ensured { is_new, batch_bytes } =
            topics::ensure(&settings, &config, &health, &names, &probe)?;
        let shared = Arc::new(Shared {
            producer: Producer::new(client::for_log(&config, batch_bytes), &health)?,
            bus: Producer::new(client::for_bus(&config), &health)?,
            settings,
            names,
            config,
            health,
            stop: consumer::Stop::default(),
            ends: Mutex::default(),
            progress: Mutex::default(),
            sharing: AtomicU64::new(0),
            share_turn: Mutex::new(()),
        });
        let ends = ends::start(shared.clone(), probe)?;
        Ok(Arc::new(KafkaLog { shared, ends, is_new }))
    }
}

#[async_trait]
impl Log for KafkaLog {
    fn partitions(&self) -> u16 {
        self.shared.settings.partitions
    }

    fn partition_of(&self, key: &str) -> u16 {
        // Below the number of partitions, so it fits.
        (crc32fast::hash(key.as_bytes()) % u32::from(self.partitions())) as u16
    }

    fn is_new(&self) -> bool {
        self.is_new
    }

    fn append_with(&self, key: &str, value: Bytes, outcome: Outcome) -> Result<(), Refused> {
        if !self.is_up() {
            return Err(count::refused(Refused::Down));
        }
        let outgoing = Outgoing {
            topic: &self.shared.names.messages,
            partition: self.partition_of(key).into(),
            key: Some(key.as_bytes()),
            value: Some(&value),
            headers: None,
        };
        match self.shared.producer.send(outgoing, Purpose::Append(outcome)) {
            Ok(()) => Ok(()),
            Err(RDKafkaErrorCode::QueueFull) => Err(count::refused(Refused::Full)),
            Err(RDKafkaErrorCode::MessageSizeTooLarge) => Err(count::refused(Refused::TooLarge)),
            Err(error) => {
                tracing::warn!(%error, key, "the producer took no entry");
                Err(count::refused(Refused::Down))
            }
        }
    }

    async fn follow(&self, from: Vec<i64>) -> Result<Feed, LogError> {
        let partitions = usize::from(self.partitions());
        if from.len() != partitions {
            return Err(LogError(format!("{} offsets for {partitions} partitions", from.len())));
        }
        let (feed, entries) = mpsc::channel(FEED_BATCHES);
        let shared = self.shared.clone();
        spawn("kafka-follow", move || follow::run(&shared, from, &feed))?;
        Ok(entries)
    }

    async fn share(
        &self,
        stored: Arc<dyn StoredOffsets>,
    ) -> Result<mpsc::Receiver<Share>, LogError> {
        let (feed, shares) = mpsc::channel(FEED_BATCHES);
        let shared = self.shared.clone();
        let mine = shared.sharing.fetch_add(1, Ordering::SeqCst) + 1;
        let runtime = Handle::current();
        spawn("kafka-share", move || {
            let _turn = lock(&shared.share_turn);
            share::run(&shared, mine, stored, runtime, feed);
        })?;
        Ok(shares)
    }

    async fn ends(&self) -> Result<Vec<i64>, LogError> {
        ends::ask(&self.shared, &self.ends).await
    }

    fn stored(&self, partition: u16, next: i64) {
        lock(&self.shared.progress).insert(partition, next);
    }

    fn quarantine(&self, entry: &Entry, reason: &str) {
        let Entry { partition, offset, key, value } = entry;
        let topic = &self.shared.names.messages;
        let origin = Origin { topic, partition: *partition, offset: *offset };
        let copy = (Some(key.as_bytes()), Some(&value[..]));
        if let Err(error) = producer::quarantine(&self.shared, &origin, copy, reason, None) {
            tracing::warn!(%error, partition, offset, reason, "no room to quarantine an entry");
        }
    }

    fn is_up(&self) -> bool {
        self.shared.health.is_up() && !self.shared.stop.is_asked()
    }

    async fn close(&self) {
        let shared = self.shared.clone();
        shared.stop.refuse_more();
        let flushed = tokio::task::spawn_blocking(move || shared.producer.flush(WAIT_FOR_CLOSE));
        if !flushed.await.unwrap_or(false) {
            tracing::warn!("some of what was queued may not have been appended");
        }
        let ends = self.ends().await.unwrap_or_default();
        self.shared.stop.at(ends, WAIT_FOR_FEEDS);
    }
}

impl Drop for KafkaLog {
    fn drop(&mut self) {
        self.shared.stop.at(Vec::new(), Duration::ZERO);
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), LogError> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map(drop)
        .map_err(|error| LogError(format!("cannot start a thread: {error}")))
}

#[cfg(test)]
mod tests;
