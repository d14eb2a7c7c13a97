//! How many messages are unread, at a cost that does not grow with how many they are.
//!
//! The messages of a room are numbered as they are written, and a read marker knows the number that
//! it stands at. Unread is the difference, without one's own messages and without deleted ones, of
//! which there are few.
//!
//! A persister or an instance of an earlier version knows nothing of numbers. What it writes is
//! counted message by message until it is made up for: [`Store::number_some`].

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::timeout;

use super::bulk::{Cases, in_cases, in_lists};
use super::database::{Dialect, Row, Statement, values};
use super::{Result, Store, StoreError};
use crate::core::types::{Position, RoomId, UserId};

/// Of `rooms r`, its last message `m` and the membership `me`. Where the numbers do not tell it, it
/// is counted.
pub(super) fn unread(dialect: Dialect) -> String {
    // Without a hint MySQL goes through all events of the room.
    let by_index = dialect.by_index("events_deleted");
    let last_deletion = format!(
        "(SELECT e.position FROM events e{by_index}
          WHERE e.room_id = me.room_id AND e.type = 'deleted' ORDER BY e.position DESC LIMIT 1)"
    );
    let deleted = format!(
        "(SELECT COUNT(DISTINCT x.id)
          FROM events e{by_index} JOIN messages x ON x.id = e.message_id
          WHERE e.room_id = me.room_id AND e.type = 'deleted' AND e.position > me.read_position
            AND x.position > me.read_position AND x.sender_id <> me.user_id)"
    );
    format!(
        "CASE
         WHEN r.counted_to <> COALESCE(m.position, 0) OR me.read_number IS NULL
            OR me.read_number_at <> me.read_position OR me.read_number_version <> me.read_version
         THEN (SELECT COUNT(*) FROM messages x WHERE x.room_id = me.room_id
               AND x.position > me.read_position AND x.sender_id <> me.user_id
               AND x.deleted_at IS NULL)
         WHEN r.counted <= me.read_number + me.own_after THEN 0
         WHEN me.read_position >= COALESCE({last_deletion}, 0)
         THEN r.counted - me.read_number - me.own_after
         ELSE r.counted - me.read_number - me.own_after - {deleted}
         END"
    )
}

/// The number of the last message up to a position, of a room and that: 0 where there is none, and
/// NULL where it has no number yet.
pub(super) const NUMBER_AT: &str = "(SELECT CASE WHEN COUNT(*) = 0 THEN 0 ELSE MAX(y.number) END \
     FROM (SELECT x.number FROM messages x WHERE x.room_id = ? AND x.position <= ? \
           ORDER BY x.position DESC LIMIT 1) y)";

/// Rooms that are looked at by one statement, and markers.
const ROOMS: usize = 500;
const MARKERS: usize = 2_000;
/// Messages that are numbered in one transaction, and markers.
const MESSAGES: usize = 1_000;
const MARKERS_TOGETHER: usize = 50;
/// How long what is behind in the rooms of a batch is made up for before it, and in how many.
const BEFORE_A_BATCH: Duration = Duration::from_millis(100);
const ROOMS_BEFORE_A_BATCH: usize = 16;

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

/// A read marker where it stands: what is reckoned of it holds for this place and version.
struct Marked {
    room: RoomId,
    user: UserId,
    position: Position,
    version: i64,
}

impl Marked {
    /// The number that it stands at, and how many of the member's own messages follow. Who never
    /// set it back has none there: writing moves it.
    fn reckon(&self) -> Statement {
        let Marked { room, user, position, version } = *self;
        let number = values![room, position];
        if version == 0 {
            return Statement::new(format!("SELECT {NUMBER_AT}, 0"), number);
        }
        let sql = format!(
            "SELECT {NUMBER_AT}, (SELECT COUNT(*) FROM messages x
                 WHERE x.room_id = ? AND x.position > ? AND x.sender_id = ?)"
        );
        Statement::new(sql, [number, values![room, position, user]].concat())
    }

    /// Keeps these if it stands there still. What the member has said since has moved it.
    fn keep(&self, number: Option<i64>, own_after: i64) -> Statement {
        let Marked { room, user, position, version } = *self;
        let sql = "UPDATE members SET read_number = ?, own_after = ?,
                 read_number_at = read_position, read_number_version = read_version
             WHERE room_id = ? AND user_id = ? AND read_position = ? AND read_version = ?";
        Statement::new(sql, values![number, own_after, room, user, position, version])
    }
}

