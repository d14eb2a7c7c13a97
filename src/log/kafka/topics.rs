//! The topics: their names, and making those that are missing.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientConfig, Offset};

use super::client::{Context, Health};
use super::ends::offsets;
use super::{AROUND, KafkaSettings};
use crate::log::LogError;

/// How long a start waits for the first answer of a broker, and for each step of making topics.
const FIRST_ANSWER: Duration = Duration::from_secs(5);
const MAKING: Duration = Duration::from_secs(20);

/// The property of a topic that bounds its batches, and so its entries.
const BATCH_BYTES: &str = "max.message.bytes";

/// The broker's time, since it refuses what an instance writes whose own clock is an hour ahead.
const WHOSE_TIME: &str = "message.timestamp.type";

const MINUTE_MS: i64 = 60_000;

pub(super) struct Names {
    pub messages: String,
    pub presence: String,
    pub signals: String,
    /// What other programs write for us to post.
    pub inbound: String,
    pub quarantine: String,
    /// The consumer group of the persisters.
    pub group: String,
    /// The consumer group of those who post what is inbound.
    pub inbound_group: String,
}

impl Names {
    pub fn new(prefix: &str) -> Names {
        Names {
            messages: format!("{prefix}-messages"),
            presence: format!("{prefix}-presence"),
            signals: format!("{prefix}-signals"),
            inbound: format!("{prefix}-inbound"),
            quarantine: format!("{prefix}-quarantine"),
            group: format!("{prefix}-persistence"),
            inbound_group: format!("{prefix}-inbound"),
        }
    }
}

/// Makes what is missing, and says whether the messages topic was made just now. Several
/// instances may do this at once: only one of them makes a topic.
pub(super) fn ensure(
    settings: &KafkaSettings,
    config: &ClientConfig,
    health: &Arc<Health>,
    names: &Names,
    probe: &BaseConsumer<Context>,
) -> Result<Ensured, LogError> {
    let mut missing = Vec::new();
    for topic in plan(settings, names) {
        if partitions(settings, probe, &topic.name, FIRST_ANSWER)? == Found::Missing {
            missing.push(topic);
        }
    }
    let made = if missing.is_empty() {
        Vec::new()
    } else {
        make(settings, config, health, probe, &missing)?
    };
    for topic in plan(settings, names) {
        let found = wait_until_ready(settings, probe, &topic.name)?;
        if topic.name == names.messages && found != settings.partitions {
            return Err(LogError(format!(
                "topic {} has {found} partitions, and the settings say {}; rooms are spread over \
                 them, so set the partitions to {found}",
                topic.name, settings.partitions
            )));
        }
    }
    let is_new = made.contains(&names.messages);
    let batch_bytes = match is_new {
        true => settings.message_bytes(),
        false => bytes_of_batches(settings, config, health, &names.messages),
    };
    health.answered();
    Ok(Ensured { is_new, batch_bytes })
}

/// What is known of the topics once they are all there.
pub(super) struct Ensured {
    /// The topic of the messages was made just now.
    pub is_new: bool,
    /// Bytes of the largest batch that goes into it.
    pub batch_bytes: usize,
}

