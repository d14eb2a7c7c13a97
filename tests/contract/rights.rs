//! Who may do what: everything that can be asked of a room and its messages, by everyone who may
//! stand in some way to it, as tables.
//!
//! A cell has the status where it is done, the problem's code where it is refused, and a dash where
//! nobody stands like that. `{other}` is a member besides those in the columns, or the other person
//! of a direct conversation; `{me}` is whoever asks, and `{mine}` what they said in it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Person, World, described};

const WHO: [&str; 6] = ["anonymous", "outsider", "removed", "member", "admin", "hub-admin"];

const ROOMS: &str = "
                                                       anonymous      outsider      removed       member       admin          hub-admin
GET    /rooms/{room}                          public   not_logged_in  200           200           200          200            200
                                              private  not_logged_in  not_found     not_found     200          200            not_found
                                              direct   not_logged_in  not_found     -             200          -              not_found
PATCH  /rooms/{room}                          public   not_logged_in  not_a_member  not_a_member  forbidden    200            200
                                              private  not_logged_in  not_found     not_found     forbidden    200            not_found
                                              direct   not_logged_in  not_found     -             direct_room  -              not_found
DELETE /rooms/{room}                          public   not_logged_in  not_a_member  not_a_member  forbidden    204            204
                                              private  not_logged_in  not_found     not_found     forbidden    204            not_found
                                              direct   not_logged_in  not_found     -             direct_room  -              not_found
POST   /rooms/{room}/join                     public   not_logged_in  200           200           200          200            200
                                              private  not_logged_in  not_found     not_found     200          200            not_found
                                              direct   not_logged_in  not_found     -             200          -              not_found
POST   /rooms/{room}/leave                    public   not_logged_in  not_a_member  not_a_member  204          last_admin     not_a_member
                                              private  not_logged_in  not_found     not_found     204          last_admin     not_found
                                              direct   not_logged_in  not_found     -             direct_room  -              not_found
GET    /rooms/{room}/bans                     public   not_logged_in  not_a_member  not_a_member  forbidden    200            200
                                              private  not_logged_in  not_found     not_found     forbidden    200            not_found
                                              direct   not_logged_in  not_found     -             forbidden    -              not_found
GET    /rooms/{room}/audit                    public   not_logged_in  not_a_member  not_a_member  forbidden    200            200
                                              private  not_logged_in  not_found     not_found     forbidden    200            not_found
                                              direct   not_logged_in  not_found     -             forbidden    -              not_found
GET    /presence?room={room}                  public   not_logged_in  not_a_member  not_a_member  200          200            200
                                              private  not_logged_in  not_found     not_found     200          200            not_found
                                              direct   not_logged_in  not_found     -             200          -              not_found
GET    /search?q=a&room={room}                public   not_logged_in  not_a_member  not_a_member  200          200            not_a_member
                                              private  not_logged_in  not_found     not_found     200          200            not_found
                                              direct   not_logged_in  not_found     -             200          -              not_found
";

const MEMBERS: &str = "
                                                       anonymous      outsider      removed       member       admin          hub-admin
GET    /rooms/{room}/members                  public   not_logged_in  not_a_member  not_a_member  200          200            200
                                              private  not_logged_in  not_found     not_found     200          200            not_found
                                              direct   not_logged_in  not_found     -             200          -              not_found
PUT    /rooms/{room}/members/{other}          public   not_logged_in  not_a_member  not_a_member  forbidden    200            200
                                              private  not_logged_in  not_found     not_found     forbidden    200            not_found
                                              direct   not_logged_in  not_found     -             direct_room  -              not_found
PUT    /rooms/{room}/members/{me}             public   not_logged_in  not_a_member  not_a_member  forbidden    200            201
                                              private  not_logged_in  not_found     not_found     forbidden    200            not_found
                                              direct   not_logged_in  not_found     -             direct_room  -              not_found
PUT    /rooms/{room}/members/0                public   not_logged_in  not_a_member  not_a_member  not_found    not_found      not_found
                                              private  not_logged_in  not_found     not_found     not_found    not_found      not_found
                                              direct   not_logged_in  not_found     -             not_found    -              not_found
PUT    /rooms/{room}/members/{other}/mute     public   not_logged_in  not_a_member  not_a_member  forbidden    200            200
                                              private  not_logged_in  not_found     not_found     forbidden    200            not_found
                                              direct   not_logged_in  not_found     -             direct_room  -              not_found
DELETE /rooms/{room}/members/{other}/mute     public   not_logged_in  not_a_member  not_a_member  forbidden    204            204
                                              private  not_logged_in  not_found     not_found     forbidden    204            not_found
                                              direct   not_logged_in  not_found     -             direct_room  -              not_found
