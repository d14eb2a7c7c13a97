//! What has been committed, and who reads it: from memory while it keeps up, else from the file.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use rusqlite::{Connection, OpenFlags};

use super::Shared;
use crate::log::{BATCH_BYTES, BATCH_ENTRIES, Entry, lock};

/// The newest entries, kept in memory for readers that keep up.
const RECENT: usize = 10_000;
const RECENT_BYTES: usize = 8 << 20;
/// How long a reader takes to notice that nobody reads from it any more.
const GLANCE: Duration = Duration::from_millis(250);

/// How far the log reaches, with its newest entries.
pub(super) struct Committed {
    inner: Mutex<Inner>,
    grown: Condvar,
}

struct Inner {
    end: i64,
    /// Those right before the end, without a gap.
    recent: VecDeque<Entry>,
    bytes: usize,
    closed: bool,
}

impl Committed {
    pub fn starting_at(end: i64) -> Committed {
        let inner = Inner { end, recent: VecDeque::new(), bytes: 0, closed: false };
        Committed { inner: Mutex::new(inner), grown: Condvar::new() }
    }

    pub fn end(&self) -> i64 {
        lock(&self.inner).end
    }

    pub fn push(&self, entries: Vec<Entry>) {
        let mut inner = lock(&self.inner);
        inner.end += entries.len() as i64;
        inner.bytes += entries.iter().map(Entry::bytes).sum::<usize>();
        inner.recent.extend(entries);
        while inner.recent.len() > RECENT || inner.bytes > RECENT_BYTES {
            let oldest = inner.recent.pop_front().map_or(0, |entry| entry.bytes());
            inner.bytes -= oldest;
        }
        drop(inner);
        self.grown.notify_all();
    }

    /// The file turned out to hold more than was known: readers get it from there.
    pub fn jump_to(&self, end: i64) {
        let mut inner = lock(&self.inner);
        inner.end = end;
        inner.recent.clear();
        inner.bytes = 0;
        drop(inner);
        self.grown.notify_all();
    }

    pub fn close(&self) {
        lock(&self.inner).closed = true;
        self.grown.notify_all();
    }

    /// Waits a moment for entries from this offset on.
    fn after(&self, at: i64) -> Found {
        let quiet = |inner: &mut Inner| inner.end <= at && !inner.closed;
        let (inner, _) = self
            .grown
            .wait_timeout_while(lock(&self.inner), GLANCE, quiet)
            .unwrap_or_else(PoisonError::into_inner);
        if inner.end <= at {
            return if inner.closed { Found::Over } else { Found::Nothing };
        }
        let first = inner.end - inner.recent.len() as i64;
        if at < first {
            return Found::InFile(inner.end);
        }
        Found::Entries(batch(inner.recent.range((at - first) as usize..).cloned()))
    }
}

enum Found {
    Entries(Vec<Entry>),
    /// Further back than memory reaches; the log ends here.
    InFile(i64),
    Nothing,
    Over,
}

/// A place in the log that moves on as it is read.
pub(super) struct Reader {
    shared: Arc<Shared>,
    file: Connection,
    at: i64,
}

impl Reader {
    pub fn open(shared: Arc<Shared>, from: i64) -> rusqlite::Result<Reader> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let file = Connection::open_with_flags(&shared.path, flags)?;
        file.busy_timeout(Duration::from_secs(5))?;
        let mut reader = Reader { shared, file, at: 0 };
        reader.seek(from);
        Ok(reader)
    }

    pub fn seek(&mut self, from: i64) {
        let end = self.shared.committed.end();
        self.at = from.max(0);
        if from > end {
            tracing::warn!(from, end, "asked for entries past the end of the log; from its start");
            self.at = 0;
        }
    }

    /// The next entries, waiting for as long as it takes; `None` when it is over.
    pub fn next(&mut self, over: impl Fn() -> bool) -> Option<Vec<Entry>> {
        while !over() {
            let entries = match self.shared.committed.after(self.at) {
                Found::Entries(entries) => entries,
                Found::InFile(end) => match self.read(end) {
                    Ok(entries) => entries,
                    Err(error) => {
                        tracing::error!(%error, "the log cannot be read");
                        thread::sleep(GLANCE);
                        continue;
                    }
                },
                Found::Nothing => continue,
                Found::Over => return None,
            };
            if let Some(last) = entries.last() {
                self.at = last.offset + 1;
                return Some(entries);
            }
        }
        None
    }

    fn read(&mut self, end: i64) -> rusqlite::Result<Vec<Entry>> {
        let mut select = self.file.prepare_cached(
            "SELECT offset, key, value FROM entries WHERE offset >= ? AND offset < ?
             ORDER BY offset LIMIT ?",
        )?;
        let rows = select.query_map((self.at, end, BATCH_ENTRIES as i64), |row| {
            let key = Arc::from(row.get_ref(1)?.as_str()?);
            let value = Bytes::copy_from_slice(row.get_ref(2)?.as_blob()?);
            Ok(Entry { partition: 0, offset: row.get(0)?, key, value })
        })?;
        let mut failed = None;
        let entries = batch(rows.map_while(|row| row.map_err(|error| failed = Some(error)).ok()));
        match (failed, entries.first()) {
            (Some(error), None) => return Err(error),
            (_, Some(first)) if first.offset > self.at => {
                let (from, to) = (self.at, first.offset);
                tracing::warn!(from, to, "entries were trimmed before they were read");
            }
            _ => {}
        }
        Ok(entries)
    }
}

/// As many as make one batch of a feed.
fn batch(entries: impl Iterator<Item = Entry>) -> Vec<Entry> {
    let mut bytes = 0;
    let fits = |entry: &Entry| {
        let first = bytes == 0;
        bytes += entry.bytes();
        first || bytes <= BATCH_BYTES
    };
    entries.take(BATCH_ENTRIES).take_while(fits).collect()
}
