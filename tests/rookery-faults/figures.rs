//! What a run measured beside the verdict.

use std::sync::atomic::{AtomicUsize, Ordering};

use rookery::guarantees::beats::Beats;
use rookery::guarantees::history::{End, History, Millis, Outcome};
use rookery::guarantees::recoveries;
use serde::{Deserialize, Serialize};

use crate::client::Tally;
use crate::observers::latencies;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Figures {
    pub messages: usize,
    pub tries: usize,
    pub acknowledged: usize,
    pub refused: usize,
    pub unknown: usize,
    pub connections: usize,
    pub resets: usize,
    pub broken: usize,
    pub thrown_out: usize,
    /// The slowest instance after the slowest fault, in milliseconds.
    pub recovery: Millis,
    /// How long somebody was seen who was gone, in milliseconds: after an orderly end and a crash.
    pub ghost: Millis,
    pub ghost_of_crash: Millis,
    /// The largest of the instances, in bytes, before and during the fault.
    pub base: u64,
    pub peak: u64,
    /// Of a send until its acknowledgement, in milliseconds: before and during the fault.
    pub calm_p50: Millis,
    pub calm_p99: Millis,
    pub fault_p50: Millis,
    pub fault_p99: Millis,
    /// Of a record that Kafka took and gave back past the hubs at the same times.
    #[serde(default)]
    pub kafka_calm_p99: Millis,
    #[serde(default)]
    pub kafka_fault_p99: Millis,
}

/// When it was calm, and when something was broken.
pub struct Times {
    pub calm: Vec<(Millis, Millis)>,
    pub fault: (Millis, Millis),
}

impl Figures {
    pub fn of(
        history: &History,
        tally: &Tally,
        kafka: &Beats,
        Times { calm, fault }: Times,
    ) -> Figures {
        let count = |counter: &AtomicUsize| counter.load(Ordering::SeqCst);
        let (in_calm, during) = (latencies(history, &calm), latencies(history, &[fault]));
        let mut figures = Figures {
            messages: history.sends.len(),
            connections: count(&tally.connections),
            resets: count(&tally.resets),
            broken: count(&tally.broken),
            thrown_out: count(&tally.thrown_out),
            recovery: recoveries(history)
                .into_iter()
                .filter_map(|(.., time)| time)
                .max()
                .unwrap_or(0),
            ghost: ghost(history, End::Orderly),
            ghost_of_crash: ghost(history, End::Crash),
            base: history.memory.iter().map(|memory| memory.base).max().unwrap_or(0),
            peak: history.memory.iter().map(|memory| memory.resident).max().unwrap_or(0),
            calm_p50: percentile(&in_calm, 50),
            calm_p99: percentile(&in_calm, 99),
            fault_p50: percentile(&during, 50),
            fault_p99: percentile(&during, 99),
            kafka_calm_p99: percentile(&kafka.at_each(&calm), 99),
            kafka_fault_p99: percentile(&kafka.at_each(&[fault]), 99),
            ..Figures::default()
        };
        for one in history.sends.iter().flat_map(|send| &send.tries) {
            figures.tries += 1;
            *match one.outcome {
                Outcome::Acknowledged(_) => &mut figures.acknowledged,
                Outcome::Refused(_) => &mut figures.refused,
                Outcome::Unknown => &mut figures.unknown,
            } += 1;
        }
        figures
    }

    /// Of several runs: sums of counts, and the worst of times and sizes, but for how long sends took.
    pub fn add(&mut self, other: &Figures) {
        self.messages += other.messages;
        self.tries += other.tries;
        self.acknowledged += other.acknowledged;
        self.refused += other.refused;
        self.unknown += other.unknown;
        self.connections += other.connections;
        self.resets += other.resets;
        self.broken += other.broken;
        self.thrown_out += other.thrown_out;
        let worst = [
            (&mut self.recovery, other.recovery),
            (&mut self.ghost, other.ghost),
            (&mut self.ghost_of_crash, other.ghost_of_crash),
            (&mut self.base, other.base),
            (&mut self.peak, other.peak),
        ];
        for (mine, theirs) in worst {
            *mine = (*mine).max(theirs);
        }
    }
}

/// For how long after the end of their last socket somebody was still seen, whose socket ended so.
fn ghost(history: &History, how: End) -> Millis {
    let seen = history.sightings.iter().filter(|sighting| sighting.online);
    let ghosts = seen.filter_map(|sighting| {
        let theirs = history.sockets.iter();
        let mut theirs =
            theirs.filter(|socket| socket.user == sighting.user && socket.begun_at <= sighting.at);
        let ends: Option<Vec<(Millis, End)>> = theirs.try_fold(Vec::new(), |mut ends, socket| {
            ends.push(socket.ended.filter(|(at, _)| *at < sighting.asked_at)?);
            Some(ends)
        });
        let (ended_at, end) = ends?.into_iter().max_by_key(|(at, _)| *at)?;
        (end == how).then(|| sighting.asked_at - ended_at)
    });
    ghosts.max().unwrap_or(0)
}

pub fn percentile(sorted: &[Millis], percent: usize) -> Millis {
    let last = sorted.len().saturating_sub(1);
    sorted.get(last * percent / 100).copied().unwrap_or(0)
}
