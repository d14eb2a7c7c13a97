//! The index of words: which messages of a room have which.
//!
//! In MySQL each word of a message is a row. In SQLite such rows would be written all over a file
//! that is larger than its cache, a page for each word; there the index is a full-text one (FTS5),
//! whose sorted runs are merged as they grow. It is given our words, with the room before each, so
//! that a search reads of its rooms alone, and it keeps ids only. Of a word it reads as much as is
//! asked for; of a mere beginning it reads all that a room has. What is taken out of it is gone from
//! the file when its run is merged.

use super::bulk::insert_rows;
use super::database::{Dialect, Row, Statement, Value, values};
use super::{Result, Store, StoreError};
use crate::core::search::{self, Query};
use crate::core::types::{MessageId, Position, RoomId};

/// A message as the index sees it.
pub struct Text<'a> {
    pub id: MessageId,
    pub room: RoomId,
    pub position: Position,
    pub body: &'a str,
}

impl Store {
    /// Adds the words of some messages that were written before there was an index, the newest
    /// first. Returns whether there are more; several instances may do this at once.
    pub async fn index_older(&self, most: usize) -> Result<bool> {
        let dialect = self.db.dialect();
        let missing = missing(dialect);
        let upto = Statement::new(format!("SELECT upto FROM {missing}"), vec![]);
        let upto = self.db.query_one(upto).await?.map(|row| row.int(0)).transpose()?;
        let Some(upto) = upto else { return Ok(false) };
        let sql = "SELECT id, room_id, position, body FROM messages
             WHERE id <= ? AND deleted_at IS NULL ORDER BY id DESC LIMIT ?";
        let rows = self.db.query(Statement::new(sql, values![upto, most])).await?;
        let next = match rows.last() {
            Some(last) if rows.len() == most => last.int(0)? - 1,
            _ => -1,
        };
        let moved = format!("UPDATE {missing} SET upto = ? WHERE upto = ?");
        let mut statements = vec![Statement::new(moved, values![next, upto]).expecting(1)];
        let texts = rows.iter().map(text).collect::<Result<Vec<Text>>>()?;
        statements.extend(add_again(dialect, &texts));
        if next < 0 {
            statements.extend(start_over_before(dialect));
        }
        match self.db.write(statements).await {
            // Another instance was faster, and there may be more.
            Ok(_) | Err(StoreError::Fenced) => Ok(next >= 0),
            Err(error) => Err(error),
        }
    }
}

/// A row of what is to be indexed.
fn text(row: &Row) -> Result<Text<'_>> {
    let (id, room, position) = (MessageId(row.int(0)?), row.parse(1)?, row.position(2)?);
    Ok(Text { id, room, position, body: row.text(3)? })
}

/// Adds messages that are new.
pub fn add(dialect: Dialect, mut texts: Vec<Text>) -> Vec<Statement> {
    let head = match dialect {
        Dialect::Mysql => WORDS,
        Dialect::Sqlite => {
            // FTS5 begins a new run wherever an id is smaller than the one before.
            texts.sort_by_key(|text| text.id);
            "INSERT INTO found (rowid, terms)"
        }
    };
    insert_rows(head, "", texts.iter().flat_map(|text| rows(dialect, text)).collect())
}

/// Adds messages that may be in the index already, with this text or another one.
pub fn add_again(dialect: Dialect, texts: &[Text]) -> Vec<Statement> {
    match dialect {
        Dialect::Mysql => {
            let tail = dialect.on_conflict("room_id, word, position", "position = words.position");
            insert_rows(WORDS, &tail, texts.iter().flat_map(|text| rows(dialect, text)).collect())
        }
        Dialect::Sqlite => texts
            .iter()
            .map(|text| {
                // It may have been changed or removed since it was read.
                let sql = "INSERT OR REPLACE INTO found (rowid, terms)
                           SELECT id, ? FROM messages WHERE id = ? AND body = ?";
                Statement::new(sql, values![terms(text), text.id, text.body])
            })
            .collect(),
    }
}

const WORDS: &str = "INSERT INTO words (room_id, word, position)";

fn rows(dialect: Dialect, text: &Text) -> Vec<Vec<Value>> {
    match dialect {
        Dialect::Mysql => {
            let words = search::words(text.body).into_iter();
            words.map(|word| values![text.room, word, text.position]).collect()
        }
        Dialect::Sqlite => vec![values![text.id, terms(text)]],
    }
}

fn terms(text: &Text) -> String {
    let words = search::words(text.body);
    words.iter().map(|word| term(text.room, word)).collect::<Vec<_>>().join(" ")
}

