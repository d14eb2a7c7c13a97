//! Simulated persisters: who owns a partition writes it, whoever believes to own it tries to, and
//! whoever finds it silent stands in. What they fold and when they are out of step is for
//! `core::gather` to say.

use std::collections::VecDeque;
use std::sync::Arc;

use rookery::core::batch::Batch;
use rookery::core::gather::Gathering;
use rookery::core::record::Record;
use rookery::guarantees::history::Millis;
use rookery::log::Entry;

use crate::store::{Fenced, Rows};
use crate::world::{PARTITIONS, World, place};

const RETRY_EVERY: Millis = 250;
const LOOK_EVERY: Millis = 250;
const SILENT_AFTER: Millis = 1_000;
/// Entries in one batch at the most: few, so that there are many batches.
const BATCH: usize = 6;

/// The consumer group: to whom each partition belongs.
#[derive(Default)]
pub struct Group {
    owners: [Option<usize>; PARTITIONS as usize],
}

/// A partition as one persister has it.
pub struct Part {
    gathering: Gathering,
    /// Read from the log, not folded yet.
    entries: VecDeque<Arc<Entry>>,
    /// One turn is under way or planned.
    is_busy: bool,
    /// Tells it from an earlier one of the same partition.
    life: u64,
}

/// Which of an instance's two hands holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hand {
    Owner,
    StandIn,
}

impl World {
    /// A new instance gets its share, from whomever had it.
    pub fn join_group(&mut self, instance: usize) {
        for partition in 0..PARTITIONS {
            let owner = self.group.owners[usize::from(partition)];
            if owner.is_none() || self.chance(40) {
                self.hand_over_partition(partition, instance);
            }
        }
    }

    /// The group finds out after a while that an owner is dead.
    pub fn owner_lost(&mut self, instance: usize) {
        for partition in 0..PARTITIONS {
            if self.group.owners[usize::from(partition)] == Some(instance) {
                let wait = self.ms(500, 3_000);
                let run = self.instances[instance].run;
                self.after(wait, move |world| world.reassign(partition, instance, run));
            }
        }
    }

    fn reassign(&mut self, partition: u16, from: usize, run: u64) {
        let is_theirs = self.group.owners[usize::from(partition)] == Some(from);
        // One that is alive may have it; one that started anew has not got its share yet.
        let is_new = self.instances[from].run != run;
        if !is_theirs || (is_new && self.instances[from].parts.contains_key(&partition)) {
            return;
        }
        let ready: Vec<usize> = (0..self.instances.len())
            .filter(|number| self.instances[*number].up && self.instances[*number].is_ready)
            .filter(|number| *number != from || is_new)
            .collect();
        match ready.is_empty() {
            true => {
                self.group.owners[usize::from(partition)] = None;
                self.after(200, move |world| world.give_away(partition));
            }
            false => {
                let to = *self.dice.one_of(&ready);
                self.hand_over_partition(partition, to);
            }
        }
    }

    fn give_away(&mut self, partition: u16) {
        if self.group.owners[usize::from(partition)].is_some() {
            return;
        }
        let ready = (0..self.instances.len())
            .find(|number| self.instances[*number].up && self.instances[*number].is_ready);
        match ready {
            Some(to) => self.hand_over_partition(partition, to),
            None => self.after(200, move |world| world.give_away(partition)),
        }
    }

    /// The one who had it hears of that at some time, and writes on until then.
    pub fn hand_over_partition(&mut self, partition: u16, to: usize) {
        self.trace(|| format!("partition {partition} is instance {to}'s to write"));
        let before = self.group.owners[usize::from(partition)].replace(to);
        if let Some(before) = before.filter(|before| *before != to) {
            let late = self.ms(0, 500);
            self.on(before, late, move |world| {
                if world.group.owners[usize::from(partition)] != Some(before) {
                    world.instances[before].parts.remove(&partition);
                }
            });
        }
        let wait = self.ms(0, 100);
        self.on(to, wait, move |world| world.assigned(to, partition));
    }

