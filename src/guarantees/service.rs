//! Promises 7 and 8: memory is bounded whatever clients do, and outages end.

use super::history::{Fault, History, Memory, Millis, Outcome};
use super::truth::acknowledgements;
use super::verdict::{Promise, Verdict};

pub fn memory_is_bounded(history: &History, verdict: &mut Verdict) {
    for Memory { instance, connections, base, resident } in &history.memory {
        let most = base + connections * history.bounds.connection_bytes;
        verdict.case(Promise::Memory, *resident <= most, || {
            format!("{instance}: {resident} bytes with {connections} connections; {most} allowed")
        });
    }
}

/// Every send has an answer in time, and after a fault messages are acknowledged again soon.
pub fn outages_are_survived(history: &History, verdict: &mut Verdict) {
    for send in &history.sends {
        for one in &send.tries {
            let took = one.answered_at.saturating_sub(one.at);
            verdict.case(Promise::Outages, took <= history.bounds.answer, || {
                format!("“{}” had no answer from {} for {took} ms", send.body, one.instance)
            });
        }
    }
    for Fault { name, ended_at } in &history.faults {
        let recovered = first_acknowledged_after(history, *ended_at);
        let in_time = recovered.is_some_and(|at| at - ended_at <= history.bounds.recovery);
        verdict.case(Promise::Outages, in_time, || match recovered {
            Some(at) => {
                format!("{name}: nothing was acknowledged for {} ms after it", at - ended_at)
            }
            None => format!("{name}: nothing was acknowledged after it"),
        });
    }
    for send in &history.sends {
        let last = send.tries.last().map(|one| &one.outcome);
        let settled = acknowledgements(send).next().is_some()
            || !matches!(last, None | Some(Outcome::Unknown));
        verdict.case(Promise::Outages, settled, || {
            format!("what became of “{}” was never said, however often it was asked", send.body)
        });
    }
}

/// Of the sends that were begun after the fault's end.
fn first_acknowledged_after(history: &History, ended_at: Millis) -> Option<Millis> {
    let tries = history.sends.iter().flat_map(|send| &send.tries);
    tries
        .filter(|one| one.at >= ended_at && matches!(one.outcome, Outcome::Acknowledged(_)))
        .map(|one| one.answered_at)
        .min()
}
