//! The outside over HTTP: pages, the API, the socket's door, and the operators' routes.
//!
//! Handlers read a request, ask the hub or the store, and answer in the contract's words. The
//! socket is a service of its own, `socket`, since it takes the connection over.

pub mod asyncapi;
pub mod audit;
pub mod avatars;
pub mod bans;
pub mod connection;
pub mod deletion;
pub mod directory;
pub mod errors;
pub mod extract;
mod frames;
pub mod logins;
pub mod members;
pub mod messages;
pub mod mutes;
pub mod openapi;
pub mod ops;
pub mod origin;
pub mod pages;
pub mod presence;
pub mod reading;
pub mod requests;
pub mod rooms;
pub mod search;
pub mod simple;
pub mod socket;
pub mod users;

use std::sync::Arc;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::HeaderValue;
use actix_web::http::{Method, header};
use actix_web::middleware::{Compress, Condition, DefaultHeaders, Next, from_fn};
use actix_web::{
    App, Error, FromRequest, Handler, HttpResponse, Resource, Responder, ResponseError, Route,
    guard, web,
};
use metrics_exporter_prometheus::PrometheusHandle;
use tracing_actix_web::TracingLogger;

use crate::auth;
use crate::auth::attempts::{Attempts, SignUps};
use crate::config::Config;
use crate::hub::Hub;
use errors::Problem;
use origin::Origin;
use requests::Requests;

/// What the HTTP side keeps for itself.
pub struct Edge {
    pub attempts: Attempts,
    pub sign_ups: SignUps,
    /// Those that are being answered.
    pub requests: Arc<Requests>,
    /// How browsers reach us, where the configuration says so.
    pub public_url: Option<Origin>,
}

impl Edge {
    pub fn new(config: &Config) -> Edge {
        let limits = &config.limits;
        Edge {
            attempts: Attempts::new(
                limits.failed_logins_per_name,
                limits.failed_logins_per_address,
            ),
            sign_ups: SignUps::new(limits.signups_per_address),
            requests: Arc::default(),
            public_url: Origin::parse(&config.server.public_url),
        }
    }

    /// Whether browsers reach us by HTTPS, so that cookies can be kept to it.
    pub fn is_https(&self) -> bool {
        self.public_url.as_ref().is_some_and(Origin::is_https)
    }
}

const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self'; \
     img-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; \
     form-action 'self'; frame-ancestors 'none'";

/// Every route but the socket.
pub fn app(
    hub: Arc<Hub>,
    edge: web::Data<Edge>,
    figures: web::Data<Option<PrometheusHandle>>,
) -> App<
    impl actix_web::dev::ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = Error,
        InitError = (),
    >,
