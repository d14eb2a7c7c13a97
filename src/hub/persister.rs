//! The actor that writes the log into the store, on its own time.
//!
//! It reads its share of the log in a consumer group of its own, folds the records as every room
//! does, and commits the rows and the offset reached in one transaction. The offset is also the
//! fence: a persister that was frozen while another took over cannot write behind its back.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use actix::prelude::*;
use async_trait::async_trait;
use futures_util::stream::{self, StreamExt};
use tokio::sync::mpsc;

use super::Hub;
use super::bridge::TailOf;
use crate::core::batch::Batch;
use crate::core::gather::{Gathering, OutOfStep};
use crate::core::record::Record;
use crate::log::{BATCH_BYTES, Entry, LogError, Share, StoredOffsets};
use crate::store::{self, Numbering, Store, StoreError};

/// Between tries while the store does not take a batch.
const RETRY_EVERY: Duration = Duration::from_millis(250);
/// How often it is looked up how far the store has come, by other instances' hands.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// The same, while somebody waits for it.
const LOOK_OFTEN: Duration = Duration::from_millis(5);
/// For how long a batch gathers while somebody here waits for the store.
const HURRY: Duration = Duration::from_millis(3);
/// A persister that has written nothing of what there is for so long is stood in for.
const SILENT_AFTER: Duration = Duration::from_secs(1);

/// Between pieces of what is left of deleted rooms, and between looks for any.
const BURY_EVERY: Duration = Duration::from_millis(50);
const LOOK_FOR_BURIALS: Duration = Duration::from_secs(2);

/// Partitions whose batches are written at once, each over a connection of its own.
const PARTITIONS_TOGETHER: usize = 4;
/// Between two parts of numbering what an earlier version wrote.
const NUMBER_EVERY: Duration = Duration::from_millis(50);
/// Until all of it is looked at once more, if there was any.
const NUMBER_AGAIN: Duration = Duration::from_secs(600);
/// Older messages whose words are added in one transaction, and the pauses between these.
const INDEX_AT_ONCE: usize = 500;
const INDEX_EVERY: Duration = Duration::from_millis(100);
/// Until either of these is tried again after a failure.
const AFTER_A_FAILURE: Duration = Duration::from_secs(10);

#[async_trait]
impl StoredOffsets for Store {
    async fn next_offset(&self, partition: u16) -> Result<i64, LogError> {
        Store::next_offset(self, partition).await.map_err(|error| LogError(error.to_string()))
    }
}

/// The partitions that this instance's share has now.
type Owned = Arc<Mutex<BTreeSet<u16>>>;

pub struct Persister {
    hub: Arc<Hub>,
    owned: Owned,
}

impl Persister {
    pub fn new(hub: Arc<Hub>) -> Persister {
        Persister { hub, owned: Owned::default() }
    }
}

impl Actor for Persister {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let (hub, owned) = (&self.hub, &self.owned);
        ctx.spawn(write_shares(hub.clone(), owned.clone()).into_actor(self));
        ctx.spawn(watch_the_store(hub.clone()).into_actor(self));
        ctx.spawn(stand_in(hub.clone(), owned.clone()).into_actor(self));
        ctx.spawn(index_older(hub.clone()).into_actor(self));
        ctx.spawn(number_older(hub.clone()).into_actor(self));
        ctx.spawn(bury(hub.clone()).into_actor(self));
    }
}

/// Takes a share of the log and writes it, for ever; a fresh share whenever it lost its way.
async fn write_shares(hub: Arc<Hub>, owned: Owned) {
    loop {
        match hub.log.share(Arc::new(hub.store.clone())).await {
            Ok(share) => {
                Writer::new(hub.clone(), owned.clone()).run(share).await;
                lock(&owned).clear();
            }
            Err(error) => tracing::warn!(%error, "cannot read the log for the store"),
        }
        if hub.is_draining() {
            return;
        }
        tokio::time::sleep(RETRY_EVERY).await;
    }
}

