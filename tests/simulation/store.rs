//! The simulated store: rows that batches write in one step, and what is read of them.
//!
//! A model, and no SQL: that the store's rows are the fold is for `tests/fold.rs` to show.

use std::collections::{BTreeMap, BTreeSet};

use rookery::core::batch::{Batch, Change};
use rookery::core::recent::First;
use rookery::core::room::{Event, Member, Message, Room, Status};
use rookery::core::types::{Position, RoomId, UserId};
use rookery::guarantees::history::Millis;
use rookery::store::{Page, Parting, Replay, Snapshot};

use crate::bugs::Bug;
use crate::world::{PARTITIONS, World, partition_of};

#[derive(Default)]
pub struct Rows {
    pub next: [i64; PARTITIONS as usize],
    pub rooms: BTreeMap<RoomId, RoomRows>,
    pub down_until: Millis,
}

#[derive(Default)]
pub struct RoomRows {
    pub name: Option<String>,
    pub position: Position,
    pub members: BTreeMap<UserId, Member>,
    banned: BTreeSet<UserId>,
    pub messages: Vec<Message>,
    events: Vec<(Position, Event)>,
}

/// Another persister was faster.
pub struct Fenced;

impl Rows {
    pub fn write(&mut self, batch: &Batch, is_fenced: bool) -> Result<(), Fenced> {
        self.advance(batch, is_fenced)?;
        batch.changes.iter().for_each(|change| self.insert(change));
        Ok(())
    }

    pub fn advance(&mut self, batch: &Batch, is_fenced: bool) -> Result<(), Fenced> {
        let next = &mut self.next[usize::from(batch.partition)];
        if is_fenced && *next != batch.from {
            return Err(Fenced);
        }
        *next = batch.next;
        Ok(())
    }

    pub fn insert(&mut self, Change { room, position, event, .. }: &Change) {
        let rows = self.rooms.entry(*room).or_default();
        rows.position = *position;
        match event {
            Event::Message { message, .. } => return rows.messages.push(message.clone()),
            Event::RoomCreated { info, members, .. } => {
                rows.name = info.name.clone();
                let members = members.iter().map(|member| (member.person.id, member.clone()));
                rows.members = members.collect();
            }
            Event::RoomUpdated { info, .. } => rows.name = info.name.clone(),
            Event::MemberAdded { member, .. } => {
                rows.banned.remove(&member.person.id);
                rows.members.insert(member.person.id, member.clone());
            }
            Event::MemberRemoved { member, ban, .. } => {
                rows.members.remove(&member.person.id);
                if *ban {
                    rows.banned.insert(member.person.id);
                }
            }
            _ => {}
        }
        rows.events.push((*position, event.clone()));
    }

    fn next_of(&self, room: RoomId) -> i64 {
        self.next[usize::from(partition_of(room))]
    }

    pub fn snapshot(&self, id: RoomId) -> Snapshot {
        let mut room = Room::absent(id);
        if let Some(rows) = self.rooms.get(&id) {
            room.status = Status::Live;
            (room.name, room.position) = (rows.name.clone(), rows.position);
            (room.members, room.banned) = (rows.members.clone(), rows.banned.clone());
            for message in &rows.messages {
                let first = First { id: message.id, position: message.position };
                room.recent.push(message.sender.id, message.client_id.as_deref(), first);
            }
        }
        Snapshot { room, next: self.next_of(id) }
    }

    pub fn page(&self, room: RoomId) -> Page {
        let messages = self.rooms.get(&room).map(|rows| rows.messages.clone());
        let (has_older, has_newer) = (false, false);
        let messages = messages.unwrap_or_default();
        Page { messages, has_older, has_newer, next: self.next_of(room) }
    }

    /// A person's rooms, and where each is.
    pub fn rooms_of(&self, user: UserId) -> Vec<(RoomId, Position)> {
        let mine = self.rooms.iter().filter(|(_, rows)| rows.members.contains_key(&user));
        mine.map(|(room, rows)| (*room, rows.position)).collect()
    }

