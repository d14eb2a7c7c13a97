//! This instance's share of the partitions, for its persister.
//!
//! Kafka's consumer group says which partitions are ours; the store says where each of them goes
//! on. A persister that is held up, since its database is, must not cost us the membership: its
//! channel is never waited for. While it is full the partitions are paused and the polling goes on.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::Shared;
use super::client::{self, for_reading, ours};
use super::consumer::{Positions, Stall, is_lost};
use super::patience::Patience;
use crate::log::{BATCH_BYTES, BATCH_ENTRIES, Share, StoredOffsets, lock};

/// How long a thread takes to notice that nobody reads from it any more, and how often it looks
/// whether there is room again.
const GLANCE: Duration = Duration::from_millis(50);
const TRY_AGAIN: Duration = Duration::from_millis(250);
/// The store may take so long to say where it stands, all attempts together. Far below
/// `max.poll.interval.ms`, past which the group would take the partitions away.
const WAIT_FOR_STORE: Duration = Duration::from_secs(10);
const COMMIT_EVERY: Duration = Duration::from_secs(1);
/// A member without partitions joins anew after this time, and after twice as long each time it has
/// none again: there may be more members than partitions, or librdkafka may have lost the group.
const ALONE_FOR: Duration = Duration::from_secs(20);
const ALONE_AT_MOST: Duration = Duration::from_secs(1_800);

/// Shares until the reader goes, another share begins, or the log is closed.
pub(super) fn run(
    shared: &Arc<Shared>,
    mine: u64,
    stored: Arc<dyn StoredOffsets>,
    runtime: Handle,
    feed: mpsc::Sender<Share>,
) {
    let sharing = Arc::new(Sharing {
        shared: shared.clone(),
        mine,
        stored,
        runtime,
        feed,
        held: Mutex::default(),
    });
    let mut stall = Stall::default();
    let mut alone = Patience::new(ALONE_FOR, ALONE_AT_MOST);
    while !sharing.is_over() {
        match consume(&sharing, &mut stall, &mut alone) {
            Ok(()) => return,
            Err(error) => tracing::warn!(%error, "sharing the log starts again"),
        }
        thread::sleep(TRY_AGAIN);
    }
}

struct Sharing {
    shared: Arc<Shared>,
    mine: u64,
    stored: Arc<dyn StoredOffsets>,
    runtime: Handle,
    feed: mpsc::Sender<Share>,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    /// The partitions that are ours, and what comes next in each.
    positions: Positions,
    /// What the persister has not taken yet, in order. Not more than one batch and what the
    /// group decides meanwhile, since the partitions are paused while something is here.
    waiting: VecDeque<Share>,
    /// The store did not say where to go on: start again.
    failed: bool,
    /// The group may not have heard how far the store is, since the partitions changed hands.
    untold: bool,
}

fn consume(sharing: &Arc<Sharing>, stall: &mut Stall, alone: &mut Patience) -> KafkaResult<()> {
    let shared = &sharing.shared;
    let config = ours(
        &for_reading(&shared.config, &shared.names.group),
        &[
            ("partition.assignment.strategy", "range"),
            // The shortest that brokers allow by default: so long nobody writes what a crashed
            // instance should have. After an outage the old membership lasts as long, too.
            ("session.timeout.ms", "6000"),
            ("heartbeat.interval.ms", "1000"),
            ("max.poll.interval.ms", "60000"),
        ],
    );
    let consumer: BaseConsumer<Member> = config.create_with_context(Member(sharing.clone()))?;
    consumer.subscribe(&[&shared.names.messages])?;
    let mut progress = Progress::default();
    let mut paused = false;
    while !sharing.is_over() {
        if !sharing.hand_over() {
            // Again each time: the group may have given us more.
            consumer.pause(&consumer.assignment()?)?;
            paused = true;
        } else if std::mem::take(&mut paused) {
            consumer.resume(&consumer.assignment()?)?;
        }
        let has_all = sharing.gather(&consumer)?;
        stall.watch(shared, &lock(&sharing.held).positions, has_all && !paused)?;
        progress.commit(sharing, &consumer);
        sharing.look_for_partitions(alone)?;
    }
    // Dropping the consumer leaves the group, so that others need not wait for the time-out.
    progress.commit_now(sharing, &consumer);
    Ok(())
}

impl Sharing {
    fn is_over(&self) -> bool {
        self.feed.is_closed()
            || self.shared.stop.is_now_at(&lock(&self.held).positions)
            || self.shared.sharing.load(Ordering::SeqCst) != self.mine
    }

    /// Passes on what waits; says whether all of it went.
    fn hand_over(&self) -> bool {
        let mut held = lock(&self.held);
        while let Some(share) = held.waiting.pop_front() {
            match self.feed.try_send(share) {
                Ok(()) => {}
                Err(TrySendError::Full(share)) => {
                    held.waiting.push_front(share);
                    return false;
                }
                // The next look at the feed ends this.
                Err(TrySendError::Closed(_)) => return true,
            }
        }
        true
    }

