use proptest::prelude::*;

use super::Status::{Away, Offline, Online};
use super::instance::BELIEVED_AFTER;
use super::*;

const ANN: UserId = UserId(1);
const BOB: UserId = UserId(2);

fn change(user: UserId, status: Status) -> Change {
    Change { user, status, lost: false }
}

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
    /// Nothing is heard of the second for long enough.
    fn second_falls_silent(&mut self) {
        for _ in 0..=SILENT_AFTER {
            self.tell([self.0.lease()]);
        }
    }
}

#[test]
fn bob_sees_ann_come_and_go() {
    let mut pair = Pair::new();
    let told = pair.0.connect(ANN, true);
    pair.tell(told);
    assert_eq!(pair.1.changes(), [change(ANN, Online)]);
    assert_eq!(pair.0.connect(ANN, true), None, "a second device is the same person");
    assert_eq!(pair.0.disconnect(ANN, true), None);
    let told = pair.0.disconnect(ANN, true);
    pair.tell(told);
    assert_eq!(pair.1.changes(), [change(ANN, Offline)]);
}

#[test]
fn a_reload_within_a_tick_is_no_change() {
    let mut presence = Presence::new("a".into());
    presence.connect(ANN, true);
    assert_eq!(presence.changes().len(), 1);
    presence.disconnect(ANN, true);
    presence.connect(ANN, true);
    assert_eq!(presence.changes(), []);
}

#[test]
fn ann_stays_online_while_one_of_two_instances_has_her() {
    let mut pair = Pair::new();
    let told = [pair.0.connect(ANN, true), pair.1.connect(ANN, true)];
    pair.tell(told.into_iter().flatten());
    pair.0.changes();
    let told = pair.0.disconnect(ANN, true);
    pair.tell(told);
    assert_eq!(pair.0.changes(), []);
    assert_eq!(pair.0.status(ANN), Online);
}

#[test]
fn a_new_instance_is_answered_at_once_and_waits_for_no_dead_one() {
    let mut old = Presence::new("a".into());
    old.connect(ANN, true);
    let mut new = Presence::new("b".into());
    let kept = [Told::Lease("a".into()), Told::Person("a".into(), ANN, Online)];
    kept.into_iter().for_each(|told| drop(new.hear(told, false)));
    let lease = new.catch_up();
    assert!(!new.is_settled());
    let answers = old.hear(lease.clone(), true);
    assert_eq!(answers, [old.lease()]);
    new.hear(lease.clone(), true);
    assert!(!new.is_settled(), "ann was not heard of yet");
    answers.into_iter().for_each(|told| drop(new.hear(told, true)));
    assert!(new.is_settled());
    assert_eq!(new.status(ANN), Online);

    let mut newer = Presence::new("c".into());
    newer.hear(Told::Lease("dead".into()), false);
    let lease = newer.catch_up();
    newer.hear(lease.clone(), true);
    assert!(!newer.is_settled());
    newer.hear(lease, true);
    assert!(newer.is_settled());
}

#[test]
fn what_the_bus_drops_is_told_again() {
    let mut pair = Pair::new();
    drop(pair.0.connect(ANN, true));
    pair.beat();
    assert_eq!(pair.1.status(ANN), Offline, "it may be under way");
    pair.beat();
    assert_eq!(pair.1.status(ANN), Online);
    drop(pair.0.disconnect(ANN, true));
    pair.beat();
    pair.beat();
    assert_eq!(pair.1.status(ANN), Offline);
    let quiet = pair.0.hear(pair.0.lease(), true);
    assert_eq!(quiet, [], "what came back is not told again");
}

#[test]
fn what_was_dropped_is_told_as_soon_as_the_bus_is_back() {
    let mut pair = Pair::new();
    drop(pair.0.connect(ANN, true));
    let told = pair.0.reconnect();
    pair.tell(told);
    assert_eq!(pair.1.status(ANN), Online);
}

#[test]
fn nobody_else_can_take_back_who_is_here() {
    let mut pair = Pair::new();
    let told = pair.0.connect(ANN, true);
    pair.tell(told);
    pair.tell([Told::LeaseEnded("a".into())]);
    assert_eq!(pair.1.status(ANN), Online);
    pair.tell([Told::Person("a".into(), ANN, Offline)]);
    assert_eq!(pair.1.status(ANN), Online);
    // A copy of what was true once.
    pair.tell([Told::Person("a".into(), BOB, Online)]);
    for _ in 0..3 {
        pair.beat();
    }
    assert_eq!(pair.1.status(BOB), Offline);
}

