//! What a room has accepted since it woke, for those who come back: the newest of it, in memory.
//!
//! It also knows how far back it reaches, and so how somebody may come in who knows the room up
//! to some position: without a gap and without a repeat.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{self, AtomicUsize};

use bytes::Bytes;

use super::erasure;
use super::page::{Events, change};
use super::room::{Event, Mentions, Message};
use super::types::{Person, Position, RoomId, UserId};

/// Bytes of frames that a room keeps; past it the oldest are dropped.
const KEPT_BYTES: usize = 1024 * 1024;

/// Events that a room keeps even where all rooms together keep too much.
const AT_LEAST: usize = 16;

/// Bytes of frames that all rooms of an instance keep together; past it, whichever has something new
/// to keep drops the oldest of its own.
#[derive(Debug)]
pub struct Budget {
    most: usize,
    used: AtomicUsize,
}

impl Budget {
    pub fn new(most: usize) -> Arc<Budget> {
        Arc::new(Budget { most, used: AtomicUsize::new(0) })
    }

    fn is_exceeded(&self) -> bool {
        self.used.load(atomic::Ordering::Relaxed) > self.most
    }

    fn change(&self, from: usize, to: usize) {
        match to.checked_sub(from) {
            Some(more) => self.used.fetch_add(more, atomic::Ordering::Relaxed),
            None => self.used.fetch_sub(from - to, atomic::Ordering::Relaxed),
        };
    }
}

/// Makes the frame that everyone gets.
pub type Encode = fn(RoomId, Position, &Event) -> Bytes;

/// An accepted event with its frame.
#[derive(Debug)]
pub struct KeptEvent {
    pub position: Position,
    pub event: Arc<Event>,
    pub frame: Bytes,
}

/// How somebody comes in who knows the room up to some position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entrance {
    /// They know everything.
    AtOnce,
    /// What they missed is kept.
    Kept,
    /// They missed more than is kept: the store has it.
    Stored,
    /// They have to load everything anew: what they know is not of this log, or they were removed
    /// and are back, and the removal is the last that is told of a stay.
    Anew,
}

/// The newest `most` of the accepted events: those since a room woke, and before them those that the
/// store remembered for somebody who had missed them.
#[derive(Debug)]
pub struct Kept {
    room: RoomId,
    encode: Encode,
    budget: Arc<Budget>,
    events: VecDeque<KeptEvent>,
    /// How many of them, the oldest, are from the store.
    remembered: usize,
    bytes: usize,
    most: usize,
    /// Every accepted event from this offset on is here as it happened.
    from: i64,
    /// With what the store remembered, everything after this position is here.
    after: Option<Position>,
    /// Some of what comes before was here, and was too much.
    has_dropped: bool,
}

impl Kept {
    /// At most `most` events, out of a budget for all rooms.
    pub fn new(room: RoomId, most: usize, budget: Arc<Budget>, encode: Encode) -> Kept {
        Kept {
            room,
            encode,
            budget,
            events: VecDeque::new(),
            remembered: 0,
            bytes: 0,
            most,
            from: i64::MAX,
            after: None,
            has_dropped: false,
        }
    }

    /// The room has woken, and has every event from this offset on.
    pub fn begin(&mut self, from: i64) {
        self.from = from;
    }

    /// Keeps an event, and returns its frame.
    pub fn push(&mut self, position: Position, event: Arc<Event>) -> Bytes {
        let frame = (self.encode)(self.room, position, &event);
        self.set_bytes(self.bytes + frame.len());
        self.events.push_back(KeptEvent { position, event, frame: frame.clone() });
        while self.is_too_much() {
            let Some(oldest) = self.events.pop_front() else { break };
            self.set_bytes(self.bytes - oldest.frame.len());
            self.after = Some(oldest.position);
            self.has_dropped = true;
            match self.remembered {
                0 => self.from = oldest.position.offset() + 1,
                _ => self.remembered -= 1,
            }
        }
        frame
    }

    fn is_too_much(&self) -> bool {
        let is_over = self.budget.is_exceeded() && self.events.len() > AT_LEAST;
        is_over || self.events.len() > self.most || self.bytes > KEPT_BYTES
    }

    fn set_bytes(&mut self, bytes: usize) {
        self.budget.change(self.bytes, bytes);
        self.bytes = bytes;
    }

