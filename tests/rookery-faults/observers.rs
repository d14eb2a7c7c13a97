//! Those who look at the instances from outside while a run goes on: at presence, at history, at
//! memory, and at whether each of them takes messages.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use rookery::guarantees::dice::Dice;
use rookery::guarantees::history::{
    History, Millis, Outcome, Page, Send, Sighting, Source, Try, Turned,
};
use tokio_util::sync::CancellationToken;

use crate::asking::{Asking, Login, Place};
use crate::recording::Clock;

const SEEN_EVERY: Duration = Duration::from_millis(400);
const PROBED_EVERY: Duration = Duration::from_millis(400);
const READ_EVERY: Duration = Duration::from_millis(700);
/// Probes of one instance that wait for an answer; past it none are begun.
const PROBES: usize = 80;

/// Where an observer looks, and until when.
#[derive(Clone)]
pub struct Watch {
    pub clock: Clock,
    pub asking: Asking,
    pub stop: CancellationToken,
}

impl Watch {
    /// Whether it goes on; waits in between.
    async fn next(&self, pause: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(pause) => true,
            () = self.stop.cancelled() => false,
        }
    }

    /// Asks an instance who is there, over and over. What one says that is not ready counts for
    /// nothing: no balancer sends anybody there.
    pub async fn presence(self, place: Place, login: Login, users: Vec<String>) -> History {
        let mut history = History::default();
        let path = format!("/presence?users={}", users.join(","));
        while self.next(SEEN_EVERY).await {
            if !self.asking.is_ready(&place.base).await {
                continue;
            }
            let asked_at = self.clock.now();
            let told = self.asking.get(&place.base, &login, &path).await;
            let at = self.clock.now();
            if let Some((200, told)) = told {
                let seen = told["users"].as_array().into_iter().flatten();
                history.sightings.extend(seen.map(|seen| Sighting {
                    observer: place.name.clone(),
                    user: seen["user_id"].as_str().unwrap_or_default().to_owned(),
                    asked_at,
                    at,
                    online: seen["status"] != "offline",
                }));
            }
        }
        history
    }

    /// Sends to one instance at a steady pace, whatever becomes of it, and insists on an answer.
    pub async fn probe(
        self,
        place: Place,
        login: Login,
        room: String,
        unsettled: Arc<AtomicUsize>,
    ) -> History {
        let mut sends: Vec<Send> = Vec::new();
        let mut asked: FuturesUnordered<BoxFuture<(usize, Try)>> = FuturesUnordered::new();
        let mut again: Vec<usize> = Vec::new();
        let mut ticks = tokio::time::interval(PROBED_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let try_it = |send: usize, body: String| {
            let (watch, place, login) = (self.clone(), place.clone(), login.clone());
            let room = room.clone();
            async move {
                let Watch { clock, asking, .. } = watch;
                (send, asking.try_to_post(clock, place, &login, &room, &body).await)
            }
            .boxed()
        };
        loop {
            tokio::select! {
                Some((send, tried)) = asked.next() => {
                    let outcome = tried.outcome.clone();
                    sends[send].tries.push(tried);
                    match outcome {
                        Outcome::Unknown => again.push(send),
                        _ => drop(unsettled.fetch_sub(1, Ordering::SeqCst)),
                    }
                }
                _ = ticks.tick() => {
                    let settled = asked.is_empty() && again.is_empty();
                    if self.stop.is_cancelled() && settled {
                        return History { sends, ..History::default() };
                    }
                    if let Some(send) = again.pop() {
                        asked.push(try_it(send, sends[send].body.clone()));
                    }
                    if !self.stop.is_cancelled() && asked.len() < PROBES {
                        let body = format!("{}-{}", login.name, sends.len());
                        asked.push(try_it(sends.len(), body.clone()));
                        unsettled.fetch_add(1, Ordering::SeqCst);
                        let (room, sender) = (room.clone(), login.id.clone());
                        sends.push(Send { room, sender, body, tries: Vec::new() });
                    }
                }
            }
        }
    }

    /// Loads whole histories from any instance in anybody's name.
    pub async fn pages(
        self,
        places: Vec<Place>,
        readers: Vec<(Login, String)>,
        mut dice: Dice,
    ) -> History {
        let mut history = History::default();
        while self.next(READ_EVERY).await {
            let place = dice.one_of(&places).clone();
            let (login, room) = dice.one_of(&readers).clone();
            let asked_at = self.clock.now();
            let (viewer, instance) = (login.id.clone(), place.name);
            match self.asking.history(&place.base, &login, &room).await {
                Some(Ok(lines)) => history.pages.push(Page {
                    source: Source::Instance(instance),
                    room,
                    viewer: Some(viewer),
                    asked_at,
                    lines,
                    is_final: false,
                }),
                Some(Err(_)) => {
                    history.refusals.push(Turned { instance, room, viewer, asked_at });
                }
                None => {}
            }
        }
        history
    }
}

/// How long messages took to be acknowledged, in milliseconds, of those sent in a stretch of time.
pub fn latencies(history: &History, stretches: &[(Millis, Millis)]) -> Vec<Millis> {
    let tries = history.sends.iter().flat_map(|send| &send.tries);
    let acknowledged = tries.filter(|one| matches!(one.outcome, Outcome::Acknowledged(_)));
    let mut took: Vec<Millis> = acknowledged
        .filter(|one| stretches.iter().any(|(from, to)| (*from..*to).contains(&one.at)))
        .map(|one| one.answered_at - one.at)
        .collect();
    took.sort_unstable();
    took
}
