//! Promises 1 to 5: what became of everything that was said.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::history::{Count, Entry, Heard, History, Line, Outcome, Send, State};
use super::truth::{Truth, acknowledgements, refused};
use super::verdict::{Promise, Verdict};
use super::view::Stretch;
use super::witness::{Witness, listener, whose};

/// Promise 1. An acknowledged message is in every entitled view and in the store exactly once, a
/// refused one nowhere, and a repeat is answered with the first.
pub fn exactly_once(
    history: &History,
    witnesses: &[Witness],
    truth: &Truth,
    verdict: &mut Verdict,
) {
    history.sends.iter().for_each(|send| one_answer(send, verdict));
    stands_once(&history.entries, verdict);
    let refused = refused(history);
    for witness in witnesses {
        for stretch in &witness.view.stretches {
            holds_once(witness, stretch, truth, verdict);
            invents_nothing(witness, stretch, &refused, truth, verdict);
        }
        let Witness { whose, room, view, .. } = witness;
        verdict.case(Promise::ExactlyOnce, view.repeats.is_empty(), || {
            format!("{whose}, room {room}: {:?} came twice", view.repeats[0])
        });
    }
}

fn one_answer(send: &Send, verdict: &mut Verdict) {
    let answers: HashSet<&Line> = acknowledgements(send).collect();
    verdict.case(Promise::ExactlyOnce, answers.len() <= 1, || {
        format!("“{}” was acknowledged as several messages: {answers:?}", send.body)
    });
    for line in answers {
        let same = line.body == send.body && line.sender == send.sender;
        verdict.case(Promise::ExactlyOnce, same, || {
            format!("“{}” by {} was answered with {line:?}", send.body, send.sender)
        });
    }
}

/// Whoever reads the log finds each record once. A repeat of one that was refused, or that changed
/// the members, would do what was not to be.
fn stands_once(entries: &[Entry], verdict: &mut Verdict) {
    let mut seen = HashSet::new();
    for entry in entries {
        verdict.case(Promise::ExactlyOnce, seen.insert(entry), || {
            format!("the log, room {}: the record {} is there twice", entry.room, entry.id)
        });
    }
}

fn holds_once(witness: &Witness, stretch: &Stretch, truth: &Truth, verdict: &mut Verdict) {
    let mut times: HashMap<&Line, usize> = HashMap::new();
    stretch.lines.iter().for_each(|line| *times.entry(line).or_default() += 1);
    for line in witness.acknowledged(stretch, truth) {
        let seen = times.get(line).copied().unwrap_or(0);
        verdict.case(Promise::ExactlyOnce, seen == 1, || {
            let Witness { whose, room, .. } = witness;
            format!("{whose}, room {room}: {line:?} is there {seen} times")
        });
    }
}

fn invents_nothing(
    Witness { whose, room, .. }: &Witness,
    stretch: &Stretch,
    refused: &BTreeSet<&str>,
    truth: &Truth,
    verdict: &mut Verdict,
) {
    let mut bodies = HashSet::new();
    for line in &stretch.lines {
        let once = bodies.insert(line.body.as_str());
        let meant = truth.sends.get(line.body.as_str()).is_some_and(|send| send.room == *room);
        let was_refused = refused.contains(line.body.as_str());
        verdict.case(Promise::ExactlyOnce, once && meant && !was_refused, || {
            let wrong = match (once, meant) {
                (false, _) => "a second time",
                (_, false) => "though nobody said it here",
                _ => "though it was refused",
            };
            format!("{whose}, room {room}: {line:?} is there {wrong}")
        });
    }
}

/// Promise 2. Every view and the store have the same order, and who resumes has no gap.
pub fn one_order(history: &History, witnesses: &[Witness], truth: &Truth, verdict: &mut Verdict) {
    for witness in witnesses {
        let Witness { whose, room, view, .. } = witness;
        view.stretches.iter().for_each(|stretch| agrees(witness, stretch, truth, verdict));
        verdict.case(Promise::OneOrder, view.steps_back.is_empty(), || {
            format!("{whose}, room {room}: {:?} came late", view.steps_back[0])
        });
    }
    let mut first: BTreeMap<&str, &State> = BTreeMap::new();
    for state in &history.states {
        let other = *first.entry(&state.room).or_insert(state);
        let same = (&state.name, &state.members) == (&other.name, &other.members);
        verdict.case(Promise::OneOrder, same, || format!("{state:?}, but {other:?}"));
    }
}

