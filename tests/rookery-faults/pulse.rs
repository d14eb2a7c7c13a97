//! What Kafka itself takes for a record, there and back, past the hubs: nobody's presence can be
//! told any sooner, and no message can be acknowledged sooner.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord};
use rdkafka::{Offset, TopicPartitionList};
use rookery::guarantees::beats::Beats;

use crate::recording::Clock;
use crate::run::until;
use crate::support::unique;

const FIRST_WITHIN: Duration = Duration::from_secs(10);
/// A client that hears nothing for so long may have lost its broker, and is replaced.
const LOST_AFTER: Duration = Duration::from_secs(3);

pub struct Pulse {
    stop: Arc<AtomicBool>,
    beats: Arc<AtomicU64>,
    feeling: Option<JoinHandle<Beats>>,
}

impl Pulse {
    /// Feels it from now on, in a topic of its own, with so long a pause between two records.
    pub async fn of(brokers: &str, clock: Clock, pause: Duration) -> Pulse {
        let topic = format!("pulse-{}", unique());
        let admin: AdminClient<DefaultClientContext> =
            config(brokers).create().expect("an admin client");
        let new = NewTopic::new(&topic, 1, TopicReplication::Fixed(1));
        let made = admin.create_topics(&[new], &AdminOptions::new()).await;
        made.expect("an answer").pop().expect("one topic").expect("a topic");
        let (stop, beats) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let (stopped, counted, brokers) = (stop.clone(), beats.clone(), brokers.to_owned());
        let feeling =
            thread::spawn(move || feel(&brokers, &topic, clock, pause, &stopped, &counted));
        let pulse = Pulse { stop, beats, feeling: Some(feeling) };
        // The first takes what it takes to connect.
        until(FIRST_WITHIN, async || pulse.beats() > 0).await;
        pulse
    }

    /// How many records have come back so far.
    pub fn beats(&self) -> u64 {
        self.beats.load(Ordering::SeqCst)
    }

    pub fn stop(mut self) -> Beats {
        self.stop.store(true, Ordering::SeqCst);
        self.feeling.take().map_or_else(Beats::default, |feeling| feeling.join().expect("no panic"))
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

fn feel(
    brokers: &str,
    topic: &str,
    clock: Clock,
    pause: Duration,
    stopped: &AtomicBool,
    counted: &AtomicU64,
) -> Beats {
    let (mut beats, mut hand) = (Beats::default(), Hand::on(brokers, topic));
    while !stopped.load(Ordering::SeqCst) {
        let sent_at = clock.now();
        while !hand.beat(LOST_AFTER, stopped) && !stopped.load(Ordering::SeqCst) {
            hand = Hand::on(brokers, topic);
        }
        counted.fetch_add(1, Ordering::SeqCst);
        beats.0.push((sent_at, clock.now()));
        thread::sleep(pause);
    }
    beats
}

struct Hand<'a> {
    producer: BaseProducer,
    consumer: BaseConsumer,
    topic: &'a str,
    name: String,
    beats: u64,
}

impl Hand<'_> {
    fn on<'a>(brokers: &str, topic: &'a str) -> Hand<'a> {
        let producer = config(brokers).set("linger.ms", "0").create().expect("a producer");
        let mut reading = config(brokers);
        reading.set("group.id", topic).set("enable.auto.commit", "false");
        let consumer: BaseConsumer = reading.create().expect("a consumer");
        let mut all = TopicPartitionList::new();
        all.add_partition_offset(topic, 0, Offset::Beginning).expect("a partition");
        consumer.assign(&all).expect("an assignment");
        Hand { producer, consumer, topic, name: unique(), beats: 0 }
    }

    /// Sends a record and waits until it is back; says whether it is.
    fn beat(&mut self, patience: Duration, stopped: &AtomicBool) -> bool {
        self.beats += 1;
        let mark = format!("{}-{}", self.name, self.beats);
        let record = BaseRecord::<(), _>::to(self.topic).payload(&mark);
        // One that is not taken does not come back.
        let _ = self.producer.send(record);
        let sent_at = Instant::now();
        while sent_at.elapsed() < patience && !stopped.load(Ordering::SeqCst) {
            self.producer.poll(Duration::ZERO);
            match self.consumer.poll(Duration::from_millis(20)) {
                Some(Ok(message)) if message.payload() == Some(mark.as_bytes()) => return true,
                _ => {}
            }
        }
        false
    }
}

fn config(brokers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set("reconnect.backoff.max.ms", "500");
    config
}
