//! The line of those who come: sockets from their handshake to the end of their greeting.
//!
//! When an instance or a network fails, thousands come back at once. As many are greeted at the same
//! time as keep the hub busy, so that those who are here notice little; the others wait in order,
//! and when the line is full the rest are sent away, each until another second.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::Limits;

/// Those who are sent away come back within so many seconds, spread evenly.
const SPREAD: u32 = 10;

pub struct Arrivals {
    places: Arc<Semaphore>,
    turns: Arc<Semaphore>,
    sent_away: AtomicU32,
}

/// A place in the line, or a turn to be greeted; free again when this is dropped.
#[derive(Debug)]
pub struct Held {
    _permit: Option<OwnedSemaphorePermit>,
}

/// The line is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Later {
    /// Seconds after which to come again.
    pub seconds: u32,
}

impl Arrivals {
    pub fn new(limits: &Limits) -> Arrivals {
        Arrivals {
            places: Arc::new(Semaphore::new(limits.arriving_sockets)),
            turns: Arc::new(Semaphore::new(limits.greetings_at_once)),
            sent_away: AtomicU32::new(0),
        }
    }

    /// A place in the line.
    pub fn place(&self) -> Result<Held, Later> {
        match self.places.clone().try_acquire_owned() {
            Ok(permit) => Ok(Held { _permit: Some(permit) }),
            Err(_) => {
                metrics::counter!("rookery_sockets_sent_away_total").increment(1);
                Err(self.later())
            }
        }
    }

    /// Waits for a turn, first come, first served.
    pub async fn turn(&self) -> Held {
        // Nobody ever closes it; if somebody did, there would be no line.
        Held { _permit: self.turns.clone().acquire_owned().await.ok() }
    }

    /// One second after the other, so that no two neighbours come back at once.
    fn later(&self) -> Later {
        Later { seconds: 1 + self.sent_away.fetch_add(1, Ordering::Relaxed) % SPREAD }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrivals(arriving_sockets: usize, greetings_at_once: usize) -> Arrivals {
        Arrivals::new(&Limits { arriving_sockets, greetings_at_once, ..Limits::default() })
    }

    #[test]
    fn past_a_full_line_they_are_spread_and_a_place_that_is_left_is_free() {
        let arrivals = arrivals(2, 1);
        let (first, _second) = (arrivals.place().unwrap(), arrivals.place().unwrap());
        let mut seconds: Vec<u32> =
            (0..SPREAD).map(|_| arrivals.place().unwrap_err().seconds).collect();
        seconds.sort_unstable();
        assert_eq!(seconds, (1..=SPREAD).collect::<Vec<_>>());
        drop(first);
        assert!(arrivals.place().is_ok());
    }

    #[tokio::test]
    async fn those_who_wait_have_their_turn_in_order() {
        let arrivals = arrivals(9, 1);
        let turn = arrivals.turn().await;
        let order = std::sync::Mutex::new(Vec::new());
        let wait = async |name| {
            let turn = arrivals.turn().await;
            order.lock().unwrap().push(name);
            drop(turn);
        };
        futures_util::join!(wait(1), wait(2), wait(3), async { drop(turn) });
        assert_eq!(*order.lock().unwrap(), [1, 2, 3]);
    }
}
