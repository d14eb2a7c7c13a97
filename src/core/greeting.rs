//! How far a socket has been greeted, so that nothing is told to it twice, and no room is left out.
//!
//! A hello is answered with a list of rooms, and then the socket joins each from where its client
//! knows it. Meanwhile people come into rooms, and rooms that wake tell of it late: each such record
//! is either new to the client and told to it, or on its list, or known to it already.

use std::collections::{HashMap, HashSet};

use super::types::{Position, RoomId};

/// Rooms, and up to where a client knows them.
pub type Known = HashMap<RoomId, Position>;

/// What a socket is told of its person's coming into a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tells {
    Nothing,
    /// The record, and what follows.
    TheRecord,
    /// To reload the room: it knew the room before, and has not been told yet what it missed.
    Reload,
}

#[derive(Debug, Default)]
pub enum Greeted {
    /// It has not said hello; then its rooms will be on the list.
    #[default]
    NotYet,
    /// The list is being made: what came meanwhile may be on it, or not.
    Listing { named: Known, came: Known },
    /// The rooms are being joined, from what is known of them.
    Joining { known: Known, joined: HashSet<RoomId> },
    /// Whatever comes now is new.
    Whole,
}

impl Greeted {
    /// A hello that names what its client knows. One that failed may be said again.
    pub fn hear(&mut self, named: Known) {
        let came = match std::mem::take(self) {
            Greeted::Listing { came, .. } => came,
            _ => Known::new(),
        };
        *self = Greeted::Listing { named, came };
    }

    /// Its person came into a room by the record at this position: what it is to be told now.
    /// What is not told now is on the list, or is told when the socket joins the room.
    pub fn tells(&mut self, room: RoomId, position: Position) -> Tells {
        match self {
            Greeted::NotYet => Tells::Nothing,
            Greeted::Listing { named, came } => {
                if named.get(&room).is_none_or(|known| *known < position) {
                    came.entry(room).or_insert(position);
                }
                Tells::Nothing
            }
            Greeted::Joining { known, .. } => match known.get(&room) {
                Some(known) if *known >= position => Tells::Nothing,
                Some(known) if known.0 < position.0 - 1 => Tells::Reload,
                _ => Tells::TheRecord,
            },
            Greeted::Whole => Tells::TheRecord,
        }
    }

    /// The list is made, of rooms and where each is. Returns those to join and from where: all of
    /// the list, and those that came meanwhile and are not on it.
    pub fn list(&mut self, listed: &[(RoomId, Position)]) -> Vec<(RoomId, Position)> {
        let Greeted::Listing { mut named, mut came } = std::mem::take(self) else {
            return Vec::new();
        };
        let mut to_join = Vec::with_capacity(listed.len());
        for (room, position) in listed {
            came.remove(room);
            to_join.push((*room, named.remove(room).unwrap_or(*position)));
        }
        let mut came: Vec<_> = came.into_iter().collect();
        came.sort_unstable();
        for (room, position) in came {
            let before = Position(position.0 - 1);
            to_join.push((room, named.remove(&room).unwrap_or(before)));
        }
        named.extend(to_join.iter().copied());
        *self = Greeted::Joining { known: named, joined: HashSet::new() };
        to_join
    }

    /// The socket hears what happens in this room from now on, until its person is removed.
    pub fn joined(&mut self, room: RoomId) {
        if let Greeted::Joining { joined, .. } = self {
            joined.insert(room);
        }
    }

    /// Whether it has heard this room since its list was made: all that there was to be told of
    /// the time before.
    pub fn has_joined(&self, room: RoomId) -> bool {
        matches!(self, Greeted::Joining { joined, .. } if joined.contains(&room))
    }

    /// Every room was joined.
    pub fn end(&mut self) {
        *self = Greeted::Whole;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FENS: RoomId = RoomId::Group(1);
    const REEDS: RoomId = RoomId::Group(2);
    const MEADOW: RoomId = RoomId::Group(3);

    fn listing(named: &[(RoomId, i64)]) -> Greeted {
        let mut greeted = Greeted::default();
        greeted.hear(named.iter().map(|(room, at)| (*room, Position(*at))).collect());
        greeted
    }

    #[test]
    fn who_resumes_is_not_told_again_of_coming_in() {
        // A room that wakes tells of records that the client heard on another instance.
        let mut greeted = listing(&[(FENS, 15)]);
        assert_eq!(greeted.tells(FENS, Position(3)), Tells::Nothing);
        assert_eq!(greeted.list(&[(FENS, Position(16))]), [(FENS, Position(15))]);
        assert_eq!(greeted.tells(FENS, Position(3)), Tells::Nothing);
        assert_eq!(
            greeted.tells(FENS, Position(16)),
            Tells::TheRecord,
            "right after what it knows"
        );
        let again = greeted.tells(FENS, Position(17));
        assert_eq!(again, Tells::Reload, "removed meanwhile, and added again");
    }

    #[test]
    fn what_comes_while_the_list_is_made_is_joined_once() {
        let mut greeted = listing(&[(MEADOW, 2)]);
        for (room, at) in [(FENS, 5), (REEDS, 6), (MEADOW, 9), (REEDS, 8)] {
            assert_eq!(greeted.tells(room, Position(at)), Tells::Nothing);
        }
        let to_join = greeted.list(&[(FENS, Position(7))]);
        let expected = [(FENS, 7), (REEDS, 5), (MEADOW, 2)];
        assert_eq!(to_join, expected.map(|(room, at)| (room, Position(at))));
        assert_eq!(greeted.tells(FENS, Position(5)), Tells::Nothing);
        greeted.end();
        assert_eq!(greeted.tells(FENS, Position(20)), Tells::TheRecord);
    }

    #[test]
    fn a_room_that_was_joined_is_known_until_all_are() {
        let mut greeted = listing(&[(FENS, 4)]);
        greeted.joined(FENS);
        assert!(!greeted.has_joined(FENS), "the list may have it yet");
        greeted.list(&[(FENS, Position(9))]);
        greeted.joined(FENS);
        assert!(greeted.has_joined(FENS) && !greeted.has_joined(REEDS));
        greeted.end();
        assert!(!greeted.has_joined(FENS), "nothing from before is on its way");
    }

    #[test]
    fn a_hello_that_failed_forgets_nothing_that_came() {
        let mut greeted = Greeted::default();
        assert_eq!(greeted.tells(FENS, Position(1)), Tells::Nothing);
        greeted.hear(Known::new());
        greeted.tells(FENS, Position(4));
        greeted.hear(Known::new());
        assert_eq!(greeted.list(&[]), [(FENS, Position(3))]);
    }
}
