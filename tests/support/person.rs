//! Somebody with an account, who speaks HTTP: by bearer token, or by cookie as a browser does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::{Answer, Socket, described};

/// Everybody's, so that tests can log in again.
pub const PASSWORD: &str = "correct horse battery staple";

/// A person asks the instances in turn, as through a load balancer: what one of them answered is
/// to be known to the next.
#[derive(Clone)]
pub struct Person {
    pub id: String,
    pub username: String,
    pub token: String,
    pub bases: Vec<String>,
    turn: Arc<AtomicUsize>,
    http: reqwest::Client,
    by_cookie: bool,
}

impl Person {
    /// Begins with the first instance.
    pub async fn sign_up(bases: &[String], username: &str) -> Person {
        Person::sign_up_at(bases, 0, username).await
    }

    /// `turn` is the instance to begin with.
    pub async fn sign_up_at(bases: &[String], turn: usize, username: &str) -> Person {
        let mut person = Person::stranger(bases, turn);
        let form = json!({"username": username, "password": PASSWORD});
        let made = person.post("/users", form).await.expect(201);
        person.username = username.to_owned();
        person.id = text(&made["user"]["id"]);
        person.token = text(&made["token"]);
        person
    }

    /// Nobody yet: not logged in.
    pub fn stranger(bases: &[String], turn: usize) -> Person {
        let http = reqwest::Client::builder()
            // A kept connection could be one to a hub that was restarted since.
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(30));
        Person {
            id: String::new(),
            username: String::new(),
            token: String::new(),
            bases: bases.to_owned(),
            turn: Arc::new(AtomicUsize::new(turn)),
            http: http.build().expect("an HTTP client"),
            by_cookie: false,
        }
    }

    /// The same login at this instance alone.
    pub fn at(&self, instance: usize) -> Person {
        let base = self.bases[instance % self.bases.len()].clone();
        Person { bases: vec![base], ..self.clone() }
    }

    /// The same login at these instances, in turn.
    pub fn among(&self, bases: Vec<String>) -> Person {
        Person { bases, ..self.clone() }
    }

    /// Whoever this token belongs to.
    pub fn with_token(&self, token: &str) -> Person {
        Person { token: token.to_owned(), ..self.clone() }
    }

    /// The same account with one more login.
    pub async fn log_in_again(&self) -> Person {
        let stranger = Person::stranger(&self.bases, 0);
        let form = json!({"username": self.username, "password": PASSWORD});
        let made = stranger.post("/sessions", form).await.expect(201);
        self.with_token(&text(&made["token"]))
    }

    /// The same login by cookie, without the headers that browsers add.
    pub fn by_cookie(&self) -> Person {
        Person { by_cookie: true, ..self.clone() }
    }

    /// The instance whose turn it is.
    pub fn base(&self) -> &str {
        &self.bases[self.turn.fetch_add(1, Ordering::Relaxed) % self.bases.len()]
    }

    /// Any request; `path` is the whole of it.
    pub fn request(&self, method: Method, path: &str) -> Request {
        let url = format!("{}{path}", self.base());
        let mut request = self.http.request(method.clone(), &url);
        match (self.token.as_str(), self.by_cookie) {
            ("", _) => {}
            (token, false) => request = request.bearer_auth(token),
            (token, true) => request = request.header("cookie", format!("rookery_session={token}")),
        }
        Request { asked: format!("{method} {url}"), request }
    }

    // Paths of the API, without its `/api/v1`.

    pub async fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, &api(path)).send().await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.request(Method::POST, &api(path)).json(body).send().await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.request(Method::PUT, &api(path)).json(body).send().await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.request(Method::PATCH, &api(path)).json(body).send().await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.request(Method::DELETE, &api(path)).send().await
    }

    // What people do all the time, each expected to work.

    /// A private group with these people in it; returns its id.
    #[track_caller]
    pub fn group(&self, name: &str, members: &[&Person]) -> impl Future<Output = String> {
        self.room(json!({"kind": "group", "name": name, "members": ids(members)}))
    }

    #[track_caller]
    pub fn public_group(&self, name: &str, members: &[&Person]) -> impl Future<Output = String> {
        let members = ids(members);
        self.room(json!({"kind":"group","name":name,"visibility":"public","members":members}))
    }

    async fn room(&self, form: Value) -> String {
        text(&self.post("/rooms", form).await.expect(201)["room"]["id"])
    }

    /// The room of the two, made if there is none.
    pub async fn direct(&self, other: &Person) -> String {
        let form = json!({"kind": "direct", "members": [other.id]});
        let answer = self.post("/rooms", form).await;
        assert!(matches!(answer.status, 200 | 201), "{answer:?}");
        text(&answer.json()["room"]["id"])
    }

    pub async fn join(&self, room: &str) -> Value {
        let path = format!("/rooms/{room}/join");
        self.request(Method::POST, &api(&path)).send().await.expect(200)["room"].clone()
    }

    pub async fn leave(&self, room: &str) {
        let path = format!("/rooms/{room}/leave");
        self.request(Method::POST, &api(&path)).send().await.expect(204);
    }

    /// Says something; returns the message.
    pub async fn say(&self, room: &str, body: &str) -> Value {
        let path = format!("/rooms/{room}/messages");
        self.post(&path, json!({"body": body})).await.expect(201)["message"].clone()
    }

    /// The room as this person sees it.
    pub async fn view(&self, room: &str) -> Value {
        self.get(&format!("/rooms/{room}")).await.expect(200)["room"].clone()
    }

    /// A page of history; `which` as in `?limit=3`.
    pub async fn history(&self, room: &str, which: &str) -> Value {
        self.get(&format!("/rooms/{room}/messages{which}")).await.expect(200)
    }

    pub async fn read(&self, room: &str, position: &Value) -> Value {
        let path = format!("/rooms/{room}/read");
        self.put(&path, json!({"position": position})).await.expect(200)["room"].clone()
    }

    pub async fn unread_from(&self, room: &str, position: &Value) -> Value {
        let path = format!("/rooms/{room}/unread");
        self.put(&path, json!({"position": position})).await.expect(200)["room"].clone()
    }

    /// A socket on the next instance, greeted.
    pub async fn socket(&self) -> Socket {
        let mut socket = self.silent_socket().await;
        socket.hello(json!({})).await;
        socket
    }

    /// A socket on the next instance that comes back: `rooms` says how far it knows each.
    pub async fn resume(&self, rooms: Value) -> Socket {
        let mut socket = self.silent_socket().await;
        socket.hello(json!({"rooms": rooms})).await;
        socket
    }

    /// A socket on the next instance that has not said hello.
    pub async fn silent_socket(&self) -> Socket {
        Socket::open(self.base(), &self.token).await
    }
}

