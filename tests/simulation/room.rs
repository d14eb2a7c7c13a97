//! A simulated room that is awake on an instance: what `hub::room` does around the core.

mod listeners;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use rookery::core::greeting::Tells;
use rookery::core::kept::{Budget, Kept};
use rookery::core::page::Events;
use rookery::core::recent::{First, Recent};
use rookery::core::record::{Action, Record};
use rookery::core::room::{Doer, Event, Message, Refusal, Room};
use rookery::core::types::{Position, RoomId, Timestamp, UserId};
use rookery::guarantees::history::Millis;
use rookery::log::Entry;
use uuid::Uuid;

use crate::bugs::Bug;
use crate::clients::{Frame, Reply};
use crate::instance::PATIENCE;
use crate::store::Rows;
use crate::world::{World, ends_at, partition_of, place};

/// Events that a room keeps, and that are replayed at the most: few, so that some have to reload.
pub const RESUME_EVENTS: usize = 25;
const READ_BACK_WITHIN: Millis = 2_000;
const IDLE: Millis = 700;

/// A turn of the room's actor.
pub enum Turn {
    Propose { by: Doer, action: Box<Action>, reply: Reply },
    Fed(Arc<Entry>),
    Unpublished { id: Uuid, fate: Fate },
    Join { conn: usize, since: Position },
    Welcome { users: Vec<UserId>, position: Position },
    Look { by: UserId, from: i64, then: Looked },
}

pub type Looked = Box<dyn FnOnce(&mut World, Result<Option<Events>, Refusal>)>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    NotDone,
    Unknown,
}

/// What somebody hears of what they wanted.
#[derive(Debug, Clone)]
pub enum Answer {
    Accepted(Position, Arc<Event>),
    /// The message that had the `client_id` first.
    Repeated(Box<Message>),
    Refused(Refusal),
    Unavailable,
    Unknown,
}

pub struct Listener {
    conn: usize,
    user: UserId,
    from: Position,
}

pub struct Shell {
    room: Room,
    kept: Kept,
    listeners: Vec<Listener>,
    pending: BTreeMap<Uuid, Reply>,
    /// The first offset that its state does not have.
    next: i64,
    /// The first offset that it did not have when it woke.
    woke_at: i64,
    /// Those who need more of the past than is kept, while the store is asked.
    refill: Vec<(usize, Position)>,
    is_refilling: bool,
    is_awake: bool,
    pub is_attached: bool,
    mailbox: VecDeque<Turn>,
    used_at: Millis,
    /// Tells this actor from the next one of the same room.
    life: u64,
}

impl World {
    fn shell(&mut self, instance: usize, room: RoomId) -> Option<&mut Shell> {
        self.instances[instance].rooms.get_mut(&room)
    }

    /// A turn of a room that is there, or of none.
    pub fn turn(&mut self, instance: usize, room: RoomId, turn: Turn) {
        let Some(shell) = self.shell(instance, room) else { return };
        if !shell.is_awake {
            return shell.mailbox.push_back(turn);
        }
        match turn {
            Turn::Fed(entry) => return self.fold(instance, room, &entry),
            Turn::Unpublished { id, fate } => return self.not_published(instance, room, id, fate),
            _ => {}
        }
        let now = self.now;
        self.shell(instance, room).into_iter().for_each(|shell| shell.used_at = now);
        match turn {
            Turn::Propose { by, action, reply } => self.propose(instance, room, by, *action, reply),
            Turn::Join { conn, since } => self.join(instance, room, conn, since),
            Turn::Welcome { users, position } => {
                let since = Position(position.0 - 1);
                for (conn, tells) in self.newcomers_here(instance, &users, room, position) {
                    match tells {
                        Tells::Reload => self.reset(instance, room, conn),
                        _ => self.join(instance, room, conn, since),
                    }
                }
            }
            Turn::Look { by, from, then } => {
                let Some(shell) = self.shell(instance, room) else { return };
                let looked = shell.room.require_reader(by.into());
                let looked = looked.map(|()| shell.kept.events_from(from));
                then(self, looked);
            }
            Turn::Fed(_) | Turn::Unpublished { .. } => {}
        }
    }

    /// Wakes the room where it sleeps, and gives it a turn.
    pub fn wake_and_turn(&mut self, instance: usize, room: RoomId, turn: Turn) {
        if !self.instances[instance].rooms.contains_key(&room) {
            let now = self.now;
            let there = &mut self.instances[instance];
            there.lives += 1;
            let life = there.lives;
            let shell = Shell {
                room: Room::absent(room),
                // Frames are for sockets; here the events themselves are told.
                kept: Kept::new(room, RESUME_EVENTS, Budget::new(usize::MAX), |_, _, _| {
                    Bytes::new()
                }),
                listeners: Vec::new(),
                pending: BTreeMap::new(),
                next: 0,
                woke_at: 0,
                refill: Vec::new(),
                is_refilling: false,
                is_awake: false,
                is_attached: false,
                mailbox: VecDeque::new(),
                used_at: now,
                life,
            };
            there.rooms.insert(room, shell);
            self.wake(instance, room, life, now + PATIENCE);
        }
        self.turn(instance, room, turn);
    }

