//! The outbound queue of one socket.
//!
//! Rooms push ready frames, the same bytes to everyone; the writer of the socket's thread sends what
//! has gathered in one go (`writer.rs`). The queue is capped in bytes: a socket that does not read is
//! cut off with 4408, and what waited for it is given back at once. It resumes from its position
//! when it comes again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use actix_http::ws::{CloseCode, CloseReason, OpCode, Parser};
use bytes::{Bytes, BytesMut};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Notify;

use super::writer::Writer;

/// Frames in one write at the most.
pub const FRAMES_A_WRITE: usize = 64;

/// Why the server ends a socket. 4400-4499: come back and resume; 4500-4599: do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The client closed first, or is gone.
    Normal,
    ProtocolError,
    /// A binary frame.
    Unsupported,
    InvalidUtf8,
    Policy,
    TooBig,
    Draining,
    /// Too many are coming at once.
    Later,
    TooSlow,
    TooManyMessages,
    LoggedOut,
    Disabled,
    /// Its one room is not this person's any more.
    Removed,
    /// Its one room is gone.
    RoomDeleted,
}

impl Ending {
    /// As it stands in the close frame.
    pub fn reason(self) -> CloseReason {
        let (code, description) = match self {
            Ending::Normal => (1000, ""),
            Ending::ProtocolError => (1002, "protocol error"),
            Ending::Unsupported => (1003, "text frames only"),
            Ending::InvalidUtf8 => (1007, "invalid UTF-8"),
            Ending::Policy => (1008, "no hello"),
            Ending::TooBig => (1009, "frame too big"),
            Ending::Draining => (1012, "restarting, come back"),
            Ending::Later => (1013, "too many are coming, come back later"),
            Ending::TooSlow => (4408, "too slow to read"),
            Ending::TooManyMessages => (4429, "too many messages"),
            Ending::LoggedOut => (4501, "logged out"),
            Ending::Disabled => (4503, "account disabled"),
            Ending::Removed => (1008, "you are not in this group any more"),
            Ending::RoomDeleted => (1000, "this group was deleted"),
        };
        CloseReason { code: CloseCode::from(code), description: Some(description.to_owned()) }
    }
}

/// The bytes of a text frame, ready for any number of sockets.
pub fn text_frame(payload: &[u8]) -> Bytes {
    frame(payload, OpCode::Text)
}

pub fn ping_frame() -> Bytes {
    frame(b"", OpCode::Ping)
}

pub fn pong_frame(payload: &[u8]) -> Bytes {
    frame(payload, OpCode::Pong)
}

fn frame(payload: &[u8], kind: OpCode) -> Bytes {
    let mut bytes = BytesMut::with_capacity(payload.len() + 10);
    Parser::write_message(&mut bytes, payload, kind, true, false);
    bytes.freeze()
}

/// Who writes what is queued.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Turn {
    /// Nobody: there is no connection yet.
    #[default]
    Unconnected,
    /// Nobody, since nothing waits.
    Resting,
    /// The writer of its thread, soon.
    Due,
    /// A task of its own: the kernel is full, or the socket ends.
    Apart,
}

#[derive(Debug, Default)]
struct State {
    frames: VecDeque<Bytes>,
    /// Of what waits, and of what is being written.
    bytes: usize,
    /// Answers that need not wait for the cork.
    early: VecDeque<Bytes>,
    /// Events wait until `hello` has been answered.
    corked: bool,
    ending: Option<Ending>,
    turn: Turn,
    /// The connection has gone; nothing can be said any more.
    gone: bool,
}

impl State {
    fn has_work(&self) -> bool {
        !self.early.is_empty() || (!self.corked && !self.frames.is_empty()) || self.ending.is_some()
    }
}

/// What is to be done next for a socket.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Write these.
    Write,
    /// All is written.
    Rest,
    /// All is written, and the socket ends.
    End(Ending),
}

/// Shared by everyone who has something to say to one socket.
#[derive(Debug)]
pub struct Outbound {
    state: Mutex<State>,
    writer: OnceLock<Arc<Writer>>,
    /// With whoever is to write; the task that writes apart takes it out.
    connection: Mutex<Option<OwnedWriteHalf>>,
    /// For the task that writes apart.
    changed: Notify,
    /// The other side closed, or its connection ended.
    heard_close: Notify,
    max_bytes: usize,
}

