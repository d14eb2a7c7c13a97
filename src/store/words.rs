//! The index of words: for each word of a room, the messages that have it.
//!
//! What one batch says in a room is indexed together, a row for each word: twenty words of a
//! message are a row or two then, not twenty, and a row is what costs a database. A row is named by
//! the last message that it may have, so rows are read from the newest on, and rows of different
//! words that are of the same batch have the same name and can be joined. An edit is indexed on its
//! own, and named by itself. Nothing is taken out again before the room is deleted, so a hit says
//! only where to look.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::bulk::insert_rows;
use super::database::{Database, Row, Statement, Value, values};
use super::{Result, Store, StoreError};
use crate::core::postings::{POSTINGS, decode, encode};
use crate::core::search::{self, Query};
use crate::core::types::{MessageId, Position, RoomId, Timestamp};

pub(super) const WORDS: &str = "INSERT INTO words (room_id, word, position, postings)";
/// A message that was edited before it was indexed has rows of its own.
const REPLACE: &str = "postings = ";

/// Rows that are read of each room at first; each time after that twice as many.
const ROWS: usize = 8;

/// When a message was sent, and its id: what hits are sorted by.
pub(super) type Hit = (Timestamp, MessageId);

/// The rows of some messages of one room, the oldest first, of which none stands after `upto`.
pub(super) fn word_rows(
    room: RoomId,
    upto: Position,
    messages: &[(Position, &str)],
) -> Vec<Vec<Value>> {
    let mut lists: HashMap<String, Vec<Position>> = HashMap::new();
    for (position, text) in messages {
        for word in search::words(text) {
            lists.entry(word).or_default().push(*position);
        }
    }
    let row = |(word, positions): (String, Vec<Position>)| match &positions[..] {
        // As every row was once.
        [only] if *only == upto => values![room, word, upto, None::<&[u8]>],
        _ => values![room, word, upto, &encode(upto, &positions)[..]],
    };
    // In the order of the table, which makes inserting cheaper.
    let lists: BTreeMap<String, Vec<Position>> = lists.into_iter().collect();
    lists.into_iter().map(row).collect()
}

/// The same for any number of messages: in pieces that a row can hold.
pub(super) fn rows_of_room(room: RoomId, messages: &[(Position, &str)]) -> Vec<Vec<Value>> {
    let pieces = messages.chunks(POSTINGS);
    pieces.flat_map(|piece| word_rows(room, piece[piece.len() - 1].0, piece)).collect()
}

impl Store {
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
        let mut rooms: BTreeMap<RoomId, Vec<(Position, &str)>> = BTreeMap::new();
        for row in &rows {
            rooms.entry(row.parse(1)?).or_default().push((row.position(2)?, row.text(3)?));
        }
        for (room, mut messages) in rooms {
            messages.sort_unstable();
            let dialect = self.db.dialect();
            let replaced = format!("{REPLACE}{}", dialect.inserted("postings"));
            let tail = dialect.on_conflict("room_id, word, position", &replaced);
            statements.extend(insert_rows(WORDS, &tail, rows_of_room(room, &messages)));
        }
        match self.db.write(statements).await {
            // Another instance was faster, and there may be more.
            Ok(_) | Err(StoreError::Fenced) => Ok(next >= 0),
            Err(error) => Err(error),
        }
    }
}

/// The newest messages of these rooms that may match, older than `before`: at least `most` of each
/// room that has so many. At most [`super::search::ROOMS`] rooms.
pub(super) async fn look_up(
    db: &dyn Database,
    rooms: &[RoomId],
    query: &Query,
    before: Hit,
    most: usize,
) -> Result<Vec<Hit>> {
    let mut walks: BTreeMap<RoomId, Walk> =
        rooms.iter().map(|room| (*room, Walk::default())).collect();
    loop {
        let asked: Vec<(RoomId, Position, usize)> = walks
            .iter()
            .filter(|(_, walk)| walk.wants_rows(most))
            .map(|(room, walk)| (*room, walk.upto, walk.rows))
            .collect();
        if !asked.is_empty() {
            let mut rows: HashMap<RoomId, Vec<Postings>> = HashMap::new();
            for row in db.query(ask(&asked, query)).await? {
                rows.entry(row.parse(0)?).or_default().push(common(&row)?);
            }
            for (room, ..) in &asked {
                let rows = rows.remove(room).unwrap_or_default();
                walks.entry(*room).and_modify(|walk| walk.take_in(rows));
            }
        }
        let some = walks.iter_mut().map(|(room, walk)| (*room, walk.take_some(most)));
        let some: Vec<(RoomId, Vec<Position>)> =
            some.filter(|(_, some)| !some.is_empty()).collect();
        if !some.is_empty() {
            for row in db.query(places(&some, before)).await? {
                let hit = (row.time(1)?, MessageId(row.int(2)?));
                walks.entry(row.parse(0)?).or_default().hits.insert(hit);
            }
        } else if asked.is_empty() {
            return Ok(walks.into_values().flat_map(|walk| walk.hits).collect());
        }
    }
}

