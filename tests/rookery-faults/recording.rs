//! The clock of a run, and what several of its observers recorded put together.

use std::time::Instant;

use rookery::guarantees::history::{History, Line, Millis};
use serde_json::Value;

/// Milliseconds since the run began, for everybody who records.
#[derive(Debug, Clone, Copy)]
pub struct Clock(Instant);

impl Clock {
    pub fn start() -> Clock {
        Clock(Instant::now())
    }

    pub fn now(self) -> Millis {
        self.0.elapsed().as_millis() as Millis
    }
}

/// Adds what one observer recorded.
pub fn merge(all: &mut History, part: History) {
    all.sends.extend(part.sends);
    all.changes.extend(part.changes);
    all.streams.extend(part.streams);
    all.pages.extend(part.pages);
    all.refusals.extend(part.refusals);
    all.states.extend(part.states);
    all.counts.extend(part.counts);
    all.sockets.extend(part.sockets);
    all.sightings.extend(part.sightings);
    all.memory.extend(part.memory);
    all.faults.extend(part.faults);
    all.cut_off.extend(part.cut_off);
}

/// A message as every answer and event gives it.
pub fn line_of(message: &Value) -> Line {
    Line {
        position: number(&message["position"]),
        id: text(&message["id"]),
        sender: text(&message["sender"]["id"]),
        body: text(&message["body"]),
    }
}

/// A position: an integer in a string.
pub fn number(position: &Value) -> i64 {
    let number = position.as_str().and_then(|text| text.parse().ok());
    number.unwrap_or_else(|| panic!("{position} is no position"))
}

/// The value of a field that is a string.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
