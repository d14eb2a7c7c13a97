//! Pictures of people. The row of the person says which version there is, so that lists need not
//! touch the pictures.

use super::database::{Statement, values};
use super::{Result, Store};
use crate::core::avatar::Avatar;
use crate::core::types::UserId;

impl Store {
    /// Sets a person's picture, in place of the one before.
    pub async fn set_avatar(&self, user: UserId, avatar: &Avatar) -> Result<()> {
        let dialect = self.db.dialect();
        let columns = ["version", "type", "bytes"];
        let set = columns.map(|column| format!("{column} = {}", dialect.inserted(column)));
        let tail = dialect.on_conflict("user_id", &set.join(", "));
        let sql = format!(
            "INSERT INTO avatars (user_id, version, type, bytes) VALUES (?, ?, ?, ?){tail}"
        );
        let Avatar { version, kind, bytes } = avatar;
        let params = values![user, version.as_str(), kind.as_str(), bytes.as_slice()];
        // The person's row first: whoever deletes the account locks it first, too. Nobody gives a
        // picture to an account that is gone.
        let named = "UPDATE users SET avatar = ? WHERE id = ? AND deleted_at IS NULL";
        let named = Statement::new(named, values![version.as_str(), user]).expecting(1);
        self.db.write(vec![named, Statement::new(sql, params)]).await.map(drop)
    }

    pub async fn delete_avatar(&self, user: UserId) -> Result<()> {
        let statements = vec![
            Statement::new("UPDATE users SET avatar = NULL WHERE id = ?", values![user]),
            Statement::new("DELETE FROM avatars WHERE user_id = ?", values![user]),
        ];
        self.db.write(statements).await.map(drop)
    }

    pub async fn avatar(&self, user: UserId) -> Result<Option<Avatar>> {
        let sql = "SELECT version, type, bytes FROM avatars WHERE user_id = ?";
        let row = self.db.query_one(Statement::new(sql, values![user])).await?;
        let avatar = |row: super::database::Row| {
            Ok(Avatar {
                version: row.text(0)?.to_owned(),
                kind: row.text(1)?.to_owned(),
                bytes: row.bytes(2)?.to_owned(),
            })
        };
        row.map(avatar).transpose()
    }
}
