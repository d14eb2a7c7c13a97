//! Removing what is left of deleted rooms, in pieces that fit into a transaction.
//!
//! Messages and events are gone before the deletion itself is written. The mentions and, in MySQL,
//! the words that pointed at them lead nowhere then, and are removed when there is time.

use super::database::{Dialect, Statement, values};
use super::{Result, Store, words};
use crate::core::batch::{Batch, Change};
use crate::core::event::Event;
use crate::core::types::RoomId;

/// Rows that are removed from a table in one transaction.
const AT_ONCE: usize = 2_000;

/// A table with rows of rooms, what its rows are sorted by within one, and which are meant.
type Rows = (&'static str, &'static str, &'static str);

const READ: [Rows; 2] =
    [("messages", "position", ""), ("events", "position", "AND type <> 'room_deleted'")];
const POINTERS: [Rows; 2] = [("words", "word, position", ""), ("mentions", "position", "")];

impl Store {
    /// Removes what can be read in the rooms that this batch deletes.
    pub(super) async fn empty_rooms(&self, batch: &Batch) -> Result<()> {
        let is_deletion = |change: &&Change| matches!(change.event, Event::RoomDeleted { .. });
        for change in batch.changes.iter().filter(is_deletion) {
            let forget = || {
                let ids = format!(
                    "SELECT id FROM messages WHERE room_id = ? ORDER BY position LIMIT {AT_ONCE}"
                );
                words::forget(self.db.dialect(), &ids, values![change.room])
            };
            while self.remove_some(forget(), READ, change.room).await? {}
        }
        Ok(())
    }

    /// Removes some of what points at messages of deleted rooms. Returns whether there may be more;
    /// several instances may do this at once.
    pub async fn bury_some(&self) -> Result<bool> {
        let sql = "SELECT room_id FROM burials LIMIT 1";
        let Some(row) = self.db.query_one(Statement::new(sql, vec![])).await? else {
            return Ok(false);
        };
        let room: RoomId = row.parse(0)?;
        if !self.remove_some(None, POINTERS, room).await? {
            let done = Statement::new("DELETE FROM burials WHERE room_id = ?", values![room]);
            self.db.write(vec![done]).await?;
        }
        Ok(true)
    }

    /// Returns whether there may be more.
    async fn remove_some(
        &self,
        of_index: Option<Statement>,
        tables: [Rows; 2],
        room: RoomId,
    ) -> Result<bool> {
        let dialect = self.db.dialect();
        let some = |rows| Statement::new(some_of(dialect, rows), values![room]);
        let statements = of_index.into_iter().chain(tables.map(some)).collect();
        let removed = self.db.write(statements).await?;
        Ok(removed.iter().any(|one| one.affected >= AT_ONCE as u64))
    }
}

fn some_of(dialect: Dialect, (table, key, rows): Rows) -> String {
    let which = format!("FROM {table} WHERE room_id = ? {rows} ORDER BY {key} LIMIT {AT_ONCE}");
    match dialect {
        Dialect::Mysql => format!("DELETE {which}"),
        Dialect::Sqlite => {
            format!("DELETE FROM {table} WHERE (room_id, {key}) IN (SELECT room_id, {key} {which})")
        }
    }
}
