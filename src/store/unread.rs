//! How many messages are unread, at a cost that does not grow with how many they are.
//!
//! The messages of a room are numbered as they are written, and a read marker knows the number that
//! it stands at. Unread is the difference, without one's own messages and without deleted ones, of
//! which there are few.
//!
//! A persister or an instance of an earlier version knows nothing of numbers. What it writes is
//! counted message by message until [`Store::number_some`] has caught up.

use std::collections::HashMap;

use super::bulk::{in_lists, insert_rows};
use super::database::{Database, Statement, Value, values};
use super::{Result, Store, StoreError};
use crate::core::types::{Position, RoomId, UserId};

/// Of `rooms r`, its last message `m` and the membership `me`: NULL where it has to be counted.
pub(super) const UNREAD: &str = "CASE WHEN r.counted_to = COALESCE(m.position, 0) \
        AND me.read_number_at = me.read_position \
     THEN r.counted - me.read_number - me.own_after - \
        (SELECT COUNT(*) FROM events e JOIN messages x ON x.id = e.message_id \
         WHERE e.room_id = me.room_id AND e.type = 'deleted' \
         AND x.position > me.read_position AND x.sender_id <> me.user_id) END";

/// The number of the last message up to a position, of a room and that: 0 where there is none, and
/// NULL where it has no number yet.
pub(super) const NUMBER_AT: &str = "(SELECT CASE WHEN COUNT(*) = 0 THEN 0 ELSE MAX(y.number) END \
     FROM (SELECT x.number FROM messages x WHERE x.room_id = ? AND x.position <= ? \
           ORDER BY x.position DESC LIMIT 1) y)";

/// How many messages of `members` follow a position: of a version of markers that have none, a
/// room, and the position. Who never set a marker back has none: writing moves it.
pub(super) const OWN_AFTER: &str = "CASE WHEN read_version = ? THEN 0 ELSE \
     (SELECT COUNT(*) FROM messages x WHERE x.room_id = ? AND x.position > ? \
      AND x.sender_id = members.user_id) END";

/// The version of a marker that was never set back.
pub(super) const NEVER_SET_BACK: i64 = 0;

/// Rooms that are looked at, markers that are, and messages that are numbered in one transaction.
const ROOMS: usize = 500;
const MARKERS: usize = 200;
const MESSAGES: usize = 1_000;
/// Rooms whose unread messages are counted by one statement.
const COUNTED_TOGETHER: usize = 16;

/// Where numbering has got to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Numbering {
    #[default]
    Begin,
    /// All rooms before this one are done.
    Rooms(String),
    /// All markers before this one are.
    Markers(String, i64),
    Done,
}

/// Counts what is unread in these rooms, each for this person and from a position on.
pub(super) async fn count_unread(
    db: &dyn Database,
    of: &[(RoomId, UserId, Position)],
) -> Result<Vec<i64>> {
    let mut counts = Vec::with_capacity(of.len());
    for part in of.chunks(COUNTED_TOGETHER) {
        // Constants, each: a database does not use a range on a column of another table.
        let one = "SELECT COUNT(*) FROM messages x WHERE x.room_id = ? AND x.position > ? \
             AND x.sender_id <> ? AND x.deleted_at IS NULL";
        let parts = part.len().next_power_of_two();
        let filled = part.iter().chain(std::iter::repeat(&part[part.len() - 1])).take(parts);
        let params: Vec<Value> =
            filled.flat_map(|(room, user, after)| values![*room, *after, *user]).collect();
        let sql = vec![one; parts].join(" UNION ALL ");
        let rows = db.query(Statement::new(sql, params)).await?;
        for row in rows.iter().take(part.len()) {
            counts.push(row.int(0)?);
        }
    }
    Ok(counts)
}

impl Store {
    /// The numbers that the next messages of these rooms get: `None` for a room of which not all
    /// are counted.
    pub(super) async fn next_numbers(
        &self,
        rooms: &[RoomId],
    ) -> Result<HashMap<RoomId, Option<i64>>> {
        let mut numbers = HashMap::new();
        for (list, rooms) in in_lists(rooms) {
            let sql = format!(
                "SELECT r.id, r.counted, r.counted_to, COALESCE(m.position, 0) FROM rooms r
                 LEFT JOIN messages m ON m.id = r.last_message_id WHERE r.id IN ({list})"
            );
            for row in self.db.query(Statement::new(sql, rooms)).await? {
                let is_counted = row.position(2)? == row.position(3)?;
                let next = row.int(1)? + 1;
                numbers.insert(row.parse(0)?, is_counted.then_some(next));
            }
        }
        Ok(numbers)
    }

