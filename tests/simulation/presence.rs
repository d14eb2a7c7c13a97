//! Presence between simulated instances: leases over a bus that may be late.

use std::collections::BTreeMap;

use rookery::core::presence::{Status, Told};
use rookery::core::types::UserId;
use rookery::guarantees::history::{Millis, Sighting};

use crate::bugs::Bug;
use crate::instance::NAMES;
use crate::world::{PEOPLE, World};

const BEAT: Millis = 1_000;
const LOOK_EVERY: Millis = 400;
/// A new instance has to hear the others before it says who is there.
const HEARD_ALL_AFTER: Millis = 2_500;

#[derive(Default)]
pub struct Bus {
    /// The newest value of each key.
    kept: BTreeMap<String, Told>,
    /// What is told by one instance of one person arrives in order, and is heard in order.
    arrived_at: BTreeMap<String, Millis>,
    heard_at: BTreeMap<(usize, u64), Millis>,
    pub down_until: Millis,
}

impl World {
    pub fn begin_presence(&mut self, instance: usize) {
        let kept: Vec<Told> = self.bus.kept.values().cloned().collect();
        for told in kept {
            self.hear_told(instance, told, false);
        }
        self.instances[instance].hears_live = true;
        self.beat(instance);
        let born_at = self.now;
        self.on(instance, LOOK_EVERY, move |world| world.look_around(instance, born_at));
    }

    fn beat(&mut self, instance: usize) {
        let lease = self.instances[instance].presence.lease();
        self.tell(instance, [lease]);
        self.on(instance, BEAT, move |world| world.beat(instance));
    }

    /// Tells all instances something, oneself included.
    pub fn tell(&mut self, _from: usize, told: impl IntoIterator<Item = Told>) {
        for told in told {
            let (key, lag) = (told.key(), self.lag());
            let arrives = (self.now + lag).max(self.bus.down_until);
            let last = self.bus.arrived_at.entry(key).or_default();
            *last = arrives.max(*last);
            let wait = *last - self.now;
            self.after(wait, move |world| world.arrived(told));
        }
    }

    fn arrived(&mut self, told: Told) {
        match told.has_value() {
            true => drop(self.bus.kept.insert(told.key(), told.clone())),
            false => drop(self.bus.kept.remove(&told.key())),
        }
        for instance in 0..self.instances.len() {
            let there = &self.instances[instance];
            if !there.up || !there.hears_live {
                continue;
            }
            let (run, lag) = (there.run, self.lag());
            let last = self.bus.heard_at.entry((instance, run)).or_default();
            *last = (self.now + lag).max(*last);
            let (wait, told) = (*last - self.now, told.clone());
            self.on(instance, wait, move |world| world.hear_told(instance, told, true));
        }
    }

    fn hear_told(&mut self, instance: usize, told: Told, live: bool) {
        let presence = &mut self.instances[instance].presence;
        if self.bug == Some(Bug::LeasesForEver) && told == presence.lease() {
            return;
        }
        let mut answers = presence.hear(told, live);
        // In an order of their own: they come out of a hash table.
        answers.sort_by_key(Told::key);
        self.tell(instance, answers);
    }

    /// What an instance would say of everybody now.
    fn look_around(&mut self, instance: usize, born_at: Millis) {
        let is_old = self.now > born_at + HEARD_ALL_AFTER;
        if is_old && self.now > self.blind_until {
            for user in (1..=PEOPLE).map(UserId) {
                let online = self.instances[instance].presence.status(user) != Status::Offline;
                self.history.sightings.push(Sighting {
                    observer: NAMES[instance].to_owned(),
                    user: user.to_string(),
                    asked_at: self.now,
                    at: self.now,
                    online,
                });
            }
        }
        self.instances[instance].presence.changes();
        self.on(instance, LOOK_EVERY, move |world| world.look_around(instance, born_at));
    }
}
