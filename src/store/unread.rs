//! How many messages are unread, at a cost that does not grow with how many they are.
//!
//! The messages of a room are numbered as they are written, and a read marker knows the number that
//! it stands at. Unread is the difference, without one's own messages and without deleted ones, of
//! which there are few.
//!
//! A persister or an instance of an earlier version knows nothing of numbers. What it writes is
//! counted message by message until it is made up for: [`Store::number_some`].

use std::collections::HashMap;

use super::bulk::in_lists;
use super::database::{Row, Statement, values};
use super::{Result, Store, StoreError};
use crate::core::types::{Position, RoomId, UserId};

/// Of `rooms r`, its last message `m` and the membership `me`. Where the numbers do not tell it, it
/// is counted.
pub(super) const UNREAD: &str = "CASE \
     WHEN r.counted_to = COALESCE(m.position, 0) AND me.read_number IS NOT NULL \
        AND me.read_number_at = me.read_position AND me.read_number_version = me.read_version \
     THEN CASE WHEN r.counted <= me.read_number + me.own_after THEN 0 \
        ELSE r.counted - me.read_number - me.own_after - \
            (SELECT COUNT(DISTINCT x.id) FROM events e JOIN messages x ON x.id = e.message_id \
             WHERE e.room_id = me.room_id AND e.type = 'deleted' \
                AND e.position > me.read_position AND x.position > me.read_position \
                AND x.sender_id <> me.user_id) END \
     ELSE (SELECT COUNT(*) FROM messages x WHERE x.room_id = me.room_id \
        AND x.position > me.read_position AND x.sender_id <> me.user_id \
        AND x.deleted_at IS NULL) END";

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

/// Rooms that are looked at by one statement, and markers.
const ROOMS: usize = 500;
const MARKERS: usize = 2_000;
/// Messages that are numbered in one transaction, and markers.
const MESSAGES: usize = 1_000;
const MOVED: usize = 200;
/// Messages that one statement numbers: each of them is compared with half of the others.
const TOGETHER: usize = 64;

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

/// Finds out the numbers of a marker that stands there.
pub(super) fn number_marker(room: RoomId, user: UserId, at: Position) -> Statement {
    let sql = format!(
        "UPDATE members SET read_number = {NUMBER_AT}, own_after = {OWN_AFTER},
             read_number_at = ?, read_number_version = read_version
         WHERE room_id = ? AND user_id = ? AND read_position = ?"
    );
    Statement::new(sql, values![room, at, NEVER_SET_BACK, room, at, at, room, user, at])
}

/// A room, as far as its messages have numbers.
struct Counted {
    room: RoomId,
    counted: i64,
    to: Position,
    /// Where its last message is.
    end: Position,
}

impl Counted {
    /// Of `rooms r` and its last message `m`.
    const COLUMNS: &str = "r.id, r.counted, r.counted_to, COALESCE(m.position, 0)";

    fn of(row: &Row) -> Result<Counted> {
        let (counted, to) = (row.int(1)?, row.position(2)?);
        Ok(Counted { room: row.parse(0)?, counted, to, end: row.position(3)? })
    }
}

impl Store {
    /// The numbers that the next messages of these rooms get, but for rooms of which more messages
    /// are not numbered yet than can be made up for here.
    pub(super) async fn next_numbers(&self, rooms: &[RoomId]) -> Result<HashMap<RoomId, i64>> {
        let mut numbers = HashMap::new();
        let mut counted = self.counted(rooms).await?;
        let behind = counted.extract_if(.., |room| room.to != room.end).collect::<Vec<_>>();
        if !behind.is_empty() {
            // The batch is written with or without numbers, and does not wait for many.
            let mut left = MESSAGES;
            for room in &behind {
                match self.number_messages(room, left).await {
                    Ok(numbered) => left -= numbered,
                    Err(error) => {
                        tracing::warn!(%error, "cannot number messages now");
                        break;
                    }
                }
                if left == 0 {
                    break;
                }
            }
            let rooms: Vec<RoomId> = behind.iter().map(|room| room.room).collect();
            counted.extend(self.counted(&rooms).await?.into_iter().filter(|it| it.to == it.end));
        }
        numbers.extend(counted.into_iter().map(|room| (room.room, room.counted + 1)));
        Ok(numbers)
    }

    async fn counted(&self, rooms: &[RoomId]) -> Result<Vec<Counted>> {
        let mut all = Vec::with_capacity(rooms.len());
        for (list, rooms) in in_lists(rooms) {
            let sql = format!(
                "SELECT {} FROM rooms r LEFT JOIN messages m ON m.id = r.last_message_id
                 WHERE r.id IN ({list})",
                Counted::COLUMNS
            );
            for row in self.db.query(Statement::new(sql, rooms)).await? {
                all.push(Counted::of(&row)?);
            }
        }
        Ok(all)
    }

