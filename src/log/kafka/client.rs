//! What all clients of the brokers have in common: properties, logging, and whether the brokers
//! can be reached.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{ClientConfig, ClientContext};

use super::KafkaSettings;
use crate::log::{LogError, lock};

/// The least that librdkafka takes for `message.max.bytes`.
const LEAST_BYTES: usize = 1_000;
/// Without any answer for so long, the brokers count as down. The probe asks twice a second.
const DOWN_AFTER: Duration = Duration::from_millis(2_500);

/// Properties of every client.
pub(super) fn config(settings: &KafkaSettings) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &settings.brokers)
        .set("client.id", format!("rookery-{}", settings.instance))
        .set("socket.nagle.disable", "true")
        .set("socket.keepalive.enable", "true")
        // A request to a broker that hangs gives up after this, and connects anew.
        .set("socket.timeout.ms", "6000")
        .set("socket.connection.setup.timeout.ms", "3000")
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "500");
    for (name, value) in &settings.extra {
        config.set(name, value);
    }
    config
}

/// A client that asks about topics and offsets, and consumes nothing.
pub(super) fn probe(
    config: &ClientConfig,
    health: &Arc<Health>,
) -> Result<BaseConsumer<Context>, LogError> {
    let mut config = config.clone();
    // In the messages topic the end is the end, whatever another program's transaction is up to.
    config.set("isolation.level", "read_uncommitted");
    config
        .create_with_context(Context::telling(health))
        .map_err(|error| LogError(format!("cannot start a client of Kafka: {error}")))
}

/// Appends: no entry twice, none out of order, none acknowledged before all replicas have it.
/// A batch of them has at most so many bytes.
pub(super) fn for_log(config: &ClientConfig, batch_bytes: usize) -> ClientConfig {
    let mut producer = ours(
        config,
        &[
            // Small messages, too, would be refused together that are too large for their topic.
            ("message.max.bytes", &batch_bytes.max(LEAST_BYTES).to_string()),
            ("linger.ms", "0.5"),
            ("compression.type", "lz4"),
            ("queue.buffering.max.messages", "100000"),
            ("queue.buffering.max.kbytes", "65536"),
        ],
    );
    producer.set("enable.idempotence", "true").set("acks", "all");
    // Never reached: the producer is replaced long before. After it, librdkafka would send again,
    // as if they were new, records that may be there already.
    producer.set("message.timeout.ms", "120000");
    producer
}

/// The bus: what is lost is told again before long, but never out of order. It waits a little for
/// company: where thousands come back, each of them has something to tell.
pub(super) fn for_bus(config: &ClientConfig) -> ClientConfig {
    ours(
        config,
        &[
            ("linger.ms", "10"),
            ("acks", "1"),
            ("max.in.flight", "1"),
            ("queue.buffering.max.messages", "20000"),
            ("queue.buffering.max.kbytes", "16384"),
            ("message.timeout.ms", "5000"),
        ],
    )
}

/// A consumer whose partitions are assigned by hand. librdkafka wants a group's name even so;
/// it is never joined.
pub(super) fn for_reading(config: &ClientConfig, group: &str) -> ClientConfig {
    ours(
        config,
        &[
            ("group.id", group),
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            // Where to go on is for us to decide, and to say.
            ("auto.offset.reset", "error"),
            ("isolation.level", "read_uncommitted"),
            // Answered at once when there is something; an idle instance asks twice a second.
            ("fetch.wait.max.ms", "500"),
            ("fetch.error.backoff.ms", "50"),
            ("fetch.queue.backoff.ms", "20"),
            ("queued.min.messages", "10000"),
            ("queued.max.messages.kbytes", "16384"),
        ],
    )
}

/// Properties on top, unless the settings name them already.
pub(super) fn ours(config: &ClientConfig, properties: &[(&str, &str)]) -> ClientConfig {
    let mut config = config.clone();
    for (name, value) in properties {
        if config.get(name).is_none() {
            config.set(*name, *value);
        }
    }
    config
}

/// Whether the brokers answer. Told by the probe, by deliveries and by librdkafka's errors.
pub(super) struct Health {
    started: Instant,
    /// Milliseconds from `started` to the last answer.
    answered: AtomicU64,
    /// All connections are gone, and none has answered since.
    cut_off: AtomicBool,
    /// What librdkafka said last about why.
    reason: Mutex<String>,
    was_up: AtomicBool,
}

impl Default for Health {
    fn default() -> Health {
        Health {
            started: Instant::now(),
            answered: AtomicU64::new(0),
            cut_off: AtomicBool::new(false),
            reason: Mutex::default(),
            was_up: AtomicBool::new(true),
        }
    }
}

impl Health {
    pub fn is_up(&self) -> bool {
        let answered = Duration::from_millis(self.answered.load(Ordering::SeqCst));
        let silence = self.started.elapsed().saturating_sub(answered);
        !self.cut_off.load(Ordering::SeqCst) && silence < DOWN_AFTER
    }

    pub fn answered(&self) {
        let now = self.started.elapsed().as_millis() as u64;
        self.answered.fetch_max(now, Ordering::SeqCst);
        self.cut_off.store(false, Ordering::SeqCst);
    }

    pub fn cut_off(&self) {
        self.cut_off.store(true, Ordering::SeqCst);
    }

    /// Says so once when the brokers are lost, and when they are back.
    pub fn report(&self, brokers: &str) {
        let is_up = self.is_up();
        match (self.was_up.swap(is_up, Ordering::SeqCst), is_up) {
            (true, false) => {
                let reason = lock(&self.reason);
                tracing::error!(brokers, %reason, "Kafka cannot be reached");
            }
            (false, true) => {
                lock(&self.reason).clear();
                tracing::info!(brokers, "Kafka can be reached again");
            }
            _ => {}
        }
    }
}

/// Receives what a client has to say.
pub(super) struct Context {
    /// Only for clients that are polled all the time: others would tell old news.
    health: Option<Arc<Health>>,
}

impl Context {
    pub fn telling(health: &Arc<Health>) -> Context {
        Context { health: Some(health.clone()) }
    }

    pub fn quiet() -> Context {
        Context { health: None }
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        heard_error(self.health.as_deref(), &error, reason);
    }
}

impl ConsumerContext for Context {}

/// librdkafka calls a lost connection an error, and every client tells of each attempt. It mends
/// that itself, and `Health` says once what an operator should know.
pub(super) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    use RDKafkaLogLevel::*;
    match level {
        _ if matches!(facility, "FAIL" | "REQTMOUT" | "GETPID" | "METADATAUPDATE") => {
            tracing::debug!(facility, "librdkafka: {message}");
        }
        Emerg | Alert | Critical => tracing::error!(facility, "librdkafka: {message}"),
        Error | Warning => tracing::warn!(facility, "librdkafka: {message}"),
        Notice | Info => tracing::info!(facility, "librdkafka: {message}"),
        Debug => tracing::debug!(facility, "librdkafka: {message}"),
    }
}

pub(super) fn heard_error(health: Option<&Health>, error: &KafkaError, reason: &str) {
    if let Some(health) = health {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AllBrokersDown) => health.cut_off(),
            _ => reason.clone_into(&mut lock(&health.reason)),
        }
    }
    tracing::debug!(%error, reason, "librdkafka");
}
