//! An empty database, and a world of people and rooms that are folded beside the store.

use std::collections::BTreeMap;

use mysql_async::prelude::Queryable;
use rookery::core::batch::{Batch, Change};
use rookery::core::record::{Action, Changes, Founding, Post, Record, Seat};
use rookery::core::room::{Doer, Event, Message, Refusal, Room};
use rookery::core::types::{
    Person, Place as LogPlace, Position, Role, RoomId, RoomKind, Timestamp, UserId, Visibility,
};
use rookery::store::Store;
use uuid::Uuid;

pub const PARTITION: u16 = 0;
pub const PARTITIONS: usize = 2;

/// Where a database is made, and unmade after the story.
pub enum Place {
    Sqlite(tempfile::TempDir),
    Mysql { server: String, database: String },
}

impl Place {
    pub fn sqlite() -> Place {
        Place::Sqlite(tempfile::tempdir().unwrap())
    }

    pub async fn mysql() -> Place {
        let server = server();
        let database = format!("rookery_store_{}", Uuid::now_v7().simple());
        let sql = format!("CREATE DATABASE {database} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin");
        on_server(&server, &sql).await;
        Place::Mysql { server, database }
    }

    pub async fn open(&self) -> Store {
        let store = match self {
            Place::Sqlite(folder) => Store::sqlite(&folder.path().join("rookery.db")).await,
            Place::Mysql { server, database } => {
                Store::mysql(&format!("{server}/{database}"), 8).await
            }
        };
        store.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Runs a dump of the database's kind.
    pub async fn fill(&self, sqlite: &str, mysql: &str) {
        match self {
            Place::Sqlite(folder) => {
                let file = folder.path().join("rookery.db");
                rusqlite::Connection::open(file).unwrap().execute_batch(sqlite).unwrap();
            }
            Place::Mysql { server, database } => {
                on_server(&format!("{server}/{database}"), mysql).await;
            }
        }
    }

    pub async fn leave(self) {
        if let Place::Mysql { server, database } = self {
            on_server(&server, &format!("DROP DATABASE {database}")).await;
        }
    }

    /// Entries in the index of words that a room has.
    pub async fn indexed(&self, room: RoomId) -> i64 {
        match self {
            Place::Sqlite(_) => {
                self.count(&format!("found WHERE found MATCH '\"{room}_\"*'")).await
            }
            Place::Mysql { .. } => self.count(&format!("words WHERE room_id = '{room}'")).await,
        }
    }

    /// Counts rows behind the store's back.
    pub async fn count(&self, from: &str) -> i64 {
        let sql = format!("SELECT COUNT(*) FROM {from}");
        match self {
            Place::Sqlite(folder) => {
                let file = folder.path().join("rookery.db");
                let connection = rusqlite::Connection::open(file).unwrap();
                connection.query_row(&sql, [], |row| row.get(0)).unwrap()
            }
            Place::Mysql { server, database } => {
                let url = format!("{server}/{database}");
                let mut conn = mysql_async::Conn::from_url(url).await.unwrap();
                let count = conn.query_first(sql).await.unwrap();
                conn.disconnect().await.unwrap();
                count.unwrap()
            }
        }
    }
}

/// `mysql://user:password@host:port`.
pub fn server() -> String {
    let server = std::env::var("ROOKERY_TEST_MYSQL").unwrap_or_else(|_| {
        panic!("ROOKERY_TEST_MYSQL is not set: tests/services/up starts a server and tells its URL")
    });
    server.trim_end_matches('/').to_owned()
}

async fn on_server(server: &str, sql: &str) {
    let mut conn = mysql_async::Conn::from_url(server).await.unwrap();
    conn.query_drop(sql).await.unwrap();
    conn.disconnect().await.unwrap();
}

/// Rooms of one partition as folded in memory, and the batch that the store does not have yet.
pub struct World {
    pub store: Store,
    pub rooms: BTreeMap<RoomId, Room>,
    /// Everything accepted so far.
    pub changes: Vec<Change>,
    pub batch: Batch,
    pub epoch: u16,
    /// Milliseconds that records are later than their offsets say.
    pub later: i64,
}

impl World {
    pub async fn new(place: &Place) -> World {
        let store = place.open().await;
        let epoch = store.open_log(&[], &[0; PARTITIONS], true).await.unwrap();
        World {
            store,
            rooms: BTreeMap::new(),
            changes: Vec::new(),
            batch: Batch::starting_at(PARTITION, 0),
            epoch,
            later: 0,
        }
    }

    pub async fn person(&self, username: &str) -> Person {
        let display_name = format!("The {username}");
        let id =
            self.store.create_user(username, &display_name, "hash", Timestamp(1)).await.unwrap();
        Person { id, username: username.into(), display_name }
    }

    /// Appends a record to the log, at an offset of its own even if it is refused.
    pub fn act(&mut self, room: RoomId, by: &Person, action: Action) -> Result<Event, Refusal> {
        self.act_as(room, by.id.into(), action)
    }

