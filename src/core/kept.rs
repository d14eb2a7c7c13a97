//! What a room has accepted since it woke, for those who come back: the newest of it, in memory.
//!
//! It also knows how far back it reaches, and so how somebody may come in who knows the room up
//! to some position: without a gap and without a repeat.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::erasure;
use super::page::{Events, change};
use super::room::{Event, Mentions, Message};
use super::types::{Person, Position, RoomId};
use crate::store::Replay;

/// Bytes of frames that a room keeps; past it the oldest are dropped.
const KEPT_BYTES: usize = 1024 * 1024;

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
    /// What they know is not of this log: they have to load everything anew.
    Anew,
}

/// The accepted events since a room woke, the newest `most` of them.
#[derive(Debug)]
pub struct Kept {
    room: RoomId,
    encode: Encode,
    events: VecDeque<KeptEvent>,
    bytes: usize,
    most: usize,
    /// Every accepted event from this offset on is here.
    from: i64,
}

impl Kept {
    pub fn new(room: RoomId, most: usize, encode: Encode) -> Kept {
        Kept { room, encode, events: VecDeque::new(), bytes: 0, most, from: i64::MAX }
    }

    /// The room has woken, and has every event from this offset on.
    pub fn begin(&mut self, from: i64) {
        self.from = from;
    }

    /// Keeps an event, and returns its frame.
    pub fn push(&mut self, position: Position, event: Arc<Event>) -> Bytes {
        let frame = (self.encode)(self.room, position, &event);
        self.bytes += frame.len();
        self.events.push_back(KeptEvent { position, event, frame: frame.clone() });
        while self.events.len() > self.most || self.bytes > KEPT_BYTES {
            let Some(oldest) = self.events.pop_front() else { break };
            self.bytes -= oldest.frame.len();
            self.from = oldest.position.offset() + 1;
        }
        frame
    }

    /// How somebody comes in who knows the room up to `since`, while it is at `now` and the log in
    /// this epoch.
    pub fn entrance(&self, since: Position, now: Position, epoch: u16) -> Entrance {
        let is_kept = since.epoch() == epoch && self.from <= since.offset() + 1;
        match since.cmp(&now) {
            Ordering::Equal => Entrance::AtOnce,
            // From a log that was made anew, or made up.
            Ordering::Greater => Entrance::Anew,
            Ordering::Less if is_kept => Entrance::Kept,
            Ordering::Less => Entrance::Stored,
        }
    }

    /// What of a replay from the store comes before what is kept, for a room that is at `now`.
    /// `None` where something is missing between the two, or it is too much.
    pub fn meet(&self, replay: Replay, now: Position) -> Option<Vec<(Position, Event)>> {
        if replay.too_much || replay.next < self.from {
            return None;
        }
        // The store may be ahead of what the room has read of the log: that is still to come.
        let mut events = replay.events;
        events.retain(|(position, _)| *position <= now);
        Some(events)
    }

    /// What is kept of the time after a position.
    pub fn after(&self, since: Position) -> impl Iterator<Item = &KeptEvent> {
        let at = self.events.partition_point(|kept| kept.position <= since);
        self.events.range(at..)
    }

    /// The message at a position, if it is kept.
    pub fn message(&self, position: Position) -> Option<Message> {
        let at = self.events.binary_search_by_key(&position, |kept| kept.position).ok()?;
        match &*self.events[at].event {
            Event::Message { message, .. } => Some(message.clone()),
            _ => None,
        }
    }

    /// The events from an offset on, or `None` where not all of them are kept.
    pub fn events_from(&self, from: i64) -> Option<Events> {
        let events = self.events.iter().filter(|kept| kept.position.offset() >= from);
        let events = events.map(|kept| (kept.position, kept.event.clone()));
        (self.from <= from).then(|| events.collect())
    }

    /// After the room was deleted: only the record of that is left to tell.
    pub fn forget_messages(&mut self) {
        self.events.retain(|kept| matches!(&*kept.event, Event::RoomDeleted { .. }));
        self.bytes = self.events.iter().map(|kept| kept.frame.len()).sum();
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
        for kept in self.events.iter_mut().filter(|kept| concerns(&kept.event)) {
            let mut event = (*kept.event).clone();
            if change(&mut event) {
                let frame = (self.encode)(self.room, kept.position, &event);
                self.bytes = self.bytes + frame.len() - kept.frame.len();
                (kept.event, kept.frame) = (Arc::new(event), frame);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::types::UserId;

    fn event() -> Arc<Event> {
        Arc::new(Event::RoomDeleted { by: UserId(1), members: Vec::new() })
    }

    fn kept(most: usize, encode: Encode) -> Kept {
        Kept::new(RoomId::Group(1), most, encode)
    }

    fn at(offset: i64) -> Position {
        Position::new(0, offset)
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
        assert_eq!(kept.entrance(at(9), at(15), 0), Entrance::Kept);
        assert_eq!(kept.entrance(at(8), at(15), 0), Entrance::Stored);

        kept.push(at(16), event());
        assert_eq!(kept.entrance(at(10), at(16), 0), Entrance::Kept);
        assert_eq!(kept.entrance(at(9), at(16), 0), Entrance::Stored);
        assert_eq!(kept.events_from(10), None);
        assert_eq!(kept.events_from(11).map(|events| events.len()), Some(3));

        kept.push(at(17), event());
        assert_eq!(after(&kept, 0), 1);
    }

    #[test]
    fn who_knows_all_comes_in_at_once_and_who_knows_more_than_there_is_loads_anew() {
        let mut kept = kept(3, |_, _, _| Bytes::new());
        kept.begin(0);
        kept.push(at(4), event());
        assert_eq!(kept.entrance(at(4), at(4), 0), Entrance::AtOnce);
        assert_eq!(kept.entrance(at(5), at(4), 0), Entrance::Anew);
        assert_eq!(kept.entrance(Position::new(1, 0), at(4), 0), Entrance::Anew);
        // The log was made anew, and offsets of before say nothing about what is kept.
        assert_eq!(kept.entrance(at(2), at(4), 1), Entrance::Stored);
        assert_eq!(kept.entrance(at(4), Position::new(1, 0), 1), Entrance::Stored);
    }

    #[test]
    fn what_the_store_has_goes_on_where_the_room_keeps_it() {
        let mut kept = kept(9, |_, _, _| Bytes::new());
        kept.begin(3);
        kept.push(at(4), event());
        let replay = |next, too_much| {
            let events = (0..next).map(|offset| (at(offset), (*event()).clone())).collect();
            Replay { events, too_much, next }
        };
        let met = |replay| kept.meet(replay, at(4)).map(|events| events.len());
        assert_eq!(met(replay(2, false)), None, "the entry at 2 is nowhere");
        assert_eq!(met(replay(3, false)), Some(3));
        assert_eq!(met(replay(3, true)), None);
        // What it has not read yet comes to it live, and must not be told twice.
        assert_eq!(met(replay(8, false)), Some(5));
    }
}
