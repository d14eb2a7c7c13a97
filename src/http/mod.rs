//! The outside over HTTP: pages, the API, the socket's door, and the operators' routes.
//!
//! Handlers read a request, ask the hub or the store, and answer in the contract's words. The
//! socket is a service of its own, `socket`, since it takes the connection over.

pub mod audit;
pub mod connection;
pub mod errors;
pub mod extract;
pub mod members;
pub mod messages;
pub mod ops;
pub mod origin;
pub mod pages;
pub mod presence;
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
use actix_web::{App, Error, HttpResponse, Resource, ResponseError, Route, guard, web};
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
        .route("/healthz", look().to(ops::healthz))
        .route("/readyz", look().to(ops::readyz))
        .route("/metrics", look().to(ops::metrics))
        .service(web::scope("/api/v1").configure(api))
        .configure(simple_api)
        .default_service(web::to(nothing_here))
}

/// GET, or HEAD, as load balancers like it.
fn look() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

fn api(api: &mut web::ServiceConfig) {
    let (get, post, put) = (&Method::GET, &Method::POST, &Method::PUT);
    let (patch, delete) = (&Method::PATCH, &Method::DELETE);
    api.service(resource(
        "/users",
        [(post, web::to(users::sign_up)), (get, web::to(users::list_users))],
    ))
    .service(resource("/users/{user}", [(get, web::to(users::user))]))
    .service(resource("/sessions", [(post, web::to(users::create_session))]))
    .service(resource("/sessions/current", [(delete, web::to(users::delete_session))]))
    .service(resource("/me", [(get, web::to(users::me)), (patch, web::to(users::update_me))]))
    .service(resource("/me/password", [(put, web::to(users::set_password))]))
    .service(resource("/rooms", [(get, web::to(rooms::list)), (post, web::to(rooms::create))]))
    .service(resource(
        "/rooms/{room}",
        [
            (get, web::to(rooms::get)),
            (patch, web::to(rooms::update)),
            (delete, web::to(rooms::delete)),
        ],
    ))
    .service(resource("/rooms/{room}/join", [(post, web::to(rooms::join))]))
    .service(resource("/rooms/{room}/leave", [(post, web::to(rooms::leave))]))
    .service(resource("/rooms/{room}/audit", [(get, web::to(audit::list))]))
    .service(resource("/rooms/{room}/members", [(get, web::to(members::list))]))
    .service(resource(
        "/rooms/{room}/members/{user}",
        [(put, web::to(members::put)), (delete, web::to(members::delete))],
    ))
    .service(resource(
        "/rooms/{room}/messages",
        [(get, web::to(messages::list)), (post, web::to(messages::send))],
    ))
    .service(resource(
        "/messages/{message}",
        [
            (get, web::to(messages::show)),
            (patch, web::to(messages::edit)),
            (delete, web::to(messages::delete)),
        ],
    ))
    .service(resource(
        "/messages/{message}/reactions/{emoji}",
        [(put, web::to(messages::add_reaction)), (delete, web::to(messages::remove_reaction))],
    ))
    .service(resource("/rooms/{room}/read", [(put, web::to(messages::read))]))
    .service(resource("/search", [(get, web::to(search::list))]))
    .service(resource("/presence", [(get, web::to(presence::list))]))
    .service(resource("/socket", [(get, web::to(socket::no_upgrade))]));
}

/// At the root, with and without a slash at the end, as the chats that it comes from have it.
fn simple_api(api: &mut web::ServiceConfig) {
    let (get, post) = (&Method::GET, &Method::POST);
    let (put, delete) = (&Method::PUT, &Method::DELETE);
    api.service(with_slash("/send-message", [(post, web::to(simple::send))]))
        .service(with_slash("/messages/{group}", [(get, web::to(simple::list))]))
        .service(with_slash("/edit-message/{message}", [(put, web::to(simple::edit))]))
        .service(with_slash("/delete-message/{message}", [(delete, web::to(simple::delete))]))
        .service(with_slash("/subscribe/{group}", [(get, web::to(socket::no_upgrade))]));
}

fn with_slash<const N: usize>(path: &str, routes: [(&Method, Route); N]) -> Resource {
    resource_at(vec![path.to_owned(), format!("{path}/")], routes)
}

fn resource<const N: usize>(path: &str, routes: [(&Method, Route); N]) -> Resource {
    resource_at(vec![path.to_owned()], routes)
}

/// What answers at an address, by method; for others, which those are.
fn resource_at<const N: usize>(paths: Vec<String>, routes: [(&Method, Route); N]) -> Resource {
    let methods = routes.each_ref().map(|(method, _)| method.as_str()).join(", ");
    let wrong_method = move || std::future::ready(wrong_method(&methods));
    let resource = web::resource(paths).default_service(web::to(wrong_method));
    routes
        .into_iter()
        .fold(resource, |resource, (method, route)| resource.route(route.method(method.clone())))
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
