//! What other programs write to the inbound topic, shared among the instances by a consumer group.
//!
//! At least once: an offset is committed only after what lies before it was settled. While too
//! much is unsettled, since the log or the store is away, the partitions are paused and the polling
//! goes on, so that the membership is not lost.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, mpsc as std_mpsc};
use std::thread;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use tokio::sync::{mpsc, oneshot};

use super::client::{self, ours};
use super::consumer::{Positions, Stall, is_lost};
use super::producer::{self, Origin};
use super::{KafkaLog, Shared, spawn};
use crate::log::{AppendError, Arrival, Inbound, LogError, Settled, lock};

/// Arrivals that may be unsettled; past it no more are read.
const UNSETTLED: usize = 512;
/// How long a thread takes to notice that nobody reads from it any more, or that there is room.
const GLANCE: Duration = Duration::from_millis(50);
const TRY_AGAIN: Duration = Duration::from_millis(500);
/// So much is dealt with once more after a crash, which only copies in quarantine show.
const COMMIT_EVERY: Duration = Duration::from_millis(100);
/// How often it is asked in silence whether there is anything to read.
const SILENCE: Duration = Duration::from_secs(5);

#[async_trait]
impl Inbound for KafkaLog {
    async fn arrivals(&self) -> Result<mpsc::Receiver<Arrival>, LogError> {
        let (feed, arrivals) = mpsc::channel(UNSETTLED);
        let shared = self.shared.clone();
        spawn("kafka-inbound", move || run(&shared, &feed))?;
        Ok(arrivals)
    }

    async fn quarantine(&self, arrival: &Arrival, reason: &str) -> Result<(), AppendError> {
        let Arrival { topic, partition, offset, key, value, .. } = arrival;
        let origin = Origin { topic, partition: *partition, offset: *offset };
        let (waiting, copied) = oneshot::channel();
        let copy = (key.as_deref(), value.as_deref());
        producer::quarantine(&self.shared, &origin, copy, reason, Some(waiting))
            .map_err(|error| AppendError::NotDone(error.to_string()))?;
        let gone = |_| Err(AppendError::Unknown("the producer was given up".to_owned()));
        copied.await.unwrap_or_else(gone)
    }
}

fn run(shared: &Arc<Shared>, feed: &mpsc::Sender<Arrival>) {
    let mut stall = Stall::default();
    while !is_over(shared, feed) {
        match consume(shared, &mut stall, feed) {
            Ok(()) => return,
            Err(error) => tracing::warn!(%error, "reading what is inbound starts again"),
        }
        thread::sleep(TRY_AGAIN);
    }
}

fn is_over(shared: &Shared, feed: &mpsc::Sender<Arrival>) -> bool {
    feed.is_closed() || shared.stop.is_asked()
}

fn consume(
    shared: &Arc<Shared>,
    stall: &mut Stall,
    feed: &mpsc::Sender<Arrival>,
) -> KafkaResult<()> {
    let config = ours(
        &shared.config,
        &[
            ("group.id", &shared.names.inbound_group),
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            // What was written before the group was ever seen is to be posted, too.
            ("auto.offset.reset", "earliest"),
            // What its writer took back was never said.
            ("isolation.level", "read_committed"),
            ("partition.assignment.strategy", "range"),
            ("session.timeout.ms", "6000"),
            ("heartbeat.interval.ms", "1000"),
            ("queued.max.messages.kbytes", "4096"),
        ],
    );
    let (settled, settlements) = std_mpsc::channel();
    let topic: Arc<str> = shared.names.inbound.as_str().into();
    let progress = Mutex::new(Progress::new(settlements));
    let consumer: BaseConsumer<Member> =
        config.create_with_context(Member { topic: topic.clone(), progress })?;
    consumer.subscribe(&[&topic])?;
    let (mut paused, mut committed_at, mut read_at) = (false, Instant::now(), Instant::now());
    while !is_over(shared, feed) {
        if lock(&consumer.context().progress).unsettled() >= UNSETTLED {
            // Again each time: the group may have given us more.
            consumer.pause(&consumer.assignment()?)?;
            (paused, read_at) = (true, Instant::now());
        } else if std::mem::take(&mut paused) {
            consumer.resume(&consumer.assignment()?)?;
        }
        match consumer.poll(GLANCE) {
            Some(Ok(message)) => {
                read_at = Instant::now();
                let generation = lock(&consumer.context().progress).hand_out();
                let arrival = arrival(&topic, &message, generation, settled.clone());
                // There is room for all that may be unsettled, so it only waits for a moment.
                if feed.blocking_send(arrival).is_err() {
                    break;
                }
            }
            Some(Err(error)) if is_lost(&error) => return Err(error),
            Some(Err(error)) => tracing::debug!(%error, "reading what is inbound"),
            None if read_at.elapsed() >= SILENCE => {
                read_at = Instant::now();
                stall.ask(shared, &consumer, &topic, &positions(&consumer)?)?;
            }
            None => {}
        }
        if committed_at.elapsed() >= COMMIT_EVERY {
            committed_at = Instant::now();
            consumer.context().commit(&consumer, CommitMode::Async);
        }
    }
    // Dropping the consumer leaves the group, so that others need not wait for the time-out.
    consumer.context().commit(&consumer, CommitMode::Sync);
    Ok(())
}

