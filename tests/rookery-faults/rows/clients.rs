//! Clients that are no good: they do not read, or come all at once.

use std::time::Duration;

use futures_util::FutureExt;

use super::Row;
use crate::herd::{Deaf, Herd};
use crate::stage::Stage;

/// Beside twenty that read: more than one in ten.
const DEAF: usize = 6;
/// They are ended within seconds; then others come.
const ROUNDS: usize = 3;
const HERD: usize = 5_000;
const SMALL_HERD: usize = 600;

pub const ROWS: [Row; 3] = [
    Row {
        has_bystanders: true,
        pace: 150,
        body: 3_000,
        // What is kept of six rooms in which much is said.
        memory: 16 << 20,
        ..Row::new(
            "slow readers",
            "six sockets beside those of the crowd do not read, three times",
            |stage| slow_readers(stage).boxed_local(),
        )
    },
    Row::new("5,000 dropped", "5,000 sockets end at once and come back", |stage| {
        herd(stage, HERD).boxed_local()
    }),
    Row::new("600 dropped", "600 sockets end at once and come back", |stage| {
        herd(stage, SMALL_HERD).boxed_local()
    }),
];

async fn slow_readers(stage: &mut Stage) {
    for _ in 0..ROUNDS {
        six_do_not_read(stage).await;
    }
    stage.mended("slow readers");
}

async fn six_do_not_read(stage: &mut Stage) {
    let mut deaf = Vec::new();
    for number in 0..DEAF {
        let place = &stage.cast.places[number % stage.cast.places.len()];
        let address = place.base.trim_start_matches("http://").parse().expect("an address");
        let login = &stage.cast.silent[number % stage.cast.silent.len()];
        deaf.push(Deaf::begin(address, login).await);
    }
    tokio::time::sleep(Duration::from_secs(12)).await;
    let mut ended = 0;
    for one in deaf {
        ended += usize::from(one.was_ended().await);
    }
    println!("   {ended} of {DEAF} that did not read were ended by the hub");
    assert!(ended == DEAF, "some that do not read were kept: the fault was none");
}

async fn herd(stage: &mut Stage, sockets: usize) {
    let door = stage.world.doors().remove(0);
    let logins = stage.cast.silent.clone();
    let (mut herd, mut dice) = (Herd::new(&door, logins), stage.dice.fork());
    let came = herd.come(sockets, &mut dice).await;
    herd.listen(Duration::from_secs(2)).await;
    herd.vanish();
    let back = herd.come(sockets, &mut dice).await;
    stage.mended("a herd came back");
    println!(
        "   {sockets} sockets came in {} ms, and back in {} ms",
        came.as_millis(),
        back.as_millis()
    );
    herd.listen(Duration::from_secs(2)).await;
    herd.vanish();
}
