//! What writes the outbound queues: one for each thread that has sockets.
//!
//! Whoever queues a frame for a socket whose connection lies idle hands that to the writer of its
//! thread, and wakes it, unless it is awake. The writer goes down its list and gives the kernel
//! what has gathered for each socket in one write: no task is woken for a member of a room, and
//! while the list is worked through, more gathers.
//!
//! A socket whose kernel buffer is full leaves the list for a task of its own until the kernel has
//! taken the rest; so does one that ends. There are few of those, and they may take their time.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{ErrorKind, IoSlice, Result};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use actix_http::ws::Parser;
use bytes::{Bytes, BytesMut};
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::outbound::{Due, Ending, FRAMES_A_WRITE, Outbound};

/// For how long sockets are written before others of the thread's tasks have their turn.
const A_TURN: Duration = Duration::from_millis(1);
/// A reader that takes longer than this for what was written is gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a close frame may take to leave, and the peer to answer it.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// The sockets of one thread that something waits for.
#[derive(Debug, Default)]
pub struct Writer {
    due: Mutex<VecDeque<Due>>,
    woken: Notify,
}

thread_local! {
    static HERE: RefCell<(Arc<Writer>, Option<JoinHandle<()>>)> = RefCell::default();
}

impl Writer {
    /// The one of this thread, which is an actix one.
    pub fn here() -> Arc<Writer> {
        HERE.with_borrow_mut(|(writer, task)| {
            // A thread may have one runtime after the other, and each needs a task of its own.
            if task.as_ref().is_none_or(JoinHandle::is_finished) {
                *task = Some(actix_rt::spawn(write_what_is_due(writer.clone())));
            }
            writer.clone()
        })
    }

    /// Something waits for this socket.
    pub fn call(&self, socket: Due) {
        let mut due = self.due();
        due.push_back(socket);
        let is_first = due.len() == 1;
        drop(due);
        if is_first {
            self.woken.notify_one();
        }
    }

