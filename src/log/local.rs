//! The log on one machine: a SQLite file, one partition, nothing to install.
//!
//! One thread writes. It commits everything that waits as one transaction, so that a hundred
//! appends cost one sync of the disk, and then tells the readers: each has a thread of its own
//! that takes new entries from memory, or from the file once it has fallen behind.

mod bus;
mod queue;
mod reader;
mod writer;

use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use rusqlite::Connection;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use super::{
    Entry, FEED_BATCHES, Feed, Log, LogError, Outcome, Refused, Share, StoredOffsets, count,
};
pub use bus::LocalBus;
use queue::{Job, Queue};
use reader::{Committed, Reader};
use writer::BITE;

/// Entries that are kept for clients that resume, after the store has them.
const KEEP: i64 = 100_000;
/// The layout of the file, kept in its `user_version`.
const LAYOUT: i64 = 1;
/// How long to wait for another process to let go of the file, as in a quick restart.
const WAIT_FOR_LOCK: Duration = Duration::from_secs(2);
/// From one batch for the store to the next: each wakes three threads, and nobody waits for it as
/// for what rooms read.
const SHARE_PACE: Duration = Duration::from_millis(3);
const WAIT_FOR_CLOSE: Duration = Duration::from_secs(5);

/// A durable log in `log.db`. One process at a time may open it.
pub struct LocalLog {
    shared: Arc<Shared>,
    is_new: bool,
    finished: watch::Receiver<bool>,
}

/// What the writer, the readers and the handle have in common.
struct Shared {
    path: std::path::PathBuf,
    queue: Queue,
    committed: Committed,
    is_up: AtomicBool,
    /// The store has every entry before this offset.
    stored: AtomicI64,
    /// The newest call of `share`; the threads of earlier ones end.
    sharing: AtomicU64,
}

impl LocalLog {
    /// Opens the log in `dir`, or makes one.
    pub fn open(dir: &Path) -> Result<Arc<LocalLog>, LogError> {
        LocalLog::open_keeping(dir, KEEP)
    }

    fn open_keeping(dir: &Path, keep: i64) -> Result<Arc<LocalLog>, LogError> {
        let cannot = |error: &dyn std::fmt::Display| {
            LogError(format!("cannot open {}: {error}", dir.join("log.db").display()))
        };
        fs::create_dir_all(dir).map_err(|error| cannot(&error))?;
        let lock = lock_file(&dir.join("log.lock"))?;
        let path = dir.join("log.db");
        let file = connect(&path).map_err(|error| cannot(&error))?;
        let is_new = prepare(&file).map_err(|error| cannot(&error))?;
        let (first, end) = extent(&file).map_err(|error| cannot(&error))?;

        let shared = Arc::new(Shared {
            path,
            queue: Queue::default(),
            committed: Committed::starting_at(end),
            is_up: AtomicBool::new(true),
            stored: AtomicI64::new(0),
            sharing: AtomicU64::new(0),
        });
        let (done, finished) = watch::channel(false);
        let writer = writer::Writer::new(shared.clone(), file, first, end, keep);
        spawn("log-writer", move || {
            // Held as long as anything may be written.
            let _lock = lock;
            writer.run();
            // Whoever awaits the close has gone if this fails.
            let _ = done.send(true);
        })?;
        Ok(Arc::new(LocalLog { shared, is_new, finished }))
    }

    fn reader(&self, from: i64) -> Result<Reader, LogError> {
        Reader::open(self.shared.clone(), from)
            .map_err(|error| LogError(format!("cannot read the log: {error}")))
    }
}

#[async_trait]
impl Log for LocalLog {
    fn partitions(&self) -> u16 {
        1
    }

    fn partition_of(&self, _key: &str) -> u16 {
        0
    }

    fn is_new(&self) -> bool {
        self.is_new
    }

    fn append_with(&self, key: &str, value: Bytes, outcome: Outcome) -> Result<(), Refused> {
        let job = Job::Append { key: Arc::from(key), value, outcome };
        self.shared.queue.push(job).map_err(count::refused)
    }

    async fn follow(&self, from: Vec<i64>) -> Result<Feed, LogError> {
        let [from] = from[..] else {
            return Err(LogError(format!("{} offsets for 1 partition", from.len())));
        };
        let mut reader = self.reader(from)?;
        let (feed, entries) = mpsc::channel(FEED_BATCHES);
        spawn("log-follow", move || {
            while let Some(batch) = reader.next(|| feed.is_closed()) {
                if feed.blocking_send(batch).is_err() {
                    break;
                }
            }
        })?;
        Ok(entries)
    }

