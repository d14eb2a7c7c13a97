//! Who is online or away, here and on every other instance.
//!
//! A person is as present as the most present of their sockets, wherever it is: online where one
//! of them had input lately, away where all are idle, offline where there is none.
//!
//! Each instance tells the others two kinds of keys: a *lease*, told again every second while it
//! lives, and an *entry* for each person with a socket there, whose value is how present they are
//! there. An instance that stops in order takes its lease back; one that crashed falls silent, and
//! its people count no more.
//!
//! Silence is counted in our own leases as we hear them come back: when nothing comes back at
//! all, it is the bus that is down, and nobody is judged by that. No clock is compared. One that
//! fell silent and is heard again may only have been held up, and what comes first is what it said
//! then; so it is believed once its leases kept coming for a while. So is everybody once the bus is
//! back.
//!
//! What was told is told again until it came back: the bus drops what it cannot take.

mod instance;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::instance::{BELIEVED_AFTER, Instance};
use super::types::UserId;

/// How often an instance tells its lease.
pub const BEAT: Duration = Duration::from_secs(1);
/// An instance is silent after this many of our own beats without one of its.
const SILENT_AFTER: u64 = 3;
/// How long an instance may have been dead when it is found silent.
pub const SILENCE: Duration = Duration::from_secs(SILENT_AFTER);
/// So many of our own beats after we caught up, whoever lives has been heard of.
const ENOUGH: u64 = 2;
/// Its keys are taken back for it after this many.
const FORGOTTEN_AFTER: u64 = 60;

/// How present a person is; the greater of two is the one that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// No socket.
    Offline,
    /// Sockets, but no input for a while.
    Away,
    Online,
}

/// One run of one instance. A restart is another one.
pub type Incarnation = String;

/// What another instance, or this one, told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    Lease(Incarnation),
    LeaseEnded(Incarnation),
    /// How present a person is on one instance.
    Person(Incarnation, UserId, Status),
}

/// The part of an entry's value that matters; the rest is for people to read.
#[derive(Deserialize)]
struct Entry {
    status: Status,
}

impl Told {
    /// `INCARNATION` is a lease, `INCARNATION/USER` a person; no value takes the key back. A
    /// person's value that cannot be read is taken for online: some other version wrote it.
    pub fn parse(key: &str, value: Option<&[u8]>) -> Option<Told> {
        match key.split_once('/') {
            None if value.is_some() => Some(Told::Lease(key.to_owned())),
            None => Some(Told::LeaseEnded(key.to_owned())),
            Some((incarnation, user)) => {
                let entry = |value| serde_json::from_slice::<Entry>(value);
                let status = value.map(|value| entry(value).map_or(Status::Online, |e| e.status));
                let status = status.unwrap_or(Status::Offline);
                Some(Told::Person(incarnation.to_owned(), user.parse().ok()?, status))
            }
        }
    }

    pub fn key(&self) -> String {
        match self {
            Told::Lease(incarnation) | Told::LeaseEnded(incarnation) => incarnation.clone(),
            Told::Person(incarnation, user, _) => format!("{incarnation}/{user}"),
        }
    }

    pub fn has_value(&self) -> bool {
        !matches!(self, Told::LeaseEnded(_) | Told::Person(_, _, Status::Offline))
    }
}

/// A person whose presence is another than the last [`Presence::changes`] told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    pub user: UserId,
    pub status: Status,
    /// They went offline with an instance that fell silent, up to [`SILENCE`] ago.
    pub lost: bool,
}

/// A person's sockets on this instance.
#[derive(Debug, Default, Clone, Copy)]
struct Sockets {
    active: u32,
    idle: u32,
}

/// On how many living instances a person is online, and away.
#[derive(Debug, Default)]
struct Tally {
    online: u32,
    away: u32,
}

/// The better of the two, of however many there are.
fn best(online: u32, away: u32) -> Status {
    match (online, away) {
        (0, 0) => Status::Offline,
        (0, _) => Status::Away,
        _ => Status::Online,
    }
}

