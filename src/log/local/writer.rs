//! The one thread that writes the file: what waits becomes one commit, then everyone hears.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};

use super::queue::{Job, Turn};
use super::{Shared, extent};
use crate::log::{AppendError, Entry, count};

/// Entries that one commit of trimming removes, so that appends need not wait for long.
pub(super) const BITE: i64 = 1_000;
/// Unreadable entries that are kept, the newest.
const QUARANTINED: i64 = 1_000;
/// From one commit to the next at the least: what comes meanwhile shares it, and everything that
/// follows from it.
const PACE: Duration = Duration::from_millis(2);
/// How often a file that could not be written is tried again while nobody appends.
const TRY_AGAIN: Duration = Duration::from_secs(1);

pub(super) struct Writer {
    shared: Arc<Shared>,
    file: Connection,
    /// The first offset in the file and the one after the last.
    first: i64,
    end: i64,
    /// How many entries stay after the store has them.
    keep: i64,
}

impl Writer {
    pub fn new(shared: Arc<Shared>, file: Connection, first: i64, end: i64, keep: i64) -> Writer {
        Writer { shared, file, first, end, keep }
    }

    /// Writes until the queue is closed and empty; then the readers end too.
    pub fn run(mut self) {
        // The disk may have been full before this start, too.
        self.try_again();
        loop {
            match self.shared.queue.take(TRY_AGAIN) {
                Turn::Write(jobs) => {
                    let began = Instant::now();
                    self.write(jobs);
                    self.trim();
                    thread::sleep(PACE.saturating_sub(began.elapsed()));
                }
                Turn::Idle => {
                    if !self.shared.is_up.load(Ordering::SeqCst) {
                        self.try_again();
                    }
                    self.trim();
                }
                Turn::Over => break,
            }
        }
        self.shared.committed.close();
    }

    fn write(&mut self, jobs: Vec<Job>) {
        let mut entries = Vec::with_capacity(jobs.len());
        let mut outcomes = Vec::with_capacity(jobs.len());
        let mut unreadable = Vec::new();
        for job in jobs {
            match job {
                Job::Append { key, value, outcome } => {
                    let offset = self.end + entries.len() as i64;
                    entries.push(Entry { partition: 0, offset, key, value });
                    outcomes.push(outcome);
                }
                Job::Quarantine { entry, reason } => unreadable.push((entry, reason)),
            }
        }
        let written = self.commit(&entries, &unreadable);
        self.was_reached(written.as_ref().err());
        match written {
            Ok(()) => {
                let first = self.end;
                self.end += entries.len() as i64;
                count::appended(entries.len());
                self.shared.committed.push(entries);
                for (offset, outcome) in (first..).zip(outcomes) {
                    outcome(Ok(offset));
                }
            }
            Err(error) => {
                count::failed(entries.len());
                for outcome in outcomes {
                    outcome(Err(error.clone()));
                }
                self.look_again();
            }
        }
    }

    fn commit(
        &mut self,
        entries: &[Entry],
        unreadable: &[(Entry, String)],
    ) -> Result<(), AppendError> {
        let not_done = |error: rusqlite::Error| AppendError::NotDone(error.to_string());
        // Dropped without a commit, it rolls back.
        let transaction = self.file.transaction().map_err(not_done)?;
        {
            let mut insert = transaction
                .prepare_cached("INSERT INTO entries (offset, key, value) VALUES (?, ?, ?)")
                .map_err(not_done)?;
            for entry in entries {
                insert.execute((entry.offset, &*entry.key, &*entry.value)).map_err(not_done)?;
            }
        }
        for (entry, reason) in unreadable {
            let row = (entry.offset, &*entry.key, &*entry.value, reason);
            transaction
                .execute("INSERT OR IGNORE INTO quarantine VALUES (?, ?, ?, ?)", row)
                .and_then(|_| {
                    let newest = "DELETE FROM quarantine WHERE offset <=
                        (SELECT offset FROM quarantine ORDER BY offset DESC LIMIT 1 OFFSET ?)";
                    transaction.execute(newest, [QUARANTINED])
                })
                .map_err(not_done)?;
        }
        transaction.commit().map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull | ErrorCode::DatabaseBusy) => not_done(error),
            // A sync that failed: the bytes may be found when the file is opened next.
            _ => AppendError::Unknown(error.to_string()),
        })
    }

    /// Says so once when the file can no longer be written, and when it can again.
    fn was_reached(&self, error: Option<&AppendError>) {
        match (self.shared.is_up.swap(error.is_none(), Ordering::SeqCst), error) {
            (true, Some(error)) => tracing::error!(%error, "the log cannot be written"),
            (false, None) => tracing::info!("the log can be written again"),
            _ => {}
        }
    }

    /// After a failure the file has the last word on what stands in it.
    fn look_again(&mut self) {
        match extent(&self.file) {
            Ok((_, end)) if end > self.end => {
                self.end = end;
                self.shared.committed.jump_to(end);
            }
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "the log cannot be read"),
        }
    }

    fn try_again(&self) {
        let tried = self.file.execute("UPDATE tries SET count = count + 1", []);
        let failed = tried.err().map(|error| AppendError::NotDone(error.to_string()));
        self.was_reached(failed.as_ref());
    }

    /// Removes one bite of what the store has had for long. The newest entry always stays, so
    /// that its offset is never given to another one.
    fn trim(&mut self) {
        let stored = self.shared.stored.load(Ordering::SeqCst).min(self.end);
        let keep_from = (stored - self.keep).min(self.end - 1);
        if keep_from - self.first < BITE.min(self.keep) {
            return;
        }
        let upto = keep_from.min(self.first + BITE);
        match self.file.execute("DELETE FROM entries WHERE offset < ?", [upto]) {
            Ok(_) => self.first = upto,
            Err(error) => tracing::warn!(%error, "the log cannot be trimmed"),
        }
        if keep_from > upto {
            self.shared.queue.nudge();
        }
    }
}
