//! Rooms as the fold needs them, and as people see them in lists.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use super::accounts::person;
use super::bulk::in_lists;
use super::database::{Database, Row, Statement, Value, values};
use super::history::{MESSAGE, MESSAGE_COLUMNS, MESSAGE_JOINS, message, next, next_of};
use super::unread::unread;
use super::{Listed, Result, RoomView, Snapshot, Store};
use crate::core::message::{CHANGED, Message};
use crate::core::recent::{self, First};
use crate::core::room::{Member, Room, Status};
use crate::core::types::{MessageId, Person, Position, RoomId, RoomKind, Timestamp, UserId};

/// The columns of a `RoomView` but for the last, [`unread`], of `rooms r` and, where there is one,
/// the membership `me` of the person who looks. The mentions come first in a left join: no plan may
/// go through all messages of a room.
const VIEW: &str = "r.id, r.kind, r.name, r.topic, r.visibility, r.position, r.member_count, \
     r.created_at, me.role, me.read_position, \
     (SELECT COUNT(DISTINCT n.position) FROM mentions n \
        LEFT JOIN messages x ON x.room_id = n.room_id AND x.position = n.position \
        WHERE n.room_id = me.room_id AND n.user_id IN (0, me.user_id) \
        AND n.position > me.read_position AND COALESCE(x.sender_id, 0) <> me.user_id), \
     (SELECT k.muted_until FROM mutes k WHERE k.room_id = me.room_id AND k.user_id = me.user_id), \
     me.read_version";
const VIEW_COLUMNS: usize = 14;

const LAST_MESSAGE: &str = "LEFT JOIN messages m ON m.id = r.last_message_id";

/// The columns of the person who looks and, in a direct room, the other one. The room's id is
/// looked for only there: no plan may go through all members of a group.
const PAIR: &str =
    "me.user_id, mu.username, mu.display_name, o.user_id, ou.username, ou.display_name";
const PAIR_JOINS: &str = "LEFT JOIN users mu ON mu.id = me.user_id \
     LEFT JOIN members o ON o.room_id = CASE WHEN r.kind = 'direct' THEN r.id END \
        AND o.user_id <> me.user_id \
     LEFT JOIN users ou ON ou.id = o.user_id";

/// Where the group that somebody wrote to last is looked for: in these many groups, those with the
/// newest messages, and among these many messages of each.
const GROUPS_LOOKED_AT: usize = 100;
const MESSAGES_LOOKED_AT: usize = 1_000;

impl Store {
    /// A number for a new group. It is never given again, whatever becomes of the room.
    pub async fn allocate_room(&self, now: Timestamp) -> Result<RoomId> {
        let statement = Statement::new("INSERT INTO room_ids (made_at) VALUES (?)", values![now]);
        Ok(RoomId::Group(self.db.execute(statement).await?.last_id))
    }

    /// The room as the first `next` entries of its partition made it.
    pub async fn snapshot(&self, room: RoomId, partition: u16) -> Result<Snapshot> {
        let rows = self
            .db
            .read(vec![
                next(partition),
                Statement::new(
                    "SELECT name, topic, visibility, position, deleted_at FROM rooms WHERE id = ?",
                    values![room],
                ),
                Statement::new(
                    "SELECT m.user_id, u.username, u.display_name, m.role, m.joined_at
                     FROM members m LEFT JOIN users u ON u.id = m.user_id WHERE m.room_id = ?",
                    values![room],
                ),
                Statement::new("SELECT user_id FROM bans WHERE room_id = ?", values![room]),
                mutes(room),
                Statement::new(
                    "SELECT sender_id, client_id, id, position FROM messages WHERE room_id = ?
                     ORDER BY position DESC LIMIT ?",
                    values![room, recent::WINDOW + 1],
                ),
                Statement::new(
                    format!(
                        "SELECT m.changed_position, {MESSAGE} FROM messages m {MESSAGE_JOINS}
                         WHERE m.room_id = ? AND m.changed_position > 0
                         ORDER BY m.changed_position DESC LIMIT ?"
                    ),
                    values![room, CHANGED],
                ),
            ])
            .await?;
        let room = restored(room, &rows[1..])?;
        Ok(Snapshot { room, next: next_of(&rows[0])? })
    }

    /// Every room that the person is in, the one with the newest message first.
    pub async fn rooms_of(&self, user: UserId) -> Result<Vec<RoomView>> {
        let db = self.db.clone();
        let rooms = self.lists.ask(user, move |users| rooms_of_all(db.clone(), users));
        Ok(rooms.await?.unwrap_or_default())
    }

