//! The tests' side of the wire: hubs as real processes, and people who use them from outside.
//!
//! `Hub` and `Cluster` start and stop `rookery`; `Person` speaks HTTP, `Socket` the socket;
//! `World` is one or several running instances that stories share.

// Every test binary uses its own part of this.
#![allow(dead_code, unused_imports)]

mod answer;
mod cluster;
pub mod described;
mod hub;
mod lines;
mod person;
mod socket;
mod spoken;
mod topics;
mod world;

use std::future::Future;
use std::time::{Duration, Instant};

pub use answer::Answer;
pub use cluster::{Cluster, Services, service_script};
pub use hub::{Hub, previous, resident};
pub use lines::Lines;
pub use person::{PASSWORD, Person, Request};
pub use socket::{Close, Socket, handshake, handshake_at, handshake_of, opening};
pub use topics::{Copy, Place, Topics, texts, until_texts};
pub use world::World;

/// How long anything that should happen may take; the machines that test are slow at times.
pub const SOON: Duration = Duration::from_secs(10);

/// What an instance counts under a name, with all labels or with those that the name has.
pub async fn figure(base: &str, name: &str) -> f64 {
    let page = reqwest::get(format!("{base}/metrics")).await.expect("figures");
    let page = page.text().await.expect("figures");
    let value = |line: &str| {
        let rest = line.strip_prefix(name).filter(|rest| rest.starts_with([' ', '{']))?;
        rest.rsplit(' ').next()?.parse::<f64>().ok()
    };
    page.lines().filter_map(value).sum()
}

/// Asks again until the answer is there; panics, naming what it waited for, after `SOON`.
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, ask: impl FnMut() -> F) -> T {
    within(SOON, what, ask).await
}

/// Asks again until the answer is there; panics, naming what it waited for, after `time`.
pub async fn within<T, F: Future<Output = Option<T>>>(
    time: Duration,
    what: &str,
    mut ask: impl FnMut() -> F,
) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(started.elapsed() < time, "waited {time:?} for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A few letters that no other test has.
pub fn unique() -> String {
    let mut random = [0u8; 5];
    getrandom::fill(&mut random).expect("random bytes");
    random.iter().map(|byte| format!("{byte:02x}")).collect()
}