    /// Begins from the store's offset.
    fn assigned(&mut self, instance: usize, partition: u16) {
        if self.group.owners[usize::from(partition)] != Some(instance) {
            return;
        }
        let offset = move |rows: &mut Rows| rows.next[usize::from(partition)];
        self.ask_store(instance, offset, move |world, from| match from {
            Some(from) => world.begin_part(instance, partition, Hand::Owner, from, VecDeque::new()),
            None => world.on(instance, RETRY_EVERY, move |world| {
                world.assigned(instance, partition);
            }),
        });
    }

    fn begin_part(
        &mut self,
        instance: usize,
        partition: u16,
        hand: Hand,
        from: i64,
        entries: VecDeque<Arc<Entry>>,
    ) {
        let there = &mut self.instances[instance];
        there.lives += 1;
        let (gathering, life) = (Gathering::starting_at(partition, from), there.lives);
        let part = Part { gathering, entries, is_busy: true, life };
        match hand {
            Hand::Owner => there.parts.insert(partition, part),
            Hand::StandIn => there.standing_in.insert(partition, part),
        };
        self.persist(instance, partition, hand, life);
    }

    /// There is something to write.
    pub fn wake_persister(&mut self, instance: usize, partition: u16) {
        let Some(part) = self.instances[instance].parts.get_mut(&partition) else { return };
        if !std::mem::replace(&mut part.is_busy, true) {
            let (life, wait) = (part.life, self.ms(1, 60));
            self.on(instance, wait, move |world| {
                world.persist(instance, partition, Hand::Owner, life);
            });
        }
    }

    fn part(
        &mut self,
        instance: usize,
        partition: u16,
        hand: Hand,
        life: u64,
    ) -> Option<&mut Part> {
        let there = &mut self.instances[instance];
        let part = match hand {
            Hand::Owner => there.parts.get_mut(&partition),
            Hand::StandIn => there.standing_in.get_mut(&partition),
        };
        part.filter(|part| part.life == life)
    }

    /// Folds what it has; writes; and reads on.
    fn persist(&mut self, instance: usize, partition: u16, hand: Hand, life: u64) {
        if hand == Hand::Owner && !self.fetch(instance, partition, life) {
            return;
        }
        let Some(part) = self.part(instance, partition, hand, life) else { return };
        while let Some(entry) = part.entries.front().cloned() {
            if part.gathering.has(entry.offset) {
                part.entries.pop_front();
                continue;
            }
            let Ok(record) = Record::decode(&entry.key, &entry.value) else { return };
            if !part.gathering.knows(record.room) {
                let snapshot = move |rows: &mut Rows| rows.snapshot(record.room);
                return self.ask_store(instance, snapshot, move |world, snapshot| {
                    let Some(part) = world.part(instance, partition, hand, life) else { return };
                    match snapshot.map(|snapshot| part.gathering.learn(snapshot)) {
                        Some(Ok(())) => world.persist(instance, partition, hand, life),
                        Some(Err(_)) => world.begin_again(instance, partition, hand),
                        None => world.on(instance, RETRY_EVERY, move |world| {
                            world.persist(instance, partition, hand, life);
                        }),
                    }
                });
            }
            part.gathering.take_in(&record, place(partition, entry.offset));
            part.entries.pop_front();
        }
        match part.gathering.batch().is_empty() {
            true if hand == Hand::Owner => part.is_busy = false,
            true => self.end_standing_in(instance, partition),
            false => {
                let batch = part.gathering.batch().clone();
                self.write_batch(instance, partition, hand, life, batch);
            }
        }
    }

    /// Reads on; says whether there was something to do. A log that is down is tried again.
    fn fetch(&mut self, instance: usize, partition: u16, life: u64) -> bool {
        if !self.log_is_up() {
            let wait = self.log.down_until - self.now;
            self.on(instance, wait, move |world| {
                world.persist(instance, partition, Hand::Owner, life);
            });
            return false;
        }
        let log = self.log.entries[usize::from(partition)].clone();
        let Some(part) = self.part(instance, partition, Hand::Owner, life) else { return false };
        if part.entries.is_empty() && part.gathering.batch().len() < BATCH {
            let from = part.gathering.batch().next as usize;
            part.entries.extend(log.into_iter().skip(from).take(BATCH));
        }
        true
    }

