//! Messages by their words, in the rooms of one person, the newest first.
//!
//! Each room is asked for its newest hits by the index, and the rooms are merged. The index may
//! have words of a text that was edited away, so each hit is held against the query once more.

use super::bulk::{in_lists, insert_rows};
use super::database::{Row, Statement, Value, values};
use super::history::{MESSAGE, MESSAGE_JOINS, message};
use super::persist::{KEEP_WORD, WORDS};
use super::{Result, Store, StoreError};
use crate::core::message::Message;
use crate::core::search::{self, Query};
use crate::core::types::{MessageId, RoomId, Timestamp, UserId};

/// Rooms that one statement asks.
const ROOMS: usize = 64;

/// Where to go on: before this message.
type Before = (Timestamp, MessageId);

impl Store {
    /// The newest messages that match, older than `before` if one is given, in all rooms of the
    /// person or in one of them.
    pub async fn search(
        &self,
        user: UserId,
        query: &Query,
        room: Option<RoomId>,
        before: Option<&Message>,
        limit: usize,
    ) -> Result<Vec<Message>> {
        let rooms = self.rooms_to_search(user, room).await?;
        let mut before = before.map_or((Timestamp(i64::MAX), MessageId(i64::MAX)), place);
        let mut found: Vec<Message> = Vec::new();
        while found.len() < limit {
            let hits = self.hits(&rooms, query, before, limit).await?;
            let (full, last) = (hits.len() >= limit, hits.last().map(place));
            let matches =
                |message: &Message| message.body.as_deref().is_some_and(|body| query.matches(body));
            found.extend(hits.into_iter().filter(matches));
            match last {
                Some(last) if full => before = last,
                _ => break,
            }
        }
        found.truncate(limit);
        Ok(found)
    }

    /// Adds the words of some messages that were written before there was an index, the newest
    /// first. Returns whether there are more; several instances may do this at once.
    pub async fn index_older(&self, most: usize) -> Result<bool> {
        let upto = self.db.query_one(Statement::new("SELECT upto FROM words_missing", vec![]));
        let Some(upto) = upto.await?.map(|row| row.int(0)).transpose()? else { return Ok(false) };
        let sql = "SELECT id, room_id, position, body FROM messages
             WHERE id <= ? AND deleted_at IS NULL ORDER BY id DESC LIMIT ?";
        let rows = self.db.query(Statement::new(sql, values![upto, most])).await?;
        let next = match rows.last() {
            Some(last) if rows.len() == most => last.int(0)? - 1,
            _ => -1,
        };
        let moved = "UPDATE words_missing SET upto = ? WHERE upto = ?";
        let mut statements = vec![Statement::new(moved, values![next, upto]).expecting(1)];
        let mut words = Vec::new();
        for row in &rows {
            let (room, position) = (row.parse::<RoomId>(1)?, row.position(2)?);
            let all = search::words(row.text(3)?).into_iter();
            words.extend(all.map(|word| values![room, word, position]));
        }
        let tail = self.db.dialect().on_conflict("room_id, word, position", KEEP_WORD);
        statements.extend(insert_rows(WORDS, &tail, words));
        match self.db.write(statements).await {
            // Another instance was faster, and there may be more.
            Ok(_) | Err(StoreError::Fenced) => Ok(next >= 0),
            Err(error) => Err(error),
        }
    }

    async fn rooms_to_search(&self, user: UserId, room: Option<RoomId>) -> Result<Vec<RoomId>> {
        let sql = "SELECT room_id FROM members WHERE user_id = ?";
        let rows = self.db.query(Statement::new(sql, values![user])).await?;
        let rooms = rows.iter().map(|row| row.parse(0)).collect::<Result<Vec<RoomId>>>()?;
        Ok(rooms.into_iter().filter(|one| room.is_none_or(|room| room == *one)).collect())
    }

    /// Messages that the index names, the newest first.
    async fn hits(
        &self,
        rooms: &[RoomId],
        query: &Query,
        before: Before,
        limit: usize,
    ) -> Result<Vec<Message>> {
        let asked = rooms.chunks(ROOMS).map(|rooms| ask(rooms, query, before, limit));
        let asked: Vec<Statement> = asked.collect();
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let mut hits = Vec::new();
        for rows in self.db.read(asked).await? {
            let hit = |row: &Row| Ok((row.time(0)?, MessageId(row.int(1)?)));
            hits.extend(rows.iter().map(hit).collect::<Result<Vec<Before>>>()?);
        }
        hits.sort_by(|one, other| other.cmp(one));
        hits.dedup();
        hits.truncate(limit);
        let ids: Vec<MessageId> = hits.into_iter().map(|(_, id)| id).collect();
        let mut messages = Vec::with_capacity(ids.len());
        for (list, ids) in in_lists(&ids) {
            let sql =
                format!("SELECT {MESSAGE} FROM messages m {MESSAGE_JOINS} WHERE m.id IN ({list})");
            for row in self.db.query(Statement::new(sql, ids)).await? {
                messages.push(message(&row, 0)?);
            }
        }
        messages.sort_by_key(|message| std::cmp::Reverse(place(message)));
        Ok(messages)
    }
}

fn place(message: &Message) -> Before {
    (message.sent_at, message.id)
}

/// Asks each of these rooms for its newest hits.
fn ask(rooms: &[RoomId], query: &Query, (at, id): Before, limit: usize) -> Statement {
    // The longest word is the rarest, as a rule; a mere beginning comes last.
    let mut words: Vec<&String> = query.words.iter().collect();
    words.sort_by_key(|word| std::cmp::Reverse(word.chars().count()));
    let mut terms: Vec<(&str, Vec<Value>)> =
        words.iter().map(|word| ("= ?", values![word.as_str()])).collect();
    if let Some(prefix) = &query.prefix {
        // No character comes after this one.
        let end = format!("{prefix}\u{10ffff}");
        terms.push(("BETWEEN ? AND ?", values![prefix.as_str(), end]));
    }
    let mut joins = String::new();
    let mut params = Vec::new();
    for (at, (compare, values)) in terms.iter().enumerate().skip(1) {
        joins += &format!(
            " JOIN words w{at} ON w{at}.room_id = w0.room_id AND w{at}.position = w0.position \
             AND w{at}.word {compare}"
        );
        params.extend(values.iter().cloned());
    }
    let (first, values) = &terms[0];
    // Two words of one message may begin alike.
    let one = format!(
        "SELECT * FROM (SELECT DISTINCT m.sent_at, m.id, m.position FROM words w0{joins} \
         JOIN messages m ON m.room_id = w0.room_id AND m.position = w0.position \
         WHERE w0.room_id = ? AND w0.word {first} AND m.deleted_at IS NULL \
         AND (m.sent_at < ? OR (m.sent_at = ? AND m.id < ?)) \
         ORDER BY m.position DESC LIMIT ?) hits"
    );
    // As many parts as a power of two, so that there are few different statements to prepare.
    let parts = rooms.len().next_power_of_two();
    let rooms = rooms.iter().chain(std::iter::repeat(&rooms[rooms.len() - 1])).take(parts);
    let of_room = |room: &RoomId| {
        let rest = [values![*room], values.clone(), values![at, at, id, limit]].concat();
        [params.clone(), rest].concat()
    };
    let params = rooms.flat_map(of_room).collect();
    Statement::new(vec![one; parts].join(" UNION ALL "), params)
}
