//! Rookery, a real-time chat hub. `ARCHITECTURE.md` tells how the parts fit together.

pub mod core;
pub mod log;
pub mod store;
