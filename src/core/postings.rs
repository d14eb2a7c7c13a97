//! Posting lists: which messages of a room have a word, as one row of the index holds it.
//!
//! A row is named by a position that none of its messages stands after, so that rows can be read
//! from the newest on. The messages follow as differences, each from the one before, the newest
//! first, as LEB128 numbers: one or two bytes a message in a room where much is said.

use super::types::Position;

/// Messages in one row at most. A difference takes 9 bytes at most, so a row takes 9 KiB.
pub const POSTINGS: usize = 1_024;

/// The list of a row that is named `upto`; positions come with the oldest first.
pub fn encode(upto: Position, positions: &[Position]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(positions.len() + 8);
    let mut after = upto;
    for &position in positions.iter().rev() {
        let mut left = (after.0 - position.0) as u64;
        while left >= 0x80 {
            bytes.push(left as u8 | 0x80);
            left >>= 7;
        }
        bytes.push(left as u8);
        after = position;
    }
    bytes
}

/// The positions of a row, the newest first; `None` where the list is broken.
pub fn decode(upto: Position, bytes: &[u8]) -> Option<Vec<Position>> {
    let mut positions = Vec::with_capacity(bytes.len().min(POSTINGS));
    let (mut after, mut difference, mut bits) = (upto.0, 0_i64, 0);
    for byte in bytes {
        // What is over comes to nothing here, and to no shift that is too wide.
        if bits > 56 {
            return None;
        }
        difference |= i64::from(byte & 0x7f) << bits;
        bits += 7;
        if byte & 0x80 == 0 {
            after = after.checked_sub(difference).filter(|position| *position >= 0)?;
            positions.push(Position(after));
            (difference, bits) = (0, 0);
        }
    }
    (bits == 0).then_some(positions)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_put_in_comes_out(
            mut positions in prop::collection::btree_set(0..=i64::MAX, 1..50),
            is_edit: bool,
        ) {
            // The row of an edit is named after the edit, not after a message.
            let upto = positions.last().copied().unwrap();
            if is_edit && positions.len() > 1 {
                positions.remove(&upto);
            }
            let positions: Vec<Position> = positions.into_iter().map(Position).collect();
            let mut decoded = decode(Position(upto), &encode(Position(upto), &positions)).unwrap();
            decoded.reverse();
            prop_assert_eq!(decoded, positions);
        }

        #[test]
        fn nonsense_is_no_list_or_a_sorted_one(
            bytes in prop::collection::vec(any::<u8>(), 0..40),
            upto in 0..=i64::MAX,
        ) {
            if let Some(positions) = decode(Position(upto), &bytes) {
                prop_assert!(positions.is_sorted_by(|one, other| one >= other));
                prop_assert!(positions.iter().all(|position| (0..=upto).contains(&position.0)));
            }
        }
    }

    #[test]
    fn messages_that_follow_each_other_take_a_byte_each() {
        let positions: Vec<Position> = (0..1_000).map(|offset| Position::new(3, offset)).collect();
        assert_eq!(encode(Position::new(3, 999), &positions).len(), 1_000);
        let farthest = encode(Position(i64::MAX), &[Position(0)]);
        assert_eq!(farthest.len(), 9);
        assert_eq!(decode(Position(i64::MAX), &farthest), Some(vec![Position(0)]));
        assert_eq!(decode(Position(i64::MAX), &[0xff; 10]), None, "a number that is too large");
        assert_eq!(decode(Position(5), &[0x80]), None, "a number that does not end");
        assert_eq!(decode(Position(5), &[6]), None, "before the beginning");
    }
}