    pub fn replay(&self, room: RoomId, after: Position, limit: usize) -> Replay {
        let mut events = Vec::new();
        if let Some(rows) = self.rooms.get(&room) {
            let said = rows.messages.iter().map(|message| {
                let message = message.clone();
                (message.position, Event::Message { message, mentions: Default::default() })
            });
            events.extend(said.chain(rows.events.iter().cloned()));
        }
        events.retain(|(position, _)| *position > after);
        events.sort_by_key(|(position, _)| *position);
        let too_much = events.len() > limit;
        events.truncate(limit);
        Replay { events, too_much, next: self.next_of(room) }
    }

    pub fn arrival(&self, room: RoomId, user: UserId) -> Position {
        let events = self.rooms.get(&room).map_or(&[][..], |rows| &rows.events);
        let came = |event: &Event| match event {
            Event::MemberAdded { member, .. } => member.person.id == user,
            Event::RoomCreated { .. } => true,
            _ => false,
        };
        let came = events.iter().rev().find(|(_, event)| came(event));
        came.map_or(Position::START, |(position, _)| *position)
    }

    pub fn parting(&self, room: RoomId, user: UserId, since: Position) -> Option<Parting> {
        let events = self.rooms.get(&room).map_or(&[][..], |rows| &rows.events);
        let left = |event: &Event| match event {
            Event::MemberRemoved { member, .. } if member.person.id == user => Some(true),
            Event::MemberAdded { member, .. } if member.person.id == user => Some(false),
            _ => None,
        };
        let turns = events.iter().filter(|(position, _)| *position > since);
        let turns = turns.filter_map(|(position, event)| Some((*position, left(event)?)));
        let turns: Vec<(Position, bool)> = turns.collect();
        match (turns.first(), turns.iter().rfind(|(_, left)| *left)) {
            (Some((until, true)), _) => Some(Parting { after: since, until: *until }),
            (_, Some((last, _))) => Some(Parting { after: Position(last.0 - 1), until: *last }),
            _ => None,
        }
    }
}

impl World {
    pub fn store_is_up(&self) -> bool {
        self.now >= self.store.down_until
    }

    /// Asks the store something. It may be done though the answer is lost, or though who asked is
    /// dead by then; `None` is trouble.
    pub fn ask_store<T: 'static>(
        &mut self,
        instance: usize,
        question: impl FnOnce(&mut Rows) -> T + 'static,
        then: impl FnOnce(&mut World, Option<T>) + 'static,
    ) {
        let (there, back, run) = (self.lag(), self.lag(), self.instances[instance].run);
        self.after(there, move |world| {
            let answer = world.store_is_up().then(|| question(&mut world.store));
            let lost = world.is_storm() && world.chance(3);
            let answer = answer.filter(|_| !lost);
            world.on_run(instance, run, back, move |world| then(world, answer));
        });
    }

    /// Writes a batch, in one step.
    pub fn write(
        &mut self,
        instance: usize,
        batch: Batch,
        then: impl FnOnce(&mut World, Option<Result<(), Fenced>>) + 'static,
    ) {
        let is_fenced = !self.has(Bug::NoFence);
        self.trace(|| {
            let Batch { partition, from, next, .. } = batch;
            format!("instance {instance} writes {partition}/{from}..{next}")
        });
        if !self.has(Bug::OffsetBeforeRows) {
            return self.ask_store(instance, move |rows| rows.write(&batch, is_fenced), then);
        }
        let offset = batch.clone();
        let advance = move |rows: &mut Rows| rows.advance(&offset, is_fenced);
        self.ask_store(instance, advance, move |world, advanced| match advanced {
            Some(Ok(())) => {
                let insert = move |rows: &mut Rows| {
                    batch.changes.iter().for_each(|change| rows.insert(change));
                    Ok(())
                };
                world.ask_store(instance, insert, then);
            }
            other => then(world, other),
        });
    }
}
