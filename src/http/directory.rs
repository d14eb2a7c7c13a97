//! The directory: everyone on this hub by name, or those of them who are here now.

use std::collections::HashSet;

use actix_web::HttpResponse;
use serde::Deserialize;
use serde_json::json;

use super::errors::{Answer, Problem};
use super::extract::{LoggedIn, PageLimit, Query, Shared, page_limit};
use super::users::{here_now, people_json};
use crate::core::presence::Status;
use crate::core::types::UserId;
use crate::hub::Hub;
use crate::store::Ways;

#[derive(Deserialize)]
pub struct Find {
    /// These people, by their ids with commas between them, and not a page of the directory.
    ids: Option<String>,
    #[serde(default)]
    query: String,
    /// Only who is one of these: `online`, `away`, or both with a comma between.
    status: Option<String>,
    limit: Option<PageLimit>,
    after: Option<String>,
}

pub async fn list(hub: Shared, LoggedIn(_, Query(find)): LoggedIn<Query<Find>>) -> Answer {
    if let Some(ids) = &find.ids {
        return some_people(&hub, ids).await;
    }
    let limit = page_limit(find.limit, &hub)?;
    let Find { query, status, after, .. } = find;
    let page = match status {
        None => hub.store.directory_page(query.trim(), after, limit).await?,
        Some(status) => {
            let statuses = statuses(&status)?;
            let here = here_now(&hub).await?;
            let here = here.into_iter().filter(|(_, status)| statuses.contains(status));
            let here: HashSet<UserId> = here.map(|(user, _)| user).collect();
            let ways = Ways::default();
            hub.store.directory_page_of(&here, query.trim(), after, limit, ways).await?
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
