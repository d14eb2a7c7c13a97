//! What following and sharing have in common: where to go on in each partition, and when to stop.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, TopicPartitionList};

use super::Shared;
use super::ends::offsets;
use crate::log::{Entry, lock};

/// So long a partition may stand still before its end; far longer than any fetch takes.
const STALLED_AFTER: Duration = Duration::from_secs(3);

/// The offset that comes next in each partition that is read.
#[derive(Debug, Default)]
pub(super) struct Positions {
    pub next: BTreeMap<u16, i64>,
    /// Where offsets were missing when last seen, to be read once more from there.
    gap: Option<(u16, i64)>,
}

impl From<BTreeMap<u16, i64>> for Positions {
    fn from(next: BTreeMap<u16, i64>) -> Positions {
        Positions { next, gap: None }
    }
}

impl Positions {
    /// The entry, unless it is none of those that come next: of a partition that was taken
    /// away, or read already. A gap is an error at first, as if the place were lost: the reader
    /// starts again from there, and a gap that is still there has nothing in it.
    pub fn accept(&mut self, message: &BorrowedMessage) -> KafkaResult<Option<Entry>> {
        let partition = message.partition() as u16;
        let Some(next) = self.next.get_mut(&partition) else { return Ok(None) };
        let offset = message.offset();
        if offset < *next {
            return Ok(None);
        }
        if offset > *next {
            let from = *next;
            if self.gap.replace((partition, from)) != Some((partition, from)) {
                return Err(KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset));
            }
            tracing::warn!(partition, from, to = offset, "these offsets have no entries");
        }
        *next = offset + 1;
        let key = String::from_utf8_lossy(message.key().unwrap_or_default());
        let value = Bytes::copy_from_slice(message.payload().unwrap_or_default());
        Ok(Some(Entry { partition, offset, key: key.into(), value }))
    }

    /// Moves what the topic no longer has, or does not have yet, to the earliest that it has.
    pub fn fit<C: ConsumerContext>(
        &mut self,
        client: &BaseConsumer<C>,
        topic: &str,
    ) -> KafkaResult<()> {
        if self.next.is_empty() {
            return Ok(());
        }
        let partitions: Vec<u16> = self.next.keys().copied().collect();
        let first = offsets(client, topic, &partitions, Offset::Beginning)?;
        let end = offsets(client, topic, &partitions, Offset::End)?;
        for ((partition, next), (first, end)) in
            self.next.iter_mut().zip(first.into_iter().zip(end))
        {
            if *next < first || *next > end {
                let from = *next;
                tracing::warn!(partition, from, to = first, "the log has no such offset; going on");
                *next = first;
            }
        }
        Ok(())
    }

    pub fn assignment(&self, topic: &str) -> KafkaResult<TopicPartitionList> {
        let mut list = TopicPartitionList::with_capacity(self.next.len());
        for (partition, next) in &self.next {
            list.add_partition_offset(topic, i32::from(*partition), Offset::Offset(*next))?;
        }
        Ok(list)
    }
}

/// Notices a partition that has entries which do not come, though everything else says that it
/// should. librdkafka may forget to fetch one after a broker has hung; a new consumer does not.
#[derive(Debug, Default)]
pub(super) struct Stall {
    /// Where each partition has stopped short of its end, and since when.
    behind: BTreeMap<u16, (i64, Instant)>,
    /// Up to which end a new consumer was to help. If it did not, there is nothing: what compaction
    /// or a transaction has left of an entry is no entry.
    tried: BTreeMap<u16, i64>,
    /// Its own client was not told where the partitions end when last asked.
    is_lost: bool,
}

