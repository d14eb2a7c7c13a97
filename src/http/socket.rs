//! The doors of sockets, `GET /api/v1/socket` and `GET /subscribe/{group}`: the handshake of
//! RFC 6455, and handing the raw connection over to a session.
//!
//! The connection is taken over below the web framework: an idle socket then keeps no HTTP
//! buffers, and one that does not read can be cut off for good. So login and `Origin` are checked
//! here by hand.

use std::rc::Rc;
use std::sync::Arc;

use actix::prelude::*;
use actix_codec::Framed;
use actix_http::body::{BodySize, BoxBody, MessageBody};
use actix_http::h1;
use actix_http::header::{self, HeaderMap, HeaderValue};
use actix_http::ws::{self, HandshakeError};
use actix_http::{HttpMessage, Method, Request, Response, StatusCode};
use actix_web::web;
use futures_util::SinkExt;

use super::Edge;
use super::connection::Connection;
use super::errors::{Answer, Problem};
use super::extract::login_of;
use super::frames::Frames;
use super::origin;
use crate::auth;
use crate::core::wire::PROTOCOL;
use crate::hub::Hub;
use crate::hub::arrivals::{Held, Later};
use crate::hub::outbound::{Ending, Outbound};
use crate::hub::registry::{Dialect, SessionHandle};
use crate::hub::session::{Gate, Session, simple};
use crate::hub::writer::Writer;
use crate::store::{Account, ActiveLogin, LoginId};

/// What the kernel may hold of unread bytes for one socket, so that a reader that does not read
/// is noticed by our own cap.
const SEND_BUFFER: usize = 64 * 1024;

/// A plain request for the socket's address.
pub async fn no_upgrade() -> Answer {
    Err(Problem::upgrade_required("this is a WebSocket; send an upgrade"))
}

/// Takes over a connection whose request asked for an upgrade.
pub async fn upgrade(
    hub: Arc<Hub>,
    edge: web::Data<Edge>,
    request: Request,
    mut framed: Framed<Connection, h1::Codec>,
) -> Result<(), actix_http::Error> {
    match admit(&hub, &edge, &request).await {
        Ok((arrival, response)) => {
            let sent = framed.send(h1::Message::Item((response, BodySize::None))).await;
            match sent {
                Ok(()) => begin(hub, arrival, framed),
                Err(_) => forget(&hub, &arrival.0),
            }
        }
        Err(problem) => refuse(&mut framed, problem_response(&problem)).await,
    }
    Ok(())
}

/// Whether this request may have a socket, and the answer that opens it. The session is among the
/// hub's from then on.
async fn admit(
    hub: &Arc<Hub>,
    edge: &Edge,
    request: &Request,
) -> Result<(Arrival, Response<()>), Problem> {
    let door = Door::at(request.path()).ok_or_else(Problem::not_found)?;
    if request.method() != Method::GET {
        return Err(Problem::bad_request("a WebSocket is opened with GET"));
    }
    if hub.is_draining() {
        return Err(Problem::unavailable("this instance is stopping"));
    }
    ws::verify_handshake(request.head()).map_err(handshake_problem)?;
    let headers = request.headers();
    let protocol = match door {
        Door::Rookery => subprotocol(headers)?,
        // Whatever else a client offers: there is only this one.
        Door::Simple(_) => None,
    };
    // Before anything is asked of the store.
    let place = hub.arrivals.place().map_err(sent_away)?;
    let turn = hub.arrivals.turn().await;
    let (login, account) = logged_in(hub, edge, request).await?;
    let dialect = match door {
        Door::Rookery => Dialect::Rookery,
        Door::Simple(group) => Dialect::Simple(group.parse().map_err(|_| Problem::not_found())?),
    };
    let handle = enter(hub, dialect, account, login).await?;
    drop(turn);
    let mut response = ws::handshake_response(request.head());
    if let Some(protocol) = protocol {
        response.insert_header((header::SEC_WEBSOCKET_PROTOCOL, protocol));
    }
    Ok(((handle, place), response.finish().drop_body()))
}

/// A session that is about to begin, and its place in the line.
type Arrival = (SessionHandle, Held);

fn sent_away(later: Later) -> Problem {
    Problem::later(later.seconds, "too many are coming at once; come back later")
}

/// The addresses that have sockets.
enum Door<'a> {
    Rookery,
    /// Of the simple API, for this group.
    Simple(&'a str),
}

impl Door<'_> {
    fn at(path: &str) -> Option<Door<'_>> {
        if path == "/api/v1/socket" {
            return Some(Door::Rookery);
        }
        let group = path.strip_prefix("/subscribe/")?;
        Some(Door::Simple(group.strip_suffix('/').unwrap_or(group)))
    }
}

