//! One run: a crowd speaks, something is broken and mended, everything becomes quiet, and the
//! checker says what it thinks of what everybody saw.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rookery::guarantees::dice::Dice;
use rookery::guarantees::history::{Fault, History, Line, Millis};
use rookery::guarantees::{Verdict, check};

use crate::asking::Asking;
use crate::cast::Cast;
use crate::client::Phase;
use crate::crowd::Crowd;
use crate::figures::Figures;
use crate::finale::look_at_everything;
use crate::members::match_up;
use crate::memory::{MemoryWatch, Processes};
use crate::recording::{Clock, merge};
use crate::rows::Row;
use crate::world::World;

/// Before the fault.
const CALM: Duration = Duration::from_secs(4);
/// After the last instance works again.
const AFTER: Duration = Duration::from_secs(3);
/// Until everything has an answer, and until everybody has heard everything.
const SETTLED_WITHIN: Duration = Duration::from_secs(60);
const HEARD_WITHIN: Duration = Duration::from_secs(30);
/// Until an instance that was cut off has been heard of again, and its people with it.
const BEATS: Millis = 3_000;
const READY_WITHIN: Duration = Duration::from_secs(40);
/// Until the presence of those who left was looked at for long enough.
const LAST_LOOK: Duration = Duration::from_millis(2_000);

/// How one run went.
pub struct Ran {
    pub verdict: Verdict,
    pub figures: Figures,
    pub history: History,
}

/// What a row of faults has to work with.
pub struct Stage {
    pub world: World,
    pub clock: Clock,
    pub dice: Dice,
    pub asking: Asking,
    pub cast: Cast,
    pub processes: Processes,
    faults: Vec<Fault>,
    cut_off: Vec<(Millis, Millis)>,
}

impl Stage {
    async fn set(mut world: World, seed: u64) -> Stage {
        let (clock, mut dice) = (Clock::start(), Dice::new(seed));
        let cast = Cast::gather(&mut world, &mut dice).await;
        let processes = world.hubs().iter_mut().map(|hub| hub.is_running().then(|| hub.pid()));
        let processes = Arc::new(Mutex::new(processes.collect()));
        let (asking, faults, cut_off) = (Asking::new(), Vec::new(), Vec::new());
        Stage { world, clock, dice, asking, cast, processes, faults, cut_off }
    }

    /// Something that was broken works again from now on, on every instance.
    pub fn mended(&mut self, name: &str) {
        let instances = self.cast.places.iter().map(|place| place.name.clone()).collect();
        self.faults.push(Fault { name: name.to_owned(), ended_at: self.clock.now(), instances });
    }

    /// From then until a little after now some instance could not be told from a dead one.
    pub fn was_cut_off(&mut self, from: Millis) {
        self.cut_off.push((from, self.clock.now() + BEATS));
    }

    /// Waits for a time between these two, in milliseconds.
    pub async fn wait(&mut self, from: usize, to: usize) {
        let time = self.dice.between(from, to) as u64;
        tokio::time::sleep(Duration::from_millis(time)).await;
    }

    fn is_process(&mut self, instance: usize) {
        let hub = self.world.hub(instance);
        let process = hub.is_running().then(|| hub.pid());
        self.processes.lock().expect("nobody panics here")[instance] = process;
    }

    pub fn kill(&mut self, instance: usize) {
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
        let status = self.world.hub(instance).terminate().await;
        let log = self.world.hub(instance).log();
        assert_eq!(status.code(), Some(0), "{}: {log}", self.cast.places[instance].name);
        self.is_process(instance);
    }
}

/// Plays a row once. Panics only where the run itself cannot be done.
pub async fn run(row: &Row, world: World, seed: u64, quiet: Duration) -> (Ran, World) {
    let mut stage = Stage::set(world, seed).await;
    let clock = stage.clock;
    let mut crowd = Crowd::start(&mut stage, row);
    wait_for("everybody to come in", SETTLED_WITHIN, async || crowd.is_here()).await;
    let calm = clock.now();
    tokio::time::sleep(CALM).await;
    let (asking, places) = (stage.asking.clone(), stage.cast.places.clone());
    let memory = MemoryWatch::start(asking, places, stage.processes.clone());
    let broken = clock.now();
    (row.fault)(&mut stage).await;
    let mended = clock.now();
    everybody_is_ready(&stage).await;
    tokio::time::sleep(AFTER).await;

    let answers = crowd.acts_no_more().await;
    crowd.phase.send_replace(Phase::Settle);
    // Until everybody has noticed.
    tokio::time::sleep(Duration::from_millis(200)).await;
    // What is never settled is for the checker to find.
    until(SETTLED_WITHIN, async || crowd.unsettled.load(Ordering::SeqCst) == 0).await;
    tokio::time::sleep(quiet).await;

    let mut history = look_at_everything(&mut stage).await;
    let end = |lines: &[_]| lines.last().map_or(0, |line: &Line| line.position);
    let ends = history.pages.iter().map(|page| (page.room.clone(), end(&page.lines)));
    let ends: Arc<BTreeMap<String, i64>> = Arc::new(ends.collect());
    let by = clock.now() + HEARD_WITHIN.as_millis() as Millis;
    crowd.phase.send_replace(Phase::End { rooms: ends, by });
    for client in std::mem::take(&mut crowd.clients) {
        merge(&mut history, client.await.expect("a client"));
    }
    tokio::time::sleep(LAST_LOOK).await;
    for observer in crowd.looks_no_more() {
        merge(&mut history, observer.await.expect("an observer"));
    }
    merge(&mut history, memory.stop().await);
    history.faults.extend(stage.faults);
    history.cut_off.extend(stage.cut_off);
    match_up(&mut history, &answers);
    history.bounds = row.bounds();
    let verdict = check(&history);
    let figures = Figures::of(&history, &crowd.tally, (calm, broken, mended));
    (Ran { verdict, figures, history }, stage.world)
}

/// Waits until each instance is ready again; if it never is, the checker says so.
async fn everybody_is_ready(stage: &Stage) {
    for place in &stage.cast.places {
        until(READY_WITHIN, async || stage.asking.is_ready(&place.base).await).await;
    }
}

/// Asks until it is so; says whether it came to that.
async fn until<F: Future<Output = bool>>(time: Duration, mut ask: impl FnMut() -> F) -> bool {
    let started = Instant::now();
    while started.elapsed() < time {
        if ask().await {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}

async fn wait_for<F: Future<Output = bool>>(what: &str, time: Duration, ask: impl FnMut() -> F) {
    assert!(until(time, ask).await, "waited {time:?} for {what}");
}
