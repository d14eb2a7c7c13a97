//! Messages by their words, in the rooms of one person, the newest first.
//!
//! Each room is asked for its newest hits by the index, and the rooms are merged. The index may
//! have words of a text that was edited away, so each hit is held against the query once more.

use super::bulk::{in_lists, insert_rows};
use super::database::{Row, Statement, Value, values};
use super::history::{MESSAGE, MESSAGE_COLUMNS, MESSAGE_JOINS, message};
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
        let matches =
            |message: &Message| message.body.as_deref().is_some_and(|body| query.matches(body));
        while found.len() < limit {
            let hits = self.hits(&rooms, query, before, limit).await?;
            found.extend(self.read_by(user, &hits).await?.into_iter().filter(matches));
            match hits.last() {
                Some(last) if hits.len() >= limit => before = *last,
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

    /// The messages that the index names, the newest first.
    async fn hits(
        &self,
        rooms: &[RoomId],
        query: &Query,
        before: Before,
        limit: usize,
    ) -> Result<Vec<Before>> {
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
        Ok(hits)
    }

    /// Those of these messages that the person may read, the newest first. They may have been
    /// removed from a room since its hits were found, and what was said after that is among them:
    /// so one statement asks for the text and for whether it is theirs to read.
    async fn read_by(&self, user: UserId, hits: &[Before]) -> Result<Vec<Message>> {
        let ids: Vec<MessageId> = hits.iter().map(|(_, id)| *id).collect();
        let mut messages = Vec::with_capacity(ids.len());
        for (list, ids) in in_lists(&ids) {
            // A plain JOIN would let a database begin with the person's rooms, and walk through all
            // that was said in them.
            let sql = format!(
                "SELECT {MESSAGE}, me.user_id FROM messages m {MESSAGE_JOINS}
                 LEFT JOIN members me ON me.room_id = m.room_id AND me.user_id = ?
                 WHERE m.id IN ({list})"
            );
            let params = [values![user], ids].concat();
            for row in self.db.query(Statement::new(sql, params)).await? {
                if row.maybe_int(MESSAGE_COLUMNS)?.is_some() {
                    messages.push(message(&row, 0)?);
                }
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;

    use super::super::database::{Database, Dialect, Done};
    use super::super::sqlite::Sqlite;
    use super::*;

    const ANN: UserId = UserId(1);
    const BOB: UserId = UserId(2);

    /// A database in which something is written after so many reads.
    struct Meanwhile {
        db: Sqlite,
        reads: AtomicUsize,
        after: usize,
        written: Vec<Statement>,
    }

    #[async_trait]
    impl Database for Meanwhile {
        fn dialect(&self) -> Dialect {
            self.db.dialect()
        }

        async fn read(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>> {
            let rows = self.db.read(statements).await?;
            if self.reads.fetch_add(1, Ordering::Relaxed) + 1 == self.after {
                self.db.write(self.written.clone()).await?;
            }
            Ok(rows)
        }

        async fn write(&self, statements: Vec<Statement>) -> Result<Vec<Done>> {
            self.db.write(statements).await
        }
    }

    fn added(room: RoomId, user: UserId) -> Statement {
        let sql = "INSERT INTO members (room_id, user_id, role, joined_at, read_position)
             VALUES (?, ?, 'member', 0, 0)";
        Statement::new(sql, values![room, user])
    }

    fn removed(room: RoomId, user: UserId) -> Statement {
        let sql = "DELETE FROM members WHERE room_id = ? AND user_id = ?";
        Statement::new(sql, values![room, user])
    }

    fn said(room: RoomId, id: i64, word: &str) -> [Statement; 2] {
        let message = "INSERT INTO messages (id, room_id, position, sender_id, body, sent_at)
             VALUES (?, ?, ?, ?, ?, ?)";
        let index = "INSERT INTO words (room_id, word, position) VALUES (?, ?, ?)";
        [
            Statement::new(message, values![id, room, id, BOB, word, id]),
            Statement::new(index, values![room, word, id]),
        ]
    }

    #[tokio::test]
    async fn who_is_removed_during_a_search_reads_nothing_that_was_said_later() {
        let (room, other) = (RoomId::Group(1), RoomId::Group(2));
        // A search reads three times: the rooms, the index, the messages.
        for (after, expected) in [(1, vec![2]), (2, vec![2]), (3, vec![2, 1])] {
            let folder = tempfile::tempdir().unwrap();
            let db = Sqlite::open(&folder.path().join("rookery.db")).await.unwrap();
            let seats = vec![added(room, ANN), added(room, BOB), added(other, ANN)];
            let before = [said(room, 1, "owls"), said(other, 2, "owls")].concat();
            db.write([seats, before].concat()).await.unwrap();
            let mut written = vec![removed(room, ANN)];
            written.extend(said(room, 3, "owls"));
            let store = Store::on(Meanwhile { db, reads: AtomicUsize::new(0), after, written });
            let query = Query::parse("owls").unwrap();
            let found = store.search(ANN, &query, None, None, 10).await.unwrap();
            let found: Vec<i64> = found.iter().map(|message| message.id.0).collect();
            assert_eq!(found, expected, "removed after read {after}");
        }
    }

    /// Messages that are left out for that are no end of the search.
    #[tokio::test]
    async fn what_is_left_out_does_not_end_a_search() {
        let (room, other) = (RoomId::Group(1), RoomId::Group(2));
        let folder = tempfile::tempdir().unwrap();
        let db = Sqlite::open(&folder.path().join("rookery.db")).await.unwrap();
        let older = said(other, 1, "owls").into_iter();
        let newer = (2..5).flat_map(|id| said(room, id, "owls"));
        let seats = [added(room, ANN), added(other, ANN)].into_iter();
        db.write(seats.chain(older).chain(newer).collect()).await.unwrap();
        let written = vec![removed(room, ANN)];
        let store = Store::on(Meanwhile { db, reads: AtomicUsize::new(0), after: 2, written });
        let query = Query::parse("owls").unwrap();
        let found = store.search(ANN, &query, None, None, 2).await.unwrap();
        assert_eq!(found.iter().map(|message| message.id.0).collect::<Vec<_>>(), [1]);
    }
}