/// A room, as far as its messages have numbers.
struct Progress {
    room: RoomId,
    counted: i64,
    to: Position,
    /// Where its last message is.
    end: Position,
}

impl Progress {
    /// Of `rooms r` and its last message `m`.
    const COLUMNS: &str = "r.id, r.counted, r.counted_to, COALESCE(m.position, 0)";

    fn of(row: &Row) -> Result<Progress> {
        let (counted, to) = (row.int(1)?, row.position(2)?);
        Ok(Progress { room: row.parse(0)?, counted, to, end: row.position(3)? })
    }
}

impl Store {
    /// The numbers that the next messages of these rooms get, as far as they are known: a batch is
    /// written with or without them. Makes up for a little of what is behind.
    pub(super) async fn next_numbers(&self, rooms: &[RoomId]) -> HashMap<RoomId, i64> {
        let unknown = |error: StoreError| {
            tracing::warn!(%error, "messages are written without their numbers");
            Vec::new()
        };
        let mut progress = self.progress(rooms).await.unwrap_or_else(unknown);
        let behind: Vec<_> = progress.extract_if(.., |room| room.to != room.end).collect();
        if !behind.is_empty() {
            match timeout(BEFORE_A_BATCH, self.catch_up(&behind)).await {
                Ok(caught_up) => progress.extend(caught_up.unwrap_or_else(unknown)),
                Err(_) => tracing::debug!("many messages are not numbered yet"),
            }
        }
        progress.into_iter().map(|room| (room.room, room.counted + 1)).collect()
    }

    /// Numbers what is not in some of these rooms; returns those that are numbered to their end.
    async fn catch_up(&self, behind: &[Progress]) -> Result<Vec<Progress>> {
        let mut left = MESSAGES;
        for room in behind.iter().take(ROOMS_BEFORE_A_BATCH) {
            left -= self.number_messages(room, left).await?;
            if left == 0 {
                break;
            }
        }
        let rooms: Vec<RoomId> = behind.iter().map(|room| room.room).collect();
        let mut progress = self.progress(&rooms).await?;
        progress.retain(|room| room.to == room.end);
        Ok(progress)
    }

    async fn progress(&self, rooms: &[RoomId]) -> Result<Vec<Progress>> {
        let mut all = Vec::with_capacity(rooms.len());
        for (list, rooms) in in_lists(rooms) {
            let sql = format!(
                "SELECT {} FROM rooms r LEFT JOIN messages m ON m.id = r.last_message_id
                 WHERE r.id IN ({list})",
                Progress::COLUMNS
            );
            for row in self.db.query(Statement::new(sql, rooms)).await? {
                all.push(Progress::of(&row)?);
            }
        }
        Ok(all)
    }

    /// After an upgrade: numbers some of what an earlier version wrote. Returns where to go on, and
    /// how much had no number; several instances may do this at once. What an instance of that
    /// version writes later is made up for with the next message of its room, and with the next
    /// place of a marker, or by going through all of it once more.
    pub async fn number_some(&self, at: Numbering) -> Result<(Numbering, usize)> {
        match at {
            Numbering::Begin => self.number_rooms("").await,
            Numbering::Rooms(after) => self.number_rooms(&after).await,
            Numbering::Markers(room, user) => self.number_markers(&room, user).await,
            Numbering::Done => Ok((Numbering::Done, 0)),
        }
    }

    /// Of the rooms after this one, as many messages as one transaction takes.
    async fn number_rooms(&self, after: &str) -> Result<(Numbering, usize)> {
        let sql = format!(
            "SELECT {} FROM rooms r LEFT JOIN messages m ON m.id = r.last_message_id
             WHERE r.id > ? AND r.deleted_at IS NULL ORDER BY r.id LIMIT ?",
            Progress::COLUMNS
        );
        let rooms = self.db.query(Statement::new(sql, values![after, ROOMS])).await?;
        let (mut after, mut left) = (after.to_owned(), MESSAGES);
        for row in &rooms {
            let room = Progress::of(row)?;
            if room.to != room.end {
                let numbered = self.number_messages(&room, left).await?;
                if numbered == left {
                    // The same room once more.
                    return Ok((Numbering::Rooms(after), MESSAGES));
                }
                left -= numbered;
            }
            row.text(0)?.clone_into(&mut after);
        }
        let next = match rooms.len() < ROOMS {
            true => Numbering::Markers(String::new(), 0),
            false => Numbering::Rooms(after),
        };
        Ok((next, MESSAGES - left))
    }