impl Stall {
    /// What was read is all that had arrived, and these are the ends of the partitions. An error,
    /// once, for one that has not moved towards its end for [`STALLED_AFTER`].
    pub fn look(&mut self, positions: &Positions, ends: &[i64], now: Instant) -> KafkaResult<()> {
        for (&partition, &next) in &positions.next {
            let Some(end) = ends.get(usize::from(partition)).filter(|end| next < **end) else {
                self.behind.remove(&partition);
                continue;
            };
            let (at, since) = self.behind.entry(partition).or_insert((next, now));
            if *at != next {
                (*at, *since) = (next, now);
            } else if now.duration_since(*since) > STALLED_AFTER
                && self.tried.insert(partition, *end) != Some(*end)
            {
                tracing::warn!(partition, next, "entries of a partition do not arrive");
                self.excuse();
                return Err(KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset));
            }
        }
        Ok(())
    }

    /// The same, for a reader of the log that has just read; `has_all`: nothing more had arrived.
    pub fn watch(
        &mut self,
        shared: &Shared,
        positions: &Positions,
        has_all: bool,
    ) -> KafkaResult<()> {
        if has_all && shared.health.is_up() {
            return self.look(positions, &lock(&shared.ends), Instant::now());
        }
        self.excuse();
        Ok(())
    }

    /// The same, for a reader that asks for the ends itself. That it is not told, though the brokers
    /// are there for others, is an error when it happens twice.
    pub fn ask<C: ConsumerContext>(
        &mut self,
        shared: &Shared,
        client: &BaseConsumer<C>,
        topic: &str,
        positions: &Positions,
    ) -> KafkaResult<()> {
        let Some((last, _)) = positions.next.last_key_value() else { return Ok(()) };
        let partitions: Vec<u16> = (0..=*last).collect();
        match offsets(client, topic, &partitions, Offset::End) {
            Ok(ends) => {
                self.is_lost = false;
                self.look(positions, &ends, Instant::now())
            }
            Err(error) if shared.health.is_up() => {
                match std::mem::replace(&mut self.is_lost, true) {
                    true => Err(error),
                    false => Ok(()),
                }
            }
            Err(_) => {
                self.excuse();
                Ok(())
            }
        }
    }

    /// There is a reason to be behind: brokers that are away, or a reader that is slow.
    pub fn excuse(&mut self) {
        self.behind.clear();
        self.is_lost = false;
    }
}

/// Whether a consumer cannot go on by itself: its place is gone, or librdkafka gave it up.
pub(super) fn is_lost(error: &KafkaError) -> bool {
    matches!(error, KafkaError::MessageConsumptionFatal(_))
        || matches!(
            error.rdkafka_error_code(),
            Some(
                RDKafkaErrorCode::AutoOffsetReset
                    | RDKafkaErrorCode::OffsetOutOfRange
                    | RDKafkaErrorCode::Fatal
            )
        )
}

/// When the threads end.
#[derive(Default)]
pub(super) struct Stop {
    asked: AtomicBool,
    /// Where the feeds may end, and when they do so at the latest.
    at: Mutex<Option<(Vec<i64>, Instant)>>,
}

impl Stop {
    /// Appends are refused from now on.
    pub fn refuse_more(&self) {
        self.asked.store(true, Ordering::SeqCst);
    }

    /// The feeds end when they have reached these offsets, or after this time.
    pub fn at(&self, ends: Vec<i64>, patience: Duration) {
        self.refuse_more();
        lock(&self.at).get_or_insert((ends, Instant::now() + patience));
    }

    pub fn is_asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }

    /// Whether what belongs to no partition ends now.
    pub fn is_now(&self) -> bool {
        self.is_asked() && lock(&self.at).is_some()
    }

    /// Whether a feed that has come so far ends now.
    pub fn is_now_at(&self, positions: &Positions) -> bool {
        if !self.is_asked() {
            return false;
        }
        match &*lock(&self.at) {
            Some((_, deadline)) if Instant::now() >= *deadline => true,
            Some((ends, _)) => positions.next.iter().all(|(partition, next)| {
                ends.get(usize::from(*partition)).is_none_or(|end| next >= end)
            }),
            None => false,
        }
    }
}
