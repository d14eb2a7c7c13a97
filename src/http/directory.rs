//! The directory: everyone on this hub by name, or those of them who are here now.

use std::collections::HashSet;

use actix_web::HttpResponse;
use serde::Deserialize;
use serde_json::json;

use super::errors::{Answer, Problem};
use super::extract::{LoggedIn, Query, Shared, page_limit};
use super::users::{here_now, people_json};
use crate::core::presence::Status;
use crate::core::text::username_key;
use crate::core::types::UserId;
use crate::hub::Hub;
use crate::store::Account;

/// So many people who are here are looked up by their ids; of more, the directory is walked.
const FEW: usize = 1_000;
/// Rows that one page walks past at the most: it may be short, and `next` still goes on.
const WALKED: usize = 2_000;
/// Rows in one step of that walk.
const STEP: usize = 500;

#[derive(Deserialize)]
pub struct Find {
    /// These people, by their ids with commas between them, and not a page of the directory.
    ids: Option<String>,
    #[serde(default)]
    query: String,
    /// Only who is one of these: `online`, `away`, or both with a comma between.
    status: Option<String>,
    limit: Option<i64>,
    after: Option<String>,
}

pub async fn list(hub: Shared, LoggedIn(_, Query(find)): LoggedIn<Query<Find>>) -> Answer {
    if let Some(ids) = &find.ids {
        return some_people(&hub, ids).await;
    }
    let limit = page_limit(find.limit, &hub)?;
    let Find { query, status, after, .. } = find;
    let page = match status {
        None => whole_page(&hub, query.trim(), after, limit).await?,
        Some(status) => {
            let statuses = statuses(&status)?;
            let here = here_now(&hub).await?;
            let here = here.into_iter().filter(|(_, status)| statuses.contains(status));
            let here: HashSet<UserId> = here.map(|(user, _)| user).collect();
            match here.len() <= FEW {
                true => page_of_few(&hub, &here, query.trim(), after, limit).await?,
                false => page_of_many(&hub, &here, query.trim(), after, limit).await?,
            }
        }
    };
    let mut body = json!({"users": people_json(&hub, page.people).await?});
    if let Some(next) = page.next {
        body["next"] = json!(next);
    }
    Ok(HttpResponse::Ok().json(body))
}

/// Those of these people who have an account.
async fn some_people(hub: &Hub, ids: &str) -> Answer {
    let most = hub.config.limits.page;
    let wrong = || Problem::invalid("ids", format!("ids are 1 to {most} ids with commas between"));
    let ids: Result<Vec<UserId>, _> = ids.split(',').map(str::parse).collect();
    let ids = ids.ok().filter(|ids| ids.len() <= most).ok_or_else(wrong)?;
    let mut accounts = hub.store.users(&ids).await?;
    accounts.retain(|account| !account.deleted);
    Ok(HttpResponse::Ok().json(json!({"users": people_json(hub, accounts).await?})))
}

fn statuses(text: &str) -> Result<Vec<Status>, Problem> {
    let status = |word: &str| match word.trim() {
        "online" => Ok(Status::Online),
        "away" => Ok(Status::Away),
        _ => Err(Problem::invalid("status", "status is online, away, or online,away")),
    };
    text.split(',').map(status).collect()
}

/// People by name, and after whom the next page begins, if there may be one.
struct Page {
    people: Vec<Account>,
    next: Option<String>,
}

impl Page {
    /// Of one person more than fit, if there are more.
    fn of(mut people: Vec<Account>, limit: usize) -> Page {
        let more = people.len() > limit;
        people.truncate(limit);
        let next = people.last().filter(|_| more).map(key);
        Page { people, next }
    }
}

fn key(account: &Account) -> String {
    username_key(&account.person.username)
}

async fn whole_page(
    hub: &Hub,
    query: &str,
    after: Option<String>,
    limit: usize,
) -> Result<Page, Problem> {
    Ok(Page::of(hub.store.directory(query, after.as_deref(), limit + 1).await?, limit))
}

async fn page_of_few(
    hub: &Hub,
    here: &HashSet<UserId>,
    query: &str,
    after: Option<String>,
    limit: usize,
) -> Result<Page, Problem> {
    let ids: Vec<UserId> = here.iter().copied().collect();
    let query = query.to_lowercase();
    let after = after.map(|after| username_key(&after)).unwrap_or_default();
    let mut people = hub.store.users(&ids).await?;
    people.retain(|account| {
        let names = [key(account), account.person.display_name.to_lowercase()];
        !account.disabled && names[0] > after && names.iter().any(|name| name.contains(&query))
    });
    people.sort_by_cached_key(key);
    Ok(Page::of(people, limit))
}

async fn page_of_many(
    hub: &Hub,
    here: &HashSet<UserId>,
    query: &str,
    mut after: Option<String>,
    limit: usize,
) -> Result<Page, Problem> {
    let mut people = Vec::new();
    for _ in 0..WALKED / STEP {
        let step = hub.store.directory(query, after.as_deref(), STEP).await?;
        let is_last = step.len() < STEP;
        after = step.last().map(key);
        people.extend(step.into_iter().filter(|account| here.contains(&account.person.id)));
        if is_last || people.len() > limit {
            return Ok(Page::of(people, limit));
        }
    }
    Ok(Page { people, next: after })
}
