//! What a bench came to: a line a figure, or all of them as one JSON object.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

/// Figures in the order in which they were noted, each under a name that says its unit.
#[derive(Debug, Default)]
pub struct Figures(Vec<(String, f64)>);

impl Figures {
    pub fn note(&mut self, name: impl Into<String>, figure: f64) {
        self.0.push((name.into(), figure));
    }

    /// What each process took, in microseconds for each of so many things, and all of them
    /// together.
    pub fn note_cpu(&mut self, taken: &[(String, Duration)], of_what: &str, count: u64) {
        let each = |time: Duration| time.as_secs_f64() * 1e6 / count.max(1) as f64;
        for (name, time) in taken {
            self.note(format!("cpu_us_per_{of_what}_{name}"), each(*time));
        }
        if taken.len() > 1 {
            let all = taken.iter().map(|(_, time)| *time).sum();
            self.note(format!("cpu_us_per_{of_what}_all"), each(all));
        }
    }

    /// Median, 99th percentile and maximum, in milliseconds.
    pub fn note_times(&mut self, of_what: &str, times: &mut Times) {
        times.0.sort_unstable();
        self.note(format!("{of_what}_p50_ms"), times.percentile(50.0));
        self.note(format!("{of_what}_p99_ms"), times.percentile(99.0));
        self.note(format!("{of_what}_max_ms"), times.percentile(100.0));
    }
}

impl Serialize for Figures {
    /// What is not a number, as the median of nothing, becomes null.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, figure)| (name, figure)))
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let widest = self.0.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        self.0.iter().try_for_each(|(name, figure)| {
            let decimals = if *figure >= 1_000.0 || figure.fract() == 0.0 { 0 } else { 2 };
            writeln!(f, "{name:widest$}  {figure:.decimals$}")
        })
    }
}

/// How long things took, in microseconds each.
#[derive(Debug, Default)]
pub struct Times(Vec<u32>);

impl Times {
    pub fn add(&mut self, time: Duration) {
        self.0.push(u32::try_from(time.as_micros()).unwrap_or(u32::MAX));
    }

    /// In milliseconds, by the nearest rank; of sorted ones. NaN where there is none.
    fn percentile(&self, percent: f64) -> f64 {
        let rank = (percent / 100.0 * self.0.len() as f64).ceil() as usize;
        let at = rank.saturating_sub(1);
        self.0.get(at).map_or(f64::NAN, |time| f64::from(*time) / 1_000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Figures {
        fn get(&self, name: &str) -> Option<f64> {
            self.0.iter().find(|(known, _)| known == name).map(|(_, figure)| *figure)
        }
    }

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let (mut figures, mut times) = (Figures::default(), Times::default());
        (1..=200).rev().for_each(|number| times.add(Duration::from_millis(number)));
        figures.note_times("seen", &mut times);
        assert_eq!(figures.get("seen_p50_ms"), Some(100.0));
        assert_eq!(figures.get("seen_p99_ms"), Some(198.0));
        assert_eq!(figures.get("seen_max_ms"), Some(200.0));
    }

    #[test]
    fn where_nothing_was_timed_there_is_no_figure() {
        let mut figures = Figures::default();
        figures.note_times("seen", &mut Times::default());
        let json = r#"{"seen_p50_ms":null,"seen_p99_ms":null,"seen_max_ms":null}"#;
        assert_eq!(serde_json::to_string(&figures).unwrap(), json);
    }

    #[test]
    fn the_processor_is_shared_out() {
        let mut figures = Figures::default();
        let took = |name: &str, seconds| (name.to_owned(), Duration::from_secs(seconds));
        let taken = [took("hub", 1), took("db", 2)];
        figures.note_cpu(&taken, "message", 1_000_000);
        assert_eq!(figures.get("cpu_us_per_message_hub"), Some(1.0));
        assert_eq!(figures.get("cpu_us_per_message_all"), Some(3.0));
    }
}
