//! What breaks, what changes meanwhile, and the last look at everything when all is well again.

use std::collections::BTreeSet;

use rookery::core::record::{Action, Changes, Record};
use rookery::core::room::{Event, Room};
use rookery::core::types::{Role, RoomId, UserId};
use rookery::guarantees::history::Millis;
use rookery::guarantees::history::{Change, Fault, History, Page, Source, State};

use crate::clients::{Reply, To, line};
use crate::instance::{NAMES, PATIENCE};
use crate::room::{Answer, Turn};
use crate::world::{ADMIN, ROOMS, STORM, World, ends_at, founders, partition_of, person, place};

/// Kinds of trouble; each seed has some of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Crash,
    Freeze,
    LogDown,
    StoreDown,
    BusDown,
    Cut,
    Rebalance,
}

const TROUBLES: [Trouble; 7] = [
    Trouble::Crash,
    Trouble::Freeze,
    Trouble::LogDown,
    Trouble::StoreDown,
    Trouble::BusDown,
    Trouble::Cut,
    Trouble::Rebalance,
];

impl World {
    pub fn begin_storm(&mut self) {
        let some: Vec<Trouble> = TROUBLES.into_iter().filter(|_| self.chance(50)).collect();
        self.trace(|| format!("this seed has {some:?}"));
        self.plan_trouble(some);
        self.after(500, World::change_something);
        self.after(STORM + 1_000, World::speak_everywhere);
        let name = "the storm".to_owned();
        let instances = NAMES.map(str::to_owned).to_vec();
        self.history.faults.push(Fault { name, ended_at: STORM, instances });
    }

    fn plan_trouble(&mut self, some: Vec<Trouble>) {
        let wait = self.ms(150, 1_000);
        if some.is_empty() || self.now + wait >= STORM {
            return;
        }
        self.after(wait, move |world| {
            let trouble = *world.dice.one_of(&some);
            world.bring(trouble);
            world.plan_trouble(some);
        });
    }

    /// Trouble never outlasts the storm.
    fn bring(&mut self, trouble: Trouble) {
        let number = self.dice.below(NAMES.len());
        let until = STORM.min(self.now + self.ms(50, 2_500));
        match trouble {
            Trouble::Crash if self.instances[number].up => {
                self.crash(number);
                self.after(until - self.now, move |world| world.restart(number));
            }
            Trouble::Freeze => {
                self.trace(|| format!("instance {number} freezes until {until}"));
                self.instances[number].frozen_until = until;
                self.see_nothing_until(until);
                if self.chance(60) {
                    self.owner_lost(number);
                }
            }
            Trouble::LogDown => {
                self.trace(|| format!("the log is down until {until}"));
                self.log.down_until = until;
            }
            Trouble::StoreDown => {
                self.trace(|| format!("the store is down until {until}"));
                self.store.down_until = until;
            }
            Trouble::BusDown => {
                self.trace(|| format!("the bus is down until {until}"));
                self.bus.down_until = until;
                self.see_nothing_until(until);
            }
            Trouble::Cut => {
                let client = self.dice.below(self.clients.len());
                self.cut(client);
            }
            Trouble::Rebalance if self.instances[number].up && self.instances[number].is_ready => {
                let partition = self.dice.below(2) as u16;
                self.hand_over_partition(partition, number);
            }
            Trouble::Crash | Trouble::Rebalance => {}
        }
    }

    /// Who is silent is taken for dead, and is not: until the next leases nobody knows better.
    fn see_nothing_until(&mut self, end: Millis) {
        self.blind_until = self.blind_until.max(end + 3_000);
    }

    /// The admin lets people in, removes them, or renames the group.
    fn change_something(&mut self) {
        let (room, user) = (ROOMS[self.dice.below(2)], UserId(2 + self.dice.below(5) as i64));
        // Nobody comes back: who does sees what was said meanwhile, and the checker cannot tell that
        // from what they should not have seen.
        let action = match (founders(room).contains(&user), self.dice.below(3)) {
            (false, 1..) => Action::MemberSet { member: person(user), role: Role::Member },
            (true, 1) => Action::MemberRemoved { member: person(user), ban: self.chance(30) },
            _ => {
                let name = Some(format!("name {}", self.now));
                Action::RoomUpdated(Changes { name, ..Changes::default() })
            }
        };
        let instance = self.dice.below(NAMES.len());
        let reply = Reply { room, to: To::Change, conn: None, since: self.now };
        self.request(instance, move |world| {
            let action = Box::new(action);
            let turn = Turn::Propose { by: ADMIN.into(), action, reply };
            world.wake_and_turn(instance, room, turn);
        });
        let wait = self.ms(200, 900);
        if self.now + wait < STORM {
            self.after(wait, World::change_something);
        }
    }

