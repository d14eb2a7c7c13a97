//! Records that no hub wrote, put into the topics of a running cluster: cut short, said twice, too
//! large, of a version to come, or nonsense. Nothing of it may stop or change anything.
//!
//! What is well-formed and new would be believed, as the log is for instances alone to write. So
//! what is repeated here are messages that carry a `client_id`, by which a repeat is known.

// Every program that uses it has its own part of this.
#![allow(dead_code)]

use std::collections::BTreeMap;

use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ConfigSource, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rookery::guarantees::dice::Dice;
use serde_json::{Value, json};

use crate::topic::{FOREIGN, Real, SOON, newest};

/// Real records that are looked at in each partition, the newest.
const LOOKED_AT: i64 = 200;
/// Records of each kind for each topic, at the most.
const EACH: usize = 12;
/// Partitions of a hub's topics, by default.
const PARTITIONS: i32 = 12;
/// Records in another partition than their room's, at the most.
const MOST_MISPLACED: usize = 400;
/// What a record takes beside its key and value.
const AROUND: usize = 200;
const SIZE: &str = "max.message.bytes";
/// What the largest records grow to when the same topic is poisoned again and again.
const LARGEST: usize = 16 << 20;

/// Where a record stands: topic, partition, offset.
pub type Place = (String, i32, i64);

/// What was put where.
#[derive(Debug, Default)]
pub struct Poisoned {
    /// How many records of each kind: `truncated`, `repeated`, `misplaced`, `oversized`,
    /// `too large`, `future version`, `nonsense`, `tombstone`.
    pub counts: BTreeMap<&'static str, usize>,
    /// Those that the hub has to copy into its quarantine.
    pub to_quarantine: Vec<Place>,
    /// Those that are larger than a copy in quarantine may be; nobody has to copy them.
    pub too_large: Vec<Place>,
}

struct Poisoner {
    producer: FutureProducer,
    admin: AdminClient<DefaultClientContext>,
    prefix: String,
    dice: Dice,
    poisoned: Poisoned,
}

/// Puts some of each kind into every topic that has this prefix and is read by the hub. `rooms` are
/// rooms that exist, at least one; people should have spoken in them, with a `client_id`.
pub async fn into(brokers: &str, prefix: &str, seed: u64, rooms: &[String]) -> Poisoned {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers);
    let admin = config.create().expect("an admin client");
    config.set("linger.ms", "1").set("message.max.bytes", "40000000");
    let mut poisoner = Poisoner {
        producer: config.create().expect("a producer"),
        admin,
        prefix: prefix.to_owned(),
        dice: Dice::new(seed),
        poisoned: Poisoned::default(),
    };
    for topic in ["messages", "presence", "signals", "inbound"] {
        let name = format!("{prefix}-{topic}");
        let (brokers, read) = (brokers.to_owned(), name.clone());
        let real = tokio::task::spawn_blocking(move || newest(&brokers, &read, LOOKED_AT)).await;
        let real = real.unwrap_or_else(|error| panic!("{name} cannot be read: {error}"));
        poisoner.topic(topic, &real, rooms).await;
    }
    poisoner.larger_than_the_hub_allows(rooms).await;
    poisoner.poisoned
}

impl Poisoner {
    async fn topic(&mut self, topic: &'static str, real: &[Real], rooms: &[String]) {
        for _ in 0..EACH.min(real.len()) {
            let real = self.dice.one_of(real).clone();
            self.truncated(topic, &real).await;
            self.of_the_future(topic, &real).await;
        }
        let repeatable: Vec<Real> =
            real.iter().filter(|real| can_repeat(topic, real)).cloned().collect();
        for _ in 0..EACH.min(repeatable.len()) {
            let real = self.dice.one_of(&repeatable).clone();
            // Byte for byte, where the first one stands.
            let key = real.key.as_deref();
            self.write("repeated", topic, Some(real.partition), key, Some(&real.value)).await;
        }
        if topic == "messages" {
            let own: Vec<Real> = repeatable.into_iter().filter(|real| !real.is_foreign).collect();
            self.misplaced(&own).await;
        }
        for _ in 0..EACH {
            self.nonsense(topic, rooms).await;
        }
        let size = self.size_of(topic).await;
        let room = self.dice.one_of(rooms).clone();
        // Where a topic is compacted, a record has to have a key; a slash makes this one no lease.
        let key = if topic == "presence" { format!("nobody/{room}") } else { room };
        let large = vec![b'{'; size - key.len() - AROUND];
        self.write("oversized", topic, None, Some(key.as_bytes()), Some(&large)).await;
    }