    /// Numbers the next messages of a room, at the most so many; returns how many. Others may do
    /// so, too, and one of them does.
    async fn number_messages(&self, room: &Progress, most: usize) -> Result<usize> {
        let Progress { room, counted, to, .. } = *room;
        let sql = "SELECT id, position FROM messages WHERE room_id = ? AND position > ?
             ORDER BY position LIMIT ?";
        let rows = self.db.query(Statement::new(sql, values![room, to, most])).await?;
        // Its last message may have been the room's with which it went.
        let end = rows.last().map_or(Ok(to), |row| row.position(1))?;
        // The messages of a room that is deleted go on being removed while this runs.
        let moved = "UPDATE rooms SET counted = ?, counted_to = ?
             WHERE id = ? AND counted_to = ? AND deleted_at IS NULL";
        let now = counted + rows.len() as i64;
        let mut statements = vec![Statement::new(moved, values![now, end, room, to]).expecting(1)];
        let numbers = rows.iter().zip(counted + 1..);
        let numbers = numbers.map(|(row, number)| Ok((row.int(0)?, number)));
        statements.extend(in_cases(&numbers.collect::<Result<Vec<_>>>()?).map(|part| {
            let Cases { case, list, params } = part;
            let sql = format!("UPDATE messages SET number = {case} WHERE id IN ({list})");
            Statement::new(sql, params)
        }));
        match self.db.write(statements).await {
            Ok(_) | Err(StoreError::Fenced) => Ok(rows.len()),
            Err(error) => Err(error),
        }
    }

    async fn number_markers(&self, room: &str, user: i64) -> Result<(Numbering, usize)> {
        // The first condition is what an index is asked for.
        let sql = "SELECT room_id, user_id, read_position, read_number_at, read_number,
                 read_number_version, read_version
             FROM members WHERE room_id >= ? AND (room_id > ? OR user_id > ?)
             ORDER BY room_id, user_id LIMIT ?";
        let rows = self.db.query(Statement::new(sql, values![room, room, user, MARKERS])).await?;
        let mut unknown = Vec::new();
        for row in &rows {
            let (position, version) = (row.position(2)?, row.int(6)?);
            let is_known = row.maybe_int(4)?.is_some()
                && (row.position(3)?, row.int(5)?) == (position, version);
            if !is_known {
                unknown.push(Marked { room: row.parse(0)?, user: row.user(1)?, position, version });
            }
        }
        self.reckon(&unknown).await?;
        let next = match rows.last() {
            Some(last) => Numbering::Markers(last.text(0)?.to_owned(), last.int(1)?),
            None => Numbering::Done,
        };
        Ok((next, unknown.len()))
    }

    /// Finds out the numbers of markers. Nothing is locked while messages are counted.
    async fn reckon(&self, markers: &[Marked]) -> Result<()> {
        for some in markers.chunks(MARKERS_TOGETHER) {
            let mut keep = Vec::with_capacity(some.len());
            for marker in some {
                let reckoned = self.db.query_one(marker.reckon()).await?;
                let row = reckoned.ok_or_else(|| StoreError::Broken("a count is no row".into()))?;
                keep.push(marker.keep(row.maybe_int(0)?, row.int(1)?));
            }
            self.db.write(keep).await?;
        }
        Ok(())
    }

    /// The same for those of these members of a room whose markers have none. Where it fails, what
    /// is unread after them is counted for now.
    pub(super) async fn reckon_missing(&self, room: RoomId, users: &[UserId]) {
        if let Err(error) = self.try_to_reckon_missing(room, users).await {
            tracing::debug!(%error, %room, "cannot find out the numbers of read markers now");
        }
    }

    async fn try_to_reckon_missing(&self, room: RoomId, users: &[UserId]) -> Result<()> {
        for (list, users) in in_lists(users) {
            let sql = format!(
                "SELECT user_id, read_position, read_version FROM members
                 WHERE room_id = ? AND user_id IN ({list}) AND read_number IS NULL"
            );
            let rows = self.db.query(Statement::new(sql, [values![room], users].concat())).await?;
            let marked = |row: &Row| {
                let (user, position, version) = (row.user(0)?, row.position(1)?, row.int(2)?);
                Ok(Marked { room, user, position, version })
            };
            self.reckon(&rows.iter().map(marked).collect::<Result<Vec<_>>>()?).await?;
        }
        Ok(())
    }
}
