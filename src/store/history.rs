//! What was said, by position: pages for people who scroll, and replays for those who come back.

use super::accounts::person;
use super::database::{Row, Statement, Value, values};
use super::{Deed, Page, PageOf, Parting, Replay, Result, Store, StoreError};
use crate::core::message::{self, Message, Quote, Reaction, Reactors};
use crate::core::room::{Event, Mentions};
use crate::core::types::{MessageId, Position, RoomId, UserId};

/// The columns of a `Message`, of `messages m` and `MESSAGE_JOINS`.
pub(super) const MESSAGE: &str = "m.id, m.room_id, m.position, m.sender_id, s.username, \
     s.display_name, m.body, m.sent_at, m.edited_at, m.deleted_at, m.client_id, m.reactions, \
     q.id, q.sender_id, t.username, t.display_name, q.body, q.deleted_at";
pub(super) const MESSAGE_COLUMNS: usize = 18;
/// The end of a FROM that has `messages m`: the sender, and what it quotes with its sender.
pub(super) const MESSAGE_JOINS: &str = "LEFT JOIN users s ON s.id = m.sender_id \
     LEFT JOIN messages q ON q.id = m.reply_to LEFT JOIN users t ON t.id = q.sender_id";

/// Beside an event's own fields: whether it was done by the right of a hub admin.
pub(super) const HUB_ADMIN: &str = "hub_admin";

/// A way to walk along a room's positions.
#[derive(Clone, Copy)]
enum Walk {
    Before(Position),
    After(Position),
}

impl Store {
    /// A page of a room's history. Deleted messages keep their place.
    pub async fn page(
        &self,
        room: RoomId,
        partition: u16,
        which: PageOf,
        limit: usize,
    ) -> Result<Page> {
        // One more than asked for tells whether there are others beyond.
        let walk = |walk| messages(room, walk, limit + 1);
        let (before, after) = match which {
            PageOf::Newest => (walk(Walk::Before(Position(i64::MAX))), nothing()),
            PageOf::Before(end) => {
                (walk(Walk::Before(end)), any_after(room, Position(end.0.saturating_sub(1))))
            }
            PageOf::After(start) => {
                (any_before(room, Position(start.0.saturating_add(1))), walk(Walk::After(start)))
            }
            PageOf::Around(middle) => (
                walk(Walk::Before(middle)),
                walk(Walk::After(Position(middle.0.saturating_sub(1)))),
            ),
        };
        let rows = self.db.read(vec![next(partition), before, after]).await?;
        let (older, newer) = match which {
            PageOf::Newest | PageOf::Before(_) => (rows[1].len().min(limit), 0),
            PageOf::After(_) => (0, rows[2].len().min(limit)),
            PageOf::Around(_) => share(rows[1].len(), rows[2].len(), limit),
        };
        let older_first = rows[1][..older].iter().rev().chain(&rows[2][..newer]);
        Ok(Page {
            messages: older_first.map(|row| message(row, 0)).collect::<Result<_>>()?,
            has_older: rows[1].len() > older,
            has_newer: rows[2].len() > newer,
            next: next_of(&rows[0])?,
        })
    }

    pub async fn message(&self, id: MessageId) -> Result<Option<Message>> {
        let sql = format!("SELECT {MESSAGE} FROM messages m {MESSAGE_JOINS} WHERE m.id = ?");
        let row = self.db.query_one(Statement::new(sql, values![id])).await?;
        row.map(|row| message(&row, 0)).transpose()
    }

    /// The first message that this person sent to this room under this `client_id`.
    pub async fn message_by_client_id(
        &self,
        room: RoomId,
        sender: UserId,
        client_id: &str,
    ) -> Result<Option<Message>> {
        // Sorted here: asked to, a database may rather walk through the room in order.
        let sql = format!(
            "SELECT {MESSAGE} FROM messages m {MESSAGE_JOINS}
             WHERE m.room_id = ? AND m.sender_id = ? AND m.client_id = ?"
        );
        let rows = self.db.query(Statement::new(sql, values![room, sender, client_id])).await?;
        let found = rows.iter().map(|row| message(row, 0)).collect::<Result<Vec<_>>>()?;
        Ok(found.into_iter().min_by_key(|message| message.position))
    }

