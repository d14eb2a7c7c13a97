//! Every entry of every partition, for the rooms of this instance.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use tokio::sync::mpsc;

use super::Shared;
use super::client::{Context, for_reading};
use super::consumer::{Positions, Stall, is_lost};
use crate::log::{BATCH_BYTES, BATCH_ENTRIES, Entry};

/// How long a thread takes to notice that nobody reads from it any more.
const GLANCE: Duration = Duration::from_millis(100);
const TRY_AGAIN: Duration = Duration::from_millis(500);

/// Feeds until the reader goes or the log is closed, however often the brokers are lost.
pub(super) fn run(shared: &Shared, from: Vec<i64>, feed: &mpsc::Sender<Vec<Entry>>) {
    let mut positions = Positions::from((0..).zip(from).collect::<BTreeMap<_, _>>());
    let mut stall = Stall::default();
    while !feed.is_closed() && !shared.stop.is_now_at(&positions) {
        match consume(shared, &mut positions, &mut stall, feed) {
            Ok(()) => return,
            Err(error) => tracing::warn!(%error, "following the log starts again"),
        }
        thread::sleep(TRY_AGAIN);
    }
}

fn consume(
    shared: &Shared,
    positions: &mut Positions,
    stall: &mut Stall,
    feed: &mpsc::Sender<Vec<Entry>>,
) -> KafkaResult<()> {
    let topic = &shared.names.messages;
    let group = format!("{}-follow-{}", shared.settings.topic_prefix, shared.settings.instance);
    let consumer: BaseConsumer<Context> =
        for_reading(&shared.config, &group).create_with_context(Context::quiet())?;
    positions.fit(&consumer, topic)?;
    consumer.assign(&positions.assignment(topic)?)?;
    while !feed.is_closed() && !shared.stop.is_now_at(positions) {
        let Batch { entries, end } = next_batch(&consumer, positions);
        // Waiting here is how a slow reader slows this feed alone.
        if !entries.is_empty() && feed.blocking_send(entries).is_err() {
            break;
        }
        match end {
            End::Lost(error) => return Err(error),
            end => stall.watch(shared, positions, matches!(end, End::Nothing))?,
        }
    }
    Ok(())
}

/// Some entries, and why there are no more of them.
struct Batch {
    entries: Vec<Entry>,
    end: End,
}

enum End {
    /// There is more, maybe.
    Full,
    /// Nothing more has arrived.
    Nothing,
    /// The consumer cannot go on.
    Lost(KafkaError),
}

/// What is there already, or the first to come within a moment.
fn next_batch(consumer: &BaseConsumer<Context>, positions: &mut Positions) -> Batch {
    let mut entries = Vec::new();
    let mut bytes = 0;
    let mut patience = GLANCE;
    while entries.len() < BATCH_ENTRIES && bytes < BATCH_BYTES {
        let Some(polled) = consumer.poll(patience) else {
            return Batch { entries, end: End::Nothing };
        };
        match polled.and_then(|message| positions.accept(&message)) {
            Ok(Some(entry)) => {
                bytes += entry.bytes();
                entries.push(entry);
            }
            Ok(None) => {}
            Err(error) if is_lost(&error) => return Batch { entries, end: End::Lost(error) },
            Err(error) => {
                tracing::debug!(%error, "following the log");
                return Batch { entries, end: End::Nothing };
            }
        }
        patience = Duration::ZERO;
    }
    Batch { entries, end: End::Full }
}
