//! A wrong clock: an instance that believes it is another hour.

// Every program that uses it has its own part of this.
#![allow(dead_code)]

use std::process::Command;

/// The environment of a process whose clock is off by so many seconds: ahead, or behind if negative.
/// Only what time of day it is: time-outs go by the monotonic clock, which stays right.
pub fn off_by(seconds: i64) -> Vec<(String, String)> {
    let pairs = [("LD_PRELOAD", library()), ("CLOCK_OFF_SECONDS", seconds.to_string())];
    pairs.map(|(name, value)| (name.to_owned(), value)).into()
}

/// Where the library is that does it, built if it is not yet.
fn library() -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/services/clock/build");
    let told = Command::new(script).output();
    let told = told.unwrap_or_else(|error| panic!("{script}: {error}"));
    let why = String::from_utf8_lossy(&told.stderr);
    assert!(told.status.success(), "the library of the wrong clock cannot be built: {why}");
    String::from_utf8_lossy(&told.stdout).trim().to_owned()
}