    fn due(&self) -> MutexGuard<'_, VecDeque<Due>> {
        // A panic while holding it leaves a list that is still a list.
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn write_what_is_due(writer: Arc<Writer>) {
    let (mut due, mut frames) = (VecDeque::new(), Vec::with_capacity(FRAMES_A_WRITE));
    loop {
        due.append(&mut writer.due());
        if due.is_empty() {
            writer.woken.notified().await;
            continue;
        }
        let (began, before) = (Instant::now(), due.len());
        while began.elapsed() < A_TURN
            && let Some(socket) = due.pop_front()
        {
            write(socket, &mut frames);
        }
        let writes = before - due.len();
        metrics::counter!("rookery_socket_writes_total").increment(writes as u64);
        // The sockets of this thread are read as well; and more gathers meanwhile.
        tokio::task::yield_now().await;
    }
}

/// Writes once what waits for a socket.
fn write(Due { outbound, connection }: Due, frames: &mut Vec<Bytes>) {
    frames.clear();
    if let Some(ending) = outbound.take(frames) {
        actix_rt::spawn(end(outbound, connection, ending));
        return;
    }
    let bytes: usize = frames.iter().map(Bytes::len).sum();
    match give(&connection, frames) {
        Ok(written) if written == bytes => outbound.written(connection),
        Ok(written) => {
            let left = rest(frames, written);
            actix_rt::spawn(catch_up(Due { outbound, connection }, left));
        }
        Err(_) => let_go(&outbound, &connection, true),
    }
}

/// Gives the kernel these frames, FRAMES_A_WRITE at the most; returns how many bytes it took, which
/// may be none.
fn give(connection: &OwnedWriteHalf, frames: &[Bytes]) -> Result<usize> {
    let given = match frames {
        // The usual case; for the kernel it is less work than a vector of one.
        [one] => connection.as_ref().try_io(Interest::WRITABLE, || {
            SockRef::from(connection.as_ref()).send_with_flags(one, libc::MSG_NOSIGNAL)
        }),
        _ => {
            let mut slices = [IoSlice::new(&[]); FRAMES_A_WRITE];
            let count = frames.len().min(slices.len());
            slices.iter_mut().zip(frames).for_each(|(slice, frame)| *slice = IoSlice::new(frame));
            connection.try_write_vectored(&slices[..count])
        }
    };
    match given {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        given => given,
    }
}

/// What is left of these frames after so many bytes.
fn rest(frames: &[Bytes], mut written: usize) -> Vec<Bytes> {
    let left = frames.iter().map(|frame| {
        let part = written.min(frame.len());
        written -= part;
        frame.slice(part..)
    });
    left.filter(|frame| !frame.is_empty()).collect()
}

/// Writes what the kernel did not take at once.
async fn catch_up(Due { outbound, connection }: Due, left: Vec<Bytes>) {
    let is_written = {
        let write = timeout(WRITE_TIMEOUT, write_all(&connection, left));
        tokio::pin!(write);
        tokio::select! {
            written = &mut write => matches!(written, Ok(Ok(()))),
            // It may be about to catch up, and a close frame can only follow a whole frame.
            () = outbound.until_cut_off() => {
                matches!(timeout(CLOSE_TIMEOUT, write).await, Ok(Ok(Ok(()))))
            }
        }
    };
    match is_written {
        true => outbound.written(connection),
        false => let_go(&outbound, &connection, true),
    }
}

async fn write_all(connection: &OwnedWriteHalf, mut frames: Vec<Bytes>) -> Result<()> {
    while !frames.is_empty() {
        connection.writable().await?;
        let written = give(connection, &frames)?;
        frames = rest(&frames, written);
    }
    Ok(())
}

/// Says goodbye, and closes the connection both ways.
async fn end(outbound: Arc<Outbound>, connection: OwnedWriteHalf, ending: Ending) {
    let mut close = BytesMut::new();
    Parser::write_close(&mut close, Some(ending.reason()), false);
    let sent = timeout(CLOSE_TIMEOUT, write_all(&connection, vec![close.freeze()])).await;
    if matches!(sent, Ok(Ok(()))) {
        let _ = timeout(CLOSE_TIMEOUT, outbound.until_peer_closed()).await;
    }
    let_go(&outbound, &connection, ending == Ending::TooSlow);
}

/// Ends the connection; where it is `abrupt`, the kernel drops what it still holds for a reader
/// that does not read.
fn let_go(outbound: &Outbound, connection: &OwnedWriteHalf, abrupt: bool) {
    outbound.set_gone();
    let socket = SockRef::from(connection.as_ref());
    if abrupt {
        let _ = socket.set_linger(Some(Duration::ZERO));
    }
    let _ = socket.shutdown(std::net::Shutdown::Both);
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::hub::outbound::text_frame;

    const MOST: usize = 100_000;
    const LARGE: usize = 20_000;

    /// A client, and the queue of the socket that it is connected to, in which this was before. The
    /// kernel holds little.
    async fn connected(before: impl Fn(&Arc<Outbound>)) -> (TcpStream, Arc<Outbound>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        socket2::SockRef::from(&client).set_recv_buffer_size(4_096).unwrap();
        socket2::SockRef::from(&server).set_send_buffer_size(4_096).unwrap();
        let outbound = Outbound::new(MOST);
        before(&outbound);
        outbound.connect(server.into_split().1, Writer::here());
        (client, outbound)
    }

    /// One that has been greeted.
    async fn pair() -> (TcpStream, Arc<Outbound>) {
        connected(Outbound::let_out).await
    }

    fn frame(number: usize, size: usize) -> Bytes {
        let number = number.to_string();
        text_frame(("0".repeat(size - number.len()) + &number).as_bytes())
    }

    async fn all_of(client: &mut TcpStream) -> Vec<u8> {
        let mut heard = Vec::new();
        // One that was cut off ends with an error.
        let _ = client.read_to_end(&mut heard).await;
        heard
    }

    #[actix_rt::test]
    async fn what_is_pushed_comes_in_order_before_the_goodbye() {
        let (mut client, outbound) = pair().await;
        let frames: Vec<Bytes> = (0..200).map(|number| frame(number, 10)).collect();
        assert!(outbound.push(frames[0].clone()) && outbound.push(frames[1..100].concat().into()));
        tokio::task::yield_now().await;
        assert!(frames[100..].iter().all(|frame| outbound.push(frame.clone())));
        outbound.end(Ending::Draining);
        assert!(!outbound.push(frames[0].clone()), "after the end");
        let heard = all_of(&mut client).await;
        let (said, goodbye) = heard.split_at(frames.iter().map(Bytes::len).sum());
        assert_eq!(said, frames.concat());
        assert_eq!((goodbye[0], &goodbye[2..4]), (0x88, &1012_u16.to_be_bytes()[..]));
        assert_eq!(outbound.waiting(), 0);
    }

    #[actix_rt::test]
    async fn who_reads_late_misses_nothing_and_is_written_by_the_writer_again() {
        let (mut client, outbound) = pair().await;
        let frames: Vec<Bytes> = (0..4).map(|number| frame(number, LARGE)).collect();
        for frame in &frames {
            assert!(outbound.push(frame.clone()));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(outbound.waiting() > 0, "the kernel took all of it");
        let mut heard = vec![0; 4 * frames[0].len()];
        client.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard, frames.concat());
        while outbound.waiting() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(outbound.push(frame(7, 10)));
        let mut last = vec![0; 12];
        client.read_exact(&mut last).await.unwrap();
        assert_eq!(last, frame(7, 10));
    }

    #[actix_rt::test]
    async fn a_replay_waits_until_the_one_before_is_read() {
        let (mut client, outbound) = pair().await;
        let most = MOST / 4 * 3;
        let replays = [1, 2, 3].map(|number| vec![frame(number, LARGE); 3]);
        for replay in &replays {
            let asked = outbound.clone();
            let pushed = async move {
                while !asked.push_beside(replay, most) {
                    tokio::task::yield_now().await;
                }
            };
            let mut heard = vec![0; replay.concat().len()];
            assert!(outbound.push_beside(replay, most));
            assert!(!outbound.push_beside(replay, most), "the first one waits");
            let read = async { client.read_exact(&mut heard).await.map(drop) };
            let (read, ()) = tokio::join!(read, pushed);
            read.unwrap();
            client.read_exact(&mut heard).await.unwrap();
            assert_eq!(heard, replay.concat());
        }
        assert!(outbound.is_open() && outbound.push_beside(&[], 0));
    }

    #[actix_rt::test]
    async fn who_does_not_read_is_cut_off() {
        let (mut client, outbound) = pair().await;
        let is_open = (0..100).all(|number| outbound.push(frame(number, LARGE)));
        assert!(!is_open && !outbound.is_open());
        tokio::time::timeout(Duration::from_secs(10), all_of(&mut client)).await.unwrap();
        assert!(outbound.waiting() < MOST + 2 * LARGE);
    }

    #[actix_rt::test]
    async fn a_large_answer_is_no_reason_to_cut_somebody_off() {
        let (mut client, outbound) = pair().await;
        let (large, small) = (frame(1, 3 * MOST), frame(2, 10));
        assert!(outbound.push(large.clone()));
        tokio::task::yield_now().await;
        assert!((0..100).all(|_| outbound.push(small.clone())));
        let mut heard = vec![0; large.len() + 100 * small.len()];
        client.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard[large.len()..], small.repeat(100));
    }

