//! The bus: what instances tell each other, over two topics of one partition each.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use rdkafka::Offset;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{BorrowedMessage, Message};
use tokio::sync::{mpsc, oneshot};

use super::client::{Context, for_reading};
use super::consumer::{Positions, Stall, is_lost};
use super::ends::offsets;
use super::producer::{Outgoing, Purpose};
use super::{KafkaLog, Shared, spawn};
use crate::log::{BUS_WAITING, Bus, Channel, Heard, LogError, count};

const GLANCE: Duration = Duration::from_millis(100);
const TRY_AGAIN: Duration = Duration::from_millis(500);
const WAIT_FOR_FLUSH: Duration = Duration::from_secs(2);
/// How often it is asked in silence whether there is anything to hear.
const SILENCE: Duration = Duration::from_secs(3);

#[async_trait]
impl Bus for KafkaLog {
    fn tell(&self, channel: Channel, key: &str, value: Option<Bytes>) {
        let outgoing = Outgoing {
            topic: topic(&self.shared, channel),
            partition: 0,
            key: Some(key.as_bytes()),
            value: value.as_deref(),
            headers: None,
        };
        if self.shared.bus.send(outgoing, Purpose::Tell(channel)).is_err() {
            count::dropped(channel);
        }
    }

    async fn listen(&self, channel: Channel) -> Result<mpsc::Receiver<Heard>, LogError> {
        let (listener, heard) = mpsc::channel(BUS_WAITING);
        let (placed, place) = oneshot::channel();
        let shared = self.shared.clone();
        spawn("kafka-listen", move || run(&shared, channel, placed, &listener))?;
        match place.await {
            Ok(Ok(())) => Ok(heard),
            Ok(Err(error)) => Err(LogError(format!("cannot listen: {error}"))),
            Err(_) => Err(LogError("closed".to_owned())),
        }
    }

    async fn flush(&self) {
        let shared = self.shared.clone();
        let flushed = tokio::task::spawn_blocking(move || shared.bus.flush(WAIT_FOR_FLUSH));
        if !flushed.await.unwrap_or(false) {
            tracing::warn!("some of what was told may not have been sent");
        }
    }
}

fn topic(shared: &Shared, channel: Channel) -> &str {
    match channel {
        Channel::Signals => &shared.names.signals,
        Channel::Presence => &shared.names.presence,
    }
}

/// Finds its place, says that it has, and listens until nobody does any more.
fn run(
    shared: &Arc<Shared>,
    channel: Channel,
    placed: oneshot::Sender<KafkaResult<()>>,
    listener: &mpsc::Sender<Heard>,
) {
    let mut listening = match Listening::start(shared, channel) {
        Ok(listening) => listening,
        // Who asked hears it, or has gone.
        Err(error) => return drop(placed.send(Err(error))),
    };
    if placed.send(Ok(())).is_err() {
        return;
    }
    while !listener.is_closed() && !shared.stop.is_now() {
        match listening.consume(shared, listener) {
            Ok(()) => return,
            Err(error) => tracing::warn!(%error, ?channel, "listening starts again"),
        }
        thread::sleep(TRY_AGAIN);
        // Whatever it was, librdkafka may have lost the topic for good; a new client has not.
        match connect(shared) {
            Ok(consumer) => listening.consumer = consumer,
            Err(error) => tracing::warn!(%error, ?channel, "cannot begin to listen"),
        }
    }
}

struct Listening {
    topic: String,
    consumer: BaseConsumer<Context>,
    positions: Positions,
    /// Reaching this offset is to be told, once.
    catch_up: Option<i64>,
    stall: Stall,
    /// When something was heard, or it was asked whether there is anything to hear.
    heard_at: Instant,
}

impl Listening {
    fn start(shared: &Shared, channel: Channel) -> KafkaResult<Listening> {
        let topic = topic(shared, channel).to_owned();
        let consumer = connect(shared)?;
        let end = offsets(&consumer, &topic, &[0], Offset::End)?.first().copied();
        let (from, catch_up) = match channel {
            Channel::Signals => (end.unwrap_or(0), None),
            Channel::Presence => (0, end),
        };
        let positions = Positions::from(BTreeMap::from([(0, from)]));
        let (stall, heard_at) = (Stall::default(), Instant::now());
        Ok(Listening { topic, consumer, positions, catch_up, stall, heard_at })
    }

    /// In silence, asks now and then whether there is anything to hear.
    fn look(&mut self, shared: &Shared) -> KafkaResult<()> {
        if self.heard_at.elapsed() < SILENCE {
            return Ok(());
        }
        self.heard_at = Instant::now();
        self.stall.ask(shared, &self.consumer, &self.topic, &self.positions)
    }

    fn consume(&mut self, shared: &Shared, listener: &mpsc::Sender<Heard>) -> KafkaResult<()> {
        self.positions.fit(&self.consumer, &self.topic)?;
        self.consumer.assign(&self.positions.assignment(&self.topic)?)?;
        loop {
            if listener.is_closed() || shared.stop.is_now() {
                return Ok(());
            }
            // Told as soon as it is so: an empty topic brings no message to wait for.
            let reached = self.positions.next.get(&0).copied().unwrap_or(0);
            if self.catch_up.is_some_and(|end| reached >= end) {
                self.catch_up = None;
                if listener.blocking_send(Heard::CaughtUp).is_err() {
                    return Ok(());
                }
            }
            self.look(shared)?;
            let heard = match self.consumer.poll(GLANCE) {
                None => continue,
                Some(Ok(message)) => {
                    self.heard_at = Instant::now();
                    self.positions.hear(&message)
                }
                // Compaction may have taken the last offsets before the end.
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    if let (Some(end), Some(next)) =
                        (self.catch_up, self.positions.next.get_mut(&0))
                    {
                        *next = (*next).max(end);
                    }
                    continue;
                }
                Some(Err(error)) if is_lost(&error) => return Err(error),
                Some(Err(error)) => {
                    tracing::debug!(%error, "listening");
                    continue;
                }
            };
            if let Some(heard) = heard
                && listener.blocking_send(heard).is_err()
            {
                return Ok(());
            }
        }
    }
}

impl Positions {
    /// Like `accept`; but here gaps are what compaction leaves.
    fn hear(&mut self, message: &BorrowedMessage) -> Option<Heard> {
        let next = self.next.get_mut(&0)?;
        if message.offset() < *next {
            return None;
        }
        *next = message.offset() + 1;
        let key = String::from_utf8_lossy(message.key().unwrap_or_default());
        Some(Heard::Value { key: key.into(), value: message.payload().map(Bytes::copy_from_slice) })
    }
}

fn connect(shared: &Shared) -> KafkaResult<BaseConsumer<Context>> {
    let group = format!("{}-bus-{}", shared.settings.topic_prefix, shared.settings.instance);
    let mut config = for_reading(&shared.config, &group);
    config.set("enable.partition.eof", "true");
    config.create_with_context(Context::quiet())
}
