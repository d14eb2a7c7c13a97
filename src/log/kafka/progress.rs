//! Whether what is sent arrives.

use std::time::{Duration, Instant};

use super::patience::Patience;

/// So long nothing may be delivered of what waits, while brokers answer; far longer than it takes.
const STALLED_AFTER: Duration = Duration::from_secs(3);
const MOST_PATIENCE: Duration = Duration::from_secs(60);

/// Counts what a producer has sent and what became of it, and notices when nothing does.
#[derive(Debug)]
pub(super) struct Progress {
    /// Records whose outcome is not known yet.
    waiting: usize,
    patience: Patience,
}

impl Default for Progress {
    fn default() -> Progress {
        Progress { waiting: 0, patience: Patience::new(STALLED_AFTER, MOST_PATIENCE) }
    }
}

impl Progress {
    /// A record is on its way.
    pub fn sends(&mut self, now: Instant) {
        self.waiting += 1;
        self.patience.wait(now);
    }

    /// A record was not even taken, for a reason that would hold for others, too.
    pub fn takes_nothing(&mut self, now: Instant) {
        self.patience.wait(now);
    }

    /// A record has an outcome, from a broker or for want of one.
    pub fn settles(&mut self, by_broker: bool, now: Instant) {
        self.waiting = self.waiting.saturating_sub(1);
        if by_broker {
            self.patience.is_rewarded();
            if self.waiting > 0 {
                self.patience.wait(now);
            }
        }
    }

    /// Whether brokers answer others, and have not answered for anything of this for too long.
    pub fn is_stalled(&mut self, brokers_answer: bool, now: Instant) -> bool {
        self.patience.is_over(brokers_answer, now)
    }

    #[cfg(test)]
    pub fn stall(&mut self) {
        self.patience.exhaust();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn who_delivers_nothing_while_brokers_answer_is_stalled() {
        let (begun, mut progress) = (Instant::now(), Progress::default());
        assert!(!progress.is_stalled(true, begun + 60 * SECOND), "nothing waits");
        progress.sends(begun);
        progress.sends(begun + SECOND);
        assert!(!progress.is_stalled(true, begun + STALLED_AFTER));
        assert!(progress.is_stalled(true, begun + STALLED_AFTER + SECOND));
    }

    #[test]
    fn an_outage_is_no_stall_and_what_times_out_is_no_answer() {
        let (begun, mut progress) = (Instant::now(), Progress::default());
        progress.sends(begun);
        assert!(!progress.is_stalled(false, begun + 60 * SECOND));
        assert!(!progress.is_stalled(true, begun + 65 * SECOND), "they are back just now");
        progress.settles(false, begun + 66 * SECOND);
        assert!(!progress.is_stalled(true, begun + 68 * SECOND));
        assert!(progress.is_stalled(true, begun + 69 * SECOND));
    }

    #[test]
    fn whatever_a_broker_says_is_progress() {
        let (begun, mut progress) = (Instant::now(), Progress::default());
        for second in 0..20 {
            progress.sends(begun + second * SECOND);
            progress.sends(begun + second * SECOND);
            progress.settles(true, begun + second * SECOND);
            assert!(!progress.is_stalled(true, begun + second * SECOND));
        }
        assert!(progress.is_stalled(true, begun + 60 * SECOND), "twenty still wait");
    }
}
