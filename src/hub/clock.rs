//! What time it is, for what people read and for how long a mute lasts; never for order.
//!
//! Instances of a cluster go by one clock, the store's: one whose own is an hour off would show its
//! messages an hour off, and let people write who are muted for less. A few seconds do no harm, and
//! are left as they are, so that times keep their milliseconds.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use super::Hub;
use crate::core::types::Timestamp;
use crate::store::Store;

/// Our own clock may be so far from the store's.
const MOST_OFF: i64 = 5_000;
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// An answer that took longer says too little about the moment in which it was given.
const ANSWERED_WITHIN: Duration = Duration::from_secs(2);

/// Milliseconds that our own clock is corrected by.
static CORRECTION: AtomicI64 = AtomicI64::new(0);

/// What time it is.
pub fn now() -> Timestamp {
    Timestamp(own().saturating_add(CORRECTION.load(Ordering::Relaxed)))
}

fn own() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.as_millis() as i64
}

/// Looks at the store's clock, and goes by it where ours is far from it.
pub async fn compare(store: &Store) {
    let asked = Instant::now();
    // A store that cannot be asked is told of elsewhere.
    let Ok(Some(theirs)) = store.clock().await else { return };
    if asked.elapsed() > ANSWERED_WITHIN {
        return;
    }
    let off = theirs.0 - own();
    let correction = if off.abs() > MOST_OFF { off } else { 0 };
    let before = CORRECTION.swap(correction, Ordering::Relaxed);
    metrics::gauge!("rookery_clock_off_seconds").set(-(off as f64) / 1000.0);
    match (before, correction) {
        (0, 0) => {}
        (_, 0) => tracing::info!("this instance's clock is right again"),
        (0, _) => tracing::warn!(
            seconds = -off / 1000,
            "this instance's clock is not the store's; going by the store's"
        ),
        _ => {}
    }
}

/// Looks at it for as long as the hub runs.
pub async fn watch(hub: Arc<Hub>) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        compare(&hub.store).await;
    }
}
