//! Several instances on one Kafka and one MySQL, with a database and topics of their own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use mysql_async::prelude::Queryable;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, types::RDKafkaErrorCode};

use super::{Hub, unique};

pub struct Cluster {
    pub hubs: Vec<Hub>,
    pub services: Services,
}

/// Where the shared parts are: brokers, database, and the prefix of the topics.
#[derive(Clone)]
pub struct Services {
    pub brokers: String,
    pub mysql: String,
    pub database: String,
    pub prefix: String,
}

impl Cluster {
    /// `instances` hubs, all of them ready.
    pub async fn start(instances: usize) -> Cluster {
        Cluster::start_with(instances, &[]).await
    }

    pub async fn start_with(instances: usize, env: &[(&str, &str)]) -> Cluster {
        let services = Services::fresh().await;
        let mut cluster = Cluster { hubs: Vec::new(), services };
        for _ in 0..instances {
            cluster.add(env).await;
        }
        cluster
    }

    /// One more instance, ready.
    pub async fn add(&mut self, env: &[(&str, &str)]) -> &mut Hub {
        let hub = self.services.hub(env).await;
        self.hubs.push(hub);
        self.hubs.last_mut().expect("just added")
    }

    pub fn bases(&self) -> Vec<String> {
        self.hubs.iter().map(|hub| hub.base.clone()).collect()
    }

    /// A connection to the hubs' database, to look at the tables that programs may read.
    pub async fn database(&self) -> mysql_async::Conn {
        let url = self.services.database_url();
        mysql_async::Conn::from_url(url).await.expect("the database of the cluster")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.hubs.clear();
        self.services.forget();
    }
}

impl Services {
    /// A new, empty database, and a prefix that no topic has.
    pub async fn fresh() -> Services {
        let name = format!("rookery_{}", unique());
        let services = Services {
            brokers: service("ROOKERY_TEST_KAFKA"),
            mysql: service("ROOKERY_TEST_MYSQL").trim_end_matches('/').to_owned(),
            prefix: name.clone(),
            database: name,
        };
        services.sql(&format!("CREATE DATABASE {}", services.database)).await;
        services
    }

    pub fn database_url(&self) -> String {
        format!("{}/{}", self.mysql, self.database)
    }

    /// What tells a hub to use them.
    pub fn env(&self) -> Vec<(String, String)> {
        let pairs = [
            ("KAFKA_BROKERS", self.brokers.clone()),
            ("DATABASE_URL", self.database_url()),
            ("ROOKERY_LOG__TOPIC_PREFIX", self.prefix.clone()),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value)).into()
    }

    /// One more instance on them, ready.
    pub async fn hub(&self, env: &[(&str, &str)]) -> Hub {
        let own = self.env();
        let mut all: Vec<(&str, &str)> =
            own.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        all.extend(env);
        Hub::with(&all).await
    }

    async fn sql(&self, statement: &str) {
        let mut conn = mysql_async::Conn::from_url(&self.mysql)
            .await
            .unwrap_or_else(|error| panic!("ROOKERY_TEST_MYSQL: {error}"));
        conn.query_drop(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
        // The statement is done; how the connection ends is of no interest.
        let _ = conn.disconnect().await;
    }

    /// Drops the database and the topics. On a thread of its own, since drops cannot wait.
    fn forget(&self) {
        let services = self.clone();
        let forgetting = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let drop = format!("DROP DATABASE IF EXISTS {}", services.database);
                // A service that a test has stopped keeps its leftovers.
                let _ = tokio::time::timeout(Duration::from_secs(5), services.sql(&drop)).await;
                services.delete_topics().await;
            });
        });
        let _ = forgetting.join();
    }

    async fn delete_topics(&self) {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers);
        let Ok(consumer) = config.create::<BaseConsumer>() else { return };
        let Ok(metadata) = consumer.fetch_metadata(None, Duration::from_secs(5)) else { return };
        let start = format!("{}-", self.prefix);
        let topics = metadata.topics().iter().map(|topic| topic.name());
        let ours: Vec<&str> = topics.filter(|name| name.starts_with(&start)).collect();
        let Ok(admin) = config.create::<AdminClient<DefaultClientContext>>() else { return };
        if let Ok(results) = admin.delete_topics(&ours, &AdminOptions::new()).await {
            for (topic, error) in results.into_iter().filter_map(Result::err) {
                assert_ne!(error, RDKafkaErrorCode::InvalidTopic, "{topic}");
            }
        }
    }
}

/// A script or tool of the services, as in `kafka/kill`.
pub fn service_script(name: &str) -> PathBuf {
    Path::new(&service("ROOKERY_TEST_SERVICES")).join(name)
}

fn service(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: start the services with  eval \"$(tests/services/up)\"")
    })
}
