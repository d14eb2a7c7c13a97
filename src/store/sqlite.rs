//! SQLite: one thread that writes, a few that read, and queues that end in a refusal.
//!
//! A commit waits for the disk, however little it writes. So the writer takes everything that
//! waits for it and commits that at once; a savepoint around each keeps one failure from
//! spoiling the others.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, ToSql, ffi, params_from_iter};
use tokio::sync::oneshot;

use super::database::{Database, Dialect, Done, Row, Statement, Value};
use super::{Result, StoreError, migrations};

/// Jobs that wait for the writer, or for a reader. One more is refused as `Unavailable`.
const QUEUE: usize = 1_024;
/// Writes that share one commit.
const MOST_TOGETHER: usize = 256;
const READERS: usize = 4;
/// How long to wait for another process, such as `rookery user`, to finish its write.
const BUSY: Duration = Duration::from_secs(5);
const PREPARED: usize = 256;
/// How long to go on trying to open a file that another process opens at the same moment.
const OPENING: Duration = Duration::from_secs(3);
/// Changes nothing, and is written all the same: it finds out whether there is room to write.
const TRY: &str = "UPDATE refinery_schema_history SET name = name WHERE version = 1";

struct Job<T> {
    statements: Vec<Statement>,
    answer: oneshot::Sender<Result<T>>,
}

type Write = Job<Vec<Done>>;
type Read = Job<Vec<Vec<Row>>>;

pub struct Sqlite {
    writer: SyncSender<Write>,
    readers: SyncSender<Read>,
    /// Whether the last commit could be written. It could not where the disk is full.
    writable: Arc<AtomicBool>,
}

impl Sqlite {
    pub async fn open(file: &Path) -> Result<Sqlite> {
        let file = file.to_owned();
        tokio::task::spawn_blocking(move || Sqlite::open_now(&file)).await.map_err(broken)?
    }

    fn open_now(file: &Path) -> Result<Sqlite> {
        let connection = open_migrated(file)?;
        let (writer, writes) = sync_channel(QUEUE);
        // Not known yet; the first ping finds out.
        let writable = Arc::new(AtomicBool::new(false));
        let written = writable.clone();
        start("store-writer", move || write_all(connection, &writes, &written))?;

        let (readers, reads) = sync_channel(QUEUE);
        let reads = Arc::new(Mutex::new(reads));
        for _ in 0..READERS {
            let (connection, reads) = (connect(file)?, reads.clone());
            connection.pragma_update(None, "query_only", true).map_err(fault)?;
            start("store-reader", move || read_all(connection, &reads))?;
        }
        Ok(Sqlite { writer, readers, writable })
    }
}

#[async_trait]
impl Database for Sqlite {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    async fn read(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>> {
        hand_over(&self.readers, statements).await
    }

    async fn write(&self, statements: Vec<Statement>) -> Result<Vec<Done>> {
        hand_over(&self.writer, statements).await
    }

    async fn ping(&self) -> Result<()> {
        if !self.writable.load(Ordering::Relaxed) {
            return self.write(vec![Statement::new(TRY, Vec::new())]).await.map(drop);
        }
        self.read(vec![Statement::new("SELECT 1", Vec::new())]).await.map(drop)
    }
}

async fn hand_over<T>(queue: &SyncSender<Job<T>>, statements: Vec<Statement>) -> Result<T> {
    let (answer, answered) = oneshot::channel();
    queue.try_send(Job { statements, answer }).map_err(|error| match error {
        TrySendError::Full(_) => StoreError::Unavailable("its queue is full".into()),
        TrySendError::Disconnected(_) => stopped(),
    })?;
    answered.await.map_err(|_| stopped())?
}

/// The writer's thread: until every handle is gone and the queue is empty.
fn write_all(mut connection: Connection, queue: &Receiver<Write>, writable: &AtomicBool) {
    while let Ok(first) = queue.recv() {
        let mut group = vec![first];
        group.extend(queue.try_iter().take(MOST_TOGETHER - 1));
        let (jobs, answers): (Vec<_>, Vec<_>) =
            group.into_iter().map(|job| (job.statements, job.answer)).unzip();
        let results: Vec<_> = match write_group(&mut connection, &jobs) {
            Ok(results) => results,
            Err(error) => jobs.iter().map(|_| Err(error.clone())).collect(),
        };
        let failed = |result: &Result<_>| matches!(result, Err(StoreError::Unavailable(_)));
        writable.store(!results.iter().any(failed), Ordering::Relaxed);
        for (answer, result) in answers.into_iter().zip(results) {
            // Whoever does not wait any more does not need to know.
            let _ = answer.send(result);
        }
    }
}

/// One commit for all. An error means that none of them was written.
fn write_group(
    connection: &mut Connection,
    jobs: &[Vec<Statement>],
) -> Result<Vec<Result<Vec<Done>>>> {
    let mut transaction = connection
        .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
        .map_err(fault)?;
    let mut results = Vec::with_capacity(jobs.len());
    for statements in jobs {
        let savepoint = transaction.savepoint().map_err(fault)?;
        let result = statements.iter().map(|statement| run(&savepoint, statement)).collect();
        match result {
            Ok(_) => savepoint.commit().map_err(fault)?,
            // Dropped, the savepoint takes the statements back.
            Err(_) => drop(savepoint),
        }
        results.push(result);
        if transaction.is_autocommit() {
            // A full disk and the like end the whole transaction, and what came before is gone.
            return Err(StoreError::Unavailable("SQLite gave the transaction up".into()));
        }
    }
    transaction.commit().map_err(fault)?;
    Ok(results)
}

/// A reader's thread. The lock is held while waiting, so the readers wait in turn.
fn read_all(connection: Connection, queue: &Mutex<Receiver<Read>>) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        let _ = job.answer.send(read(&connection, &job.statements));
    }
}

