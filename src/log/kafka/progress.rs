//! Notices a producer that sends nothing any more, though brokers answer others. librdkafka may
//! forget about a partition when brokers were away; a new producer does not.

use std::time::{Duration, Instant};

/// So long nothing may be delivered of what waits, while brokers answer; far longer than it takes.
const STALLED_AFTER: Duration = Duration::from_secs(3);
/// A new producer that does no better is given longer.
const MOST_PATIENCE: Duration = Duration::from_secs(60);

/// Whether what is sent arrives.
#[derive(Debug)]
pub(super) struct Progress {
    /// Records whose outcome is not known yet.
    waiting: usize,
    /// Since when there are some, and brokers have answered for none.
    since: Option<Instant>,
    patience: Duration,
}

impl Default for Progress {
    fn default() -> Progress {
        Progress { waiting: 0, since: None, patience: STALLED_AFTER }
    }
}

impl Progress {
    /// A record is about to be sent.
    pub fn sends(&mut self, now: Instant) {
        self.waiting += 1;
        self.since.get_or_insert(now);
    }

    /// As if something had waited for long.
    #[cfg(test)]
    pub fn stall(&mut self) {
        self.since = Instant::now().checked_sub(MOST_PATIENCE);
    }

    /// A record has an outcome, from a broker or for want of one.
    pub fn settles(&mut self, by_broker: bool, now: Instant) {
        self.waiting = self.waiting.saturating_sub(1);
        if by_broker {
            self.since = (self.waiting > 0).then_some(now);
            self.patience = STALLED_AFTER;
        }
    }

    /// Whether it has been too long; then the next producer is given its time, and more of it.
    pub fn is_stalled(&mut self, brokers_answer: bool, now: Instant) -> bool {
        let Some(since) = &mut self.since else { return false };
        if !brokers_answer {
            *since = now;
        }
        let is_stalled = now.duration_since(*since) > self.patience;
        if is_stalled {
            self.since = None;
            self.patience = (self.patience * 2).min(MOST_PATIENCE);
        }
        is_stalled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn who_delivers_nothing_while_brokers_answer_is_stalled_once() {
        let (begun, mut progress) = (Instant::now(), Progress::default());
        assert!(!progress.is_stalled(true, begun + 60 * SECOND), "nothing waits");
        progress.sends(begun);
        progress.sends(begun + SECOND);
        assert!(!progress.is_stalled(true, begun + STALLED_AFTER));
        assert!(progress.is_stalled(true, begun + STALLED_AFTER + SECOND));
        assert!(!progress.is_stalled(true, begun + 2 * STALLED_AFTER), "the next one has its time");
    }

    #[test]
    fn an_outage_is_no_stall_and_what_times_out_is_no_answer() {
        let (begun, mut progress) = (Instant::now(), Progress::default());
        progress.sends(begun);
        assert!(!progress.is_stalled(false, begun + 60 * SECOND));
        assert!(!progress.is_stalled(true, begun + 61 * SECOND));
        progress.settles(false, begun + 62 * SECOND);
        assert!(progress.is_stalled(true, begun + 65 * SECOND));
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

    #[test]
    fn each_producer_that_does_no_better_is_given_longer() {
        let (mut now, mut progress) = (Instant::now(), Progress::default());
        let mut waits = Vec::new();
        for _ in 0..7 {
            progress.sends(now);
            let sent_at = now;
            while !progress.is_stalled(true, now) {
                now += SECOND;
            }
            waits.push((now - sent_at).as_secs());
        }
        assert_eq!(waits, [4, 7, 13, 25, 49, 61, 61]);
        progress.sends(now);
        progress.settles(true, now);
        progress.sends(now);
        assert!(progress.is_stalled(true, now + 4 * SECOND), "a good one begins anew");
    }
}
