//! Messages by their words, in the rooms of one person, the newest first.
//!
//! The index names the newest hits of each room, and the rooms are merged. It may have words of a
//! text that was edited away, so each hit is held against the query once more.

use std::collections::HashMap;

use super::bulk::in_lists;
use super::database::{Statement, values};
use super::history::{MESSAGE, MESSAGE_COLUMNS, MESSAGE_JOINS, message};
use super::words::Lookup;
use super::{Result, Store};
use crate::core::message::Message;
use crate::core::search::Query;
use crate::core::types::{MessageId, RoomId, Timestamp, UserId};

/// Rooms that one statement asks.
const ROOMS: usize = 64;
/// Hits that a room is asked for at the least.
const FEWEST: usize = 2;

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
        let lookup = Lookup::new(self.db.dialect(), query);
        let mut hits = Vec::new();
        // A room may have all of the newest. But of many rooms that is seldom so: each is asked for
        // twice its share, and for a whole page if the last that it named is among the newest.
        let mut most = (2 * limit / rooms.len().max(1)).clamp(FEWEST.min(limit), limit);
        let mut asked: Vec<_> = rooms.iter().map(|room| (*room, i64::MAX)).collect();
        while !asked.is_empty() {
            let statements =
                asked.chunks(ROOMS).map(|rooms| ask(&lookup, rooms, before, most)).collect();
            let mut named: HashMap<RoomId, Named> = HashMap::new();
            for row in self.db.read(statements).await?.into_iter().flatten() {
                let (hit, place) = ((row.time(0)?, MessageId(row.int(1)?)), row.int(3)?);
                hits.push(hit);
                let named = named.entry(row.parse(2)?).or_insert(Named { count: 0, hit, place });
                named.count += 1;
                // Not the time: a clock may have been set back.
                if place < named.place {
                    (named.hit, named.place) = (hit, place);
                }
            }
            hits.sort_by(|one, other| other.cmp(one));
            hits.truncate(limit);
            let end = hits.get(limit - 1);
            let may_have_more =
                |named: &Named| named.count >= most && end.is_none_or(|end| named.hit > *end);
            let more = named.into_iter().filter(|(_, named)| may_have_more(named));
            asked = more.map(|(room, named)| (room, named.place)).collect();
            most = limit;
        }
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

/// What a room has named: how many, and the last of them with its place.
struct Named {
    count: usize,
    hit: Before,
    place: i64,
}

/// Asks each of these rooms for its newest hits before a place of its own, as far as they are older
/// than the page before.
fn ask(lookup: &Lookup, rooms: &[(RoomId, i64)], (at, id): Before, most: usize) -> Statement {
    let Lookup { select, place, .. } = lookup;
    let one = format!(
        "SELECT * FROM ({select} AND {place} < ? \
         AND m.deleted_at IS NULL AND (m.sent_at < ? OR (m.sent_at = ? AND m.id < ?)) \
         ORDER BY {place} DESC LIMIT ?) hits"
    );
    // As many parts as a power of two, so that there are few different statements to prepare.
    let parts = rooms.len().next_power_of_two();
    let nothing = std::iter::repeat((&rooms[rooms.len() - 1], 0));
    let asked = rooms.iter().map(|room| (room, most)).chain(nothing).take(parts);
    let params = asked.flat_map(|((room, before), most)| {
        [lookup.params(*room), values![*before, at, at, id, most]].concat()
    });
    let params = params.collect();
    Statement::new(vec![one; parts].join(" UNION ALL "), params)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;

    use super::super::database::{Database, Dialect, Done, Row};
    use super::super::sqlite::Sqlite;
    use super::super::words::{self, Text};
    use super::*;
    use crate::core::types::Position;

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

    fn said(room: RoomId, id: i64, body: &str) -> Vec<Statement> {
        let message = "INSERT INTO messages (id, room_id, position, sender_id, body, sent_at)
             VALUES (?, ?, ?, ?, ?, ?)";
        let text = Text { id: MessageId(id), room, position: Position(id), body };
        let mut said = vec![Statement::new(message, values![id, room, id, BOB, body, id])];
        said.extend(words::add(Dialect::Sqlite, vec![text]));
        said
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

    /// Of many rooms each is asked for a few at first.
    #[tokio::test]
    async fn a_clock_that_was_set_back_hides_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let db = Sqlite::open(&folder.path().join("rookery.db")).await.unwrap();
        let mut written: Vec<_> = (1..60).map(|room| added(RoomId::Group(room), ANN)).collect();
        for (id, at) in [(1, 1_004), (2, 1_005), (3, 1_003), (4, 1_006)] {
            written.extend(said(RoomId::Group(1), id, "owls"));
            let set = "UPDATE messages SET sent_at = ? WHERE id = ?";
            written.push(Statement::new(set, values![at, id]));
        }
        db.write(written).await.unwrap();
        let query = Query::parse("owls").unwrap();
        let found = Store::on(db).search(ANN, &query, None, None, 51).await.unwrap();
        assert_eq!(found.iter().map(|message| message.id.0).collect::<Vec<_>>(), [4, 2, 1, 3]);
    }
}
