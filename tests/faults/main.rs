//! What the hub promises while processes are killed and services go away.
//!
//! Real instances, real services, and a crowd of clients that do what a good client does: come
//! back, resume, and send again what was not answered. Each test prints what it counted, and the
//! seed that chose the moments (`ROOKERY_TEST_SEED` plays it again, as far as time allows).
//!
//! The services are shared and are stopped here, so the tests take turns.

#[path = "../support/mod.rs"]
mod support;

#[path = "../rookery-faults/balancer.rs"]
mod balancer;
#[path = "../rookery-faults/clock.rs"]
mod clock;
#[path = "../rookery-faults/disk.rs"]
mod disk;
#[path = "../rookery-faults/links.rs"]
mod links;
#[path = "../rookery-faults/poison.rs"]
mod poison;
#[path = "../rookery-faults/proxy.rs"]
mod proxy;
#[path = "../rookery-faults/topic.rs"]
mod topic;

mod behind;
mod crash;
mod crowd;
mod full;
mod hour;
mod inbound;
mod lagging;
mod network;
mod outage;
mod places;
mod poisoned;
mod slow;
mod start;
mod stop;
mod storm;
mod versions;

use rookery::guarantees::dice::Dice;
use tokio::sync::{Mutex, MutexGuard};

/// One test at a time: they stop what the others need, and measure time.
async fn my_turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::const_new(());
    TURN.lock().await
}

/// Prints the seed, so that a failure names it.
fn dice(test: &str) -> Dice {
    let given = std::env::var("ROOKERY_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64);
    println!("{test}: ROOKERY_TEST_SEED={seed}");
    Dice::new(seed)
}