    fn write_batch(
        &mut self,
        instance: usize,
        partition: u16,
        hand: Hand,
        life: u64,
        batch: Batch,
    ) {
        let next = batch.next;
        self.write(instance, batch.clone(), move |world, written| {
            if world.part(instance, partition, hand, life).is_none() {
                return;
            }
            match written {
                Some(Ok(())) => world.written(instance, partition, hand, life, next),
                Some(Err(Fenced)) => world.overtaken(instance, partition, hand, life),
                // Unknown: it may be written. The fence tells.
                None => world.on(instance, RETRY_EVERY, move |world| {
                    world.write_batch(instance, partition, hand, life, batch);
                }),
            }
        });
    }

    fn overtaken(&mut self, instance: usize, partition: u16, hand: Hand, life: u64) {
        let offset = move |rows: &mut Rows| rows.next[usize::from(partition)];
        self.ask_store(instance, offset, move |world, next| match next {
            Some(next) => world.written(instance, partition, hand, life, next),
            None => world.on(instance, RETRY_EVERY, move |world| {
                world.overtaken(instance, partition, hand, life);
            }),
        });
    }

    fn written(&mut self, instance: usize, partition: u16, hand: Hand, life: u64, next: i64) {
        let Some(part) = self.part(instance, partition, hand, life) else { return };
        if part.gathering.stored(next).is_err() {
            return self.begin_again(instance, partition, hand);
        }
        let stored = &mut self.instances[instance].stored[usize::from(partition)];
        *stored = next.max(*stored);
        match hand {
            Hand::Owner => self.persist(instance, partition, hand, life),
            Hand::StandIn => self.end_standing_in(instance, partition),
        }
    }

    /// Out of step with the store: begins from its offset.
    fn begin_again(&mut self, instance: usize, partition: u16, hand: Hand) {
        self.trace(|| format!("instance {instance} is out of step in {partition}"));
        match hand {
            Hand::Owner => {
                self.instances[instance].parts.remove(&partition);
                self.on(instance, RETRY_EVERY, move |world| world.assigned(instance, partition));
            }
            Hand::StandIn => self.end_standing_in(instance, partition),
        }
    }

    fn end_standing_in(&mut self, instance: usize, partition: u16) {
        self.instances[instance].standing_in.remove(&partition);
    }

    /// Writes in place of a persister that has fallen silent.
    pub fn stand_in(&mut self, instance: usize) {
        if self.store_is_up() {
            self.instances[instance].stored = self.store.next.to_vec();
        }
        for partition in 0..PARTITIONS {
            let now = self.now;
            let there = &mut self.instances[instance];
            let stored = there.stored[usize::from(partition)];
            let (at, since) = *there.stalled.entry(partition).or_insert((stored, now));
            if stored >= there.followed[usize::from(partition)] || stored != at {
                there.stalled.remove(&partition);
            } else if now - since > SILENT_AFTER
                && !there.parts.contains_key(&partition)
                && !there.standing_in.contains_key(&partition)
            {
                self.write_tail(instance, partition);
            }
        }
        self.on(instance, LOOK_EVERY, move |world| world.stand_in(instance));
    }

    fn write_tail(&mut self, instance: usize, partition: u16) {
        let offset = move |rows: &mut Rows| rows.next[usize::from(partition)];
        self.ask_store(instance, offset, move |world, from| {
            let Some(from) = from else { return };
            let there = &world.instances[instance];
            let Some(tail) = there.tail.from(partition, from, BATCH) else { return };
            if !there.standing_in.contains_key(&partition) {
                world.trace(|| format!("instance {instance} stands in for {partition}/{from}"));
                world.begin_part(instance, partition, Hand::StandIn, from, tail.into());
            }
        });
    }
}
