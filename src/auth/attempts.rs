//! Failed logins, counted for each name from one address and for each address, for a minute; and
//! sign-ups, for each address.
//!
//! A try is counted before the password is looked at: otherwise all that run side by side would
//! pass before the first has failed. Tries that may yet turn out right fill the limit only as long
//! as they run, and others wait for them.

use std::hash::Hash;
use std::time::{Duration, Instant};

use moka::Expiry;
use moka::ops::compute::Op;
use moka::sync::Cache;
use tokio::sync::Notify;

use super::source::Source;
use crate::core::text::username_key;

/// How long a count lives after its first try.
const WINDOW: Duration = Duration::from_secs(60);
/// Counts kept at once; past it the least used are forgotten.
const COUNTS: u64 = 100_000;
/// Characters of a name that are counted by; longer ones are nobody's.
const NAME_CHARACTERS: usize = 255;
/// How long a try waits for those that run before it; then it is refused.
const PATIENCE: Duration = Duration::from_secs(5);

/// Failed logins on this instance.
pub struct Attempts {
    by_name: Counts<(String, Source)>,
    by_address: Counts<Source>,
    ended: Notify,
}

/// A try that counts as failed once it is dropped, unless it is taken back.
pub struct Attempt<'a> {
    attempts: &'a Attempts,
    name: (String, Source),
    failed: bool,
}

impl Attempts {
    pub fn new(most_by_name: u32, most_by_address: u32) -> Attempts {
        Attempts {
            by_name: Counts::new(most_by_name),
            by_address: Counts::new(most_by_address),
            ended: Notify::new(),
        }
    }

    /// Counts a try; `None` where there were too many.
    pub async fn begin(&self, name: &str, source: Source) -> Option<Attempt<'_>> {
        let name = (username_key(name).chars().take(NAME_CHARACTERS).collect(), source);
        let until = Instant::now() + PATIENCE;
        loop {
            let ended = self.ended.notified();
            match self.count(&name) {
                Verdict::Free => return Some(Attempt { attempts: self, name, failed: true }),
                Verdict::TooManyFailed => return None,
                Verdict::TakenForNow => {
                    tokio::time::timeout_at(until.into(), ended).await.ok()?;
                }
            }
        }
    }

    fn count(&self, name: &(String, Source)) -> Verdict {
        let by_name = self.by_name.begin(name);
        if by_name != Verdict::Free {
            return by_name;
        }
        let by_address = self.by_address.begin(&name.1);
        if by_address != Verdict::Free {
            self.by_name.end(name, false);
        }
        by_address
    }
}

impl Attempt<'_> {
    /// It did not fail: the password was right, or was not looked at.
    pub fn take_back(mut self) {
        self.failed = false;
    }
}

impl Drop for Attempt<'_> {
    /// Also when the client hangs up: the password is looked at all the same.
    fn drop(&mut self) {
        self.attempts.by_name.end(&self.name, self.failed);
        self.attempts.by_address.end(&self.name.1, self.failed);
        self.attempts.ended.notify_waiters();
    }
}

/// Accounts made from each address on this instance.
pub struct SignUps(Counts<Source>);

impl SignUps {
    pub fn new(most: u32) -> SignUps {
        SignUps(Counts::new(most))
    }

    /// Counts a sign-up; says whether it was within the limit, which the hub's own machine has not.
    pub fn count(&self, source: Source) -> bool {
        if source.is_here() {
            return true;
        }
        let free = self.0.begin(&source) == Verdict::Free;
        if free {
            self.0.end(&source, true);
        }
        free
    }
}

/// Whether one more try fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Free,
    /// Unless one of those that run turns out right.
    TakenForNow,
    TooManyFailed,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Count {
    running: u32,
    failed: u32,
}

struct Counts<K> {
    counts: Cache<K, Count>,
    most: u32,
}