async fn logged_in(
    hub: &Arc<Hub>,
    edge: &Edge,
    request: &Request,
) -> Result<(LoginId, Account), Problem> {
    let headers = request.headers();
    let by_cookie = !headers.contains_key(header::AUTHORIZATION);
    if by_cookie
        && !origin::is_ours(headers, edge.public_url.as_ref())
        && auth::cookie_of(headers).is_some()
    {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "cross_site",
            "this request came from another site",
        ));
    }
    let login = login_of(hub, request.peer_addr().map(|address| address.ip()), headers).await?;
    let ActiveLogin { id, account, .. } = login.ok_or_else(Problem::not_logged_in)?;
    Ok((id, account))
}

/// Makes the session, and with the simple API lets it listen at once: nothing that is said after
/// the answer is missed, and who may not listen hears so before it.
async fn enter(
    hub: &Arc<Hub>,
    dialect: Dialect,
    account: Account,
    login: LoginId,
) -> Result<SessionHandle, Problem> {
    let outbound = Outbound::new(hub.config.limits.outbound_bytes);
    let id = hub.sessions.next_id();
    let handle = SessionHandle::new(id, dialect, account, login, outbound);
    if !hub.sessions.add(handle.clone(), hub.config.limits.sockets_per_user) {
        let detail = "too many sockets are open; close another one first";
        return Err(Problem::too_many("too_many_sockets", detail, 5));
    }
    if let Dialect::Simple(room) = dialect {
        let subscribed = match simple::subscribe(hub, &handle, room).await {
            Ok(Ok(())) => return Ok(handle),
            Ok(Err(refusal)) => refusal.into(),
            Err(trouble) => trouble.into(),
        };
        forget(hub, &handle);
        return Err(subscribed);
    }
    Ok(handle)
}

/// A session that came to nothing.
fn forget(hub: &Hub, handle: &SessionHandle) {
    handle.outbound.peer_closed();
    hub.sessions.remove(handle.user, handle.id);
}

/// Ours, if the client offers it; none, if it offers none; 400 if it offers only others.
fn subprotocol(headers: &HeaderMap) -> Result<Option<HeaderValue>, Problem> {
    let offers = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL);
    let offers: Vec<&str> =
        offers.filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(',')).collect();
    match offers.iter().any(|offer| offer.trim() == PROTOCOL) {
        true => Ok(Some(HeaderValue::from_static(PROTOCOL))),
        false if offers.is_empty() => Ok(None),
        false => Err(Problem::bad_request("the subprotocol is rookery.v1")),
    }
}

fn handshake_problem(error: HandshakeError) -> Problem {
    match error {
        HandshakeError::UnsupportedVersion => {
            Problem::upgrade_required("the WebSocket version is 13")
        }
        error => Problem::bad_request(format!("the handshake: {error}")),
    }
}

fn problem_response(problem: &Problem) -> Response<BoxBody> {
    let response = actix_web::ResponseError::error_response(problem);
    let mut response: Response<BoxBody> = response.into();
    response.head_mut().set_connection_type(actix_http::ConnectionType::Close);
    response
}

async fn refuse(framed: &mut Framed<Connection, h1::Codec>, response: Response<BoxBody>) {
    let (response, body) = response.into_parts();
    let size = body.size();
    let Ok(bytes) = body.try_into_bytes() else { return };
    // The client may be gone; there is nobody else to tell.
    let _ = framed.send(h1::Message::Item((response, size))).await;
    let _ = framed.send(h1::Message::Chunk(Some(bytes))).await;
    let _ = framed.send(h1::Message::Chunk(None)).await;
}

/// Starts the session's actor on this thread, and lets the thread's writer write to it.
fn begin(hub: Arc<Hub>, (handle, place): Arrival, framed: Framed<Connection, h1::Codec>) {
    // The stop may have begun, and told all sockets, since this one was admitted.
    if hub.is_draining() {
        handle.outbound.end(Ending::Draining);
    }
    let parts = framed.into_parts();
    let stream = parts.io.into_inner();
    let socket = socket2::SockRef::from(&stream);
    // Only hints to the kernel: without them the socket works, a little slower or larger.
    let _ = socket.set_tcp_nodelay(true);
    let _ = socket.set_send_buffer_size(SEND_BUFFER);
    let (reader, writer) = stream.into_split();
    // What the client sent right behind its request was read already.
    let frames = Frames::of(reader, parts.read_buf, hub.config.limits.body_bytes);
    handle.outbound.connect(writer, Writer::here());
    metrics::counter!("rookery_sockets_opened_total").increment(1);
    Session::create(|ctx| {
        let gate = Rc::new(Gate::default());
        ctx.add_stream(gate.before(frames));
        Session::new(hub, handle, place, gate)
    });
}
