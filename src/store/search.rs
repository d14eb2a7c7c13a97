//! Messages by their words, in the rooms of one person, the newest first.

use std::time::Duration;

use tokio::time::timeout;

use super::bulk::in_lists;
use super::database::{Statement, Value, values};
use super::history::{MESSAGE, MESSAGE_COLUMNS, MESSAGE_JOINS, message};
use super::walk::{CLOCKS, Hit, Of, look_back};
use super::{Result, Store, StoreError};
use crate::core::message::Message;
use crate::core::search::Query;
use crate::core::types::{MessageId, RoomId, Timestamp, UserId};

/// Rooms that are walked through together: those with the newest messages first.
const ROOMS: usize = 256;
/// A search that takes longer is given up.
const SEARCH_WITHIN: Duration = Duration::from_secs(15);

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
        let before = before.map_or((Timestamp(i64::MAX), MessageId(i64::MAX)), place);
        let search = self.search_before(user, query, room, before, limit);
        let too_long = || StoreError::Unavailable("the search took too long".to_owned());
        timeout(SEARCH_WITHIN, search).await.map_err(|_| too_long())?
    }

    async fn search_before(
        &self,
        user: UserId,
        query: &Query,
        room: Option<RoomId>,
        mut before: Hit,
        limit: usize,
    ) -> Result<Vec<Message>> {
        let rooms = self.rooms_to_search(user, room).await?;
        let mut found: Vec<Message> = Vec::new();
        let matches =
            |message: &Message| message.body.as_deref().is_some_and(|body| query.matches(body));
        while found.len() < limit {
            let hits = self.hits(&rooms, query, before, limit).await?;
            // Some may have been edited or deleted since.
            found.extend(self.read_by(user, &hits).await?.into_iter().filter(matches));
            match hits.last() {
                Some(last) if hits.len() >= limit => before = *last,
                _ => break,
            }
        }
        found.truncate(limit);
        Ok(found)
    }

    /// The rooms to look into, the one with the newest message first.
    async fn rooms_to_search(&self, user: UserId, room: Option<RoomId>) -> Result<Vec<Of>> {
        let (only, room) = match room {
            Some(room) => (" AND me.room_id = ?", values![room]),
            None => ("", Vec::new()),
        };
        let sql = format!(
            "SELECT me.room_id, r.last_message_id, COALESCE(m.sent_at, 0) newest FROM members me
             JOIN rooms r ON r.id = me.room_id LEFT JOIN messages m ON m.id = r.last_message_id
             WHERE me.user_id = ?{only} AND r.last_message_id IS NOT NULL ORDER BY newest DESC"
        );
        let params: Vec<Value> = [values![user], room].concat();
        let rows = self.db.query(Statement::new(sql, params)).await?;
        let of = rows.iter().map(|row| {
            let partition = MessageId(row.int(1)?).place().partition;
            Ok(Of { room: row.parse(0)?, partition, newest: row.time(2)? })
        });
        of.collect()
    }

    /// The newest messages that match, the newest first.
    async fn hits(
        &self,
        rooms: &[Of],
        query: &Query,
        before: Hit,
        limit: usize,
    ) -> Result<Vec<Hit>> {
        let mut hits: Vec<Hit> = Vec::new();
        for part in rooms.chunks(ROOMS) {
            let oldest = hits.last().filter(|_| hits.len() >= limit);
            // Nothing in these rooms, nor in those after them, is as new.
            if oldest.is_some_and(|(at, _)| at.0 > part[0].newest.0 + CLOCKS) {
                break;
            }
            hits.extend(look_back(&*self.db, part, query, before, limit).await?);
            hits.sort_by(|one, other| other.cmp(one));
            hits.truncate(limit);
        }
        Ok(hits)
    }

    /// Those of these messages that the person may read, the newest first. They may have been
    /// removed from a room since its hits were found, and what was said after that is among them:
    /// so one statement asks for the text and for whether it is theirs to read.
    async fn read_by(&self, user: UserId, hits: &[Hit]) -> Result<Vec<Message>> {
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

fn place(message: &Message) -> Hit {
    (message.sent_at, message.id)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;

    use super::super::database::{Database, Dialect, Done, Row};
    use super::super::sqlite::Sqlite;
    use super::*;
    use crate::core::types::Place;

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

    fn there(room: RoomId) -> Statement {
        let sql = "INSERT INTO rooms (id, kind, topic, search_key, visibility, position,
                 last_message_id, member_count, created_at)
             VALUES (?, 'group', '', '', 'private', 0, ?, 0, 0)";
        Statement::new(sql, values![room, at(1).message_id()])
    }

    fn at(offset: i64) -> Place {
        Place { epoch: 0, partition: 3, offset }
    }

    fn said(room: RoomId, offset: i64, word: &str) -> [Statement; 2] {
        let (id, position) = (at(offset).message_id(), at(offset).position());
        let message = "INSERT INTO messages (id, room_id, position, sender_id, body, sent_at)
             VALUES (?, ?, ?, ?, ?, ?)";
        let index = "INSERT INTO words (room_id, word, position) VALUES (?, ?, ?)";
        [
            Statement::new(message, values![id, room, position, BOB, word, offset]),
            Statement::new(index, values![room, word, position]),
        ]
    }

    fn offsets(messages: &[Message]) -> Vec<i64> {
        messages.iter().map(|message| message.id.place().offset).collect()
    }

    #[tokio::test]
    async fn who_is_removed_during_a_search_reads_nothing_that_was_said_later() {
        let (room, other) = (RoomId::Group(1), RoomId::Group(2));
        // A search reads four times: the rooms, the index, whether its hits are there, and these.
        for (after, expected) in [(1, vec![2]), (2, vec![2]), (3, vec![2]), (4, vec![2, 1])] {
            let folder = tempfile::tempdir().unwrap();
            let db = Sqlite::open(&folder.path().join("rookery.db")).await.unwrap();
            let rooms = vec![there(room), there(other)];
            let seats = vec![added(room, ANN), added(room, BOB), added(other, ANN)];
            let before = [said(room, 1, "owls"), said(other, 2, "owls")].concat();
            db.write([rooms, seats, before].concat()).await.unwrap();
            let mut written = vec![removed(room, ANN)];
            written.extend(said(room, 3, "owls"));
            let store = Store::on(Meanwhile { db, reads: AtomicUsize::new(0), after, written });
            let query = Query::parse("owls").unwrap();
            let found = store.search(ANN, &query, None, None, 10).await.unwrap();
            assert_eq!(offsets(&found), expected, "removed after read {after}");
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
        let seats = [there(room), there(other), added(room, ANN), added(other, ANN)].into_iter();
        db.write(seats.chain(older).chain(newer).collect()).await.unwrap();
        let written = vec![removed(room, ANN)];
        let store = Store::on(Meanwhile { db, reads: AtomicUsize::new(0), after: 2, written });
        let query = Query::parse("owls").unwrap();
        let found = store.search(ANN, &query, None, None, 2).await.unwrap();
        assert_eq!(offsets(&found), [1]);
    }
}
