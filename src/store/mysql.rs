//! MySQL and MariaDB: a pool of connections on threads of its own.
//!
//! The threads are its own since a connection belongs to the event loop that opened it, and an
//! actor's loop may be busy or end; and since an operation then runs to its end, whether or not
//! somebody still waits for it. The driver cannot give up half way: it would take the late answer
//! for that of the next question. So whatever is cut off takes its connection with it.

use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, Params, Pool, PoolConstraints, PoolOpts};
use tokio::runtime::Runtime;
use tokio::time::{sleep, timeout};

use super::database::{Database, Dialect, Done, Row, Statement, Value};
use super::{OPERATION, Result, StoreError, migrations};

/// To get a connection: an idle one, or a new one where the pool has room.
const CONNECT: Duration = Duration::from_secs(3);
/// How often a transaction is run again that lost against another.
const TRIES: u32 = 5;
/// Prepared statements kept for each connection, those that were used last: a server has some
/// 16,000 for all connections of all instances, unless it is told otherwise.
const PREPARED: usize = 128;
const THREADS: usize = 2;
/// A connection that nobody uses for so long, or up to twice as long, ends, but for one. A new one
/// costs half a dozen questions, and all statements are prepared again.
const IDLE: Duration = Duration::from_secs(3);

/// Said once on each connection. A lock that takes longer to get than an operation may last is
/// given up by the server first, so that it is known that nothing was done.
const SETUP: [&str; 3] = [
    "SET NAMES utf8mb4",
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', autocommit = 1, \
     innodb_lock_wait_timeout = 2",
    // Writers name the rows that they touch; locks on the gaps between only make them collide.
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
];
const BEGIN_READING: &str = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; \
     START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";
const BEGIN_WRITING: &str = "START TRANSACTION";

pub struct Mysql {
    pool: Pool,
    /// `None` only while dropping.
    runtime: Option<Runtime>,
}

impl Mysql {
    pub async fn open(url: &str, connections: usize) -> Result<Mysql> {
        let opts = options(url, connections)?;
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        runtime.worker_threads(THREADS).thread_name("store-mysql").enable_all();
        let runtime = runtime.build().map_err(broken)?;
        let pool = Pool::new(opts.clone());
        let mysql = Mysql { pool: pool.clone(), runtime: Some(runtime) };
        mysql.spawn(async move { migrate(opts, pool).await }).await?;
        Ok(mysql)
    }

    async fn spawn<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        match &self.runtime {
            Some(runtime) => runtime.spawn(work).await.map_err(broken)?,
            None => Err(StoreError::Unavailable("it was closed".into())),
        }
    }
}

