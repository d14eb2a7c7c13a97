//! A simulated instance: what starts with it, dies with it, and reads the log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rookery::core::presence::Presence;
use rookery::core::record::{Action, Record};
use rookery::core::tail::Tail;
use rookery::core::types::{RoomId, UserId};
use rookery::guarantees::history::{Memory, Millis};
use rookery::log::Entry;

use crate::log::Producer;
use crate::persister::Part;
use crate::room::{Shell, Turn};
use crate::world::{ADMIN, PARTITIONS, World, place};

pub const NAMES: [&str; 3] = ["one", "two", "three"];
/// Small, so that rooms have to wait for the store now and then.
const TAIL_BYTES: usize = 8 * 1024;
const TRIM_EVERY: Millis = 250;
const AGAIN: Millis = 250;
/// How long anything waits for the log or the store.
pub const PATIENCE: Millis = 5_000;

pub struct Instance {
    /// Counts its starts.
    pub run: u64,
    pub up: bool,
    /// Has read the store's offsets, and follows the log.
    pub is_ready: bool,
    pub frozen_until: Millis,
    /// By how much its clock is wrong.
    pub clock: i64,
    pub producer: Producer,
    pub reads_soon: bool,
    pub tail: Tail,
    /// How far it has read the log, and how far it knows the store to be.
    pub followed: Vec<i64>,
    pub stored: Vec<i64>,
    pub rooms: BTreeMap<RoomId, Shell>,
    pub lives: u64,
    /// What it writes into the store, as the owner of a partition or in place of a silent one.
    pub parts: BTreeMap<u16, Part>,
    pub standing_in: BTreeMap<u16, Part>,
    pub stalled: BTreeMap<u16, (i64, Millis)>,
    pub presence: Presence,
    pub hears_live: bool,
}

impl Instance {
    fn new(number: usize, run: u64, clock: i64) -> Instance {
        Instance {
            run,
            up: true,
            is_ready: false,
            frozen_until: 0,
            clock,
            producer: Producer::default(),
            reads_soon: false,
            tail: Tail::new(&[0; PARTITIONS as usize], TAIL_BYTES),
            followed: vec![0; PARTITIONS.into()],
            stored: vec![0; PARTITIONS.into()],
            rooms: BTreeMap::new(),
            lives: 0,
            parts: BTreeMap::new(),
            standing_in: BTreeMap::new(),
            stalled: BTreeMap::new(),
            presence: Presence::new(format!("{}-{run}", NAMES[number])),
            hears_live: false,
        }
    }
}

impl World {
    pub fn begin_instances(&mut self) {
        for number in 0..NAMES.len() {
            // Up to an hour off, for good.
            let clock = match self.chance(50) {
                true => self.ms(0, 7_200_000) as i64 - 3_600_000,
                false => 0,
            };
            self.instances.push(Instance::new(number, 0, clock));
            self.start(number);
        }
    }

    /// Dies at once. What had left it goes on its way.
    pub fn crash(&mut self, number: usize) {
        self.trace(|| format!("instance {number} crashes"));
        let cut = self.now + self.ms(0, 20);
        let there = &mut self.instances[number];
        there.up = false;
        there.producer.cut_at.set(Some(cut));
        self.cut_all_of(number);
        self.owner_lost(number);
    }

    pub fn restart(&mut self, number: usize) {
        let Instance { run, clock, .. } = self.instances[number];
        self.instances[number] = Instance::new(number, run + 1, clock);
        self.trace(|| format!("instance {number} starts"));
        self.start(number);
    }

    fn start(&mut self, number: usize) {
        self.ask_store(
            number,
            |rows| rows.next,
            move |world, next| match next {
                Some(next) if world.log_is_up() => {
                    let there = &mut world.instances[number];
                    there.tail = Tail::new(&next, TAIL_BYTES);
                    (there.followed, there.stored) = (next.to_vec(), next.to_vec());
                    there.is_ready = true;
                    world.plan_reading(number);
                    world.trim(number);
                    world.stand_in(number);
                    world.begin_presence(number);
                    world.join_group(number);
                }
                _ => world.on(number, AGAIN, move |world| world.start(number)),
            },
        );
    }

