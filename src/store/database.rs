//! The little that the queries ask of a database: statements, rows, and two kinds of transaction.

use std::str::FromStr;

use async_trait::async_trait;

use super::{LoginId, Result, StoreError, TokenHash};
use crate::core::types::{MessageId, Position, RoomId, Timestamp, UserId};

/// A way to SQLite or MySQL.
#[async_trait]
pub trait Database: Send + Sync {
    fn dialect(&self) -> Dialect;

    /// Reads with all statements from one and the same state; the rows of each.
    async fn read(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>>;

    /// Runs all statements in one transaction, or none: `Fenced` when one of them did not affect
    /// as many rows as it should have.
    async fn write(&self, statements: Vec<Statement>) -> Result<Vec<Done>>;

    /// Whether it answers, and takes writes as far as is known.
    async fn ping(&self) -> Result<()> {
        self.read(vec![Statement::new("SELECT 1", Vec::new())]).await.map(drop)
    }
}

impl dyn Database + '_ {
    pub async fn query(&self, statement: Statement) -> Result<Vec<Row>> {
        Ok(self.read(vec![statement]).await?.pop().unwrap_or_default())
    }

    pub async fn query_one(&self, statement: Statement) -> Result<Option<Row>> {
        Ok(self.query(statement).await?.into_iter().next())
    }

    pub async fn execute(&self, statement: Statement) -> Result<Done> {
        Ok(self.write(vec![statement]).await?.pop().unwrap_or_default())
    }
}

/// SQL with `?` for each parameter.
#[derive(Debug, Clone)]
pub struct Statement {
    pub sql: String,
    pub params: Vec<Value>,
    /// How many rows it has to affect for the transaction to go on. A row that is found counts,
    /// even where it had the new values before.
    pub expected: Option<u64>,
}

impl Statement {
    pub fn new(sql: impl Into<String>, params: Vec<Value>) -> Statement {
        Statement { sql: sql.into(), params, expected: None }
    }

    pub fn expecting(self, rows: u64) -> Statement {
        Statement { expected: Some(rows), ..self }
    }
}

