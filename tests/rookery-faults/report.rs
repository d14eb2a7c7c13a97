//! What the runs came to: a line for each, and the table of all.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use rookery::guarantees::history::Millis;
use rookery::guarantees::{Promise, Verdict};
use serde::{Deserialize, Serialize};

use crate::figures::{Figures, percentile};
use crate::rows::Row;
use crate::run::Ran;

/// A p99 below it is not told from none, in milliseconds.
const NOISE: Millis = 25;

/// One run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Told {
    row: String,
    about: String,
    seed: u64,
    /// The run could not be done.
    broken_off: bool,
    /// Connections that ended without a word, where none should.
    disorder: usize,
    /// Those who have nothing to do with the fault waited more than twice as long.
    held_up: bool,
    /// In the order of the promises: cases, violations, and the first violation.
    promises: Vec<(u64, u64, Option<String>)>,
    figures: Figures,
}

impl Told {
    pub fn of(row: &Row, seed: u64, ran: &Ran) -> Told {
        let disorder = if row.is_orderly { ran.figures.broken } else { 0 };
        let (promises, figures) = (promises(&ran.verdict), ran.figures.clone());
        let calm = figures.calm_p99.max(NOISE);
        let held_up = row.has_bystanders && figures.fault_p99 > 2 * calm;
        Told { promises, figures, disorder, held_up, ..Told::new(row, seed) }
    }

    pub fn broken_off(row: &Row, seed: u64) -> Told {
        Told { broken_off: true, ..Told::new(row, seed) }
    }

    fn new(row: &Row, seed: u64) -> Told {
        Told {
            row: row.name.to_owned(),
            about: row.about.to_owned(),
            seed,
            broken_off: false,
            disorder: 0,
            held_up: false,
            promises: Vec::new(),
            figures: Figures::default(),
        }
    }

    pub fn has_failed(&self) -> bool {
        self.broken_off
            || self.disorder > 0
            || self.held_up
            || self.promises.iter().any(|(_, violations, _)| *violations > 0)
    }

    pub fn append(&self, file: &Path) {
        let line = serde_json::to_string(self).expect("plain values");
        let file = File::options().create(true).append(true).open(file);
        writeln!(file.expect("the file of --out"), "{line}").expect("the file of --out");
    }
}

fn promises(verdict: &Verdict) -> Vec<(u64, u64, Option<String>)> {
    let told = Promise::ALL.into_iter().map(|promise| verdict.of(promise));
    told.map(|one| (one.cases, one.violations, one.first.clone())).collect()
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if self.broken_off {
            return write!(f, "   BROKEN OFF");
        }
        for (promise, (cases, violations, first)) in Promise::ALL.iter().zip(&self.promises) {
            if *violations > 0 {
                let first = first.as_deref().unwrap_or_default();
                let name = promise.name();
                writeln!(f, "   VIOLATED: {name}, {violations} of {cases}, the first: {first}")?;
            }
        }
        if self.disorder > 0 {
            writeln!(f, "   VIOLATED: {} connections ended without a close code", self.disorder)?;
        }
        if self.held_up {
            writeln!(f, "   VIOLATED: those who have nothing to do with it were held up")?;
        }
        let cases: u64 = self.promises.iter().map(|(cases, ..)| cases).sum();
        let Figures { tries, acknowledged, refused, unknown, connections, .. } = &self.figures;
        let Figures { resets, recovery, ghost, ghost_of_crash, broken, thrown_out, .. } =
            &self.figures;
        let Figures { base, peak, calm_p50, calm_p99, fault_p50, fault_p99, .. } = &self.figures;
        let Figures { kafka_calm_p99, kafka_fault_p99, .. } = &self.figures;
        write!(
            f,
            "   {cases} cases; {tries} tries: {acknowledged} acknowledged, {refused} refused, \
             {unknown} unknown; {connections} connections, {broken} broken, {thrown_out} thrown \
             out, {resets} resets; works again after {recovery} ms; ghosts {ghost} ms, of crashes \
             {ghost_of_crash} ms; memory {} to {} MiB; p50/p99 {calm_p50}/{calm_p99} ms, under \
             the fault {fault_p50}/{fault_p99} ms; Kafka itself: p99 {kafka_calm_p99} and \
             {kafka_fault_p99} ms",
            base >> 20,
            peak >> 20,
        )
    }
}

