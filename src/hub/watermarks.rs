//! How far something has come in each partition of the log, and who waits for it.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// The next offset of each partition, as read here (followed) or as written there (stored).
#[derive(Debug)]
pub struct Watermarks {
    next: watch::Sender<Vec<i64>>,
    /// How many wait.
    waiting: watch::Sender<usize>,
}

/// It did not come that far in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLate;

impl Watermarks {
    pub fn new(next: Vec<i64>) -> Watermarks {
        let (next, _) = watch::channel(next);
        Watermarks { next, waiting: watch::Sender::new(0) }
    }

    /// Only ever moves forward.
    pub fn advance(&self, partition: u16, next: i64) {
        self.next.send_if_modified(|all| match all.get_mut(usize::from(partition)) {
            Some(mark) if *mark < next => {
                *mark = next;
                true
            }
            _ => false,
        });
    }

    pub fn next(&self, partition: u16) -> i64 {
        self.next.borrow().get(usize::from(partition)).copied().unwrap_or(0)
    }

    pub fn all(&self) -> Vec<i64> {
        self.next.borrow().clone()
    }

    /// Waits until everything before `ends` has been reached, in every partition.
    pub async fn reach(&self, ends: &[i64], within: Duration) -> Result<(), TooLate> {
        let reached = |next: &Vec<i64>| next.iter().zip(ends).all(|(next, end)| next >= end);
        if reached(&self.next.borrow()) {
            return Ok(());
        }
        let _waiting = Waiting::new(self);
        let mut next = self.next.subscribe();
        let reached = timeout(within, next.wait_for(reached)).await;
        match reached {
            Ok(Ok(_)) => Ok(()),
            _ => Err(TooLate),
        }
    }

    /// Waits until everything before `end` has been reached in one partition.
    pub async fn reach_one(
        &self,
        partition: u16,
        end: i64,
        within: Duration,
    ) -> Result<(), TooLate> {
        let mut ends = vec![0; self.next.borrow().len()];
        if let Some(mark) = ends.get_mut(usize::from(partition)) {
            *mark = end;
        }
        self.reach(&ends, within).await
    }

    pub fn is_wanted(&self) -> bool {
        *self.waiting.borrow() > 0
    }

    /// Until somebody waits.
    pub async fn wanted(&self) {
        // The sender lives as long as this.
        let _ = self.waiting.subscribe().wait_for(|waiting| *waiting > 0).await;
    }
}

/// Counts a waiter for as long as it lives, however its waiting ends.
struct Waiting<'a>(&'a Watermarks);

impl<'a> Waiting<'a> {
    fn new(of: &'a Watermarks) -> Self {
        of.waiting.send_modify(|waiting| *waiting += 1);
        Waiting(of)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.send_modify(|waiting| *waiting -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waiters_go_on_when_every_partition_is_far_enough() {
        let marks = Watermarks::new(vec![0, 5]);
        let soon = Duration::from_secs(5);
        let waiter = marks.reach(&[2, 5], soon);
        let mover = async {
            marks.wanted().await;
            assert!(marks.is_wanted());
            marks.advance(0, 1);
            marks.advance(0, 3);
            marks.advance(0, 2);
        };
        assert_eq!(tokio::join!(waiter, mover).0, Ok(()));
        assert_eq!(marks.next(0), 3, "never backwards");
        assert!(!marks.is_wanted());
        let short = Duration::from_millis(5);
        assert_eq!(marks.reach_one(1, 6, short).await, Err(TooLate));
    }
}
