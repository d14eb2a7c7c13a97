//! The checker checked: histories of a hub without a fault have no violation, and each planted bug
//! is found under its promise.

use std::collections::BTreeSet;

use super::dice::Dice;
use super::history::*;
use super::truth::acknowledgements;
use super::{Promise, check};

const ROOMS: [&str; 2] = ["fens", "reeds"];
const PEOPLE: [&str; 4] = ["ann", "bob", "cat", "dan"];
const INSTANCES: [&str; 3] = ["one", "two", "three"];
/// Is removed from the first room half-way.
const REMOVED: &str = "dan";
const STEPS: u64 = 80;

/// A hub that does everything right, and what is seen of it.
struct Calm {
    dice: Dice,
    now: Millis,
    next: i64,
    rooms: Vec<Vec<Line>>,
    history: History,
}

impl Calm {
    fn new(seed: u64) -> Calm {
        let mut history = History::default();
        for room in ROOMS {
            for user in PEOPLE {
                let (client, heard) = (format!("{user} in {room}"), vec![Heard::From(0)]);
                let (user, room) = (user.to_owned(), room.to_owned());
                history.streams.push(Stream { client, user, room, heard, to_the_end: true });
            }
        }
        Calm { dice: Dice::new(seed), now: 0, next: 1, rooms: vec![Vec::new(); 2], history }
    }

    fn run(mut self) -> History {
        for step in 0..STEPS {
            self.now += 50;
            if step == STEPS / 2 {
                self.remove();
            }
            match self.dice.below(10) {
                0 => self.refuse(step),
                1 => self.interrupt(),
                2 => self.ask(),
                _ => self.send(step),
            }
        }
        // The bugs need something after everything.
        self.rename();
        self.send(STEPS);
        self.look_at_everything();
        self.history
    }

    fn is_member(&self, user: &str, room: usize) -> bool {
        let changes = &self.history.changes;
        !changes.iter().any(|change| change.user == user && change.room == ROOMS[room])
    }

