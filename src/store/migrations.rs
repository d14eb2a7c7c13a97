//! Brings a schema up to date. Migrations only ever add: while instances are replaced one by one,
//! the older of two versions has to get along with the newer schema, and so it may also start on
//! one that has migrations which it does not know.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Pool};
use refinery::Error;

use super::{Result, StoreError};

mod for_sqlite {
    refinery::embed_migrations!("sql/sqlite");
}

mod for_mysql {
    refinery::embed_migrations!("sql/mysql");
}

/// How long instances that start at once wait for the one that migrates.
const LOCK: &str = "SELECT GET_LOCK('rookery_migrate', 60)";

pub fn sqlite(connection: &mut rusqlite::Connection) -> Result<()> {
    let runner = for_sqlite::migrations::runner().set_abort_missing(false);
    runner.run(connection).map(drop).map_err(fault)
}

/// Holds a lock on the first connection while others migrate: MySQL ends a transaction at each
/// `CREATE TABLE`, and refinery takes no lock.
pub async fn mysql(lock: &mut Conn, pool: &mut Pool) -> Result<()> {
    let locked: Option<Option<i64>> = lock.query_first(LOCK).await.map_err(super::mysql::fault)?;
    if locked.flatten() != Some(1) {
        let why = "another instance has been migrating the database for a minute";
        return Err(StoreError::Unavailable(why.into()));
    }
    let runner = for_mysql::migrations::runner().set_abort_missing(false);
    runner.run_async(pool).await.map(drop).map_err(fault)
}

fn fault(error: Error) -> StoreError {
    match error.kind() {
        refinery::error::Kind::Connection(_, source) => {
            match source.downcast_ref::<mysql_async::Error>() {
                Some(source) if source.is_fatal() => StoreError::Unavailable(source.to_string()),
                _ => StoreError::Broken(format!("migrating: {error}: {source}")),
            }
        }
        _ => StoreError::Broken(format!("migrating: {error}")),
    }
}
