//! The rules of the hub as plain values: no sockets, no clocks, no SQL, no actors.
//!
//! Time arrives as an argument, effects leave as return values, and so every rule can be tested
//! in a line.

use serde::de::{DeserializeOwned, Error as _};

pub mod avatar;
pub mod batch;
pub mod erasure;
pub mod event;
pub mod follow;
pub mod gather;
pub mod greeting;
pub mod kept;
pub mod markup;
pub mod message;
pub mod mute;
pub mod page;
pub mod presence;
pub mod recent;
pub mod record;
pub mod refusal;
pub mod room;
pub mod search;
pub mod simple;
pub mod standing;
pub mod tail;
pub mod text;
pub mod types;
pub mod wire;

/// Reads a JSON object. For the parser an array would do, too: its items as the fields, in their order.
pub fn from_object<T: DeserializeOwned>(json: &[u8]) -> serde_json::Result<T> {
    match json.trim_ascii_start() {
        [b'[', ..] => Err(serde_json::Error::custom("expected an object")),
        _ => serde_json::from_slice(json),
    }
}
