//! My logins over HTTP: where I am logged in, and ending one or all others.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::Edge;
use super::errors::{Answer, Problem};
use super::extract::{Shared, Viewer, path_id};
use crate::auth;
use crate::hub::signals::Signal;
use crate::store::{Login, LoginId};

fn login_json(login: &Login, current: LoginId) -> Value {
    json!({
        "id": login.id.0.to_string(),
        "created_at": login.created_at,
        "last_used_at": login.last_used_at,
        "user_agent": login.client.user_agent,
        "address": login.client.address,
        "current": login.id == current,
    })
}

pub async fn list(hub: Shared, viewer: Viewer) -> Answer {
    let logins = hub.store.logins_of(viewer.id()).await?;
    let sessions: Vec<_> = logins.iter().map(|login| login_json(login, viewer.login)).collect();
    Ok(HttpResponse::Ok().json(json!({"sessions": sessions})))
}

/// Ends one login; the one that asks may end itself, which is logging out.
pub async fn end(
    request: HttpRequest,
    hub: Shared,
    edge: web::Data<Edge>,
    viewer: Viewer,
) -> Answer {
    let login = LoginId(path_id(&request, "session")?);
    if !hub.store.end_login(viewer.id(), login).await? {
        return Err(Problem::not_found());
    }
    Signal::logout(viewer.id(), &[login]).tell(&*hub.bus);
    let mut answer = HttpResponse::NoContent();
    if login == viewer.login {
        answer.cookie(auth::cookie(None, edge.is_https()));
    }
    Ok(answer.finish())
}

pub async fn end_others(hub: Shared, viewer: Viewer) -> Answer {
    let ended = hub.store.end_other_logins(viewer.id(), viewer.login).await?;
    Signal::logout(viewer.id(), &ended).tell(&*hub.bus);
    Ok(HttpResponse::NoContent().finish())
}
