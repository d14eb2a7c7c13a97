//! People, their passwords and their logins: the part of the store that is no fold of the log.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::bulk::{Cases, in_cases, in_lists};
use super::database::{Database, Row, Statement, values};
use super::{
    Account, ActiveLogin, Client, Credentials, LoginEnd, LoginId, Result, Store, StoreError,
    TokenHash,
};
use crate::core::text::username_key;
use crate::core::types::{Person, Timestamp, UserId};

/// The columns of an `Account`, of `users u`.
const ACCOUNT: &str = "u.id, u.username, u.display_name, u.disabled_at, u.created_at, \
     u.last_seen, u.hub_admin, u.avatar, u.deleted_at, u.read_receipts";
const ACCOUNT_COLUMNS: usize = 10;
/// How many rows one transaction updates one by one.
const SMALL_UPDATES: usize = 500;

impl Store {
    /// `Taken` if the user name exists, regardless of case.
    pub async fn create_user(
        &self,
        username: &str,
        display_name: &str,
        password_hash: &str,
        now: Timestamp,
    ) -> Result<UserId> {
        let statement = Statement::new(
            "INSERT INTO users
                 (username, username_key, display_name, display_key, password_hash, created_at)
             VALUES (?, ?, ?, ?, ?, ?)",
            values![
                username,
                username_key(username),
                display_name,
                display_name.to_lowercase(),
                password_hash,
                now
            ],
        );
        Ok(UserId(self.db.execute(statement).await?.last_id))
    }

    /// By user name, regardless of case.
    pub async fn credentials(&self, username: &str) -> Result<Option<Credentials>> {
        let sql = format!(
            "SELECT {ACCOUNT}, u.password_hash FROM users u
             WHERE u.username_key = ? AND u.deleted_at IS NULL"
        );
        let row = self.db.query_one(Statement::new(sql, values![username_key(username)])).await?;
        row.as_ref().map(credentials).transpose()
    }

    pub async fn credentials_of(&self, user: UserId) -> Result<Option<Credentials>> {
        let sql = format!(
            "SELECT {ACCOUNT}, u.password_hash FROM users u
             WHERE u.id = ? AND u.deleted_at IS NULL"
        );
        let row = self.db.query_one(Statement::new(sql, values![user])).await?;
        row.as_ref().map(credentials).transpose()
    }

    pub async fn user(&self, user: UserId) -> Result<Option<Account>> {
        Ok(self.users(&[user]).await?.pop())
    }

    /// Those of these people who exist, by id.
    pub async fn users(&self, users: &[UserId]) -> Result<Vec<Account>> {
        let statements: Vec<_> = in_lists(users)
            .map(|(list, params)| {
                let sql = format!("SELECT {ACCOUNT} FROM users u WHERE u.id IN ({list})");
                Statement::new(sql, params)
            })
            .collect();
        if statements.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.db.read(statements).await?;
        let mut accounts: Vec<_> =
            rows.iter().flatten().map(|row| account(row, 0)).collect::<Result<_>>()?;
        accounts.sort_by_key(|account| account.person.id);
        accounts.dedup_by_key(|account| account.person.id);
        Ok(accounts)
    }

