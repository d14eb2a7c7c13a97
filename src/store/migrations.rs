//! Brings a schema up to date. Migrations only ever add: while instances are replaced one by one,
//! the older of two versions has to get along with the newer schema, and so it may also start on
//! one that has migrations which it does not know.

use super::{Result, StoreError};

mod for_sqlite {
    refinery::embed_migrations!("sql/sqlite");
}

mod for_mysql {
    refinery::embed_migrations!("sql/mysql");
}

pub fn sqlite(connection: &mut rusqlite::Connection) -> Result<()> {
    let runner = for_sqlite::migrations::runner().set_abort_missing(false);
    runner.run(connection).map(drop).map_err(|error| StoreError::Broken(error.to_string()))
}