DELETE /rooms/{room}/members/{other}          public   not_logged_in  not_a_member  not_a_member  forbidden    204            204
                                              private  not_logged_in  not_found     not_found     forbidden    204            not_found
                                              direct   not_logged_in  not_found     -             direct_room  -              not_found
DELETE /rooms/{room}/members/{me}             public   not_logged_in  not_a_member  not_a_member  204          last_admin     not_a_member
                                              private  not_logged_in  not_found     not_found     204          last_admin     not_found
                                              direct   not_logged_in  not_found     -             direct_room  -              not_found
";

const MESSAGES: &str = "
                                                       anonymous      outsider      removed       member       admin          hub-admin
GET    /rooms/{room}/messages                 public   not_logged_in  not_a_member  not_a_member  200          200            200
                                              private  not_logged_in  not_found     not_found     200          200            not_found
                                              direct   not_logged_in  not_found     -             200          -              not_found
POST   /rooms/{room}/messages                 public   not_logged_in  not_a_member  not_a_member  201          201            not_a_member
                                              private  not_logged_in  not_found     not_found     201          201            not_found
                                              direct   not_logged_in  not_found     -             201          -              not_found
PUT    /rooms/{room}/read                     public   not_logged_in  not_a_member  not_a_member  200          200            not_a_member
                                              private  not_logged_in  not_found     not_found     200          200            not_found
                                              direct   not_logged_in  not_found     -             200          -              not_found
PUT    /rooms/{room}/unread                   public   not_logged_in  not_a_member  not_a_member  200          200            not_a_member
                                              private  not_logged_in  not_found     not_found     200          200            not_found
                                              direct   not_logged_in  not_found     -             200          -              not_found
GET    /messages/{others}                     public   not_logged_in  not_a_member  not_a_member  200          200            200
                                              private  not_logged_in  not_found     not_found     200          200            not_found
                                              direct   not_logged_in  not_found     -             200          -              not_found
PATCH  /messages/{others}                     public   not_logged_in  not_a_member  not_a_member  forbidden    forbidden      not_a_member
                                              private  not_logged_in  not_found     not_found     forbidden    forbidden      not_found
                                              direct   not_logged_in  not_found     -             forbidden    -              not_found
PATCH  /messages/{mine}                       public   -              -             not_a_member  200          200            -
                                              private  -              -             not_found     200          200            -
                                              direct   -              -             -             200          -              -
DELETE /messages/{others}                     public   not_logged_in  not_a_member  not_a_member  forbidden    204            204
                                              private  not_logged_in  not_found     not_found     forbidden    204            not_found
                                              direct   not_logged_in  not_found     -             forbidden    -              not_found
DELETE /messages/{mine}                       public   -              -             not_a_member  204          204            -
                                              private  -              -             not_found     204          204            -
                                              direct   -              -             -             204          -              -
PUT    /messages/{others}/reactions/👍        public   not_logged_in  not_a_member  not_a_member  200          200            not_a_member
                                              private  not_logged_in  not_found     not_found     200          200            not_found
                                              direct   not_logged_in  not_found     -             200          -              not_found
DELETE /messages/{others}/reactions/👍        public   not_logged_in  not_a_member  not_a_member  200          200            not_a_member
                                              private  not_logged_in  not_found     not_found     200          200            not_found
                                              direct   not_logged_in  not_found     -             200          -              not_found
";

/// The addresses of the simple API are whole.
const SIMPLE: &str = "
                                                       anonymous      outsider      removed       member       admin          hub-admin
POST   /send-message                          public   not_logged_in  not_a_member  not_a_member  200          200            not_a_member
                                              private  not_logged_in  not_found     not_found     200          200            not_found
                                              direct   not_logged_in  not_found     -             200          -              not_found
GET    /messages/{room}                       public   not_logged_in  not_a_member  not_a_member  200          200            200
                                              private  not_logged_in  not_found     not_found     200          200            not_found
                                              direct   not_logged_in  not_found     -             200          -              not_found
PUT    /edit-message/{others}                 public   not_logged_in  not_a_member  not_a_member  forbidden    forbidden      not_a_member
                                              private  not_logged_in  not_found     not_found     forbidden    forbidden      not_found
                                              direct   not_logged_in  not_found     -             forbidden    -              not_found
PUT    /edit-message/{mine}                   public   -              -             not_a_member  200          200            -
                                              private  -              -             not_found     200          200            -
                                              direct   -              -             -             200          -              -
