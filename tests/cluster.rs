//! The contract, story by story, against two instances on a real Kafka and a real MySQL: people
//! speak to both in turn, so that what one answered is read from the other.
//!
//! `eval "$(tests/services/up)"` starts the services and says where they are.

#[macro_use]
#[path = "contract/mod.rs"]
mod contract;
#[path = "cluster/console.rs"]
mod console;
#[path = "cluster/inbound.rs"]
mod inbound;
#[path = "cluster/lost.rs"]
mod lost;
mod support;

each_story!(crate::support::World::cluster);
