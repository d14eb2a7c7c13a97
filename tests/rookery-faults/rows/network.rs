//! The network of one instance: its way to Kafka, to the database, or to its clients.

use std::time::Duration;

use futures_util::FutureExt;

use super::Row;
use crate::proxy::{Proxy, Weather};
use crate::stage::Stage;

/// Between an instance and what it needs, or who needs it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Way {
    Kafka,
    MariaDb,
    Clients,
}

impl Way {
    fn of(self, stage: &Stage, instance: usize) -> &Proxy {
        let site = stage.world.site();
        match self {
            Way::Kafka => &site.links.kafka[instance],
            Way::MariaDb => &site.links.mariadb[instance],
            Way::Clients => &site.doors[instance],
        }
    }
}

pub const LATE: Weather = Weather::Slow(Duration::from_millis(500));
/// Bytes a second.
pub const NARROW: Weather = Weather::Narrow(10_000);

macro_rules! weather {
    ($way:ident, $name:literal, $about:literal, $weather:expr, $seconds:literal) => {
        Row::new($name, $about, |stage| weather(stage, Way::$way, $weather, $seconds).boxed_local())
    };
}

pub const ROWS: [Row; 18] = [
    weather!(Kafka, "Kafka cut off", "from one instance, 15 s", Weather::Cut, 15),
    weather!(
        Kafka,
        "to Kafka frozen",
        "what one instance sends, 20 s",
        Weather::FrozenToServer,
        20
    ),
    weather!(Kafka, "from Kafka frozen", "what it hears, 20 s", Weather::FrozenToClient, 20),
    weather!(Kafka, "Kafka late", "500 ms each way, for one instance", LATE, 15),
    weather!(Kafka, "Kafka narrow", "10 kB/s, for one instance", NARROW, 15),
    Row::new("Kafka reset", "RST on all connections of one instance, five times", |stage| {
        resets(stage, Way::Kafka).boxed_local()
    }),
    weather!(MariaDb, "MariaDB cut off", "from one instance, 15 s", Weather::Cut, 15),
    weather!(
        MariaDb,
        "to MariaDB frozen",
        "what one instance sends, 20 s",
        Weather::FrozenToServer,
        20
    ),
    weather!(MariaDb, "from MariaDB frozen", "what it hears, 20 s", Weather::FrozenToClient, 20),
    weather!(MariaDb, "MariaDB late", "500 ms each way, for one instance", LATE, 15),
    weather!(MariaDb, "MariaDB narrow", "10 kB/s, for one instance", NARROW, 15),
    Row::new("MariaDB reset", "RST on all connections of one instance, five times", |stage| {
        resets(stage, Way::MariaDb).boxed_local()
    }),
    weather!(Clients, "clients cut off", "from one instance, 15 s", Weather::Cut, 15),
    weather!(
        Clients,
        "from clients frozen",
        "what one instance hears, 20 s",
        Weather::FrozenToServer,
        20
    ),
    weather!(Clients, "to clients frozen", "what it sends, 20 s", Weather::FrozenToClient, 20),
    weather!(Clients, "clients late", "500 ms each way, to one instance", LATE, 15),
    weather!(Clients, "clients narrow", "10 kB/s, to one instance", NARROW, 15),
    Row::new("clients reset", "RST on all connections to one instance, five times", |stage| {
        resets(stage, Way::Clients).boxed_local()
    })
    .selected(),
];

pub async fn weather(stage: &mut Stage, way: Way, weather: Weather, seconds: u64) {
    let instance = stage.dice.below(stage.cast.places.len());
    let from = stage.clock.now();
    way.of(stage, instance).weather(weather);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    way.of(stage, instance).weather(Weather::Clear);
    if way == Way::Kafka {
        stage.was_cut_off(from);
    }
    stage.mended(&format!("{way:?}: {weather:?}"));
}

pub async fn resets(stage: &mut Stage, way: Way) {
    for _ in 0..5 {
        stage.wait(500, 3_000).await;
        let instance = stage.dice.below(stage.cast.places.len());
        way.of(stage, instance).weather(Weather::Reset);
    }
    stage.mended(&format!("{way:?}: reset"));
}
