//! The simulated log: entries that arrive late, twice, or with an answer that is lost.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use rookery::core::record::{Action, Record};
use rookery::core::types::RoomId;
use rookery::guarantees::history::Millis;
use rookery::log::Entry;

use crate::room::{Fate, Turn};
use crate::world::{PARTITIONS, World, partition_of};

/// The most entries that one reading takes.
const READ_AT_ONCE: usize = 8;

#[derive(Default)]
pub struct Log {
    pub entries: [Vec<Arc<Entry>>; PARTITIONS as usize],
    pub down_until: Millis,
}

/// An instance's way to the log: what it publishes arrives in order.
#[derive(Default)]
pub struct Producer {
    last_at: Millis,
    /// What had not left by then is lost with the instance.
    pub cut_at: Rc<Cell<Option<Millis>>>,
}

impl Log {
    pub fn ends(&self) -> Vec<i64> {
        self.entries.iter().map(|entries| entries.len() as i64).collect()
    }
}

impl World {
    pub fn log_is_up(&self) -> bool {
        self.now >= self.log.down_until
    }

    pub fn append(&mut self, record: &Record) {
        let (partition, key) = (partition_of(record.room), record.room.to_string());
        let entries = &mut self.log.entries[usize::from(partition)];
        let offset = entries.len() as i64;
        let entry = Entry { partition, offset, key: key.into(), value: record.encode() };
        entries.push(Arc::new(entry));
        self.trace(|| format!("log {partition}/{offset}: {:?}", record.action));
        for instance in 0..self.instances.len() {
            self.plan_reading(instance);
            self.wake_persister(instance, partition);
        }
    }

    /// Hands a record to the log. What comes of it is read back; only failures are told.
    pub fn publish(&mut self, instance: usize, record: Record) {
        let (room, id) = (record.room, record.id);
        if !self.log_is_up() && self.chance(50) {
            return self.unpublished(instance, 0, room, id, Fate::NotDone);
        }
        let lag = self.lag();
        let producer = &mut self.instances[instance].producer;
        let at = producer.last_at.max(self.now + lag);
        producer.last_at = at;
        let (cut_at, run) = (producer.cut_at.clone(), self.instances[instance].run);
        self.after(at - self.now, move |world| {
            if cut_at.get().is_some_and(|cut| cut < world.now) {
                return;
            }
            let fate = match world.log_is_up() {
                true => world.arrive(record),
                // It gave up, and knows or does not know that nothing came of it.
                false if world.chance(50) => Some(Fate::NotDone),
                false => Some(Fate::Unknown),
            };
            let back = world.lag();
            if let Some(fate) = fate {
                world.on_run(instance, run, back, move |world| {
                    world.turn(instance, room, Turn::Unpublished { id, fate });
                });
            }
        });
    }

    fn arrive(&mut self, record: Record) -> Option<Fate> {
        self.append(&record);
        // A connection breaks, and what had arrived is sent again.
        if matches!(record.action, Action::Message(_)) && self.is_storm() && self.chance(5) {
            let later = self.lag();
            self.after(later, move |world| {
                if world.log_is_up() {
                    world.append(&record);
                }
            });
        }
        (self.is_storm() && self.chance(5)).then_some(Fate::Unknown)
    }

    fn unpublished(
        &mut self,
        instance: usize,
        delay: Millis,
        room: RoomId,
        id: uuid::Uuid,
        fate: Fate,
    ) {
        self.on(instance, delay, move |world| {
            world.turn(instance, room, Turn::Unpublished { id, fate });
        });
    }

    /// Each instance reads at its own pace.
    pub fn plan_reading(&mut self, instance: usize) {
        let there = &mut self.instances[instance];
        if there.up && there.is_ready && !std::mem::replace(&mut there.reads_soon, true) {
            let wait = self.lag() + 1;
            self.on(instance, wait, move |world| world.read(instance));
        }
    }

    fn read(&mut self, instance: usize) {
        self.instances[instance].reads_soon = false;
        if !self.log_is_up() {
            let wait = self.log.down_until - self.now;
            return self.after(wait, move |world| world.plan_reading(instance));
        }
        for partition in 0..PARTITIONS {
            let from = self.instances[instance].followed[usize::from(partition)] as usize;
            let entries = &self.log.entries[usize::from(partition)][from..];
            let some = entries.len().min(READ_AT_ONCE);
            let entries: Vec<Arc<Entry>> = entries[..some].to_vec();
            entries.into_iter().for_each(|entry| self.take_in(instance, entry));
        }
        if self.instances[instance].followed != self.log.ends() {
            self.plan_reading(instance);
        }
    }
}
