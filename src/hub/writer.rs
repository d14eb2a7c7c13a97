//! What writes the outbound queues: one for each thread that has sockets.
//!
//! Whoever queues a frame puts the socket on the list of its thread's writer, unless it stands there
//! already, and wakes the writer, unless it is awake. The writer goes down the list and gives the
//! kernel what has gathered for each socket in one write: no task is woken for a member of a room,
//! and while the list is worked through, more gathers.
//!
//! A socket whose kernel buffer is full leaves the list for a task of its own until it has caught
//! up; so does one that ends. There are few of those, and they may take their time.

use std::cell::OnceCell;
use std::io::{ErrorKind, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix_http::ws::Parser;
use bytes::{Buf, Bytes, BytesMut};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::outbound::{Ending, FRAMES_A_WRITE, Next, Outbound};

/// A reader that takes longer than this for what was written is gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a close frame may take to leave, and the peer to answer it.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// The sockets of one thread that have something to be written.
#[derive(Debug, Default)]
pub struct Writer {
    due: Mutex<Vec<Arc<Outbound>>>,
    woken: Notify,
}

thread_local! {
    static HERE: OnceCell<Arc<Writer>> = const { OnceCell::new() };
}

impl Writer {
    /// The one of this thread, which is an actix one.
    pub fn here() -> Arc<Writer> {
        HERE.with(|here| {
            let begin = || {
                let writer = Arc::new(Writer::default());
                actix_rt::spawn(write_what_is_due(writer.clone()));
                writer
            };
            here.get_or_init(begin).clone()
        })
    }

    /// This socket, which was not on the list, has something to be written.
    pub fn call(&self, outbound: Arc<Outbound>) {
        let mut due = self.due();
        due.push(outbound);
        let is_first = due.len() == 1;
        drop(due);
        if is_first {
            self.woken.notify_one();
        }
    }

    fn due(&self) -> MutexGuard<'_, Vec<Arc<Outbound>>> {
        // A panic while holding it leaves a list that is still a list.
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn write_what_is_due(writer: Arc<Writer>) {
    let (mut due, mut frames) = (Vec::new(), Vec::with_capacity(FRAMES_A_WRITE));
    loop {
        std::mem::swap(&mut due, &mut *writer.due());
        if due.is_empty() {
            writer.woken.notified().await;
            continue;
        }
        let mut writes = 0;
        for outbound in due.drain(..) {
            writes += write(outbound, &mut frames);
        }
        metrics::counter!("rookery_socket_writes_total").increment(writes);
        // The sockets of this thread are read as well; and more may gather meanwhile.
        tokio::task::yield_now().await;
    }
}

/// Writes what waits for one socket, as far as the kernel takes it. Returns how often it was asked.
fn write(outbound: Arc<Outbound>, frames: &mut Vec<Bytes>) -> u64 {
    let (mut written, mut writes) = (0, 0);
    loop {
        frames.clear();
        match outbound.next(written, frames) {
            Next::Write => {}
            Next::Rest => return writes,
            Next::End(ending) => {
                actix_rt::spawn(end(outbound, ending));
                return writes;
            }
        }
        writes += 1;
        let bytes = frames.iter().map(Bytes::len).sum();
        let given = outbound.with_connection(|connection| give(connection, frames));
        match given {
            Some(Ok(count)) if count == bytes => written = bytes,
            Some(Ok(count)) => {
                actix_rt::spawn(write_apart(outbound, rest(frames, count), bytes));
                return writes;
            }
            Some(Err(error)) if error.kind() == ErrorKind::WouldBlock => {
                actix_rt::spawn(write_apart(outbound, std::mem::take(frames), bytes));
                return writes;
            }
            Some(Err(_)) | None => {
                let connection = outbound.take_connection();
                let_go(&outbound, connection, true);
                return writes;
            }
        }
    }
}

fn give(connection: &OwnedWriteHalf, frames: &[Bytes]) -> std::io::Result<usize> {
    let mut slices = [IoSlice::new(&[]); FRAMES_A_WRITE];
    let count = frames.len().min(slices.len());
    slices.iter_mut().zip(frames).for_each(|(slice, frame)| *slice = IoSlice::new(frame));
    connection.try_write_vectored(&slices[..count])
}

/// What is left of these frames after so many bytes.
fn rest(frames: &mut Vec<Bytes>, mut written: usize) -> Vec<Bytes> {
    let mut left = std::mem::take(frames);
    left.retain_mut(|frame| {
        let part = written.min(frame.len());
        frame.advance(part);
        written -= part;
        !frame.is_empty()
    });
    left
}

/// Writes what the kernel did not take, of so many bytes in all, and all that follows, until the
/// socket has caught up or ends.
async fn write_apart(outbound: Arc<Outbound>, mut frames: Vec<Bytes>, mut bytes: usize) {
    let Some(mut connection) = outbound.set_apart() else { return };
    loop {
        let written = {
            let write = timeout(WRITE_TIMEOUT, write_all(&connection, &mut frames));
            tokio::pin!(write);
            tokio::select! {
                written = &mut write => written.is_ok_and(|written| written.is_ok()),
                // It may be about to catch up, and a close frame can only follow a whole frame.
                () = until_too_slow(&outbound) => {
                    matches!(timeout(CLOSE_TIMEOUT, write).await, Ok(Ok(Ok(()))))
                }
            }
        };
        if !written {
            return let_go(&outbound, Some(connection), true);
        }
        // Before anybody may call the writer again.
        outbound.put_connection(connection);
        frames.clear();
        match outbound.next(bytes, &mut frames) {
            Next::Rest => return,
            Next::End(ending) => return end(outbound, ending).await,
            Next::Write => bytes = frames.iter().map(Bytes::len).sum(),
        }
        match outbound.take_connection() {
            Some(again) => connection = again,
            None => return,
        }
    }
}

async fn write_all(connection: &OwnedWriteHalf, frames: &mut Vec<Bytes>) -> std::io::Result<()> {
    while !frames.is_empty() {
        connection.writable().await?;
        match give(connection, frames) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => *frames = rest(frames, count),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn until_too_slow(outbound: &Outbound) {
    while !outbound.is_too_slow() {
        outbound.until_changed().await;
    }
}

/// Says goodbye, and closes the connection both ways.
async fn end(outbound: Arc<Outbound>, ending: Ending) {
    let Some(connection) = outbound.take_connection() else { return };
    let mut close = BytesMut::new();
    Parser::write_close(&mut close, Some(ending.reason()), false);
    let sent = timeout(CLOSE_TIMEOUT, write_all(&connection, &mut vec![close.freeze()])).await;
    if matches!(sent, Ok(Ok(()))) {
        let _ = timeout(CLOSE_TIMEOUT, outbound.until_peer_closed()).await;
    }
    let_go(&outbound, Some(connection), ending == Ending::TooSlow);
}

/// Ends the connection; where it is `abrupt`, the kernel drops what it still holds for a reader that
/// does not read.
fn let_go(outbound: &Outbound, connection: Option<OwnedWriteHalf>, abrupt: bool) {
    outbound.set_gone();
    let Some(connection) = connection else { return };
    let socket = socket2::SockRef::from(connection.as_ref());
    if abrupt {
        let _ = socket.set_linger(Some(Duration::ZERO));
    }
    let _ = socket.shutdown(std::net::Shutdown::Both);
}