/// A topic as it should be made.
struct Plan {
    name: String,
    partitions: u16,
    config: Vec<(&'static str, String)>,
}

fn plan(settings: &KafkaSettings, names: &Names) -> [Plan; 5] {
    let keep =
        |ms: i64| vec![("cleanup.policy", "delete".to_owned()), ("retention.ms", ms.to_string())];
    let mut messages = keep(settings.message_retention_ms);
    messages.push(("retention.bytes", "-1".to_owned()));
    messages.push((BATCH_BYTES, settings.message_bytes().to_string()));
    let mut signals = keep(10 * MINUTE_MS);
    signals.push(("segment.ms", (5 * MINUTE_MS).to_string()));
    // Small segments: only those that are no longer written to are compacted.
    let mut presence = vec![
        ("cleanup.policy", "compact".to_owned()),
        ("segment.ms", MINUTE_MS.to_string()),
        ("min.cleanable.dirty.ratio", "0.01".to_owned()),
        ("delete.retention.ms", (10 * MINUTE_MS).to_string()),
    ];
    let inbound = keep(24 * 60 * MINUTE_MS);
    let mut quarantine = keep(14 * 24 * 60 * MINUTE_MS);
    quarantine.push((BATCH_BYTES, settings.message_bytes().to_string()));
    for ours in [&mut messages, &mut presence, &mut signals, &mut quarantine] {
        ours.push((WHOSE_TIME, "LogAppendTime".to_owned()));
    }
    [
        Plan { name: names.messages.clone(), partitions: settings.partitions, config: messages },
        Plan { name: names.presence.clone(), partitions: 1, config: presence },
        Plan { name: names.signals.clone(), partitions: 1, config: signals },
        Plan { name: names.inbound.clone(), partitions: settings.partitions, config: inbound },
        Plan { name: names.quarantine.clone(), partitions: 1, config: quarantine },
    ]
}

#[derive(PartialEq, Eq)]
enum Found {
    Missing,
    /// Made, but not every partition has a leader yet.
    Starting,
    Ready(u16),
}

fn partitions(
    settings: &KafkaSettings,
    probe: &BaseConsumer<Context>,
    topic: &str,
    patience: Duration,
) -> Result<Found, LogError> {
    let metadata = probe.fetch_metadata(Some(topic), patience).map_err(|error| {
        let brokers = &settings.brokers;
        LogError(format!("cannot reach Kafka at {brokers}: {error}"))
    })?;
    let Some(topic) = metadata.topics().first() else { return Ok(Found::Missing) };
    match topic.error() {
        None => {}
        Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) => return Ok(Found::Missing),
        Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) => return Ok(Found::Starting),
        Some(error) => {
            let error = RDKafkaErrorCode::from(error);
            return Err(LogError(format!("topic {}: {error}", topic.name())));
        }
    }
    let led = topic.partitions().iter().all(|partition| partition.leader() >= 0);
    match u16::try_from(topic.partitions().len()) {
        Ok(0) => Ok(Found::Missing),
        Ok(count) if led => Ok(Found::Ready(count)),
        Ok(_) => Ok(Found::Starting),
        Err(_) => Err(LogError(format!("topic {} has too many partitions", topic.name()))),
    }
}

/// What the largest entry needs, or less where a topic that was there before takes smaller batches.
fn bytes_of_batches(
    settings: &KafkaSettings,
    config: &ClientConfig,
    health: &Arc<Health>,
    topic: &str,
) -> usize {
    let needed = settings.message_bytes();
    match batch_bytes(config, health, topic) {
        Ok(Some(found)) if found < needed => {
            tracing::warn!(
                topic,
                "{BATCH_BYTES} of the topic is {found}, so large groups cannot be made at once; \
                 set it to {needed}"
            );
            return found.saturating_sub(AROUND);
        }
        Ok(_) => {}
        // As where this client may not look at the topic's properties.
        Err(error) => tracing::info!(topic, %error, "{BATCH_BYTES} of the topic is not known"),
    }
    needed
}

fn batch_bytes(
    config: &ClientConfig,
    health: &Arc<Health>,
    topic: &str,
) -> Result<Option<usize>, LogError> {
    let cannot = |error: &dyn std::fmt::Display| LogError(format!("cannot ask: {error}"));
    let admin: AdminClient<Context> =
        config.create_with_context(Context::telling(health)).map_err(|error| cannot(&error))?;
    let options = AdminOptions::new().request_timeout(Some(FIRST_ANSWER));
    let topics = [ResourceSpecifier::Topic(topic)];
    // This thread is our own, so it may wait.
    let waiting =
        tokio::runtime::Builder::new_current_thread().build().map_err(|error| cannot(&error))?;
    let told = waiting.block_on(admin.describe_configs(&topics, &options));
    let told = told.map_err(|error| cannot(&error))?.pop();
    let properties = told.transpose().map_err(|error| cannot(&error))?;
    let value = properties.and_then(|all| all.get(BATCH_BYTES).and_then(|one| one.value.clone()));
    Ok(value.and_then(|value| value.parse().ok()))
}

