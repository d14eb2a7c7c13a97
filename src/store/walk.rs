//! The way back through the index of words: the newest messages of some rooms that match.
//!
//! The rows of a word are read from the newest on, some of each room at a time. What they name is
//! looked up and held against the query, since the index keeps the words of a text that was edited
//! away. A room is left as soon as nothing in it can be among the newest any more.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Result;
use super::bulk::in_lists;
use super::database::{Database, Dialect, Row, Statement, Value, values};
use crate::core::postings::decode;
use crate::core::search::Query;
use crate::core::types::{MessageId, Place, Position, RoomId, Timestamp};

/// Rooms that one statement asks.
const ASKED_TOGETHER: usize = 64;
/// Rows that are read of each room at first; each time after that twice as many, up to a limit.
/// A beginning of a word stands for many words, and each has a row.
const ROWS: usize = 8;
const ROWS_OF_A_BEGINNING: usize = 128;
const MOST_ROWS: usize = 512;
/// Messages that are looked up together, about; and of each room, at the least and at the most.
const LOOKED_UP: usize = 512;
const FEWEST_OF_A_ROOM: usize = 8;
const MOST_OF_A_ROOM: usize = 128;
/// Where a page goes on, what is too new for it is passed over by so many at once.
const PASSED_OVER: usize = 4_096;
/// Milliseconds by which clocks may differ: of two messages of a room, the later need not have the
/// later time.
pub(super) const CLOCKS: i64 = 10_000;

/// When a message was sent, and its id: what hits are sorted by.
pub(super) type Hit = (Timestamp, MessageId);

/// A room to look into.
#[derive(Debug, Clone, Copy)]
pub(super) struct Of {
    pub room: RoomId,
    pub partition: u16,
    /// When its newest message was sent.
    pub newest: Timestamp,
}

/// The newest messages of these rooms that match and are older than `before`, the newest first: at
/// most so many.
pub(super) async fn look_back(
    db: &dyn Database,
    rooms: &[Of],
    query: &Query,
    before: Hit,
    most: usize,
) -> Result<Vec<Hit>> {
    let mut walks: BTreeMap<RoomId, Walk> =
        rooms.iter().map(|of| (of.room, Walk::of(of.partition, query))).collect();
    let mut hits: BTreeSet<Hit> = BTreeSet::new();
    loop {
        while hits.len() > most {
            hits.pop_first();
        }
        let oldest = hits.first().copied().filter(|_| hits.len() >= most);
        walks.retain(|_, walk| !walk.is_done(oldest));
        if walks.is_empty() {
            return Ok(hits.into_iter().rev().collect());
        }
        read_rows(db, &mut walks, query).await?;
        if before.0 < Timestamp(i64::MAX) && pass_over(db, &mut walks, before).await? {
            continue;
        }
        let each = (LOOKED_UP / walks.len()).clamp(FEWEST_OF_A_ROOM, MOST_OF_A_ROOM);
        let ids: Vec<MessageId> = walks.values_mut().flat_map(|walk| walk.take(each)).collect();
        for (room, hit) in look_up(db, &ids, query, before).await? {
            if let Some(walk) = walks.get_mut(&room) {
                walk.oldest = walk.oldest.min(Some(hit)).or(Some(hit));
            }
            hits.insert(hit);
        }
    }
}

/// Reads some rows of each room that has nothing left to look up.
async fn read_rows(
    db: &dyn Database,
    walks: &mut BTreeMap<RoomId, Walk>,
    query: &Query,
) -> Result<()> {
    let asked: Vec<Asked> = walks
        .iter()
        .filter(|(_, walk)| walk.wants_rows())
        .map(|(room, walk)| Asked { room: *room, upto: walk.upto, rows: walk.rows })
        .collect();
    if asked.is_empty() {
        return Ok(());
    }
    let statements =
        asked.chunks(ASKED_TOGETHER).map(|some| ask(db.dialect(), some, query)).collect();
    let mut found: HashMap<RoomId, Vec<Postings>> = HashMap::new();
    for row in db.read(statements).await?.iter().flatten() {
        let room = row.parse(0)?;
        found.entry(room).or_default().push(common(room, row)?);
    }
    for Asked { room, .. } in asked {
        if let Some(walk) = walks.get_mut(&room) {
            walk.take_in(found.remove(&room).unwrap_or_default());
        }
    }
    Ok(())
}

