//! What a run goes on in: instances as real processes, with what they stand on and what stands
//! before them.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;

use mysql_async::prelude::Queryable;
use rookery::guarantees::history::{Entry, Line};
use serde_json::Value;

use crate::asking::Place;
use crate::balancer::Balancer;
use crate::disk::SmallDisk;
use crate::links::Links;
use crate::proxy::Proxy;
use crate::recording::text;
use crate::support::{Cluster, Hub, Services};
use crate::topic::{Real, newest};

const NAMES: [&str; 3] = ["one", "two", "three"];

/// Settings that let clients speak as fast as they like, and make some of them reload.
const FAST: [(&str, &str); 4] = [
    ("ROOKERY_LIMITS__MESSAGES_PER_SECOND", "100000"),
    ("ROOKERY_LIMITS__MESSAGES_BURST", "100000"),
    // Who has missed more than this in a room is told to reload it.
    ("ROOKERY_LIMITS__RESUME_EVENTS", "60"),
    // A few people are to hold thousands of them.
    ("ROOKERY_LIMITS__SOCKETS_PER_USER", "10000"),
];

pub enum World {
    Embedded(Box<Hub>, Option<SmallDisk>),
    Cluster(Box<Site>),
}

/// Three instances behind a balancer, each with ways of its own to the services and to the
/// balancer that can be broken.
pub struct Site {
    cluster: Cluster,
    pub links: Links,
    /// Between the balancer and each instance.
    pub doors: Vec<Proxy>,
    pub balancer: Balancer,
}

/// A room as the rows of the store have it.
pub struct Rows {
    pub name: String,
    pub members: BTreeSet<String>,
    pub lines: Vec<Line>,
}

impl World {
    /// With its data on this disk, if there is one.
    pub async fn embedded(disk: Option<SmallDisk>) -> World {
        let mut env = FAST.to_vec();
        let data = disk.as_ref().map(|disk| disk.path().to_string_lossy().into_owned());
        env.extend(data.as_deref().map(|data| ("ROOKERY_DATA__DIR", data)));
        World::Embedded(Box::new(Hub::embedded_with(&env).await), disk)
    }

    pub fn disk(&self) -> &SmallDisk {
        match self {
            World::Embedded(_, Some(disk)) => disk,
            _ => panic!("there is no small disk here"),
        }
    }

    /// What the environment of an instance has besides, by its number.
    pub async fn cluster(besides: impl Fn(usize) -> Vec<(String, String)>) -> World {
        let mut cluster = Cluster::start(0).await;
        let links = Links::up().await;
        for (index, name) in NAMES.into_iter().enumerate() {
            let database = links.database_url(index, &cluster.services.database);
            let mut env = besides(index);
            env.push(links.kafka_env(index));
            env.push(("DATABASE_URL".to_owned(), database));
            env.push(("ROOKERY_SERVER__INSTANCE".to_owned(), name.to_owned()));
            let pairs = env.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let env: Vec<_> = FAST.into_iter().chain(pairs).collect();
            cluster.add(&env).await;
        }
        let mut doors = Vec::new();
        for hub in &cluster.hubs {
            doors.push(Links::door(address(hub)).await);
        }
        let instances: Vec<SocketAddr> = doors.iter().map(Proxy::address).collect();
        let balancer = Balancer::start(&instances).await;
        World::Cluster(Box::new(Site { cluster, links, doors, balancer }))
    }

    /// The ways that can be broken. Only a cluster has them.
    pub fn site(&self) -> &Site {
        match self {
            World::Cluster(site) => site,
            World::Embedded(..) => panic!("an embedded hub has no network"),
        }
    }

    pub fn hubs(&mut self) -> &mut [Hub] {
        match self {
            World::Embedded(hub, _) => std::slice::from_mut(&mut **hub),
            World::Cluster(site) => &mut site.cluster.hubs,
        }
    }

    pub fn hub(&mut self, instance: usize) -> &mut Hub {
        &mut self.hubs()[instance]
    }

    /// All that each instance has logged.
    pub fn logs(&mut self) -> Vec<String> {
        let log = |hub: &mut Hub| std::fs::read_to_string(hub.log_file()).unwrap_or_default();
        self.hubs().iter_mut().map(log).collect()
    }

    pub fn places(&mut self) -> Vec<Place> {
        let hubs = NAMES.iter().zip(self.hubs());
        hubs.map(|(name, hub)| Place { name: (*name).to_owned(), base: hub.base.clone() }).collect()
    }

    /// Where clients open their sockets.
    pub fn doors(&mut self) -> Vec<String> {
        match self {
            World::Embedded(hub, _) => vec![hub.base.clone()],
            World::Cluster(site) => vec![site.balancer.base()],
        }
    }

    /// What hubs have written into Kafka.
    pub async fn entries(&self) -> Vec<Entry> {
        let World::Cluster(site) = self else { return Vec::new() };
        let (brokers, topic) =
            (site.services().brokers.clone(), format!("{}-messages", site.services().prefix));
        let read = tokio::task::spawn_blocking(move || newest(&brokers, &topic, i64::MAX)).await;
        let ours = read.expect("the log").into_iter().filter(|real| !real.is_foreign);
        ours.map(|real| entry(&real)).collect()
    }

    pub async fn rows(&mut self, room: &str) -> Rows {
        match self {
            World::Embedded(hub, None) => sqlite_rows(&hub.dir().join("data"), room),
            World::Embedded(_, Some(disk)) => sqlite_rows(disk.path(), room),
            World::Cluster(site) => {
                let mut database = site.cluster.database().await;
                let rows = mysql_rows(&mut database, room).await;
                // The rows are here; how the connection ends is of no interest.
                let _ = database.disconnect().await;
                rows.expect("the tables that other programs may read")
            }
        }
    }
}

impl Site {
    /// Where Kafka and the database are, without a proxy in between.
    pub fn services(&self) -> &Services {
        &self.cluster.services
    }
}

fn address(hub: &Hub) -> SocketAddr {
    hub.base.trim_start_matches("http://").parse().expect("the address of a hub")
}

fn entry(real: &Real) -> Entry {
    let record: Value = serde_json::from_slice(&real.value).expect("a hub writes JSON");
    let room = real.key.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
    Entry { room: room.into_owned(), id: text(&record["id"]) }
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
