//! The end of an account. What was said stays, and has an author without a name.

use super::database::{Row, Statement, values};
use super::history::{HUB_ADMIN, unreadable};
use super::{LoginId, Result, Store};
use crate::core::erasure;
use crate::core::room::Event;
use crate::core::types::{Person, Role, RoomId, Timestamp, UserId};

/// Events that are looked at in one go.
const EVENTS: usize = 200;

/// A group that somebody is in, as far as leaving it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    pub room: RoomId,
    pub name: String,
    pub role: Role,
    /// Members besides, and admins among them.
    pub others: i64,
    pub other_admins: i64,
}

impl Seat {
    /// Whether somebody else has to be made an admin first.
    pub fn is_last_admin(&self) -> bool {
        self.role == Role::Admin && self.others > 0 && self.other_admins == 0
    }
}

impl Store {
    /// The groups that this person is in.
    pub async fn seats(&self, user: UserId) -> Result<Vec<Seat>> {
        let others = "SELECT COUNT(*) FROM members x WHERE x.room_id = r.id AND x.user_id <> ?";
        let sql = format!(
            "SELECT r.id, r.name, me.role, ({others}), ({others} AND x.role = 'admin')
             FROM members me JOIN rooms r ON r.id = me.room_id
             WHERE me.user_id = ? AND r.kind = 'group' AND r.deleted_at IS NULL ORDER BY r.group_number"
        );
        let rows = self.db.query(Statement::new(sql, values![user, user, user])).await?;
        let seat = |row: &Row| {
            Ok(Seat {
                room: row.parse(0)?,
                name: row.maybe_text(1)?.unwrap_or_default().to_owned(),
                role: row.parse(2)?,
                others: row.int(3)?,
                other_admins: row.int(4)?,
            })
        };
        rows.iter().map(seat).collect()
    }

    /// Takes a person's names out of what is kept of the past of rooms: of what was done to them, and
    /// of how the rooms began that they were ever in. Other events have no names in them, or are
    /// shown with the message as it is now.
    pub async fn erase_from_events(&self, user: UserId) -> Result<()> {
        let nobody = Person::deleted(user);
        let (mut room, mut position) = (String::new(), -1);
        loop {
            let sql = "SELECT room_id, position, data FROM events
                 WHERE subject = ? AND (room_id > ? OR (room_id = ? AND position > ?))
                   AND type IN ('member_added', 'member_updated', 'member_removed', 'member_banned',
                                'member_muted', 'member_unmuted')
                 ORDER BY room_id, position LIMIT ?";
            let params = values![user, room.as_str(), room.as_str(), position, EVENTS];
            let rows = self.db.query(Statement::new(sql, params)).await?;
            self.erase_from(&rows, &nobody).await?;
            match rows.last() {
                Some(last) if rows.len() == EVENTS => {
                    (room, position) = (last.text(0)?.to_owned(), last.int(1)?);
                }
                _ => break,
            }
        }
        let rooms = self.rooms_ever(user).await?;
        for part in rooms.chunks(EVENTS) {
            let founding = |room: &String| {
                let sql = "SELECT room_id, position, data FROM events WHERE room_id = ?
                           ORDER BY position LIMIT 1";
                Statement::new(sql, values![room.as_str()])
            };
            let foundings = self.db.read(part.iter().map(founding).collect()).await?;
            self.erase_from(&foundings.concat(), &nobody).await?;
        }
        Ok(())
    }

    /// The rooms that this person was ever in.
    async fn rooms_ever(&self, user: UserId) -> Result<Vec<String>> {
        let sql = "SELECT room_id FROM events WHERE subject = ?
                   UNION SELECT room_id FROM members WHERE user_id = ?";
        let rows = self.db.query(Statement::new(sql, values![user, user])).await?;
        rows.iter().map(|row| row.text(0).map(str::to_owned)).collect()
    }

    async fn erase_from(&self, rows: &[Row], nobody: &Person) -> Result<()> {
        let mut updates = Vec::new();
        for row in rows {
            if let Some(data) = erased(row.text(2)?, nobody)? {
                let sql = "UPDATE events SET data = ? WHERE room_id = ? AND position = ?";
                updates.push(Statement::new(sql, values![data, row.text(0)?, row.int(1)?]));
            }
        }
        match updates.is_empty() {
            true => Ok(()),
            false => self.db.write(updates).await.map(drop),
        }
    }

    /// Empties an account, so that its name is free and nobody can log in; returns the logins that
    /// ended with it. Nothing of it is left but an id.
    pub async fn delete_account(&self, user: UserId, now: Timestamp) -> Result<Vec<LoginId>> {
        let nobody = Person::deleted(user);
        // Disabled as well, as which an instance of an older version takes it.
        let empty = Statement::new(
            "UPDATE users SET username = ?, username_key = ?, display_name = ?, display_key = '',
                 password_hash = '', hub_admin = 0, last_seen = NULL, avatar = NULL, disabled_at = ?,
                 deleted_at = ?
             WHERE id = ?",
            values![
                nobody.username.as_str(),
                nobody.username.as_str(),
                nobody.display_name.as_str(),
                now,
                now,
                user
            ],
        );
        let done = self.db.write(vec![
            empty,
            Statement::new("SELECT id FROM logins WHERE user_id = ? ORDER BY id", values![user]),
            Statement::new("DELETE FROM logins WHERE user_id = ?", values![user]),
            Statement::new("DELETE FROM avatars WHERE user_id = ?", values![user]),
        ]);
        done.await?[1].rows.iter().map(|row| row.int(0).map(LoginId)).collect()
    }
}

/// An event without this person's names, if it had any. By what right it was done stays.
fn erased(data: &str, nobody: &Person) -> Result<Option<String>> {
    let mut before: serde_json::Value = serde_json::from_str(data).map_err(unreadable)?;
    let right = before.get_mut(HUB_ADMIN).map(serde_json::Value::take);
    let mut event: Event = serde_json::from_value(before).map_err(unreadable)?;
    if !erasure::rename(&mut event, nobody) {
        return Ok(None);
    }
    let mut after = serde_json::to_value(&event).map_err(unreadable)?;
    if let Some(right) = right {
        after[HUB_ADMIN] = right;
    }
    Ok(Some(after.to_string()))
}
