//! Accounts and logins: sign up, log in, log out, and who am I.

use actix::{Handler, Message};
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::errors::{Answer, Problem};
use super::extract::{Body, LoggedIn, Shared, Viewer, client, path_id, present, source_of};
use super::{Edge, avatars};
use crate::auth::source::Source;
use crate::auth::{self, passwords};
use crate::core::presence::Status;
use crate::core::text;
use crate::core::types::{Person, Timestamp, UserId};
use crate::hub::pace::Weight;
use crate::hub::presence::{Ask, AskWhoIsHere, PresenceActor};
use crate::hub::signals::Signal;
use crate::hub::{Hub, now};
use crate::store::{Account, Credentials, LoginId, StoreError};

impl From<passwords::Busy> for Problem {
    fn from(_: passwords::Busy) -> Problem {
        Problem::unavailable("too many people are logging in at once")
    }
}

/// The person as they see themselves.
fn own_json(account: &Account) -> Value {
    let mut own = json!({
        "id": account.person.id,
        "username": account.person.username,
        "display_name": account.person.display_name,
        "avatar": avatars::address_of(account),
        "created_at": account.created_at,
        "read_receipts": account.read_receipts,
    });
    if account.hub_admin {
        own["hub_admin"] = json!(true);
    }
    own
}

/// People as others see them, with their presence.
pub(super) async fn people_json(hub: &Hub, accounts: Vec<Account>) -> Result<Vec<Value>, Problem> {
    let asked = accounts.iter().map(|account| (account.person.id, account.last_seen)).collect();
    let seen = ask_presence(hub, asked).await?;
    let people = accounts.iter().zip(seen).map(|(account, seen)| {
        json!({
            "id": account.person.id,
            "username": account.person.username,
            "display_name": account.person.display_name,
            "avatar": avatars::address_of(account),
            "status": seen.status,
            "last_seen": seen.last_seen,
        })
    });
    Ok(people.collect())
}

/// How present these people are.
pub async fn ask_presence(
    hub: &Hub,
    people: Vec<(UserId, Option<Timestamp>)>,
) -> Result<Vec<crate::core::wire::Seen>, Problem> {
    ask(hub, Ask(people)).await
}

/// Everyone who is online or away.
pub(super) async fn here_now(hub: &Hub) -> Result<Vec<(UserId, Status)>, Problem> {
    ask(hub, AskWhoIsHere).await
}

async fn ask<M>(hub: &Hub, question: M) -> Result<M::Result, Problem>
where
    M: Message<Result: Send> + Send + 'static,
    PresenceActor: Handler<M>,
{
    let stopping = || Problem::unavailable("this instance is starting or stopping");
    let presence = hub.presence().ok_or_else(stopping)?;
    presence.send(question).await.map_err(|_| stopping())
}

async fn log_in(
    request: &HttpRequest,
    hub: &Hub,
    edge: &Edge,
    account: &Account,
) -> Result<(HttpResponse, LoginId), Problem> {
    let token = auth::new_token().map_err(|error| {
        tracing::error!(%error, "no random bytes");
        Problem::internal()
    })?;
    let hash = auth::token_hash(&token);
    let peer = request.peer_addr().map(|address| address.ip());
    let client = client(peer, request.headers(), hub);
    let login = hub.store.create_login(account.person.id, &hash, now(), &client).await?;
    let answer = HttpResponse::Created()
        .cookie(auth::cookie(Some(token.clone()), edge.is_https()))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(json!({"user": own_json(account), "token": token}));
    Ok((answer, login))
}

#[derive(Deserialize)]
pub struct SignUp {
    username: String,
    password: String,
    display_name: Option<String>,
}

