//! The fold of one partition as the store sees it, and the batch that comes of it.
//!
//! A room is known here from its first record in a batch on: the store's state of it is then the
//! state before that record, if the store has come just as far as this fold believes. It has not
//! where another persister wrote meanwhile, and then the fold begins again from the store.

use std::collections::HashMap;

use super::batch::{Batch, Change};
use super::record::Record;
use super::room::{Refusal, Room};
use super::types::{Place, RoomId};
use crate::log::Entry;
use crate::store::Snapshot;

/// Rooms whose state is kept between batches; past it all are read anew.
const ROOMS_KEPT: usize = 2_000;

/// The store and this fold disagree about how far it has come: start again from the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfStep;

#[derive(Debug)]
pub struct Gathering {
    batch: Batch,
    rooms: HashMap<RoomId, Room>,
    /// Entries of the batch that nobody could read, with the reason.
    unreadable: Vec<(Entry, String)>,
}

impl Gathering {
    pub fn starting_at(partition: u16, from: i64) -> Gathering {
        let batch = Batch::starting_at(partition, from);
        Gathering { batch, rooms: HashMap::new(), unreadable: Vec::new() }
    }

    /// What is to be written.
    pub fn batch(&self) -> &Batch {
        &self.batch
    }

    pub fn unreadable(&self) -> &[(Entry, String)] {
        &self.unreadable
    }

    /// Whether the entry at this offset was folded in before, or is in the store.
    pub fn has(&self, offset: i64) -> bool {
        offset < self.batch.next
    }

    /// Whether the state of a room is known, so that its records can be folded in.
    pub fn knows(&self, room: RoomId) -> bool {
        self.rooms.contains_key(&room)
    }

    /// Learns a room that it does not know. Nothing of it is in the batch, or it would be known: so
    /// the store's state of it is that before the next record, unless the store has moved.
    pub fn learn(&mut self, snapshot: Snapshot) -> Result<(), OutOfStep> {
        if snapshot.next != self.batch.from {
            return Err(OutOfStep);
        }
        self.rooms.insert(snapshot.room.id, snapshot.room);
        Ok(())
    }

    /// Folds in a record of a room that is known; returns why it changes nothing, where it does not.
    pub fn take_in(&mut self, record: &Record, place: Place) -> Option<Refusal> {
        let applied = self.rooms.get_mut(&record.room).map(|room| room.apply(record, place));
        let (change, refusal) = match applied {
            Some(Ok(event)) => {
                let position = place.position();
                let Record { room, at, hub_admin, .. } = *record;
                (Some(Change { room, position, at, hub_admin, event }), None)
            }
            Some(Err(refusal)) => (None, Some(refusal)),
            None => (None, None),
        };
        self.batch.push(place.offset, change);
        refusal
    }

    /// Counts in an entry that nobody can read.
    pub fn pass_over(&mut self, entry: &Entry, reason: String) {
        self.batch.push(entry.offset, None);
        self.unreadable.push((entry.clone(), reason));
    }

    /// The store has reached this offset, by this batch or another's; a new batch begins there.
    /// A store that has less of the batch than all of it is out of step.
    pub fn stored(&mut self, next: i64) -> Result<(), OutOfStep> {
        if next < self.batch.next {
            return Err(OutOfStep);
        }
        if next > self.batch.next || self.rooms.len() > ROOMS_KEPT {
            self.rooms.clear();
        }
        self.batch = Batch::starting_at(self.batch.partition, next);
        self.unreadable.clear();
        Ok(())
    }
}
