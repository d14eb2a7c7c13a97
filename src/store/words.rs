//! The index of words: for each word of a room, the messages that have it.
//!
//! What one batch says in a room is indexed together, a row for each word: twenty words of a
//! message are a row or two then, not twenty, and a row is what costs a database. A row is named by
//! the last message that it may have, so rows are read from the newest on, and rows of different
//! words that are of the same batch have the same name and can be joined. A message that was edited
//! has a row of its own for each word, named by it; where there is one of that name already, it
//! stays, and so the message that a row is named by may have the word whatever its list says.
//! Nothing is taken out again before the room is deleted: a hit says only where to look.

use std::collections::BTreeMap;

use super::bulk::insert_rows;
use super::database::{Statement, Value, values};
use super::{Result, Store, StoreError};
use crate::core::postings::encode;
use crate::core::search;
use crate::core::types::{Position, RoomId};

pub(super) const WORDS: &str = "INSERT INTO words (room_id, word, position, postings)";
/// Where there is a row of that name.
pub(super) const KEEP_WORD: &str = "position = words.position";

/// The rows of some messages of one room, the oldest first, of which none stands after `upto`.
pub(super) fn word_rows(
    room: RoomId,
    upto: Position,
    messages: &[(Position, &str)],
) -> Vec<Vec<Value>> {
    // In the order of the table, which makes inserting cheaper.
    let mut lists: BTreeMap<String, Vec<Position>> = BTreeMap::new();
    for (position, text) in messages {
        for word in search::words(text) {
            lists.entry(word).or_default().push(*position);
        }
    }
    let row = |(word, positions): (String, Vec<Position>)| match &positions[..] {
        // As every row was once.
        [only] if *only == upto => values![room, word, upto, Value::Null],
        _ => values![room, word, upto, Value::Bytes(encode(upto, &positions))],
    };
    lists.into_iter().map(row).collect()
}

/// The same for any number of messages, so many of them in a row at the most.
pub(super) fn rows_of_room(
    room: RoomId,
    messages: &[(Position, &str)],
    most: usize,
) -> Vec<Vec<Value>> {
    let pieces = messages.chunks(most);
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
        let mut words = Vec::new();
        for (room, mut messages) in rooms {
            messages.sort_unstable();
            words.extend(rows_of_room(room, &messages, self.postings));
        }
        // An edit that came before this has left rows, of words that the text has still.
        let dialect = self.db.dialect();
        let set = format!("postings = {}", dialect.inserted("postings"));
        let tail = dialect.on_conflict("room_id, word, position", &set);
        statements.extend(insert_rows(WORDS, &tail, words));
        match self.db.write(statements).await {
            // Another instance was faster, and there may be more.
            Ok(_) | Err(StoreError::Fenced) => Ok(next >= 0),
            Err(error) => Err(error),
        }
    }
}
