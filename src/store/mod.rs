//! The store: what the log adds up to, and accounts. One set of queries for both databases.
//!
//! SQLite and MySQL (or MariaDB) differ in a few words of SQL and in how they are reached, so the
//! queries are written once, over the small `Database` trait; `sqlite` and `mysql` implement that,
//! and one conformance suite runs on both. Only the index of words is made in two ways (`words`).

mod accounts;
mod avatars;
mod bulk;
mod burial;
mod counted;
pub mod database;
mod deletion;
mod directory;
mod history;
mod logins;
mod migrations;
mod mysql;
mod offsets;
mod persist;
mod plan;
mod reading;
mod rooms;
mod search;
mod sqlite;
mod together;
mod unread;
mod words;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::core::room::{Event, Member, Message, Room};
use crate::core::types::{
    Person, Position, Role, RoomId, RoomKind, Timestamp, UserId, Visibility, as_members,
};
use counted::Counted;
use database::Database;
pub use deletion::Seat;
pub use directory::{DirectoryPage, Ways};
pub use logins::{Client, Login};
pub use reading::{Marker, ReadMark};
use together::Together;
pub use unread::Numbering;

/// For everything that one operation does. A database that takes longer is `Unavailable`.
pub const OPERATION: Duration = Duration::from_secs(5);

/// Why the store could not do something. None of them leaves anything half done.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Cannot be reached, or too busy: worth trying again.
    #[error("the store cannot be reached: {0}")]
    Unavailable(String),
    /// A row with this unique value is there already.
    #[error("taken")]
    Taken,
    /// The connection was lost while it wrote: it may be done, or not at all.
    #[error("the store was lost while it wrote: {0}")]
    Unknown(String),
    /// Another persister wrote this part of the log first.
    #[error("another instance wrote this batch")]
    Fenced,
    /// Everything else: a fault of ours, or a schema that is not ours.
    #[error("store: {0}")]
    Broken(String),
}

pub type Result<T> = std::result::Result<T, StoreError>;

/// A person with what only the hub knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub person: Person,
    /// May not log in, and is not in the directory. So are the deleted.
    pub disabled: bool,
    pub deleted: bool,
    /// The version of the person's picture; `None` for who has none.
    pub avatar: Option<String>,
    /// Administers public groups without being in them.
    pub hub_admin: bool,
    pub created_at: Timestamp,
    /// When the last of the person's sockets closed; `None` if none ever did.
    pub last_seen: Option<Timestamp>,
    /// Whether others are told how far this person has read, and this person of others.
    pub read_receipts: bool,
}

/// What is needed to check a password.
#[derive(Debug, Clone)]
pub struct Credentials {
    pub account: Account,
    /// In the PHC string format.
    pub password_hash: String,
}

/// A row of `logins`: one cookie or token. Only a hash of it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LoginId(pub i64);

/// A login that a request or a socket is made with.
#[derive(Debug, Clone)]
pub struct ActiveLogin {
    pub id: LoginId,
    pub account: Account,
    pub last_used_at: Option<Timestamp>,
}

/// Why a login is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginEnd {
    LoggedOut,
    /// The account is disabled, and with it all of its logins.
    Disabled,
}

/// SHA-256 of a login's token.
pub type TokenHash = [u8; 32];

/// A room as one member sees it in a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RoomView {
    pub id: RoomId,
    pub kind: RoomKind,
    /// A direct room is named after the other person.
    pub name: Option<String>,
    pub topic: String,
    pub visibility: Visibility,
    /// Absent for who is not a member.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unread: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mentions: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_message: Option<Message>,
    pub position: Position,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_position: Option<Position>,
    /// Raised whenever the member marks messages as unread; compared before the position.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_version: Option<i64>,
    /// Until when I may not write there. It may be over: see [`RoomView::at`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub muted_until: Option<Timestamp>,
    pub member_count: i64,
    pub created_at: Timestamp,
    /// The two people of a direct room; empty for groups.
    #[serde(rename = "members", with = "as_members", skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<Person>,
}

impl RoomView {
    /// As it is at this time: without a mute that is over.
    pub fn at(mut self, now: Timestamp) -> RoomView {
        self.muted_until = self.muted_until.filter(|until| now < *until);
        self
    }
}

/// A member as lists show them.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    pub member: Member,
    pub last_seen: Option<Timestamp>,
    /// The version of the picture.
    pub avatar: Option<String>,
}

/// A room's state at an offset of its partition: start a fold here and go on with what follows.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub room: Room,
    /// The first offset of the room's partition that is not part of it.
    pub next: i64,
}

/// Which page of a room's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageOf {
    Newest,
    Before(Position),
    After(Position),
    /// About half of the page before, and the rest from this position on.
    Around(Position),
}

/// Messages of one room, oldest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    pub messages: Vec<Message>,
    pub has_older: bool,
    pub has_newer: bool,
    /// The first offset of the room's partition that the store did not have when it was read.
    pub next: i64,
}

/// What happened in a room after a position, oldest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Replay {
    pub events: Vec<(Position, Event)>,
    /// Whether there was more than the limit; then `events` is not complete.
    pub too_much: bool,
    /// As in `Page`.
    pub next: i64,
}

/// One line of a room's audit: who did what to the room, its members, or what others said.
#[derive(Debug, Clone, PartialEq)]
pub struct Deed {
    pub position: Position,
    pub at: Timestamp,
    pub by: UserId,
    /// Whether it was done by the right of a hub admin.
    pub hub_admin: bool,
    pub event: Event,
}

/// What somebody who is not in a room any more may still be told: what came after one position
/// up to, and with, the other, which is that of the removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parting {
    pub after: Position,
    pub until: Position,
}

/// Everything durable but the log. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    db: Arc<dyn Database>,
    logins: Arc<Together<TokenHash, ActiveLogin>>,
    lists: Arc<Together<UserId, Vec<RoomView>>>,
}

/// Logins, and room lists, in one statement at the most.
const LOGINS_AT_ONCE: usize = 64;
const LISTS_AT_ONCE: usize = 16;

impl Store {
    fn on(db: impl Database + 'static) -> Store {
        Store {
            db: Arc::new(Counted(db)),
            logins: Arc::new(Together::new(LOGINS_AT_ONCE)),
            lists: Arc::new(Together::new(LISTS_AT_ONCE)),
        }
    }

    /// Opens (and makes, if missing) a SQLite file, and brings its schema up to date.
    pub async fn sqlite(file: &Path) -> Result<Store> {
        Ok(Store::on(sqlite::Sqlite::open(file).await?))
    }

    /// Connects to `mysql://user:password@host:port/database` with at most `connections`
    /// connections, and brings the schema up to date under a lock that all instances share.
    pub async fn mysql(url: &str, connections: usize) -> Result<Store> {
        Ok(Store::on(mysql::Mysql::open(url, connections).await?))
    }
}