/// Keeps the hub's idea of how far the store has come true, also where others write.
async fn watch_the_store(hub: Arc<Hub>) {
    loop {
        if let Ok(offsets) = hub.store.offsets().await {
            let ours = offsets.into_iter().filter(|(_, epoch, _)| *epoch == hub.epoch);
            ours.for_each(|(partition, _, next)| hub.stored.advance(partition, next));
        }
        if hub.stored.is_wanted() {
            tokio::time::sleep(LOOK_OFTEN).await;
        } else {
            let _ = tokio::time::timeout(LOOK_EVERY, hub.stored.wanted()).await;
        }
    }
}

/// Writes for a partition whose persister has fallen silent, until the group has given it to
/// another: any instance may, since each has the tail of the log and the fence lets one through.
/// Without it room lists and changes would wait for the group's session time-out.
async fn stand_in(hub: Arc<Hub>, owned: Owned) {
    let mut stalled: HashMap<u16, (i64, Instant)> = HashMap::new();
    while !hub.is_draining() {
        tokio::time::sleep(LOOK_EVERY).await;
        for (partition, followed) in hub.followed.all().into_iter().enumerate() {
            let partition = partition as u16;
            let stored = hub.stored.next(partition);
            let (at, since) = *stalled.entry(partition).or_insert((stored, Instant::now()));
            if stored >= followed || stored != at {
                stalled.remove(&partition);
            } else if since.elapsed() > SILENT_AFTER && !lock(&owned).contains(&partition) {
                write_tail(&hub, partition).await;
            }
        }
    }
}

/// After an upgrade: makes the messages that were there before findable, without any hurry.
async fn index_older(hub: Arc<Hub>) {
    let mut at_once = INDEX_AT_ONCE;
    while !hub.is_draining() {
        match hub.store.index_older(at_once).await {
            Ok(true) => tokio::time::sleep(INDEX_EVERY).await,
            Ok(false) => return,
            Err(error) => {
                tracing::warn!(%error, "cannot index older messages now");
                // They may have been too many for one transaction.
                at_once = (at_once / 2).max(1);
                tokio::time::sleep(AFTER_A_FAILURE).await;
            }
        }
    }
}