    fn members(&self, room: usize) -> Vec<&'static str> {
        PEOPLE.into_iter().filter(|user| self.is_member(user, room)).collect()
    }

    fn send(&mut self, step: u64) {
        let room = self.dice.below(2);
        let members = self.members(room);
        let (sender, body) = ((*self.dice.one_of(&members)).to_owned(), format!("line {step}"));
        let line = Line {
            position: self.next,
            id: self.next.to_string(),
            sender: sender.clone(),
            body: body.clone(),
        };
        self.next += 1;
        let outcome = Outcome::Acknowledged(line.clone());
        let mut tries = vec![self.try_of(outcome.clone())];
        if self.dice.below(4) == 0 {
            tries.insert(0, self.try_of(Outcome::Unknown));
            tries.push(self.try_of(outcome));
        }
        let (room_name, id) = (ROOMS[room].to_owned(), format!("record {step}"));
        self.history.entries.push(Entry { room: room_name, id });
        self.rooms[room].push(line.clone());
        self.tell(room, Heard::Message(line));
        self.history.sends.push(Send { room: ROOMS[room].to_owned(), sender, body, tries });
    }

    fn try_of(&mut self, outcome: Outcome) -> Try {
        let instance = (*self.dice.one_of(&INSTANCES)).to_owned();
        Try { instance, at: self.now, answered_at: self.now + 5, outcome }
    }

    fn refuse(&mut self, step: u64) {
        let tries = vec![self.try_of(Outcome::Refused("unavailable".to_owned()))];
        let (room, sender) = (ROOMS[0].to_owned(), PEOPLE[0].to_owned());
        self.history.sends.push(Send { room, sender, body: format!("refused {step}"), tries });
    }

    fn tell(&mut self, room: usize, heard: Heard) {
        let members = self.members(room);
        let here = |stream: &&mut Stream| {
            stream.room == ROOMS[room] && members.contains(&stream.user.as_str())
        };
        self.history.streams.iter_mut().filter(here).for_each(|s| s.heard.push(heard.clone()));
    }

    /// The removed one hears of it, too, and nothing more.
    fn remove(&mut self) {
        let position = self.next;
        self.next += 1;
        self.tell(0, Heard::Event(position));
        self.history.changes.push(Change {
            room: ROOMS[0].to_owned(),
            user: REMOVED.to_owned(),
            position,
            is_member: false,
            answered_at: self.now + 5,
        });
    }

    /// An event that is no message, of the first room.
    fn rename(&mut self) {
        self.now += 50;
        let position = self.next;
        self.next += 1;
        self.tell(0, Heard::Event(position));
    }

    /// A client loses its connection, and resumes or is told to reload.
    fn interrupt(&mut self) {
        let stream = self.dice.below(self.history.streams.len());
        let reload = self.dice.below(2) == 0;
        let room = ROOMS.iter().position(|room| *room == self.history.streams[stream].room);
        let room = room.expect("a room");
        if !self.is_member(&self.history.streams[stream].user, room) {
            return;
        }
        let heard = &mut self.history.streams[stream].heard;
        let cursor = heard.iter().rev().find_map(position_of).unwrap_or(0);
        match reload {
            true => {
                heard.push(Heard::Reset(cursor));
                heard.push(Heard::Loaded(self.rooms[room].clone()));
            }
            false => heard.push(Heard::From(cursor)),
        }
    }

    fn ask(&mut self) {
        let (room, instance) = (self.dice.below(2), *self.dice.one_of(&INSTANCES));
        let viewer = Some(PEOPLE[0].to_owned());
        self.page(Source::Instance(instance.to_owned()), room, viewer, false);
        if !self.is_member(REMOVED, 0) {
            self.history.refusals.push(Turned {
                instance: instance.to_owned(),
                room: ROOMS[0].to_owned(),
                viewer: REMOVED.to_owned(),
                asked_at: self.now + 10,
            });
        }
    }

    fn page(&mut self, source: Source, room: usize, viewer: Option<String>, is_final: bool) {
        let (lines, asked_at) = (self.rooms[room].clone(), self.now + 10);
        let room = ROOMS[room].to_owned();
        self.history.pages.push(Page { source, room, viewer, asked_at, lines, is_final });
    }

    fn look_at_everything(&mut self) {
        self.now += 10_000;
        for (room, id) in ROOMS.into_iter().enumerate() {
            let everywhere = INSTANCES.map(|name| Source::Instance(name.to_owned()));
            for source in everywhere.into_iter().chain([Source::Store]) {
                let viewer = (source != Source::Store).then(|| PEOPLE[0].to_owned());
                self.page(source.clone(), room, viewer, true);
                let members: BTreeSet<String> =
                    self.members(room).into_iter().map(str::to_owned).collect();
                let (room, name) = (id.to_owned(), "Name".to_owned());
                self.history.states.push(State { source, room, name, members });
            }
            for viewer in self.members(room) {
                self.count(room, viewer);
            }
        }
        self.presence();
        let (base, connections) = (20 << 20, 8);
        let instance = INSTANCES[0].to_owned();
        self.history.memory.push(Memory { instance, connections, base, resident: base + 1_000 });
        self.history.faults.push(fault("a pause", 100));
    }

    fn count(&mut self, room: usize, viewer: &str) {
        let read_position = self.dice.below(STEPS as usize) as i64;
        let others = self.rooms[room]
            .iter()
            .filter(|line| line.position > read_position && line.sender != viewer);
        let unread = others.count();
        let (instance, room) = (INSTANCES[1].to_owned(), ROOMS[room].to_owned());
        let viewer = viewer.to_owned();
        self.history.counts.push(Count { instance, room, viewer, read_position, unread });
    }

    /// Ann comes and goes, and comes again; Bob's instance is killed.
    fn presence(&mut self) {
        let socket = |user: &str, begun_at, ended| {
            let (user, opened_at) = (user.to_owned(), Some(begun_at + 20));
            Socket { user, begun_at, opened_at, ended }
        };
        let sockets = [
            socket("ann", 0, Some((1_000, End::Orderly))),
            socket("ann", 3_000, None),
            socket("bob", 0, Some((1_000, End::Crash))),
        ];
        self.history.sockets.extend(sockets);
        let seen = [
            ("ann", 500, true),
            ("ann", 2_500, false),
            ("ann", 3_200, true),
            ("ann", 9_000, true),
            ("bob", 4_000, true),
            ("bob", 9_000, false),
        ];
        for (user, at, online) in seen {
            let (observer, user) = ("cat".to_owned(), user.to_owned());
            self.history.sightings.push(Sighting { observer, user, asked_at: at - 5, at, online });
        }
    }
}

fn fault(name: &str, ended_at: Millis) -> Fault {
    let instances = INSTANCES.map(str::to_owned).into();
    Fault { name: name.to_owned(), ended_at, instances }
}

fn position_of(heard: &Heard) -> Option<i64> {
    match heard {
        Heard::Message(line) => Some(line.position),
        Heard::Event(position) | Heard::Reset(position) | Heard::From(position) => Some(*position),
        Heard::Loaded(_) => None,
    }
}

/// A room's final pages, the store's included.
fn finals<'a>(history: &'a mut History, room: &'a str) -> impl Iterator<Item = &'a mut Page> {
    history.pages.iter_mut().filter(move |page| page.is_final && page.room == room)
}

fn stream<'a>(history: &'a mut History, user: &str, room: &str) -> &'a mut Stream {
    let mut streams = history.streams.iter_mut();
    streams.find(|stream| stream.user == user && stream.room == room).expect("a stream")
}

/// The last message that was acknowledged.
fn last_send(history: &mut History) -> &mut Send {
    let done = |send: &&mut Send| acknowledgements(send).next().is_some();
    history.sends.iter_mut().rev().find(done).expect("a send")
}

