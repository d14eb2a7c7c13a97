//! Promises 1 to 5: what became of everything that was said.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::history::{Count, Heard, History, Line, Outcome, Page, Send, State, Stream};
use super::truth::{Truth, acknowledgements, refused};
use super::verdict::{Promise, Verdict};
use super::view::{Stretch, View};

/// Promise 1. An acknowledged message is in every entitled view and in the store exactly once, a
/// refused one nowhere, and a repeat is answered with the first.
pub fn exactly_once(history: &History, truth: &Truth, verdict: &mut Verdict) {
    history.sends.iter().for_each(|send| one_answer(send, verdict));
    let refused = refused(history);
    for page in history.pages.iter().filter(|page| page.is_final) {
        let whose = whose(page);
        let lines: Vec<&Line> = page.lines.iter().collect();
        let missing = |_: i64| true;
        holds_once(&whose, &page.room, &lines, missing, truth, verdict);
        invents_nothing(&whose, &page.room, &lines, &refused, truth, verdict);
    }
    for stream in &history.streams {
        let (whose, view) = (listener(stream), View::of(stream));
        for stretch in &view.stretches {
            let entitled = entitled(stream, stretch, truth);
            holds_once(&whose, &stream.room, &stretch.lines, entitled, truth, verdict);
            invents_nothing(&whose, &stream.room, &stretch.lines, &refused, truth, verdict);
        }
        verdict.case(Promise::ExactlyOnce, view.repeats.is_empty(), || {
            format!("{whose}, room {}: {:?} came twice", stream.room, view.repeats[0])
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

fn holds_once(
    whose: &str,
    room: &str,
    lines: &[&Line],
    entitled: impl Fn(i64) -> bool,
    truth: &Truth,
    verdict: &mut Verdict,
) {
    let mut times: HashMap<&Line, usize> = HashMap::new();
    lines.iter().for_each(|line| *times.entry(line).or_default() += 1);
    let sends = truth.sends.values().filter(|send| send.room == room);
    for line in sends.flat_map(|send| acknowledgements(send)) {
        if entitled(line.position) {
            let seen = times.get(line).copied().unwrap_or(0);
            verdict.case(Promise::ExactlyOnce, seen == 1, || {
                format!("{whose}, room {room}: {line:?} is there {seen} times")
            });
        }
    }
}

fn invents_nothing(
    whose: &str,
    room: &str,
    lines: &[&Line],
    refused: &BTreeSet<&str>,
    truth: &Truth,
    verdict: &mut Verdict,
) {
    let mut bodies = HashSet::new();
    for line in lines {
        let once = bodies.insert(line.body.as_str());
        let meant = truth.sends.get(line.body.as_str()).is_some_and(|send| send.room == room);
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
pub fn one_order(history: &History, truth: &Truth, verdict: &mut Verdict) {
    for page in history.pages.iter().filter(|page| page.is_final) {
        let lines: Vec<&Line> = page.lines.iter().collect();
        agrees(&whose(page), &page.room, &lines, |_| true, truth, verdict);
    }
    for stream in &history.streams {
        let (whose, view) = (listener(stream), View::of(stream));
        for stretch in &view.stretches {
            let entitled = entitled(stream, stretch, truth);
            agrees(&whose, &stream.room, &stretch.lines, entitled, truth, verdict);
        }
        verdict.case(Promise::OneOrder, view.steps_back.is_empty(), || {
            format!("{whose}, room {}: {:?} came late", stream.room, view.steps_back[0])
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
fn agrees(
    whose: &str,
    room: &str,
    lines: &[&Line],
    entitled: impl Fn(i64) -> bool,
    truth: &Truth,
    verdict: &mut Verdict,
) {
    for two in lines.windows(2) {
        verdict.case(Promise::OneOrder, two[0].position < two[1].position, || {
            format!("{whose}, room {room}: {:?} comes before {:?}", two[0], two[1])
        });
    }
    let there: HashSet<&Line> = lines.iter().copied().collect();
    let nothing = BTreeMap::new();
    let truth = truth.rooms.get(room).unwrap_or(&nothing);
    for (position, line) in truth {
        if entitled(*position) {
            verdict.case(Promise::OneOrder, there.contains(line), || {
                format!("{whose}, room {room}: {line:?} is missing")
            });
        }
    }
    for line in lines {
        verdict.case(Promise::OneOrder, truth.get(&line.position) == Some(line), || {
            let other = truth.get(&line.position);
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

/// What a client has to have of the room in one stretch.
fn entitled(stream: &Stream, stretch: &Stretch, truth: &Truth) -> impl Fn(i64) -> bool {
    let Stream { room, user, .. } = stream;
    move |position| stretch.covers(position) && truth.may_hear(room, user, position)
}

fn whose(page: &Page) -> String {
    format!("{:?}", page.source)
}

fn listener(Stream { client, user, .. }: &Stream) -> String {
    format!("client {client} of {user}")
}