/// After an upgrade: numbers what was there before, without any hurry, and then what instances of
/// that version may have written meanwhile.
async fn number_older(hub: Arc<Hub>) {
    let (mut numbering, mut found) = (Numbering::default(), false);
    while !hub.is_draining() {
        let pause = match hub.store.number_some(numbering.clone()).await {
            Ok((Numbering::Done, _)) if !found => return,
            Ok((Numbering::Done, _)) => {
                (numbering, found) = (Numbering::default(), false);
                NUMBER_AGAIN
            }
            Ok((next, count)) => {
                numbering = next;
                found |= count > 0;
                NUMBER_EVERY
            }
            Err(error) => {
                tracing::warn!(%error, "cannot number older messages now");
                AFTER_A_FAILURE
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// Removes what deleted rooms have left behind.
async fn bury(hub: Arc<Hub>) {
    while !hub.is_draining() {
        let pause = match hub.store.bury_some().await {
            Ok(true) => BURY_EVERY,
            Ok(false) | Err(_) => LOOK_FOR_BURIALS,
        };
        tokio::time::sleep(pause).await;
    }
}

/// Writes a batch of the tail of a partition that is another instance's to write.
async fn write_tail(hub: &Arc<Hub>, partition: u16) {
    let most = hub.config.store.batch_size;
    let Ok(from) = hub.store.next_offset(partition).await else { return };
    let Some(bridge) = hub.bridge() else { return };
    let Ok(Some(tail)) = bridge.send(TailOf { partition, from, most }).await else { return };
    let mut writer = Writer::new(hub.clone(), Owned::default());
    writer.partitions.insert(partition, Gathering::starting_at(partition, from));
    for entry in &tail {
        if writer.fold(entry).await.is_err() {
            return;
        }
        if writer.is_full(most) {
            break;
        }
    }
    let entries = writer.gathered();
    if writer.write().await.is_ok() && entries > 0 {
        tracing::info!(partition, entries, "wrote in place of a silent persister");
    }
}

fn lock(owned: &Owned) -> MutexGuard<'_, BTreeSet<u16>> {
    // A panic while holding it leaves a set that is still a set.
    owned.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Writer {
    hub: Arc<Hub>,
    owned: Owned,
    partitions: HashMap<u16, Gathering>,
    /// Of the entries that were gathered and are not written yet.
    bytes: usize,
}

impl Writer {
    fn new(hub: Arc<Hub>, owned: Owned) -> Writer {
        Writer { hub, owned, partitions: HashMap::new(), bytes: 0 }
    }

    async fn run(&mut self, mut share: mpsc::Receiver<Share>) {
        let (most, age) = (self.hub.config.store.batch_size, self.hub.config.batch_age());
        while let Some(first) = share.recv().await {
            let mut gathered = self.take_in(first).await;
            let began = tokio::time::Instant::now();
            // By size or by age: the first entry waits for company, and less where somebody waits
            // for it.
            while gathered.is_ok() && self.gathered() > 0 && !self.is_full(most) {
                let hurry = async {
                    self.hub.stored.wanted().await;
                    tokio::time::sleep_until(began + age.min(HURRY)).await;
                };
                tokio::select! {
                    more = share.recv() => match more {
                        Some(more) => gathered = self.take_in(more).await,
                        None => break,
                    },
                    () = tokio::time::sleep_until(began + age) => break,
                    () = hurry => break,
                }
            }
            let written = match gathered {
                Ok(()) => self.write().await,
                Err(out_of_step) => Err(out_of_step),
            };
            if written.is_err() {
                tracing::info!("out of step with the store; starting from its offsets");
                return;
            }
        }
    }

    fn gathered(&self) -> usize {
        self.partitions.values().map(|partition| partition.batch().len()).sum()
    }

    /// Of one partition there is enough for a transaction, or of all as much as is held.
    fn is_full(&self, most: usize) -> bool {
        self.bytes >= BATCH_BYTES
            || self.partitions.values().any(|partition| partition.batch().len() >= most)
    }

    async fn take_in(&mut self, share: Share) -> Result<(), OutOfStep> {
        match share {
            Share::Assigned(partitions) => {
                for partition in partitions {
                    let read = || self.hub.store.next_offset(partition);
                    let from = retry(&self.hub, "read its offset", read).await?;
                    self.partitions.insert(partition, Gathering::starting_at(partition, from));
                    lock(&self.owned).insert(partition);
                }
            }
            Share::Revoked(partitions) => {
                for partition in partitions {
                    self.partitions.remove(&partition);
                    lock(&self.owned).remove(&partition);
                }
            }
            Share::Entries(entries) => {
                for entry in &entries {
                    self.fold(entry).await?;
                }
            }
        }
        Ok(())
    }

    async fn fold(&mut self, entry: &Entry) -> Result<(), OutOfStep> {
        let Entry { partition: index, offset, .. } = *entry;
        let Some(partition) = self.partitions.get_mut(&index) else { return Ok(()) };
        if partition.has(offset) {
            return Ok(());
        }
        self.bytes += entry.bytes();
        if !partition.batch().expects(offset) {
            // Kafka dropped old entries before they were stored, or its offsets have gaps.
            tracing::warn!(
                partition = index,
                expected = partition.batch().next,
                found = offset,
                "entries are missing from the log"
            );
        }
        let record = match self.hub.is_in_place(entry) {
            true => Record::decode(&entry.key, &entry.value).map_err(|error| error.to_string()),
            false => Err("its key belongs into another partition".to_owned()),
        };
        let record = match record {
            Ok(record) => record,
            Err(reason) => {
                tracing::warn!(
                    partition = index,
                    offset,
                    reason,
                    "an unreadable record goes to quarantine"
                );
                partition.pass_over(entry, reason);
                return Ok(());
            }
        };
        if !partition.knows(record.room) {
            let read = || self.hub.store.snapshot(record.room, index);
            let snapshot = retry(&self.hub, "read a room", read).await?;
            partition.learn(snapshot)?;
        }
        if let Some(refusal) = partition.take_in(&record, self.hub.place(index, offset)) {
            tracing::debug!(room = %record.room, offset, ?refusal, "refused");
        }
        Ok(())
    }

    /// Writes what was gathered. While the store is away it waits here, and the log holds the rest.
    async fn write(&mut self) -> Result<(), OutOfStep> {
        self.bytes = 0;
        let hub = &self.hub;
        let gathered = self.partitions.values_mut().filter(|it| !it.batch().is_empty());
        let writes = stream::iter(gathered).map(|partition| write_partition(hub, partition));
        let written: Vec<_> = writes.buffer_unordered(PARTITIONS_TOGETHER).collect().await;
        written.into_iter().collect()
    }
}

async fn write_partition(hub: &Hub, partition: &mut Gathering) -> Result<(), OutOfStep> {
    let (batch, started) = (partition.batch(), Instant::now());
    let index = batch.partition;
    let next = match write_batch(hub, batch).await {
        Ok(()) => {
            metrics::histogram!("rookery_store_write_seconds").record(started.elapsed());
            metrics::counter!("rookery_stored_total").increment(batch.changes.len() as u64);
            // Only now: of several who fold an entry, one writes it, and copies it once.
            for (entry, reason) in partition.unreadable() {
                metrics::counter!("rookery_quarantined_total").increment(1);
                hub.log.quarantine(entry, reason);
            }
            batch.next
        }
        // Another instance wrote. Where it wrote all of this batch, or more, there is nothing to
        // make up for: go on from there.
        Err(OutOfStep) => retry(hub, "read its offset", || hub.store.next_offset(index)).await?,
    };
    partition.stored(next)?;
    hub.stored.advance(index, next);
    hub.log.stored(index, next);
    Ok(())
}

/// Writes a batch, in one transaction unless that takes the store too long: what it gives up it
/// would give up again.
async fn write_batch(hub: &Hub, batch: &Batch) -> Result<(), OutOfStep> {
    let mut parts = vec![Cow::Borrowed(batch)];
    while let Some(part) = parts.pop() {
        let begun = Cell::new(Instant::now());
        let write = || {
            begun.set(Instant::now());
            hub.store.write(&part)
        };
        let is_too_much = || part.len() > 1 && begun.get().elapsed() >= store::OPERATION;
        if retry_unless(hub, "write a batch", write, is_too_much).await?.is_none() {
            let (first, second) = part.halves();
            tracing::warn!(entries = part.len(), "the store takes too long; half of them at once");
            parts.extend([Cow::Owned(second), Cow::Owned(first)]);
        }
    }
    Ok(())
}

/// Tries until the store answers. Fenced, or broken, is out of step.
async fn retry<T, F>(hub: &Hub, what: &str, attempt: impl Fn() -> F) -> Result<T, OutOfStep>
where
    F: Future<Output = Result<T, StoreError>>,
{
    retry_unless(hub, what, attempt, || false).await?.ok_or(OutOfStep)
}

/// The same; `None` where it is no use to try again.
async fn retry_unless<T, F>(
    hub: &Hub,
    what: &str,
    attempt: impl Fn() -> F,
    is_no_use: impl Fn() -> bool,
) -> Result<Option<T>, OutOfStep>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let mut complained = false;
    loop {
        match attempt().await {
            Ok(value) => return Ok(Some(value)),
            Err(StoreError::Fenced) => return Err(OutOfStep),
            Err(_) if hub.is_draining() => return Err(OutOfStep),
            Err(_) if is_no_use() => return Ok(None),
            Err(error) => {
                if !std::mem::replace(&mut complained, true) {
                    tracing::warn!(%error, "cannot {what}; trying again");
                }
                metrics::counter!("rookery_store_retries_total").increment(1);
                tokio::time::sleep(RETRY_EVERY).await;
            }
        }
    }
}