/// A row, or several that were joined: its name, and the messages that have all the words.
type Postings = (Position, Vec<Position>);

/// The way back through one room's rows.
struct Walk {
    /// The rows that are not read yet have no message after this one.
    upto: Position,
    /// How many are read next.
    rows: usize,
    is_over: bool,
    /// Messages that were found.
    found: BTreeSet<Position>,
    /// Those that were looked up, and are there.
    hits: BTreeSet<Hit>,
}

impl Default for Walk {
    fn default() -> Self {
        let upto = Position(i64::MAX);
        Walk { upto, rows: ROWS, is_over: false, found: BTreeSet::new(), hits: BTreeSet::new() }
    }
}

impl Walk {
    fn wants_rows(&self, most: usize) -> bool {
        !self.is_over && self.hits.len() + self.sure().count() < most
    }

    /// What was found that nothing can come before any more, the newest first.
    fn sure(&self) -> impl Iterator<Item = Position> {
        let is_sure = |position: &&Position| self.is_over || **position > self.upto;
        self.found.iter().rev().take_while(is_sure).copied()
    }

    /// Takes in the rows that were asked for, the newest first.
    fn take_in(&mut self, rows: Vec<Postings>) {
        self.is_over = rows.len() < self.rows;
        self.rows *= 2;
        let Some(&(last, _)) = rows.last() else { return };
        // A beginning stands for many words, so there may be more rows of the last name: it is
        // asked for again. Where there is no other name, more rows are.
        let is_whole = |name: Position| self.is_over || name > last;
        let whole = rows.into_iter().filter(|(name, _)| is_whole(*name));
        self.found.extend(whole.flat_map(|(_, positions)| positions));
        self.upto = last;
    }

    /// Takes what is to be looked up next.
    fn take_some(&mut self, most: usize) -> Vec<Position> {
        let wanted = most.saturating_sub(self.hits.len());
        let some: Vec<Position> = self.sure().take(wanted).collect();
        some.iter().for_each(|position| drop(self.found.remove(position)));
        some
    }
}

/// Reads a row of [`ask`].
fn common(row: &Row) -> Result<Postings> {
    let name = row.position(1)?;
    let list = |value: &Value| match value {
        Value::Null => Some(vec![name]),
        Value::Bytes(bytes) => decode(name, bytes),
        Value::Int(_) | Value::Text(_) => None,
    };
    let mut lists = Vec::with_capacity(row.0.len());
    for value in &row.0[2..] {
        let broken = || StoreError::Broken(format!("the words at {name} are no list"));
        lists.push(list(value).ok_or_else(broken)?);
    }
    let mut lists = lists.into_iter();
    let mut positions = lists.next().unwrap_or_default();
    for other in lists {
        // Both have the newest first.
        positions.retain(|position| other.binary_search_by(|one| position.cmp(one)).is_ok());
    }
    Ok((name, positions))
}

/// Asks each room for so many rows up to a position.
fn ask(rooms: &[(RoomId, Position, usize)], query: &Query) -> Statement {
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
        "SELECT * FROM (SELECT w0.room_id, w0.position, w0.postings p0{columns} \
         FROM words w0{joins} WHERE w0.room_id = ? AND w0.word {first} AND w0.position <= ? \
         ORDER BY w0.position DESC LIMIT ?) rows_of_room"
    );
    together(&one, rooms, |(room, upto, rows), is_filler| {
        let rows = if is_filler { 0 } else { *rows };
        let rest = [values![*room], values.clone(), values![*upto, rows]].concat();
        [joined.clone(), rest].concat()
    })
}

/// Asks for those of these messages that are there and older than `before`.
fn places(messages: &[(RoomId, Vec<Position>)], (at, id): Hit) -> Statement {
    let longest = messages.iter().map(|(_, positions)| positions.len()).max().unwrap_or(1);
    let length = longest.next_power_of_two();
    let list = vec!["?"; length].join(", ");
    let one = format!(
        "SELECT m.room_id, m.sent_at, m.id FROM messages m WHERE m.room_id = ? \
         AND m.position IN ({list}) AND m.deleted_at IS NULL \
         AND (m.sent_at < ? OR (m.sent_at = ? AND m.id < ?))"
    );
    together(&one, messages, |(room, positions), _| {
        let filled = positions.iter().chain(std::iter::repeat(&positions[positions.len() - 1]));
        let positions = filled.take(length).map(|position| (*position).into());
        let mut params = values![*room];
        params.extend(positions);
        params.extend(values![at, at, id]);
        params
    })
}

/// One statement that asks the same of each of some things. It has as many parts as a power of two,
/// so that there are few different ones to prepare; those that fill it up ask for the last once
/// more.
fn together<T>(one: &str, each: &[T], params: impl Fn(&T, bool) -> Vec<Value>) -> Statement {
    let parts = each.len().next_power_of_two();
    let all = (0..parts).flat_map(|at| match each.get(at) {
        Some(thing) => params(thing, false),
        None => params(&each[each.len() - 1], true),
    });
    Statement::new(vec![one; parts].join(" UNION ALL "), all.collect())
}
