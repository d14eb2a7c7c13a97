//! What instances tell each other and nobody must replay: typing, read markers, logouts.

use std::sync::Arc;

use actix::prelude::*;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::Hub;
use super::outbound::text_frame;
use super::presence::Tell;
use super::room::{Forget, ReceiptHeard, TypingHeard};
use crate::core::types::{Person, Position, RoomId, UserId};
use crate::core::wire;
use crate::log::{Bus, Channel, Heard};
use crate::store::LoginId;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Signal {
    Typing {
        room: RoomId,
        user: UserId,
    },
    /// Where a person's read marker is now; their devices should know.
    Read {
        room: RoomId,
        user: UserId,
        position: Position,
        #[serde(default)]
        version: i64,
        /// How far the others of the room may be told that this person has read.
        #[serde(default)]
        receipt: Option<Position>,
    },
    /// Whether a person's open sockets are told how far others have read.
    Receipts {
        user: UserId,
        on: bool,
    },
    /// What others see of a person has changed: their open sockets are to write under this name,
    /// and open pages to show it.
    #[serde(rename = "renamed")]
    Profile {
        user: UserId,
        display_name: String,
        /// Instances of an earlier version do not tell it.
        #[serde(default)]
        username: Option<String>,
        /// The address of the picture.
        #[serde(default)]
        avatar: Option<String>,
    },
    /// An account is no more, and its names are to be forgotten.
    Deleted {
        user: UserId,
    },
    /// These logins of a person are over, and so are their sockets.
    Logout {
        user: UserId,
        logins: Vec<i64>,
    },
}

impl Signal {
    pub fn logout(user: UserId, logins: &[LoginId]) -> Signal {
        Signal::Logout { user, logins: logins.iter().map(|login| login.0).collect() }
    }

    /// Tells every instance, this one included.
    pub fn tell(&self, bus: &dyn Bus) {
        let key = match self {
            Signal::Typing { room, .. } => room.to_string(),
            Signal::Read { user, .. }
            | Signal::Receipts { user, .. }
            | Signal::Profile { user, .. }
            | Signal::Deleted { user }
            | Signal::Logout { user, .. } => user.to_string(),
        };
        // Plain values: serialising them to memory cannot fail.
        let value = Bytes::from(serde_json::to_vec(self).unwrap_or_default());
        bus.tell(Channel::Signals, &key, Some(value));
    }
}

/// Listens to the signals of all instances and passes each to whom it concerns here.
pub struct Signals {
    hub: Arc<Hub>,
    heard: Option<mpsc::Receiver<Heard>>,
}

impl Signals {
    pub fn new(hub: Arc<Hub>, heard: mpsc::Receiver<Heard>) -> Signals {
        Signals { hub, heard: Some(heard) }
    }

    fn tell_devices(&self, user: UserId, text: &[u8]) {
        let frame = text_frame(text);
        for device in self.hub.sessions.that_speak_rookery(user) {
            device.outbound.push(frame.clone());
        }
    }

    fn hear(&self, signal: Signal) {
        match signal {
            Signal::Typing { room, user } => {
                if let Some(addr) = self.hub.rooms.awake(room) {
                    // A busy room has better things to do than to say who types.
                    let _ = addr.try_send(TypingHeard(user));
                }
            }
            Signal::Read { room, user, position, version, receipt } => {
                self.tell_devices(user, &wire::read(room, user, position, version));
                if let (Some(position), Some(addr)) = (receipt, self.hub.rooms.awake(room)) {
                    // Who reads on tells it again.
                    let _ = addr.try_send(ReceiptHeard { user, position });
                }
            }
            Signal::Receipts { user, on } => {
                self.hub.sessions.of(user).iter().for_each(|device| device.set_hears_receipts(on));
                self.tell_devices(user, &wire::account(on));
            }
            Signal::Profile { user, display_name, username, avatar } => {
                self.hub.sessions.of(user).iter().for_each(|device| device.rename(&display_name));
                if let Some(username) = username {
                    self.show(Person { id: user, username, display_name }, avatar.as_deref());
                }
            }
            Signal::Deleted { user } => {
                let nobody = Person::deleted(user);
                for room in self.hub.rooms.all_awake() {
                    // It must not be lost, and comes once in the life of an account.
                    room.do_send(Forget(nobody.clone()));
                }
                self.show(nobody, None);
            }
            Signal::Logout { user, logins } => {
                self.hub.sessions.log_out(user, |login| logins.contains(&login.0));
            }
        }
    }
}

impl Signals {
    /// Tells everybody here who follows this person how they are seen now.
    fn show(&self, person: Person, avatar: Option<&str>) {
        let frame = text_frame(&wire::user_updated(&person, avatar));
        if let Some(presence) = self.hub.presence() {
            presence.do_send(Tell { of: person.id, frame });
        }
    }
}

impl Actor for Signals {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if let Some(heard) = self.heard.take() {
            ctx.add_stream(ReceiverStream::new(heard));
        }
    }
}

impl StreamHandler<Heard> for Signals {
    fn handle(&mut self, heard: Heard, _: &mut Self::Context) {
        let Heard::Value { value: Some(value), .. } = heard else { return };
        match serde_json::from_slice(&value) {
            Ok(signal) => self.hear(signal),
            // A newer instance may say what this one does not know yet.
            Err(error) => tracing::debug!(%error, "an unknown signal"),
        }
    }
}