#[test]
fn who_was_cut_off_hears_of_each_before_it_knows_again() {
    let mut pair = Pair::new();
    drop(pair.0.catch_up());
    pair.beat();
    pair.beat();
    assert!(pair.0.is_settled());
    drop(pair.0.reconnect());
    assert!(!pair.0.is_settled());
    for _ in 0..2 {
        pair.0.hear(pair.0.lease(), true);
        assert!(!pair.0.is_settled(), "b may have died meanwhile");
    }
    pair.beat();
    assert!(pair.0.is_settled());
    drop(pair.0.reconnect());
    for _ in 0..=SILENT_AFTER {
        pair.0.hear(pair.0.lease(), true);
    }
    assert!(pair.0.is_settled(), "and then it is silent");
}

/// The bus hung with leases under way, and bob left while it did; his instance is the last that
/// gets through again.
#[test]
fn what_was_under_way_when_the_bus_went_down_makes_no_ghost() {
    let mut pair = Pair::new();
    drop(pair.0.catch_up());
    let told = pair.1.connect(BOB, true);
    pair.tell(told);
    pair.beat();
    assert!(pair.0.is_settled());
    let under_way = pair.1.lease();
    drop(pair.1.disconnect(BOB, true));
    drop(pair.0.reconnect());
    for beat in 0..=SILENT_AFTER + BELIEVED_AFTER {
        pair.0.hear(pair.0.lease(), true);
        if beat < BELIEVED_AFTER {
            pair.0.hear(under_way.clone(), true);
        }
        let is_a_ghost = pair.0.status(BOB) == Online;
        assert!(!(is_a_ghost && pair.0.is_settled()), "at our beat {beat}");
    }
    assert!(pair.0.is_settled());
    assert_eq!(pair.0.status(BOB), Offline);
}

#[test]
fn a_crashed_instance_falls_silent_and_a_thawed_one_comes_back() {
    let mut pair = Pair::new();
    let told = pair.1.connect(BOB, true);
    pair.tell(told);
    assert_eq!(pair.0.status(BOB), Online);
    pair.second_falls_silent();
    assert_eq!(pair.0.status(BOB), Offline);
    (0..=BELIEVED_AFTER).for_each(|_| pair.beat());
    assert_eq!(pair.0.status(BOB), Online);
}

/// While an instance was cut off, its leases waited, and that bob left.
#[test]
fn what_an_instance_said_before_it_was_held_up_makes_no_ghost() {
    let mut pair = Pair::new();
    let told = pair.1.connect(BOB, true);
    pair.tell(told);
    let lease = pair.1.lease();
    let mut held_up = vec![lease.clone(), lease.clone()];
    held_up.extend(pair.1.disconnect(BOB, true));
    held_up.extend([lease.clone(), lease.clone()]);
    pair.second_falls_silent();
    pair.0.changes();
    for (number, told) in held_up.into_iter().enumerate() {
        pair.0.hear(told, true);
        assert_eq!(pair.0.changes(), [], "{number}");
        if number == 1 {
            // A beat of ours falls among them.
            pair.0.hear(pair.0.lease(), true);
        }
    }
    let told = pair.1.connect(ANN, true);
    pair.tell(told);
    (0..=BELIEVED_AFTER).for_each(|_| pair.beat());
    assert_eq!(pair.0.changes(), [change(ANN, Online)]);
}

#[test]
fn one_that_falls_silent_again_is_not_believed_sooner() {
    let mut pair = Pair::new();
    let told = pair.1.connect(BOB, true);
    pair.tell(told);
    pair.second_falls_silent();
    pair.beat();
    pair.second_falls_silent();
    pair.beat();
    assert_eq!(pair.0.status(BOB), Offline);
    (0..BELIEVED_AFTER).for_each(|_| pair.beat());
    assert_eq!(pair.0.status(BOB), Online);
}

#[test]
fn a_bus_that_is_down_makes_nobody_a_ghost_nor_gone() {
    let mut pair = Pair::new();
    let told = pair.1.connect(BOB, true);
    pair.tell(told);
    // Leases are made but never heard, our own included: nothing changes however long.
    assert_eq!(pair.0.status(BOB), Online);
}

#[test]
fn a_kept_lease_proves_nothing_a_fresh_one_does() {
    let mut late = Presence::new("c".into());
    late.hear(Told::Lease("a".into()), false);
    late.hear(Told::Person("a".into(), ANN, Online), false);
    assert_eq!(late.status(ANN), Offline);
    late.hear(Told::Lease("a".into()), true);
    assert_eq!(late.status(ANN), Online);
}

#[test]
fn an_orderly_stop_is_seen_at_once() {
    let mut pair = Pair::new();
    let told = pair.1.connect(BOB, true);
    pair.tell(told);
    let farewell = pair.1.farewell();
    farewell.into_iter().for_each(|told| drop(pair.0.hear(told, true)));
    assert_eq!(pair.0.status(BOB), Offline);
}