/// Where each partition that was read from goes on.
fn positions(consumer: &BaseConsumer<Member>) -> KafkaResult<Positions> {
    let mut positions = Positions::default();
    for place in consumer.position()?.elements() {
        if let Offset::Offset(next) = place.offset() {
            positions.next.insert(place.partition() as u16, next);
        }
    }
    Ok(positions)
}

fn arrival(
    topic: &Arc<str>,
    message: &BorrowedMessage,
    generation: u64,
    settled: std_mpsc::Sender<Settled>,
) -> Arrival {
    Arrival {
        topic: topic.clone(),
        partition: message.partition() as u16,
        offset: message.offset(),
        at_ms: message.timestamp().to_millis().unwrap_or(0),
        key: message.key().map(Bytes::copy_from_slice),
        value: message.payload().map(Bytes::copy_from_slice),
        generation,
        settled,
    }
}

/// What was handed out and what of it was settled.
struct Progress {
    settlements: std_mpsc::Receiver<Settled>,
    /// Raised by each rebalance: what was handed out before it may be another's now.
    generation: u64,
    handed_out: usize,
    settled: usize,
    /// What comes next in each partition, where that is to be committed.
    next: BTreeMap<u16, i64>,
}

impl Progress {
    fn new(settlements: std_mpsc::Receiver<Settled>) -> Progress {
        let next = BTreeMap::new();
        Progress { settlements, generation: 0, handed_out: 0, settled: 0, next }
    }

    fn hand_out(&mut self) -> u64 {
        self.handed_out += 1;
        self.generation
    }

    fn take_in(&mut self) {
        while let Ok(Settled { generation, partition, offset }) = self.settlements.try_recv() {
            self.settled += 1;
            if generation == self.generation {
                self.next.insert(partition, offset + 1);
            }
        }
    }

    fn unsettled(&mut self) -> usize {
        self.take_in();
        self.handed_out - self.settled
    }
}

/// Our membership of the group.
struct Member {
    topic: Arc<str>,
    progress: Mutex<Progress>,
}

impl Member {
    fn commit(&self, consumer: &BaseConsumer<Member>, mode: CommitMode) {
        let mut progress = lock(&self.progress);
        progress.take_in();
        let mut list = TopicPartitionList::new();
        for (partition, next) in std::mem::take(&mut progress.next) {
            let offset = Offset::Offset(next);
            if let Err(error) = list.add_partition_offset(&self.topic, partition.into(), offset) {
                tracing::debug!(%error, partition, next, "no offset to commit");
            }
        }
        drop(progress);
        // One that fails is made up for by the next; else some are read again, and known.
        if list.count() > 0
            && let Err(error) = consumer.commit(&list, mode)
        {
            tracing::debug!(%error, "the offsets of what is inbound");
        }
    }
}

impl ClientContext for Member {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        client::heard_error(None, &error, reason);
    }
}

impl ConsumerContext for Member {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Member>, rebalance: &Rebalance<'_>) {
        if matches!(rebalance, Rebalance::Revoke(_)) {
            self.commit(consumer, CommitMode::Sync);
        }
        lock(&self.progress).generation += 1;
    }
}
