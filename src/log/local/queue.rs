//! What waits for the writer: bounded in number and in bytes; past that, appends are refused.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use bytes::Bytes;

use crate::log::{Entry, Outcome, Refused, lock};

const WAITING: usize = 4_096;
const WAITING_BYTES: usize = 64 << 20;
/// What one commit takes at most.
const TAKE: usize = 1_000;
const TAKE_BYTES: usize = 4 << 20;

pub(super) enum Job {
    Append { key: Arc<str>, value: Bytes, outcome: Outcome },
    Quarantine { entry: Entry, reason: String },
}

impl Job {
    fn bytes(&self) -> usize {
        match self {
            Job::Append { key, value, .. } => key.len() + value.len(),
            Job::Quarantine { entry, reason } => entry.bytes() + reason.len(),
        }
    }
}

/// What the writer is to do next.
pub(super) enum Turn {
    Write(Vec<Job>),
    /// Nothing waits: a good moment for upkeep.
    Idle,
    Over,
}

#[derive(Default)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Default)]
struct Inner {
    jobs: VecDeque<Job>,
    bytes: usize,
    closed: bool,
    nudged: bool,
}

impl Queue {
    pub fn push(&self, job: Job) -> Result<(), Refused> {
        let mut inner = lock(&self.inner);
        if inner.closed {
            return Err(Refused::Down);
        }
        if inner.jobs.len() >= WAITING || inner.bytes + job.bytes() > WAITING_BYTES {
            return Err(Refused::Full);
        }
        inner.bytes += job.bytes();
        inner.jobs.push_back(job);
        // The writer looks again before it waits, so one call on the first is enough.
        if inner.jobs.len() == 1 {
            self.changed.notify_one();
        }
        Ok(())
    }

    /// Lets the writer look around, though there may be nothing to write.
    pub fn nudge(&self) {
        lock(&self.inner).nudged = true;
        self.changed.notify_one();
    }

    /// Takes no more; what waits is still written.
    pub fn close(&self) {
        lock(&self.inner).closed = true;
        self.changed.notify_one();
    }

    /// Waits for something to do, or for a while.
    pub fn take(&self, patience: Duration) -> Turn {
        let quiet = |inner: &mut Inner| inner.jobs.is_empty() && !inner.closed && !inner.nudged;
        let (mut inner, _) = self
            .changed
            .wait_timeout_while(lock(&self.inner), patience, quiet)
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        inner.nudged = false;
        if inner.jobs.is_empty() {
            return if inner.closed { Turn::Over } else { Turn::Idle };
        }
        let mut jobs = Vec::with_capacity(inner.jobs.len().min(TAKE));
        let mut bytes = 0;
        while let Some(job) = inner.jobs.front() {
            bytes += job.bytes();
            if jobs.len() == TAKE || (bytes > TAKE_BYTES && !jobs.is_empty()) {
                break;
            }
            inner.bytes -= job.bytes();
            jobs.extend(inner.jobs.pop_front());
        }
        Turn::Write(jobs)
    }
}
