//! How far each partition of the log is in the store, and whether it is still the same log.

use super::bulk::insert_rows;
use super::database::{Dialect, Row, Statement, values};
use super::history::{next, next_of};
use super::{Result, Store, StoreError};
use crate::core::types::Timestamp;

/// How often `open_log` looks again when another instance opens the log at the same time.
const OPENINGS: usize = 10;
/// The last epoch that a position and a message id have room for.
const LAST_EPOCH: u16 = 1_023;

impl Store {
    /// How far the store is: partition, epoch and the first offset that it does not have.
    pub async fn offsets(&self) -> Result<Vec<(u16, u16, i64)>> {
        let sql = "SELECT partition_id, epoch, next_offset FROM log_offsets ORDER BY partition_id";
        let small = |row: &Row, column| {
            let int = row.int(column)?;
            u16::try_from(int).map_err(|_| StoreError::Broken(format!("{int} is out of range")))
        };
        let rows = self.db.query(Statement::new(sql, Vec::new())).await?;
        rows.iter().map(|row| Ok((small(row, 0)?, small(row, 1)?, row.int(2)?))).collect()
    }

    /// The first offset of the partition that the store does not have.
    pub async fn next_offset(&self, partition: u16) -> Result<i64> {
        next_of(&self.db.query(next(partition)).await?)
    }

    /// Settles the epoch with the log that is there now, and returns it. A log that ends before
    /// what the store has of it, or that was made just now, is another one: the epoch is raised,
    /// so that new positions come after the old. One that has lost its end is read on from there:
    /// what is left of it is stored, and would be said again. One that is new is read from its
    /// beginning.
    ///
    /// `stored` is what `offsets` gave, asked **before** the log was asked for its `ends`: in the
    /// other order, what a second instance appends and stores in between would look like that.
    pub async fn open_log(
        &self,
        stored: &[(u16, u16, i64)],
        ends: &[i64],
        is_new: bool,
    ) -> Result<u16> {
        let epoch_then = stored.first().map_or(0, |&(_, epoch, _)| epoch);
        let is_beyond = |&(partition, _, next): &(u16, u16, i64)| {
            ends.get(usize::from(partition)).is_none_or(|&end| next > end)
        };
        let is_another =
            stored.iter().any(is_beyond) || (is_new && stored.iter().any(|&(.., next)| next > 0));

        for _ in 0..OPENINGS {
            let now = self.offsets().await?;
            let step = match now.first() {
                None => self.insert_offsets(ends.len()).await,
                Some(_) if now.len() != ends.len() => {
                    return Err(StoreError::Broken(format!(
                        "the log has {} partitions, but the store was filled from one with {}; \
                         their number must never change",
                        ends.len(),
                        now.len()
                    )));
                }
                Some(&(_, epoch, _)) if is_another && epoch == epoch_then => {
                    self.raise_epoch(epoch, ends, is_new).await
                }
                Some(&(_, epoch, _)) => return Ok(epoch),
            };
            match step {
                // Done, by us or by another instance: the next look tells.
                Ok(_) | Err(StoreError::Taken | StoreError::Fenced) => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Unavailable("other instances keep changing the log's epoch".into()))
    }

    async fn insert_offsets(&self, partitions: usize) -> Result<()> {
        let rows = (0..partitions).map(|partition| values![partition, 0, 0]).collect();
        let head = "INSERT INTO log_offsets (partition_id, epoch, next_offset)";
        self.db.write(insert_rows(head, "", rows)).await.map(drop)
    }

    async fn raise_epoch(&self, epoch: u16, ends: &[i64], is_new: bool) -> Result<()> {
        if epoch >= LAST_EPOCH {
            return Err(StoreError::Broken("the log was made anew too often".into()));
        }
        let raise = |(partition, end): (usize, &i64)| {
            let end = if is_new { 0 } else { *end };
            let sql = "UPDATE log_offsets SET epoch = ?,
                           next_offset = CASE WHEN next_offset > ? THEN ? ELSE next_offset END
                       WHERE epoch = ? AND partition_id = ?";
            Statement::new(sql, values![epoch + 1, end, end, epoch, partition]).expecting(1)
        };
        self.db.write(ends.iter().enumerate().map(raise).collect()).await.map(drop)
    }

    /// The clock of the store, to the second; `None` where it is this machine's.
    pub async fn clock(&self) -> Result<Option<Timestamp>> {
        if self.db.dialect() == Dialect::Sqlite {
            return Ok(None);
        }
        let asked = Statement::new("SELECT UNIX_TIMESTAMP()", Vec::new());
        let row = self.db.query_one(asked).await?;
        row.map(|row| Ok(Timestamp(row.int(0)? * 1000))).transpose()
    }

    /// Whether the store answers, and takes writes as far as is known.
    pub async fn ping(&self) -> Result<()> {
        self.db.ping().await
    }
}