    /// Takes in the events after a position, of which the store has all up to this offset of the
    /// log in this epoch. False, and nothing is taken in, where some are missing in between or they
    /// are more than is kept.
    pub fn remember(
        &mut self,
        since: Position,
        events: Vec<(Position, Event)>,
        (epoch, stored): (u16, i64),
    ) -> bool {
        if !self.goes_on_from(stored) {
            return false;
        }
        let is_missing = |position: Position| {
            let before_waking = position.epoch() != epoch || position.offset() < self.from;
            before_waking && self.after.is_none_or(|after| position <= after)
        };
        let missing = events.into_iter().filter(|(position, _)| is_missing(*position));
        let missing: Vec<KeptEvent> = missing
            .map(|(position, event)| {
                let frame = (self.encode)(self.room, position, &event);
                KeptEvent { position, event: Arc::new(event), frame }
            })
            .collect();
        let bytes: usize = missing.iter().map(|kept| kept.frame.len()).sum();
        let is_too_much =
            self.events.len() + missing.len() > self.most || self.bytes + bytes > KEPT_BYTES;
        if is_too_much || self.budget.is_exceeded() {
            return false;
        }
        self.remembered += missing.len();
        self.set_bytes(self.bytes + bytes);
        self.after = Some(since);
        missing.into_iter().rev().for_each(|kept| self.events.push_front(kept));
        self.redact_again();
        true
    }

    /// What was deleted while the store was asked may have come with its answer.
    fn redact_again(&mut self) {
        let deleted = |kept: &KeptEvent| match &*kept.event {
            Event::Deleted { message, .. } => Some(message.clone()),
            _ => None,
        };
        let deleted: Vec<Message> = self.events.iter().filter_map(deleted).collect();
        deleted.iter().for_each(|message| self.redact(message));
    }

    /// Whether what is not kept is more than anybody is told again.
    pub fn has_dropped(&self) -> bool {
        self.has_dropped
    }

    /// How this person comes in who knows the room up to `since`, while it is at `now` and the log in
    /// this epoch.
    pub fn entrance(&self, user: UserId, since: Position, now: Position, epoch: u16) -> Entrance {
        let is_own = since.epoch() == epoch && self.from <= since.offset() + 1;
        let is_kept = is_own || self.after.is_some_and(|after| after <= since);
        match since.cmp(&now) {
            Ordering::Equal => Entrance::AtOnce,
            // From a log that was made anew, or made up.
            Ordering::Greater => Entrance::Anew,
            Ordering::Less if is_kept && self.was_removed(user, since) => Entrance::Anew,
            Ordering::Less if is_kept => Entrance::Kept,
            Ordering::Less => Entrance::Stored,
        }
    }

    fn was_removed(&self, user: UserId, since: Position) -> bool {
        let removes = |event: &Event| match event {
            Event::MemberRemoved { member, .. } => member.person.id == user,
            _ => false,
        };
        self.after(since).any(|kept| removes(&kept.event))
    }

    /// Whether nothing is missing between what the store has up to this offset and what is kept.
    fn goes_on_from(&self, stored: i64) -> bool {
        self.from <= stored
    }

    /// What is kept of the time after a position.
    pub fn after(&self, since: Position) -> impl Iterator<Item = &KeptEvent> {
        let at = self.events.partition_point(|kept| kept.position <= since);
        self.events.range(at..)
    }

    /// The message at a position as it is by now, if it is kept.
    pub fn message(&self, position: Position) -> Option<Message> {
        let at = self.events.binary_search_by_key(&position, |kept| kept.position).ok()?;
        let Event::Message { message, .. } = &*self.events[at].event else { return None };
        let mut message = message.clone();
        // What the store remembered is as it is now already.
        for later in self.events.range(self.remembered.max(at + 1)..) {
            change(&mut message, &later.event);
        }
        Some(message)
    }

    /// The events from an offset on, or `None` where not all of them are kept.
    pub fn events_from(&self, from: i64) -> Option<Events> {
        // What the store remembered is as it is now, not as it was.
        let own = self.events.iter().skip(self.remembered);
        let events = own.filter(|kept| kept.position.offset() >= from);
        let events = events.map(|kept| (kept.position, kept.event.clone()));
        (self.from <= from).then(|| events.collect())
    }

    /// After the room was deleted: only the record of that is left to tell.
    pub fn forget_messages(&mut self) {
        self.events.retain(|kept| matches!(&*kept.event, Event::RoomDeleted { .. }));
        self.remembered = 0;
        self.set_bytes(self.events.iter().map(|kept| kept.frame.len()).sum());
    }