type Bug = (&'static str, Promise, fn(&mut History));

const BUGS: [Bug; 20] = [
    ("acknowledge before publish", Promise::ExactlyOnce, |history| {
        let mut send = last_send(history).clone();
        send.body = "never published".to_owned();
        let line = Line {
            position: 9_999,
            id: "x".into(),
            sender: send.sender.clone(),
            body: send.body.clone(),
        };
        send.tries = vec![Try { outcome: Outcome::Acknowledged(line), ..send.tries[0].clone() }];
        history.sends.push(send);
    }),
    ("drop on resume", Promise::ExactlyOnce, |history| {
        let heard = &mut stream(history, "bob", "reeds").heard;
        let resumed = heard.len() / 2;
        let cursor = heard[..resumed].iter().rev().find_map(position_of).unwrap_or(0);
        heard.insert(resumed, Heard::From(cursor));
        let missed = heard[resumed..].iter().position(|one| matches!(one, Heard::Message(_)));
        heard.remove(resumed + missed.expect("something was said after it"));
    }),
    ("duplicate on retry", Promise::ExactlyOnce, |history| {
        let send = last_send(history);
        let first = acknowledgements(send).next().expect("a line").clone();
        let second = Line { position: 9_999, id: "9999".into(), ..first };
        send.tries
            .push(Try { outcome: Outcome::Acknowledged(second.clone()), ..send.tries[0].clone() });
        let room = send.room.clone();
        finals(history, &room).for_each(|page| page.lines.push(second.clone()));
    }),
    ("the same event twice", Promise::ExactlyOnce, |history| {
        let heard = &mut stream(history, "cat", "fens").heard;
        let last = heard.iter().rev().find(|one| matches!(one, Heard::Message(_))).cloned();
        heard.extend(last);
    }),
    ("deliver after removal", Promise::NothingAfterRemoval, |history| {
        let heard = &stream(history, "ann", "fens").heard;
        let last = heard.iter().rev().find(|one| matches!(one, Heard::Event(_))).cloned();
        stream(history, REMOVED, "fens").heard.extend(last);
    }),
    ("a page for who was removed", Promise::NothingAfterRemoval, |history| {
        let page = finals(history, "fens").next().expect("a page").clone();
        history.pages.push(Page { viewer: Some(REMOVED.to_owned()), ..page });
    }),
    ("commit the offset before the rows", Promise::ExactlyOnce, |history| {
        let mut pages = finals(history, "reeds");
        let store = pages.find(|page| page.source == Source::Store).expect("the rows");
        store.lines.remove(store.lines.len() / 2);
    }),
    ("stale unread", Promise::Unread, |history| history.counts[0].unread += 1),
    ("ghost presence", Promise::Presence, |history| history.sightings[5].online = true),
    ("here, but not seen", Promise::Presence, |history| history.sightings[3].online = false),
    ("a record twice in the log", Promise::ExactlyOnce, |history| {
        let first = history.entries[0].clone();
        history.entries.push(first);
    }),
    ("reorder on retry", Promise::OneOrder, |history| {
        let heard = &mut stream(history, "bob", "fens").heard;
        let said = |one: &Heard| matches!(one, Heard::Message(_));
        let two = (1..heard.len()).rev().find(|&at| said(&heard[at - 1]) && said(&heard[at]));
        let two = two.expect("two lines in a row");
        heard.swap(two - 1, two);
    }),
    ("reorder in the store", Promise::OneOrder, |history| {
        finals(history, "reeds").for_each(|page| page.lines.swap(0, 1));
    }),
    ("lost tail at activation", Promise::ReadYourWrites, |history| {
        let mut page = finals(history, "reeds").next().expect("a page").clone();
        page.lines.pop();
        page.is_final = false;
        history.pages.push(page);
    }),
    ("a deaf socket", Promise::ExactlyOnce, |history| {
        let room = last_send(history).room.clone();
        stream(history, "ann", &room).heard.pop();
    }),
    ("two folds that differ", Promise::OneOrder, |history| {
        history.states[1].members.pop_first();
    }),
    ("refused, but done", Promise::ExactlyOnce, |history| {
        last_send(history).tries.iter_mut().for_each(|one| {
            one.outcome = Outcome::Refused("unavailable".to_owned());
        });
    }),
    ("memory that grows", Promise::Memory, |history| history.memory[0].resident <<= 4),
    ("an outage without end", Promise::Outages, |history| {
        history.faults.push(fault("cut", 1_000_000));
    }),
    ("one instance stays dead", Promise::Outages, |history| {
        history.faults[0].instances.push("four".to_owned());
    }),
];

#[test]
fn what_is_right_has_no_violation() {
    for seed in 0..200 {
        let verdict = check(&Calm::new(seed).run());
        assert_eq!(verdict.violations(), 0, "seed {seed}:\n{verdict}");
        for promise in Promise::ALL {
            assert!(verdict.of(promise).cases > 0, "seed {seed}: {promise:?} was not looked at");
        }
    }
}

#[test]
fn each_planted_bug_is_found() {
    for (bug, promise, plant) in BUGS {
        for seed in 0..50 {
            let mut history = Calm::new(seed).run();
            plant(&mut history);
            let verdict = check(&history);
            let judgement = verdict.of(promise);
            assert!(judgement.violations > 0, "“{bug}” was not found with seed {seed}:\n{verdict}");
            assert!(judgement.first.is_some());
        }
    }
}
