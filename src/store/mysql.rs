use super::database::*;
use super::*;
pub struct Mysql;
impl Mysql {
    pub async fn open(_: &str, _: usize) -> Result<Mysql> {
        todo!()
    }
}
#[async_trait::async_trait]
impl Database for Mysql {
    fn dialect(&self) -> Dialect {
        Dialect::Mysql
    }
    async fn read(&self, _: Vec<Statement>) -> Result<Vec<Vec<Row>>> {
        todo!()
    }
    async fn write(&self, _: Vec<Statement>) -> Result<Vec<Done>> {
        todo!()
    }
}