/// The lines are those of the truth, in its order, and none that is entitled to be there is missing.
fn agrees(witness: &Witness, stretch: &Stretch, truth: &Truth, verdict: &mut Verdict) {
    let (Witness { whose, room, .. }, lines) = (witness, &stretch.lines);
    for two in lines.windows(2) {
        verdict.case(Promise::OneOrder, two[0].position < two[1].position, || {
            format!("{whose}, room {room}: {:?} comes before {:?}", two[0], two[1])
        });
    }
    let there: HashSet<&Line> = lines.iter().copied().collect();
    for line in witness.due(stretch, truth) {
        verdict.case(Promise::OneOrder, there.contains(line), || {
            format!("{whose}, room {room}: {line:?} is missing")
        });
    }
    let truth = truth.rooms.get(room);
    for line in lines {
        let other = truth.and_then(|lines| lines.get(&line.position));
        verdict.case(Promise::OneOrder, other == Some(line), || {
            format!("{whose}, room {room}: {line:?} is there, where others have {other:?}")
        });
    }
}

/// Promise 3. After a removal's position nothing more: not live, not on resume, not in history.
pub fn nothing_after_removal(history: &History, truth: &Truth, verdict: &mut Verdict) {
    for stream in &history.streams {
        for heard in &stream.heard {
            let position = match heard {
                Heard::Message(line) => line.position,
                Heard::Event(position) => *position,
                Heard::From(_) | Heard::Reset(_) | Heard::Loaded(_) => continue,
            };
            let may = truth.may_hear(&stream.room, &stream.user, position);
            verdict.case(Promise::NothingAfterRemoval, may, || {
                format!("{}, room {}: heard {heard:?}", listener(stream), stream.room)
            });
        }
    }
    for page in &history.pages {
        let Some(viewer) = &page.viewer else { continue };
        let was = known_membership(truth, &page.room, viewer, page.asked_at);
        verdict.case(Promise::NothingAfterRemoval, was != Some(false), || {
            format!("{}, room {}: {viewer} was removed, and got a page", whose(page), page.room)
        });
    }
    for Count { instance, room, viewer, .. } in &history.counts {
        let is_member = truth.is_member(room, viewer, i64::MAX);
        verdict.case(Promise::NothingAfterRemoval, is_member, || {
            format!("{instance}, room {room}: {viewer} was removed, and still has a count")
        });
    }
}

/// Whether somebody was a member at a time, where that can be said: not while a change is under way.
fn known_membership(truth: &Truth, room: &str, user: &str, at: u64) -> Option<bool> {
    let changes = truth.changes_of(room, user);
    let answered = changes.iter().rposition(|change| change.answered_at < at);
    match answered {
        Some(last) if last + 1 == changes.len() => Some(changes[last].is_member),
        None if changes.is_empty() => Some(true),
        _ => None,
    }
}

/// Promise 4. What an answer says was done can be read at once from every instance.
pub fn read_your_writes(history: &History, truth: &Truth, verdict: &mut Verdict) {
    let mut by_room: HashMap<&str, Vec<(u64, &Line)>> = HashMap::new();
    for send in &history.sends {
        for one in &send.tries {
            if let Outcome::Acknowledged(line) = &one.outcome {
                by_room.entry(&send.room).or_default().push((one.answered_at, line));
            }
        }
    }
    for page in &history.pages {
        let there: HashSet<&Line> = page.lines.iter().collect();
        let said = by_room.get(page.room.as_str()).map_or(&[][..], Vec::as_slice);
        for (_, line) in said.iter().filter(|(at, _)| *at < page.asked_at) {
            verdict.case(Promise::ReadYourWrites, there.contains(line), || {
                format!("{}, room {}: asked after {line:?}", whose(page), page.room)
            });
        }
    }
    for turned in &history.refusals {
        let was = known_membership(truth, &turned.room, &turned.viewer, turned.asked_at);
        verdict.case(Promise::ReadYourWrites, was != Some(true), || {
            format!("a member was turned away: {turned:?}")
        });
    }
}

/// Promise 5. Unread are the accepted messages by others after the read position.
pub fn unread(history: &History, truth: &Truth, verdict: &mut Verdict) {
    for Count { instance, room, viewer, read_position, unread } in &history.counts {
        let lines = truth.rooms.get(room.as_str());
        let after = lines.into_iter().flat_map(|lines| lines.values());
        let expected =
            after.filter(|line| line.position > *read_position && line.sender != *viewer).count();
        verdict.case(Promise::Unread, *unread == expected, || {
            format!("{instance}, room {room}: {viewer} is told {unread}, and has {expected}")
        });
    }
}
