//! What a run saw from outside: nothing of it comes from within a hub.
//!
//! Times are milliseconds of the one clock of who recorded. Rooms, people and instances go by the
//! names that the outside gives them.

use std::collections::BTreeSet;

pub type Millis = u64;

/// Everything that was seen.
#[derive(Debug, Clone, Default)]
pub struct History {
    pub sends: Vec<Send>,
    pub changes: Vec<Change>,
    pub streams: Vec<Stream>,
    pub pages: Vec<Page>,
    pub refusals: Vec<Turned>,
    pub states: Vec<State>,
    pub counts: Vec<Count>,
    /// What stands in the log, where other programs read it, too.
    pub entries: Vec<Entry>,
    pub sockets: Vec<Socket>,
    pub sightings: Vec<Sighting>,
    pub memory: Vec<Memory>,
    pub faults: Vec<Fault>,
    /// Stretches of time in which some instance could not be told from a dead one: that somebody is
    /// not seen says nothing then.
    pub cut_off: Vec<(Millis, Millis)>,
    /// The bounds that depend on the fault.
    pub bounds: Bounds,
}

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// From the end of a socket to where nobody sees its owner online: after an orderly end, and
    /// after a crash.
    pub ghost: Millis,
    pub ghost_of_crash: Millis,
    /// The same where the instance heard of no end: its pings, and some time for the answer.
    pub ghost_of_silence: Millis,
    /// From the end of a fault to the next message acknowledged, by each instance.
    pub recovery: Millis,
    /// Until any send has an answer, or its connection has ended.
    pub answer: Millis,
    /// What one connection may add to the memory of its instance, in bytes.
    pub connection_bytes: u64,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            ghost: 1_000,
            ghost_of_crash: 5_000,
            ghost_of_silence: 40_000,
            recovery: 10_000,
            answer: 30_000,
            connection_bytes: 1024 * 1024,
        }
    }
}

/// A record in the log: one thing that happened in a room.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Entry {
    pub room: String,
    /// The record's own.
    pub id: String,
}

/// A message as any observer sees it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Line {
    pub position: i64,
    pub id: String,
    pub sender: String,
    /// Unlike that of every other send of the run.
    pub body: String,
}

/// One message that somebody meant to send, however often it was tried.
#[derive(Debug, Clone)]
pub struct Send {
    pub room: String,
    pub sender: String,
    pub body: String,
    /// All with the same `client_id`, the first first.
    pub tries: Vec<Try>,
}

#[derive(Debug, Clone)]
pub struct Try {
    pub instance: String,
    pub at: Millis,
    pub answered_at: Millis,
    pub outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Acknowledged(Line),
    /// Surely not done, with its code.
    Refused(String),
    /// No answer, or one that says so.
    Unknown,
}

/// A change of membership, with the position of its record.
#[derive(Debug, Clone)]
pub struct Change {
    pub room: String,
    pub user: String,
    pub position: i64,
    pub is_member: bool,
    pub answered_at: Millis,
}

/// What one client heard of one room over all its connections, in order.
#[derive(Debug, Clone)]
pub struct Stream {
    pub client: String,
    pub user: String,
    pub room: String,
    pub heard: Vec<Heard>,
    /// It listened until everything was quiet, and so has heard everything.
    pub to_the_end: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// Everything after this position is to come: the place that a list or a resume began at.
    From(i64),
    Message(Line),
    /// Any other event of the room.
    Event(i64),
    /// "Load its history; events after that position follow."
    Reset(i64),
    /// The history that was loaded then, from the first position on; it holds everything up to the
    /// last line, and up to where the reset was.
    Loaded(Vec<Line>),
}

/// History as an instance, or the rows of the store, gave it: everything in the room.
#[derive(Debug, Clone)]
pub struct Page {
    pub source: Source,
    pub room: String,
    /// Who asked; nobody where the rows were read.
    pub viewer: Option<String>,
    pub asked_at: Millis,
    pub lines: Vec<Line>,
    /// Taken when everything was quiet: it has to have everything.
    pub is_final: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    Instance(String),
    Store,
}

/// Somebody asked for a room and was told that it is not theirs.
#[derive(Debug, Clone)]
pub struct Turned {
    pub instance: String,
    pub room: String,
    pub viewer: String,
    pub asked_at: Millis,
}

/// A room as an instance, or the store, has it when everything is quiet.
#[derive(Debug, Clone)]
pub struct State {
    pub source: Source,
    pub room: String,
    pub name: String,
    pub members: BTreeSet<String>,
}

/// An unread count that somebody was told when everything was quiet.
#[derive(Debug, Clone)]
pub struct Count {
    pub instance: String,
    pub room: String,
    pub viewer: String,
    pub read_position: i64,
    pub unread: usize,
}

/// The life of one socket.
#[derive(Debug, Clone)]
pub struct Socket {
    pub user: String,
    /// Its hello was sent: from then on its owner may be seen.
    pub begun_at: Millis,
    /// Its hello was answered, if it was: from then on its owner has to be seen.
    pub opened_at: Option<Millis>,
    /// `None` while it lives.
    pub ended: Option<(Millis, End)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Orderly,
    /// Its instance was killed, or the network broke.
    Crash,
    /// The network fell silent, and its client gave up: the instance cannot tell so soon.
    Silence,
}

/// What somebody was told of somebody's presence: how it was at some time from `asked_at` to `at`.
#[derive(Debug, Clone)]
pub struct Sighting {
    pub observer: String,
    pub user: String,
    pub asked_at: Millis,
    pub at: Millis,
    pub online: bool,
}

/// Resident memory of an instance, in bytes.
#[derive(Debug, Clone)]
pub struct Memory {
    pub instance: String,
    pub connections: u64,
    /// With nobody connected.
    pub base: u64,
    pub resident: u64,
}

/// Something was broken on purpose.
#[derive(Debug, Clone)]
pub struct Fault {
    pub name: String,
    pub ended_at: Millis,
    /// Those that have to work again soon after it, each of them.
    pub instances: Vec<String>,
}