    async fn share(
        &self,
        stored: Arc<dyn StoredOffsets>,
    ) -> Result<mpsc::Receiver<Share>, LogError> {
        let mut reader = self.reader(0)?;
        let (feed, shares) = mpsc::channel(FEED_BATCHES);
        let shared = self.shared.clone();
        let mine = shared.sharing.fetch_add(1, Ordering::SeqCst) + 1;
        let runtime = Handle::current();
        spawn("log-share", move || {
            let over = || feed.is_closed() || shared.sharing.load(Ordering::SeqCst) != mine;
            let Some(from) = ask(&runtime, &*stored, over) else { return };
            reader.seek(from);
            let mut next = Some(Share::Assigned(vec![0]));
            while let Some(share) = next {
                if feed.blocking_send(share).is_err() {
                    return;
                }
                thread::sleep(SHARE_PACE);
                next = reader.next(over).map(Share::Entries);
            }
        })?;
        Ok(shares)
    }

    async fn ends(&self) -> Result<Vec<i64>, LogError> {
        Ok(vec![self.shared.committed.end()])
    }

    fn stored(&self, _partition: u16, next: i64) {
        let before = self.shared.stored.fetch_max(next, Ordering::SeqCst);
        // The writer trims a bite at a time.
        if before / BITE < next / BITE {
            self.shared.queue.nudge();
        }
    }

    fn quarantine(&self, entry: &Entry, reason: &str) {
        let job = Job::Quarantine { entry: entry.clone(), reason: reason.to_owned() };
        if self.shared.queue.push(job).is_err() {
            tracing::warn!(offset = entry.offset, reason, "no room to quarantine an entry");
        }
    }

    fn is_up(&self) -> bool {
        self.shared.is_up.load(Ordering::SeqCst)
    }

    async fn close(&self) {
        self.shared.queue.close();
        let mut finished = self.finished.clone();
        if tokio::time::timeout(WAIT_FOR_CLOSE, finished.wait_for(|done| *done)).await.is_err() {
            tracing::warn!("the log is still writing what was queued");
        }
    }
}

impl Drop for LocalLog {
    fn drop(&mut self) {
        self.shared.queue.close();
    }
}

/// Asks the store where to start, for as long as it takes; `None` when nobody waits any more.
fn ask(runtime: &Handle, stored: &dyn StoredOffsets, over: impl Fn() -> bool) -> Option<i64> {
    while !over() {
        match runtime.block_on(stored.next_offset(0)) {
            Ok(from) => return Some(from),
            Err(error) => tracing::warn!(%error, "the store does not say where it stands"),
        }
        thread::sleep(Duration::from_millis(250));
    }
    None
}

/// Two processes that write the same file would hand out the same offsets.
fn lock_file(path: &Path) -> Result<File, LogError> {
    let cannot = |error| LogError(format!("cannot lock {}: {error}", path.display()));
    let file = File::options().create(true).append(true).open(path).map_err(cannot)?;
    let deadline = Instant::now() + WAIT_FOR_LOCK;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(cannot(error)),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(20));
            }
            Err(TryLockError::WouldBlock) => {
                let name = path.display();
                return Err(LogError(format!("another process has this log open ({name})")));
            }
        }
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let file = Connection::open(path)?;
    file.busy_timeout(Duration::from_secs(5))?;
    file.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    file.pragma_update(None, "synchronous", "FULL")?;
    Ok(file)
}

/// Makes the tables of a new file; says whether it did.
fn prepare(file: &Connection) -> Result<bool, Box<dyn std::error::Error>> {
    let layout: i64 = file.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if layout > LAYOUT {
        return Err(format!("it is of layout {layout}; this hub knows {LAYOUT}").into());
    }
    if layout == LAYOUT {
        return Ok(false);
    }
    file.execute_batch(&format!(
        "BEGIN IMMEDIATE;
         CREATE TABLE entries (
             offset INTEGER PRIMARY KEY, key TEXT NOT NULL, value BLOB NOT NULL) STRICT;
         CREATE TABLE quarantine (
             offset INTEGER PRIMARY KEY, key TEXT NOT NULL, value BLOB NOT NULL,
             reason TEXT NOT NULL) STRICT;
         CREATE TABLE tries (count INTEGER NOT NULL) STRICT;
         INSERT INTO tries VALUES (0);
         PRAGMA user_version = {LAYOUT};
         COMMIT;"
    ))?;
    Ok(true)
}

/// The first offset in the file, and the one after the last.
fn extent(file: &Connection) -> rusqlite::Result<(i64, i64)> {
    file.query_row(
        "SELECT coalesce((SELECT min(offset) FROM entries), 0),
                coalesce((SELECT max(offset) FROM entries) + 1, 0)",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), LogError> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map(drop)
        .map_err(|error| LogError(format!("cannot start a thread: {error}")))
}

#[cfg(test)]
mod tests;
