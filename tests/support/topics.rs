//! The topics of a cluster, as other programs see them: written to as by `kafka-console-producer`,
//! read as by `kafka-console-consumer` and `kafka-consumer-groups`.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use reqwest::Method;
use serde_json::Value;

use super::{Answer, Person, SOON, Services, within};

/// A cluster under load takes its time to post hundreds of lines, or to notice a crash.
const A_WHILE: Duration = Duration::from_secs(120);

pub struct Topics {
    services: Services,
    producer: FutureProducer,
}

/// Where a record stands.
pub type Place = (String, i32, i64);

/// A copy in quarantine.
#[derive(Debug, PartialEq)]
pub struct Copy {
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub reason: String,
}

impl Topics {
    pub fn new(services: Services) -> Topics {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &services.brokers).set("linger.ms", "1");
        let producer = config.create().expect("a producer");
        Topics { services, producer }
    }

    pub fn name(&self, topic: &str) -> String {
        format!("{}-{topic}", self.services.prefix)
    }

    pub async fn write(&self, topic: &str, key: Option<&[u8]>, value: Option<&[u8]>) -> Place {
        let name = self.name(topic);
        let mut record = FutureRecord::<[u8], [u8]>::to(&name);
        (record.key, record.payload) = (key, value);
        let written = self.producer.send(record, SOON).await.expect("it is written");
        (name, written.partition, written.offset)
    }

    /// A line of JSON, as from the console.
    pub async fn line(&self, key: Option<&str>, value: Value) -> Place {
        let value = value.to_string();
        self.write("inbound", key.map(str::as_bytes), Some(value.as_bytes())).await
    }

    /// Everything in quarantine by the place where it was, each with all its copies.
    pub fn quarantined(&self) -> HashMap<Place, Vec<Copy>> {
        let consumer = self.reader();
        let topic = self.name("quarantine");
        let (_, end) = consumer.fetch_watermarks(&topic, 0, SOON).expect("the ends");
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&topic, 0, Offset::Beginning).expect("a partition");
        consumer.assign(&list).expect("an assignment");
        let mut found: HashMap<Place, Vec<Copy>> = HashMap::new();
        let mut next = 0;
        while next < end {
            let message = consumer.poll(SOON).expect("a copy").expect("a copy");
            next = message.offset() + 1;
            let headers: BTreeMap<String, String> = message
                .headers()
                .expect("headers")
                .iter()
                .map(|header| {
                    let text = String::from_utf8_lossy(header.value.expect("a value"));
                    (header.key.to_owned(), text.into_owned())
                })
                .collect();
            let number = |name: &str| headers[name].parse::<i64>().expect("a number");
            let place = (headers["topic"].clone(), number("partition") as i32, number("offset"));
            let copy = Copy {
                key: message.key().map(<[u8]>::to_vec),
                value: message.payload().map(<[u8]>::to_vec),
                reason: headers["reason"].clone(),
            };
            found.entry(place).or_default().push(copy);
        }
        found
    }

    /// How much of the inbound topic the group has not settled yet, as the usual tools show it.
    pub fn lag(&self) -> i64 {
        let consumer = self.reader();
        let topic = self.name("inbound");
        let metadata = consumer.fetch_metadata(Some(&topic), SOON).expect("metadata");
        let mut list = TopicPartitionList::new();
        for partition in metadata.topics()[0].partitions() {
            list.add_partition(&topic, partition.id());
        }
        let committed = consumer.committed_offsets(list, SOON).expect("the group's offsets");
        let lag_of = |partition: i32, offset: Offset| {
            let (_, end) = consumer.fetch_watermarks(&topic, partition, SOON).expect("the ends");
            match offset {
                Offset::Offset(offset) => end - offset,
                _ => end,
            }
        };
        committed.elements().iter().map(|one| lag_of(one.partition(), one.offset())).sum()
    }

    fn reader(&self) -> BaseConsumer {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.services.brokers)
            .set("group.id", self.name("inbound"))
            .set("enable.auto.commit", "false");
        config.create().expect("a consumer")
    }

    /// Waits until there is a copy of what stood here; returns it. There may be two of them where
    /// the group changed hands before the offset was committed, as when an instance has just come.
    pub async fn copy_of(&self, place: &Place) -> Copy {
        within(A_WHILE, &format!("a copy of {place:?}"), async || {
            let mut copies = self.quarantined().remove(place)?;
            let copy = copies.pop()?;
            assert!(copies.len() <= 1, "{place:?} was copied {} times", copies.len() + 1);
            assert!(copies.iter().all(|other| *other == copy), "{place:?}: {copies:?}");
            Some(copy)
        })
        .await
    }

    /// Waits until all that is inbound was dealt with.
    pub async fn settled(&self) {
        within(A_WHILE, "the group to have no lag", async || (self.lag() == 0).then_some(())).await;
    }
}

/// The texts of a group, oldest first, as the simple API lists them.
pub async fn texts(person: &Person, group: &str) -> Vec<String> {
    texts_of(list(person, group).await)
}

fn texts_of(list: Answer) -> Vec<String> {
    let list = list.expect(200);
    let lines = list.as_array().expect("a list").iter();
    lines.map(|line| line["message"].as_str().expect("a text").to_owned()).collect()
}

async fn list(person: &Person, group: &str) -> Answer {
    person.request(Method::GET, &format!("/messages/{group}")).send().await
}

/// Waits until a group has these texts and no others, also while it cannot be read.
pub async fn until_texts(person: &Person, group: &str, expected: &[String]) {
    let what = format!("{} texts in group {group}", expected.len());
    within(A_WHILE, &what, async || {
        let list = list(person, group).await;
        if list.status == 503 {
            return None;
        }
        let texts = texts_of(list);
        assert!(texts.len() <= expected.len(), "more than was written: {texts:?}");
        (texts.len() == expected.len()).then(|| assert_eq!(texts, expected))
    })
    .await;
}