    /// What happened in a room after a position: messages and other events in one order. Messages
    /// are as they are now, and do not say whom they mentioned.
    pub async fn replay(
        &self,
        room: RoomId,
        partition: u16,
        after: Position,
        limit: usize,
    ) -> Result<Replay> {
        let events = format!(
            "SELECT e.position, e.type, e.by_user, e.data, {MESSAGE} FROM events e
             LEFT JOIN messages m ON m.id = e.message_id {MESSAGE_JOINS}
             WHERE e.room_id = ? AND e.position > ? ORDER BY e.position LIMIT ?"
        );
        let events = Statement::new(events, values![room, after, limit + 1]);
        let messages = messages(room, Walk::After(after), limit + 1);
        let rows = self.db.read(vec![next(partition), messages, events]).await?;

        let said = rows[1].iter().map(|row| {
            let message = message(row, 0)?;
            Ok((message.position, Event::Message { message, mentions: Mentions::default() }))
        });
        let done = rows[2].iter().map(|row| Ok((row.position(0)?, replayed(row)?)));
        let mut events = said.chain(done).collect::<Result<Vec<_>>>()?;
        events.sort_by_key(|(position, _)| *position);
        let too_much = events.len() > limit;
        events.truncate(limit);
        Ok(Replay { events, too_much, next: next_of(&rows[0])? })
    }

    /// Who did what in a room before a position, the newest first: everything but talk. That an
    /// admin deleted what somebody else had said is no talk.
    pub async fn audit(&self, room: RoomId, before: Position, limit: usize) -> Result<Vec<Deed>> {
        let sql = format!(
            "SELECT e.position, e.type, e.by_user, e.data, {MESSAGE}, e.at FROM events e
             LEFT JOIN messages m ON m.id = e.message_id {MESSAGE_JOINS}
             WHERE e.room_id = ? AND e.position < ? AND e.type NOT IN ('edited', 'reaction')
               AND (e.type <> 'deleted' OR e.subject <> e.by_user)
             ORDER BY e.position DESC LIMIT ?"
        );
        let rows = self.db.query(Statement::new(sql, values![room, before, limit])).await?;
        rows.iter().map(deed).collect()
    }

    /// Where this member came into the room, the last time; the start where that is not known.
    pub async fn arrival(&self, room: RoomId, user: UserId) -> Result<Position> {
        let added = "SELECT position FROM events
             WHERE room_id = ? AND subject = ? AND type = 'member_added'
             ORDER BY position DESC LIMIT 1";
        let founded = "SELECT position FROM events
             WHERE room_id = ? AND type = 'room_created' ORDER BY position LIMIT 1";
        let rows = self.db.read(vec![
            Statement::new(added, values![room, user]),
            Statement::new(founded, values![room]),
        ]);
        let rows = rows.await?;
        let row = rows[0].first().or(rows[1].first());
        row.map_or(Ok(Position::START), |row| row.position(0))
    }

    /// How the stay of somebody ended who knows a room up to a position and is not in it now.
    ///
    /// Only what happened during the stay to which `since` belongs is theirs to know. Who was not
    /// in the room at `since` hears of the last removal alone, and a stranger of nothing.
    pub async fn parting(
        &self,
        room: RoomId,
        user: UserId,
        since: Position,
    ) -> Result<Option<Parting>> {
        let next = "SELECT position, type FROM events
             WHERE room_id = ? AND subject = ? AND position > ?
                 AND type IN ('member_added', 'member_removed')
             ORDER BY position LIMIT 1";
        let last = "SELECT position FROM events
             WHERE room_id = ? AND subject = ? AND position > ? AND type = 'member_removed'
             ORDER BY position DESC LIMIT 1";
        let deleted = "SELECT position, data FROM events
             WHERE room_id = ? AND position > ? AND type = 'room_deleted' LIMIT 1";
        let rows = self.db.read(vec![
            Statement::new(next, values![room, user, since]),
            Statement::new(last, values![room, user, since]),
            Statement::new(deleted, values![room, since]),
        ]);
        let rows = rows.await?;
        if let Some(row) = rows[2].first() {
            let was_in_it = match event(row.text(1)?)? {
                Event::RoomDeleted { members, .. } => members.contains(&user),
                _ => false,
            };
            return Ok(was_in_it.then_some(Parting::alone(row.position(0)?)));
        }
        match (rows[0].first(), rows[1].first()) {
            (Some(next), _) if next.text(1)? == "member_removed" => {
                Ok(Some(Parting { after: since, until: next.position(0)? }))
            }
            (_, Some(last)) => Ok(Some(Parting::alone(last.position(0)?))),
            _ => Ok(None),
        }
    }
}

impl Parting {
    /// Nothing but the removal.
    fn alone(until: Position) -> Parting {
        Parting { after: Position(until.0 - 1), until }
    }
}

/// How many to take of the older and of the newer ones: half and half, as far as there are some.
fn share(older: usize, newer: usize, limit: usize) -> (usize, usize) {
    let half = limit / 2;
    let older = older.min(half.max(limit.saturating_sub(newer)));
    (older, newer.min(limit - older))
}

