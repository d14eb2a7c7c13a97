//! Counts what goes to the database. What a resume costs is tested by it, and an operator sees it
//! as `rookery_store_queries_total`.

use async_trait::async_trait;

use super::Result;
use super::database::{Database, Dialect, Done, Row, Statement};

/// A database whose statements are counted.
pub struct Counted<D>(pub D);

#[async_trait]
impl<D: Database> Database for Counted<D> {
    fn dialect(&self) -> Dialect {
        self.0.dialect()
    }

    async fn read(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>> {
        count("read", &statements);
        self.0.read(statements).await
    }

    async fn write(&self, statements: Vec<Statement>) -> Result<Vec<Done>> {
        count("write", &statements);
        self.0.write(statements).await
    }
}

fn count(kind: &'static str, statements: &[Statement]) {
    let count = statements.len() as u64;
    metrics::counter!("rookery_store_queries_total", "kind" => kind).increment(count);
}