    fn is_life(&self, instance: usize, room: RoomId, life: u64) -> bool {
        self.instances[instance].rooms.get(&room).is_some_and(|shell| shell.life == life)
    }

    /// From the store's snapshot, and what the log has after it.
    fn wake(&mut self, instance: usize, room: RoomId, life: u64, give_up: Millis) {
        let snapshot = move |rows: &mut Rows| rows.snapshot(room);
        self.ask_store(instance, snapshot, move |world, snapshot| {
            if !world.is_life(instance, room, life) {
                return;
            }
            let Some(snapshot) = snapshot.filter(|_| world.now < give_up) else {
                return world.fall(instance, room);
            };
            let there = &mut world.instances[instance];
            let (partition, key) = (partition_of(room), room.to_string());
            let Some(tail) = there.tail.after(partition, &key, snapshot.next) else {
                let again = move |world: &mut World| world.wake(instance, room, life, give_up);
                return world.on(instance, 50, again);
            };
            world.shell(instance, room).into_iter().for_each(|shell| shell.is_attached = true);
            let wait = world.ms(0, 3);
            world.on(instance, wait, move |world| world.woken(instance, room, snapshot, tail));
        });
    }

    fn woken(
        &mut self,
        instance: usize,
        id: RoomId,
        snapshot: rookery::store::Snapshot,
        tail: Vec<Arc<Entry>>,
    ) {
        self.trace(|| format!("instance {instance} wakes {id} at {}", snapshot.next));
        let (loses_tail, forgets) = (self.has(Bug::LostTail), self.has(Bug::ForgottenRepeats));
        let Some(shell) = self.shell(instance, id) else { return };
        (shell.room, shell.next, shell.is_awake) = (snapshot.room, snapshot.next, true);
        shell.woke_at = snapshot.next;
        shell.kept.begin(snapshot.next);
        if forgets {
            shell.room.recent = Recent::default();
        }
        let mailbox = std::mem::take(&mut shell.mailbox);
        if !loses_tail {
            tail.iter().for_each(|entry| self.fold(instance, id, entry));
        }
        mailbox.into_iter().for_each(|turn| self.turn(instance, id, turn));
        self.tick(instance, id);
    }

    /// It cannot be woken: what waited for it is answered, or tried again.
    fn fall(&mut self, instance: usize, room: RoomId) {
        let Some(shell) = self.instances[instance].rooms.remove(&room) else { return };
        for turn in shell.mailbox {
            match turn {
                Turn::Propose { reply, .. } => self.answer(instance, reply, Answer::Unavailable),
                Turn::Join { conn, since } => self.join_later(instance, room, conn, since),
                Turn::Welcome { users, position } => {
                    self.on(instance, 1_000, move |world| {
                        let welcome = Turn::Welcome { users, position };
                        world.wake_and_turn(instance, room, welcome);
                    });
                }
                _ => {}
            }
        }
    }

    /// What a hello could not do at once goes on by itself.
    pub fn join_later(&mut self, instance: usize, room: RoomId, conn: usize, since: Position) {
        self.on(instance, 1_000, move |world| {
            world.join_when_read(instance, room, conn, since);
        });
    }

    fn tick(&mut self, instance: usize, room: RoomId) {
        let now = self.now;
        let open: Vec<bool> = self.conns.iter().map(|conn| conn.is_open_here).collect();
        let Some(shell) = self.shell(instance, room) else { return };
        shell.listeners.retain(|listener| open[listener.conn]);
        let late = shell.pending.extract_if(.., |_, reply| now - reply.since > READ_BACK_WITHIN);
        let late: Vec<Reply> = late.map(|(_, reply)| reply).collect();
        if !shell.listeners.is_empty() || !shell.pending.is_empty() {
            shell.used_at = now;
        }
        let (is_idle, life) = (now - shell.used_at > IDLE, shell.life);
        late.into_iter().for_each(|reply| self.answer(instance, reply, Answer::Unknown));
        if is_idle {
            self.trace(|| format!("instance {instance} lets {room} sleep"));
            self.instances[instance].rooms.remove(&room);
            return;
        }
        self.on(instance, 200, move |world| {
            if world.is_life(instance, room, life) {
                world.tick(instance, room);
            }
        });
    }

    fn propose(&mut self, instance: usize, id: RoomId, by: Doer, action: Action, reply: Reply) {
        let at = Timestamp(self.now as i64 + self.instances[instance].clock);
        let Some(shell) = self.shell(instance, id) else { return };
        let by = match shell.room.admit(by, &action, at) {
            Ok(by) => by,
            Err(refusal) => return self.refuse(instance, refusal, reply),
        };
        let record = Record::new(action, id, by, at, self.uuid());
        if self.has(Bug::AcknowledgedTooEarly) {
            self.acknowledge_too_early(instance, &record, reply.clone());
        }
        let pending = Reply { since: self.now, ..reply };
        let Some(shell) = self.shell(instance, id) else { return };
        shell.pending.insert(record.id, pending);
        self.publish(instance, record);
    }

