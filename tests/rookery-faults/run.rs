//! One run: a crowd speaks, something is broken and mended, everything becomes quiet, and the
//! checker says what it thinks of what everybody saw.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rookery::guarantees::beats::Beats;
use rookery::guarantees::history::{End, History, Line, Millis};
use rookery::guarantees::{Verdict, check};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::client::Phase;
use crate::crowd::Crowd;
use crate::figures::{Figures, Times};
use crate::finale::look_at_everything;
use crate::members::{Answers, match_up};
use crate::memory::MemoryWatch;
use crate::pulse::Pulse;
use crate::recording::{Clock, merge};
use crate::rows::Row;
use crate::stage::Stage;
use crate::world::World;

/// Before the fault.
const CALM: Duration = Duration::from_secs(3);
/// Before and after one beside which everybody's p99 is judged: together as long as that lasts, and
/// on both sides since there is more and more to read.
const LONG_CALM: Duration = Duration::from_secs(18);
/// After the last instance works again.
const AFTER: Duration = Duration::from_secs(2);
/// Until everything has an answer, and until everybody has heard everything.
const SETTLED_WITHIN: Duration = Duration::from_secs(60);
const HEARD_WITHIN: Duration = Duration::from_secs(30);
/// Until the presence of those who left was looked at for long enough.
const LAST_LOOK: Duration = Duration::from_millis(2_000);

/// How one run went.
pub struct Ran {
    pub verdict: Verdict,
    pub figures: Figures,
    pub history: History,
    pub kafka: Beats,
}

/// Plays a row once. Panics only where the run itself cannot be done.
pub async fn run(row: &Row, world: World, seed: u64, quiet: Duration) -> (Ran, World) {
    let mut stage = Stage::set(world, row, seed).await;
    let mut crowd = Crowd::start(&mut stage, row);
    wait_for("everybody to come in", SETTLED_WITHIN, async || crowd.is_here()).await;
    let (memory, times) = break_and_mend(row, &mut stage).await;
    let answers = settle(&mut crowd).await;
    tokio::time::sleep(quiet).await;
    let mut history = look_at_everything(&mut stage).await;
    hear_out(crowd.clients, &crowd.phase, &mut history, stage.clock).await;
    tokio::time::sleep(LAST_LOOK).await;
    crowd.stop_looking.cancel();
    for observer in crowd.observers {
        merge(&mut history, observer.await.expect("an observer"));
    }
    merge(&mut history, memory.stop().await);
    history.faults.extend(stage.faults);
    history.cut_off.extend(stage.cut_off);
    let kafka = stage.pulse.take().map(Pulse::stop).unwrap_or_default();
    let ghost = history.bounds.ghost;
    history.cut_off.extend(kafka.slow().map(|(from, to)| (from, to + ghost)));
    match_up(&mut history, &answers);
    end_with_their_instance(&mut history, &stage.kills);
    let verdict = check(&history);
    let figures = Figures::of(&history, &crowd.tally, &kafka, times);
    (Ran { verdict, figures, history, kafka }, stage.world)
}

/// A client behind a balancer does not know whom it said goodbye to. If somebody was killed in that
/// moment it may have been them, and nobody was told.
fn end_with_their_instance(history: &mut History, kills: &[Millis]) {
    let near = history.bounds.ghost;
    for socket in &mut history.sockets {
        if let Some((at, end @ End::Orderly)) = &mut socket.ended
            && kills.iter().any(|kill| kill.abs_diff(*at) <= near)
        {
            *end = End::Crash;
        }
    }
}

async fn break_and_mend(row: &Row, stage: &mut Stage) -> (MemoryWatch, Times) {
    let mut calm = vec![stage.waits(CALM).await];
    if row.has_bystanders {
        // The first seconds, in which rooms wake, are slow: they would excuse a slow fault.
        calm = vec![stage.waits(LONG_CALM).await];
    }
    let (asking, places) = (stage.asking.clone(), stage.cast.places.clone());
    let memory = MemoryWatch::start(asking, places, stage.processes.clone(), row.memory);
    let broken = stage.clock.now();
    (row.fault)(stage).await;
    let mended = stage.clock.now();
    stage.everybody_is_ready().await;
    // Presence, too, is looked at for a while after it has to be right again.
    let right_again = stage.cut_off.iter().map(|(_, to)| *to).max().unwrap_or_default();
    let until_then = right_again.saturating_sub(stage.clock.now());
    tokio::time::sleep(AFTER.max(Duration::from_millis(until_then))).await;
    if row.has_bystanders {
        calm.push(stage.waits(LONG_CALM).await);
    }
    (memory, Times { calm, fault: (broken, mended) })
}

/// Nothing new is begun; waits until everything has an answer, or too long: what is never settled
/// is for the checker to find.
async fn settle(crowd: &mut Crowd) -> Vec<Answers> {
    let answers = crowd.acts_no_more().await;
    crowd.phase.send_replace(Phase::Settle);
    // Until everybody has noticed.
    tokio::time::sleep(Duration::from_millis(200)).await;
    until(SETTLED_WITHIN, async || crowd.unsettled.load(Ordering::SeqCst) == 0).await;
    answers
}

/// Lets every client hear everything up to where the rooms end now, and leave.
async fn hear_out(
    clients: Vec<JoinHandle<History>>,
    phase: &watch::Sender<Phase>,
    history: &mut History,
    clock: Clock,
) {
    let end = |lines: &[Line]| lines.last().map_or(0, |line| line.position);
    let ends = history.pages.iter().map(|page| (page.room.clone(), end(&page.lines)));
    let ends: BTreeMap<String, i64> = ends.collect();
    let by = clock.now() + HEARD_WITHIN.as_millis() as Millis;
    phase.send_replace(Phase::End { rooms: Arc::new(ends), by });
    for client in clients {
        merge(history, client.await.expect("a client"));
    }
}

/// Asks until it is so; says whether it came to that.
pub async fn until<F: Future<Output = bool>>(time: Duration, mut ask: impl FnMut() -> F) -> bool {
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
