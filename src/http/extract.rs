//! What handlers take from a request: a JSON body, a query, an id in the path, and who asks.

use std::future::Future;
use std::net::IpAddr;
use std::num::IntErrorKind;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

use super::errors::Problem;
use crate::auth::{self, source::Source};
use crate::core;
use crate::core::room::Doer;
use crate::core::types::UserId;
use crate::hub::Hub;
use crate::hub::logins::note_use;
use crate::store::{Account, ActiveLogin, Client, LoginId, RoomView};

/// What a client may take to send a whole body.
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// Characters of a user agent that are kept.
const USER_AGENT: usize = 200;

type Extracted<T> = Pin<Box<dyn Future<Output = Result<T, Problem>>>>;

/// The hub, as every handler gets it.
pub type Shared = web::Data<Arc<Hub>>;

pub fn hub(request: &HttpRequest) -> Result<Arc<Hub>, Problem> {
    let hub = request.app_data::<Shared>().map(|hub| hub.get_ref().clone());
    hub.ok_or_else(Problem::internal)
}

/// A JSON body. 415 for another type, 413 for a large one, 408 for one that trickles, 400 for one
/// that does not fit.
pub struct Body<T>(pub T);

/// The whole body of a request. 413 for a large one, 408 for one that trickles.
pub fn body_bytes(request: &HttpRequest, payload: &mut Payload) -> Extracted<web::Bytes> {
    let bytes = web::Bytes::from_request(request, payload);
    Box::pin(async move {
        let bytes = tokio::time::timeout(BODY_WITHIN, bytes).await;
        let bytes = bytes.map_err(|_| Problem::request_timeout())?;
        bytes.map_err(|error| match error.as_response_error().status_code() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                let detail = "the body is too large";
                Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
            }
            _ => Problem::bad_request("the body cannot be read"),
        })
    })
}

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = Problem;
    type Future = Extracted<Body<T>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_json = matches!(request.mime_type(), Ok(Some(mime)) if mime.essence_str() == "application/json");
        let bytes = body_bytes(request, payload);
        Box::pin(async move {
            if !is_json {
                let detail = "send the body as application/json";
                return Err(Problem::new(
                    StatusCode::UNSUPPORTED_MEDIA_TYPE,
                    "unsupported_media_type",
                    detail,
                ));
            }
            let body = core::from_object(&bytes.await?);
            body.map(Body).map_err(|error| Problem::bad_request(format!("the body: {error}")))
        })
    }
}

/// A field that may be absent; `null` is of the wrong type.
pub fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// The query string. 400 where a value is missing or of the wrong type.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Query<T> {
    type Error = Problem;
    type Future = std::future::Ready<Result<Query<T>, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let query = web::Query::<T>::from_query(request.query_string());
        std::future::ready(match query {
            Ok(query) => Ok(Query(query.into_inner())),
            Err(error) => Err(Problem::bad_request(format!("the query: {error}"))),
        })
    }
}

/// The `limit` of a page: any whole number in a query, however many digits it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageLimit(i64);

impl<'de> Deserialize<'de> for PageLimit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PageLimit, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.parse() {
            Ok(limit) => Ok(PageLimit(limit)),
            Err(error) => match error.kind() {
                IntErrorKind::PosOverflow => Ok(PageLimit(i64::MAX)),
                IntErrorKind::NegOverflow => Ok(PageLimit(i64::MIN)),
                _ => Err(D::Error::custom("limit is a whole number")),
            },
        }
    }
}

/// How many rows a page is to have. 422 for a limit that is not allowed.
pub fn page_limit(limit: Option<PageLimit>, hub: &Hub) -> Result<usize, Problem> {
    let most = hub.config.limits.page;
    match limit.map(|PageLimit(limit)| usize::try_from(limit)) {
        None => Ok(most.min(50)),
        Some(Ok(limit)) if (1..=most).contains(&limit) => Ok(limit),
        Some(_) => Err(Problem::invalid("limit", format!("limit is 1 to {most}"))),
    }
}

/// An id in the path. What is no id names nothing: 404.
pub fn path_id<T: std::str::FromStr>(request: &HttpRequest, name: &str) -> Result<T, Problem> {
    request.match_info().get(name).and_then(|text| text.parse().ok()).ok_or_else(Problem::not_found)
}

/// Where a request comes from, as the limits count it.
pub fn source_of(request: &HttpRequest, hub: &Hub) -> Source {
    let peer = request.peer_addr().map(|address| address.ip());
    Source::of(peer, request.headers(), &hub.config.server.trusted_proxies)
}

/// What a login is used from, as its owner is shown it.
pub fn client(peer: Option<IpAddr>, headers: &HeaderMap, hub: &Hub) -> Client {
    let agent =
        headers.get(header::USER_AGENT).map(|agent| String::from_utf8_lossy(agent.as_bytes()));
    let source = Source::of(peer, headers, &hub.config.server.trusted_proxies);
    Client {
        user_agent: agent.map(|agent| agent.chars().take(USER_AGENT).collect()),
        address: Some(source.to_string()),
    }
}

/// The login that a request is made with, if any; notes that it is used.
pub async fn login_of(
    hub: &Arc<Hub>,
    peer: Option<IpAddr>,
    headers: &HeaderMap,
) -> Result<Option<ActiveLogin>, Problem> {
    let Some(token) = auth::token_of(headers) else { return Ok(None) };
    let login = hub.store.login(&auth::token_hash(&token)).await?;
    if let Some(login) = &login {
        note_use(hub, login, client(peer, headers, hub));
    }
    Ok(login)
}

/// Who asks, logged in by cookie or bearer token.
pub struct Viewer {
    pub account: Account,
    pub login: LoginId,
}

impl Viewer {
    pub fn id(&self) -> UserId {
        self.account.person.id
    }

    /// Whether they are an admin of this room, or a hub admin where that counts.
    pub fn runs(&self, room: &RoomView) -> bool {
        self.doer().runs(room.kind, room.visibility, room.role)
    }

    /// With the right of a hub admin, if that is what they are as the store has it now.
    pub fn doer(&self) -> Doer {
        Doer { user: self.id(), hub_admin: self.account.hub_admin }
    }
}

impl FromRequest for Viewer {
    type Error = Problem;
    type Future = Extracted<Viewer>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let (hub, request) = (hub(request), request.clone());
        Box::pin(async move {
            let peer = request.peer_addr().map(|address| address.ip());
            let login = login_of(&hub?, peer, request.headers()).await?;
            let ActiveLogin { id, account, .. } = login.ok_or_else(Problem::not_logged_in)?;
            Ok(Viewer { account, login: id })
        })
    }
}

/// Who asks, and then what they send with it: a stranger hears 401, whatever the rest is like.
pub struct LoggedIn<T>(pub Viewer, pub T);

impl<T: FromRequest<Error = Problem> + 'static> FromRequest for LoggedIn<T> {
    type Error = Problem;
    type Future = Extracted<LoggedIn<T>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let viewer = Viewer::extract(&request).await?;
            Ok(LoggedIn(viewer, T::from_request(&request, &mut payload).await?))
        })
    }
}
