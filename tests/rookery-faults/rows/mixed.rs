//! One thing after the other, as the dice fall.

use futures_util::FutureExt;

use super::Row;
use super::instances::{kills, pause, rolling_restart};
use super::network::{LATE, NARROW, Way, resets, weather};
use super::services::away;
use crate::proxy::Weather;
use crate::stage::Stage;

pub const ROWS: [Row; 1] =
    [Row::new("mixed", "five of the other faults, one after the other", |stage| {
        mixed(stage).boxed_local()
    })];

async fn mixed(stage: &mut Stage) {
    for _ in 0..5 {
        let way = *stage.dice.one_of(&[Way::Kafka, Way::MariaDb, Way::Clients]);
        let frozen = [Weather::Frozen, Weather::FrozenToServer, Weather::FrozenToClient];
        let frozen = *stage.dice.one_of(&frozen);
        match stage.dice.below(10) {
            0 => kills(stage, 1).await,
            1 => rolling_restart(stage).await,
            2 => pause(stage).await,
            3 => away(stage, "kafka", "kill", 3).await,
            4 => away(stage, "mariadb", "kill", 3).await,
            5 => weather(stage, way, Weather::Cut, 6).await,
            6 => weather(stage, way, frozen, 8).await,
            7 => weather(stage, way, LATE, 6).await,
            8 => weather(stage, way, NARROW, 6).await,
            _ => resets(stage, way).await,
        }
        // One after the other: each is given the time to be over.
        stage.everybody_is_ready().await;
        stage.wait(500, 3_000).await;
    }
}