> {
    let body_bytes = hub.config.limits.body_bytes;
    let mut headers = DefaultHeaders::new()
        .add((header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY))
        .add((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .add((header::REFERRER_POLICY, "same-origin"))
        .add(("Cross-Origin-Opener-Policy", "same-origin"))
        .add(("Permissions-Policy", "camera=(), microphone=(), geolocation=()"));
    if edge.is_https() {
        headers = headers.add((header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"));
    }
    App::new()
        .app_data(web::Data::new(hub))
        .app_data(edge)
        .app_data(figures)
        .app_data(web::PayloadConfig::new(body_bytes))
        .wrap(from_fn(refuse_other_sites))
        .wrap(headers)
        .wrap(Condition::new(true, Compress::default()))
        .wrap(TracingLogger::default())
        .wrap(from_fn(requests::count))
        .route("/", look().to(pages::chat))
        .route("/login", look().to(pages::login))
        .route("/signup", look().to(pages::signup))
        .route("/static/{name:.*}", look().to(pages::asset))
        .configure(|app| serve(app, operators()))
        .service(web::scope("/api/v1").configure(|app| serve(app, api())))
        .configure(|app| serve(app, simple_api()))
        .default_service(web::to(nothing_here))
}

/// GET, or HEAD, as load balancers like it.
fn look() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

/// An address, and what answers there, by method.
pub struct Address {
    path: &'static str,
    answers: Vec<(Method, Route)>,
    /// Whether it is there with a slash at the end, too.
    with_slash: bool,
}

const GET: Method = Method::GET;
const POST: Method = Method::POST;
const PUT: Method = Method::PUT;
const PATCH: Method = Method::PATCH;
const DELETE: Method = Method::DELETE;

fn at<const N: usize>(path: &'static str, answers: [(Method, Route); N]) -> Address {
    Address { path, answers: answers.into(), with_slash: false }
}

/// Under `/api/v1`.
fn api() -> Vec<Address> {
    vec![
        at("/users", [(POST, web::to(users::sign_up)), (GET, web::to(directory::list))]),
        at("/users/{user}", [(GET, web::to(users::user))]),
        at("/users/{user}/avatar", [(GET, web::to(avatars::show))]),
        at("/sessions", [(POST, web::to(users::create_session))]),
        at("/sessions/current", [(DELETE, web::to(users::delete_session))]),
        at(
            "/me",
            [
                (GET, web::to(users::me)),
                (PATCH, web::to(users::update_me)),
                (DELETE, web::to(deletion::delete_me)),
            ],
        ),
        at("/me/avatar", [(PUT, web::to(avatars::put)), (DELETE, web::to(avatars::delete))]),
        at("/me/sessions", [(GET, web::to(logins::list)), (DELETE, web::to(logins::end_others))]),
        at("/me/sessions/{session}", [(DELETE, web::to(logins::end))]),
        at("/me/password", [(PUT, web::to(users::set_password))]),
        at("/rooms", [(GET, web::to(rooms::list)), (POST, web::to(rooms::create))]),
        at(
            "/rooms/{room}",
            [
                (GET, web::to(rooms::get)),
                (PATCH, web::to(rooms::update)),
                (DELETE, web::to(rooms::delete)),
            ],
        ),
        at("/rooms/{room}/join", [(POST, web::to(rooms::join))]),
        at("/rooms/{room}/leave", [(POST, web::to(rooms::leave))]),
        at("/rooms/{room}/audit", [(GET, web::to(audit::list))]),
        at("/rooms/{room}/bans", [(GET, web::to(bans::list))]),
        at("/rooms/{room}/members", [(GET, web::to(members::list))]),
        at(
            "/rooms/{room}/members/{user}",
            [(PUT, web::to(members::put)), (DELETE, web::to(members::delete))],
        ),
        at(
            "/rooms/{room}/members/{user}/mute",
            [(PUT, web::to(mutes::put)), (DELETE, web::to(mutes::delete))],
        ),
        at(
            "/rooms/{room}/messages",
            [(GET, web::to(messages::list)), (POST, web::to(messages::send))],
        ),
        at(
            "/messages/{message}",
            [
                (GET, web::to(messages::show)),
                (PATCH, web::to(messages::edit)),
                (DELETE, web::to(messages::delete)),
            ],
        ),
        at(
            "/messages/{message}/reactions/{emoji}",
            [(PUT, web::to(messages::add_reaction)), (DELETE, web::to(messages::remove_reaction))],
        ),
        at("/rooms/{room}/read", [(PUT, web::to(reading::read))]),
        at("/rooms/{room}/unread", [(PUT, web::to(reading::unread))]),
        at("/search", [(GET, web::to(search::list))]),
        at("/presence", [(GET, web::to(presence::list))]),
        at("/socket", [(GET, web::to(socket::no_upgrade))]),
    ]
}

/// At the root, with and without a slash at the end, as the chats that it comes from have it.
fn simple_api() -> Vec<Address> {
    let addresses = [
        at("/send-message", [(POST, web::to(simple::send))]),
        at("/messages/{group}", [(GET, web::to(simple::list))]),
        at("/edit-message/{message}", [(PUT, web::to(simple::edit))]),
        at("/delete-message/{message}", [(DELETE, web::to(simple::delete))]),
        at("/subscribe/{group}", [(GET, web::to(socket::no_upgrade))]),
    ];
    addresses.map(|address| Address { with_slash: true, ..address }).into()
}

/// What tells of the hub itself, to whoever asks. HEAD does as well, as load balancers like it.
fn operators() -> Vec<Address> {
    vec![
        to_look_at("/healthz", ops::healthz),
        to_look_at("/readyz", ops::readyz),
        to_look_at("/metrics", ops::metrics),
        to_look_at("/api/openapi.json", openapi::document),
        to_look_at("/api/asyncapi.json", asyncapi::document),
    ]
}

fn to_look_at<F, Args>(path: &'static str, handler: F) -> Address
where
    F: Handler<Args, Output: Responder + 'static>,
    Args: FromRequest + 'static,
{
    at(path, [(GET, web::to(handler.clone())), (Method::HEAD, web::to(handler))])
}

fn serve(app: &mut web::ServiceConfig, addresses: Vec<Address>) {
    for address in addresses {
        app.service(address.resource());
    }
}

impl Address {
    /// For methods that nothing answers to it says which those are that something does.
    fn resource(self) -> Resource {
        let methods: Vec<&str> = self.answers.iter().map(|(method, _)| method.as_str()).collect();
        let methods = methods.join(", ");
        let wrong_method = move || std::future::ready(wrong_method(&methods));
        let mut paths = vec![self.path.to_owned()];
        if self.with_slash {
            paths.push(format!("{}/", self.path));
        }
        let resource = web::resource(paths).default_service(web::to(wrong_method));
        self.answers
            .into_iter()
            .fold(resource, |resource, (method, route)| resource.route(route.method(method)))
    }
}

async fn nothing_here() -> Result<HttpResponse, Problem> {
    Err(Problem::not_found())
}

fn wrong_method(allowed: &str) -> HttpResponse {
    let status = actix_web::http::StatusCode::METHOD_NOT_ALLOWED;
    let detail = "this address does not know that method";
    let mut answer = Problem::new(status, "method_not_allowed", detail).error_response();
    if let Ok(allowed) = HeaderValue::from_str(allowed) {
        answer.headers_mut().insert(header::ALLOW, allowed);
    }
    answer
}

/// A request that changes something has to come from our own pages, unless a token says that no
/// browser sent it by itself.
async fn refuse_other_sites(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let headers = request.headers();
    if changes && auth::bearer_of(headers).is_none() {
        let public = request.app_data::<web::Data<Edge>>().and_then(|edge| edge.public_url.clone());
        let has_cookie = auth::cookie_of(headers).is_some();
        if !origin::is_same_site(headers, public.as_ref(), has_cookie) {
            let status = actix_web::http::StatusCode::FORBIDDEN;
            let detail = "this request came from another site";
            return Err(Problem::new(status, "cross_site", detail).into());
        }
    }
    next.call(request).await
}
