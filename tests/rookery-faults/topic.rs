//! What stands in a topic.

// Every program that uses it has its own part of this.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::{Offset, TopicPartitionList};

pub const SOON: Duration = Duration::from_secs(20);
/// The header of records that no hub wrote.
pub const FOREIGN: &str = "foreign";

/// A record as it stands in a topic.
#[derive(Clone)]
pub struct Real {
    pub partition: i32,
    pub offset: i64,
    pub key: Option<Vec<u8>>,
    pub value: Vec<u8>,
    /// Put there by a test.
    pub is_foreign: bool,
}

/// The newest records of each partition that have a value, at most so many, in order.
pub fn newest(brokers: &str, topic: &str, at_most: i64) -> Vec<Real> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set("group.id", "looking");
    config.set("fetch.message.max.bytes", "40000000");
    let reader: BaseConsumer =
        config.set("enable.auto.commit", "false").create().expect("a consumer");
    let metadata = reader.fetch_metadata(Some(topic), SOON).expect("metadata");
    let mut ends = BTreeMap::new();
    let mut assignment = TopicPartitionList::new();
    for partition in metadata.topics()[0].partitions() {
        let id = partition.id();
        let (first, end) = reader.fetch_watermarks(topic, id, SOON).expect("the ends");
        let from = first.max(end.saturating_sub(at_most));
        if from < end {
            let added = assignment.add_partition_offset(topic, id, Offset::Offset(from));
            added.expect("a partition");
            ends.insert(id, end);
        }
    }
    reader.assign(&assignment).expect("an assignment");
    let mut found = Vec::new();
    while !ends.is_empty() {
        // Compaction may have taken the last ones; then nothing more comes.
        let Some(polled) = reader.poll(Duration::from_secs(3)) else { break };
        let message = polled.unwrap_or_else(|error| panic!("{topic}: {error}"));
        let partition = message.partition();
        if ends.get(&partition).is_some_and(|end| message.offset() + 1 >= *end) {
            ends.remove(&partition);
        }
        if let Some(value) = message.payload() {
            let key = message.key().map(<[u8]>::to_vec);
            let mut headers = message.headers().into_iter().flat_map(Headers::iter);
            let is_foreign = headers.any(|header| header.key == FOREIGN);
            let (offset, value) = (message.offset(), value.to_vec());
            found.push(Real { partition, offset, key, value, is_foreign });
        }
    }
    found
}