/// Passes over what is newer than `before` where there is much of it; returns whether there was.
async fn pass_over(
    db: &dyn Database,
    walks: &mut BTreeMap<RoomId, Walk>,
    (before, _): Hit,
) -> Result<bool> {
    let far = |walk: &Walk| walk.sure().take(PASSED_OVER).enumerate().last();
    let far = walks.iter().filter_map(|(room, walk)| Some((walk, *room, far(walk)?)));
    let far: HashMap<MessageId, (RoomId, usize)> = far
        .filter(|(.., (nth, _))| *nth >= MOST_OF_A_ROOM)
        .map(|(walk, room, (nth, position))| (walk.message_at(position), (room, nth + 1)))
        .collect();
    let ids: Vec<MessageId> = far.keys().copied().collect();
    let mut has_passed = false;
    for (list, ids) in in_lists(&ids) {
        let sql = format!("SELECT m.id, m.sent_at FROM messages m WHERE m.id IN ({list})");
        for row in db.query(Statement::new(sql, ids)).await? {
            let Some((room, count)) = far.get(&MessageId(row.int(0)?)) else { continue };
            if row.time(1)?.0 > before.0 + CLOCKS
                && let Some(walk) = walks.get_mut(room)
            {
                walk.take(*count);
                has_passed = true;
            }
        }
    }
    Ok(has_passed)
}

/// Those of these messages that match and are older than `before`, with their rooms.
async fn look_up(
    db: &dyn Database,
    ids: &[MessageId],
    query: &Query,
    (at, id): Hit,
) -> Result<Vec<(RoomId, Hit)>> {
    let statements = in_lists(ids).map(|(list, ids)| {
        let sql = format!(
            "SELECT m.room_id, m.sent_at, m.id, m.body FROM messages m WHERE m.id IN ({list})
             AND m.deleted_at IS NULL AND (m.sent_at < ? OR (m.sent_at = ? AND m.id < ?))"
        );
        Statement::new(sql, [ids, values![at, at, id]].concat())
    });
    let statements: Vec<Statement> = statements.collect();
    if statements.is_empty() {
        return Ok(Vec::new());
    }
    let mut hits = Vec::new();
    for rows in db.read(statements).await? {
        for row in &rows {
            if query.matches(row.text(3)?) {
                hits.push((row.parse(0)?, (row.time(1)?, MessageId(row.int(2)?))));
            }
        }
        // Texts may be long, and others wait for this thread.
        tokio::task::yield_now().await;
    }
    Ok(hits)
}

/// The way back through the rows of one room.
struct Walk {
    partition: u16,
    /// The rows that are not read yet have no message after this one.
    upto: Position,
    /// How many are read next.
    rows: usize,
    is_read: bool,
    /// Messages that rows name, and that are not looked up yet.
    found: BTreeSet<Position>,
    /// The oldest hit.
    oldest: Option<Hit>,
}

impl Walk {
    fn of(partition: u16, query: &Query) -> Walk {
        let rows = if query.prefix.is_some() { ROWS_OF_A_BEGINNING } else { ROWS };
        Walk {
            partition,
            upto: Position(i64::MAX),
            rows,
            is_read: false,
            found: BTreeSet::new(),
            oldest: None,
        }
    }

    /// Whether nothing more is to be had, or nothing that is newer than the oldest of those that
    /// there are enough of.
    fn is_done(&self, enough: Option<Hit>) -> bool {
        let is_older = |(oldest, _): Hit| enough.is_some_and(|(it, _)| oldest.0 + CLOCKS < it.0);
        let is_older = self.oldest.is_some_and(is_older);
        is_older || self.is_read && self.found.is_empty()
    }

    fn wants_rows(&self) -> bool {
        !self.is_read && self.sure().next().is_none()
    }

    /// What was found that nothing can come before any more, the newest first.
    fn sure(&self) -> impl Iterator<Item = Position> {
        let is_sure = |position: &&Position| self.is_read || **position > self.upto;
        self.found.iter().rev().take_while(is_sure).copied()
    }

