//! The directory page by page: everyone by name, or those of some set of people.

use std::collections::HashSet;

use super::{Account, Result, Store};
use crate::core::text::username_key;
use crate::core::types::UserId;

/// People by name, and after whom the next page begins, if there may be one.
#[derive(Debug)]
pub struct DirectoryPage {
    pub people: Vec<Account>,
    pub next: Option<String>,
}

impl DirectoryPage {
    /// Of one person more than fit, if there are more.
    fn of(mut people: Vec<Account>, limit: usize) -> DirectoryPage {
        let more = people.len() > limit;
        people.truncate(limit);
        let next = people.last().filter(|_| more).map(key);
        DirectoryPage { people, next }
    }
}

/// How a page of some set of people is found.
#[derive(Debug, Clone, Copy)]
pub struct Ways {
    /// So many people are looked up by their ids; for more, the directory is walked.
    pub few: usize,
    /// Rows that one page walks past at the most: it may be short, and `next` still goes on.
    pub walked: usize,
    /// Rows in one step of that walk.
    pub step: usize,
}

impl Default for Ways {
    fn default() -> Ways {
        Ways { few: 1_000, walked: 2_000, step: 500 }
    }
}

fn key(account: &Account) -> String {
    username_key(&account.person.username)
}

impl Store {
    /// People as [`Store::directory`] has them.
    pub async fn directory_page(
        &self,
        query: &str,
        after: Option<String>,
        limit: usize,
    ) -> Result<DirectoryPage> {
        let people = self.directory(query, after.as_deref(), limit + 1).await?;
        Ok(DirectoryPage::of(people, limit))
    }

    /// Those of them who are among these.
    pub async fn directory_page_of(
        &self,
        these: &HashSet<UserId>,
        query: &str,
        after: Option<String>,
        limit: usize,
        ways: Ways,
    ) -> Result<DirectoryPage> {
        match these.len() <= ways.few {
            true => self.page_of_few(these, query, after, limit).await,
            false => self.page_of_many(these, query, after, limit, ways).await,
        }
    }

    async fn page_of_few(
        &self,
        these: &HashSet<UserId>,
        query: &str,
        after: Option<String>,
        limit: usize,
    ) -> Result<DirectoryPage> {
        let ids: Vec<UserId> = these.iter().copied().collect();
        let query = query.to_lowercase();
        let after = after.map(|after| username_key(&after)).unwrap_or_default();
        let mut people = self.users(&ids).await?;
        people.retain(|account| {
            let names = [key(account), account.person.display_name.to_lowercase()];
            !account.disabled && names[0] > after && names.iter().any(|name| name.contains(&query))
        });
        people.sort_by_cached_key(key);
        Ok(DirectoryPage::of(people, limit))
    }

    async fn page_of_many(
        &self,
        these: &HashSet<UserId>,
        query: &str,
        mut after: Option<String>,
        limit: usize,
        ways: Ways,
    ) -> Result<DirectoryPage> {
        let mut people = Vec::new();
        for _ in 0..ways.walked / ways.step {
            let step = self.directory(query, after.as_deref(), ways.step).await?;
            let is_last = step.len() < ways.step;
            after = step.last().map(key);
            people.extend(step.into_iter().filter(|account| these.contains(&account.person.id)));
            if is_last || people.len() > limit {
                return Ok(DirectoryPage::of(people, limit));
            }
        }
        Ok(DirectoryPage { people, next: after })
    }
}