    /// A change is answered when the store has it.
    pub fn changed(&mut self, instance: usize, room: RoomId, answer: Answer) {
        let Answer::Accepted(position, event) = answer else { return };
        let ends = ends_at(room, position.offset() + 1);
        self.until_stored(instance, ends, self.now + PATIENCE, move |world, reached| {
            if !reached {
                return;
            }
            let lag = world.lag();
            world.after(lag, move |world| {
                world.answered.insert((room, position.0), world.now);
                if let Event::MemberAdded { member, .. } | Event::MemberRemoved { member, .. } =
                    &*event
                {
                    let (other, user) = (world.dice.below(NAMES.len()), member.person.id);
                    world.after(1, move |world| world.page(other, room, user, false, |_, _| {}));
                }
            });
        });
    }

    /// When the storm is over, every instance is asked to do its work.
    fn speak_everywhere(&mut self) {
        for (instance, room) in (0..NAMES.len()).zip(ROOMS) {
            let admin = self.clients.iter().position(|client| client.user == ADMIN).unwrap_or(0);
            let send = self.history.sends.len();
            self.history.sends.push(rookery::guarantees::history::Send {
                room: room.to_string(),
                sender: ADMIN.to_string(),
                body: format!("line {send}"),
                tries: Vec::new(),
            });
            self.senders.push((admin, room));
            self.try_at(instance, send);
        }
    }

    pub fn look_at_everything(&mut self) {
        for (instance, name) in NAMES.into_iter().enumerate() {
            for room in ROOMS {
                self.page(instance, room, ADMIN, true, move |world, _| {
                    let shell = world.instances[instance].rooms.get(&room);
                    if let Some(shell) = shell {
                        let source = Source::Instance(name.to_owned());
                        world.history.states.push(state(source, shell.room()));
                    }
                });
            }
        }
        for room in ROOMS {
            let lines = self.store.page(room).messages.iter().map(line).collect();
            let (source, viewer, asked_at) = (Source::Store, None, self.now);
            let page =
                Page { source, room: room.to_string(), viewer, asked_at, lines, is_final: true };
            self.history.pages.push(page);
            self.history.states.push(state(Source::Store, &self.store.snapshot(room).room));
        }
    }

    /// What only the whole log tells: every change of membership, answered or not.
    pub fn into_history(mut self) -> History {
        for room in ROOMS {
            let mut fold = Room::absent(room);
            for entry in &self.log.entries[usize::from(partition_of(room))] {
                let record = Record::decode(&entry.key, &entry.value).expect("a record");
                if record.room != room {
                    continue;
                }
                let position = place(entry.partition, entry.offset).position().0;
                let (user, is_member) =
                    match fold.apply(&record, place(entry.partition, entry.offset)) {
                        Ok(Event::MemberAdded { member, .. }) => (member.person.id, true),
                        Ok(Event::MemberRemoved { member, .. }) => (member.person.id, false),
                        _ => continue,
                    };
                let answered_at = self.answered.get(&(room, position)).copied();
                self.history.changes.push(Change {
                    room: room.to_string(),
                    user: user.to_string(),
                    position,
                    is_member,
                    answered_at: answered_at.unwrap_or(Millis::MAX),
                });
            }
        }
        for number in 0..self.clients.len() {
            let client = &self.clients[number];
            let to_the_end = client.conn.is_some() && client.is_quiet();
            self.keep_streams(number, to_the_end);
        }
        self.history
    }
}

fn state(source: Source, room: &Room) -> State {
    let members: BTreeSet<String> = room.members.keys().map(ToString::to_string).collect();
    let name = room.name.clone().unwrap_or_default();
    State { source, room: room.id.to_string(), name, members }
}