impl<K: Hash + Eq + Clone + Send + Sync + 'static> Counts<K> {
    fn new(most: u32) -> Counts<K> {
        let counts = Cache::builder().max_capacity(COUNTS).expire_after(FromTheFirst).build();
        Counts { counts, most }
    }

    fn begin(&self, key: &K) -> Verdict {
        let mut verdict = Verdict::Free;
        self.change(key, |count| {
            verdict = match count {
                Count { failed, .. } if failed >= self.most => Verdict::TooManyFailed,
                Count { failed, running } if failed + running >= self.most => Verdict::TakenForNow,
                _ => Verdict::Free,
            };
            Count { running: count.running + u32::from(verdict == Verdict::Free), ..count }
        });
        verdict
    }

    fn end(&self, key: &K, failed: bool) {
        self.change(key, |count| Count {
            running: count.running.saturating_sub(1),
            failed: count.failed + u32::from(failed),
        });
    }

    fn change(&self, key: &K, change: impl FnOnce(Count) -> Count) {
        self.counts.entry_by_ref(key).and_compute_with(|entry| {
            let before = entry.map(moka::Entry::into_value).unwrap_or_default();
            match change(before) {
                after if after == Count::default() => Op::Remove,
                after if after == before => Op::Nop,
                after => Op::Put(after),
            }
        });
    }
}

/// Later changes do not prolong a count.
struct FromTheFirst;

impl<K> Expiry<K, Count> for FromTheFirst {
    fn expire_after_create(&self, _: &K, _: &Count, _: Instant) -> Option<Duration> {
        Some(WINDOW)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn home() -> Source {
        Source::from(IpAddr::from([1, 1, 1, 1]))
    }

    fn away() -> Source {
        Source::from(IpAddr::from([2, 2, 2, 2]))
    }

    async fn fails(attempts: &Attempts, name: &str, source: Source) -> bool {
        attempts.begin(name, source).await.is_some()
    }

    #[test]
    fn sign_ups_are_counted_for_each_address() {
        let sign_ups = SignUps::new(2);
        assert!(sign_ups.count(home()) && sign_ups.count(home()));
        assert!(!sign_ups.count(home()));
        assert!(sign_ups.count(away()));
        let here = [IpAddr::from([127, 0, 0, 1]), "::1".parse().unwrap()];
        assert!(here.iter().cycle().take(10).all(|here| sign_ups.count(Source::from(*here))));
    }

    #[tokio::test]
    async fn a_name_is_one_in_any_form_and_keeps_little_memory() {
        let attempts = Attempts::new(1, 3);
        assert!(fails(&attempts, "Ann", home()).await);
        assert!(!fails(&attempts, "\u{ff41}nn", home()).await, "of full width");
        let attempt = attempts.begin(&"\u{fdfa}".repeat(9_000), home()).await.unwrap();
        assert_eq!(attempt.name.0.chars().count(), NAME_CHARACTERS);
    }

    #[tokio::test]
    async fn a_guesser_is_stopped_and_others_are_not() {
        let attempts = Attempts::new(2, 3);
        assert!(fails(&attempts, "Ann", home()).await);
        assert!(fails(&attempts, "ann", home()).await);
        assert!(!fails(&attempts, "ANN", home()).await);
        assert!(fails(&attempts, "ann", away()).await);
        assert!(fails(&attempts, "bob", home()).await);
        assert!(!fails(&attempts, "carol", home()).await, "three from one address");
        assert!(fails(&attempts, "bob", away()).await, "who was refused is not counted");
    }

    #[tokio::test]
    async fn who_gets_it_right_is_not_counted() {
        let attempts = Attempts::new(2, 3);
        for _ in 0..10 {
            attempts.begin("ann", home()).await.unwrap().take_back();
        }
        attempts.by_name.counts.run_pending_tasks();
        assert_eq!(attempts.by_name.counts.entry_count(), 0);
    }

    #[tokio::test]
    async fn guessing_side_by_side_is_no_way_around() {
        let attempts = Attempts::new(2, 3);
        let (one, two) =
            (attempts.begin("ann", home()).await.unwrap(), attempts.begin("ann", home()).await);
        let mut third = std::pin::pin!(attempts.begin("ann", home()));
        let waits = tokio::time::timeout(Duration::from_millis(20), &mut third).await;
        assert!(waits.is_err(), "two are running");
        drop((one, two));
        assert!(third.await.is_none(), "both were wrong");
    }

    #[tokio::test]
    async fn the_right_ones_side_by_side_only_wait() {
        let attempts = Attempts::new(1, 3);
        let one = attempts.begin("ann", home()).await.unwrap();
        let (two, ()) = tokio::join!(attempts.begin("ann", home()), async { one.take_back() });
        two.unwrap().take_back();
        assert!(attempts.begin("ann", home()).await.is_some());
    }
}