    /// By a program that spreads keys over the partitions in another way: all of a room's go to one
    /// other partition, until they are past everything that the room has in its own.
    async fn misplaced(&mut self, real: &[Real]) {
        let real = self.dice.one_of(real).clone();
        let elsewhere = (real.partition + 1) % PARTITIONS;
        let (key, value) = (real.key.as_deref(), Some(real.value.as_slice()));
        for _ in 0..MOST_MISPLACED {
            self.write("misplaced", "messages", Some(elsewhere), key, value).await;
            let (_, _, offset) = self.poisoned.to_quarantine.last().expect("the one just written");
            if *offset > real.offset + LOOKED_AT {
                return;
            }
        }
    }

    /// No beginning of a JSON object is one.
    async fn truncated(&mut self, topic: &'static str, real: &Real) {
        if topic == "presence" || real.value.len() < 2 {
            // A person's value that cannot be read means online: a statement, and no poison.
            return;
        }
        let some = self.dice.between(1, real.value.len());
        let (key, value) = (real.key.as_deref(), Some(&real.value[..some]));
        self.write("truncated", topic, Some(real.partition), key, value).await;
    }

    async fn of_the_future(&mut self, topic: &'static str, real: &Real) {
        let Ok(mut value) = serde_json::from_slice::<Value>(&real.value) else { return };
        match topic {
            "messages" => value["v"] = json!(3 + self.dice.below(1000)),
            "signals" => value["type"] = json!("waved"),
            // What is inbound has no version, and what presence says beside a status is not read.
            _ => return,
        }
        if self.dice.chance(50) {
            value["type"] = json!("something_new");
        }
        let value = value.to_string();
        let key = real.key.as_deref();
        self.write("future version", topic, Some(real.partition), key, Some(value.as_bytes()))
            .await;
    }

    async fn nonsense(&mut self, topic: &'static str, rooms: &[String]) {
        let room = self.dice.one_of(rooms).clone();
        let mut noise = vec![0; self.dice.between(1, 2_000)];
        noise.iter_mut().for_each(|byte| *byte = self.dice.throw() as u8);
        // A key of presence that is no person's is a lease, of an instance that nobody hears of again.
        let key = match (topic, self.dice.below(4)) {
            ("presence", _) => format!("nobody/{}", self.dice.throw()).into_bytes(),
            (_, 0) => noise[..noise.len().min(40)].to_vec(),
            (_, 1) => b"0".to_vec(),
            _ => room.into_bytes(),
        };
        let keyed = topic == "presence" || self.dice.chance(75);
        let key = keyed.then_some(key.as_slice());
        if self.dice.chance(20) {
            return self.write("tombstone", topic, None, key, None).await;
        }
        let values: [&[u8]; 7] = [
            &noise,
            b"",
            b"null",
            b"[[[[[[[[",
            br#"{"type":"message"}"#,
            br#"{"type":"message","v":"one","room":7,"by":[],"at":"yesterday","id":null}"#,
            "{\"user_id\":-1,\"message\":\"\u{202e}\"}".as_bytes(),
        ];
        let value = *self.dice.one_of(&values);
        self.write("nonsense", topic, None, key, Some(value)).await;
    }

