//! Sending: hands records to librdkafka, and turns what became of them into receipts.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use rdkafka::bindings::{rd_kafka_message_status, rd_kafka_msg_status_t};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Header, Message, OwnedHeaders};
use rdkafka::producer::{
    BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext, PurgeConfig,
};
use rdkafka::{ClientConfig, ClientContext};
use tokio::sync::oneshot;

use super::client::{self, Health};
use super::progress::{Progress, SentAt};
use super::{Shared, spawn};
use crate::log::{AppendError, Channel, LogError, Outcome, count, lock};

/// How long deliveries are waited for at a time. The last millisecond of each wait is spent
/// spinning, so that long waits are cheap.
const POLL: Duration = Duration::from_secs(1);

/// One record on its way to a topic.
pub(super) struct Outgoing<'a> {
    pub topic: &'a str,
    pub partition: i32,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: Option<OwnedHeaders>,
}

/// Who waits to hear what became of a record.
pub(super) enum Purpose {
    Append(Outcome),
    Tell(Channel),
    /// Who waits to hear of it, if anybody does.
    Quarantine(Option<oneshot::Sender<Result<(), AppendError>>>),
}

/// What librdkafka keeps beside a record.
struct Sent {
    purpose: Purpose,
    at: SentAt,
}

/// A producer that is replaced by a new one should librdkafka give it up, or forget about it: after
/// brokers were away it may deliver nothing any more, though they are back.
///
/// It is also replaced when a record has waited for too long. All that still waits is forgotten
/// then, and has an unknown outcome. librdkafka's own time limit would take out the late records
/// alone, and send those after them again as if they were new; but they may be there already.
pub(super) struct Producer {
    config: ClientConfig,
    health: Arc<Health>,
    current: RwLock<Arc<BaseProducer<Deliveries>>>,
}

impl Producer {
    pub fn new(config: ClientConfig, health: &Arc<Health>) -> Result<Producer, LogError> {
        let current = RwLock::new(start(&config, health, Progress::new(Instant::now()))?);
        Ok(Producer { config, health: health.clone(), current })
    }

    /// Queues a record and returns at once.
    pub fn send(&self, outgoing: Outgoing, purpose: Purpose) -> Result<(), RDKafkaErrorCode> {
        let Outgoing { topic, partition, key, value, headers } = outgoing;
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        // Held until the record is counted: it may be delivered at once.
        let mut progress = lock(&current.context().progress);
        let at = progress.stamp(now);
        let sent = Box::new(Sent { purpose, at });
        let mut record = BaseRecord::with_opaque_to(topic, sent).partition(partition);
        record.key = key;
        record.payload = value;
        record.headers = headers;
        let Err((error, _)) = current.send(record) else {
            progress.sends(at, now);
            return Ok(());
        };
        let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
        if code == RDKafkaErrorCode::Fatal {
            current.context().given_up.store(true, Ordering::SeqCst);
        }
        // One that is too large says nothing about whether others would arrive.
        if code != RDKafkaErrorCode::MessageSizeTooLarge {
            progress.takes_nothing(now);
        }
        Err(code)
    }

    /// Waits until all that was queued is delivered or has failed; says whether it is.
    pub fn flush(&self, patience: Duration) -> bool {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner).clone();
        current.flush(patience).is_ok()
    }

    /// To be called now and then. After a fatal error librdkafka takes nothing more, and a producer
    /// that is stalled delivers nothing. What waited has an unknown outcome then, and those who wait
    /// for it hear so.
    pub fn replace_if_useless(&self) {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner).clone();
        let given_up = current.context().given_up.load(Ordering::SeqCst);
        let now = Instant::now();
        let mut progress = lock(&current.context().progress);
        let is_stalled = progress.is_stalled(self.health.is_up(), now);
        let is_overdue = progress.is_overdue(now);
        if !given_up && !is_stalled && !is_overdue {
            return;
        }
        let next = progress.of_next(now);
        drop(progress);
        drop(current);
        match start(&self.config, &self.health, next) {
            Ok(new) => {
                tracing::warn!(given_up, is_stalled, is_overdue, "a producer is replaced");
                let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
                let old = std::mem::replace(&mut *current, new);
                // Nobody waits for the lock while the old one ends.
                drop(current);
                old.purge(PurgeConfig::default().queue().inflight());
            }
            Err(error) => tracing::error!(%error, "there is no new producer"),
        }
    }

    /// As if nothing had been delivered for long.
    #[cfg(test)]
    pub fn stall(&self) {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        lock(&current.context().progress).stall();
    }

    #[cfg(test)]
    pub fn give_up(&self) {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the client lives as long as the guard, and the reason is a C string.
        unsafe {
            rdkafka::bindings::rd_kafka_test_fatal_error(
                current.client().native_ptr(),
                rdkafka::types::RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
                c"a test".as_ptr(),
            );
        }
    }
}

