//! What really is in each room, as far as it can be told from outside: the rows of the store at the
//! end, or where there are none what the first instance says, with all that was acknowledged.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::history::{Change, History, Line, Outcome, Page, Send, Source};
use super::verdict::{Promise, Verdict};

pub struct Truth<'a> {
    /// By room, what is in it, by position.
    pub rooms: BTreeMap<&'a str, BTreeMap<i64, &'a Line>>,
    /// By body, what was meant.
    pub sends: HashMap<&'a str, &'a Send>,
    /// By room, what was acknowledged, by position; what was answered twice is there twice.
    acknowledged: HashMap<&'a str, Vec<&'a Line>>,
    /// By room and person, the changes of membership in the order of their records.
    memberships: HashMap<&'a str, HashMap<&'a str, Vec<&'a Change>>>,
}

impl<'a> Truth<'a> {
    pub fn of(history: &'a History, verdict: &mut Verdict) -> Truth<'a> {
        let mut truth = Truth {
            rooms: BTreeMap::new(),
            sends: history.sends.iter().map(|send| (send.body.as_str(), send)).collect(),
            acknowledged: HashMap::new(),
            memberships: HashMap::new(),
        };
        for page in last_word(history).into_values() {
            let lines = page.lines.iter().map(|line| (line.position, line));
            truth.rooms.entry(&page.room).or_default().extend(lines);
        }
        for send in &history.sends {
            for line in acknowledgements(send) {
                truth.acknowledge(&send.room, line, verdict);
            }
        }
        truth.acknowledged.values_mut().for_each(|lines| lines.sort_by_key(|line| line.position));
        for change in &history.changes {
            let people = truth.memberships.entry(&change.room).or_default();
            people.entry(&change.user).or_default().push(change);
        }
        for changes in truth.memberships.values_mut().flat_map(HashMap::values_mut) {
            changes.sort_by_key(|change| change.position);
        }
        truth
    }

    /// What was acknowledged is there, whatever the store says; two lines in one place are one too
    /// many.
    fn acknowledge(&mut self, room: &'a str, line: &'a Line, verdict: &mut Verdict) {
        self.acknowledged.entry(room).or_default().push(line);
        let there = *self.rooms.entry(room).or_default().entry(line.position).or_insert(line);
        verdict.case(Promise::OneOrder, there == line, || {
            format!("room {room}: {line:?} was acknowledged, but {there:?} has its place")
        });
    }

    /// In the order of their positions.
    pub fn acknowledged(&self, room: &str) -> &[&'a Line] {
        self.acknowledged.get(room).map_or(&[], Vec::as_slice)
    }

    /// Who was never added or removed in the run is a member throughout.
    pub fn is_member(&self, room: &str, user: &str, position: i64) -> bool {
        let changes = self.changes_of(room, user);
        let before = changes.iter().rev().find(|change| change.position <= position);
        match before {
            Some(change) => change.is_member,
            // Before the first change it was the other way round.
            None => changes.first().is_none_or(|change| !change.is_member),
        }
    }

    /// The record that took somebody out of a room is the last that they hear of it.
    pub fn may_hear(&self, room: &str, user: &str, position: i64) -> bool {
        self.is_member(room, user, position) || self.is_member(room, user, position - 1)
    }

    pub fn changes_of(&self, room: &str, user: &str) -> &[&'a Change] {
        let of_room = self.memberships.get(room);
        of_room.and_then(|people| people.get(user)).map_or(&[], Vec::as_slice)
    }
}

pub fn acknowledgements(send: &Send) -> impl Iterator<Item = &Line> {
    send.tries.iter().filter_map(|one| match &one.outcome {
        Outcome::Acknowledged(line) => Some(line),
        _ => None,
    })
}

fn last_word(history: &History) -> BTreeMap<&str, &Page> {
    let mut last: BTreeMap<&str, &Page> = BTreeMap::new();
    for page in history.pages.iter().filter(|page| page.is_final) {
        let known = last.entry(&page.room).or_insert(page);
        if page.source == Source::Store {
            *known = page;
        }
    }
    last
}

/// The bodies that were refused by every try, and so surely are nowhere.
pub fn refused(history: &History) -> BTreeSet<&str> {
    let all_refused =
        |send: &&Send| send.tries.iter().all(|one| matches!(one.outcome, Outcome::Refused(_)));
    history.sends.iter().filter(all_refused).map(|send| send.body.as_str()).collect()
}