fn api(path: &str) -> String {
    format!("/api/v1{path}")
}

fn ids(people: &[&Person]) -> Vec<String> {
    people.iter().map(|person| person.id.clone()).collect()
}

/// A value that has to be a string.
#[track_caller]
fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} should be a string")).to_owned()
}

/// An answer that is no text.
pub struct Raw {
    pub status: u16,
    headers: HeaderMap,
    pub bytes: Vec<u8>,
}

impl Raw {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// A request that is being put together.
pub struct Request {
    asked: String,
    request: reqwest::RequestBuilder,
}

impl Request {
    pub fn header(mut self, name: &str, value: &str) -> Request {
        self.request = self.request.header(name, value);
        self
    }

    pub fn json(mut self, body: Value) -> Request {
        self.request = self.request.json(&body);
        self
    }

    /// A body that need not be JSON.
    pub fn body(mut self, body: impl Into<reqwest::Body>) -> Request {
        self.request = self.request.body(body);
        self
    }

    /// Sends a handshake that should open a socket, which is closed at once; returns the
    /// subprotocol that was chosen.
    pub async fn opened(self) -> Option<String> {
        let answer = self.handshake().await;
        assert_eq!(answer.status(), 101, "{answer:?}");
        let protocol = answer.headers().get("sec-websocket-protocol");
        protocol.and_then(|value| value.to_str().ok()).map(String::from)
    }

    /// Whether a handshake opens a socket.
    pub async fn try_open(self) -> bool {
        self.handshake().await.status() == 101
    }

    async fn handshake(self) -> reqwest::Response {
        let Request { asked, request } = self;
        request.send().await.unwrap_or_else(|error| panic!("{asked}: {error:?}"))
    }

    /// Sends a request whose answer is no text.
    pub async fn bytes(self) -> Raw {
        let Request { asked, request } = self;
        let response = request.send().await.unwrap_or_else(|error| panic!("{asked}: {error:?}"));
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await.unwrap_or_else(|error| panic!("{asked}: {error:?}"));
        let text = String::new();
        described::check(&Answer { asked, status, headers: headers.clone(), text });
        Raw { status, headers, bytes: bytes.to_vec() }
    }

    pub async fn send(self) -> Answer {
        let Request { asked, request } = self;
        let response = request.send().await.unwrap_or_else(|error| panic!("{asked}: {error:?}"));
        Answer::read(asked, response).await
    }
}