DELETE /delete-message/{others}               public   not_logged_in  not_a_member  not_a_member  forbidden    200            200
                                              private  not_logged_in  not_found     not_found     forbidden    200            not_found
                                              direct   not_logged_in  not_found     -             forbidden    -              not_found
DELETE /delete-message/{mine}                 public   -              -             not_a_member  200          200            -
                                              private  -              -             not_found     200          200            -
                                              direct   -              -             -             200          -              -
";

fn status_of(code: &str) -> u16 {
    match code {
        "not_logged_in" => 401,
        "not_a_member" | "forbidden" => 403,
        "not_found" => 404,
        "last_admin" | "direct_room" => 409,
        _ => panic!("{code} is no code of these tables"),
    }
}

/// One line of a table.
struct Row {
    method: Method,
    path: &'static str,
    kind: &'static str,
    expected: [&'static str; 6],
}

/// The rows of a table whose first line names the columns. A row without an address is about the
/// one above.
fn rows(table: &'static str) -> Vec<Row> {
    let mut lines = table.trim().lines();
    let columns = lines.next().map(|line| line.split_whitespace().collect::<Vec<_>>());
    assert_eq!(columns.as_deref(), Some(&WHO[..]));
    let mut asked = (Method::GET, "");
    let mut rows = Vec::new();
    for line in lines {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        if words.len() == 9 {
            asked = (words[0].parse().expect("a method"), words[1]);
            words.drain(..2);
        }
        let (method, path) = asked.clone();
        let expected = words[1..].try_into().unwrap_or_else(|_| panic!("six cells: {line}"));
        rows.push(Row { method, path, kind: words[0], expected });
    }
    rows
}

/// Those in the columns, and the other member.
struct People {
    columns: [Person; 6],
    other: Person,
}

/// A room, and what was said in it: by the other member, and by each in the columns.
struct Place {
    room: String,
    others: String,
    mine: [String; 6],
}

impl People {
    async fn of(world: &World) -> People {
        let [outsider, removed, member, admin, hub_admin] =
            world.people(["outsider", "removed", "member", "admin", "hub-admin"]).await;
        world.command(&["user", "promote", &hub_admin.username]).await;
        let columns = [world.stranger(), outsider, removed, member, admin, hub_admin];
        People { columns, other: world.person("other").await }
    }

    /// A new place of that kind; the direct conversation is always the same.
    async fn place(&self, kind: &str) -> Place {
        let [_, _, removed, member, admin, _] = &self.columns;
        let (room, speakers) = match kind {
            "public" => {
                (admin.public_group("Ours", &[removed, member, &self.other]).await, &[2, 3, 4][..])
            }
            "private" => {
                (admin.group("Ours", &[removed, member, &self.other]).await, &[2, 3, 4][..])
            }
            "direct" => (member.direct(&self.other).await, &[3][..]),
            _ => panic!("{kind} is no kind of room"),
        };
        let others = id(&self.other.say(&room, "a word").await);
        let mut mine: [String; 6] = Default::default();
        for &speaker in speakers {
            mine[speaker] = id(&self.columns[speaker].say(&room, "a word").await);
        }
        if kind != "direct" {
            let path = format!("/rooms/{room}/members/{}", removed.id);
            admin.delete(&path).await.expect(204);
        }
        Place { room, others, mine }
    }

    async fn ask(&self, column: usize, row: &Row, place: &Place) -> Answer {
        let person = &self.columns[column];
        let me = if person.id.is_empty() { &self.other.id } else { &person.id };
        let path = row
            .path
            .replace("{room}", &place.room)
            .replace("{other}", &self.other.id)
            .replace("{me}", me)
            .replace("{others}", &place.others)
            .replace("{mine}", &place.mine[column]);
        let request = person.request(row.method.clone(), &format!("{}{path}", prefix(row.path)));
        match body(row, me, &place.room) {
            Some(body) => request.json(body).send().await,
            None => request.send().await,
        }
    }
}

fn id(message: &Value) -> String {
    message["id"].as_str().expect("an id").to_owned()
}

fn prefix(path: &str) -> &'static str {
    let simple = ["/send-message", "/messages/{room}", "/edit-message", "/delete-message"];
    if simple.iter().any(|simple| path.starts_with(simple)) { "" } else { "/api/v1" }
}

