//! Who is online, here and on every other instance.
//!
//! Each instance tells the others two kinds of keys: a *lease*, told again every second while it
//! lives, and an *entry* for each person with a socket there. An instance that stops in order
//! takes its lease back; one that crashed falls silent, and its people count no more.
//!
//! Silence is counted in our own leases as we hear them come back: when nothing comes back at
//! all, it is the bus that is down, and nobody is judged by that. No clock is compared.

use std::collections::{HashMap, HashSet};

use super::types::UserId;

/// How often an instance tells its lease.
pub const BEAT: std::time::Duration = std::time::Duration::from_secs(1);
/// An instance is silent after this many of our own beats without one of its.
const SILENT_AFTER: u64 = 3;
/// Its keys are taken back for it after this many.
const FORGOTTEN_AFTER: u64 = 60;

/// One run of one instance. A restart is another one.
pub type Incarnation = String;

/// What another instance, or this one, told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    Lease(Incarnation),
    LeaseEnded(Incarnation),
    Online(Incarnation, UserId),
    Offline(Incarnation, UserId),
}

impl Told {
    /// `INCARNATION` is a lease, `INCARNATION/USER` a person; no value takes the key back.
    pub fn parse(key: &str, has_value: bool) -> Option<Told> {
        match key.split_once('/') {
            None if has_value => Some(Told::Lease(key.to_owned())),
            None => Some(Told::LeaseEnded(key.to_owned())),
            Some((incarnation, user)) => {
                let user = user.parse().ok()?;
                let incarnation = incarnation.to_owned();
                Some(match has_value {
                    true => Told::Online(incarnation, user),
                    false => Told::Offline(incarnation, user),
                })
            }
        }
    }

    pub fn key(&self) -> String {
        match self {
            Told::Lease(incarnation) | Told::LeaseEnded(incarnation) => incarnation.clone(),
            Told::Online(incarnation, user) | Told::Offline(incarnation, user) => {
                format!("{incarnation}/{user}")
            }
        }
    }

    pub fn has_value(&self) -> bool {
        matches!(self, Told::Lease(_) | Told::Online(..))
    }
}

/// A person who came or went, as the last [`Presence::changes`] did not know yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    pub user: UserId,
    pub online: bool,
}

#[derive(Debug, Default)]
struct Instance {
    users: HashSet<UserId>,
    /// Our own beat at which its last lease was heard; `None` before the first live one.
    heard_at: Option<u64>,
    alive: bool,
}

#[derive(Debug)]
pub struct Presence {
    me: Incarnation,
    /// Sockets of each person on this instance.
    sockets: HashMap<UserId, u32>,
    others: HashMap<Incarnation, Instance>,
    beats: u64,
    /// How many living instances each person is on, this one included.
    online: HashMap<UserId, u32>,
    changed: HashSet<UserId>,
    announced: HashSet<UserId>,
}

impl Presence {
    pub fn new(me: Incarnation) -> Presence {
        Presence {
            me,
            sockets: HashMap::new(),
            others: HashMap::new(),
            beats: 0,
            online: HashMap::new(),
            changed: HashSet::new(),
            announced: HashSet::new(),
        }
    }

    pub fn is_online(&self, user: UserId) -> bool {
        self.online.contains_key(&user)
    }

    pub fn online(&self) -> impl Iterator<Item = UserId> {
        self.online.keys().copied()
    }

    /// A socket opened here. Returns what to tell the other instances.
    pub fn connect(&mut self, user: UserId) -> Option<Told> {
        let sockets = self.sockets.entry(user).or_default();
        *sockets += 1;
        let first = *sockets == 1;
        first.then(|| {
            self.arrive(user);
            Told::Online(self.me.clone(), user)
        })
    }

    /// A socket closed here. Returns what to tell the other instances.
    pub fn disconnect(&mut self, user: UserId) -> Option<Told> {
        let sockets = self.sockets.get_mut(&user)?;
        *sockets -= 1;
        let last = *sockets == 0;
        last.then(|| {
            self.sockets.remove(&user);
            self.depart(user);
            Told::Offline(self.me.clone(), user)
        })
    }

    /// What to tell once a second.
    pub fn lease(&self) -> Told {
        Told::Lease(self.me.clone())
    }

