//! Read markers, how they move, and who is told of them.
//!
//! A marker is a pair, (version, position), and the larger pair is the later one. Reading moves
//! the position forward within a version; marking as unread sets it back and raises the version.
//! So whoever hears of a marker's places in any order ends at the same one.

use std::collections::{BTreeMap, HashMap};

use super::bulk::in_lists;
use super::database::{Row, Statement, values};
use super::unread::NUMBER_AT;
use super::{Result, Store};
use crate::core::types::{Position, RoomId, UserId};

/// Read markers in one transaction.
const MARKS: usize = 500;

/// A member with a read marker to move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadMark {
    pub room: RoomId,
    pub user: UserId,
    pub position: Position,
    /// The version that the reader knows: in a later one it is not moved. `None`: in any.
    pub version: Option<i64>,
}

/// Where a member's read marker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marker {
    pub version: i64,
    pub position: Position,
    /// How far others are told that this member has read; it never goes back. `None`: the person
    /// does not want them to be told.
    pub receipt: Option<Position>,
}

/// The columns of a `Marker`, of `members m` and `users u`.
const MARKER: &str = "m.read_version, m.read_position, m.seen_position, u.read_receipts";

impl Store {
    pub async fn is_member(&self, room: RoomId, user: UserId) -> Result<bool> {
        Ok(self.read_position(room, user).await?.is_some())
    }

    /// How far this member has read; `None` for who is not one.
    pub async fn read_position(&self, room: RoomId, user: UserId) -> Result<Option<Position>> {
        Ok(self.marker(room, user).await?.map(|marker| marker.position))
    }

    /// The read marker of a member; `None` for who is not one.
    pub async fn marker(&self, room: RoomId, user: UserId) -> Result<Option<Marker>> {
        let row = self.db.query_one(select_marker(room, user)).await?;
        row.as_ref().map(marker).transpose()
    }

    /// Moves read markers forward; they never go back, nor past the end of the room as the store
    /// has it. Returns those that would have: the store is behind the log, so give them again
    /// once it has caught up, or what was read shows as unread.
    pub async fn set_read(&self, marks: &[ReadMark]) -> Result<Vec<ReadMark>> {
        let mut early = Vec::new();
        for part in marks.chunks(MARKS) {
            let ends = self.ends(part).await?;
            // One statement for all who read up to the same place; and in one order everywhere,
            // so that two instances do not block each other.
            let mut together: BTreeMap<(RoomId, Position, i64), Vec<UserId>> = BTreeMap::new();
            for mark in part {
                let Some(&end) = ends.get(&mark.room) else { continue };
                if mark.position > end {
                    early.push(*mark);
                }
                let position = mark.position.min(end);
                let version = mark.version.unwrap_or(i64::MAX);
                together.entry((mark.room, position, version)).or_default().push(mark.user);
            }
            let (mut updates, mut uncounted) = (Vec::new(), Vec::new());
            for ((room, position, version), mut users) in together {
                users.sort();
                let is_end = ends.get(&room) == Some(&position);
                updates.extend(in_lists(&users).map(|(list, users)| {
                    let params = values![i64::from(is_end), room, position, position, position];
                    let params = [params, values![room, position, version], users].concat();
                    // None of a member's own messages follow the end, nor a marker that was never
                    // set back; those that follow another are counted once nothing is locked. In
                    // MySQL an assignment sees what those before it assigned: the position comes
                    // last.
                    let sql = format!(
                        "UPDATE members SET
                             read_number = CASE WHEN read_version = 0 OR ? = 1 THEN {NUMBER_AT} END,
                             own_after = 0, read_number_at = ?,
                             read_number_version = read_version, read_position = ?
                         WHERE room_id = ? AND read_position < ? AND read_version <= ?
                           AND user_id IN ({list})"
                    );
                    Statement::new(sql, params)
                }));
                if !is_end && version > 0 {
                    uncounted.push((room, users));
                }
            }
            if !updates.is_empty() {
                self.db.write(updates).await?;
            }
            for (room, users) in uncounted {
                self.reckon_missing(room, &users).await;
            }
        }
        Ok(early)
    }

