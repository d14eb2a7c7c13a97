//! Where each partition ends, asked of the brokers by one thread for everyone.
//!
//! Every read of history asks, so those who ask while a question is under way share the next
//! one. When nobody asks, the thread does so itself twice a second: that is how the hub knows
//! whether the brokers can be reached.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::oneshot;

use super::client::{self, Context};
use super::patience::Patience;
use super::{Shared, spawn};
use crate::log::{LogError, lock};

/// Those who may wait for an answer.
const ASKING: usize = 10_000;
const PATIENCE: Duration = Duration::from_secs(2);
const TRY_AGAIN: Duration = Duration::from_millis(20);
const PROBE_EVERY: Duration = Duration::from_millis(500);
/// A client that is told nothing for so long is replaced; the next one is given longer. Not much:
/// whether the brokers are away or the client has lost them, it alone cannot tell.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(3);
const MOST_PATIENCE: Duration = Duration::from_secs(5);

pub(super) type Ask = oneshot::Sender<Result<Vec<i64>, LogError>>;

pub(super) async fn ask(shared: &Shared, asks: &SyncSender<Ask>) -> Result<Vec<i64>, LogError> {
    if !shared.health.is_up() {
        return Err(LogError("Kafka cannot be reached".to_owned()));
    }
    let (answer, answered) = oneshot::channel();
    match asks.try_send(answer) {
        Ok(()) => {}
        Err(TrySendError::Full(_)) => return Err(LogError("too many ask for the ends".to_owned())),
        Err(TrySendError::Disconnected(_)) => return Err(LogError("closed".to_owned())),
    }
    match tokio::time::timeout(PATIENCE, answered).await {
        Ok(Ok(ends)) => ends,
        Ok(Err(_)) => Err(LogError("closed".to_owned())),
        Err(_) => Err(LogError("Kafka does not say where the log ends".to_owned())),
    }
}

pub(super) fn start(
    shared: Arc<Shared>,
    probe: BaseConsumer<Context>,
) -> Result<SyncSender<Ask>, LogError> {
    let (asks, asked) = sync_channel(ASKING);
    spawn("kafka-ends", move || run(&shared, probe, &asked))?;
    Ok(asks)
}

fn run(shared: &Shared, mut probe: BaseConsumer<Context>, asked: &Receiver<Ask>) {
    let mut patience = Patience::new(GIVEN_UP_AFTER, MOST_PATIENCE);
    let partitions: Vec<u16> = (0..shared.settings.partitions).collect();
    loop {
        let first = match asked.recv_timeout(PROBE_EVERY) {
            Ok(ask) => Some(ask),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        // All who asked before the question goes out may have its answer.
        let waiting: Vec<Ask> = first.into_iter().chain(asked.try_iter()).collect();
        let begun = Instant::now();
        let ends = offsets(&probe, &shared.names.messages, &partitions, Offset::End);
        // Hands the client's own errors and log lines to its context. They are older than the
        // answer, which has the last word.
        while probe.poll(Duration::ZERO).is_some() {}
        match &ends {
            Ok(ends) => {
                patience.is_rewarded();
                shared.health.answered();
                lock(&shared.ends).clone_from(ends);
            }
            Err(_) => patience.wait(begun),
        }
        for ask in waiting {
            let ends = ends.as_ref().cloned().map_err(|error| LogError(error.to_string()));
            // Who gave up is not missed.
            let _ = ask.send(ends);
        }
        shared.health.report(&shared.settings.brokers);
        if patience.is_over(true, Instant::now())
            && let Ok(new) = client::probe(&shared.config, &shared.health)
        {
            tracing::debug!("asking where the log ends with a new client");
            probe = new;
        }
        shared.producer.replace_if_useless();
        shared.bus.replace_if_useless();
    }
}

/// `Offset::Beginning` or `Offset::End` of these partitions, in one request to each broker. Tries
/// again for a while: the first request after a partition has moved goes to the wrong broker.
pub(super) fn offsets<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    topic: &str,
    partitions: &[u16],
    which: Offset,
) -> KafkaResult<Vec<i64>> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match offsets_once(client, topic, partitions, which, left) {
            Err(_) if Instant::now() + TRY_AGAIN < deadline => thread::sleep(TRY_AGAIN),
            outcome => return outcome,
        }
    }
}

fn offsets_once<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    topic: &str,
    partitions: &[u16],
    which: Offset,
    patience: Duration,
) -> KafkaResult<Vec<i64>> {
    // The protocol has the two as special points in time.
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for partition in partitions {
        list.add_partition_offset(topic, i32::from(*partition), which)?;
    }
    let list = client.offsets_for_times(list, patience)?;
    partitions
        .iter()
        .map(|partition| {
            let unknown = KafkaError::OffsetFetch(RDKafkaErrorCode::UnknownPartition);
            let found = list.find_partition(topic, i32::from(*partition)).ok_or(unknown)?;
            found.error()?;
            match found.offset() {
                Offset::Offset(offset) => Ok(offset),
                _ => Err(KafkaError::OffsetFetch(RDKafkaErrorCode::NoOffset)),
            }
        })
        .collect()
}
