//! The promises, decided over what was seen from outside.
//!
//! A run records a [`History`]: every send with its outcome, everything each client heard, in order,
//! and at last what every instance and the store have. [`check`] is a pure function of it: no hub, no
//! socket, no clock. What it finds is a [`Verdict`], a table with a line for each promise.

pub mod beats;
pub mod dice;
pub mod history;
mod lines;
#[cfg(test)]
mod planted;
mod presence;
mod service;
mod truth;
mod verdict;
mod view;
mod witness;

pub use history::History;
pub use service::recoveries;
pub use verdict::{Judgement, Promise, Verdict};

use truth::Truth;
use witness::Witness;

/// Decides every promise.
pub fn check(history: &History) -> Verdict {
    let mut verdict = Verdict::default();
    let truth = Truth::of(history, &mut verdict);
    let witnesses = Witness::all(history);
    lines::exactly_once(history, &witnesses, &truth, &mut verdict);
    lines::one_order(history, &witnesses, &truth, &mut verdict);
    lines::nothing_after_removal(history, &truth, &mut verdict);
    lines::read_your_writes(history, &truth, &mut verdict);
    lines::unread(history, &truth, &mut verdict);
    presence::is_that_of_the_sockets(history, &mut verdict);
    service::memory_is_bounded(history, &mut verdict);
    service::outages_are_survived(history, &mut verdict);
    verdict
}