impl Drop for Mysql {
    fn drop(&mut self) {
        // Waiting for the threads is not allowed where this may be dropped.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[async_trait]
impl Database for Mysql {
    fn dialect(&self) -> Dialect {
        Dialect::Mysql
    }

    async fn read(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>> {
        let pool = self.pool.clone();
        let done = self.spawn(async move { operate(&pool, &statements, BEGIN_READING).await });
        Ok(done.await?.into_iter().map(|done| done.rows).collect())
    }

    async fn write(&self, statements: Vec<Statement>) -> Result<Vec<Done>> {
        let pool = self.pool.clone();
        self.spawn(async move { operate(&pool, &statements, BEGIN_WRITING).await }).await
    }
}

async fn migrate(opts: Opts, mut pool: Pool) -> Result<()> {
    let connected = timeout(CONNECT, Conn::new(opts)).await.map_err(|_| frozen())?;
    let mut lock = connected.map_err(fault)?;
    let result = migrations::mysql(&mut lock, &mut pool).await;
    // Gives the lock back.
    part(lock);
    result
}

/// One transaction, from connection to commit. Loses against others a few times before it gives
/// up.
async fn operate(pool: &Pool, statements: &[Statement], begin: &str) -> Result<Vec<Done>> {
    let mut tries = 0;
    loop {
        let connected = timeout(CONNECT, pool.get_conn()).await.map_err(|_| frozen())?;
        let mut conn = connected.map_err(fault)?;
        let error = match timeout(OPERATION, transact(&mut conn, statements, begin)).await {
            Ok(Ok(done)) => return Ok(done),
            Ok(Err(Failure::Fenced)) => return Err(StoreError::Fenced),
            Ok(Err(Failure::Sql(error))) => error,
            Err(_) => {
                part(conn);
                return Err(lost(begin, frozen()));
            }
        };
        tries += 1;
        if error.is_fatal() {
            part(conn);
            // It may have been dead for long, and nothing was asked of it but to be read.
            if begin == BEGIN_READING && tries == 1 {
                continue;
            }
            return Err(lost(begin, fault(error)));
        }
        if !is_collision(&error) {
            let error = fault(error);
            // A server that takes no more writes, say, is left for the one that takes them now.
            if matches!(error, StoreError::Unavailable(_)) {
                part(conn);
            }
            return Err(error);
        }
        if tries == TRIES {
            return Err(fault(error));
        }
        drop(conn);
        sleep(Duration::from_millis(u64::from(5 * tries) + jitter())).await;
    }
}

/// Of a write whose connection broke nobody knows whether it was committed.
fn lost(begin: &str, error: StoreError) -> StoreError {
    match error {
        StoreError::Unavailable(why) if begin == BEGIN_WRITING => StoreError::Unknown(why),
        error => error,
    }
}

/// Up to 16 ms, so that two that collided do not do so again.
fn jitter() -> u64 {
    getrandom::u64().unwrap_or_default() % 16
}

enum Failure {
    Sql(mysql_async::Error),
    Fenced,
}

impl From<mysql_async::Error> for Failure {
    fn from(error: mysql_async::Error) -> Failure {
        Failure::Sql(error)
    }
}

async fn transact(
    conn: &mut Conn,
    statements: &[Statement],
    begin: &str,
) -> std::result::Result<Vec<Done>, Failure> {
    if let [statement] = statements
        && statement.expected.is_none()
    {
        // A transaction by itself.
        return Ok(vec![run(conn, statement).await?]);
    }
    conn.query_drop(begin).await?;
    let mut all = Vec::with_capacity(statements.len());
    for statement in statements {
        match run(conn, statement).await {
            Ok(done) => all.push(done),
            Err(Failure::Sql(error)) if error.is_fatal() => return Err(error.into()),
            Err(failure) => {
                conn.query_drop("ROLLBACK").await?;
                return Err(failure);
            }
        }
    }
    conn.query_drop("COMMIT").await?;
    Ok(all)
}

async fn run(conn: &mut Conn, statement: &Statement) -> std::result::Result<Done, Failure> {
    let params = match statement.params.is_empty() {
        true => Params::Empty,
        false => Params::Positional(statement.params.iter().map(param).collect()),
    };
    let mut result = conn.exec_iter(statement.sql.as_str(), params).await?;
    let affected = result.affected_rows();
    let last_id = result.last_insert_id().unwrap_or_default() as i64;
    let rows: Vec<mysql_async::Row> = result.collect().await?;
    drop(result);
    let rows = rows.into_iter().map(|row| Row(row.unwrap().into_iter().map(value).collect()));
    match statement.expected {
        Some(expected) if expected != affected => Err(Failure::Fenced),
        _ => Ok(Done { affected, last_id, rows: rows.collect() }),
    }
}

/// Ends a connection that is of no more use, without waiting for the server to agree.
fn part(conn: Conn) {
    tokio::spawn(async move { timeout(Duration::from_secs(1), conn.disconnect()).await });
}

fn options(url: &str, connections: usize) -> Result<Opts> {
    let wrong = |error: String| StoreError::Broken(format!("the URL of the database: {error}"));
    let opts = Opts::from_url(url).map_err(|error| wrong(error.to_string()))?;
    if opts.db_name().is_none_or(str::is_empty) {
        return Err(wrong(
            "it names no database (mysql://user:password@host:port/DATABASE)".into(),
        ));
    }
    let constraints = PoolConstraints::new(1, connections.max(1)).unwrap_or_default();
    // A reset would forget the prepared statements; nothing that it resets is ever changed here.
    let pool = PoolOpts::new()
        .with_constraints(constraints)
        .with_inactive_connection_ttl(IDLE)
        .with_ttl_check_interval(IDLE)
        .with_reset_connection(false);
    Ok(OptsBuilder::from_opts(opts)
        .pool_opts(pool)
        .setup(SETUP.to_vec())
        .stmt_cache_size(PREPARED)
        .tcp_nodelay(true)
        .tcp_keepalive(Some(Duration::from_secs(30)))
        // Where it was told to connect is where it connects.
        .prefer_socket(false)
        // A row that is found counts as affected, as in SQLite.
        .client_found_rows(true)
        .into())
}

fn param(value: &Value) -> mysql_async::Value {
    match value {
        Value::Null => mysql_async::Value::NULL,
        Value::Int(int) => mysql_async::Value::Int(*int),
        Value::Text(text) => mysql_async::Value::Bytes(text.clone().into_bytes()),
        Value::Bytes(bytes) => mysql_async::Value::Bytes(bytes.clone()),
    }
}

fn value(value: mysql_async::Value) -> Value {
    match value {
        mysql_async::Value::NULL => Value::Null,
        mysql_async::Value::Int(int) => Value::Int(int),
        mysql_async::Value::UInt(int) => Value::Int(int as i64),
        mysql_async::Value::Bytes(bytes) => Value::Bytes(bytes),
        // No query of ours has one; a mismatch will say so.
        other => Value::Text(other.as_sql(true)),
    }
}

/// A deadlock, or a lock that took too long: the transaction may go through the next time.
fn is_collision(error: &mysql_async::Error) -> bool {
    matches!(error, mysql_async::Error::Server(server) if matches!(server.code, 1205 | 1213))
}

pub(super) fn fault(error: mysql_async::Error) -> StoreError {
    let mysql_async::Error::Server(server) = &error else {
        return StoreError::Unavailable(error.to_string());
    };
    let why = &server.message;
    match server.code {
        1062 => StoreError::Taken,
        1044 | 1045 | 1698 => StoreError::Broken(format!("the database refuses this user: {why}")),
        1049 => StoreError::Broken(format!(
            "{why}: make it first, with CREATE DATABASE … CHARACTER SET utf8mb4"
        )),
        // Locks; too many connections, or prepared statements of all of them; shutting down; disk
        // full; a replica or a cluster node that does not take writes now; a statement that took
        // too long.
        1205 | 1213 | 1040 | 1203 | 1226 | 1461 | 1053 | 1079 | 1080 | 1021 | 1114 | 1290
        | 1836 | 1047 | 1317 | 1969 | 3024 => StoreError::Unavailable(why.clone()),
        _ => StoreError::Broken(error.to_string()),
    }
}

fn broken(error: impl ToString) -> StoreError {
    StoreError::Broken(error.to_string())
}

fn frozen() -> StoreError {
    StoreError::Unavailable("the database did not answer in time".into())
}