    /// Takes the text of a deleted message out of everything that is kept: nobody gets it now.
    pub fn redact(&mut self, deleted: &Message) {
        let concerns = |event: &Event| match event {
            Event::Message { message, .. } | Event::Edited { message, .. } => {
                message.id == deleted.id || message.reply_to == Some(deleted.id)
            }
            _ => false,
        };
        self.change_each(concerns, |event| {
            let (Event::Message { message, mentions } | Event::Edited { message, mentions }) =
                event
            else {
                return false;
            };
            let by = deleted.sender.id;
            change(message, &Event::Deleted { message: deleted.clone(), by });
            if message.deleted {
                *mentions = Mentions::default();
            }
            true
        });
    }

    /// Puts a person's names in place of those in everything that is kept.
    pub fn rename(&mut self, to: &Person) {
        self.change_each(|_| true, |event| erasure::rename(event, to));
    }

    /// Changes those events that it concerns, and makes new frames of those that are others now.
    fn change_each(
        &mut self,
        concerns: impl Fn(&Event) -> bool,
        change: impl Fn(&mut Event) -> bool,
    ) {
        let mut bytes = self.bytes;
        for kept in self.events.iter_mut().filter(|kept| concerns(&kept.event)) {
            let mut event = (*kept.event).clone();
            if change(&mut event) {
                let frame = (self.encode)(self.room, kept.position, &event);
                bytes = bytes + frame.len() - kept.frame.len();
                (kept.event, kept.frame) = (Arc::new(event), frame);
            }
        }
        self.set_bytes(bytes);
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.set_bytes(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::Member;
    use crate::core::message::{Reactors, example};
    use crate::core::types::{MessageId, Role, Timestamp};

    const ANN: UserId = UserId(1);

    fn event() -> Arc<Event> {
        Arc::new(Event::RoomDeleted { by: UserId(1), members: Vec::new() })
    }

    fn kept(most: usize, encode: Encode) -> Kept {
        Kept::new(RoomId::Group(1), most, Budget::new(usize::MAX), encode)
    }

    fn at(offset: i64) -> Position {
        Position::new(0, offset)
    }

    #[test]
    fn a_message_is_as_it_is_by_now() {
        let mut kept = kept(10, |_, _, _| Bytes::new());
        kept.begin(10);
        let said = example(MessageId(7), at(7));
        let thumb = |users| Reactors { emoji: "👍".into(), users };
        let reaction = |position, all: Vec<Reactors>| {
            let (message, user, emoji) = (said.id, ANN, "👍".into());
            let reacted = Event::Reaction { message, emoji, user, on: true, count: 1, all };
            (position, reacted)
        };
        let known = Message { reactions: vec![thumb(vec![ANN]).into()], ..said.clone() };
        let message = Event::Message { message: known.clone(), mentions: Mentions::default() };
        // The store has the message as it is now, and of its reactions no more than that they were.
        let stored = vec![(at(7), message), reaction(at(8), Vec::new())];
        assert!(kept.remember(at(6), stored, (0, 12)));
        assert_eq!(kept.message(at(7)), Some(known));
        let (position, reacted) = reaction(at(10), vec![thumb(vec![ANN, UserId(2)])]);
        kept.push(position, Arc::new(reacted));
        assert_eq!(kept.message(at(7)).map(|message| message.reactions[0].count), Some(2));
        assert_eq!(kept.message(at(8)), None, "no message");
    }

    #[test]
    fn rooms_together_keep_no_more_than_their_budget() {
        let budget = Budget::new(100 * 1_000);
        let encode: Encode = |_, _, _| vec![0; 1_000].into();
        let room = |number| Kept::new(RoomId::Group(number), 1_000, budget.clone(), encode);
        let mut rooms: Vec<Kept> = (0..5).map(room).collect();
        for offset in 0..200 {
            for room in &mut rooms {
                room.push(at(offset), event());
            }
        }
        let counts =
            |rooms: &[Kept]| rooms.iter().map(|room| room.events.len()).collect::<Vec<_>>();
        assert!(counts(&rooms).iter().sum::<usize>() <= 100 + rooms.len(), "{:?}", counts(&rooms));
        assert!(counts(&rooms).iter().all(|count| *count >= AT_LEAST), "{:?}", counts(&rooms));
        // What rooms that fall asleep give back is there for the others.
        rooms.truncate(1);
        for offset in 200..280 {
            rooms[0].push(at(offset), event());
        }
        assert!(rooms[0].events.len() >= 80, "{:?}", counts(&rooms));
        drop(rooms);
        assert_eq!(budget.used.load(atomic::Ordering::Relaxed), 0);
    }

    #[test]
    fn what_is_kept_is_bounded_and_knows_how_far_it_reaches_back() {
        let mut kept = kept(3, |_, position, _| match position.offset() {
            17 => vec![0; KEPT_BYTES].into(),
            _ => Bytes::from_static(b"x"),
        });
        kept.begin(10);
        for offset in [10, 12, 15] {
            kept.push(at(offset), event());
        }
        let after = |kept: &Kept, offset| kept.after(at(offset)).count();
        assert_eq!((after(&kept, 9), after(&kept, 12), after(&kept, 15)), (3, 1, 0));
        assert_eq!(kept.entrance(ANN, at(9), at(15), 0), Entrance::Kept);
        assert_eq!(kept.entrance(ANN, at(8), at(15), 0), Entrance::Stored);
        assert!(kept.goes_on_from(10) && !kept.goes_on_from(9));

        kept.push(at(16), event());
        assert_eq!(kept.entrance(ANN, at(10), at(16), 0), Entrance::Kept);
        assert_eq!(kept.entrance(ANN, at(9), at(16), 0), Entrance::Stored);
        assert_eq!(kept.events_from(10), None);
        assert_eq!(kept.events_from(11).map(|events| events.len()), Some(3));

        kept.push(at(17), event());
        assert_eq!(after(&kept, 0), 1);
    }

    #[test]
    fn what_the_store_remembers_reaches_further_back_and_is_taken_in_once() {
        let mut kept = kept(5, |_, _, _| Bytes::from_static(b"x"));
        kept.begin(10);
        kept.push(at(10), event());
        let stored = |from| (from..12).map(|offset| (at(offset), (*event()).clone())).collect();
        let offsets = |kept: &Kept, since| -> Vec<i64> {
            kept.after(at(since)).map(|kept| kept.position.offset()).collect()
        };
        assert!(!kept.remember(at(7), stored(8), (0, 9)), "there may be more before 10");
        // The store may be ahead of what this room has folded: 11 is still to come.
        assert!(kept.remember(at(7), stored(8), (0, 12)));
        assert_eq!(kept.entrance(ANN, at(7), at(10), 0), Entrance::Kept);
        assert_eq!(kept.entrance(ANN, at(6), at(10), 0), Entrance::Stored);
        assert_eq!(offsets(&kept, 7), [8, 9, 10]);
        assert!(kept.remember(at(6), stored(7), (0, 12)));
        assert_eq!(offsets(&kept, 6), [7, 8, 9, 10]);
        assert!(!kept.remember(at(4), stored(5), (0, 12)), "that would be six");
        assert_eq!(kept.events_from(10).map(|events| events.len()), Some(1));
        assert_eq!(kept.events_from(9), None);

        kept.push(at(11), event());
        kept.push(at(12), event());
        assert!(kept.has_dropped());
        assert_eq!(offsets(&kept, 6), [8, 9, 10, 11, 12]);
        assert_eq!(kept.entrance(ANN, at(7), at(12), 0), Entrance::Kept);
        assert_eq!(kept.entrance(ANN, at(6), at(12), 0), Entrance::Stored);
    }

    #[test]
    fn who_knows_all_comes_in_at_once_and_who_knows_more_than_there_is_loads_anew() {
        let mut kept = kept(3, |_, _, _| Bytes::new());
        kept.begin(0);
        kept.push(at(4), event());
        assert_eq!(kept.entrance(ANN, at(4), at(4), 0), Entrance::AtOnce);
        assert_eq!(kept.entrance(ANN, at(5), at(4), 0), Entrance::Anew);
        assert_eq!(kept.entrance(ANN, Position::new(1, 0), at(4), 0), Entrance::Anew);
        // The log was made anew, and offsets of before say nothing about what is kept.
        assert_eq!(kept.entrance(ANN, at(2), at(4), 1), Entrance::Stored);
        assert_eq!(kept.entrance(ANN, at(4), Position::new(1, 0), 1), Entrance::Stored);
    }

    #[test]
    fn who_was_removed_and_is_back_loads_anew() {
        let bob = UserId(2);
        let person = Person { id: bob, username: "bob".into(), display_name: "Bob".into() };
        let member = Member { person, role: Role::Member, joined_at: Timestamp(0) };
        let mut kept = kept(9, |_, _, _| Bytes::new());
        kept.begin(1);
        kept.push(at(1), event());
        kept.push(at(2), Arc::new(Event::MemberRemoved { member, ban: false, by: ANN }));
        kept.push(at(3), event());
        assert_eq!(kept.entrance(bob, at(1), at(3), 0), Entrance::Anew);
        assert_eq!(kept.entrance(bob, at(2), at(3), 0), Entrance::Kept);
        assert_eq!(kept.entrance(ANN, at(1), at(3), 0), Entrance::Kept);
    }
}