#[derive(Debug)]
pub struct Presence {
    me: Incarnation,
    sockets: HashMap<UserId, Sockets>,
    others: HashMap<Incarnation, Instance>,
    beats: u64,
    /// Our own beat at which all that was kept had been heard, or the bus was back.
    caught_up_at: Option<u64>,
    /// Our own beat from which on what another instance tells is no older than that.
    believed_from: u64,
    /// People here of whom the others may not know how present they are, and the beat at which it
    /// was told.
    unconfirmed: HashMap<UserId, u64>,
    /// We have said farewell.
    leaving: bool,
    /// Everyone who is not offline.
    present: HashMap<UserId, Tally>,
    changed: HashSet<UserId>,
    announced: HashMap<UserId, Status>,
    /// Who was last seen on an instance that fell silent, since the last `changes`.
    lost: HashSet<UserId>,
}

impl Presence {
    pub fn new(me: Incarnation) -> Presence {
        Presence {
            me,
            sockets: HashMap::new(),
            others: HashMap::new(),
            beats: 0,
            caught_up_at: None,
            believed_from: 0,
            unconfirmed: HashMap::new(),
            leaving: false,
            present: HashMap::new(),
            changed: HashSet::new(),
            announced: HashMap::new(),
            lost: HashSet::new(),
        }
    }

    pub fn status(&self, user: UserId) -> Status {
        self.present.get(&user).map_or(Status::Offline, |tally| best(tally.online, tally.away))
    }

    /// Everyone who is online or away.
    pub fn present(&self) -> impl Iterator<Item = UserId> {
        self.present.keys().copied()
    }

    /// Whether it is for this instance to write down when people were last seen who were lost
    /// with another one: of the living ones the first two by name do, since one of them may be
    /// dying as well.
    pub fn speaks_for_the_lost(&self) -> bool {
        let living = self.others.iter().filter(|(_, instance)| instance.is_alive());
        living.filter(|(incarnation, _)| **incarnation < self.me).count() < 2
    }

    /// A socket opened here, with somebody at it or idle. Returns what to tell the other
    /// instances.
    pub fn connect(&mut self, user: UserId, active: bool) -> Option<Told> {
        self.change_sockets(user, |sockets| match active {
            true => sockets.active += 1,
            false => sockets.idle += 1,
        })
    }

    /// A socket closed here, which was active or idle. Returns what to tell the other instances.
    pub fn disconnect(&mut self, user: UserId, active: bool) -> Option<Told> {
        self.change_sockets(user, |sockets| match active {
            true => sockets.active = sockets.active.saturating_sub(1),
            false => sockets.idle = sockets.idle.saturating_sub(1),
        })
    }

    /// A socket here that was idle had input, or one that was active had none for long. Returns
    /// what to tell the other instances.
    pub fn turn(&mut self, user: UserId, active: bool) -> Option<Told> {
        self.change_sockets(user, |sockets| {
            let (from, to) = match active {
                true => (&mut sockets.idle, &mut sockets.active),
                false => (&mut sockets.active, &mut sockets.idle),
            };
            if *from > 0 {
                *from -= 1;
                *to += 1;
            }
        })
    }

    fn change_sockets(&mut self, user: UserId, change: impl FnOnce(&mut Sockets)) -> Option<Told> {
        let before = self.here(user);
        let sockets = self.sockets.entry(user).or_default();
        change(sockets);
        if sockets.active + sockets.idle == 0 {
            self.sockets.remove(&user);
        }
        let after = self.here(user);
        self.shift(user, before, after);
        (before != after).then(|| self.told_of(user))
    }

    fn told_of(&mut self, user: UserId) -> Told {
        self.unconfirmed.insert(user, self.beats);
        Told::Person(self.me.clone(), user, self.here(user))
    }

    /// How present somebody is on this instance alone.
    fn here(&self, user: UserId) -> Status {
        let sockets = self.sockets.get(&user).copied().unwrap_or_default();
        best(sockets.active, sockets.idle)
    }

    /// All that was kept has been heard, what follows is live. Returns what to tell: whoever lives
    /// answers it.
    pub fn catch_up(&mut self) -> Told {
        self.caught_up_at = Some(self.beats);
        self.believed_from = self.beats;
        self.lease()
    }

