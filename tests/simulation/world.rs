//! The simulated world: virtual time, one queue of what is to happen, and everything in it.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap};

use rookery::core::types::{Person, Place, RoomId, UserId};
use rookery::guarantees::dice::Dice;
use rookery::guarantees::history::{History, Millis};
use uuid::Uuid;

use crate::bugs::Bug;
use crate::clients::{Client, Conn};
use crate::instance::Instance;
use crate::log::Log;
use crate::persister::Group;
use crate::presence::Bus;
use crate::store::Rows;

pub const PARTITIONS: u16 = 2;
pub const ROOMS: [RoomId; 3] =
    [RoomId::Group(1), RoomId::Group(2), RoomId::Direct(UserId(1), UserId(2))];
/// Runs every group, and is never removed.
pub const ADMIN: UserId = UserId(1);
pub const PEOPLE: i64 = 6;

/// While this lasts things break; from then on all is well, and everything has to come right.
pub const STORM: Millis = 5_000;
/// When everybody looks for the last time.
pub const LOOK: Millis = STORM + 9_000;
pub const END: Millis = LOOK + 3_000;

pub fn partition_of(room: RoomId) -> u16 {
    u16::from(room == RoomId::Group(2))
}

/// Ends that are reached when one room's partition has come so far.
pub fn ends_at(room: RoomId, end: i64) -> Vec<i64> {
    let mut ends = vec![0; PARTITIONS.into()];
    ends[usize::from(partition_of(room))] = end;
    ends
}

/// Who is in a room from the beginning: of six people five in the first group, and three in the other.
pub fn founders(room: RoomId) -> Vec<UserId> {
    match room {
        RoomId::Group(number) => (1..=PEOPLE + 1 - 2 * number).map(UserId).collect(),
        RoomId::Direct(one, other) => vec![one, other],
    }
}

pub fn place(partition: u16, offset: i64) -> Place {
    Place { epoch: 0, partition, offset }
}

pub fn person(user: UserId) -> Person {
    let name = format!("user{user}");
    Person { id: user, username: name.clone(), display_name: name }
}

type Deed = Box<dyn FnOnce(&mut World)>;

struct Task {
    at: Millis,
    /// Of two at the same time, the one that was planned first.
    number: u64,
    deed: Deed,
}

impl PartialEq for Task {
    fn eq(&self, other: &Task) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Task {}
impl PartialOrd for Task {
    fn partial_cmp(&self, other: &Task) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Task {
    fn cmp(&self, other: &Task) -> Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

pub struct World {
    pub now: Millis,
    planned: u64,
    queue: BinaryHeap<Reverse<Task>>,
    pub dice: Dice,
    /// What is wrong on purpose.
    pub bug: Option<Bug>,
    tracing: bool,
    pub log: Log,
    pub store: Rows,
    pub bus: Bus,
    pub group: Group,
    pub instances: Vec<Instance>,
    pub clients: Vec<Client>,
    pub conns: Vec<Conn>,
    pub history: History,
    /// When changes of membership were answered, by record.
    pub answered: BTreeMap<(RoomId, i64), Millis>,
    /// Of each send, whose it is and where to; and the tries that wait for an answer, with the
    /// connection that they went by.
    pub senders: Vec<(usize, RoomId)>,
    pub waiting: BTreeMap<(usize, usize), Option<usize>>,
    /// Until when what is seen of presence says nothing.
    pub blind_until: Millis,
}

impl World {
    /// Plays a seed to its end, and returns what was seen.
    pub fn play(seed: u64, bug: Option<Bug>, tracing: bool) -> History {
        let mut world = World {
            now: 0,
            planned: 0,
            queue: BinaryHeap::new(),
            dice: Dice::new(seed),
            bug,
            tracing,
            log: Log::default(),
            store: Rows::default(),
            bus: Bus::default(),
            group: Group::default(),
            instances: Vec::new(),
            clients: Vec::new(),
            conns: Vec::new(),
            history: History::default(),
            answered: BTreeMap::new(),
            senders: Vec::new(),
            waiting: BTreeMap::new(),
            blind_until: 0,
        };
        world.begin();
        while let Some(Reverse(task)) = world.queue.pop() {
            if task.at > END {
                break;
            }
            world.now = task.at;
            (task.deed)(&mut world);
        }
        world.into_history()
    }

    fn begin(&mut self) {
        self.found_rooms();
        self.begin_instances();
        self.begin_clients();
        self.begin_storm();
        self.after(LOOK, World::look_at_everything);
    }

    /// Something that happens whoever is dead or alive.
    pub fn after(&mut self, delay: Millis, deed: impl FnOnce(&mut World) + 'static) {
        let (at, number) = (self.now + delay, self.planned);
        self.planned += 1;
        self.queue.push(Reverse(Task { at, number, deed: Box::new(deed) }));
    }

    /// Something that an instance does: not if it dies before, and later if it is frozen.
    pub fn on(&mut self, instance: usize, delay: Millis, deed: impl FnOnce(&mut World) + 'static) {
        let run = self.instances[instance].run;
        self.on_run(instance, run, delay, deed);
    }

    pub fn on_run(
        &mut self,
        instance: usize,
        run: u64,
        delay: Millis,
        deed: impl FnOnce(&mut World) + 'static,
    ) {
        self.after(delay, move |world| {
            let there = &world.instances[instance];
            if there.run != run || !there.up {
                return;
            }
            match there.frozen_until.checked_sub(world.now) {
                Some(wait) if wait > 0 => world.on_run(instance, run, wait, deed),
                _ => deed(world),
            }
        });
    }

    pub fn is_storm(&self) -> bool {
        self.now < STORM
    }

    /// A number of milliseconds, both ends included.
    pub fn ms(&mut self, from: Millis, to: Millis) -> Millis {
        from + self.dice.below((to - from + 1) as usize) as Millis
    }

    /// How long something takes through a network: mostly nothing, sometimes long.
    pub fn lag(&mut self) -> Millis {
        match self.dice.below(20) {
            0 if self.is_storm() => self.ms(20, 300),
            1..4 => self.ms(5, 40),
            _ => self.ms(0, 5),
        }
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.dice.chance(percent)
    }

    pub fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    pub fn uuid(&mut self) -> Uuid {
        Uuid::from_u64_pair(self.dice.throw(), self.dice.throw())
    }

    pub fn trace(&self, what: impl FnOnce() -> String) {
        if self.tracing {
            println!("{:>6} {}", self.now, what());
        }
    }
}
