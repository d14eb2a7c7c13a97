//! Rookery, a real-time chat hub. `ARCHITECTURE.md` tells how the parts fit together.

pub mod app;
pub mod auth;
pub mod bench;
pub mod config;
pub mod core;
pub mod guarantees;
pub mod http;
pub mod hub;
pub mod log;
pub mod store;