    /// Our own leases come back again after a time in which nothing did: what happened meanwhile is
    /// yet to be heard, and what was under way when the bus went down comes first. Returns what to
    /// tell.
    pub fn reconnect(&mut self) -> Vec<Told> {
        let next = self.beats + 1;
        self.caught_up_at = self.caught_up_at.map(|_| next);
        self.believed_from = next + BELIEVED_AFTER;
        self.unheard()
    }

    /// What has not come back. While nothing does, it is told before each lease: with that the others
    /// believe again what they heard last.
    pub fn unheard(&mut self) -> Vec<Told> {
        let users: Vec<UserId> = self.unconfirmed.keys().copied().collect();
        users.into_iter().map(|user| self.told_of(user)).collect()
    }

    /// Whether everybody is known who is here. An instance that has just begun knows of others only
    /// what they left behind, and one that was cut off what they last told: each has to be heard of
    /// since, or had time enough.
    pub fn is_settled(&self) -> bool {
        let Some(since) = self.caught_up_at else { return false };
        let own = self.beats.saturating_sub(since);
        let is_awaited = |instance: &Instance| match (instance.is_alive(), instance.heard_at) {
            // It falls silent if it is dead.
            (true, heard_at) => heard_at.is_none_or(|beat| beat < self.believed_from),
            (false, Some(_)) => own < ENOUGH,
            (false, None) => false,
        };
        own >= 1 && !self.others.values().any(is_awaited)
    }

    /// What to tell once a second.
    pub fn lease(&self) -> Told {
        Told::Lease(self.me.clone())
    }

    /// What to tell when stopping in order.
    pub fn farewell(&mut self) -> Vec<Told> {
        self.leaving = true;
        let gone = |user: &UserId| Told::Person(self.me.clone(), *user, Status::Offline);
        let lease = std::iter::once(Told::LeaseEnded(self.me.clone()));
        lease.chain(self.sockets.keys().map(gone)).collect()
    }

    /// Takes in what came over the bus, our own included. `live` is false for what was kept from
    /// before we listened. Returns what to tell in answer.
    pub fn hear(&mut self, told: Told, live: bool) -> Vec<Told> {
        match told {
            Told::Lease(incarnation) if incarnation == self.me => return self.beat(),
            Told::Lease(incarnation) => {
                // Somebody new, who does not know yet that we live.
                let is_news = self.hear_lease(incarnation, live);
                return is_news.then(|| self.lease()).into_iter().collect();
            }
            Told::LeaseEnded(incarnation) if incarnation != self.me => self.end(&incarnation),
            Told::Person(incarnation, user, status) if incarnation != self.me => {
                self.hear_person(incarnation, user, status);
            }
            Told::Person(_, user, status) => return self.hear_back(user, status),
            Told::LeaseEnded(_) if self.leaving => {}
            // Somebody took us for dead, and everybody has forgotten our people.
            Told::LeaseEnded(_) => {
                let users: Vec<UserId> = self.sockets.keys().copied().collect();
                let people = users.into_iter().map(|user| self.told_of(user)).collect::<Vec<_>>();
                return std::iter::once(self.lease()).chain(people).collect();
            }
        }
        Vec::new()
    }

    /// What the others have heard of somebody here.
    fn hear_back(&mut self, user: UserId, status: Status) -> Vec<Told> {
        let here = self.here(user);
        if status == here {
            self.unconfirmed.remove(&user);
            return Vec::new();
        }
        // Something newer is under way, most likely; if not, the next beats see to it.
        self.unconfirmed.entry(user).or_insert(self.beats);
        // Somebody took us for dead and cleaned up behind us: say again who is here.
        let is_wiped = status == Status::Offline && !self.leaving;
        is_wiped.then(|| self.told_of(user)).into_iter().collect()
    }

    fn hear_person(&mut self, incarnation: Incarnation, user: UserId, status: Status) {
        let instance = match status {
            Status::Offline => match self.others.get_mut(&incarnation) {
                Some(instance) => instance,
                None => return,
            },
            _ => self.others.entry(incarnation).or_default(),
        };
        let before = match status {
            Status::Offline => instance.users.remove(&user),
            _ => instance.users.insert(user, status),
        };
        if instance.is_alive() {
            self.shift(user, before.unwrap_or(Status::Offline), status);
        }
    }