    /// The group that is meant where none is named: the only one, or else the one that this person
    /// wrote to last.
    pub async fn usual_group(&self, user: UserId) -> Result<Option<RoomId>> {
        let sql = format!(
            "SELECT r.id, m.sent_at FROM members me JOIN rooms r ON r.id = me.room_id
             {LAST_MESSAGE} WHERE me.user_id = ? AND r.kind = 'group'
             ORDER BY COALESCE(m.sent_at, 0) DESC, r.id LIMIT ?"
        );
        let groups = self.db.query(Statement::new(sql, values![user, GROUPS_LOOKED_AT])).await?;
        if let [only] = &groups[..] {
            return only.parse(0).map(Some);
        }
        let mut usual: Option<(Timestamp, RoomId)> = None;
        for row in &groups {
            let (room, newest) = (row.parse(0)?, row.maybe_time(1)?);
            // From here on nobody wrote anything later, and so not this person.
            if newest <= usual.map(|(at, _)| at) {
                break;
            }
            if let Some(at) = self.last_sent(room, user).await?
                && usual.is_none_or(|(before, _)| before < at)
            {
                usual = Some((at, room));
            }
        }
        Ok(usual.map(|(_, room)| room))
    }

    /// When this person wrote to a room last, if that is not long ago.
    async fn last_sent(&self, room: RoomId, user: UserId) -> Result<Option<Timestamp>> {
        let sql = "SELECT MAX(x.sent_at) FROM
                (SELECT sender_id, sent_at FROM messages WHERE room_id = ?
                 ORDER BY position DESC LIMIT ?) x WHERE x.sender_id = ?";
        let row = self.db.query_one(Statement::new(sql, values![room, MESSAGES_LOOKED_AT, user]));
        row.await?.map_or(Ok(None), |row| row.maybe_time(0))
    }

    /// The room as this person sees it: `None` if for this person it does not exist.
    pub async fn room_view(&self, room: RoomId, user: UserId) -> Result<Option<RoomView>> {
        let unread = unread(self.db.dialect());
        let sql = format!(
            "SELECT {VIEW}, {unread}, {MESSAGE}, {PAIR} FROM rooms r
             LEFT JOIN members me ON me.room_id = r.id AND me.user_id = ?
             {LAST_MESSAGE} {MESSAGE_JOINS} {PAIR_JOINS}
             WHERE r.id = ? AND r.deleted_at IS NULL
               AND (me.user_id IS NOT NULL OR r.visibility = 'public')"
        );
        let row = self.db.query_one(Statement::new(sql, values![user, room])).await?;
        row.map(|row| whole_view(&row)).transpose()
    }

    /// Public groups whose name or topic contains the query, regardless of case, the oldest
    /// first, as outsiders see them.
    pub async fn public_rooms(
        &self,
        query: &str,
        after: Option<RoomId>,
        limit: usize,
    ) -> Result<Vec<RoomView>> {
        let after = match after {
            Some(RoomId::Group(number)) => number,
            _ => 0,
        };
        let sql = format!(
            "SELECT {VIEW}, NULL FROM rooms r
             LEFT JOIN members me ON me.room_id = r.id AND me.user_id = 0
             WHERE r.visibility = 'public' AND r.group_number > ? AND r.deleted_at IS NULL
               AND INSTR(r.search_key, ?) > 0
             ORDER BY r.group_number LIMIT ?"
        );
        let params = values![after, query.to_lowercase(), limit];
        let rows = self.db.query(Statement::new(sql, params)).await?;
        rows.iter().map(|row| view(row, None)).collect()
    }

    /// The members in the order of their user names.
    pub async fn members(&self, room: RoomId) -> Result<Vec<Listed>> {
        let statement = Statement::new(
            "SELECT m.user_id, u.username, u.display_name, m.role, m.joined_at, u.last_seen,
                 u.avatar
             FROM members m LEFT JOIN users u ON u.id = m.user_id WHERE m.room_id = ?
             ORDER BY u.username_key, m.user_id",
            values![room],
        );
        let rows = self.db.query(statement).await?;
        let listed = |row: &Row| {
            let (member, last_seen) = (member(row)?, row.maybe_time(5)?);
            Ok(Listed { member, last_seen, avatar: row.maybe_text(6)?.map(str::to_owned) })
        };
        rows.iter().map(listed).collect()
    }

    /// Who was muted in a room, until when; some of it may be over.
    pub async fn mutes(&self, room: RoomId) -> Result<HashMap<UserId, Timestamp>> {
        let rows = self.db.query(mutes(room)).await?;
        rows.iter().map(|row| Ok((row.user(0)?, row.time(1)?))).collect()
    }

    /// Those who may not come into a room, in the order of their user names.
    pub async fn banned(&self, room: RoomId) -> Result<Vec<Person>> {
        let statement = Statement::new(
            "SELECT b.user_id, u.username, u.display_name
             FROM bans b LEFT JOIN users u ON u.id = b.user_id WHERE b.room_id = ?
             ORDER BY u.username_key, b.user_id",
            values![room],
        );
        let rows = self.db.query(statement).await?;
        rows.iter().map(|row| person(row, 0)).collect()
    }

    pub async fn member_ids(&self, room: RoomId) -> Result<Vec<UserId>> {
        let sql = "SELECT user_id FROM members WHERE room_id = ? ORDER BY user_id";
        let rows = self.db.query(Statement::new(sql, values![room])).await?;
        rows.iter().map(|row| row.user(0)).collect()
    }
}

