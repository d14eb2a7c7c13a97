//! The bus within one process.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{Notify, mpsc};

use crate::log::{BUS_WAITING, Bus, Channel, Heard, LogError, count, lock};

/// Keys of presence that are kept; past them, new keys are dropped and counted.
const KEYS: usize = 10_000;

type Kept = BTreeMap<Arc<str>, Bytes>;

/// What instances tell each other, where there is only one.
#[derive(Default)]
pub struct LocalBus {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    kept: Kept,
    signals: Vec<mpsc::Sender<Heard>>,
    presence: Vec<Arc<Backlog>>,
}

impl LocalBus {
    pub fn new() -> Arc<LocalBus> {
        Arc::default()
    }
}

#[async_trait]
impl Bus for LocalBus {
    fn tell(&self, channel: Channel, key: &str, value: Option<Bytes>) {
        let mut inner = lock(&self.inner);
        let key: Arc<str> = Arc::from(key);
        match channel {
            Channel::Signals => {
                let heard = Heard::Value { key, value };
                inner.signals.retain(|listener| match listener.try_send(heard.clone()) {
                    Ok(()) => true,
                    Err(mpsc::error::TrySendError::Full(_)) => {
                        count::dropped(channel);
                        tracing::warn!("a listener is slow; a signal to it was dropped");
                        true
                    }
                    Err(mpsc::error::TrySendError::Closed(_)) => false,
                });
            }
            Channel::Presence => {
                match &value {
                    Some(_) if inner.kept.len() >= KEYS && !inner.kept.contains_key(&key) => {
                        return count::dropped(channel);
                    }
                    Some(value) => drop(inner.kept.insert(key.clone(), value.clone())),
                    None => drop(inner.kept.remove(&key)),
                }
                inner.presence.retain(|backlog| backlog.add(&key, &value));
            }
        }
    }

    async fn listen(&self, channel: Channel) -> Result<mpsc::Receiver<Heard>, LogError> {
        let (listener, heard) = mpsc::channel(BUS_WAITING);
        let mut inner = lock(&self.inner);
        match channel {
            Channel::Signals => inner.signals.push(listener),
            Channel::Presence => {
                let backlog = Arc::new(Backlog::default());
                inner.presence.push(backlog.clone());
                tokio::spawn(hand_on(inner.kept.clone(), backlog, listener));
            }
        }
        Ok(heard)
    }

    async fn flush(&self) {}
}

/// What changed since a listener of presence last looked: the newest value of each key, in the
/// order in which the keys changed. A slow listener skips values, never keys.
#[derive(Default)]
struct Backlog {
    changes: Mutex<Changes>,
    changed: Notify,
}

#[derive(Default)]
struct Changes {
    order: VecDeque<Arc<str>>,
    values: BTreeMap<Arc<str>, Option<Bytes>>,
    over: bool,
}

impl Backlog {
    /// Says whether anyone listens still.
    fn add(&self, key: &Arc<str>, value: &Option<Bytes>) -> bool {
        let mut changes = lock(&self.changes);
        if changes.over {
            return false;
        }
        if changes.values.insert(key.clone(), value.clone()).is_none() {
            changes.order.push_back(key.clone());
        }
        self.changed.notify_one();
        true
    }

    fn take(&self) -> Option<Heard> {
        let mut changes = lock(&self.changes);
        let key = changes.order.pop_front()?;
        let value = changes.values.remove(&key)?;
        Some(Heard::Value { key, value })
    }
}

/// Hands on what is kept, then what changes, as fast as the listener takes it.
async fn hand_on(kept: Kept, backlog: Arc<Backlog>, listener: mpsc::Sender<Heard>) {
    let kept = kept.into_iter().map(|(key, value)| Heard::Value { key, value: Some(value) });
    let mut listening = true;
    for heard in kept.chain([Heard::CaughtUp]) {
        listening = listening && listener.send(heard).await.is_ok();
    }
    while listening {
        listening = match backlog.take() {
            Some(heard) => listener.send(heard).await.is_ok(),
            None => tokio::select! {
                () = backlog.changed.notified() => true,
                () = listener.closed() => false,
            },
        };
    }
    lock(&backlog.changes).over = true;
}
