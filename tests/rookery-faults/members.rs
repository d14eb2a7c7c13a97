//! An admin who takes somebody out of a room and in again, over and over.

use std::collections::HashMap;
use std::time::Duration;

use reqwest::Method;
use rookery::guarantees::dice::Dice;
use rookery::guarantees::history::{Change, History, Millis};
use serde_json::json;

use crate::asking::{Login, Place};
use crate::observers::Watch;

/// Between two tries at a change that had no answer.
const AGAIN: Duration = Duration::from_millis(300);
/// How often it gets twice as long.
const LONGER: u32 = 2;

/// Somebody whose place in a room is not for long, and the admin who sees to it.
#[derive(Debug, Clone)]
pub struct Floater {
    pub room: String,
    pub admin: Login,
    pub user: String,
}

/// When each of the changes of one floater was answered, in their order; removed first, then in
/// turn.
pub struct Answers {
    pub floater: Floater,
    pub at: Vec<Millis>,
}

impl Watch {
    /// Ends with the floater in the room again.
    pub async fn float(
        self,
        floater: Floater,
        places: Vec<Place>,
        pause: Millis,
        mut dice: Dice,
    ) -> Answers {
        let mut at = Vec::new();
        loop {
            let time = pause / 2 + dice.below(pause as usize) as Millis;
            let is_in = at.len() % 2 == 0;
            let goes_on = tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(time)) => true,
                () = self.stop.cancelled() => !is_in,
            };
            if !goes_on {
                return Answers { floater, at };
            }
            self.change(&floater, is_in, &places, &mut dice).await;
            at.push(self.clock.now());
        }
    }

    /// Until it is done for sure, by whichever instance.
    async fn change(&self, floater: &Floater, is_in: bool, places: &[Place], dice: &mut Dice) {
        let path = format!("/rooms/{}/members/{}", floater.room, floater.user);
        for tries in 0.. {
            let base = &dice.one_of(places).base;
            let told = match is_in {
                true => self.asking.ask(base, &floater.admin, Method::DELETE, &path, None).await,
                false => {
                    let body = Some(json!({"role": "member"}));
                    self.asking.ask(base, &floater.admin, Method::PUT, &path, body).await
                }
            };
            match told {
                Some((200 | 201 | 204, _)) => return,
                // Done by an earlier try.
                Some((404, _)) if is_in => return,
                // 408: an instance that stood still has waited too long for what had arrived.
                Some((status, body)) if status < 500 && !matches!(status, 408 | 429) => {
                    panic!("{path} by its admin: {status} {body}")
                }
                _ => tokio::time::sleep(AGAIN * 2_u32.pow(LONGER.min(tries))).await,
            }
        }
    }
}

/// Puts the times of the answers to the changes that were heard: the records stand in the order in
/// which one admin made them.
pub fn match_up(history: &mut History, answers: &[Answers]) {
    let mut known: HashMap<(String, i64), Change> = HashMap::new();
    for change in history.changes.drain(..) {
        known.insert((change.room.clone(), change.position), change);
    }
    let mut changes: Vec<Change> = known.into_values().collect();
    changes.sort_by_key(|change| change.position);
    for Answers { floater, at } in answers {
        let theirs = changes
            .iter_mut()
            .filter(|change| change.room == floater.room && change.user == floater.user);
        theirs.zip(at).for_each(|(change, at)| change.answered_at = *at);
    }
    history.changes = changes;
}