    /// People who are not disabled and whose user name or display name contains the query,
    /// regardless of case, in the order of their user names in lower case, after the given one.
    pub async fn directory(
        &self,
        query: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Account>> {
        let query = query.to_lowercase();
        let after = username_key(after.unwrap_or_default());
        // INSTR rather than LIKE: nothing in the query is special to it.
        let sql = format!(
            "SELECT {ACCOUNT} FROM users u
             WHERE u.disabled_at IS NULL AND u.username_key > ?
               AND (INSTR(u.username_key, ?) > 0 OR INSTR(u.display_key, ?) > 0)
             ORDER BY u.username_key LIMIT ?"
        );
        let params = values![after, query.as_str(), query.as_str(), limit];
        self.account_rows(Statement::new(sql, params)).await
    }

    /// Everyone, by id, the disabled too.
    pub async fn accounts(&self, after: Option<UserId>, limit: usize) -> Result<Vec<Account>> {
        let sql = format!("SELECT {ACCOUNT} FROM users u WHERE u.id > ? ORDER BY u.id LIMIT ?");
        self.account_rows(Statement::new(sql, values![after.map_or(0, |user| user.0), limit])).await
    }

    async fn account_rows(&self, statement: Statement) -> Result<Vec<Account>> {
        self.db.query(statement).await?.iter().map(|row| account(row, 0)).collect()
    }

    pub async fn set_display_name(&self, user: UserId, display_name: &str) -> Result<()> {
        let statement = Statement::new(
            "UPDATE users SET display_name = ?, display_key = ?
             WHERE id = ? AND deleted_at IS NULL",
            values![display_name, display_name.to_lowercase(), user],
        );
        self.db.execute(statement).await.map(drop)
    }

    /// Sets the password and ends all logins but the one to keep; returns those that ended.
    pub async fn set_password(
        &self,
        user: UserId,
        hash: &str,
        keep: Option<LoginId>,
    ) -> Result<Vec<LoginId>> {
        let update = Statement::new(
            "UPDATE users SET password_hash = ?
             WHERE id = ? AND deleted_at IS NULL",
            values![hash, user],
        );
        self.update_and_end_logins(update, user, keep).await
    }

    /// Disables an account and ends its logins, which are returned; or enables it again.
    pub async fn set_disabled(
        &self,
        user: UserId,
        since: Option<Timestamp>,
    ) -> Result<Vec<LoginId>> {
        let update = Statement::new(
            "UPDATE users SET disabled_at = ? WHERE id = ? AND deleted_at IS NULL",
            values![since, user],
        );
        match since {
            Some(_) => self.update_and_end_logins(update, user, None).await,
            None => self.db.execute(update).await.map(|_| Vec::new()),
        }
    }

    /// Makes somebody a hub admin, or takes that from them. It counts from the next request on, on
    /// every instance: nobody remembers it.
    pub async fn set_hub_admin(&self, user: UserId, is_one: bool) -> Result<()> {
        let statement = Statement::new(
            "UPDATE users SET hub_admin = ? WHERE id = ?",
            values![i64::from(is_one), user],
        );
        self.db.execute(statement).await.map(drop)
    }

    /// The update comes first: it locks the person's row, on which `create_login` waits.
    async fn update_and_end_logins(
        &self,
        update: Statement,
        user: UserId,
        keep: Option<LoginId>,
    ) -> Result<Vec<LoginId>> {
        let keep = keep.map_or(0, |login| login.0);
        let ended = Statement::new(
            "SELECT id FROM logins WHERE user_id = ? AND id <> ? ORDER BY id",
            values![user, keep],
        );
        let end =
            Statement::new("DELETE FROM logins WHERE user_id = ? AND id <> ?", values![user, keep]);
        let done = self.db.write(vec![update, ended, end]).await?;
        done[1].rows.iter().map(|row| row.int(0).map(LoginId)).collect()
    }

    /// Notes when people were last seen; never moves it back.
    pub async fn set_last_seen(&self, seen: &[(UserId, Timestamp)]) -> Result<()> {
        let mut seen = seen.to_vec();
        // Two instances that lock the same rows in the same order do not block each other.
        seen.sort();
        for part in seen.chunks(SMALL_UPDATES) {
            let update = |Cases { case, list, params }: Cases| {
                let latest = self.db.dialect().greatest("COALESCE(last_seen, 0)", &case);
                let sql = format!(
                    "UPDATE users SET last_seen = {latest}
                     WHERE id IN ({list}) AND deleted_at IS NULL"
                );
                Statement::new(sql, params)
            };
            self.db.write(in_cases(part).map(update).collect()).await?;
        }
        Ok(())
    }

    pub async fn create_login(
        &self,
        user: UserId,
        token: &TokenHash,
        now: Timestamp,
        client: &Client,
    ) -> Result<LoginId> {
        // Waits for a change of password to end, rather than slip through in its middle.
        let for_update = self.db.dialect().for_update();
        let lock =
            Statement::new(format!("SELECT id FROM users WHERE id = ?{for_update}"), values![user]);
        let insert = Statement::new(
            "INSERT INTO logins
                 (user_id, token_hash, created_at, last_used_at, user_agent, address)
             VALUES (?, ?, ?, ?, ?, ?)",
            values![
                user,
                token.as_slice(),
                now,
                now,
                client.user_agent.clone(),
                client.address.clone()
            ],
        );
        let done = self.db.write(vec![lock, insert]).await?;
        Ok(LoginId(done[1].last_id))
    }

    /// Whose login this is. Those of disabled accounts do not count.
    pub async fn login(&self, token: &TokenHash) -> Result<Option<ActiveLogin>> {
        let db = self.db.clone();
        self.logins.ask(*token, move |tokens| logins(db.clone(), tokens)).await
    }

    /// Those of these logins of these people that are over, and why.
    pub async fn ended_logins(
        &self,
        logins: &[(LoginId, UserId)],
    ) -> Result<Vec<(LoginId, LoginEnd)>> {
        let ids: Vec<LoginId> = logins.iter().map(|(login, _)| *login).collect();
        let living = self.living(&ids).await?;
        let ended: Vec<_> = logins.iter().filter(|(login, _)| !living.contains(&login.0)).collect();
        let people: Vec<UserId> = ended.iter().map(|(_, user)| *user).collect();
        let disabled: HashSet<UserId> = self
            .users(&people)
            .await?
            .into_iter()
            .filter(|account| account.disabled && !account.deleted)
            .map(|account| account.person.id)
            .collect();
        let why = |user| match disabled.contains(user) {
            true => LoginEnd::Disabled,
            false => LoginEnd::LoggedOut,
        };
        Ok(ended.into_iter().map(|(login, user)| (*login, why(user))).collect())
    }

    async fn living(&self, logins: &[LoginId]) -> Result<HashSet<i64>> {
        let statements: Vec<_> = in_lists(logins)
            .map(|(list, params)| {
                let sql = format!(
                    "SELECT l.id FROM logins l JOIN users u ON u.id = l.user_id
                     WHERE l.id IN ({list}) AND u.disabled_at IS NULL"
                );
                Statement::new(sql, params)
            })
            .collect();
        if statements.is_empty() {
            return Ok(HashSet::new());
        }
        self.db.read(statements).await?.iter().flatten().map(|row| row.int(0)).collect()
    }

    /// Whether there was such a login.
    pub async fn delete_login(&self, login: LoginId) -> Result<bool> {
        let statement = Statement::new("DELETE FROM logins WHERE id = ?", values![login]);
        Ok(self.db.execute(statement).await?.affected > 0)
    }
}

fn credentials(row: &Row) -> Result<Credentials> {
    Ok(Credentials {
        account: account(row, 0)?,
        password_hash: row.text(ACCOUNT_COLUMNS)?.to_owned(),
    })
}

/// The logins that these tokens are of.
async fn logins(
    db: Arc<dyn Database>,
    tokens: Vec<TokenHash>,
) -> Result<HashMap<TokenHash, ActiveLogin>> {
    let mut logins = HashMap::new();
    for (list, params) in in_lists(&tokens) {
        let sql = format!(
            "SELECT l.token_hash, l.id, l.last_used_at, {ACCOUNT}
             FROM logins l JOIN users u ON u.id = l.user_id
             WHERE l.token_hash IN ({list}) AND u.disabled_at IS NULL"
        );
        for row in db.query(Statement::new(sql, params)).await? {
            let token = row
                .bytes(0)?
                .try_into()
                .map_err(|_| StoreError::Broken("a token's hash should be 32 bytes".to_owned()))?;
            let (id, last_used_at) = (LoginId(row.int(1)?), row.maybe_time(2)?);
            logins.insert(token, ActiveLogin { id, account: account(&row, 3)?, last_used_at });
        }
    }
    Ok(logins)
}

/// Reads the columns of `ACCOUNT` from this one on.
fn account(row: &Row, from: usize) -> Result<Account> {
    Ok(Account {
        person: person(row, from)?,
        disabled: row.maybe_int(from + 3)?.is_some(),
        created_at: row.time(from + 4)?,
        last_seen: row.maybe_time(from + 5)?,
        hub_admin: row.int(from + 6)? != 0,
        avatar: row.maybe_text(from + 7)?.map(str::to_owned),
        deleted: row.maybe_int(from + 8)?.is_some(),
        read_receipts: row.int(from + 9)? != 0,
    })
}

/// Reads an id, a user name and a display name from this column on. Without names it is somebody
/// whom only a record of another program knows.
pub(super) fn person(row: &Row, from: usize) -> Result<Person> {
    let name = |column| row.maybe_text(column).map(|name| name.unwrap_or("?").to_owned());
    Ok(Person { id: row.user(from)?, username: name(from + 1)?, display_name: name(from + 2)? })
}