    /// Sets a marker back to before `from`, unless it is there already, and raises its version in
    /// any case: what was read before and is told later does not count. Returns the marker as it
    /// is then; `None` for who is not a member.
    pub async fn set_unread(
        &self,
        room: RoomId,
        user: UserId,
        from: Position,
    ) -> Result<Option<Marker>> {
        let before = Position(from.0.saturating_sub(1).max(Position::START.0));
        let seen = self.db.dialect().greatest("seen_position", "read_position");
        // In MySQL an assignment sees what those before it assigned: the position comes last.
        let sql = format!(
            "UPDATE members SET read_version = read_version + 1, seen_position = {seen},
                 read_number = NULL,
                 read_position = CASE WHEN read_position > ? THEN ? ELSE read_position END
             WHERE room_id = ? AND user_id = ?"
        );
        let update = Statement::new(sql, values![before, before, room, user]);
        let done = self.db.write(vec![update, select_marker(room, user)]).await?;
        self.reckon_missing(room, &[user]).await;
        done[1].rows.first().map(marker).transpose()
    }

    /// How far the members of a room have read who let others know; nobody's where the room has
    /// more than `most` members.
    pub async fn receipts(&self, room: RoomId, most: usize) -> Result<HashMap<UserId, Position>> {
        let sql = format!(
            "SELECT {MARKER}, m.user_id FROM members m JOIN users u ON u.id = m.user_id
             JOIN rooms r ON r.id = m.room_id
             WHERE m.room_id = ? AND r.member_count <= ? AND u.read_receipts <> 0"
        );
        let rows = self.db.query(Statement::new(sql, values![room, most])).await?;
        let receipt = |row: &Row| Ok(marker(row)?.receipt.zip(Some(row.user(4)?)));
        let receipts = rows.iter().map(receipt).collect::<Result<Vec<_>>>()?;
        Ok(receipts.into_iter().flatten().map(|(position, user)| (user, position)).collect())
    }

    /// Whether others are told how far this person has read, and this person of others.
    pub async fn set_read_receipts(&self, user: UserId, on: bool) -> Result<()> {
        let sql = "UPDATE users SET read_receipts = ? WHERE id = ?";
        self.db.execute(Statement::new(sql, values![i64::from(on), user])).await.map(drop)
    }

    /// The ends of the rooms that these marks are in, as far as they are there.
    async fn ends(&self, marks: &[ReadMark]) -> Result<HashMap<RoomId, Position>> {
        let mut rooms: Vec<RoomId> = marks.iter().map(|mark| mark.room).collect();
        rooms.sort();
        rooms.dedup();
        let reads = in_lists(&rooms).map(|(list, rooms)| {
            let sql = format!(
                "SELECT id, position FROM rooms WHERE deleted_at IS NULL AND id IN ({list})"
            );
            Statement::new(sql, rooms)
        });
        let reads: Vec<_> = reads.collect();
        if reads.is_empty() {
            return Ok(HashMap::new());
        }
        let rows = self.db.read(reads).await?;
        rows.iter().flatten().map(|row| Ok((row.parse(0)?, row.position(1)?))).collect()
    }
}

fn select_marker(room: RoomId, user: UserId) -> Statement {
    let sql = format!(
        "SELECT {MARKER} FROM members m LEFT JOIN users u ON u.id = m.user_id
         WHERE m.room_id = ? AND m.user_id = ?"
    );
    Statement::new(sql, values![room, user])
}

/// Reads the columns of `MARKER`. Who has no account is told of nobody.
fn marker(row: &Row) -> Result<Marker> {
    let position = row.position(1)?;
    let tells = row.maybe_int(3)?.is_some_and(|on| on != 0);
    let seen = position.max(row.position(2)?);
    Ok(Marker { version: row.int(0)?, position, receipt: tells.then_some(seen) })
}