#[test]
fn the_keys_of_the_dead_are_taken_back_and_the_living_object() {
    let mut pair = Pair::new();
    let told = pair.1.connect(BOB, true);
    pair.tell(told);
    let mut taken_back = Vec::new();
    for _ in 0..=FORGOTTEN_AFTER {
        taken_back.extend(pair.0.hear(Told::Lease("a".into()), true));
    }
    assert!(taken_back.contains(&Told::Person("b".into(), BOB, Offline)));
    let objection = pair.1.hear(Told::Person("b".into(), BOB, Offline), true);
    assert_eq!(objection, [Told::Person("b".into(), BOB, Online)]);
}

#[test]
fn keys_survive_the_bus() {
    let told = |key: &str, value: Option<&str>| Told::parse(key, value.map(str::as_bytes));
    let [online, away] = [r#"{"status":"online","user_id":"1"}"#, r#"{"status":"away"}"#];
    assert_eq!(told("a", Some("{}")), Some(Told::Lease("a".into())));
    assert_eq!(told("a", None), Some(Told::LeaseEnded("a".into())));
    assert_eq!(told("a/1", Some(online)), Some(Told::Person("a".into(), ANN, Online)));
    assert_eq!(told("a/1", Some(away)), Some(Told::Person("a".into(), ANN, Away)));
    assert_eq!(told("a/1", None), Some(Told::Person("a".into(), ANN, Offline)));
    assert_eq!(told("a/1", Some("?")), Some(Told::Person("a".into(), ANN, Online)));
    assert_eq!(told("a/x", Some(online)), None);
    assert_eq!(Told::Person("a".into(), ANN, Away).key(), "a/1");
}

#[test]
fn ann_is_away_when_all_her_devices_are_idle_wherever_they_are() {
    let mut pair = Pair::new();
    let told = [pair.0.connect(ANN, true), pair.1.connect(ANN, true)];
    pair.tell(told.into_iter().flatten());
    pair.1.changes();
    let told = pair.0.turn(ANN, false);
    pair.tell(told);
    assert_eq!(pair.1.changes(), [], "the other device is in use");
    let told = pair.1.turn(ANN, false);
    pair.tell(told);
    assert_eq!(pair.0.status(ANN), Away);
    assert_eq!(pair.1.changes(), [change(ANN, Away)]);
    let told = pair.0.turn(ANN, true);
    pair.tell(told);
    assert_eq!(pair.1.changes(), [change(ANN, Online)]);
}

#[test]
fn of_two_idle_sockets_one_closes_and_ann_is_still_away() {
    let mut presence = Presence::new("a".into());
    presence.connect(ANN, true);
    presence.connect(ANN, false);
    assert_eq!(presence.turn(ANN, false), Some(Told::Person("a".into(), ANN, Away)));
    assert_eq!(presence.disconnect(ANN, false), None);
    assert_eq!(presence.status(ANN), Away);
    assert_eq!(presence.disconnect(ANN, false), Some(Told::Person("a".into(), ANN, Offline)));
}

#[test]
fn who_is_lost_with_an_instance_is_told_from_who_left() {
    let mut pair = Pair::new();
    let told = [pair.1.connect(BOB, true), pair.1.connect(ANN, true)];
    pair.tell(told.into_iter().flatten());
    pair.0.changes();
    let told = pair.1.disconnect(ANN, true);
    pair.tell(told);
    assert_eq!(pair.0.changes(), [change(ANN, Offline)]);
    pair.second_falls_silent();
    assert_eq!(pair.0.changes(), [Change { user: BOB, status: Offline, lost: true }]);
}

#[test]
fn the_first_two_of_the_living_speak_for_the_lost() {
    let mut all = ["a", "b", "c"].map(|name| Presence::new(name.into()));
    let leases = all.each_ref().map(Presence::lease);
    for instance in &mut all {
        leases.iter().for_each(|lease| drop(instance.hear(lease.clone(), true)));
    }
    assert_eq!(all.each_ref().map(Presence::speaks_for_the_lost), [true, true, false]);
    let [_, _, last] = &mut all;
    last.hear(Told::LeaseEnded("a".into()), true);
    assert!(last.speaks_for_the_lost());
}

/// What may happen to somebody's socket on one of the instances.
#[derive(Debug, Clone, Copy)]
enum Step {
    Open {
        instance: usize,
        user: i64,
        active: bool,
    },
    /// These count the sockets that are open, from wherever they are.
    Close(usize),
    Turn(usize),
    /// An instance stops in order, or dies without a word; another takes its place.
    Stop(usize),
    Crash(usize),
    /// So many seconds pass.
    Beats(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let any_socket = || 0..64usize;
    prop_oneof![
        5 => (0..INSTANCES, 1..4i64, any::<bool>())
            .prop_map(|(instance, user, active)| Step::Open { instance, user, active }),
        3 => any_socket().prop_map(Step::Close),
        5 => any_socket().prop_map(Step::Turn),
        1 => (0..INSTANCES).prop_map(Step::Stop),
        1 => (0..INSTANCES).prop_map(Step::Crash),
        1 => (1..=FORGOTTEN_AFTER + 2).prop_map(Step::Beats),
    ]
}

const INSTANCES: usize = 3;

/// Instances on one bus, and the sockets that are really open.
struct World {
    instances: Vec<Presence>,
    sockets: Vec<(usize, UserId, bool)>,
    incarnations: usize,
    /// What the bus keeps, by key, for those who come later.
    kept: std::collections::BTreeMap<String, Told>,
}

impl World {
    fn new() -> World {
        let (sockets, kept) = (Vec::new(), std::collections::BTreeMap::new());
        let mut world = World { instances: Vec::new(), sockets, incarnations: 0, kept };
        for at in 0..INSTANCES {
            let instance = world.one_more();
            world.instances.insert(at, instance);
        }
        world.beat();
        world
    }

    fn one_more(&mut self) -> Presence {
        self.incarnations += 1;
        let mut instance = Presence::new(format!("i{}", self.incarnations));
        for told in self.kept.values() {
            instance.hear(told.clone(), false);
        }
        instance
    }

    fn tell(&mut self, told: impl IntoIterator<Item = Told>) {
        for told in told {
            match told.has_value() {
                true => drop(self.kept.insert(told.key(), told.clone())),
                false => drop(self.kept.remove(&told.key())),
            }
            let hear = |instance: &mut Presence| instance.hear(told.clone(), true);
            let answers: Vec<_> = self.instances.iter_mut().flat_map(hear).collect();
            self.tell(answers);
        }
    }

    fn beat(&mut self) {
        let leases: Vec<_> = self.instances.iter().map(Presence::lease).collect();
        self.tell(leases);
    }

    fn take(&mut self, step: Step) {
        let count = self.sockets.len();
        match step {
            Step::Open { instance, user, active } => {
                self.sockets.push((instance, UserId(user), active));
                let told = self.instances[instance].connect(UserId(user), active);
                self.tell(told);
            }
            Step::Close(at) if count > 0 => {
                let (instance, user, active) = self.sockets.swap_remove(at % count);
                let told = self.instances[instance].disconnect(user, active);
                self.tell(told);
            }
            Step::Turn(at) if count > 0 => {
                let (instance, user, active) = &mut self.sockets[at % count];
                *active = !*active;
                let told = self.instances[*instance].turn(*user, *active);
                self.tell(told);
            }
            Step::Close(_) | Step::Turn(_) => {}
            Step::Stop(at) => {
                let farewell = self.instances[at].farewell();
                self.tell(farewell);
                self.replace(at);
            }
            Step::Crash(at) => self.replace(at),
            Step::Beats(seconds) => (0..seconds).for_each(|_| self.beat()),
        }
    }

    fn replace(&mut self, at: usize) {
        self.sockets.retain(|(instance, ..)| *instance != at);
        self.instances[at] = self.one_more();
    }

    fn truth(&self, user: UserId) -> Status {
        let own = self.sockets.iter().filter(|(_, who, _)| *who == user);
        own.map(|(.., active)| if *active { Online } else { Away }).max().unwrap_or(Offline)
    }
}

proptest! {
    /// Whatever happened, four seconds later everyone is as present as their best socket, to
    /// every instance, and what each told of changes adds up to that.
    #[test]
    fn every_instance_comes_to_see_the_best_of_all_sockets(
        steps in prop::collection::vec(step(), 0..60)
    ) {
        let mut world = World::new();
        let mut followed: HashMap<UserId, Status> = HashMap::new();
        for step in steps {
            let is_watched = !matches!(step, Step::Stop(0) | Step::Crash(0));
            world.take(step);
            if !is_watched {
                followed.clear();
            }
            for Change { user, status, .. } in world.instances[0].changes() {
                prop_assert_ne!(followed.insert(user, status), Some(status), "told twice");
            }
        }
        (0..=SILENT_AFTER).for_each(|_| world.beat());
        for Change { user, status, .. } in world.instances[0].changes() {
            followed.insert(user, status);
        }
        for user in (1..4).map(UserId) {
            let truth = world.truth(user);
            for instance in &world.instances {
                prop_assert_eq!(instance.status(user), truth, "user {}", user);
            }
            prop_assert_eq!(followed.get(&user).copied().unwrap_or(Offline), truth);
        }
    }
}
