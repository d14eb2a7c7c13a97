//! What a run goes on in: instances as real processes, with what they stand on and what stands
//! before them.

use std::collections::BTreeSet;
use std::path::Path;

use mysql_async::prelude::Queryable;
use rookery::guarantees::history::Line;

use crate::asking::Place;
use crate::support::{Cluster, Hub};

const NAMES: [&str; 3] = ["one", "two", "three"];

/// Settings that let clients speak as fast as they like, and make some of them reload.
const FAST: [(&str, &str); 3] = [
    ("ROOKERY_LIMITS__MESSAGES_PER_SECOND", "100000"),
    ("ROOKERY_LIMITS__MESSAGES_BURST", "100000"),
    // Who has missed more than this in a room is told to reload it.
    ("ROOKERY_LIMITS__RESUME_EVENTS", "60"),
];

pub enum World {
    Embedded(Box<Hub>),
    Cluster(Box<Cluster>),
}

/// A room as the rows of the store have it.
pub struct Rows {
    pub name: String,
    pub members: BTreeSet<String>,
    pub lines: Vec<Line>,
}

impl World {
    pub async fn embedded() -> World {
        World::Embedded(Box::new(Hub::embedded_with(&FAST).await))
    }

    pub async fn cluster() -> World {
        let mut cluster = Cluster::start(0).await;
        for name in NAMES {
            let mut env = FAST.to_vec();
            env.push(("ROOKERY_SERVER__INSTANCE", name));
            cluster.add(&env).await;
        }
        World::Cluster(Box::new(cluster))
    }

    pub fn hubs(&mut self) -> &mut [Hub] {
        match self {
            World::Embedded(hub) => std::slice::from_mut(&mut **hub),
            World::Cluster(cluster) => &mut cluster.hubs,
        }
    }

    pub fn hub(&mut self, instance: usize) -> &mut Hub {
        &mut self.hubs()[instance]
    }

    pub fn places(&mut self) -> Vec<Place> {
        let hubs = NAMES.iter().zip(self.hubs());
        hubs.map(|(name, hub)| Place { name: (*name).to_owned(), base: hub.base.clone() }).collect()
    }

    /// Where clients open their sockets.
    pub fn doors(&mut self) -> Vec<String> {
        self.hubs().iter().map(|hub| hub.base.clone()).collect()
    }

    pub async fn rows(&mut self, room: &str) -> Rows {
        match self {
            World::Embedded(hub) => sqlite_rows(&hub.dir().join("data"), room),
            World::Cluster(cluster) => {
                let mut database = cluster.database().await;
                let rows = mysql_rows(&mut database, room).await;
                // The rows are here; how the connection ends is of no interest.
                let _ = database.disconnect().await;
                rows.expect("the tables that other programs may read")
            }
        }
    }
}

const NAME: &str = "SELECT name FROM rooms WHERE id = ?";
const MEMBERS: &str = "SELECT user_id FROM members WHERE room_id = ?";
const LINES: &str =
    "SELECT position, id, sender_id, body FROM messages WHERE room_id = ? ORDER BY position";

fn line((position, id, sender, body): (i64, i64, i64, String)) -> Line {
    Line { position, id: id.to_string(), sender: sender.to_string(), body }
}

async fn mysql_rows(database: &mut mysql_async::Conn, room: &str) -> mysql_async::Result<Rows> {
    let name: Option<String> =
        database.exec_first("SELECT CAST(name AS CHAR) FROM rooms WHERE id = ?", (room,)).await?;
    let members: Vec<i64> = database.exec(MEMBERS, (room,)).await?;
    let lines = LINES.replace("body", "CAST(body AS CHAR)");
    let lines = database.exec_map(lines, (room,), line).await?;
    let members = members.iter().map(i64::to_string).collect();
    Ok(Rows { name: name.unwrap_or_default(), members, lines })
}

fn sqlite_rows(data: &Path, room: &str) -> Rows {
    let read = || -> rusqlite::Result<Rows> {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let file = rusqlite::Connection::open_with_flags(data.join("rookery.db"), flags)?;
        let name = file.query_row(NAME, [room], |row| row.get(0))?;
        let mut members = file.prepare(MEMBERS)?;
        let members = members.query_map([room], |row| row.get::<_, i64>(0))?;
        let members = members.map(|user| user.map(|user| user.to_string()));
        let mut lines = file.prepare(LINES)?;
        let lines = lines.query_map([room], |row| {
            Ok(line((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        })?;
        Ok(Rows {
            name,
            members: members.collect::<Result<_, _>>()?,
            lines: lines.collect::<Result<_, _>>()?,
        })
    };
    read().expect("the tables that other programs may read")
}