pub async fn sign_up(
    request: HttpRequest,
    hub: Shared,
    edge: web::Data<Edge>,
    Body(form): Body<SignUp>,
) -> Answer {
    let limits = hub.config.limits.text();
    let username = text::username(&form.username, &limits)?;
    let display_name = match &form.display_name {
        Some(name) if !name.trim().is_empty() => text::display_name(name, &limits)?,
        _ => username.clone(),
    };
    text::password(&form.password, &[&username, &display_name])?;
    let source = source_of(&request, &hub);
    if !edge.sign_ups.count(source) {
        let detail = "too many accounts were made from here; wait a minute";
        return Err(Problem::too_many("too_many_signups", detail, 60));
    }
    let taken = || Problem::new(StatusCode::CONFLICT, "username_taken", "this user name is taken");
    // Before the expensive hash; the unique index has the last word.
    if hub.store.credentials(&username).await?.is_some() {
        return Err(taken());
    }
    let hash = passwords::hash(form.password, source).await?;
    let user = match hub.store.create_user(&username, &display_name, &hash, now()).await {
        Err(StoreError::Taken) => return Err(taken()),
        user => user?,
    };
    tracing::info!(%user, "signed up");
    let account = as_changed(&hub, user).await?;
    let (answer, _) =
        log_in(&request, &hub, &edge, &account).await.map_err(Problem::after_change)?;
    Ok(answer)
}

#[derive(Deserialize)]
pub struct LogIn {
    username: String,
    password: String,
}

pub async fn create_session(
    request: HttpRequest,
    hub: Shared,
    edge: web::Data<Edge>,
    Body(form): Body<LogIn>,
) -> Answer {
    let source = source_of(&request, &hub);
    let tried = try_password(&hub, &edge, &form.username, form.password, source).await?;
    let credentials = tried.ok_or_else(bad_credentials)?;
    if credentials.account.disabled {
        return Err(account_disabled());
    }
    let (answer, login) = log_in(&request, &hub, &edge, &credentials.account).await?;
    // The password may have been changed, or the account disabled, while it was checked, which
    // ended the logins that were there: this one must not outlive it.
    let now = hub.store.credentials_of(credentials.account.person.id).await?;
    let unchanged =
        |now: &Credentials| now.password_hash == credentials.password_hash && !now.account.disabled;
    match now.as_ref().is_some_and(unchanged) {
        true => Ok(answer),
        false => {
            hub.store.delete_login(login).await?;
            Err(bad_credentials())
        }
    }
}

/// Passes who knows their own password; 403 `wrong_password`, 429 where too many were wrong.
pub(super) async fn require_password(
    hub: &Hub,
    edge: &Edge,
    viewer: &Viewer,
    password: String,
    source: Source,
) -> Result<(), Problem> {
    let username = &viewer.account.person.username;
    let tried = try_password(hub, edge, username, password, source).await?;
    tried.map(drop).ok_or_else(wrong_password)
}

/// Whose password this is, if it is the right one; 429 where too many were wrong.
async fn try_password(
    hub: &Hub,
    edge: &Edge,
    username: &str,
    password: String,
    source: Source,
) -> Result<Option<Credentials>, Problem> {
    let attempt = edge.attempts.begin(username, source).await.ok_or_else(|| {
        metrics::counter!("rookery_logins_too_many_total").increment(1);
        let detail = "too many wrong passwords; wait a minute";
        Problem::too_many("too_many_attempts", detail, 60)
    })?;
    let tried = check_password(hub, username, password, source).await;
    if !matches!(tried, Ok(None)) {
        attempt.take_back();
    }
    tried
}

/// Takes as long for an unknown user.
async fn check_password(
    hub: &Hub,
    username: &str,
    password: String,
    source: Source,
) -> Result<Option<Credentials>, Problem> {
    let credentials = hub.store.credentials(username).await?;
    let hash = credentials.as_ref().map(|credentials| credentials.password_hash.clone());
    let right = passwords::is_right(password, hash, source).await?;
    Ok(credentials.filter(|_| right))
}

fn wrong_password() -> Problem {
    let detail = "the current password is wrong";
    Problem::new(StatusCode::FORBIDDEN, "wrong_password", detail)
}

fn bad_credentials() -> Problem {
    let detail = "the user name or the password is wrong";
    Problem::new(StatusCode::UNAUTHORIZED, "bad_credentials", detail)
}

/// Only for who knows the password: a stranger must not learn that there is such an account.
fn account_disabled() -> Problem {
    let detail = "this account is disabled; ask the people who run this hub";
    Problem::new(StatusCode::FORBIDDEN, "account_disabled", detail)
}

