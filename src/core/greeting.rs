//! How far a socket has been greeted, so that nothing is told to it twice, and no room is left out.
//!
//! A hello is answered with a list of rooms, and then the socket joins each from where its client
//! knows it. Meanwhile people come into rooms, and rooms that wake tell of it late: each such record
//! is either new to the client and told to it, or on its list, or known to it already.

use std::collections::HashMap;

use super::types::{Position, RoomId};

/// Rooms, and up to where a client knows them.
pub type Known = HashMap<RoomId, Position>;

/// Rooms that a socket remembers to have left; past it, it forgets the one that it left first.
const ROOMS_LEFT: usize = 1_000;

/// What a socket is told of its person's coming into a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tells {
    Nothing,
    /// The record, and what follows.
    TheRecord,
    /// To reload the room: it knew the room before, and has not been told yet what it missed.
    Reload,
}

/// What a socket was told of the rooms that it is in.
#[derive(Debug, Default)]
pub struct Greeted {
    stage: Stage,
    /// Rooms that it has heard its person leave, and where: what lies before is no news to it.
    left: Known,
}

#[derive(Debug, Default)]
enum Stage {
    /// It has not said hello; then its rooms will be on the list.
    #[default]
    NotYet,
    /// The list is being made: what came meanwhile may be on it, or not.
    Listing { named: Known, came: Known },
    /// The rooms are being joined, from what is known of them.
    Joining { known: Known },
    /// Whatever comes now is new.
    Whole,
}

impl Greeted {
    /// A hello that names what its client knows. One that failed may be said again.
    pub fn hear(&mut self, named: Known) {
        let came = match std::mem::take(&mut self.stage) {
            Stage::Listing { came, .. } => came,
            _ => Known::new(),
        };
        self.stage = Stage::Listing { named, came };
    }

    /// Its person came into a room by the record at this position: what it is to be told now.
    /// What is not told now is on the list, or is told when the socket joins the room.
    pub fn tells(&mut self, room: RoomId, position: Position) -> Tells {
        match (&mut self.stage, self.left.get(&room)) {
            (Stage::NotYet, _) => Tells::Nothing,
            (Stage::Listing { named, came }, _) => {
                if named.get(&room).is_none_or(|known| *known < position) {
                    came.entry(room).or_insert(position);
                }
                Tells::Nothing
            }
            (_, Some(left)) if *left >= position => Tells::Nothing,
            // Whatever the list says: it has heard all up to there since.
            (_, Some(_)) | (Stage::Whole, None) => Tells::TheRecord,
            (Stage::Joining { known }, None) => match known.get(&room) {
                Some(known) if *known >= position => Tells::Nothing,
                Some(known) if known.0 < position.0 - 1 => Tells::Reload,
                _ => Tells::TheRecord,
            },
        }
    }

    /// The list is made, of rooms and where each is. Returns those to join and from where: all of
    /// the list, and those that came meanwhile and are not on it.
    pub fn list(&mut self, listed: &[(RoomId, Position)]) -> Vec<(RoomId, Position)> {
        let Stage::Listing { mut named, mut came } = std::mem::take(&mut self.stage) else {
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
        self.stage = Stage::Joining { known: named };
        to_join
    }

    /// Every room was joined.
    pub fn end(&mut self) {
        self.stage = Stage::Whole;
    }

    /// It was told of the removal of its person from a room, or of the room's end, or knew of it.
    pub fn leave(&mut self, room: RoomId, position: Position) {
        if self.left.len() >= ROOMS_LEFT && !self.left.contains_key(&room) {
            let longest_ago = self.left.iter().min_by_key(|(_, left)| **left);
            let longest_ago = longest_ago.map(|(room, _)| *room);
            longest_ago.map(|room| self.left.remove(&room));
        }
        let left = self.left.entry(room).or_insert(position);
        *left = position.max(*left);
    }

    /// Where a socket comes in that joins a room late: not before it was told last that it is out.
    pub fn since(&self, room: RoomId, since: Position) -> Position {
        self.left.get(&room).map_or(since, |left| since.max(*left))
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
    fn who_heard_of_a_removal_is_not_told_of_what_lies_before() {
        let mut greeted = listing(&[(FENS, 50)]);
        greeted.list(&[(FENS, Position(9))]);
        assert_eq!(greeted.since(FENS, Position(50)), Position(50));
        greeted.leave(FENS, Position(12));
        assert_eq!(greeted.tells(FENS, Position(11)), Tells::Nothing);
        let back = greeted.tells(FENS, Position(20));
        assert_eq!(back, Tells::TheRecord, "what the client named was of nowhere");
        greeted.leave(FENS, Position(22));
        greeted.leave(FENS, Position(12));
        assert_eq!(greeted.since(FENS, Position(9)), Position(22));
        greeted.end();
        assert_eq!(greeted.tells(FENS, Position(20)), Tells::Nothing);
        assert_eq!(greeted.tells(FENS, Position(23)), Tells::TheRecord);
        assert_eq!(greeted.tells(REEDS, Position(3)), Tells::TheRecord);
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
