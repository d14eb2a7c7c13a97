//! Promises 7 and 8: memory is bounded whatever clients do, and outages end.

use std::collections::HashMap;

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
    for (fault, instance, recovered) in recoveries(history) {
        let in_time = recovered.is_some_and(|time| time <= history.bounds.recovery);
        let name = &fault.name;
        verdict.case(Promise::Outages, in_time, || match recovered {
            Some(time) => {
                format!("{name}: {instance} acknowledged nothing for {time} ms after it")
            }
            None => format!("{name}: {instance} acknowledged nothing after it"),
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

/// For each fault and each instance that has to recover from it, how long it took to acknowledge
/// a message that was sent after the fault's end; `None` where it never did.
pub fn recoveries(history: &History) -> Vec<(&Fault, &str, Option<Millis>)> {
    let mut acknowledged: HashMap<&str, Vec<(Millis, Millis)>> = HashMap::new();
    for one in history.sends.iter().flat_map(|send| &send.tries) {
        if matches!(one.outcome, Outcome::Acknowledged(_)) {
            acknowledged.entry(&one.instance).or_default().push((one.at, one.answered_at));
        }
    }
    let mut recoveries = Vec::new();
    for fault in &history.faults {
        for instance in &fault.instances {
            let tries = acknowledged.get(instance.as_str()).map_or(&[][..], Vec::as_slice);
            let later = tries.iter().filter(|(at, _)| *at >= fault.ended_at);
            let first = later.map(|(_, answered_at)| answered_at - fault.ended_at).min();
            recoveries.push((fault, instance.as_str(), first));
        }
    }
    recoveries
}