impl Outbound {
    pub fn new(max_bytes: usize) -> Arc<Outbound> {
        Arc::new(Outbound {
            state: Mutex::new(State { corked: true, ..State::default() }),
            writer: OnceLock::new(),
            connection: Mutex::new(None),
            changed: Notify::new(),
            heard_close: Notify::new(),
            max_bytes,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while holding it leaves a queue that is still a queue.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection is there: what waits is written by the writer of this thread.
    pub fn connect(self: &Arc<Self>, connection: OwnedWriteHalf, writer: Arc<Writer>) {
        self.put_connection(connection);
        let _ = self.writer.set(writer);
        let mut state = self.state();
        state.turn = Turn::Resting;
        self.call_writer(state);
    }

    /// Queues a frame. Past the cap the socket ends with 4408. Returns whether it is still open.
    pub fn push(self: &Arc<Self>, frame: Bytes) -> bool {
        self.push_all(std::slice::from_ref(&frame))
    }

    /// Queues frames that follow each other, to be written together.
    pub fn push_all(self: &Arc<Self>, frames: &[Bytes]) -> bool {
        let mut state = self.state();
        if state.gone || state.ending.is_some() {
            return false;
        }
        for frame in frames {
            // Checked before adding: one answer larger than the cap may still go out alone.
            if state.bytes > self.max_bytes {
                state.ending = Some(Ending::TooSlow);
                state.frames = VecDeque::new();
                metrics::counter!("rookery_sockets_too_slow_total").increment(1);
                break;
            }
            state.bytes += frame.len();
            state.frames.push_back(frame.clone());
        }
        let open = state.ending.is_none();
        self.call_writer(state);
        open
    }

    /// Queues an answer that goes out before the events that wait for `hello`.
    pub fn push_early(self: &Arc<Self>, frame: Bytes) {
        let mut state = self.state();
        if state.ending.is_none() && !state.gone && state.early.len() < FRAMES_A_WRITE {
            state.bytes += frame.len();
            state.early.push_back(frame);
        }
        self.call_writer(state);
    }

    /// Puts the answer to `hello` before the events that came meanwhile, and lets all out.
    pub fn uncork(self: &Arc<Self>, first: Bytes) {
        self.push_early(first);
        self.let_out();
    }

    /// Lets out what waits, and all that follows.
    pub fn let_out(self: &Arc<Self>) {
        let mut state = self.state();
        state.corked = false;
        self.call_writer(state);
    }

    /// Ends the socket after what is queued, which stays in order before the close frame.
    pub fn end(self: &Arc<Self>, ending: Ending) {
        let mut state = self.state();
        if state.ending.is_none() {
            state.ending = Some(ending);
        }
        state.corked = false;
        self.call_writer(state);
    }

    /// Something has changed: whoever writes has to know, if it is anything to be written.
    fn call_writer(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        match state.turn {
            Turn::Resting if state.has_work() => {
                state.turn = Turn::Due;
                drop(state);
                if let Some(writer) = self.writer.get() {
                    writer.call(self.clone());
                }
            }
            Turn::Apart => {
                drop(state);
                self.changed.notify_one();
            }
            Turn::Unconnected | Turn::Resting | Turn::Due => {}
        }
    }

    pub fn is_open(&self) -> bool {
        let state = self.state();
        state.ending.is_none() && !state.gone
    }

    /// Bytes that wait to be written.
    pub fn waiting(&self) -> usize {
        self.state().bytes
    }

    pub fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// The reader saw the other side close.
    pub fn peer_closed(self: &Arc<Self>) {
        self.end(Ending::Normal);
        self.heard_close.notify_one();
    }

    /// Until the other side has closed.
    pub async fn until_peer_closed(&self) {
        self.heard_close.notified().await;
    }

    /// For who writes: so many bytes are written; what follows is put into `frames`, which is
    /// empty.
    pub fn next(&self, written: usize, frames: &mut Vec<Bytes>) -> Next {
        let mut state = self.state();
        state.bytes = state.bytes.saturating_sub(written);
        frames.extend(state.early.drain(..));
        if !state.corked {
            let count = state.frames.len().min(FRAMES_A_WRITE - frames.len());
            frames.extend(state.frames.drain(..count));
        }
        match state.ending {
            _ if !frames.is_empty() => Next::Write,
            Some(ending) => {
                state.turn = Turn::Apart;
                Next::End(ending)
            }
            None => {
                state.turn = Turn::Resting;
                if state.frames.is_empty() {
                    // An idle connection keeps no buffer.
                    state.frames = VecDeque::new();
                }
                state.early = VecDeque::new();
                Next::Rest
            }
        }
    }

    /// Whether it was cut off as too slow; what is in the kernel's hands may still leave.
    pub fn is_too_slow(&self) -> bool {
        self.state().ending == Some(Ending::TooSlow)
    }

    /// For the task that writes apart: until something has changed.
    pub async fn until_changed(&self) {
        self.changed.notified().await;
    }

    /// From now on a task of its own writes, with the connection that this returns.
    pub fn set_apart(&self) -> Option<OwnedWriteHalf> {
        self.state().turn = Turn::Apart;
        self.take_connection()
    }

    /// Nothing can be said any more.
    pub fn set_gone(&self) {
        let mut state = self.state();
        state.gone = true;
        state.turn = Turn::Apart;
        state.frames = VecDeque::new();
        state.early = VecDeque::new();
    }

    fn connection(&self) -> MutexGuard<'_, Option<OwnedWriteHalf>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the connection makes of this; `None` where it is not here.
    pub fn with_connection<T>(&self, write: impl FnOnce(&OwnedWriteHalf) -> T) -> Option<T> {
        self.connection().as_ref().map(write)
    }

    pub fn take_connection(&self) -> Option<OwnedWriteHalf> {
        self.connection().take()
    }

    pub fn put_connection(&self, connection: OwnedWriteHalf) {
        *self.connection() = Some(connection);
    }
}