pub async fn delete_session(hub: Shared, edge: web::Data<Edge>, viewer: Viewer) -> Answer {
    hub.store.delete_login(viewer.login).await?;
    Signal::logout(viewer.id(), &[viewer.login]).tell(&*hub.bus);
    Ok(HttpResponse::NoContent().cookie(auth::cookie(None, edge.is_https())).finish())
}

pub async fn me(viewer: Viewer) -> Answer {
    Ok(own(&viewer.account))
}

#[derive(Deserialize)]
pub struct Profile {
    #[serde(default, deserialize_with = "present")]
    display_name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    read_receipts: Option<bool>,
}

pub async fn update_me(
    hub: Shared,
    LoggedIn(viewer, Body(profile)): LoggedIn<Body<Profile>>,
) -> Answer {
    let Profile { display_name, read_receipts } = profile;
    if display_name.is_none() && read_receipts.is_none() {
        return Err(Problem::bad_request("the body: display_name or read_receipts is missing"));
    }
    let limits = hub.config.limits.text();
    let name = display_name.map(|name| text::display_name(&name, &limits)).transpose()?;
    // Everybody who has a page open is told of a name, and all of one's devices of a switch.
    hub.pace.count(viewer.id(), Weight::ONE)?;
    if let Some(name) = &name {
        hub.store.set_display_name(viewer.id(), name).await?;
    }
    if let Some(on) = read_receipts {
        hub.store.set_read_receipts(viewer.id(), on).await?;
        Signal::Receipts { user: viewer.id(), on }.tell(&*hub.bus);
    }
    match name {
        Some(_) => seen_changed(&hub, viewer.id()).await,
        None => Ok(own(&as_changed(&hub, viewer.id()).await?)),
    }
}

/// The account as a change to it has left it.
async fn as_changed(hub: &Hub, user: UserId) -> Result<Account, Problem> {
    let account =
        hub.store.user(user).await.map_err(|error| Problem::from(error).after_change())?;
    account.ok_or_else(Problem::not_logged_in)
}

/// The answer to a change of what others see of a person; tells those who have a page open.
pub(super) async fn seen_changed(hub: &Hub, user: UserId) -> Answer {
    let account = as_changed(hub, user).await?;
    tell_others(hub, &account);
    Ok(own(&account))
}

fn own(account: &Account) -> HttpResponse {
    HttpResponse::Ok().json(json!({"user": own_json(account)}))
}

fn tell_others(hub: &Hub, account: &Account) {
    let Person { id, username, display_name } = account.person.clone();
    // What is said here from now on bears the new name; the others hear of it.
    hub.sessions.of(id).iter().for_each(|device| device.rename(&display_name));
    let avatar = avatars::address_of(account);
    let changed = Signal::Profile { user: id, display_name, username: Some(username), avatar };
    changed.tell(&*hub.bus);
}

#[derive(Deserialize)]
pub struct NewPassword {
    current: String,
    new: String,
}

pub async fn set_password(
    request: HttpRequest,
    hub: Shared,
    edge: web::Data<Edge>,
    LoggedIn(viewer, Body(form)): LoggedIn<Body<NewPassword>>,
) -> Answer {
    let person = &viewer.account.person;
    text::password(&form.new, &[&person.username, &person.display_name])?;
    let source = source_of(&request, &hub);
    require_password(&hub, &edge, &viewer, form.current, source).await?;
    let hash = passwords::hash(form.new, source).await?;
    let ended = hub.store.set_password(viewer.id(), &hash, Some(viewer.login)).await?;
    Signal::logout(viewer.id(), &ended).tell(&*hub.bus);
    Ok(HttpResponse::NoContent().finish())
}

pub async fn user(request: HttpRequest, hub: Shared, _: Viewer) -> Answer {
    let user: UserId = path_id(&request, "user")?;
    let account = hub.store.user(user).await?.filter(|account| !account.deleted);
    let account = account.ok_or_else(Problem::not_found)?;
    let people = people_json(&hub, vec![account]).await?;
    Ok(HttpResponse::Ok().json(json!({"user": people.first()})))
}