    /// Whoever pings and does not read, or has not said hello, is owed one answer.
    #[actix_rt::test]
    async fn the_newest_ping_is_answered_whatever_waits() {
        let (mut client, outbound) = connected(|_| {}).await;
        assert!(outbound.push(frame(1, 10)));
        for number in 0..100_u8 {
            outbound.pong(&[number]);
        }
        let mut heard = [0; 3];
        client.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard, [0x8a, 1, 99]);
        assert_eq!(outbound.waiting(), frame(1, 10).len());
    }

    #[actix_rt::test]
    async fn answers_before_hello_are_all_given_or_the_socket_ends() {
        let (mut client, outbound) = connected(|_| {}).await;
        let answers: Vec<Bytes> = (0..200).map(|number| frame(number, 10)).collect();
        answers.iter().for_each(|answer| outbound.push_early(answer.clone()));
        let mut heard = vec![0; answers.concat().len()];
        client.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard, answers.concat());
        (0..100).for_each(|number| outbound.push_early(frame(number, LARGE)));
        assert!(!outbound.is_open());
    }

    #[actix_rt::test]
    async fn a_peer_that_is_gone_ends_it() {
        let (client, outbound) = pair().await;
        socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
        drop(client);
        while outbound.push(frame(1, 10)) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(!outbound.is_open());
    }

    #[actix_rt::test]
    async fn what_waits_before_there_is_a_connection_is_written_then() {
        let before = |outbound: &Arc<Outbound>| {
            outbound.push(frame(2, 10));
            outbound.push_early(frame(1, 10));
        };
        let (mut client, outbound) = connected(before).await;
        let mut heard = vec![0; 12];
        client.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard, frame(1, 10), "the other one waits for the answer to hello");
        outbound.let_out();
        client.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard, frame(2, 10));
    }
}