/// A topic that was made takes a moment to be known everywhere, by the brokers that lead it too.
fn wait_until_ready(
    settings: &KafkaSettings,
    probe: &BaseConsumer<Context>,
    topic: &str,
) -> Result<u16, LogError> {
    let deadline = Instant::now() + MAKING;
    loop {
        if let Found::Ready(count) = partitions(settings, probe, topic, FIRST_ANSWER)?
            && offsets(probe, topic, &(0..count).collect::<Vec<_>>(), Offset::End).is_ok()
        {
            return Ok(count);
        }
        if Instant::now() > deadline {
            return Err(LogError(format!("topic {topic} has partitions that no broker leads")));
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// Returns the names of those made by this call.
fn make(
    settings: &KafkaSettings,
    config: &ClientConfig,
    health: &Arc<Health>,
    probe: &BaseConsumer<Context>,
    missing: &[Plan],
) -> Result<Vec<String>, LogError> {
    // As many copies as the brokers make by default; brokers before 2.4 want a number.
    let defaults = make_with(config, health, missing, -1)?;
    let unclear = |code| {
        matches!(
            code,
            RDKafkaErrorCode::InvalidReplicationFactor | RDKafkaErrorCode::UnsupportedFeature
        )
    };
    let again: Vec<&Plan> = missing
        .iter()
        .zip(&defaults)
        .filter(|(_, result)| matches!(result, Err(code) if unclear(*code)))
        .map(|(plan, _)| plan)
        .collect();
    let mut results: Vec<_> = missing.iter().zip(defaults).collect();
    if !again.is_empty() {
        let metadata = probe.fetch_metadata(None, FIRST_ANSWER);
        let brokers = metadata.map_or(1, |metadata| metadata.brokers().len()).min(3);
        let made = make_with(config, health, again.iter().copied(), brokers as i32)?;
        results.retain(|(_, result)| !matches!(result, Err(code) if unclear(*code)));
        results.extend(again.into_iter().zip(made));
    }

    let mut made = Vec::new();
    for (plan, result) in results {
        let (topic, partitions) = (&plan.name, plan.partitions);
        match result {
            Ok(()) => {
                tracing::info!(topic, partitions, "made a topic that was missing");
                made.push(topic.clone());
            }
            // Another instance that starts right now.
            Err(RDKafkaErrorCode::TopicAlreadyExists) => {}
            Err(error) => {
                let brokers = &settings.brokers;
                let topic = LogError(format!("cannot make topic {topic} at {brokers}: {error}"));
                return Err(topic);
            }
        }
    }
    Ok(made)
}

fn make_with<'a>(
    config: &ClientConfig,
    health: &Arc<Health>,
    missing: impl IntoIterator<Item = &'a Plan>,
    replicas: i32,
) -> Result<Vec<Result<(), RDKafkaErrorCode>>, LogError> {
    let cannot = |error: &dyn std::fmt::Display| LogError(format!("cannot make topics: {error}"));
    let admin: AdminClient<Context> =
        config.create_with_context(Context::telling(health)).map_err(|error| cannot(&error))?;
    let topics: Vec<NewTopic> = missing
        .into_iter()
        .map(|plan| {
            let replicas = TopicReplication::Fixed(replicas);
            let topic = NewTopic::new(&plan.name, plan.partitions.into(), replicas);
            plan.config.iter().fold(topic, |topic, (name, value)| topic.set(name, value))
        })
        .collect();
    let options = AdminOptions::new().request_timeout(Some(MAKING)).operation_timeout(Some(MAKING));
    // This thread is our own, so it may wait.
    let waiting =
        tokio::runtime::Builder::new_current_thread().build().map_err(|error| cannot(&error))?;
    let results =
        waiting.block_on(admin.create_topics(&topics, &options)).map_err(|error| cannot(&error))?;
    // Answers come in the order of the request, but the names are what counts.
    Ok(topics
        .iter()
        .map(|topic| {
            let error = results.iter().find_map(|result| match result {
                Err((name, code)) if name == topic.name => Some(*code),
                _ => None,
            });
            error.map_or(Ok(()), Err)
        })
        .collect())
}
