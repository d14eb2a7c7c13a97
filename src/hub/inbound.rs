//! Posts what other programs wrote to the inbound topic, in the order of each partition.
//!
//! Each record is checked like any message; only the rates do not apply. What cannot be read, or
//! is refused, goes to quarantine with the reason. While the log or the store is away the record
//! waits: that is no fault of its own. One that comes again is known by its `client_id`, which is
//! made of its place, so that it is in the room once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::Hub;
use super::changes::propose;
use super::reply::{Outcome, Trouble, explain};
use crate::core;
use crate::core::record::{Action, Post};
use crate::core::simple::{Posted, in_our_words};
use crate::core::text::{self, Invalid};
use crate::core::types::{Person, RoomId, UserId};
use crate::log::{Arrival, Inbound};
use crate::store::StoreError;

/// Between two tries at what could not be done now.
const AGAIN: Duration = Duration::from_millis(500);
/// How long it takes to notice that the instance is stopping.
const GLANCE: Duration = Duration::from_millis(250);

/// Why a record was not posted.
enum Failure {
    /// It never will be.
    Refused(String),
    /// Nothing is wrong with it.
    NotNow(&'static str),
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Failure {
        Failure::NotNow(trouble.detail())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        Trouble::from(error).into()
    }
}

impl From<Invalid> for Failure {
    fn from(invalid: Invalid) -> Failure {
        let Invalid { field, detail } = in_our_words(invalid);
        Failure::Refused(format!("invalid_{field}: {detail}"))
    }
}

fn refused<T>(code: &str, detail: &str) -> Result<T, Failure> {
    Err(Failure::Refused(format!("{code}: {detail}")))
}

/// Posts what arrives until the instance stops.
pub async fn post_all(hub: Arc<Hub>, door: Arc<dyn Inbound>) {
    while !hub.is_draining() {
        match door.arrivals().await {
            Ok(arrivals) => post_shares(&hub, &door, arrivals).await,
            Err(error) => tracing::warn!(%error, "cannot read what is inbound"),
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Hands each partition's arrivals to a task of its own: one that waits holds up no other.
async fn post_shares(
    hub: &Arc<Hub>,
    door: &Arc<dyn Inbound>,
    mut arrivals: mpsc::Receiver<Arrival>,
) {
    let mut partitions: HashMap<u16, (mpsc::UnboundedSender<Arrival>, JoinHandle<()>)> =
        HashMap::new();
    while !hub.is_draining() {
        match tokio::time::timeout(GLANCE, arrivals.recv()).await {
            Ok(Some(arrival)) => {
                let partition = partitions.entry(arrival.partition).or_insert_with(|| {
                    // Bounded by what may be unsettled.
                    let (sender, queue) = mpsc::unbounded_channel();
                    (sender, actix_rt::spawn(post_in_order(hub.clone(), door.clone(), queue)))
                });
                // Only a stopping instance's task has ended; then another instance gets it.
                let _ = partition.0.send(arrival);
            }
            Ok(None) => break,
            Err(_) => {}
        }
    }
    // What is under way is settled before this instance leaves the group.
    for (sender, task) in partitions.into_values() {
        drop(sender);
        let _ = task.await;
    }
}

async fn post_in_order(
    hub: Arc<Hub>,
    door: Arc<dyn Inbound>,
    mut queue: mpsc::UnboundedReceiver<Arrival>,
) {
    while let Some(arrival) = queue.recv().await {
        if !deal_with(&hub, &*door, &arrival).await {
            return;
        }
        arrival.settle();
    }
}

/// Posts it or puts it into quarantine, however long that takes; `false` where the instance stops
/// before it is done.
async fn deal_with(hub: &Arc<Hub>, door: &dyn Inbound, arrival: &Arrival) -> bool {
    let Arrival { partition, offset, .. } = arrival;
    let mut complained = false;
    while !hub.is_draining() {
        let reason = match post(hub, arrival).await {
            Ok(()) => {
                metrics::counter!("rookery_inbound_posted_total").increment(1);
                return true;
            }
            Err(Failure::NotNow(reason)) => reason.to_owned(),
            Err(Failure::Refused(reason)) => match door.quarantine(arrival, &reason).await {
                Ok(()) => {
                    tracing::info!(partition, offset, reason, "an inbound record is in quarantine");
                    metrics::counter!("rookery_quarantined_total").increment(1);
                    return true;
                }
                Err(error) => error.to_string(),
            },
        };
        if !std::mem::replace(&mut complained, true) {
            tracing::warn!(partition, offset, reason, "an inbound record has to wait");
        }
        tokio::time::sleep(AGAIN).await;
    }
    false
}

async fn post(hub: &Arc<Hub>, arrival: &Arrival) -> Result<(), Failure> {
    let Some(value) = &arrival.value else { return refused("bad_request", "there is no value") };
    let posted: Posted = match core::from_object(value) {
        Ok(posted) => posted,
        Err(error) => return refused("bad_request", &error.to_string()),
    };
    let body = text::message_body(&posted.message, &hub.config.limits.text())?;
    let client_id = match posted.client_id {
        Some(client_id) => text::client_id(&client_id).map(|()| client_id)?,
        None => client_id_of(arrival),
    };
    let Some(user) = posted.user_id else { return refused("bad_request", "user_id is missing") };
    let sender = sender(hub, user).await?;
    let room = room(hub, posted.group_id, arrival.key.as_deref(), user).await?;
    let post = Post { sender, body, client_id: Some(client_id), reply_to: None };
    propose_twice(hub, room, user, Action::Message(post)).await
}

async fn sender(hub: &Hub, user: UserId) -> Result<Person, Failure> {
    match hub.store.user(user).await? {
        Some(account) if account.disabled && !account.deleted => {
            refused("account_disabled", "the account of user_id is disabled")
        }
        Some(account) if !account.deleted => Ok(account.person),
        _ => refused("unknown_user", "there is no user with this user_id"),
    }
}

/// The room that the value names, or else the key; without either, the usual one of the sender.
async fn room(
    hub: &Hub,
    named: Option<RoomId>,
    key: Option<&[u8]>,
    user: UserId,
) -> Result<RoomId, Failure> {
    if let Some(room) = named {
        return Ok(room);
    }
    if let Some(key) = key.filter(|key| !key.is_empty()) {
        let room = std::str::from_utf8(key).ok().and_then(|text| text.parse().ok());
        let detail = "the key is no room, and the value has no group_id";
        return room.map_or_else(|| refused("bad_request", detail), Ok);
    }
    hub.store_up_to_date().await?;
    match hub.store.usual_group(user).await? {
        Some(room) => Ok(room),
        None => refused("no_group", "neither key nor value name a group, and none can be guessed"),
    }
}

/// A refusal counts only once this instance has read all that was in the log: somebody may have
/// been let in a moment ago, through another instance.
async fn propose_twice(
    hub: &Arc<Hub>,
    room: RoomId,
    by: UserId,
    action: Action,
) -> Result<(), Failure> {
    match outcome(propose(hub, room, by, action.clone()).await) {
        Err(Failure::Refused(_)) => {}
        posted_or_not_now => return posted_or_not_now,
    }
    hub.rooms_up_to_date(hub.partition_of(room)).await?;
    outcome(propose(hub, room, by, action).await)
}

fn outcome(outcome: Outcome) -> Result<(), Failure> {
    match outcome {
        Outcome::Accepted { .. } | Outcome::Repeated(_) | Outcome::Done => Ok(()),
        Outcome::Refused(refusal) => refused(refusal.code(), &explain(refusal)),
        Outcome::Failed(trouble) => Err(trouble.into()),
    }
}

/// Names a record by its place, the same whoever reads it and however often. The time tells it
/// from one at the same place of a topic that was made anew.
fn client_id_of(arrival: &Arrival) -> String {
    let Arrival { topic, partition, offset, at_ms, .. } = arrival;
    let place = format!("{partition}-{offset}-{at_ms}");
    let whole = format!("{topic}-{place}");
    match text::client_id(&whole) {
        Ok(()) => whole,
        // The name of a topic may be longer than a client_id.
        Err(_) => {
            let hash = Sha256::digest(topic.as_bytes());
            let hash: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            format!("{hash}-{place}")
        }
    }
}
