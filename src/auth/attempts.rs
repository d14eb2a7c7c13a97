//! Failed logins, counted for each name from one address and for each address, for a minute.

use std::net::IpAddr;
use std::time::Duration;

use moka::sync::Cache;

/// How long a count lives after its first failure.
const WINDOW: Duration = Duration::from_secs(60);
/// Counts kept at once; past it the least used are forgotten.
const COUNTS: u64 = 100_000;

/// Failed logins on this instance.
pub struct Attempts {
    by_name: Cache<(String, IpAddr), u32>,
    by_address: Cache<IpAddr, u32>,
    most_by_name: u32,
    most_by_address: u32,
}

impl Attempts {
    pub fn new(most_by_name: u32, most_by_address: u32) -> Attempts {
        let counts = || Cache::builder().max_capacity(COUNTS).time_to_live(WINDOW).build();
        let by_address = Cache::builder().max_capacity(COUNTS).time_to_live(WINDOW).build();
        Attempts { by_name: counts(), by_address, most_by_name, most_by_address }
    }

    /// Whether another try is allowed.
    pub fn may_try(&self, name: &str, address: IpAddr) -> bool {
        let by_name = self.by_name.get(&(name.to_lowercase(), address)).unwrap_or(0);
        let by_address = self.by_address.get(&address).unwrap_or(0);
        by_name < self.most_by_name && by_address < self.most_by_address
    }

    pub fn failed(&self, name: &str, address: IpAddr) {
        let key = (name.to_lowercase(), address);
        count(&self.by_name, key);
        count(&self.by_address, address);
    }
}

fn count<K: std::hash::Hash + Eq + Send + Sync + Clone + 'static>(counts: &Cache<K, u32>, key: K) {
    counts
        .entry(key)
        .and_upsert_with(|old| old.map_or(1, |old| old.into_value().saturating_add(1)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guesser_is_stopped_and_others_are_not() {
        let attempts = Attempts::new(2, 3);
        let (home, away) = (IpAddr::from([1, 1, 1, 1]), IpAddr::from([2, 2, 2, 2]));
        attempts.failed("Ann", home);
        assert!(attempts.may_try("ann", home));
        attempts.failed("ann", home);
        assert!(!attempts.may_try("ANN", home));
        assert!(attempts.may_try("ann", away) && attempts.may_try("bob", home));
        attempts.failed("bob", home);
        assert!(!attempts.may_try("carol", home));
    }
}
