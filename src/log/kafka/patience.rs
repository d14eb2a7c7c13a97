//! When to replace a client of librdkafka that does nothing any more, though the brokers answer
//! others: it may forget about a partition, a coordinator or a broker that was away for a while. A
//! new client does not.

use std::time::{Duration, Instant};

/// How long is waited for something that ought to happen. Whoever takes the place of a client that
/// was waited for in vain is given twice the time, up to a limit.
#[derive(Debug, Clone)]
pub(super) struct Patience {
    first: Duration,
    most: Duration,
    now: Duration,
    since: Option<Instant>,
    /// Brokers did not answer others when last looked at.
    was_away: bool,
}

impl Patience {
    pub fn new(first: Duration, most: Duration) -> Patience {
        Patience { first, most, now: first, since: None, was_away: false }
    }

    /// It ought to happen from now on, if it does not already.
    pub fn wait(&mut self, now: Instant) {
        self.since.get_or_insert(now);
    }

    /// It happened.
    pub fn is_rewarded(&mut self) {
        (self.now, self.since) = (self.first, None);
    }

    /// Whether it has been too long, while brokers answer others. Says so once, and begins again
    /// with more time.
    pub fn is_over(&mut self, brokers_answer: bool, now: Instant) -> bool {
        // Once they are back, its time begins.
        if std::mem::replace(&mut self.was_away, !brokers_answer) || !brokers_answer {
            self.since = self.since.map(|_| now);
        }
        let is_over = self.since.is_some_and(|since| now.duration_since(since) > self.now);
        if is_over {
            self.since = None;
            self.now = (self.now * 2).min(self.most);
        }
        is_over
    }

    /// As if it had not happened for long.
    #[cfg(test)]
    pub fn exhaust(&mut self) {
        self.since = Instant::now().checked_sub(self.most * 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn it_is_over_once_and_what_happens_begins_it_anew() {
        let (begun, mut patience) = (Instant::now(), Patience::new(3 * SECOND, 60 * SECOND));
        assert!(!patience.is_over(true, begun + 60 * SECOND), "nothing is waited for");
        patience.wait(begun);
        patience.wait(begun + 2 * SECOND);
        assert!(!patience.is_over(true, begun + 3 * SECOND));
        assert!(patience.is_over(true, begun + 4 * SECOND));
        assert!(!patience.is_over(true, begun + 60 * SECOND), "the next one has its time");
        patience.wait(begun + 60 * SECOND);
        patience.is_rewarded();
        assert!(!patience.is_over(true, begun + 99 * SECOND));
    }

    #[test]
    fn time_without_brokers_does_not_count() {
        let (begun, mut patience) = (Instant::now(), Patience::new(3 * SECOND, 60 * SECOND));
        patience.wait(begun);
        assert!(!patience.is_over(false, begun + 10 * SECOND));
        assert!(!patience.is_over(true, begun + 15 * SECOND), "they are back just now");
        assert!(!patience.is_over(true, begun + 18 * SECOND));
        assert!(patience.is_over(true, begun + 19 * SECOND));
    }

    #[test]
    fn each_that_does_no_better_is_given_longer() {
        let (mut now, mut patience) = (Instant::now(), Patience::new(3 * SECOND, 20 * SECOND));
        let mut waits = Vec::new();
        for _ in 0..5 {
            patience.wait(now);
            let begun = now;
            while !patience.is_over(true, now) {
                now += SECOND;
            }
            waits.push((now - begun).as_secs());
        }
        assert_eq!(waits, [4, 7, 13, 21, 21]);
        patience.is_rewarded();
        patience.wait(now);
        assert!(patience.is_over(true, now + 4 * SECOND), "a good one begins anew");
    }
}
