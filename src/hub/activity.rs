//! When a socket last had input, shared by its session, which notes it, and the presence actor,
//! which looks at all sockets now and then: an idle socket costs no timer of its own.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// When one socket last had input from its person.
#[derive(Debug)]
pub struct Activity {
    opened: Instant,
    /// Milliseconds after `opened`.
    last_input: AtomicU64,
    /// Nothing came for so long that the person counts as away here.
    is_idle: AtomicBool,
}

impl Activity {
    /// Of a socket that opens now, with somebody at it.
    pub fn begin() -> Activity {
        Activity {
            opened: Instant::now(),
            last_input: AtomicU64::new(0),
            is_idle: AtomicBool::new(false),
        }
    }

    /// Notes input now. Says whether the socket was idle until then, which the presence actor has
    /// to be told.
    pub fn note(&self) -> bool {
        let now = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_input.store(now, Ordering::SeqCst);
        self.is_idle.load(Ordering::SeqCst) && self.is_idle.swap(false, Ordering::SeqCst)
    }

    /// From now on it is idle, whenever its last input was: until the next.
    pub fn rest(&self) {
        self.is_idle.store(true, Ordering::SeqCst);
    }

    pub fn is_idle(&self) -> bool {
        self.is_idle.load(Ordering::SeqCst)
    }

    /// Says whether an active socket has by now had no input for this long; then it is idle from
    /// now on.
    pub fn falls_idle(&self, after: Duration, now: Instant) -> bool {
        if self.is_idle() || self.quiet_for(now) < after {
            return false;
        }
        // Input that comes just now sees either this, and tells, or is seen below.
        self.rest();
        let falls_idle = self.quiet_for(now) >= after;
        if !falls_idle {
            self.is_idle.store(false, Ordering::SeqCst);
        }
        falls_idle
    }

    fn quiet_for(&self, now: Instant) -> Duration {
        let last_input = Duration::from_millis(self.last_input.load(Ordering::SeqCst));
        now.saturating_duration_since(self.opened).saturating_sub(last_input)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_falls_idle_once_and_its_next_input_is_told_once() {
        let (activity, minute) = (Activity::begin(), Duration::from_secs(60));
        let soon = Instant::now() + minute / 2;
        let late = Instant::now() + minute * 2;
        assert!(!activity.falls_idle(minute, soon));
        assert!(!activity.note(), "it was not idle");
        assert!(activity.falls_idle(minute, late));
        assert!(!activity.falls_idle(minute, late), "it is so already");
        assert!(activity.is_idle());
        assert!(activity.note());
        assert!(!activity.note() && !activity.is_idle());
    }
}
