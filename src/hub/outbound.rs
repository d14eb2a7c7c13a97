//! The outbound queue of one socket.
//!
//! Rooms push ready frames, the same bytes to everyone; the writer of the socket's thread sends
//! what has gathered in one go (`writer.rs`). The queue is capped in bytes: a socket that does not
//! read is cut off with 4408, and what waited for it is given back at once. It resumes from its
//! position when it comes again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use actix_http::ws::{CloseCode, CloseReason, OpCode, Parser};
use bytes::{Bytes, BytesMut};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Notify;

use super::writer::Writer;

/// Frames in one write at the most.
pub const FRAMES_A_WRITE: usize = 64;
/// Bytes in one write, but for its last frame: a slow reader has some time for each write.
const BYTES_A_WRITE: usize = 64 * 1024;
/// How often it is looked whether a reader has made place.
const LOOK_EVERY: Duration = Duration::from_millis(10);

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

fn frame(payload: &[u8], kind: OpCode) -> Bytes {
    let mut bytes = BytesMut::with_capacity(payload.len() + 10);
    Parser::write_message(&mut bytes, payload, kind, true, false);
    bytes.freeze()
}

/// Who has the connection.
#[derive(Debug, Default)]
enum Turn {
    /// Nobody: there is none yet.
    #[default]
    Unconnected,
    /// It lies here, since nothing waits.
    Resting(OwnedWriteHalf),
    /// The writer, or a task of its own.
    Writing,
    /// Nobody any more: nothing can be said.
    Gone,
}

/// Frames that wait, in their order. Mostly there is one, for which nothing is allocated.
#[derive(Debug, Default)]
struct Frames {
    first: Option<Bytes>,
    rest: VecDeque<Bytes>,
}

impl Frames {
    fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    fn push(&mut self, frame: Bytes) {
        match &self.first {
            None => self.first = Some(frame),
            Some(_) => self.rest.push_back(frame),
        }
    }

    fn pop(&mut self) -> Option<Bytes> {
        std::mem::replace(&mut self.first, self.rest.pop_front())
    }
}

#[derive(Debug, Default)]
struct State {
    frames: Frames,
    /// Answers that need not wait for the cork.
    early: Frames,
    /// The answer to the newest ping, which is the only one that is owed (RFC 6455, section 5.5.3).
    pong: Option<Bytes>,
    /// What that weighs which is being written.
    taken: usize,
    /// What all that waits weighs, with what is being written.
    weight: usize,
    /// Events wait until `hello` has been answered.
    corked: bool,
    ending: Option<Ending>,
    turn: Turn,
}

impl State {
    fn is_open(&self) -> bool {
        self.ending.is_none() && !matches!(self.turn, Turn::Gone)
    }

    fn has_work(&self) -> bool {
        let has_frames = !self.corked && !self.frames.is_empty();
        has_frames || !self.early.is_empty() || self.pong.is_some() || self.ending.is_some()
    }

    /// Takes the connection, if it lies here, to write to it.
    fn take_connection(&mut self) -> Option<OwnedWriteHalf> {
        match std::mem::take(&mut self.turn) {
            Turn::Resting(connection) => {
                self.turn = Turn::Writing;
                Some(connection)
            }
            other => {
                self.turn = other;
                None
            }
        }
    }

    fn forget_what_waits(&mut self) {
        (self.frames, self.early, self.pong) = Default::default();
        self.weight = self.taken;
    }
}

/// Shared by everyone who has something to say to one socket.
#[derive(Debug)]
pub struct Outbound {
    state: Mutex<State>,
    writer: OnceLock<Arc<Writer>>,
    /// It was found too slow.
    cut_off: Notify,
    /// The other side closed, or its connection ended.
    heard_close: Notify,
    max_bytes: usize,
}

