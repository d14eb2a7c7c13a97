//! Instances that are killed, stopped and paused.

use std::time::Duration;

use futures_util::FutureExt;

use super::Row;
use crate::run::Stage;

pub const ROWS: [Row; 8] = [
    Row::new("kill -9", "an instance every 10 s", |stage| kills(stage, 4).boxed_local()),
    Row::new("kill -9, once", "one instance", |stage| kills(stage, 1).boxed_local()).selected(),
    Row::new("kill -9 of all", "all instances at once", |stage| kill_all(stage).boxed_local()),
    Row::new("rolling restart", "SIGTERM to one instance after the other", |stage| {
        rolling_restart(stage).boxed_local()
    })
    .selected(),
    Row::new("paused", "an instance stands still for 12 s, past its session time-out", |stage| {
        pause(stage).boxed_local()
    }),
    Row { twice: true, ..Row::new("twice", "every message to two instances at once", nothing) },
    Row {
        floats_every: 250,
        pace: 200,
        ..Row::new("removals", "removals and returns race with messages", nothing)
    },
    Row::new("kill -9, embedded", "the only instance, again and again", |stage| {
        kills(stage, 3).boxed_local()
    })
    .embedded()
    .selected(),
];

fn nothing(stage: &mut Stage) -> futures_util::future::LocalBoxFuture<'_, ()> {
    async { stage.wait(10_000, 12_000).await }.boxed_local()
}

async fn kills(stage: &mut Stage, times: usize) {
    for time in 0..times {
        if time > 0 {
            stage.wait(6_000, 10_000).await;
        }
        let instance = stage.dice.below(stage.cast.places.len());
        stage.kill(instance);
        stage.wait(0, 2_000).await;
        stage.start(instance).await;
        stage.mended("kill -9");
    }
}

async fn kill_all(stage: &mut Stage) {
    let instances = 0..stage.cast.places.len();
    instances.clone().for_each(|instance| stage.kill(instance));
    stage.wait(0, 2_000).await;
    for instance in instances {
        stage.start(instance).await;
    }
    stage.mended("kill -9 of all");
}

async fn rolling_restart(stage: &mut Stage) {
    for instance in 0..stage.cast.places.len() {
        stage.stop(instance).await;
        stage.wait(0, 1_000).await;
        stage.start(instance).await;
        stage.mended("restart");
        stage.wait(500, 1_500).await;
    }
}

async fn pause(stage: &mut Stage) {
    let instance = stage.dice.below(stage.cast.places.len());
    let from = stage.clock.now();
    stage.world.hub(instance).signal(libc::SIGSTOP);
    tokio::time::sleep(Duration::from_secs(12)).await;
    stage.world.hub(instance).signal(libc::SIGCONT);
    stage.was_cut_off(from);
    stage.mended("paused");
}
