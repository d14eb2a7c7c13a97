//! The outbound queue of one socket, and the task that writes it.
//!
//! Rooms push ready frames, the same bytes to everyone; the writer sends what has gathered in one
//! go. The queue is capped in bytes: a socket that does not read is cut off with 4408, and what
//! waited for it is given back at once. It resumes from its position when it comes again.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix_http::ws::{CloseCode, CloseReason, OpCode, Parser};
use bytes::{Bytes, BytesMut};
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Notify;
use tokio::time::timeout;

/// A reader that takes longer than this for what was written is gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a close frame may take to leave, and the peer to answer it.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// Frames in one write at the most.
const FRAMES_A_WRITE: usize = 64;

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
    fn reason(self) -> CloseReason {
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

#[derive(Debug, Default)]
struct State {
    frames: VecDeque<Bytes>,
    bytes: usize,
    /// Answers that need not wait for the cork.
    early: VecDeque<Bytes>,
    /// Events wait until `hello` has been answered.
    corked: bool,
    ending: Option<Ending>,
    /// The writer has gone; nothing can be said any more.
    gone: bool,
}

/// Shared by everyone who has something to say to one socket.
#[derive(Debug)]
pub struct Outbound {
    state: Mutex<State>,
    changed: Notify,
    /// The other side closed, or its connection ended.
    heard_close: Notify,
    max_bytes: usize,
}

impl Outbound {
    pub fn new(max_bytes: usize) -> Arc<Outbound> {
        Arc::new(Outbound {
            state: Mutex::new(State { corked: true, ..State::default() }),
            changed: Notify::new(),
            heard_close: Notify::new(),
            max_bytes,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while holding it leaves a queue that is still a queue.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a frame. Past the cap the socket ends with 4408. Returns whether it is still open.
    pub fn push(&self, frame: Bytes) -> bool {
        let mut state = self.state();
        if state.gone || state.ending.is_some() {
            return false;
        }
        // Checked before adding: one answer larger than the cap may still go out alone.
        if state.bytes > self.max_bytes {
            state.ending = Some(Ending::TooSlow);
            state.frames = VecDeque::new();
            metrics::counter!("rookery_sockets_too_slow_total").increment(1);
        } else {
            state.bytes += frame.len();
            state.frames.push_back(frame);
        }
        let open = state.ending.is_none();
        drop(state);
        self.changed.notify_one();
        open
    }

    /// Queues an answer that goes out before the events that wait for `hello`.
    pub fn push_early(&self, frame: Bytes) {
        let mut state = self.state();
        if state.ending.is_none() && state.early.len() < FRAMES_A_WRITE {
            state.bytes += frame.len();
            state.early.push_back(frame);
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Puts the answer to `hello` before the events that came meanwhile, and lets all out.
    pub fn uncork(&self, first: Bytes) {
        self.push_early(first);
        self.let_out();
    }

    /// Lets out what waits, and all that follows.
    pub fn let_out(&self) {
        self.state().corked = false;
        self.changed.notify_one();
    }

    /// Ends the socket after what is queued, which stays in order before the close frame.
    pub fn end(&self, ending: Ending) {
        let mut state = self.state();
        if state.ending.is_none() {
            state.ending = Some(ending);
        }
        state.corked = false;
        drop(state);
        self.changed.notify_one();
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
    pub fn peer_closed(&self) {
        self.end(Ending::Normal);
        self.heard_close.notify_one();
    }

    fn take(&self, into: &mut Vec<Bytes>) -> Option<Ending> {
        let mut state = self.state();
        into.extend(state.early.drain(..));
        if !state.corked {
            let count = state.frames.len().min(FRAMES_A_WRITE);
            into.extend(state.frames.drain(..count));
        }
        match into.is_empty() {
            true => state.ending,
            false => None,
        }
    }

    fn written(&self, bytes: usize) {
        let mut state = self.state();
        state.bytes = state.bytes.saturating_sub(bytes);
        if state.frames.is_empty() {
            // An idle connection keeps no buffer.
            state.frames = VecDeque::new();
            state.early = VecDeque::new();
        }
    }

    async fn too_slow(&self) {
        loop {
            let changed = self.changed.notified();
            if self.state().ending == Some(Ending::TooSlow) {
                return;
            }
            changed.await;
        }
    }
}

/// Writes the queue to the socket until it ends, then closes the connection both ways.
pub async fn drive(queue: Arc<Outbound>, mut socket: OwnedWriteHalf) {
    let ending = write_until_end(&queue, &mut socket).await;
    if let Some(ending) = ending {
        let mut close = BytesMut::new();
        Parser::write_close(&mut close, Some(ending.reason()), false);
        let sent = timeout(CLOSE_TIMEOUT, socket.write_all(&close)).await;
        if matches!(sent, Ok(Ok(()))) {
            let _ = timeout(CLOSE_TIMEOUT, queue.heard_close.notified()).await;
        }
    }
    let mut state = queue.state();
    state.gone = true;
    state.frames = VecDeque::new();
    drop(state);
    let socket = socket2::SockRef::from(socket.as_ref());
    if ending.is_none() || ending == Some(Ending::TooSlow) {
        // The kernel drops what it still holds for a reader that does not read.
        let _ = socket.set_linger(Some(Duration::ZERO));
    }
    let _ = socket.shutdown(std::net::Shutdown::Both);
}

/// Returns why it ended, or `None` where the connection is broken or a frame half written, so
/// that no close frame can follow.
async fn write_until_end(queue: &Outbound, socket: &mut OwnedWriteHalf) -> Option<Ending> {
    let mut frames = Vec::new();
    loop {
        let changed = queue.changed.notified();
        if let Some(ending) = queue.take(&mut frames) {
            return Some(ending);
        }
        if frames.is_empty() {
            changed.await;
            continue;
        }
        let bytes = frames.iter().map(Bytes::len).sum();
        let written = {
            let write = timeout(WRITE_TIMEOUT, write_all(socket, &mut frames));
            tokio::pin!(write);
            tokio::select! {
                written = &mut write => written,
                // It may be about to catch up, and a close frame can only follow a whole frame.
                () = queue.too_slow() => timeout(CLOSE_TIMEOUT, write).await.ok()?,
            }
        };
        match written {
            Ok(Ok(())) => queue.written(bytes),
            Ok(Err(_)) | Err(_) => return None,
        }
        frames.clear();
    }
}

async fn write_all(socket: &mut OwnedWriteHalf, frames: &mut [Bytes]) -> std::io::Result<()> {
    let mut slices: Vec<IoSlice> = frames.iter().map(|frame| IoSlice::new(frame)).collect();
    let mut left = &mut slices[..];
    while !left.is_empty() {
        match socket.write_vectored(left).await? {
            0 => return Err(std::io::ErrorKind::WriteZero.into()),
            written => IoSlice::advance_slices(&mut left, written),
        }
    }
    Ok(())
}
