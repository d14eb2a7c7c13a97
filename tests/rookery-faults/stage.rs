//! What a row of faults has to work with.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rookery::guarantees::dice::Dice;
use rookery::guarantees::history::{Fault, Millis};

use crate::asking::Asking;
use crate::cast::Cast;
use crate::memory::Processes;
use crate::pulse::Pulse;
use crate::recording::Clock;
use crate::rows::Row;
use crate::run::until;
use crate::world::World;

/// Until an instance that was cut off has been heard of again, and its people with it: no longer
/// than until it works again.
const RIGHT_AGAIN_WITHIN: Millis = 10_000;
const READY_WITHIN: Duration = Duration::from_secs(40);
/// Between two records that show what Kafka itself takes.
const PULSE: Duration = Duration::from_millis(200);
/// Where everybody's p99 is judged.
const QUICK_PULSE: Duration = Duration::from_millis(20);
const STOPPED_WITHIN: Duration = Duration::from_secs(10);

/// A world with everybody in it, in which something is about to break.
pub struct Stage {
    pub world: World,
    pub clock: Clock,
    pub dice: Dice,
    pub asking: Asking,
    pub cast: Cast,
    pub processes: Processes,
    pub faults: Vec<Fault>,
    /// Stretches in which some instance could not be told from a dead one.
    pub cut_off: Vec<(Millis, Millis)>,
    /// When instances were killed.
    pub kills: Vec<Millis>,
    /// Of Kafka; none where there is no Kafka.
    pub pulse: Option<Pulse>,
}

impl Stage {
    pub async fn set(mut world: World, row: &Row, seed: u64) -> Stage {
        let (clock, mut dice) = (Clock::start(), Dice::new(seed));
        let cast = Cast::gather(&mut world, &mut dice).await;
        let processes = world.hubs().iter_mut().map(|hub| hub.is_running().then(|| hub.pid()));
        let processes = Arc::new(Mutex::new(processes.collect()));
        let (faults, cut_off, kills) = (Vec::new(), Vec::new(), Vec::new());
        let asking = Asking::new();
        let pause = if row.has_bystanders { QUICK_PULSE } else { PULSE };
        let pulse = match &world {
            World::Cluster(site) => Some(Pulse::of(&site.services().brokers, clock, pause).await),
            World::Embedded(..) => None,
        };
        Stage { world, clock, dice, asking, cast, processes, faults, cut_off, kills, pulse }
    }

    /// Waits until Kafka takes records and gives them back; if it never does, the checker says so.
    pub async fn kafka_answers(&self) {
        let Some(pulse) = &self.pulse else { return };
        // The first to come back may have been there before.
        let enough = pulse.beats() + 2;
        until(READY_WITHIN, async || pulse.beats() >= enough).await;
    }

    /// Something that was broken works again from now on, on every instance.
    pub fn mended(&mut self, name: &str) {
        let instances = self.cast.places.iter().map(|place| place.name.clone()).collect();
        self.faults.push(Fault { name: name.to_owned(), ended_at: self.clock.now(), instances });
    }

    /// From then until a little after now some instance could not be told from a dead one.
    pub fn was_cut_off(&mut self, from: Millis) {
        self.cut_off.push((from, self.clock.now() + RIGHT_AGAIN_WITHIN));
    }

    /// Waits until each instance is ready again; if it never is, the checker says so.
    pub async fn everybody_is_ready(&self) {
        for place in &self.cast.places {
            until(READY_WITHIN, async || self.asking.is_ready(&place.base).await).await;
        }
    }

    /// Waits for a time between these two, in milliseconds.
    pub async fn wait(&mut self, from: usize, to: usize) {
        let time = self.dice.between(from, to) as u64;
        tokio::time::sleep(Duration::from_millis(time)).await;
    }

    /// Waits for so long, and says when that was.
    pub async fn waits(&self, time: Duration) -> (Millis, Millis) {
        let from = self.clock.now();
        tokio::time::sleep(time).await;
        (from, self.clock.now())
    }

    fn is_process(&mut self, instance: usize) {
        let hub = self.world.hub(instance);
        let process = hub.is_running().then(|| hub.pid());
        self.processes.lock().expect("nobody panics here")[instance] = process;
    }

    pub fn kill(&mut self, instance: usize) {
        self.kills.push(self.clock.now());
        self.world.hub(instance).kill9();
        self.is_process(instance);
    }

    /// Starts it again, and waits until it is ready.
    pub async fn start(&mut self, instance: usize) {
        self.world.hub(instance).start().await;
        self.is_process(instance);
    }

    /// Asks it to stop, and waits until it did.
    pub async fn stop(&mut self, instance: usize) {
        let asked = Instant::now();
        let status = self.world.hub(instance).terminate().await;
        let (name, took) = (&self.cast.places[instance].name, asked.elapsed());
        let log = self.world.hub(instance).log();
        assert_eq!(status.code(), Some(0), "{name}: {log}");
        assert!(took < STOPPED_WITHIN, "{name} took {took:?} to stop: {log}");
        self.is_process(instance);
    }
}
