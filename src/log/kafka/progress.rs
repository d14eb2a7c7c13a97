//! Whether what is sent arrives.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::patience::Patience;

/// So long nothing may be delivered of what waits, while brokers answer; far longer than it takes.
const STALLED_AFTER: Duration = Duration::from_secs(3);
const MOST_PATIENCE: Duration = Duration::from_secs(60);
/// So long any record may wait for its outcome.
const OVERDUE_AFTER: Duration = Duration::from_secs(8);

/// Counts what a producer has sent and what became of it, and notices when nothing does, or when
/// some of it takes too long.
#[derive(Debug)]
pub(super) struct Progress {
    begun: Instant,
    /// How many records have no outcome yet, by the time they were sent.
    waiting: BTreeMap<SentAt, usize>,
    patience: Patience,
}

/// When a record was sent: whole seconds of its producer's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SentAt(u64);

impl Progress {
    /// Of the first producer.
    pub fn new(now: Instant) -> Progress {
        Progress::with(Patience::new(STALLED_AFTER, MOST_PATIENCE), now)
    }

    /// Of a producer that takes the place of this one's.
    pub fn of_next(&self, now: Instant) -> Progress {
        Progress::with(self.patience.clone(), now)
    }

    fn with(patience: Patience, begun: Instant) -> Progress {
        Progress { begun, waiting: BTreeMap::new(), patience }
    }

    pub fn stamp(&self, now: Instant) -> SentAt {
        SentAt(now.duration_since(self.begun).as_secs())
    }

    /// A record is on its way.
    pub fn sends(&mut self, at: SentAt, now: Instant) {
        *self.waiting.entry(at).or_default() += 1;
        self.patience.wait(now);
    }

    /// A record was not even taken, for a reason that would hold for others, too.
    pub fn takes_nothing(&mut self, now: Instant) {
        self.patience.wait(now);
    }

    /// A record has an outcome, from a broker or for want of one.
    pub fn settles(&mut self, at: SentAt, by_broker: bool, now: Instant) {
        if let Some(waiting) = self.waiting.get_mut(&at) {
            *waiting -= 1;
            if *waiting == 0 {
                self.waiting.remove(&at);
            }
        }
        if by_broker {
            self.patience.is_rewarded();
            if !self.waiting.is_empty() {
                self.patience.wait(now);
            }
        }
    }

    /// Whether brokers answer others, and have not answered for anything of this for too long.
    pub fn is_stalled(&mut self, brokers_answer: bool, now: Instant) -> bool {
        self.patience.is_over(brokers_answer, now)
    }

    /// Whether some record has waited for too long, whatever the reason.
    pub fn is_overdue(&self, now: Instant) -> bool {
        let oldest = self.waiting.first_key_value();
        oldest.is_some_and(|(SentAt(second), _)| {
            now.duration_since(self.begun) > OVERDUE_AFTER + Duration::from_secs(*second)
        })
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

    fn send(progress: &mut Progress, now: Instant) -> SentAt {
        let at = progress.stamp(now);
        progress.sends(at, now);
        at
    }

    #[test]
    fn who_delivers_nothing_while_brokers_answer_is_stalled() {
        let begun = Instant::now();
        let mut progress = Progress::new(begun);
        assert!(!progress.is_stalled(true, begun + 60 * SECOND), "nothing waits");
        send(&mut progress, begun);
        send(&mut progress, begun + SECOND);
        assert!(!progress.is_stalled(true, begun + STALLED_AFTER));
        assert!(progress.is_stalled(true, begun + STALLED_AFTER + SECOND));
    }

    #[test]
    fn an_outage_is_no_stall_and_what_times_out_is_no_answer() {
        let begun = Instant::now();
        let mut progress = Progress::new(begun);
        let at = send(&mut progress, begun);
        assert!(!progress.is_stalled(false, begun + 60 * SECOND));
        assert!(!progress.is_stalled(true, begun + 65 * SECOND), "they are back just now");
        progress.settles(at, false, begun + 66 * SECOND);
        assert!(!progress.is_stalled(true, begun + 68 * SECOND));
        assert!(progress.is_stalled(true, begun + 69 * SECOND));
    }

    #[test]
    fn whatever_a_broker_says_is_progress() {
        let begun = Instant::now();
        let mut progress = Progress::new(begun);
        for second in 0..20 {
            let at = send(&mut progress, begun + second * SECOND);
            send(&mut progress, begun + second * SECOND);
            progress.settles(at, true, begun + second * SECOND);
            assert!(!progress.is_stalled(true, begun + second * SECOND));
        }
        assert!(progress.is_stalled(true, begun + 60 * SECOND), "twenty still wait");
    }

    #[test]
    fn a_single_record_may_be_overdue_though_others_arrive() {
        let begun = Instant::now();
        let mut progress = Progress::new(begun);
        let late = send(&mut progress, begun + SECOND);
        for second in 2..9 {
            let at = send(&mut progress, begun + second * SECOND);
            progress.settles(at, true, begun + second * SECOND);
        }
        let past = begun + SECOND + OVERDUE_AFTER;
        assert!(!progress.is_overdue(past));
        assert!(progress.is_overdue(past + SECOND));
        assert!(!progress.of_next(past).is_overdue(past + 60 * SECOND), "nothing of it waits");
        progress.settles(late, true, past + SECOND);
        assert!(!progress.is_overdue(past + 60 * SECOND));
    }
}
