//! Instances that are killed, stopped and paused.

use std::time::Duration;

use futures_util::FutureExt;

use super::{Row, Where};
use crate::poison;
use crate::stage::Stage;
use crate::support::previous;

pub const ROWS: [Row; 13] = [
    Row::new("kill -9", "an instance every 10 s", |stage| kills(stage, 4).boxed_local()),
    Row::new("kill -9, once", "one instance", |stage| kills(stage, 1).boxed_local()).selected(),
    Row::new("kill -9 of all", "all instances at once", |stage| kill_all(stage).boxed_local()),
    Row::new("rolling restart", "SIGTERM to one instance after the other", |stage| {
        rolling_restart(stage).boxed_local()
    })
    .orderly(),
    Row::new("paused", "an instance stands still for 12 s, past its session time-out", |stage| {
        pause(stage).boxed_local()
    }),
    Row { twice: true, ..Row::new("twice", "every message to two instances at once", nothing) },
    Row {
        floats_every: 250,
        pace: 200,
        ..Row::new("removals", "removals and returns race with messages", nothing)
    },
    Row {
        // Records of many megabytes.
        memory: 128 << 20,
        ..Row::new("poison", "records that no hub wrote, in every topic", |stage| {
            poison(stage).boxed_local()
        })
    },
    Row::new("kill -9, embedded", "the only instance, again and again", |stage| {
        kills(stage, 3).boxed_local()
    })
    .on(Where::Embedded)
    .selected(),
    Row::new("SIGTERM, embedded", "the only instance, again and again", |stage| {
        restarts(stage).boxed_local()
    })
    .on(Where::Embedded)
    .orderly()
    .selected(),
    Row::new(
        "disk full, embedded",
        "for 6 to 10 s, and now and then kill -9 right then",
        |stage| full_disk(stage).boxed_local(),
    )
    .on(Where::SmallDisk),
    Row::new("two versions", "instances replaced by the version before, and back", |stage| {
        two_versions(stage).boxed_local()
    }),
    Row::new("clock off", "one instance is an hour ahead", nothing).on(Where::ClockOff),
];

fn nothing(stage: &mut Stage) -> futures_util::future::LocalBoxFuture<'_, ()> {
    async { stage.wait(10_000, 12_000).await }.boxed_local()
}

pub async fn kills(stage: &mut Stage, times: usize) {
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

pub async fn rolling_restart(stage: &mut Stage) {
    for instance in 0..stage.cast.places.len() {
        stage.stop(instance).await;
        stage.wait(0, 1_000).await;
        stage.start(instance).await;
        stage.mended("restart");
        stage.wait(500, 1_500).await;
    }
}

async fn restarts(stage: &mut Stage) {
    for _ in 0..3 {
        stage.stop(0).await;
        stage.wait(0, 1_000).await;
        stage.start(0).await;
        stage.mended("restart");
        stage.wait(1_000, 3_000).await;
    }
}

async fn full_disk(stage: &mut Stage) {
    stage.world.disk().fill();
    stage.wait(6_000, 10_000).await;
    if stage.dice.chance(30) {
        stage.kill(0);
        stage.world.disk().free();
        stage.start(0).await;
    } else {
        stage.world.disk().free();
    }
    stage.mended("disk full");
}

/// The version before does not know yet who is online before it says that it is ready.
async fn two_versions(stage: &mut Stage) {
    let (before, from) = (previous(), stage.clock.now());
    for (instance, binary) in [(0, Some(&before)), (1, Some(&before)), (0, None), (1, None)] {
        stage.stop(instance).await;
        stage.world.hub(instance).run_as(binary.cloned());
        stage.start(instance).await;
        stage.mended("replaced");
        stage.wait(1_000, 3_000).await;
    }
    stage.was_cut_off(from);
}

pub async fn pause(stage: &mut Stage) {
    let instance = stage.dice.below(stage.cast.places.len());
    let from = stage.clock.now();
    stage.world.hub(instance).signal(libc::SIGSTOP);
    tokio::time::sleep(Duration::from_secs(12)).await;
    stage.world.hub(instance).signal(libc::SIGCONT);
    stage.was_cut_off(from);
    stage.mended("paused");
}

async fn poison(stage: &mut Stage) {
    let rooms: Vec<String> = stage.cast.rooms.iter().map(|(room, _)| room.clone()).collect();
    let services = stage.world.site().services().clone();
    for _ in 0..3 {
        let seed = stage.dice.throw();
        let poisoned = poison::into(&services.brokers, &services.prefix, seed, &rooms).await;
        println!("   {:?}", poisoned.counts);
        stage.wait(1_000, 2_000).await;
    }
    stage.mended("poison");
}
