//! Each instance's own way to the services: a proxy before Kafka and one before MariaDB.
//!
//! Kafka tells its clients where its brokers are, so a proxy before it is soon gone around. The
//! broker of `tests/services` therefore has a listener for each instance here that tells them to
//! come to the proxy.

// Every program that uses it has its own part of this.
#![allow(dead_code)]

use std::net::{Ipv4Addr, SocketAddr};

use crate::proxy::Proxy;

/// How many instances have links.
pub const INSTANCES: usize = 3;

/// The proxies of three instances. Dropping them ends all connections through them.
pub struct Links {
    /// Before Kafka, one for each instance.
    pub kafka: Vec<Proxy>,
    /// Before MariaDB, one for each instance.
    pub mariadb: Vec<Proxy>,
    /// As ROOKERY_TEST_MYSQL, without its host and port.
    login: String,
}

impl Links {
    /// Opens the links to the services that the environment names.
    pub async fn up() -> Links {
        let login_and_host = setting("ROOKERY_TEST_MYSQL");
        let (login, host) =
            login_and_host.split_once('@').expect("ROOKERY_TEST_MYSQL is a URL with a login");
        let mysql: SocketAddr = host
            .trim_end_matches('/')
            .parse()
            .unwrap_or_else(|error| panic!("the host of ROOKERY_TEST_MYSQL, {host}: {error}"));
        let mut links = Links { kafka: Vec::new(), mariadb: Vec::new(), login: login.to_owned() };
        for (proxy, real) in kafka_ports() {
            links.kafka.push(Proxy::listen(Some(proxy), local(real)).await);
            links.mariadb.push(Proxy::listen(None, mysql).await);
        }
        links
    }

    /// A proxy before an instance itself, for its clients to use.
    pub async fn door(instance: SocketAddr) -> Proxy {
        Proxy::listen(None, instance).await
    }

    /// What tells instance `i` to use its way to Kafka.
    pub fn kafka_env(&self, i: usize) -> (String, String) {
        ("KAFKA_BROKERS".to_owned(), self.kafka[i].address().to_string())
    }

    /// The URL of this database by the way of instance `i`.
    pub fn database_url(&self, i: usize, database: &str) -> String {
        format!("{}@{}/{database}", self.login, self.mariadb[i].address())
    }
}

/// For each instance: the port of its proxy, and that of the broker's listener behind it.
fn kafka_ports() -> Vec<(u16, u16)> {
    let pairs = setting("ROOKERY_TEST_KAFKA_LISTENERS");
    let pair = |pair: &str| {
        let (proxy, real) = pair.split_once(':')?;
        Some((proxy.parse().ok()?, real.parse().ok()?))
    };
    let ports: Option<Vec<_>> = pairs.split_whitespace().map(pair).collect();
    let ports = ports.unwrap_or_else(|| panic!("ROOKERY_TEST_KAFKA_LISTENERS: {pairs}"));
    assert_eq!(
        ports.len(),
        INSTANCES,
        "ROOKERY_TEST_KAFKA_LISTENERS ({pairs}): the broker is from before there were listeners \
         for each instance; tests/services/down and up make it anew"
    );
    ports
}

fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: start the services with  eval \"$(tests/services/up)\"")
    })
}