    /// What to tell when stopping in order.
    pub fn farewell(&self) -> Vec<Told> {
        let entries = self.sockets.keys().map(|user| Told::Offline(self.me.clone(), *user));
        std::iter::once(Told::LeaseEnded(self.me.clone())).chain(entries).collect()
    }

    /// Takes in what came over the bus, our own included. `live` is false for what was kept from
    /// before we listened. Returns what to tell in answer.
    pub fn hear(&mut self, told: Told, live: bool) -> Vec<Told> {
        match told {
            Told::Lease(incarnation) if incarnation == self.me => return self.beat(),
            Told::Lease(incarnation) => self.hear_lease(incarnation, live),
            Told::LeaseEnded(incarnation) if incarnation != self.me => self.end(&incarnation),
            Told::Online(incarnation, user) if incarnation != self.me => {
                let instance = self.others.entry(incarnation).or_default();
                if instance.users.insert(user) && instance.alive {
                    self.arrive(user);
                }
            }
            Told::Offline(incarnation, user) if incarnation != self.me => {
                let Some(instance) = self.others.get_mut(&incarnation) else { return Vec::new() };
                if instance.users.remove(&user) && instance.alive {
                    self.depart(user);
                }
            }
            // Somebody took us for dead and cleaned up behind us: say again who is here.
            Told::Offline(_, user) if self.sockets.contains_key(&user) => {
                return vec![Told::Online(self.me.clone(), user)];
            }
            Told::LeaseEnded(_) | Told::Online(..) | Told::Offline(..) => {}
        }
        Vec::new()
    }

    fn hear_lease(&mut self, incarnation: Incarnation, live: bool) {
        let beats = self.beats;
        let instance = self.others.entry(incarnation).or_default();
        instance.heard_at = Some(beats);
        // A kept lease may be that of an instance long gone; only a fresh one proves life.
        if !live || std::mem::replace(&mut instance.alive, true) {
            return;
        }
        let users: Vec<UserId> = instance.users.iter().copied().collect();
        users.into_iter().for_each(|user| self.arrive(user));
    }

    fn beat(&mut self) -> Vec<Told> {
        self.beats += 1;
        let silence = |instance: &Instance| self.beats - instance.heard_at.unwrap_or(0);
        let over = |limit: u64| {
            let silent = self.others.iter().filter(|(_, instance)| silence(instance) > limit);
            silent.map(|(incarnation, _)| incarnation.clone()).collect::<Vec<_>>()
        };
        let (silent, forgotten) = (over(SILENT_AFTER), over(FORGOTTEN_AFTER));
        silent.iter().for_each(|incarnation| self.silence(incarnation));
        forgotten.iter().flat_map(|incarnation| self.forget(incarnation)).collect()
    }

    /// Its people count no more, but are remembered: it may only have been frozen.
    fn silence(&mut self, incarnation: &str) {
        let Some(instance) = self.others.get_mut(incarnation) else { return };
        if !std::mem::take(&mut instance.alive) {
            return;
        }
        let users: Vec<UserId> = instance.users.iter().copied().collect();
        users.into_iter().for_each(|user| self.depart(user));
    }

    fn end(&mut self, incarnation: &str) {
        self.silence(incarnation);
        self.others.remove(incarnation);
    }

    fn forget(&mut self, incarnation: &str) -> Vec<Told> {
        let Some(instance) = self.others.remove(incarnation) else { return Vec::new() };
        let gone = |user| Told::Offline(incarnation.to_owned(), user);
        let lease = std::iter::once(Told::LeaseEnded(incarnation.to_owned()));
        lease.chain(instance.users.into_iter().map(gone)).collect()
    }

    fn arrive(&mut self, user: UserId) {
        *self.online.entry(user).or_default() += 1;
        self.changed.insert(user);
    }

    fn depart(&mut self, user: UserId) {
        if let Some(instances) = self.online.get_mut(&user) {
            *instances -= 1;
            if *instances == 0 {
                self.online.remove(&user);
            }
            self.changed.insert(user);
        }
    }