/// All runs.
#[derive(Debug, Default)]
pub struct Report {
    runs: Vec<Told>,
}

impl Report {
    pub fn add(&mut self, told: Told) {
        self.runs.push(told);
    }

    /// What `--out` has written.
    pub fn read(files: &[PathBuf]) -> Report {
        let mut report = Report::default();
        for file in files {
            let text = std::fs::read_to_string(file).expect("a file of --out");
            let runs =
                text.lines().map(|line| serde_json::from_str(line).expect("a line of --out"));
            report.runs.extend(runs);
        }
        report
    }

    pub fn has_failed(&self) -> bool {
        self.runs.iter().any(Told::has_failed)
    }

    pub fn summary(&self) -> String {
        let failed = self.runs.iter().filter(|told| told.has_failed()).count();
        let passed = self.runs.len() - failed;
        let word = if failed == 0 { "ok" } else { "FAILED" };
        format!("{word}. {passed} passed; {failed} failed")
    }

    /// The rows in the order of the program, then those that it does not know.
    fn rows(&self) -> Vec<(&str, Vec<&Told>)> {
        let mut rows: BTreeMap<(usize, &str), Vec<&Told>> = BTreeMap::new();
        let known = crate::rows::all();
        for told in &self.runs {
            let place = known.iter().position(|row| row.name == told.row);
            rows.entry((place.unwrap_or(known.len()), &told.row)).or_default().push(told);
        }
        rows.into_iter().map(|((_, name), runs)| (name, runs)).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "| fault | runs |")?;
        Promise::ALL.iter().try_for_each(|promise| write!(f, " {} |", promise.name()))?;
        writeln!(f, " works again, s | ghosts, s | unknown, % | memory, MiB | p99, ms |")?;
        writeln!(f, "|---{}|", "|---".repeat(Promise::ALL.len() + 6))?;
        self.rows().into_iter().try_for_each(|(name, runs)| row(f, name, &runs))
    }
}

/// Of the run in the middle.
fn middle(runs: &[&Told], of: impl Fn(&Figures) -> Millis) -> Millis {
    let mut all: Vec<Millis> = runs.iter().map(|told| of(&told.figures)).collect();
    all.sort_unstable();
    percentile(&all, 50)
}

fn row(f: &mut fmt::Formatter, name: &str, runs: &[&Told]) -> fmt::Result {
    let about = runs.first().map_or("", |told| &told.about);
    write!(f, "| **{name}**: {about} | {} |", runs.len())?;
    for promise in 0..Promise::ALL.len() {
        let of_promise = || runs.iter().filter_map(|told| told.promises.get(promise));
        let cases: u64 = of_promise().map(|(cases, ..)| cases).sum();
        match of_promise().map(|(_, violations, _)| violations).sum() {
            0u64 => write!(f, " {cases} |")?,
            violations => write!(f, " **{violations}** of {cases} |")?,
        }
    }
    let mut figures = Figures::default();
    runs.iter().for_each(|told| figures.add(&told.figures));
    let seconds = |milliseconds: u64| milliseconds as f64 / 1_000.0;
    let unknown = 100.0 * figures.unknown as f64 / figures.tries.max(1) as f64;
    write!(f, " {:.1} |", seconds(figures.recovery))?;
    write!(f, " {:.1}, {:.1} |", seconds(figures.ghost), seconds(figures.ghost_of_crash))?;
    write!(f, " {unknown:.2} | {}, {} |", figures.base >> 20, figures.peak >> 20)?;
    let calm = middle(runs, |figures| figures.calm_p99);
    write!(f, " {calm}, {} |", middle(runs, |figures| figures.fault_p99))?;
    let count = |is_so: fn(&Told) -> bool| runs.iter().filter(|told| is_so(told)).count();
    let faults = [
        (count(|told| told.broken_off), "broken off"),
        (count(|told| told.held_up), "held up"),
        (count(|told| told.disorder > 0), "in disorder"),
    ];
    for (runs, what) in faults.into_iter().filter(|(runs, _)| *runs > 0) {
        write!(f, " **{runs} {what}**")?;
    }
    writeln!(f)
}