fn messages(room: RoomId, walk: Walk, limit: usize) -> Statement {
    let (compare, direction, from) = match walk {
        Walk::Before(end) => ("<", "DESC", end),
        Walk::After(start) => (">", "ASC", start),
    };
    let sql = format!(
        "SELECT {MESSAGE} FROM messages m {MESSAGE_JOINS}
         WHERE m.room_id = ? AND m.position {compare} ?
         ORDER BY m.position {direction} LIMIT ?"
    );
    Statement::new(sql, values![room, from, limit])
}

fn any_before(room: RoomId, end: Position) -> Statement {
    let sql = "SELECT 1 FROM messages WHERE room_id = ? AND position < ? LIMIT 1";
    Statement::new(sql, values![room, end])
}

fn any_after(room: RoomId, start: Position) -> Statement {
    let sql = "SELECT 1 FROM messages WHERE room_id = ? AND position > ? LIMIT 1";
    Statement::new(sql, values![room, start])
}

/// For a side of the page where there can be nothing.
fn nothing() -> Statement {
    Statement::new("SELECT 1 FROM log_offsets WHERE partition_id < ?", values![Value::Int(0)])
}

/// The offset that the store has reached in a partition.
pub(super) fn next(partition: u16) -> Statement {
    let sql = "SELECT next_offset FROM log_offsets WHERE partition_id = ?";
    Statement::new(sql, values![partition])
}

pub(super) fn next_of(rows: &[Row]) -> Result<i64> {
    rows.first().map_or(Ok(0), |row| row.int(0))
}

/// Reads the columns of `MESSAGE` from this one on.
pub(super) fn message(row: &Row, from: usize) -> Result<Message> {
    let deleted = row.maybe_int(from + 9)?.is_some();
    let body = || row.text(from + 6).map(str::to_owned);
    let quote = quote(row, from + 12)?.filter(|_| !deleted);
    Ok(Message {
        id: MessageId(row.int(from)?),
        room_id: row.parse(from + 1)?,
        position: row.position(from + 2)?,
        sender: person(row, from + 3)?,
        body: if deleted { None } else { Some(body()?) },
        sent_at: row.time(from + 7)?,
        edited_at: row.maybe_time(from + 8)?,
        deleted,
        reply_to: quote.as_ref().map(|quote| quote.id),
        quote,
        reactions: reactions(row.maybe_text(from + 11)?)?,
        client_id: row.maybe_text(from + 10)?.map(str::to_owned),
    })
}

fn quote(row: &Row, from: usize) -> Result<Option<Quote>> {
    let Some(id) = row.maybe_int(from)? else { return Ok(None) };
    let deleted = row.maybe_int(from + 5)?.is_some();
    let start = |body: &str| body.chars().take(message::QUOTE).collect();
    Ok(Some(Quote {
        id: MessageId(id),
        sender: person(row, from + 1)?,
        body: row.maybe_text(from + 4)?.filter(|_| !deleted).map(start),
        deleted,
    }))
}

fn reactions(json: Option<&str>) -> Result<Vec<Reaction>> {
    let Some(json) = json else { return Ok(Vec::new()) };
    let reactors: Vec<Reactors> = serde_json::from_str(json)
        .map_err(|error| StoreError::Broken(format!("reactions that cannot be read: {error}")))?;
    Ok(reactors.into_iter().map(Into::into).collect())
}

/// An event of the past. A message that was changed is shown as it is now: what it said in
/// between may have been deleted since.
fn replayed(row: &Row) -> Result<Event> {
    let message = || message(row, 4);
    match row.text(1)? {
        "edited" => Ok(Event::Edited { message: message()?, mentions: Mentions::default() }),
        "deleted" => Ok(Event::Deleted { message: message()?, by: row.user(2)? }),
        _ => event(row.text(3)?),
    }
}

/// Reads a row of the audit.
fn deed(row: &Row) -> Result<Deed> {
    let data: serde_json::Value = serde_json::from_str(row.text(3)?).map_err(unreadable)?;
    Ok(Deed {
        position: row.position(0)?,
        at: row.time(4 + MESSAGE_COLUMNS)?,
        by: row.user(2)?,
        hub_admin: data[HUB_ADMIN] == true,
        event: replayed(row)?,
    })
}

fn event(data: &str) -> Result<Event> {
    serde_json::from_str(data).map_err(unreadable)
}

pub(super) fn unreadable(error: serde_json::Error) -> StoreError {
    StoreError::Broken(format!("an event that cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_around_is_filled_from_whichever_side_has_more() {
        assert_eq!(share(100, 100, 50), (25, 25));
        assert_eq!(share(3, 100, 50), (3, 47));
        assert_eq!(share(100, 3, 50), (47, 3));
        assert_eq!(share(3, 4, 50), (3, 4));
        assert_eq!(share(9, 9, 1), (0, 1));
        assert_eq!(share(9, 9, 0), (0, 0));
    }
}
