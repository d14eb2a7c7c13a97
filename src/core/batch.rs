//! When to write what was gathered: by size, or by age, whichever comes first.
//!
//! One row a transaction costs a database ten times what a batch does, so the persister waits a
//! moment for company, but never long: history and room lists wait for it.

use super::room::Event;
use super::types::{Position, RoomId, Timestamp};

/// An accepted record of the log, as the store keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub room: RoomId,
    pub position: Position,
    pub at: Timestamp,
    /// Whether it was done by the right of a hub admin.
    pub hub_admin: bool,
    pub event: Event,
}

/// What one transaction of the store writes: the changes, and how far in the partition they reach.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    pub partition: u16,
    /// The offset that the store must have reached before; else another persister was faster.
    pub from: i64,
    /// The offset reached with this batch: the first one not in it.
    pub next: i64,
    pub changes: Vec<Change>,
}

impl Batch {
    pub fn starting_at(partition: u16, from: i64) -> Batch {
        Batch { partition, from, next: from, changes: Vec::new() }
    }

    /// Whether the entry at this offset is the next one: not one written before, nor beyond a gap.
    pub fn expects(&self, offset: i64) -> bool {
        offset == self.next
    }

    /// Takes in an entry of the log, accepted (`Some`) or without effect.
    pub fn push(&mut self, offset: i64, change: Option<Change>) {
        self.next = offset + 1;
        self.changes.extend(change);
    }

    /// Two batches that come to the same, one after the other; for one that is of two entries or
    /// more.
    pub fn halves(&self) -> (Batch, Batch) {
        let middle = self.from + (self.next - self.from) / 2;
        let is_early = |change: &&Change| change.position.offset() < middle;
        let (early, late) = self.changes.iter().partition::<Vec<_>, _>(is_early);
        let half = |from, next, changes: Vec<&Change>| Batch {
            partition: self.partition,
            from,
            next,
            changes: changes.into_iter().cloned().collect(),
        };
        (half(self.from, middle, early), half(middle, self.next, late))
    }

    pub fn is_empty(&self) -> bool {
        self.next == self.from
    }

    /// Entries of the log in this batch, those without effect included.
    pub fn len(&self) -> usize {
        (self.next - self.from) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::types::UserId;

    #[test]
    fn halves_come_to_the_same() {
        let change = |offset| Change {
            room: RoomId::Group(1),
            position: Position::new(3, offset),
            at: Timestamp(offset),
            hub_admin: false,
            event: Event::RoomDeleted { by: UserId(1), members: Vec::new() },
        };
        for length in 2..8 {
            let mut whole = Batch::starting_at(2, 40);
            for offset in 40..40 + length {
                // Some entries have no effect, and some offsets no entry.
                whole.push(offset, (offset % 3 != 0).then(|| change(offset)));
            }
            let (first, second) = whole.halves();
            assert_eq!(
                (first.from, first.next, second.next),
                (whole.from, second.from, whole.next)
            );
            assert!(!first.is_empty() && !second.is_empty());
            assert!(first.changes.iter().all(|change| change.position.offset() < first.next));
            assert!(second.changes.iter().all(|change| change.position.offset() >= second.from));
            assert_eq!([first.changes, second.changes].concat(), whole.changes);
        }
    }
}