    /// The topic is made to take more than the hub made it for, as an operator might; then it gets
    /// a well-formed record of a version to come that is larger than the hub's own limit.
    async fn larger_than_the_hub_allows(&mut self, rooms: &[String]) {
        let size = self.size_of("messages").await;
        let size = size.max(LARGEST.min(size * 2));
        self.enlarge("messages", size).await;
        let room = self.dice.one_of(rooms).clone();
        let body = "x".repeat(size - AROUND * 10);
        let value = json!({"type": "message", "v": 1_000_000, "room": room, "body": body});
        let value = value.to_string();
        let (key, value) = (Some(room.as_bytes()), Some(value.as_bytes()));
        self.write("too large", "messages", None, key, value).await;
    }

    async fn write(
        &mut self,
        kind: &'static str,
        topic: &'static str,
        partition: Option<i32>,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) {
        let name = format!("{}-{topic}", self.prefix);
        let mut record = FutureRecord::<[u8], [u8]>::to(&name);
        (record.partition, record.key, record.payload) = (partition, key, value);
        record.headers =
            Some(OwnedHeaders::new().insert(Header { key: FOREIGN, value: Some(kind) }));
        let written = self.producer.send(record, SOON).await;
        let written = written.unwrap_or_else(|(error, _)| panic!("{kind} into {name}: {error}"));
        *self.poisoned.counts.entry(kind).or_default() += 1;
        let place = (name, written.partition, written.offset);
        match (topic, kind) {
            (_, "too large") => self.poisoned.too_large.push(place),
            // A copy has to fit with what is said around it.
            ("messages" | "inbound", "oversized") => self.poisoned.too_large.push(place),
            ("messages" | "inbound", kind) if kind != "repeated" => {
                self.poisoned.to_quarantine.push(place);
            }
            _ => {}
        }
    }

    async fn size_of(&self, topic: &str) -> usize {
        let settings = self.settings_of(topic).await;
        let size = settings.iter().find(|(name, ..)| name == SIZE);
        let size = size.and_then(|(_, value, _)| value.parse().ok());
        size.unwrap_or_else(|| panic!("{topic} does not say how large its records may be"))
    }

    /// Name, value, and whether it was set for this topic.
    async fn settings_of(&self, topic: &str) -> Vec<(String, String, bool)> {
        let name = format!("{}-{topic}", self.prefix);
        let asked = [ResourceSpecifier::Topic(&name)];
        let answer = self.admin.describe_configs(&asked, &AdminOptions::new()).await;
        let mut answer = answer.unwrap_or_else(|error| panic!("the settings of {name}: {error}"));
        let told = answer.pop().expect("one for each topic asked for");
        let told = told.unwrap_or_else(|error| panic!("the settings of {name}: {error}"));
        let setting = |entry: rdkafka::admin::ConfigEntry| {
            let own = entry.source == ConfigSource::DynamicTopic;
            entry.value.map(|value| (entry.name, value, own))
        };
        told.entries.into_iter().filter_map(setting).collect()
    }

    async fn enlarge(&self, topic: &str, size: usize) {
        let name = format!("{}-{topic}", self.prefix);
        let (settings, size) = (self.settings_of(topic).await, size.to_string());
        // What is not named again would fall back to the broker's default.
        let mut alter = AlterConfig::new(ResourceSpecifier::Topic(&name)).set(SIZE, &size);
        for (setting, value, own) in &settings {
            if *own && setting != SIZE {
                alter = alter.set(setting, value);
            }
        }
        let altered = self.admin.alter_configs(&[alter], &AdminOptions::new()).await;
        let altered = altered.unwrap_or_else(|error| panic!("the size of {name}: {error}")).pop();
        assert!(matches!(altered, Some(Ok(_))), "the size of {name}: {altered:?}");
    }
}

/// Whether a copy of it says nothing new. Whoever repeats what changed a room changes it again.
fn can_repeat(topic: &str, real: &Real) -> bool {
    let value = serde_json::from_slice::<Value>(&real.value).unwrap_or_default();
    match topic {
        "messages" => value["type"] == "message" && value["client_id"].is_string(),
        "signals" => value["type"] == "read" || value["type"] == "logout",
        // Leases say that an instance lives; a person's entry may be out of date by now.
        "presence" => real.key.as_ref().is_some_and(|key| !key.contains(&b'/')),
        // A line that was written again is another line.
        _ => false,
    }
}
