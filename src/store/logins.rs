//! Where people are logged in: what a login is used from and when, for its owner to see and to end.

use super::bulk::in_lists;
use super::database::{Row, Statement, values};
use super::{LoginId, Result, Store};
use crate::core::types::{Timestamp, UserId};

/// What a login is used from, as far as a request tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Client {
    pub user_agent: Option<String>,
    pub address: Option<String>,
}

/// A login as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    pub id: LoginId,
    pub created_at: Timestamp,
    /// `None` for one that was not used since the hub keeps this.
    pub last_used_at: Option<Timestamp>,
    pub client: Client,
}

impl Store {
    /// A person's logins, the one used last first.
    pub async fn logins_of(&self, user: UserId) -> Result<Vec<Login>> {
        let sql = "SELECT id, created_at, last_used_at, user_agent, address FROM logins
             WHERE user_id = ? ORDER BY COALESCE(last_used_at, created_at) DESC, id DESC";
        let rows = self.db.query(Statement::new(sql, values![user])).await?;
        let login = |row: &Row| {
            let text = |column| row.maybe_text(column).map(|text| text.map(str::to_owned));
            Ok(Login {
                id: LoginId(row.int(0)?),
                created_at: row.time(1)?,
                last_used_at: row.maybe_time(2)?,
                client: Client { user_agent: text(3)?, address: text(4)? },
            })
        };
        rows.iter().map(login).collect()
    }

    /// Notes that a login was used, from where; never moves it back.
    pub async fn note_use(&self, login: LoginId, at: Timestamp, client: &Client) -> Result<()> {
        let sql = "UPDATE logins SET last_used_at = ?, user_agent = ?, address = ?
             WHERE id = ? AND (last_used_at IS NULL OR last_used_at < ?)";
        let Client { user_agent, address } = client.clone();
        let params = values![at, user_agent, address, login, at];
        self.db.execute(Statement::new(sql, params)).await.map(drop)
    }

    /// Notes that these logins were used, as those of open sockets are.
    pub async fn note_uses(&self, logins: &[LoginId], at: Timestamp) -> Result<()> {
        // In one order everywhere, so that two instances do not block each other.
        let mut logins = logins.to_vec();
        logins.sort_unstable();
        logins.dedup();
        for (list, logins) in in_lists(&logins) {
            let sql = format!(
                "UPDATE logins SET last_used_at = ?
                 WHERE (last_used_at IS NULL OR last_used_at < ?) AND id IN ({list})"
            );
            self.db.execute(Statement::new(sql, [values![at, at], logins].concat())).await?;
        }
        Ok(())
    }

    /// Ends one login of this person. Whether there was such a one.
    pub async fn end_login(&self, user: UserId, login: LoginId) -> Result<bool> {
        let sql = "DELETE FROM logins WHERE id = ? AND user_id = ?";
        Ok(self.db.execute(Statement::new(sql, values![login, user])).await?.affected > 0)
    }

    /// Ends all logins of this person but one; returns those that ended.
    pub async fn end_other_logins(&self, user: UserId, keep: LoginId) -> Result<Vec<LoginId>> {
        let ended = "SELECT id FROM logins WHERE user_id = ? AND id <> ? ORDER BY id";
        let end = "DELETE FROM logins WHERE user_id = ? AND id <> ?";
        let done = self.db.write(vec![
            Statement::new(ended, values![user, keep]),
            Statement::new(end, values![user, keep]),
        ]);
        done.await?[0].rows.iter().map(|row| row.int(0).map(LoginId)).collect()
    }
}