    /// A request from outside. One that nobody takes, or that dies with its instance, is unanswered.
    pub fn request(&mut self, number: usize, deed: impl FnOnce(&mut World) + 'static) {
        let lag = self.lag();
        self.on(number, lag, move |world| {
            if world.instances[number].is_ready {
                deed(world);
            }
        });
    }

    fn trim(&mut self, number: usize) {
        let there = &mut self.instances[number];
        for partition in 0..PARTITIONS {
            there.tail.trim(partition, there.stored[usize::from(partition)]);
        }
        let (resident, base) = (there.tail.bytes() as u64, TAIL_BYTES as u64);
        let instance = NAMES[number].to_owned();
        self.history.memory.push(Memory { instance, connections: 0, base, resident });
        self.on(number, TRIM_EVERY, move |world| world.trim(number));
    }

    /// Takes in an entry: into the tail, and to its room where that is awake.
    pub fn take_in(&mut self, number: usize, entry: Arc<Entry>) {
        let there = &mut self.instances[number];
        there.tail.push(entry.clone(), true);
        there.followed[usize::from(entry.partition)] = entry.offset + 1;
        let room = entry.key.parse().expect("a room");
        match there.rooms.get(&room).is_some_and(|shell| shell.is_attached) {
            true => self.turn(number, room, Turn::Fed(entry)),
            false => self.welcome_newcomers(number, room, &entry),
        }
    }

    fn welcome_newcomers(&mut self, number: usize, room: RoomId, entry: &Entry) {
        if Record::looks_like_message(&entry.value) {
            return;
        }
        let record = Record::decode(&entry.key, &entry.value).expect("a record");
        let newcomers: Vec<UserId> = match &record.action {
            Action::MemberSet { member, .. } => vec![member.id],
            Action::RoomCreated(founding) => {
                founding.members.iter().map(|seat| seat.person.id).collect()
            }
            _ => return,
        };
        let here: BTreeSet<UserId> = self.sessions(number).map(|conn| conn.user).collect();
        let users: Vec<UserId> = newcomers.into_iter().filter(|user| here.contains(user)).collect();
        if !users.is_empty() {
            let position = place(entry.partition, entry.offset).position();
            self.wake_and_turn(number, room, Turn::Welcome { users, position });
        }
    }

    /// Does something when the store has come so far, as this instance knows; or tells that it has
    /// not in time.
    pub fn until_stored(
        &mut self,
        number: usize,
        ends: Vec<i64>,
        give_up: Millis,
        then: impl FnOnce(&mut World, bool) + 'static,
    ) {
        if self.store_is_up() {
            self.instances[number].stored = self.store.next.to_vec();
        }
        let reached = self.instances[number].stored.iter().zip(&ends).all(|(at, end)| at >= end);
        if reached || self.now >= give_up {
            return then(self, reached);
        }
        self.on(number, 10, move |world| world.until_stored(number, ends, give_up, then));
    }

    pub fn until_followed(
        &mut self,
        number: usize,
        ends: Vec<i64>,
        give_up: Millis,
        then: impl FnOnce(&mut World, bool) + 'static,
    ) {
        let followed = &self.instances[number].followed;
        let reached = followed.iter().zip(&ends).all(|(at, end)| at >= end);
        if reached || self.now >= give_up {
            return then(self, reached);
        }
        self.on(number, 5, move |world| world.until_followed(number, ends, give_up, then));
    }

    /// The rooms that everything happens in, by the admin, before anything else.
    pub fn found_rooms(&mut self) {
        use crate::world::{ROOMS, founders, person};
        use rookery::core::record::{Founding, Seat};
        use rookery::core::types::{Role, RoomKind, Timestamp, Visibility};
        for room in ROOMS {
            let (kind, name) = match room {
                RoomId::Group(_) => (RoomKind::Group, Some("birds".to_owned())),
                RoomId::Direct(..) => (RoomKind::Direct, None),
            };
            let seat = |user: UserId| Seat {
                person: person(user),
                role: if user == ADMIN { Role::Admin } else { Role::Member },
            };
            let visibility = Visibility::Private;
            let members = founders(room).into_iter().map(seat).collect();
            let founding = Founding { kind, name, visibility, members };
            let (action, id) = (Action::RoomCreated(founding), self.uuid());
            self.append(&Record::new(action, room, ADMIN.into(), Timestamp(0), id));
        }
    }
}