fn term(room: RoomId, word: &str) -> String {
    format!("{room}_{word}")
}

/// Where the id is kept up to which messages are not in the index yet.
fn missing(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Mysql => "words_missing",
        Dialect::Sqlite => "found_missing",
    }
}

/// Lets the version before begin anew, should it be started again, with the table that it knows.
fn start_over_before(dialect: Dialect) -> Vec<Statement> {
    match dialect {
        Dialect::Mysql => Vec::new(),
        Dialect::Sqlite => {
            let all = "UPDATE words_missing SET upto = 9223372036854775807";
            ["DELETE FROM words", all].map(|sql| Statement::new(sql, Vec::new())).into()
        }
    }
}

/// Takes out messages that are about to be removed: those that `SELECT id …` names. In MySQL they
/// are removed later, by their room (`store/burial`).
pub fn forget(dialect: Dialect, ids: &str, params: Vec<Value>) -> Option<Statement> {
    match dialect {
        Dialect::Mysql => None,
        Dialect::Sqlite => {
            let sql = format!("DELETE FROM found WHERE rowid IN ({ids})");
            Some(Statement::new(sql, params))
        }
    }
}

/// How the index finds the messages of a room that have all that is asked for.
pub struct Lookup {
    /// Reads when they were sent, their ids, rooms and places from `messages m`, some of them more
    /// than once, and ends where conditions follow.
    pub select: String,
    /// What the index has them by, in the order of their room.
    pub place: &'static str,
    params: Params,
}

enum Params {
    /// Those of each word, after the room's.
    Mysql(Vec<Vec<Value>>),
    Sqlite(Query),
}

impl Lookup {
    pub fn new(dialect: Dialect, query: &Query) -> Lookup {
        match dialect {
            Dialect::Mysql => Lookup::in_rows(query),
            Dialect::Sqlite => Lookup {
                // A plain JOIN might begin with the messages.
                select: "SELECT m.sent_at, m.id, m.room_id, found.rowid FROM found \
                         CROSS JOIN messages m ON m.id = found.rowid WHERE found MATCH ? AND"
                    .to_owned(),
                place: "found.rowid",
                params: Params::Sqlite(query.clone()),
            },
        }
    }

    /// Which places have all the words is found out from the index alone. Only then are messages
    /// looked at, the newest first and no more than it takes: begun with messages, a search for a
    /// common word would look at all that have it.
    fn in_rows(query: &Query) -> Lookup {
        let one = "(SELECT room_id, position FROM words WHERE room_id = ? AND word = ?)";
        // Several words of one message may begin alike. Beside other words each place is kept once, to
        // be looked up; alone they need no table of their own, and a hit may come twice.
        let distinct = if query.words.is_empty() { "" } else { "DISTINCT" };
        let beginning = format!(
            "(SELECT {distinct} room_id, position FROM words
             WHERE room_id = ? AND word BETWEEN ? AND ?)"
        );
        let words = query.words.iter().map(|word| (one, values![word.as_str()]));
        // No character comes after this one.
        let end = |prefix: &str| format!("{prefix}\u{10ffff}");
        let prefix = query
            .prefix
            .iter()
            .map(|begin| (beginning.as_str(), values![begin.as_str(), end(begin)]));
        let (places, params): (Vec<_>, Vec<_>) = words.chain(prefix).unzip();
        let mut all = String::new();
        for (at, places) in places.iter().enumerate() {
            all += &match at {
                0 => format!("{places} w0"),
                // The database takes the rarest first.
                _ => format!(" JOIN {places} w{at} ON w{at}.position = w0.position"),
            };
        }
        let select = format!(
            "SELECT m.sent_at, m.id, m.room_id, w0.position FROM {all} STRAIGHT_JOIN messages m \
             ON m.room_id = w0.room_id AND m.position = w0.position WHERE"
        );
        Lookup { select, place: "w0.position", params: Params::Mysql(params) }
    }

    /// Those of `select`.
    pub fn params(&self, room: RoomId) -> Vec<Value> {
        match &self.params {
            Params::Mysql(words) => {
                words.iter().flat_map(|word| [values![room], word.clone()].concat()).collect()
            }
            Params::Sqlite(query) => values![matching(room, query)],
        }
    }
}

/// What FTS5 is asked: strings of one term each, all of which there must be.
fn matching(room: RoomId, query: &Query) -> String {
    let words = query.words.iter().map(|word| format!("\"{}\"", term(room, word)));
    let prefix = query.prefix.iter().map(|prefix| format!("\"{}\"*", term(room, prefix)));
    words.chain(prefix).collect::<Vec<_>>().join(" AND ")
}