    pub fn act_as(&mut self, room: RoomId, by: Doer, action: Action) -> Result<Event, Refusal> {
        let offset = self.batch.next;
        let at = Timestamp(1_000 + offset + self.later);
        let record = Record::new(action, room, by, at, Uuid::nil());
        let place = LogPlace { epoch: self.epoch, partition: PARTITION, offset };
        let fold = self.rooms.entry(room).or_insert_with(|| Room::absent(room));
        let result = fold.apply(&record, place);
        let change = result.as_ref().ok().map(|event| Change {
            room,
            position: place.position(),
            at,
            hub_admin: record.hub_admin,
            event: event.clone(),
        });
        self.changes.extend(change.clone());
        self.batch.push(offset, change);
        result
    }

    /// Writes what is gathered, and starts a new batch where it ends.
    pub async fn write(&mut self) {
        let next = Batch::starting_at(PARTITION, self.batch.next);
        let batch = std::mem::replace(&mut self.batch, next);
        self.store.write(&batch).await.unwrap();
    }

    pub async fn group(
        &mut self,
        name: &str,
        visibility: Visibility,
        people: &[&Person],
    ) -> RoomId {
        let room = self.store.allocate_room(Timestamp(2)).await.unwrap();
        let seat = |(at, person): (usize, &&Person)| Seat {
            person: (*person).clone(),
            role: if at == 0 { Role::Admin } else { Role::Member },
        };
        let founding = Founding {
            kind: RoomKind::Group,
            name: Some(name.into()),
            visibility,
            members: people.iter().enumerate().map(seat).collect(),
        };
        self.act(room, people[0], Action::RoomCreated(founding)).unwrap();
        room
    }

    pub fn direct(&mut self, one: &Person, other: &Person) -> RoomId {
        let room = RoomId::direct(one.id, other.id).unwrap();
        let seat = |person: &Person| Seat { person: person.clone(), role: Role::Member };
        let founding = Founding {
            kind: RoomKind::Direct,
            name: None,
            visibility: Visibility::Private,
            members: vec![seat(one), seat(other)],
        };
        self.act(room, one, Action::RoomCreated(founding)).unwrap();
        room
    }

    pub fn say(&mut self, room: RoomId, sender: &Person, body: &str) -> Message {
        self.say_as(room, sender, body, None).unwrap()
    }

    pub fn say_as(
        &mut self,
        room: RoomId,
        sender: &Person,
        body: &str,
        client_id: Option<&str>,
    ) -> Result<Message, Refusal> {
        let client_id = client_id.map(str::to_owned);
        let post = Post { sender: sender.clone(), body: body.into(), client_id, reply_to: None };
        match self.act(room, sender, Action::Message(post))? {
            Event::Message { message, .. } => Ok(message),
            other => panic!("a message became {other:?}"),
        }
    }

    pub fn add(&mut self, room: RoomId, by: &Person, member: &Person) -> Position {
        let action = Action::MemberSet { member: member.clone(), role: Role::Member };
        self.act(room, by, action).unwrap();
        self.rooms[&room].position
    }

    pub fn remove(&mut self, room: RoomId, by: &Person, member: &Person, ban: bool) -> Position {
        self.act(room, by, Action::MemberRemoved { member: member.clone(), ban }).unwrap();
        self.rooms[&room].position
    }

    pub fn update(&mut self, room: RoomId, by: &Person, changes: Changes) {
        self.act(room, by, Action::RoomUpdated(changes)).unwrap();
    }

    pub fn delete(&mut self, room: RoomId, by: &Person) -> Position {
        self.act(room, by, Action::RoomDeleted).unwrap();
        self.rooms[&room].position
    }

    /// The room comes back from the store as it stands in memory, to the last repeat.
    pub async fn assert_restored(&self, room: RoomId) {
        let restored = self.store.snapshot(room, PARTITION).await.unwrap();
        assert_eq!(restored.next, self.batch.from);
        let (restored, fold) = (restored.room, &self.rooms[&room]);
        assert_eq!(restored.id, fold.id);
        assert_eq!(restored.status, fold.status, "{room}");
        assert_eq!(restored.kind, fold.kind);
        assert_eq!(restored.name, fold.name);
        assert_eq!(restored.topic, fold.topic);
        assert_eq!(restored.visibility, fold.visibility);
        assert_eq!(restored.members, fold.members);
        assert_eq!(restored.banned, fold.banned);
        assert_eq!(restored.position, fold.position);
        assert_eq!(restored.changed, fold.changed);
        assert_eq!(restored.recent.is_complete(), fold.recent.is_complete());
        for change in self.changes.iter().filter(|change| change.room == room) {
            if let Event::Message { message, .. } = &change.event
                && let Some(client_id) = &message.client_id
            {
                let find = |room: &Room| room.recent.find(message.sender.id, client_id);
                assert_eq!(find(&restored), find(fold));
            }
        }
    }

    pub async fn unread(&self, room: RoomId, user: UserId) -> i64 {
        let view = self.store.room_view(room, user).await.unwrap().unwrap();
        view.unread.unwrap()
    }
}
