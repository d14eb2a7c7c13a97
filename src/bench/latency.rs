//! From a send until everybody has seen it, beside what Kafka itself takes for a record.

use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};

use super::Failure;
use super::fanout::Fanout;
use super::figures::{Figures, Times};
use super::ground::Ground;
use super::speech::Speech;
use super::talk::{PATIENCE, SMALLEST};
use crate::auth;
use crate::config::{self, Config, LogKind};

const BACK_WITHIN: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, clap::Args)]
pub struct Latency {
    #[arg(long, default_value_t = 100)]
    pub rooms: usize,
    /// In each room.
    #[arg(long, default_value_t = 10)]
    pub members: usize,
    /// Messages a second in each room.
    #[arg(long, default_value_t = 1.0)]
    pub rate: f64,
    #[arg(long, default_value_t = 20)]
    pub seconds: u64,
}

impl Latency {
    pub async fn run(&self, config: &Config, ground: &Ground) -> Result<Figures, Failure> {
        let talk = Fanout {
            rooms: self.rooms,
            members: self.members,
            rate: self.rate,
            window: None,
            size: 128,
            seconds: self.seconds,
            warm_up: 3,
            patience: PATIENCE.as_secs(),
            speech: Speech::Rookery,
        };
        let mut figures = talk.run(&super::Site::Hub(ground)).await?;
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

/// Kafka alone: a topic of its own, a producer and a consumer with the settings of the hub's.
struct Probe {
    topic: String,
    admin: AdminClient<DefaultClientContext>,
    producer: BaseProducer,
    consumer: BaseConsumer,
}

impl Probe {
    async fn on(log: &config::Log) -> Result<Probe, Failure> {
        let config = || {
            let mut config = ClientConfig::new();
            config.set("bootstrap.servers", &log.brokers);
            log.properties.iter().for_each(|(name, value)| drop(config.set(name, value)));
            config
        };
        let name: String = auth::new_token()?.chars().take(8).collect();
        let topic = format!("{}-bench-{name}", log.topic_prefix);
        let admin: AdminClient<_> = config().create()?;
        let new = NewTopic::new(&topic, 1, TopicReplication::Fixed(-1));
        for made in admin.create_topics(&[new], &AdminOptions::new()).await? {
            made.map_err(|(topic, error)| format!("cannot make the topic {topic}: {error}"))?;
        }
        let producer = config().set("linger.ms", "0").set("enable.idempotence", "true").create()?;
        let mut reading = config();
        reading.set("group.id", &topic).set("enable.auto.commit", "false");
        let consumer: BaseConsumer = reading.set("fetch.wait.max.ms", "100").create()?;
        let mut partition = TopicPartitionList::new();
        partition.add_partition_offset(&topic, 0, Offset::Beginning)?;
        consumer.assign(&partition)?;
        Ok(Probe { topic, admin, producer, consumer })
    }

    /// How long records take there and back, at so many a second.
    fn times(&self, rate: f64, time: Duration) -> Result<Times, Failure> {
        let (mut times, mut sent_at) = (Times::default(), Vec::new());
        let payload = [b'x'; SMALLEST * 4];
        // The first pays for connecting.
        let mut began = None;
        let mut heard = 0;
        loop {
            let elapsed = began.map_or(Duration::ZERO, |began: Instant| began.elapsed());
            if elapsed >= time && heard == sent_at.len() {
                return Ok(times);
            }
            let due = match began {
                None => 1,
                Some(_) if elapsed >= time => sent_at.len(),
                Some(_) => 1 + (elapsed.as_secs_f64() * rate) as usize,
            };
            while sent_at.len() < due {
                let record = BaseRecord::<(), _>::to(&self.topic).payload(&payload[..]);
                self.producer.send(record).map_err(|(error, _)| error)?;
                sent_at.push(Instant::now());
            }
            self.producer.poll(Duration::ZERO);
            if let Some(message) = self.consumer.poll(Duration::from_millis(1)) {
                message?.payload().ok_or("a record came back empty")?;
                match began {
                    None => began = Some(Instant::now()),
                    Some(_) => times.add(sent_at[heard].elapsed()),
                }
                heard += 1;
            }
            if sent_at.get(heard).is_some_and(|at| at.elapsed() > BACK_WITHIN) {
                return Err("Kafka does not give back what it was sent".into());
            }
        }
    }

    async fn forget(self) -> Result<(), Failure> {
        self.producer.flush(Duration::from_secs(5))?;
        self.admin.delete_topics(&[&self.topic], &AdminOptions::new()).await?;
        Ok(())
    }
}