impl Outbound {
    pub fn new(max_bytes: usize) -> Arc<Outbound> {
        Arc::new(Outbound {
            state: Mutex::new(State { corked: true, ..State::default() }),
            writer: OnceLock::new(),
            cut_off: Notify::new(),
            heard_close: Notify::new(),
            max_bytes,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while holding it leaves a queue that is still a queue.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There is a connection: what waits is written to it by this writer.
    pub fn connect(self: &Arc<Self>, connection: OwnedWriteHalf, writer: Arc<Writer>) {
        let _ = self.writer.set(writer);
        let mut state = self.state();
        state.turn = Turn::Resting(connection);
        self.call_writer(state);
    }

    /// Queues a frame, or several as one. Past the cap the socket ends with 4408. Returns whether
    /// it is still open.
    pub fn push(self: &Arc<Self>, frame: Bytes) -> bool {
        self.queue(frame, |state| &mut state.frames)
    }

    /// Queues these frames if they weigh no more than `most` together with what waits, or hardly
    /// anything waits; says whether it did. Who resumes many rooms reads one replay before the next
    /// comes, and is not too slow for that.
    pub fn push_beside(self: &Arc<Self>, frames: &[Bytes], most: usize) -> bool {
        let mut state = self.state();
        if frames.is_empty() || !state.is_open() {
            return true;
        }
        let weight = frames.iter().map(|frame| self.weigh(frame)).sum();
        if !has_place(state.weight, weight, most) {
            return false;
        }
        state.weight += weight;
        frames.iter().for_each(|frame| state.frames.push(frame.clone()));
        self.call_writer(state);
        true
    }

    /// Whether so much would be queued beside what waits now.
    pub fn has_place_beside(&self, weight: usize, most: usize) -> bool {
        has_place(self.waiting(), weight, most)
    }

    /// Queues an answer that goes out before the events that wait for `hello`.
    pub fn push_early(self: &Arc<Self>, frame: Bytes) {
        self.queue(frame, |state| &mut state.early);
    }

    fn queue(self: &Arc<Self>, frame: Bytes, to: fn(&mut State) -> &mut Frames) -> bool {
        let mut state = self.state();
        if !state.is_open() || frame.is_empty() {
            return state.is_open();
        }
        let has_room = state.weight <= self.max_bytes;
        if has_room {
            state.weight += self.weigh(&frame);
            to(&mut state).push(frame);
        } else {
            state.ending = Some(Ending::TooSlow);
            state.forget_what_waits();
            self.cut_off.notify_one();
            metrics::counter!("rookery_sockets_too_slow_total").increment(1);
        }
        self.call_writer(state);
        has_room
    }

    /// Answers a ping, instead of those before it that were not answered yet.
    pub fn pong(self: &Arc<Self>, payload: &[u8]) {
        let mut state = self.state();
        if state.is_open() {
            state.pong = Some(frame(payload, OpCode::Pong));
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

    /// Gives the writer the connection, if there is something to be written and nobody has it.
    fn call_writer(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        let Some(writer) = self.writer.get().filter(|_| state.has_work()) else { return };
        if let Some(connection) = state.take_connection() {
            drop(state);
            writer.call(Due { outbound: self.clone(), connection });
        }
    }

    pub fn is_open(&self) -> bool {
        self.state().is_open()
    }

    /// In bytes, but no more than three quarters of the cap: a large answer to somebody who reads
    /// leaves room for the events that follow it.
    fn weigh(&self, frame: &Bytes) -> usize {
        frame.len().min(self.max_bytes / 4 * 3)
    }

    /// Bytes that wait to be written, nearly.
    pub fn waiting(&self) -> usize {
        self.state().weight
    }

    /// Until no more waits than half of what may, or nothing can be said any more.
    pub async fn until_half_empty(&self) {
        while self.is_open() && self.waiting() > self.max_bytes / 2 {
            tokio::time::sleep(LOOK_EVERY).await;
        }
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

    /// Until it is found too slow.
    pub async fn until_cut_off(&self) {
        while self.state().ending != Some(Ending::TooSlow) {
            self.cut_off.notified().await;
        }
    }

    /// Takes what is to be written next; where there is nothing, returns whether and how the socket
    /// ends.
    pub fn take(&self, into: &mut Vec<Bytes>) -> Option<Ending> {
        let mut state = self.state();
        let State { early, frames, corked, .. } = &mut *state;
        let mut bytes = 0;
        while into.len() < FRAMES_A_WRITE
            && bytes < BYTES_A_WRITE
            && let Some(frame) = early.pop().or_else(|| if *corked { None } else { frames.pop() })
        {
            bytes += frame.len();
            into.push(frame);
        }
        state.taken = into.iter().map(|frame| self.weigh(frame)).sum();
        if into.len() < FRAMES_A_WRITE {
            into.extend(state.pong.take());
        }
        state.ending.filter(|_| into.is_empty())
    }

    /// What was taken is written: gives the connection back, for what waits by now.
    pub fn written(self: &Arc<Self>, connection: OwnedWriteHalf) {
        let mut state = self.state();
        state.weight = state.weight.saturating_sub(std::mem::take(&mut state.taken));
        state.turn = Turn::Resting(connection);
        // An idle connection keeps no buffer.
        if state.frames.is_empty() {
            state.frames = Frames::default();
        }
        if state.early.is_empty() {
            state.early = Frames::default();
        }
        self.call_writer(state);
    }

    /// Nothing can be said any more.
    pub fn set_gone(&self) {
        let mut state = self.state();
        state.turn = Turn::Gone;
        state.forget_what_waits();
    }
}

/// A little that waits is never in the way: in a busy room there always is.
fn has_place(waiting: usize, weight: usize, most: usize) -> bool {
    waiting <= most / 8 || waiting + weight <= most
}

/// A socket that something waits for, and its connection.
#[derive(Debug)]
pub struct Due {
    pub outbound: Arc<Outbound>,
    pub connection: OwnedWriteHalf,
}
