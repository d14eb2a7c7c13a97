//! Messages by their words, in the rooms of one person, the newest first.
//!
//! The index names the newest hits of each room, and the rooms are merged: those in which something
//! was said last come first, and rooms that are older than a full page are not asked. The index may
//! have words of a text that was edited away, so each hit is held against the query once more.

use std::cmp::Reverse;
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
/// So much a clock may be behind, or be set back, without a room being taken for older than it is.
/// Those of instances differ by a few seconds (`hub/clock`).
const MOST_BEHIND_MS: i64 = 60_000;

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

    /// Those in which something was said last come first.
    async fn rooms_to_search(&self, user: UserId, room: Option<RoomId>) -> Result<Vec<Room>> {
        let sql = "SELECT me.room_id, m.sent_at FROM members me JOIN rooms r ON r.id = me.room_id
             JOIN messages m ON m.id = r.last_message_id WHERE me.user_id = ?";
        let statement = match room {
            Some(room) => Statement::new(format!("{sql} AND me.room_id = ?"), values![user, room]),
            None => Statement::new(sql, values![user]),
        };
        let rows = self.db.query(statement).await?;
        let rooms = rows.iter().map(|row| Ok(Room { id: row.parse(0)?, newest: row.time(1)? }));
        let mut rooms = rooms.collect::<Result<Vec<Room>>>()?;
        rooms.sort_by_key(|room| Reverse(room.newest));
        Ok(rooms)
    }

    /// The messages that the index names, the newest first.
    async fn hits(
        &self,
        rooms: &[Room],
        query: &Query,
        before: Before,
        limit: usize,
    ) -> Result<Vec<Before>> {
        let lookup = Lookup::new(self.db.dialect(), query);
        let mut hits: Vec<Before> = Vec::new();
        for rooms in rooms.chunks(ROOMS) {
            let are_older = |(at, _): &Before| rooms[0].newest.0 < at.0 - MOST_BEHIND_MS;
            if hits.get(limit - 1).is_some_and(are_older) {
                break;
            }
            self.add_hits(&mut hits, rooms, &lookup, before, limit).await?;
        }
        Ok(hits)
    }

    /// Adds those of some rooms, and keeps as many as are wanted.
    async fn add_hits(
        &self,
        hits: &mut Vec<Before>,
        rooms: &[Room],
        lookup: &Lookup,
        before: Before,
        limit: usize,
    ) -> Result<()> {
        // A room may have all of the newest. But of many rooms that is seldom so: each is asked for
        // twice its share, and for a whole page if the last that it named is among the newest.
        let mut most = (2 * limit / rooms.len()).clamp(FEWEST.min(limit), limit);
        let mut asked: Vec<_> = rooms.iter().map(|room| (room.id, i64::MAX)).collect();
        while !asked.is_empty() {
            let mut named: HashMap<RoomId, Named> = HashMap::new();
            for row in self.db.query(ask(lookup, &asked, before, most)).await? {
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
            hits.dedup();
            hits.truncate(limit);
            let end = hits.get(limit - 1);
            let may_have_more =
                |named: &Named| named.count >= most && end.is_none_or(|end| named.hit > *end);
            let more = named.into_iter().filter(|(_, named)| may_have_more(named));
            asked = more.map(|(room, named)| (room, named.place)).collect();
            most = limit;
        }
        Ok(())
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
        messages.sort_by_key(|message| Reverse(place(message)));
        Ok(messages)
    }
}

fn place(message: &Message) -> Before {
    (message.sent_at, message.id)
}

/// A room, and when something was said there last.
struct Room {
    id: RoomId,
    newest: Timestamp,
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
        "SELECT * FROM ({select} {place} < ? \
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
    use std::sync::Arc;
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
        reads: Arc<AtomicUsize>,
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

    /// At the time of its id.
    fn said(room: RoomId, id: i64, body: &str) -> Vec<Statement> {
        let known = "INSERT INTO rooms (id, kind, topic, search_key, visibility, position,
             last_message_id, member_count, created_at)
             VALUES (?, 'group', '', '', 'private', ?, ?, 0, 0)
             ON CONFLICT (id) DO UPDATE SET last_message_id = excluded.last_message_id";
        let message = "INSERT INTO messages (id, room_id, position, sender_id, body, sent_at)
             VALUES (?, ?, ?, ?, ?, ?)";
        let text = Text { id: MessageId(id), room, position: Position(id), body };
        let mut said = vec![
            Statement::new(known, values![room, id, id]),
            Statement::new(message, values![id, room, id, BOB, body, id]),
        ];
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
            let store = Store::on(Meanwhile { db, reads: Arc::default(), after, written });
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
        let store = Store::on(Meanwhile { db, reads: Arc::default(), after: 2, written });
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

    #[tokio::test]
    async fn rooms_that_are_older_than_a_full_page_are_not_asked() {
        let folder = tempfile::tempdir().unwrap();
        let db = Sqlite::open(&folder.path().join("rookery.db")).await.unwrap();
        let rooms = 1..=4 * ROOMS as i64;
        let mut written = Vec::new();
        for number in rooms.clone() {
            let room = RoomId::Group(number);
            written.push(added(room, ANN));
            written.extend(said(room, number * (MOST_BEHIND_MS + 1), "owls"));
        }
        db.write(written).await.unwrap();
        let reads = Arc::<AtomicUsize>::default();
        let db = Meanwhile { db, reads: reads.clone(), after: 0, written: Vec::new() };
        let (store, query) = (Store::on(db), Query::parse("owls").unwrap());
        for (limit, statements) in [(1, 1), (ROOMS, 1), (ROOMS + 1, 2), (2 * ROOMS, 2)] {
            reads.store(0, Ordering::Relaxed);
            let found = store.search(ANN, &query, None, None, limit).await.unwrap();
            let newest = rooms.clone().rev().take(limit).map(RoomId::Group);
            assert!(found.iter().map(|message| message.room_id).eq(newest), "{limit}");
            // Besides the rooms and the messages.
            assert_eq!(reads.load(Ordering::Relaxed) - 2, statements, "{limit}");
        }
    }

    #[tokio::test]
    async fn a_room_whose_last_message_has_a_clock_that_is_behind_is_asked_too() {
        let folder = tempfile::tempdir().unwrap();
        let db = Sqlite::open(&folder.path().join("rookery.db")).await.unwrap();
        let (mut written, mut now) = (Vec::new(), 2 * MOST_BEHIND_MS);
        for number in 1..=ROOMS as i64 {
            now += 1;
            written.push(added(RoomId::Group(number), ANN));
            written.extend(said(RoomId::Group(number), now, "owls"));
        }
        let late = RoomId::Group(1_000);
        written.push(added(late, ANN));
        written.extend(said(late, now + 1, "owls"));
        written.extend(said(late, now + 2, "behind"));
        let set = "UPDATE messages SET sent_at = ? WHERE id = ?";
        written.push(Statement::new(set, values![now - MOST_BEHIND_MS, now + 2]));
        db.write(written).await.unwrap();
        let query = Query::parse("owls").unwrap();
        let found = Store::on(db).search(ANN, &query, None, None, 1).await.unwrap();
        assert_eq!(found[0].room_id, late);
    }
}
