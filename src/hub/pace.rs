//! How often one person may change rooms and who is in them.
//!
//! Every change is an event to all members, and nobody is asked before they are put into a group;
//! so changes have a rate as messages do, and a founding weighs as much as the people in it.

use std::num::NonZeroU32;

use governor::clock::{Clock, DefaultClock};
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::config::Limits;
use crate::core::types::UserId;

/// People in a founding that weigh as much as one change.
const PEOPLE_A_CHANGE: usize = 100;

/// What a change weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weight(NonZeroU32);

impl Weight {
    /// Of a change to a room, or to one member.
    pub const ONE: Weight = Weight(NonZeroU32::MIN);

    pub fn of_founding(people: usize) -> Weight {
        let more = u32::try_from(people / PEOPLE_A_CHANGE).unwrap_or(u32::MAX);
        Weight(NonZeroU32::MIN.saturating_add(more))
    }
}

/// Too many changes; so many seconds from now this one would fit.
#[derive(Debug, PartialEq, Eq)]
pub struct TooMany {
    pub wait: u32,
}

/// The changes of each person on this instance.
pub struct Pace {
    limiter: RateLimiter<UserId, DashMapStateStore<UserId>, DefaultClock>,
    burst: NonZeroU32,
}

impl Pace {
    pub fn new(limits: &Limits) -> Pace {
        let least = |count: u32| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
        let burst = least(limits.changes_burst);
        let quota = Quota::per_second(least(limits.changes_per_second)).allow_burst(burst);
        Pace { limiter: RateLimiter::dashmap(quota), burst }
    }

    /// Counts a change. One that weighs more than fits at once takes all there is.
    pub fn count(&self, user: UserId, Weight(weight): Weight) -> Result<(), TooMany> {
        match self.limiter.check_key_n(&user, weight.min(self.burst)) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(not_until)) => {
                let wait = not_until.wait_time_from(DefaultClock::default().now());
                let seconds = wait.as_secs().saturating_add(1);
                Err(TooMany { wait: seconds.try_into().unwrap_or(u32::MAX) })
            }
            // The weight is within the burst, so this is not heard of.
            Err(_) => Err(TooMany { wait: 1 }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_have_a_rate_for_each_person() {
        let limits = Limits { changes_per_second: 1, changes_burst: 3, ..Limits::default() };
        let pace = Pace::new(&limits);
        for _ in 0..3 {
            pace.count(UserId(1), Weight::ONE).unwrap();
        }
        assert!(pace.count(UserId(1), Weight::ONE).is_err());
        pace.count(UserId(2), Weight::ONE).unwrap();
    }

    #[test]
    fn a_founding_weighs_as_much_as_its_people() {
        assert_eq!(Weight::of_founding(2), Weight::ONE);
        assert_eq!(Weight::of_founding(250), Weight(NonZeroU32::new(3).unwrap()));
        let limits = Limits { changes_per_second: 1, changes_burst: 100, ..Limits::default() };
        let pace = Pace::new(&limits);
        pace.count(UserId(1), Weight::of_founding(10_000)).unwrap();
        let refused = pace.count(UserId(1), Weight::of_founding(900)).unwrap_err();
        assert!((9..=11).contains(&refused.wait), "{refused:?}");
    }
}