    /// Who came and who went since the last call; nobody who did both.
    pub fn changes(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        for user in std::mem::take(&mut self.changed) {
            let online = self.online.contains_key(&user);
            let known = match online {
                true => !self.announced.insert(user),
                false => !self.announced.remove(&user),
            };
            if !known {
                changes.push(Change { user, online });
            }
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: UserId = UserId(1);
    const BOB: UserId = UserId(2);

    /// Two instances on one bus; what one tells, both hear.
    struct Pair(Presence, Presence);

    impl Pair {
        fn new() -> Pair {
            let mut pair = Pair(Presence::new("a".into()), Presence::new("b".into()));
            pair.beat();
            pair
        }
        fn tell(&mut self, told: impl IntoIterator<Item = Told>) {
            for told in told {
                let answers = [self.0.hear(told.clone(), true), self.1.hear(told, true)];
                self.tell(answers.concat());
            }
        }
        fn beat(&mut self) {
            self.tell([self.0.lease(), self.1.lease()]);
        }
    }

    #[test]
    fn bob_sees_ann_come_and_go() {
        let mut pair = Pair::new();
        let told = pair.0.connect(ANN);
        pair.tell(told);
        assert_eq!(pair.1.changes(), [Change { user: ANN, online: true }]);
        assert_eq!(pair.0.connect(ANN), None, "a second device is the same person");
        assert_eq!(pair.0.disconnect(ANN), None);
        let told = pair.0.disconnect(ANN);
        pair.tell(told);
        assert_eq!(pair.1.changes(), [Change { user: ANN, online: false }]);
    }

    #[test]
    fn a_reload_within_a_tick_is_no_change() {
        let mut presence = Presence::new("a".into());
        presence.connect(ANN);
        assert_eq!(presence.changes().len(), 1);
        presence.disconnect(ANN);
        presence.connect(ANN);
        assert_eq!(presence.changes(), []);
    }

    #[test]
    fn ann_stays_online_while_one_of_two_instances_has_her() {
        let mut pair = Pair::new();
        let told = [pair.0.connect(ANN), pair.1.connect(ANN)];
        pair.tell(told.into_iter().flatten());
        pair.0.changes();
        let told = pair.0.disconnect(ANN);
        pair.tell(told);
        assert_eq!(pair.0.changes(), []);
        assert!(pair.0.is_online(ANN));
    }

    #[test]
    fn a_crashed_instance_falls_silent_and_a_thawed_one_comes_back() {
        let mut pair = Pair::new();
        let told = pair.1.connect(BOB);
        pair.tell(told);
        assert!(pair.0.is_online(BOB));
        for _ in 0..=SILENT_AFTER {
            pair.tell([pair.0.lease()]);
        }
        assert!(!pair.0.is_online(BOB));
        pair.beat();
        assert!(pair.0.is_online(BOB));
    }

    #[test]
    fn a_bus_that_is_down_makes_nobody_a_ghost_nor_gone() {
        let mut pair = Pair::new();
        let told = pair.1.connect(BOB);
        pair.tell(told);
        // Leases are made but never heard, our own included: nothing changes however long.
        assert!(pair.0.is_online(BOB));
    }

    #[test]
    fn a_kept_lease_proves_nothing_a_fresh_one_does() {
        let mut late = Presence::new("c".into());
        late.hear(Told::Lease("a".into()), false);
        late.hear(Told::Online("a".into(), ANN), false);
        assert!(!late.is_online(ANN));
        late.hear(Told::Lease("a".into()), true);
        assert!(late.is_online(ANN));
    }

    #[test]
    fn an_orderly_stop_is_seen_at_once() {
        let mut pair = Pair::new();
        let told = pair.1.connect(BOB);
        pair.tell(told);
        let farewell = pair.1.farewell();
        farewell.into_iter().for_each(|told| drop(pair.0.hear(told, true)));
        assert!(!pair.0.is_online(BOB));
    }

    #[test]
    fn the_keys_of_the_dead_are_taken_back_and_the_living_object() {
        let mut pair = Pair::new();
        let told = pair.1.connect(BOB);
        pair.tell(told);
        let mut taken_back = Vec::new();
        for _ in 0..=FORGOTTEN_AFTER {
            taken_back.extend(pair.0.hear(Told::Lease("a".into()), true));
        }
        assert!(taken_back.contains(&Told::Offline("b".into(), BOB)));
        let objection = pair.1.hear(Told::Offline("b".into(), BOB), true);
        assert_eq!(objection, [Told::Online("b".into(), BOB)]);
    }

    #[test]
    fn keys_survive_the_bus() {
        for told in [Told::Lease("a".into()), Told::Offline("a".into(), ANN)] {
            assert_eq!(Told::parse(&told.key(), told.has_value()), Some(told));
        }
        assert_eq!(Told::parse("a/x", true), None);
    }
}
