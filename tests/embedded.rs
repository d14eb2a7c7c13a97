//! The contract, story by story, against one hub with its log and store in files.

#[macro_use]
#[path = "contract/mod.rs"]
mod contract;
mod support;

each_story!(crate::support::World::embedded);
