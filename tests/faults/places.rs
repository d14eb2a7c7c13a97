//! Where a test looks and what it stops: the rows of the store, the services, a process's memory.

use std::process::Command;

use mysql_async::prelude::Queryable;
use rusqlite::Connection;

use crate::crowd::Line;
use crate::support::{Hub, resident, service_script};

/// The rows of a room in the store of a cluster.
pub async fn mysql_rows(url: &str, room: &str) -> Vec<Line> {
    let mut connection = mysql_async::Conn::from_url(url).await.expect("the database");
    let sql =
        "SELECT position, id, CAST(body AS CHAR) FROM messages WHERE room_id = ? ORDER BY position";
    let line =
        |(position, id, body): (i64, i64, String)| Line { position, id: id.to_string(), body };
    let rows = connection.exec_map(sql, (room,), line).await;
    // The rows are here; how the connection ends is of no interest.
    let _ = connection.disconnect().await;
    rows.expect("the tables that other programs may read")
}

/// Runs one of the service scripts, as in `kafka/kill`.
pub fn service(script: &str) {
    let ended = Command::new(service_script(script)).status();
    assert!(ended.is_ok_and(|status| status.success()), "{script} failed");
}

/// A service that is away until this is dropped, also by a test that fails.
pub struct Away {
    /// The script that brings it back.
    back: String,
}

impl Away {
    /// Killed, as by a crash.
    pub fn killed(name: &str) -> Away {
        service(&format!("{name}/kill"));
        Away { back: format!("{name}/start") }
    }

    /// Its connections stay open, and it says nothing.
    pub fn paused(name: &str) -> Away {
        service(&format!("{name}/pause"));
        Away { back: format!("{name}/resume") }
    }

    pub fn comes_back(self) {}
}

impl Drop for Away {
    fn drop(&mut self) {
        // A second panic while a test fails would hide the first.
        let _ = std::panic::catch_unwind(|| service(&self.back));
    }
}

/// While this is held, nothing gets into the store of an embedded hub.
pub struct Lock(Connection);

impl Lock {
    pub fn on(hub: &Hub) -> Lock {
        let connection = Connection::open(hub.dir().join("data/rookery.db")).expect("the store");
        connection.execute_batch("BEGIN IMMEDIATE").expect("the lock");
        Lock(connection)
    }

    pub fn give_back(self) {
        self.0.execute_batch("ROLLBACK").expect("the lock is given back");
    }
}

/// The resident memory of a process, in bytes.
pub fn memory(pid: u32) -> usize {
    resident(pid).expect("a process") as usize
}
