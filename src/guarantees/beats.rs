//! What Kafka itself took, past the hubs: a record at a time that one client sends to it and reads
//! back.

use super::history::Millis;

/// A record that takes longer than this is no pulse of a healthy broker.
const SLOW: Millis = 300;

/// When each record was sent, and when it was back.
#[derive(Debug, Clone, Default)]
pub struct Beats(pub Vec<(Millis, Millis)>);

impl Beats {
    /// Those that took so long that Kafka was not healthy.
    pub fn slow(&self) -> impl Iterator<Item = (Millis, Millis)> {
        self.0.iter().copied().filter(|(from, to)| to - from > SLOW)
    }

    /// What a record would have taken that was sent in each millisecond of these stretches, the
    /// shortest first. Only one is under way at a time: those that were not sent while it was late
    /// would have waited for as long.
    pub fn at_each(&self, stretches: &[(Millis, Millis)]) -> Vec<Millis> {
        let took = |at: Millis| {
            let next = self.0.partition_point(|(_, back)| *back <= at);
            self.0.get(next).map(|(sent, back)| back - at.max(*sent))
        };
        let mut took: Vec<Millis> =
            stretches.iter().flat_map(|(from, to)| *from..*to).filter_map(took).collect();
        took.sort_unstable();
        took
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_late_counts_for_those_that_were_not_sent() {
        let beats = Beats(vec![(0, 2), (20, 120), (140, 142)]);
        assert_eq!(beats.slow().count(), 0);
        let took = beats.at_each(&[(0, 100), (100, 140)]);
        assert_eq!((took.len(), took[139]), (140, 100));
        // While the second was under way, and before it was sent.
        assert_eq!(took.iter().filter(|took| **took > 50).count(), 50 + 18);
    }
}