/// What a statement in a `write` did.
#[derive(Debug, Default)]
pub struct Done {
    pub affected: u64,
    /// The number that the database gave to an inserted row.
    pub last_id: i64,
    pub rows: Vec<Row>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl Value {
    /// About how much of a packet it takes.
    pub fn size(&self) -> usize {
        match self {
            Value::Null | Value::Int(_) => 8,
            Value::Text(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
        }
    }
}

/// A list of parameters of different types.
macro_rules! values {
    ($($value:expr),* $(,)?) => { vec![$($crate::store::database::Value::from($value)),*] };
}
pub(super) use values;

macro_rules! value_from {
    ($($type:ty: $value:ident => $made:expr),+ $(,)?) => {
        $(impl From<$type> for Value {
            fn from($value: $type) -> Value {
                $made
            }
        })+
    };
}
value_from! {
    i64: int => Value::Int(int),
    i32: int => Value::Int(int.into()),
    u16: int => Value::Int(int.into()),
    usize: int => Value::Int(int as i64),
    UserId: id => Value::Int(id.0),
    LoginId: id => Value::Int(id.0),
    MessageId: id => Value::Int(id.0),
    Position: position => Value::Int(position.0),
    Timestamp: time => Value::Int(time.0),
    RoomId: id => Value::Text(id.to_string()),
    String: text => Value::Text(text),
    &str: text => Value::Text(text.to_owned()),
    &[u8]: bytes => Value::Bytes(bytes.to_owned()),
    TokenHash: bytes => Value::Bytes(bytes.to_vec()),
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}

/// The values of one row, in the order of the query's columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Row(pub Vec<Value>);

impl Row {
    pub fn maybe_int(&self, column: usize) -> Result<Option<i64>> {
        match self.0.get(column) {
            Some(Value::Null) => Ok(None),
            Some(Value::Int(int)) => Ok(Some(*int)),
            other => Err(mismatch(column, "an integer", other)),
        }
    }

    pub fn int(&self, column: usize) -> Result<i64> {
        self.maybe_int(column)?.ok_or_else(|| mismatch(column, "an integer", None))
    }

    /// MySQL does not tell texts from bytes, so both will do where they are UTF-8.
    pub fn maybe_text(&self, column: usize) -> Result<Option<&str>> {
        match self.0.get(column) {
            Some(Value::Null) => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(Value::Bytes(bytes)) => std::str::from_utf8(bytes)
                .map(Some)
                .map_err(|_| mismatch(column, "a text", self.0.get(column))),
            other => Err(mismatch(column, "a text", other)),
        }
    }

    pub fn text(&self, column: usize) -> Result<&str> {
        self.maybe_text(column)?.ok_or_else(|| mismatch(column, "a text", None))
    }

    pub fn bytes(&self, column: usize) -> Result<&[u8]> {
        match self.0.get(column) {
            Some(Value::Bytes(bytes)) => Ok(bytes),
            other => Err(mismatch(column, "bytes", other)),
        }
    }

    /// A text that stands for something else: an id, a role.
    pub fn parse<T: FromStr>(&self, column: usize) -> Result<T> {
        let text = self.text(column)?;
        text.parse().map_err(|_| {
            StoreError::Broken(format!("column {column} has no known value: {text:?}"))
        })
    }

    pub fn user(&self, column: usize) -> Result<UserId> {
        self.int(column).map(UserId)
    }

    pub fn position(&self, column: usize) -> Result<Position> {
        self.int(column).map(Position)
    }

    pub fn time(&self, column: usize) -> Result<Timestamp> {
        self.int(column).map(Timestamp)
    }

    pub fn maybe_time(&self, column: usize) -> Result<Option<Timestamp>> {
        Ok(self.maybe_int(column)?.map(Timestamp))
    }
}

fn mismatch(column: usize, expected: &str, found: Option<&Value>) -> StoreError {
    let found = match found {
        None => "nothing",
        Some(Value::Null) => "NULL",
        Some(Value::Int(_)) => "an integer",
        Some(Value::Text(_)) => "a text",
        Some(Value::Bytes(_)) => "bytes",
    };
    StoreError::Broken(format!("column {column} should be {expected}, found {found}"))
}

/// The few words in which the databases differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Sqlite,
    Mysql,
}

impl Dialect {
    /// The end of an INSERT: where a row with this key is there already, do this instead.
    pub fn on_conflict(self, key: &str, set: &str) -> String {
        match self {
            Dialect::Sqlite => format!(" ON CONFLICT ({key}) DO UPDATE SET {set}"),
            Dialect::Mysql => format!(" ON DUPLICATE KEY UPDATE {set}"),
        }
    }

    /// Within `on_conflict`: the value that was to be inserted. (`VALUES` is going out of fashion
    /// in MySQL, but it is all that MySQL and MariaDB have in common.)
    pub fn inserted(self, column: &str) -> String {
        match self {
            Dialect::Sqlite => format!("excluded.{column}"),
            Dialect::Mysql => format!("VALUES({column})"),
        }
    }

    pub fn greatest(self, one: &str, other: &str) -> String {
        match self {
            Dialect::Sqlite => format!("MAX({one}, {other})"),
            Dialect::Mysql => format!("GREATEST({one}, {other})"),
        }
    }

    /// After the name of a table: to be read by this index. SQLite finds it by itself.
    pub fn by_index(self, index: &str) -> String {
        match self {
            Dialect::Sqlite => String::new(),
            Dialect::Mysql => format!(" FORCE INDEX ({index})"),
        }
    }

    /// A SELECT with an order and a limit of its own, as a part of a UNION. MySQL would keep a
    /// table for each where it stands in a FROM, and SQLite knows no other way.
    pub fn within_union(self, select: &str) -> String {
        match self {
            Dialect::Sqlite => format!("SELECT * FROM ({select})"),
            Dialect::Mysql => format!("({select})"),
        }
    }

    /// The end of a SELECT in a `write`: its rows stay as they are until the transaction ends.
    /// SQLite has one writer, and so nothing to lock.
    pub fn for_update(self) -> &'static str {
        match self {
            Dialect::Sqlite => "",
            Dialect::Mysql => " FOR UPDATE",
        }
    }
}