    /// Takes in the rows that were asked for.
    fn take_in(&mut self, rows: Vec<Postings>) {
        self.is_read = rows.len() < self.rows;
        let Some(last) = rows.iter().map(|(name, _)| *name).min() else { return };
        let names_differ = rows.iter().any(|(name, _)| *name != last);
        if self.rows < MOST_ROWS || !names_differ {
            self.rows *= 2;
        }
        // A beginning stands for many words, so there may be more rows of the last name: it is
        // asked for again. Where there is no other name, more rows are.
        let is_whole = |name: Position| self.is_read || name > last;
        let whole = rows.into_iter().filter(|(name, _)| is_whole(*name));
        self.found.extend(whole.flat_map(|(_, positions)| positions));
        self.upto = last;
    }

    /// Takes what is to be looked up next.
    fn take(&mut self, most: usize) -> Vec<MessageId> {
        let some: Vec<Position> = self.sure().take(most).collect();
        for position in &some {
            self.found.remove(position);
        }
        some.into_iter().map(|position| self.message_at(position)).collect()
    }

    /// A room is in one partition for good, so a message's position tells its id.
    fn message_at(&self, position: Position) -> MessageId {
        let (epoch, offset) = (position.epoch(), position.offset());
        Place { epoch, partition: self.partition, offset }.message_id()
    }
}

/// A row, or several that were joined: its name, and the messages that have all the words.
type Postings = (Position, Vec<Position>);

/// Reads a row of [`ask`]. The message that it is named by may always have the words, since it may
/// have been edited.
fn common(room: RoomId, row: &Row) -> Result<Postings> {
    let name = row.position(1)?;
    let list = |value: &Value| {
        let mut list = match value {
            Value::Null => Vec::new(),
            Value::Bytes(bytes) => decode(name, bytes).unwrap_or_else(|| {
                tracing::warn!(%room, position = %name, "the index of words has a broken list");
                Vec::new()
            }),
            Value::Int(_) | Value::Text(_) => Vec::new(),
        };
        if list.first() != Some(&name) {
            list.insert(0, name);
        }
        list
    };
    let mut lists = row.0[2..].iter().map(list);
    let mut positions = lists.next().unwrap_or_default();
    for other in lists {
        // Both have the newest first.
        positions.retain(|position| other.binary_search_by(|one| position.cmp(one)).is_ok());
    }
    Ok((name, positions))
}

/// So many rows of a room, up to a position.
struct Asked {
    room: RoomId,
    upto: Position,
    rows: usize,
}

fn ask(dialect: Dialect, rooms: &[Asked], query: &Query) -> Statement {
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
    let (mut columns, mut joins, mut joined) = (String::new(), String::new(), Vec::new());
    for (at, (compare, values)) in terms.iter().enumerate().skip(1) {
        columns += &format!(", w{at}.postings p{at}");
        joins += &format!(
            " JOIN words w{at} ON w{at}.room_id = w0.room_id AND w{at}.position = w0.position \
             AND w{at}.word {compare}"
        );
        joined.extend(values.iter().cloned());
    }
    let (first, values) = &terms[0];
    let one = format!(
        "SELECT w0.room_id, w0.position, w0.postings p0{columns} \
         FROM words w0{joins} WHERE w0.room_id = ? AND w0.word {first} AND w0.position <= ? \
         ORDER BY w0.position DESC LIMIT ?"
    );
    let one = dialect.within_union(&one);
    // As many parts as a power of two, so that there are few different statements to prepare;
    // those that fill it up ask for nothing.
    let parts = rooms.len().next_power_of_two();
    let params = (0..parts).flat_map(|at| {
        let Asked { room, upto, rows } = &rooms[at.min(rooms.len() - 1)];
        let rows = if at < rooms.len() { *rows } else { 0 };
        let rest = [values![*room], values.clone(), values![*upto, rows]].concat();
        [joined.clone(), rest].concat()
    });
    let params = params.collect();
    Statement::new(vec![one; parts].join(" UNION ALL "), params)
}