    /// After an upgrade: numbers some of what an earlier version wrote. Returns where to go on;
    /// several instances may do this at once.
    pub async fn number_some(&self, at: Numbering) -> Result<Numbering> {
        match at {
            Numbering::Begin => self.number_rooms("").await,
            Numbering::Rooms(after) => self.number_rooms(&after).await,
            Numbering::Markers(room, user) => self.number_markers(&room, user).await,
            Numbering::Done => Ok(Numbering::Done),
        }
    }

    async fn number_rooms(&self, after: &str) -> Result<Numbering> {
        let sql = "SELECT r.id, r.counted, r.counted_to, COALESCE(m.position, 0) FROM rooms r
             LEFT JOIN messages m ON m.id = r.last_message_id
             WHERE r.id > ? AND r.deleted_at IS NULL ORDER BY r.id LIMIT ?";
        let rooms = self.db.query(Statement::new(sql, values![after, ROOMS])).await?;
        for row in &rooms {
            if row.position(2)? != row.position(3)? {
                // The same room once more, until it is done.
                let (room, counted, to) = (row.parse(0)?, row.int(1)?, row.position(2)?);
                return match self.number_messages(room, counted, to).await {
                    Ok(()) | Err(StoreError::Fenced) => Ok(Numbering::Rooms(after.to_owned())),
                    Err(error) => Err(error),
                };
            }
        }
        match rooms.last() {
            Some(last) => Ok(Numbering::Rooms(last.text(0)?.to_owned())),
            None => Ok(Numbering::Markers(String::new(), 0)),
        }
    }

    async fn number_messages(&self, room: RoomId, counted: i64, to: Position) -> Result<()> {
        let sql = "SELECT id, position FROM messages WHERE room_id = ? AND position > ?
             ORDER BY position LIMIT ?";
        let rows = self.db.query(Statement::new(sql, values![room, to, MESSAGES])).await?;
        // Its last message may have been the room's with which it went.
        let end = rows.last().map_or(Ok(to), |row| row.position(1))?;
        // Of a room that is deleted meanwhile there is nothing to number.
        let moved = "UPDATE rooms SET counted = ?, counted_to = ?
             WHERE id = ? AND counted_to = ? AND deleted_at IS NULL";
        let now = counted + rows.len() as i64;
        let mut statements = vec![Statement::new(moved, values![now, end, room, to]).expecting(1)];
        let mut numbered = Vec::new();
        for (row, number) in rows.iter().zip(counted + 1..) {
            numbered.push(values![row.int(0)?, room, row.position(1)?, 0, "", 0, number]);
        }
        // They are there, so nothing is inserted: a way to update many rows at once.
        let head = "INSERT INTO messages (id, room_id, position, sender_id, body, sent_at, number)";
        let set = format!("number = {}", self.db.dialect().inserted("number"));
        let tail = self.db.dialect().on_conflict("id", &set);
        statements.extend(insert_rows(head, &tail, numbered));
        self.db.write(statements).await.map(drop)
    }

    async fn number_markers(&self, room: &str, user: i64) -> Result<Numbering> {
        let sql = "SELECT room_id, user_id, read_position, read_number_at, read_number FROM members
             WHERE room_id > ? OR (room_id = ? AND user_id > ?)
             ORDER BY room_id, user_id LIMIT ?";
        let rows = self.db.query(Statement::new(sql, values![room, room, user, MARKERS])).await?;
        let mut updates = Vec::new();
        for row in &rows {
            let (room, at) = (row.parse::<RoomId>(0)?, row.position(2)?);
            if row.position(3)? == at && row.maybe_int(4)?.is_some() {
                continue;
            }
            let sql = format!(
                "UPDATE members SET read_number = {NUMBER_AT}, own_after = {OWN_AFTER},
                     read_number_at = ? WHERE room_id = ? AND user_id = ? AND read_position = ?"
            );
            let params = values![room, at, NEVER_SET_BACK, room, at, at, room, row.user(1)?, at];
            updates.push(Statement::new(sql, params));
        }
        if !updates.is_empty() {
            self.db.write(updates).await?;
        }
        match rows.last() {
            Some(last) => Ok(Numbering::Markers(last.text(0)?.to_owned(), last.int(1)?)),
            None => Ok(Numbering::Done),
        }
    }
}
