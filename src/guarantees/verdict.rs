//! What a check found: for each promise how many cases it looked at, and what was wrong.

use std::fmt;

/// The eight promises, in the words of the documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    ExactlyOnce,
    OneOrder,
    NothingAfterRemoval,
    ReadYourWrites,
    Unread,
    Presence,
    Memory,
    Outages,
}

impl Promise {
    pub const ALL: [Promise; 8] = [
        Promise::ExactlyOnce,
        Promise::OneOrder,
        Promise::NothingAfterRemoval,
        Promise::ReadYourWrites,
        Promise::Unread,
        Promise::Presence,
        Promise::Memory,
        Promise::Outages,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Promise::ExactlyOnce => "exactly once",
            Promise::OneOrder => "one order",
            Promise::NothingAfterRemoval => "nothing after removal",
            Promise::ReadYourWrites => "read your writes",
            Promise::Unread => "unread counts",
            Promise::Presence => "presence",
            Promise::Memory => "bounded memory",
            Promise::Outages => "outages survived",
        }
    }
}

/// How one promise fared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judgement {
    pub cases: u64,
    pub violations: u64,
    /// The first violation, in full.
    pub first: Option<String>,
}

/// How all promises fared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    judgements: [Judgement; 8],
}

impl Verdict {
    pub fn of(&self, promise: Promise) -> &Judgement {
        &self.judgements[promise as usize]
    }

    pub fn violations(&self) -> u64 {
        self.judgements.iter().map(|judgement| judgement.violations).sum()
    }

    /// What several checks found, one after the other.
    pub fn add(&mut self, other: &Verdict) {
        for (judgement, other) in self.judgements.iter_mut().zip(&other.judgements) {
            judgement.cases += other.cases;
            judgement.violations += other.violations;
            judgement.first = judgement.first.take().or_else(|| other.first.clone());
        }
    }

    /// Counts a case; the violation, if it is one, is put into words only where it is the first.
    pub(super) fn case(&mut self, promise: Promise, holds: bool, violation: impl Fn() -> String) {
        let judgement = &mut self.judgements[promise as usize];
        judgement.cases += 1;
        if !holds {
            judgement.violations += 1;
            judgement.first.get_or_insert_with(violation);
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(f, "| promise | cases | violations | the first |")?;
        writeln!(f, "|---|---|---|---|")?;
        for promise in Promise::ALL {
            let Judgement { cases, violations, first } = self.of(promise);
            let first = first.as_deref().unwrap_or("");
            writeln!(f, "| {} | {cases} | {violations} | {first} |", promise.name())?;
        }
        Ok(())
    }
}