/// A producer with a thread of its own for deliveries, which goes on until nobody else holds it.
fn start(
    config: &ClientConfig,
    health: &Arc<Health>,
    progress: Progress,
) -> Result<Arc<BaseProducer<Deliveries>>, LogError> {
    let (health, progress) = (health.clone(), Mutex::new(progress));
    let deliveries = Deliveries { health, progress, given_up: AtomicBool::new(false) };
    let producer: BaseProducer<_> = config
        .create_with_context(deliveries)
        .map_err(|error| LogError(format!("cannot start a producer: {error}")))?;
    let producer = Arc::new(producer);
    let polled = Arc::downgrade(&producer);
    spawn("kafka-deliver", move || {
        while let Some(producer) = polled.upgrade() {
            producer.poll(POLL);
        }
    })?;
    Ok(producer)
}

/// Hears what became of each record, on the producer's thread.
struct Deliveries {
    health: Arc<Health>,
    progress: Mutex<Progress>,
    given_up: AtomicBool,
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) {
            tracing::error!(reason, "the producer failed");
            self.given_up.store(true, Ordering::SeqCst);
        }
        client::heard_error(Some(&self.health), &error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<Sent>;

    fn delivery(&self, delivery: &DeliveryResult, sent: Box<Sent>) {
        let Sent { purpose, at } = *sent;
        if delivery.is_ok() {
            self.health.answered();
        }
        let code = delivery.as_ref().err().and_then(|(error, _)| error.rdkafka_error_code());
        lock(&self.progress).settles(at, !code.is_some_and(is_our_own), Instant::now());
        match (purpose, delivery) {
            (Purpose::Append(outcome), Ok(message)) => {
                count::appended(1);
                outcome(Ok(message.offset()));
            }
            (Purpose::Append(outcome), Err((error, message))) => {
                count::failed(1);
                let why = error.to_string();
                let failure = if code == Some(RDKafkaErrorCode::MessageSizeTooLarge) {
                    AppendError::TooLarge
                } else if surely_not_there(code, message) {
                    AppendError::NotDone(why)
                } else {
                    AppendError::Unknown(why)
                };
                outcome(Err(failure));
            }
            (Purpose::Tell(channel), Err(_)) => count::dropped(channel),
            (Purpose::Quarantine(None), Err((error, _))) => {
                tracing::warn!(%error, "an unreadable entry was not copied to quarantine");
            }
            (Purpose::Quarantine(Some(waiting)), outcome) => {
                let outcome = outcome.as_ref().map(drop);
                let failed = |(error, _): &(KafkaError, _)| AppendError::Unknown(error.to_string());
                // Who no longer waits reads it again.
                let _ = waiting.send(outcome.map_err(failed));
            }
            (Purpose::Tell(_) | Purpose::Quarantine(None), Ok(_)) => {}
        }
    }
}

/// Whether a record failed without a word from its broker.
fn is_our_own(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode::{
        BrokerTransportFailure, MessageTimedOut, PurgeInflight, PurgeQueue, UnknownPartition,
        UnknownTopic,
    };
    matches!(
        code,
        BrokerTransportFailure
            | MessageTimedOut
            | PurgeInflight
            | PurgeQueue
            | UnknownPartition
            | UnknownTopic
    )
}

/// Whether a record that failed was refused by its broker for what it is. Any other may be there,
/// whatever librdkafka says: a broker that is stopping refuses what it has written.
fn surely_not_there(code: Option<RDKafkaErrorCode>, message: &BorrowedMessage) -> bool {
    use RDKafkaErrorCode::{
        ClusterAuthorizationFailed, InvalidRecord, InvalidTimestamp, TopicAuthorizationFailed,
    };
    let is_verdict = matches!(
        code,
        Some(
            ClusterAuthorizationFailed
                | InvalidRecord
                | InvalidTimestamp
                | TopicAuthorizationFailed
        )
    );
    if !is_verdict {
        return false;
    }
    // SAFETY: the pointer is that of a live message from a delivery report, as is asked for.
    let status = unsafe { rd_kafka_message_status(message.ptr()) };
    status == rd_kafka_msg_status_t::RD_KAFKA_MSG_STATUS_NOT_PERSISTED
}

/// Where a record was that nobody could read, or that was refused.
pub(super) struct Origin<'a> {
    pub topic: &'a str,
    pub partition: u16,
    pub offset: i64,
}

/// Sends a copy, with where it came from and why in its headers.
pub(super) fn quarantine(
    shared: &Shared,
    origin: &Origin,
    (key, value): (Option<&[u8]>, Option<&[u8]>),
    reason: &str,
    waiting: Option<oneshot::Sender<Result<(), AppendError>>>,
) -> Result<(), RDKafkaErrorCode> {
    let (partition, offset) = (origin.partition.to_string(), origin.offset.to_string());
    let headers = OwnedHeaders::new()
        .insert(Header { key: "reason", value: Some(reason) })
        .insert(Header { key: "topic", value: Some(origin.topic) })
        .insert(Header { key: "partition", value: Some(&partition) })
        .insert(Header { key: "offset", value: Some(&offset) });
    let topic = &shared.names.quarantine;
    let outgoing = Outgoing { topic, partition: 0, key, value, headers: Some(headers) };
    shared.producer.send(outgoing, Purpose::Quarantine(waiting))
}