    fn acknowledge_too_early(&mut self, instance: usize, record: &Record, reply: Reply) {
        let partition = partition_of(record.room);
        let here = place(partition, self.log.ends()[usize::from(partition)]);
        let Some(shell) = self.shell(instance, record.room) else { return };
        if let Ok(event) = shell.room.clone().apply(record, here) {
            self.answer(instance, reply, Answer::Accepted(here.position(), Arc::new(event)));
        }
    }

    fn refuse(&mut self, instance: usize, refusal: Refusal, reply: Reply) {
        match refusal {
            Refusal::Repeat(first) => self.answer_first(instance, first, reply),
            refusal => self.answer(instance, reply, Answer::Refused(refusal)),
        }
    }

    /// Answers a repeat with the first message, from memory or from the store.
    fn answer_first(&mut self, instance: usize, first: First, reply: Reply) {
        let Some(shell) = self.shell(instance, reply.room) else { return };
        if let Some(message) = shell.kept.message(first.position) {
            return self.answer(instance, reply, Answer::Repeated(Box::new(message)));
        }
        let ends = ends_at(reply.room, first.position.offset() + 1);
        self.until_stored(instance, ends, self.now + PATIENCE, move |world, _| {
            let (room, id) = (reply.room, first.id);
            let find = move |rows: &mut Rows| {
                rows.page(room).messages.into_iter().find(|message| message.id == id)
            };
            world.ask_store(instance, find, move |world, found| {
                let answer = match found {
                    Some(Some(message)) => Answer::Repeated(Box::new(message)),
                    _ => Answer::Unknown,
                };
                world.answer(instance, reply, answer);
            });
        });
    }

    fn not_published(&mut self, instance: usize, room: RoomId, id: Uuid, fate: Fate) {
        let is_wrong = self.has(Bug::UnknownIsRefused);
        let Some(shell) = self.shell(instance, room) else { return };
        let Some(reply) = shell.pending.remove(&id) else { return };
        let answer = match fate {
            Fate::Unknown if !is_wrong => Answer::Unknown,
            _ => Answer::Unavailable,
        };
        self.answer(instance, reply, answer);
    }

    fn fold(&mut self, instance: usize, id: RoomId, entry: &Entry) {
        let Some(shell) = self.shell(instance, id) else { return };
        // The snapshot may have been ahead of what this instance had read of the log.
        if entry.offset < shell.next {
            return;
        }
        shell.next = entry.offset + 1;
        let place = place(entry.partition, entry.offset);
        let Ok(record) = Record::decode(&entry.key, &entry.value) else { return };
        let pending = shell.pending.remove(&record.id);
        match shell.room.apply(&record, place) {
            Ok(event) => {
                let (position, event) = (place.position(), Arc::new(event));
                self.announce(instance, id, position, &event);
                if let Some(reply) = pending {
                    self.answer(instance, reply, Answer::Accepted(position, event));
                }
            }
            Err(refusal) => {
                if let Some(reply) = pending {
                    self.refuse(instance, refusal, reply);
                }
            }
        }
    }

    fn announce(&mut self, instance: usize, room: RoomId, position: Position, event: &Arc<Event>) {
        let stays = self.has(Bug::DeafToRemoval);
        let Some(shell) = self.shell(instance, room) else { return };
        shell.kept.push(position, event.clone());
        let newcomers: Vec<UserId> = match &**event {
            Event::RoomCreated { members, .. } => {
                members.iter().map(|member| member.person.id).collect()
            }
            Event::MemberAdded { member, .. } => vec![member.person.id],
            _ => Vec::new(),
        };
        let newcomers = self.newcomers_here(instance, &newcomers, room, position);
        let (reloading, newcomers): (Vec<_>, Vec<_>) =
            newcomers.into_iter().partition(|(_, tells)| *tells == Tells::Reload);
        for (conn, _) in newcomers {
            self.listen(instance, room, conn, Position(position.0 - 1));
        }
        let Some(shell) = self.shell(instance, room) else { return };
        let told: Vec<usize> = shell.listeners.iter().map(|listener| listener.conn).collect();
        if let (Event::MemberRemoved { member, .. }, false) = (&**event, stays) {
            shell.listeners.retain(|listener| listener.user != member.person.id);
        }
        for conn in told {
            self.push(conn, Frame::Event(room, position, event.clone()));
        }
        for (conn, _) in reloading {
            self.reset(instance, room, conn);
        }
    }
}

impl Shell {
    fn listens_from(&self, conn: usize) -> Option<Position> {
        let known = self.listeners.iter().find(|listener| listener.conn == conn);
        known.map(|listener| listener.from)
    }

    pub fn room(&self) -> &Room {
        &self.room
    }
}
