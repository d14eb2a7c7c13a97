//! The rules of the hub as plain values: no sockets, no clocks, no SQL, no actors.
//!
//! Time arrives as an argument, effects leave as return values, and so every rule can be tested
//! in a line.

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
pub mod postings;
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
