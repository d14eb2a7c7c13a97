//! From a send until everybody has seen it, beside what Kafka itself takes for a record.

use std::time::{Duration, Instant};

use clap::value_parser;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};

use super::fanout::Fanout;
use super::figures::{Figures, Times};
use super::ground::Ground;
use super::speech::Speech;
use super::talk::PATIENCE;
use super::{Failure, Site, at_least};
use crate::auth;
use crate::config::{self, Config, LogKind};

const BACK_WITHIN: Duration = Duration::from_secs(10);
/// Bytes of a message, and of the record that a hub makes of it.
const SIZE: usize = 128;
const RECORD: usize = 400;

#[derive(Debug, Clone, clap::Args)]
pub struct Latency {
    #[arg(long, default_value_t = 100, value_parser = at_least::<1>)]
    pub rooms: usize,
    /// In each room.
    #[arg(long, default_value_t = 10, value_parser = at_least::<1>)]
    pub members: usize,
    /// Messages a second in each room.
    #[arg(long, default_value_t = 1.0)]
    pub rate: f64,
    /// Seconds that are measured, of the hub and then of Kafka.
    #[arg(long, default_value_t = 20, value_parser = value_parser!(u64).range(1..))]
    pub seconds: u64,
}

impl Latency {
    pub async fn run(&self, config: &Config, ground: &Ground) -> Result<Figures, Failure> {
        let talk = Fanout {
            rooms: self.rooms,
            members: self.members,
            rate: self.rate,
            window: None,
            size: SIZE,
            seconds: self.seconds,
            warm_up: 3,
            patience: PATIENCE.as_secs(),
            speech: Speech::Rookery,
        };
        let mut figures = talk.run(&Site::of(ground)).await?;
        if config.log.kind == LogKind::Kafka {
            let rate = self.rate * self.rooms as f64;
            let probe = Probe::on(&config.log).await?;
            let times = probe.times(rate, Duration::from_secs(self.seconds));
            probe.forget().await?;
            figures.note_times("kafka", &mut times?);
        }
        Ok(figures)
    }
}

/// Kafka alone: a topic of its own, a producer that waits for no company, and a consumer.
struct Probe {
    topic: String,
    admin: AdminClient<DefaultClientContext>,
    producer: BaseProducer,
    consumer: BaseConsumer,
}

impl Probe {
    async fn on(log: &config::Log) -> Result<Probe, Failure> {
        let mut common = ClientConfig::new();
        common.set("bootstrap.servers", &log.brokers);
        for (name, value) in &log.properties {
            common.set(name, value);
        }
        let name: String = auth::new_token()?.chars().take(8).collect();
        let topic = format!("{}-bench-{name}", log.topic_prefix);
        let admin: AdminClient<_> = common.create()?;
        let new = NewTopic::new(&topic, 1, TopicReplication::Fixed(-1));
        for made in admin.create_topics(&[new], &AdminOptions::new()).await? {
            made.map_err(|(topic, error)| format!("cannot make the topic {topic}: {error}"))?;
        }
        let mut writing = common.clone();
        let writing = writing.set("linger.ms", "0").set("enable.idempotence", "true");
        let producer = writing.create()?;
        let mut reading = common.clone();
        let reading = reading.set("group.id", &topic).set("enable.auto.commit", "false");
        let consumer: BaseConsumer = reading.create()?;
        let mut partition = TopicPartitionList::new();
        partition.add_partition_offset(&topic, 0, Offset::Beginning)?;
        consumer.assign(&partition)?;
        Ok(Probe { topic, admin, producer, consumer })
    }

    /// How long records take there and back, at so many a second.
    fn times(&self, rate: f64, time: Duration) -> Result<Times, Failure> {
        self.send_one()?;
        // It pays for connecting.
        self.back(Instant::now())?;
        let (mut times, mut sent_at, mut heard) = (Times::default(), Vec::new(), 0);
        let began = Instant::now();
        while began.elapsed() < time || heard < sent_at.len() {
            let elapsed = began.elapsed().min(time).as_secs_f64();
            while (sent_at.len() as f64) < elapsed * rate {
                self.send_one()?;
                sent_at.push(Instant::now());
            }
            self.producer.poll(Duration::ZERO);
            let Some(oldest) = sent_at.get(heard) else {
                std::thread::sleep(Duration::from_micros(500));
                continue;
            };
            if self.is_back(*oldest)? {
                times.add(oldest.elapsed());
                heard += 1;
            }
        }
        Ok(times)
    }

    fn send_one(&self) -> Result<(), Failure> {
        let record = BaseRecord::<(), _>::to(&self.topic).payload(&[b'x'; RECORD][..]);
        Ok(self.producer.send(record).map_err(|(error, _)| error)?)
    }

    fn back(&self, sent_at: Instant) -> Result<(), Failure> {
        while !self.is_back(sent_at)? {
            self.producer.poll(Duration::ZERO);
        }
        Ok(())
    }

    /// Whether one more record came back; the oldest was sent then.
    fn is_back(&self, sent_at: Instant) -> Result<bool, Failure> {
        match self.consumer.poll(Duration::from_micros(500)) {
            Some(message) => Ok(message?.payload_len() == RECORD),
            None if sent_at.elapsed() > BACK_WITHIN => {
                Err("Kafka does not give back what it was sent".into())
            }
            None => Ok(false),
        }
    }

    async fn forget(self) -> Result<(), Failure> {
        self.producer.flush(Duration::from_secs(5))?;
        self.admin.delete_topics(&[&self.topic], &AdminOptions::new()).await?;
        Ok(())
    }
}