    /// Whether it is alive, and was not taken to be.
    fn hear_lease(&mut self, incarnation: Incarnation, live: bool) -> bool {
        let beats = self.beats;
        let instance = self.others.entry(incarnation).or_default();
        instance.heard_at = Some(beats);
        // A kept lease may be that of an instance long gone; only a fresh one proves life.
        if !live || !instance.revives(beats) {
            return false;
        }
        let people = instance.people();
        people.into_iter().for_each(|(user, at)| self.shift(user, Status::Offline, at));
        true
    }

    fn beat(&mut self) -> Vec<Told> {
        self.beats += 1;
        let silence = |instance: &Instance| self.beats - instance.heard_at.unwrap_or(0);
        let over = |limit: u64| {
            let silent = self.others.iter().filter(|(_, instance)| silence(instance) > limit);
            silent.map(|(incarnation, _)| incarnation.clone()).collect::<Vec<_>>()
        };
        let (silent, forgotten) = (over(SILENT_AFTER), over(FORGOTTEN_AFTER));
        for incarnation in &silent {
            let people = self.silence(incarnation);
            self.lost.extend(people);
        }
        let mut told = self.tell_again();
        told.extend(forgotten.iter().flat_map(|incarnation| self.forget(incarnation)));
        told
    }

    /// What has not come back for a whole beat.
    fn tell_again(&mut self) -> Vec<Told> {
        if self.leaving {
            return Vec::new();
        }
        let overdue = self.unconfirmed.iter().filter(|(_, told_at)| **told_at + 1 < self.beats);
        let overdue: Vec<UserId> = overdue.map(|(user, _)| *user).collect();
        overdue.into_iter().map(|user| self.told_of(user)).collect()
    }

    /// Its people count no more, but are remembered: it may only have been frozen. Returns them.
    fn silence(&mut self, incarnation: &str) -> Vec<UserId> {
        let Some(instance) = self.others.get_mut(incarnation) else { return Vec::new() };
        if !instance.falls_silent() {
            return Vec::new();
        }
        let people = instance.people();
        people.iter().for_each(|(user, at)| self.shift(*user, *at, Status::Offline));
        people.into_iter().map(|(user, _)| user).collect()
    }

    fn end(&mut self, incarnation: &str) {
        self.silence(incarnation);
        self.others.remove(incarnation);
    }

    fn forget(&mut self, incarnation: &str) -> Vec<Told> {
        let Some(instance) = self.others.remove(incarnation) else { return Vec::new() };
        let gone = |user| Told::Person(incarnation.to_owned(), user, Status::Offline);
        let lease = std::iter::once(Told::LeaseEnded(incarnation.to_owned()));
        lease.chain(instance.users.into_keys().map(gone)).collect()
    }

    /// On one living instance, this one or another, somebody is no longer `from` but `to`.
    fn shift(&mut self, user: UserId, from: Status, to: Status) {
        if from == to {
            return;
        }
        let tally = self.present.entry(user).or_default();
        match from {
            Status::Offline => {}
            Status::Away => tally.away -= 1,
            Status::Online => tally.online -= 1,
        }
        match to {
            Status::Offline => {}
            Status::Away => tally.away += 1,
            Status::Online => tally.online += 1,
        }
        if best(tally.online, tally.away) == Status::Offline {
            self.present.remove(&user);
        }
        self.changed.insert(user);
    }

    /// Whose presence is another than at the last call; nobody who went and came back meanwhile.
    pub fn changes(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        let lost = std::mem::take(&mut self.lost);
        for user in std::mem::take(&mut self.changed) {
            let status = self.status(user);
            let before = match status {
                Status::Offline => self.announced.remove(&user),
                _ => self.announced.insert(user, status),
            };
            if before.unwrap_or(Status::Offline) != status {
                let lost = status == Status::Offline && lost.contains(&user);
                changes.push(Change { user, status, lost });
            }
        }
        changes
    }
}

#[cfg(test)]
mod tests;