    /// After an upgrade: numbers some of what an earlier version wrote. Returns where to go on;
    /// several instances may do this at once. What an instance of that version writes later is
    /// made up for with the next message of its room, and with the next place of a marker.
    pub async fn number_some(&self, at: Numbering) -> Result<Numbering> {
        match at {
            Numbering::Begin => self.number_rooms("").await,
            Numbering::Rooms(after) => self.number_rooms(&after).await,
            Numbering::Markers(room, user) => self.number_markers(&room, user).await,
            Numbering::Done => Ok(Numbering::Done),
        }
    }

    /// Of the rooms after this one, as many messages as one transaction takes.
    async fn number_rooms(&self, after: &str) -> Result<Numbering> {
        let sql = format!(
            "SELECT {} FROM rooms r LEFT JOIN messages m ON m.id = r.last_message_id
             WHERE r.id > ? AND r.deleted_at IS NULL ORDER BY r.id LIMIT ?",
            Counted::COLUMNS
        );
        let rooms = self.db.query(Statement::new(sql, values![after, ROOMS])).await?;
        let (mut after, mut left) = (after.to_owned(), MESSAGES);
        for row in &rooms {
            let room = Counted::of(row)?;
            if room.to != room.end {
                let numbered = self.number_messages(&room, left).await?;
                if numbered == left {
                    // The same room once more.
                    return Ok(Numbering::Rooms(after));
                }
                left -= numbered;
            }
            row.text(0)?.clone_into(&mut after);
        }
        match rooms.len() < ROOMS {
            true => Ok(Numbering::Markers(String::new(), 0)),
            false => Ok(Numbering::Rooms(after)),
        }
    }

    /// Numbers the next messages of a room, at the most so many; returns how many. Others may do
    /// so, too, and one of them does.
    async fn number_messages(&self, room: &Counted, most: usize) -> Result<usize> {
        let Counted { room, counted, to, .. } = *room;
        let sql = "SELECT id, position FROM messages WHERE room_id = ? AND position > ?
             ORDER BY position LIMIT ?";
        let rows = self.db.query(Statement::new(sql, values![room, to, most])).await?;
        // Its last message may have been the room's with which it went.
        let end = rows.last().map_or(Ok(to), |row| row.position(1))?;
        // Of a room that is deleted meanwhile there is nothing to number.
        let moved = "UPDATE rooms SET counted = ?, counted_to = ?
             WHERE id = ? AND counted_to = ? AND deleted_at IS NULL";
        let now = counted + rows.len() as i64;
        let mut statements = vec![Statement::new(moved, values![now, end, room, to]).expecting(1)];
        let mut number = counted;
        for rows in rows.chunks(TOGETHER) {
            let (mut cases, mut ids) = (Vec::new(), Vec::new());
            for row in rows {
                number += 1;
                let id = row.int(0)?;
                cases.extend(values![id, number]);
                ids.extend(values![id]);
            }
            // The last is repeated, which does no harm, so that there are few different statements.
            let count = rows.len().next_power_of_two();
            for _ in rows.len()..count {
                cases.extend_from_within(cases.len() - 2..);
                ids.extend_from_within(ids.len() - 1..);
            }
            let sql = format!(
                "UPDATE messages SET number = CASE id{} END WHERE id IN ({})",
                " WHEN ? THEN ?".repeat(count),
                vec!["?"; count].join(", ")
            );
            statements.push(Statement::new(sql, [cases, ids].concat()));
        }
        match self.db.write(statements).await {
            Ok(_) | Err(StoreError::Fenced) => Ok(rows.len()),
            Err(error) => Err(error),
        }
    }

    async fn number_markers(&self, room: &str, user: i64) -> Result<Numbering> {
        // The first condition is what an index is asked for.
        let sql = "SELECT room_id, user_id, read_position, read_number_at, read_number,
                 read_number_version, read_version
             FROM members WHERE room_id >= ? AND (room_id > ? OR user_id > ?)
             ORDER BY room_id, user_id LIMIT ?";
        let rows = self.db.query(Statement::new(sql, values![room, room, user, MARKERS])).await?;
        let is_known = |row: &Row| {
            Ok(row.position(3)? == row.position(2)?
                && row.maybe_int(4)?.is_some()
                && row.int(5)? == row.int(6)?)
        };
        let mut updates = Vec::new();
        for row in &rows {
            if !is_known(row)? {
                updates.push(number_marker(row.parse(0)?, row.user(1)?, row.position(2)?));
            }
        }
        for some in updates.chunks(MOVED) {
            self.db.write(some.to_vec()).await?;
        }
        match rows.last() {
            Some(last) => Ok(Numbering::Markers(last.text(0)?.to_owned(), last.int(1)?)),
            None => Ok(Numbering::Done),
        }
    }
}