fn read(connection: &Connection, statements: &[Statement]) -> Result<Vec<Vec<Row>>> {
    // Dropped, the transaction ends; it has nothing to take back.
    let _snapshot = match statements.len() {
        1 => None,
        _ => Some(connection.unchecked_transaction().map_err(fault)?),
    };
    let rows = |statement| Ok(run(connection, statement)?.rows);
    statements.iter().map(rows).collect()
}

fn run(connection: &Connection, statement: &Statement) -> Result<Done> {
    let mut prepared = connection.prepare_cached(&statement.sql).map_err(fault)?;
    let params = params_from_iter(&statement.params);
    let columns = prepared.column_count();
    let done = if columns > 0 {
        let rows = fetch(&mut prepared, params, columns).map_err(fault)?;
        Done { rows, ..Done::default() }
    } else {
        let affected = prepared.execute(params).map_err(fault)? as u64;
        Done { affected, last_id: connection.last_insert_rowid(), ..Done::default() }
    };
    match statement.expected {
        Some(expected) if expected != done.affected => Err(StoreError::Fenced),
        _ => Ok(done),
    }
}

fn fetch(
    prepared: &mut rusqlite::Statement<'_>,
    params: impl rusqlite::Params,
    columns: usize,
) -> rusqlite::Result<Vec<Row>> {
    let mut found = prepared.query(params)?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        let values = (0..columns).map(|column| row.get_ref(column).map(value));
        rows.push(Row(values.collect::<rusqlite::Result<_>>()?));
    }
    Ok(rows)
}

/// Two processes may find the same empty file. SQLite lets one of them through at a time; the
/// other fails somewhere in between, and finds everything done the next time.
fn open_migrated(file: &Path) -> Result<Connection> {
    let started = Instant::now();
    loop {
        let opened = connect(file).and_then(|mut connection| {
            migrations::sqlite(&mut connection)?;
            Ok(connection)
        });
        match opened {
            Err(_) if started.elapsed() < OPENING && file.exists() => {
                thread::sleep(Duration::from_millis(50));
            }
            result => return result,
        }
    }
}

fn connect(file: &Path) -> Result<Connection> {
    let missing = |error| StoreError::Unavailable(format!("{}: {error}", file.display()));
    let connection = Connection::open(file).map_err(missing)?;
    connection.busy_timeout(BUSY).map_err(fault)?;
    connection.set_prepared_statement_cache_capacity(PREPARED);
    // Or else whatever has a LIMIT is prepared again for each new value of it.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(fault)?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(fault)?;
    // What was acknowledged has to outlive a power cut, not only a crash of ours.
    connection.pragma_update(None, "synchronous", "FULL").map_err(fault)?;
    Ok(connection)
}

fn start(name: &str, body: impl FnOnce() + Send + 'static) -> Result<()> {
    thread::Builder::new().name(name.into()).spawn(body).map(drop).map_err(broken)
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Int(int) => ValueRef::Integer(*int),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(int) => Value::Int(int),
        // No query of ours has one; a mismatch would say so.
        ValueRef::Real(real) => Value::Text(real.to_string()),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_owned()),
    }
}

fn fault(error: rusqlite::Error) -> StoreError {
    let extended = error.sqlite_error().map(|error| error.extended_code);
    match (error.sqlite_error_code(), extended) {
        (_, Some(ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY)) => {
            StoreError::Taken
        }
        (
            Some(
                ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly,
            ),
            _,
        ) => StoreError::Unavailable(error.to_string()),
        _ => broken(error),
    }
}

fn broken(error: impl ToString) -> StoreError {
    StoreError::Broken(error.to_string())
}

fn stopped() -> StoreError {
    StoreError::Unavailable("its thread has stopped".into())
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    #[test]
    fn a_statement_is_prepared_once_whatever_its_values() {
        let folder = tempfile::tempdir().unwrap();
        let connection = connect(&folder.path().join("rookery.db")).unwrap();
        connection.execute_batch("CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1)").unwrap();
        let mut select = connection.prepare("SELECT a FROM t LIMIT ?").unwrap();
        for most in 1..4 {
            assert!(select.exists([most]).unwrap());
        }
        assert_eq!(select.get_status(StatementStatus::RePrepare), 0);
    }
}
