//! Kafka and the database stop, crash and hang.

use std::process::Command;
use std::time::Duration;

use futures_util::FutureExt;

use super::Row;
use crate::stage::Stage;
use crate::support::service_script;

macro_rules! away {
    ($name:literal, $about:literal, $service:literal, $how:literal, $seconds:literal) => {
        Row {
            memory: kept_in($seconds),
            ..Row::new($name, $about, |stage| away(stage, $service, $how, $seconds).boxed_local())
        }
    };
}

pub const ROWS: [Row; 14] = [
    away!("Kafka stopped, 5 s", "an orderly stop", "kafka", "stop", 5),
    away!("Kafka stopped, 30 s", "an orderly stop", "kafka", "stop", 30),
    away!("Kafka stopped, 180 s", "an orderly stop", "kafka", "stop", 180),
    away!("Kafka killed, 5 s", "kill -9", "kafka", "kill", 5),
    away!("Kafka killed, 30 s", "kill -9", "kafka", "kill", 30),
    away!("Kafka killed, 180 s", "kill -9", "kafka", "kill", 180),
    away!("Kafka hangs, 20 s", "its process stands still", "kafka", "pause", 20),
    away!("MariaDB stopped, 5 s", "an orderly stop", "mariadb", "stop", 5),
    away!("MariaDB stopped, 30 s", "an orderly stop", "mariadb", "stop", 30),
    away!("MariaDB stopped, 180 s", "an orderly stop", "mariadb", "stop", 180),
    away!("MariaDB killed, 5 s", "kill -9", "mariadb", "kill", 5).selected(),
    away!("MariaDB killed, 30 s", "kill -9", "mariadb", "kill", 30),
    away!("MariaDB killed, 180 s", "kill -9", "mariadb", "kill", 180),
    away!("MariaDB hangs, 20 s", "its process stands still", "mariadb", "pause", 20),
];

/// What everybody tries to say in minutes fills what is kept of each room, and is answered at once
/// in the end.
const fn kept_in(seconds: u64) -> u64 {
    if seconds > 60 { 16 << 20 } else { 0 }
}

pub async fn away(stage: &mut Stage, name: &'static str, how: &'static str, seconds: u64) {
    let from = stage.clock.now();
    script(name, how).await;
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let back = if how == "pause" { "resume" } else { "start" };
    script(name, back).await;
    if name == "kafka" {
        // A broker that has started may be far from answering.
        stage.kafka_answers().await;
        stage.was_cut_off(from);
    }
    stage.mended(&format!("{name} {how}"));
}

/// The scripts wait, and nothing else is to.
async fn script(name: &'static str, what: &'static str) {
    let script = service_script(&format!("{name}/{what}"));
    let run = || Command::new(script).status();
    let ended = tokio::task::spawn_blocking(run).await.expect("it does not panic");
    assert!(ended.is_ok_and(|status| status.success()), "{name}/{what} failed");
}