fn mutes(room: RoomId) -> Statement {
    let sql = "SELECT user_id, muted_until FROM mutes WHERE room_id = ?";
    Statement::new(sql, values![room])
}

/// A room from its row, its members, its bans, its mutes, its newest messages and those changed
/// last.
fn restored(id: RoomId, rows: &[Vec<Row>]) -> Result<Room> {
    let mut room = Room::absent(id);
    let Some(row) = rows[0].first() else { return Ok(room) };
    room.position = row.position(3)?;
    if row.maybe_int(4)?.is_some() {
        room.status = Status::Deleted;
        return Ok(room);
    }
    room.status = Status::Live;
    room.name = row.maybe_text(0)?.map(str::to_owned);
    room.topic = row.text(1)?.to_owned();
    room.visibility = row.parse(2)?;
    for row in &rows[1] {
        let member = member(row)?;
        room.members.insert(member.person.id, member);
    }
    for row in &rows[2] {
        room.banned.insert(row.user(0)?);
    }
    for row in &rows[3] {
        room.mutes.set(row.user(0)?, row.time(1)?);
    }
    let newest = &rows[4][..rows[4].len().min(recent::WINDOW)];
    for row in newest.iter().rev() {
        let first = First { id: MessageId(row.int(2)?), position: row.position(3)? };
        room.recent.push(row.user(0)?, row.maybe_text(1)?, first);
    }
    if rows[4].len() > newest.len() {
        room.recent.set_incomplete();
    }
    for row in rows[5].iter().rev() {
        room.changed.note(row.position(0)?, message(row, 1)?.original());
    }
    Ok(room)
}

/// Reads a user id, a user name, a display name, a role and the time of joining.
fn member(row: &Row) -> Result<Member> {
    Ok(Member { person: person(row, 0)?, role: row.parse(3)?, joined_at: row.time(4)? })
}

/// Every room that each of these people is in, the one with the newest message first.
async fn rooms_of_all(
    db: Arc<dyn Database>,
    users: Vec<UserId>,
) -> Result<HashMap<UserId, Vec<RoomView>>> {
    let mut rooms: HashMap<UserId, Vec<RoomView>> = HashMap::new();
    for (list, params) in in_lists(&users) {
        let unread = unread(db.dialect());
        let sql = format!(
            "SELECT {VIEW}, {unread}, {MESSAGE}, {PAIR} FROM members me
             JOIN rooms r ON r.id = me.room_id {LAST_MESSAGE} {MESSAGE_JOINS} {PAIR_JOINS}
             WHERE me.user_id IN ({list})"
        );
        for row in db.query(Statement::new(sql, params)).await? {
            let user = row.user(VIEW_COLUMNS + MESSAGE_COLUMNS)?;
            rooms.entry(user).or_default().push(whole_view(&row)?);
        }
    }
    // Not by the database, which would keep a table on disk to sort rows with texts.
    for views in rooms.values_mut() {
        views.sort_by_cached_key(|view| {
            let newest = view.last_message.as_ref().map_or(view.created_at, |last| last.sent_at);
            (Reverse(newest), view.id.to_string())
        });
    }
    Ok(rooms)
}

/// A room from a row of `VIEW`, `MESSAGE` and `PAIR`.
fn whole_view(row: &Row) -> Result<RoomView> {
    let has_message = row.maybe_int(VIEW_COLUMNS)?.is_some();
    let last = if has_message { Some(message(row, VIEW_COLUMNS)?) } else { None };
    let mut view = view(row, last)?;
    if view.kind == RoomKind::Direct {
        let me = VIEW_COLUMNS + MESSAGE_COLUMNS;
        let other = row.maybe_int(me + 3)?.map(|_| person(row, me + 3)).transpose()?;
        view.name = other.as_ref().map(|person| person.display_name.clone());
        view.people = std::iter::once(person(row, me)?).chain(other).collect();
        view.people.sort_by_key(|person| person.id);
    }
    Ok(view)
}

/// Reads the columns of `VIEW`. Who is not a member is not told what was said.
fn view(row: &Row, last_message: Option<Message>) -> Result<RoomView> {
    let is_member = row.0[8] != Value::Null;
    let count = |column| row.int(column).map(|count| is_member.then_some(count));
    Ok(RoomView {
        id: row.parse(0)?,
        kind: row.parse(1)?,
        name: row.maybe_text(2)?.map(str::to_owned),
        topic: row.text(3)?.to_owned(),
        visibility: row.parse(4)?,
        role: if is_member { Some(row.parse(8)?) } else { None },
        unread: row.maybe_int(13)?.filter(|_| is_member),
        mentions: count(10)?,
        last_message: last_message.filter(|_| is_member),
        position: row.position(5)?,
        read_position: row.maybe_int(9)?.map(Position),
        muted_until: row.maybe_time(11)?,
        read_version: row.maybe_int(12)?,
        member_count: row.int(6)?,
        created_at: row.time(7)?,
        people: Vec::new(),
    })
}