    /// Takes in what has arrived, up to a batch, and says whether that was all. A rebalance that
    /// comes in between puts its own word in at its place.
    fn gather(&self, consumer: &BaseConsumer<Member>) -> KafkaResult<bool> {
        let mut patience = GLANCE;
        let (mut entries, mut bytes) = (0, 0);
        while entries < BATCH_ENTRIES && bytes < BATCH_BYTES {
            let polled = consumer.poll(patience);
            let mut held = lock(&self.held);
            if std::mem::take(&mut held.failed) {
                return Err(KafkaError::Rebalance(RDKafkaErrorCode::NoOffset));
            }
            let Some(polled) = polled else { return Ok(true) };
            match polled.and_then(|message| held.positions.accept(&message)) {
                Ok(Some(entry)) => {
                    (entries, bytes) = (entries + 1, bytes + entry.bytes());
                    match held.waiting.back_mut() {
                        Some(Share::Entries(batch)) if entries > 1 => batch.push(entry),
                        _ => held.waiting.push_back(Share::Entries(vec![entry])),
                    }
                }
                Ok(None) => {}
                Err(error) if is_lost(&error) => return Err(error),
                Err(error) => {
                    tracing::debug!(%error, "sharing the log");
                    return Ok(true);
                }
            }
            patience = Duration::ZERO;
        }
        Ok(false)
    }

    /// An error where the group has had nothing for us for too long.
    fn look_for_partitions(&self, alone: &mut Patience) -> KafkaResult<()> {
        let now = Instant::now();
        match lock(&self.held).positions.next.is_empty() {
            true => alone.wait(now),
            false => alone.is_rewarded(),
        }
        match alone.is_over(self.shared.health.is_up(), now) {
            true => Err(KafkaError::Rebalance(RDKafkaErrorCode::UnknownMemberId)),
            false => Ok(()),
        }
    }

    /// Asks the store where each partition goes on, for a while.
    fn stored_offsets(&self, partitions: &[u16]) -> Option<Positions> {
        let deadline = Instant::now() + WAIT_FOR_STORE;
        let mut found = Positions::default();
        for partition in partitions {
            loop {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() || self.is_over() {
                    return None;
                }
                let asked =
                    async { tokio::time::timeout(left, self.stored.next_offset(*partition)).await };
                match self.runtime.block_on(asked) {
                    Ok(Ok(next)) => {
                        found.next.insert(*partition, next.max(0));
                        break;
                    }
                    Ok(Err(error)) => {
                        tracing::warn!(partition, %error, "the store does not say where it stands");
                    }
                    Err(_) => return None,
                }
                thread::sleep(TRY_AGAIN);
            }
        }
        Some(found)
    }

    fn assigned(&self, consumer: &BaseConsumer<Member>, partitions: Vec<u16>) -> KafkaResult<()> {
        let topic = &self.shared.names.messages;
        let mut positions = self
            .stored_offsets(&partitions)
            .ok_or(KafkaError::Rebalance(RDKafkaErrorCode::NoOffset))?;
        positions.fit(consumer, topic)?;
        consumer.assign(&positions.assignment(topic)?)?;
        tracing::info!(?partitions, "the store is written for these partitions here");
        lock(&self.shared.progress).extend(&positions.next);
        let mut held = lock(&self.held);
        held.positions = positions;
        held.untold = true;
        if !partitions.is_empty() {
            held.waiting.push_back(Share::Assigned(partitions));
        }
        Ok(())
    }

    fn revoked(&self) {
        let mut held = lock(&self.held);
        let partitions: Vec<u16> = std::mem::take(&mut held.positions).next.into_keys().collect();
        if !partitions.is_empty() {
            held.waiting.push_back(Share::Revoked(partitions));
        }
    }
}

/// Our membership of the group.
struct Member(Arc<Sharing>);

impl ClientContext for Member {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        client::heard_error(None, &error, reason);
    }
}

impl ConsumerContext for Member {
    /// Called by `poll`. Other members of the group wait until this returns.
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Member>,
        what: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        // The protocol is eager: what is assigned is everything, and what is revoked, too.
        self.0.revoked();
        let done = if what == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            let partitions = list.elements().iter().map(|one| one.partition() as u16).collect();
            self.0.assigned(consumer, partitions)
        } else {
            consumer.unassign()
        };
        if let Err(error) = done {
            tracing::warn!(%error, "the share of the partitions could not be taken up");
            lock(&self.0.held).failed = true;
            if let Err(error) = consumer.unassign() {
                tracing::warn!(%error, "nor given back");
            }
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        if let Err(error) = result {
            // Only what the tools show; the next one comes soon.
            tracing::debug!(%error, "the group's offsets");
            lock(&self.0.held).untold = true;
        }
    }
}

/// Shows the group how far the store is. Nobody starts from there: the store itself knows.
#[derive(Default)]
struct Progress {
    shown: BTreeMap<u16, i64>,
    last: Option<Instant>,
}

impl Progress {
    fn commit(&mut self, sharing: &Sharing, consumer: &BaseConsumer<Member>) {
        if self.last.is_none_or(|last| last.elapsed() >= COMMIT_EVERY) {
            self.last = Some(Instant::now());
            self.commit_now(sharing, consumer);
        }
    }

    fn commit_now(&mut self, sharing: &Sharing, consumer: &BaseConsumer<Member>) {
        let reached = lock(&sharing.shared.progress).clone();
        let mut held = lock(&sharing.held);
        if std::mem::take(&mut held.untold) {
            self.shown.clear();
        }
        let mut list = TopicPartitionList::new();
        for (partition, next) in reached {
            let ours = held.positions.next.contains_key(&partition);
            if ours && self.shown.insert(partition, next) != Some(next) {
                let topic = &sharing.shared.names.messages;
                let added =
                    list.add_partition_offset(topic, partition.into(), Offset::Offset(next));
                if let Err(error) = added {
                    tracing::debug!(%error, partition, next, "no offset for the group");
                }
            }
        }
        drop(held);
        if list.count() > 0
            && let Err(error) = consumer.commit(&list, CommitMode::Async)
        {
            tracing::debug!(%error, "the group's offsets");
        }
    }
}