/// What is sent along. It says nothing that would be refused for what it is.
fn body(row: &Row, me: &str, room: &str) -> Option<Value> {
    let last = row.path.rsplit('/').next().unwrap_or_default();
    match (row.method.as_str(), row.path) {
        ("PATCH", "/rooms/{room}") => Some(json!({"name": "Everybody's"})),
        ("POST", "/send-message") => {
            Some(json!({"user_id": me, "group_id": room, "message": "another word"}))
        }
        ("PUT", _) if matches!(last, "read" | "unread") => Some(json!({"position": "1"})),
        ("PUT", _) if last == "mute" => Some(json!({"minutes": 5})),
        ("PUT", path) if path.starts_with("/rooms/{room}/members") => {
            Some(json!({"role": "admin"}))
        }
        ("PUT", path) if path.starts_with("/edit-message") => {
            Some(json!({"message": "other words"}))
        }
        ("PATCH" | "POST", path) if path.contains("/messages") => {
            Some(json!({"body": "other words"}))
        }
        _ => None,
    }
}

/// Each row has a place of its own, where all in the columns ask in turn; the hub admin, who may do
/// what the admin just did, has another.
async fn hold(world: &World, table: &'static str) {
    let people = People::of(world).await;
    let mut wrong = Vec::new();
    for row in rows(table) {
        let mut place = people.place(row.kind).await;
        for (column, expected) in row.expected.into_iter().enumerate() {
            if expected == "-" {
                continue;
            }
            let changes = row.method != Method::GET && expected.starts_with('2');
            if changes && WHO[column] == "hub-admin" {
                place = people.place(row.kind).await;
            }
            let answer = people.ask(column, &row, &place).await;
            let (asked, text) = (answer.asked.clone(), answer.text.clone());
            let is_right = match expected.parse::<u16>() {
                Ok(status) => answer.status == status,
                Err(_) => {
                    let code = answer.json()["code"].clone();
                    answer.status == status_of(expected) && code == expected
                }
            };
            if !is_right {
                let (who, kind) = (WHO[column], row.kind);
                wrong.push(format!("{asked} ({kind}) by {who}: not {expected}, but {text}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

pub async fn of_rooms(world: &World) {
    hold(world, ROOMS).await;
}

pub async fn of_members(world: &World) {
    hold(world, MEMBERS).await;
}

pub async fn of_messages(world: &World) {
    hold(world, MESSAGES).await;
}

pub async fn of_the_simple_api(world: &World) {
    hold(world, SIMPLE).await;
}

/// A reply that names no message of the room is refused to its members alone: for others it would
/// tell which messages are in it.
pub async fn a_reply_tells_strangers_nothing(world: &World) {
    let people = People::of(world).await;
    let [anonymous, outsider, removed, member, ..] = &people.columns;
    let codes = [("public", "not_a_member"), ("private", "not_found")];
    for (kind, code) in codes {
        let (place, elsewhere) = (people.place(kind).await, people.place("direct").await);
        for reply_to in [&place.others, &elsewhere.others] {
            let path = format!("/rooms/{}/messages", place.room);
            let form = json!({"body": "indeed", "reply_to": reply_to});
            anonymous.post(&path, form.clone()).await.problem(401, "not_logged_in");
            outsider.post(&path, form.clone()).await.problem(status_of(code), code);
            removed.post(&path, form.clone()).await.problem(status_of(code), code);
            let mut socket = outsider.socket().await;
            let fields = json!({"room": place.room, "client_id": "1", "body": "indeed",
                "reply_to": reply_to});
            socket.error("send", fields, code).await;
        }
        let form = json!({"body": "indeed", "reply_to": elsewhere.others});
        let path = format!("/rooms/{}/messages", place.room);
        member.post(&path, form).await.problem(422, "invalid_reply_to");
    }
}

/// Every operation on a room or a message is in a table.
#[test]
fn nothing_is_left_out() {
    let tables = [ROOMS, MEMBERS, MESSAGES, SIMPLE];
    let asked: Vec<String> = tables
        .into_iter()
        .flat_map(rows)
        .map(|row| format!("{} {}{}", row.method, prefix(row.path), shape(row.path)))
        .collect();
    for operation in described::operations() {
        let (method, path) = operation.split_once(' ').expect("a method and a path");
        let is_ours = ["{room}", "{message}", "{group}"].iter().any(|name| path.contains(name));
        // A plain request hears 426 there; `simple` tells who may open the socket.
        if !is_ours || path == "/subscribe/{group}" {
            continue;
        }
        let operation = format!("{method} {}", shape(path));
        assert!(asked.contains(&operation), "{operation} is in no table: {asked:#?}");
    }
}

/// A path with nothing but its places.
fn shape(path: &str) -> String {
    let part = |part: &str| match part {
        part if part.starts_with('{') => "{}".to_owned(),
        "0" | "👍" => "{}".to_owned(),
        part => part.to_owned(),
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}
