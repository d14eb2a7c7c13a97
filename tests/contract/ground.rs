//! The ground rules: forms of values, errors, who may know what, and requests from other sites.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Answer, PASSWORD, Person, World};

/// RFC 3339 in UTC with milliseconds.
pub fn is_time(value: &Value) -> bool {
    let Some(text) = value.as_str() else { return false };
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape == "0000-00-00T00:00:00.000Z"
}

/// An integer in a string.
pub fn is_position(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.parse::<i64>().is_ok())
}

pub fn position(value: &Value) -> i64 {
    let text = value.as_str().unwrap_or_else(|| panic!("{value} should be a string"));
    text.parse().unwrap_or_else(|error| panic!("{value}: {error}"))
}

/// The ids of the objects in a list that an answer holds under this name.
pub fn ids(answer: &Value, name: &str) -> Vec<String> {
    let list = answer[name].as_array().unwrap_or_else(|| panic!("{answer} has no {name}"));
    list.iter().map(|object| object["id"].as_str().expect("an id").to_owned()).collect()
}

/// The ids of a list in their order, after a look at whether pages of two show the same.
pub async fn ids_of_all_pages(person: &Person, path: &str, name: &str) -> Vec<String> {
    let whole = person.get(path).await.expect(200);
    assert!(whole.get("next").is_none_or(Value::is_null), "{whole}");
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = person.get(&format!("{path}&limit=2{after}")).await.expect(200);
        assert!(ids(&page, name).len() <= 2);
        seen.extend(ids(&page, name));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ids(&whole, name), "pages show what the whole shows, in its order");
    seen
}

pub async fn ids_are_strings_and_times_have_milliseconds(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Forms", &[&bob]).await;
    let message = alice.say(&room, "hello").await;
    for id in [&message["id"], &message["room_id"], &message["sender"]["id"]] {
        assert!(id.is_string(), "{message}");
    }
    assert!(is_time(&message["sent_at"]), "{message}");
    assert!(is_position(&message["position"]), "{message}");

    let view = bob.view(&room).await;
    assert!(is_position(&view["position"]) && is_position(&view["read_position"]), "{view}");
    assert!(view["id"].is_string() && is_time(&view["last_message"]["sent_at"]), "{view}");
    let members = bob.get(&format!("/rooms/{room}/members")).await.expect(200);
    for member in members["members"].as_array().expect("a list") {
        assert!(member["user_id"].is_string() && is_time(&member["joined_at"]), "{member}");
    }
}

pub async fn a_body_that_does_not_fit_is_400_and_a_value_not_allowed_422(world: &World) {
    let alice = world.person("alice").await;
    let raw = |body: &'static str| {
        let request = alice.request(Method::POST, "/api/v1/rooms");
        request.header("content-type", "application/json").body(body).send()
    };
    let not_fitting = [
        "",
        "{",
        "[]",
        "\"text\"",
        "{}",
        r#"{"kind":"group"}"#,
        r#"{"kind":"group","name":7}"#,
        r#"{"kind":7,"name":"x"}"#,
        r#"{"kind":"group","name":"x","members":"1"}"#,
        r#"{"kind":"group","name":"x","members":[1]}"#,
        r#"{"kind":"direct"}"#,
        r#"["group","x"]"#,
    ];
    for body in not_fitting {
        raw(body).await.problem(400, "bad_request");
    }
    raw(r#"{"kind":"club","name":"x"}"#).await.problem(422, "invalid_kind");
    let secret = r#"{"kind":"group","name":"x","visibility":"secret"}"#;
    raw(secret).await.problem(422, "invalid_visibility");
    for nobody in ["99999999", "0", "99999999999999999999", "nobody", ""] {
        let unknown = json!({"kind": "group", "name": "x", "members": [nobody]});
        alice.post("/rooms", unknown).await.problem(422, "unknown_user");
    }
}

/// For the parser they could be the fields of an object, in their order.
pub async fn an_array_is_no_body(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Objects", &[&bob]).await;
    let said = alice.say(&room, "hello").await;
    let message = format!("/messages/{}", said["id"].as_str().expect("an id"));
    let member = format!("/rooms/{room}/members/{}", bob.id);
    for (method, path, body) in [
        (Method::PATCH, message, json!(["bye"])),
        (Method::PUT, member, json!(["admin"])),
        (Method::PATCH, format!("/rooms/{room}"), json!([])),
        (Method::POST, format!("/rooms/{room}/messages"), json!(["hello", null, null])),
        (Method::PUT, "/me/password".to_owned(), json!([PASSWORD, "another good one"])),
        (Method::POST, "/sessions".to_owned(), json!([alice.username, PASSWORD])),
    ] {
        let request = alice.request(method, &format!("/api/v1{path}")).json(body);
        request.send().await.problem(400, "bad_request");
    }
}

pub async fn a_query_value_of_the_wrong_type_is_400_and_one_not_allowed_422(world: &World) {
    let alice = world.person("alice").await;
    let room = alice.group("Queries", &[]).await;
    let messages = format!("/rooms/{room}/messages");
    for list in ["/users?x=", "/rooms?scope=public", &format!("{messages}?x=")] {
        alice.get(&format!("{list}&limit=many")).await.problem(400, "bad_request");
        alice.get(&format!("{list}&limit=0")).await.problem(422, "invalid_limit");
        alice.get(&format!("{list}&limit=101")).await.problem(422, "invalid_limit");
        for huge in ["99999999999999999999", "-99999999999999999999"] {
            alice.get(&format!("{list}&limit={huge}")).await.problem(422, "invalid_limit");
        }
        alice.get(&format!("{list}&limit=1")).await.expect(200);
        alice.get(&format!("{list}&limit=100")).await.expect(200);
    }
    for query in ["before=soon", "after=x", "around=1.5"] {
        alice.get(&format!("{messages}?{query}")).await.problem(400, "bad_request");
    }
    let path = format!("/rooms/{room}/members/{}?ban=maybe", alice.id);
    alice.delete(&path).await.problem(400, "bad_request");
    // What is no id names nothing.
    alice.get("/search?q=a&room=nowhere").await.problem(404, "not_found");
    let seen = alice.get("/presence?users=nobody,0").await.expect(200);
    assert_eq!(seen["users"], json!([]));
    alice.get("/rooms?scope=secret").await.problem(422, "invalid_scope");
}

pub async fn bodies_are_json_by_their_type(world: &World) {
    let alice = world.person("alice").await;
    let room = alice.group("Types", &[]).await;
    let send = || alice.request(Method::POST, &format!("/api/v1/rooms/{room}/messages"));
    let body = r#"{"body":"hello"}"#;
    let refused = |answer: Answer| {
        assert_eq!(answer.status, 415, "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    };
    refused(send().body(body).send().await);
    refused(send().header("content-type", "text/plain").body(body).send().await);
    let form = send().header("content-type", "application/x-www-form-urlencoded");
    refused(form.body("body=hello").send().await);
    let json = send().header("content-type", "application/json; charset=utf-8");
    json.body(body).send().await.expect(201);
}

pub async fn a_body_has_at_most_64_kib(world: &World) {
    let alice = world.person("alice").await;
    let room = alice.group("Sizes", &[]).await;
    let send = async |size: usize| {
        let mut body = r#"{"body":"hello"}"#.to_owned();
        body.push_str(&" ".repeat(size - body.len()));
        let request = alice.request(Method::POST, &format!("/api/v1/rooms/{room}/messages"));
        request.header("content-type", "application/json").body(body).send().await
    };
    send(64 * 1024).await.expect(201);
    let answer = send(64 * 1024 + 1).await;
    assert_eq!(answer.status, 413, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
}

pub async fn a_body_that_trickles_is_given_up(world: &World) {
    let stranger = world.stranger();
    let address = stranger.base().trim_start_matches("http://").to_owned();
    let client = TcpStream::connect(&address).await.expect("a connection");
    let (mut reader, mut writer) = client.into_split();
    let head = format!(
        "POST /api/v1/users HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Content-Length: 60000\r\n\r\n"
    );
    writer.write_all(head.as_bytes()).await.expect("the hub reads");
    let trickle = async {
        while writer.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    };
    let mut answer = Vec::new();
    // A reset is an end too, since the rest of the body was not read.
    let ended = async { tokio::join!(reader.read_to_end(&mut answer), trickle) };
    let ended = tokio::time::timeout(Duration::from_secs(25), ended).await;
    ended.expect("an end of the connection").0.ok();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    assert!(answer.contains("application/problem+json"), "{answer}");
    assert!(answer.contains(r#""code":"request_timeout""#), "{answer}");
}

pub async fn strangers_are_asked_to_log_in(world: &World) {
    let (alice, stranger) = (world.person("alice").await, world.stranger());
    let room = alice.public_group("For all", &[]).await;
    let forged = stranger.with_token("forged");
    for nobody in [&stranger, &forged, &forged.by_cookie()] {
        for path in [
            "/me",
            "/users",
            &format!("/users/{}", alice.id),
            "/rooms",
            "/rooms?scope=public",
            &format!("/rooms/{room}"),
            &format!("/rooms/{room}/members"),
            &format!("/rooms/{room}/messages"),
            &format!("/presence?users={}", alice.id),
            "/rooms/999999999",
        ] {
            nobody.get(path).await.problem(401, "not_logged_in");
        }
    }
    let rooms = format!("/rooms/{room}");
    let changes = [
        stranger.post("/rooms", json!({"kind": "group", "name": "x"})).await,
        stranger.patch(&rooms, json!({"name": "x"})).await,
        stranger.delete(&rooms).await,
        stranger.post(&format!("{rooms}/join"), json!({})).await,
        stranger.post(&format!("{rooms}/leave"), json!({})).await,
        stranger.post(&format!("{rooms}/messages"), json!({"body": "x"})).await,
        stranger.put(&format!("{rooms}/read"), json!({"position": "1"})).await,
        stranger.put(&format!("{rooms}/members/{}", alice.id), json!({"role": "admin"})).await,
        stranger.delete(&format!("{rooms}/members/{}", alice.id)).await,
        stranger.patch("/me", json!({"display_name": "x"})).await,
        stranger.put("/me/password", json!({"current": "x", "new": "y"})).await,
        stranger.delete("/sessions/current").await,
    ];
    for answer in changes {
        answer.problem(401, "not_logged_in");
    }
    // A token in the address is none.
    for name in ["token", "access_token", "rookery_session"] {
        let path = format!("/me?{name}={}", alice.token);
        stranger.get(&path).await.problem(401, "not_logged_in");
    }
}

pub async fn strangers_hear_of_that_before_anything_else(world: &World) {
    let room = world.person("alice").await.public_group("For all", &[]).await;
    let forged = world.stranger().with_token("forged");
    let (rooms, messages) = (format!("/api/v1/rooms/{room}"), format!("/rooms/{room}/messages"));
    let patch = |kind: &'static str, body: String| {
        forged.request(Method::PATCH, &rooms).header("content-type", kind).body(body).send()
    };
    let too_large = format!(r#"{{"name":"{}"}}"#, "x".repeat(64 * 1024));
    for answer in [
        patch("application/json", r#"{"name":null}"#.into()).await,
        patch("application/json", "{".into()).await,
        patch("text/plain", r#"{"name":"x"}"#.into()).await,
        patch("application/json", too_large).await,
        forged.get(&format!("{messages}?limit=many")).await,
        forged.post(&messages, json!({})).await,
        forged.put("/me/password", json!({})).await,
        forged.by_cookie().get("/users?limit=many").await,
    ] {
        answer.problem(401, "not_logged_in");
    }
}

pub async fn a_wrong_method_is_told_the_right_ones(world: &World) {
    let alice = world.person("alice").await;
    for (method, path, allowed) in [
        (Method::PUT, "/api/v1/me", ["DELETE", "GET", "PATCH"].as_slice()),
        (Method::PUT, "/api/v1/rooms", &["GET", "POST"]),
        (Method::POST, "/api/v1/rooms/1", &["DELETE", "GET", "PATCH"]),
        (Method::GET, "/api/v1/sessions", &["POST"]),
        (Method::OPTIONS, "/api/v1/rooms/1/members/2", &["DELETE", "PUT"]),
    ] {
        let answer = alice.request(method, path).send().await;
        let told = answer.header("allow").expect("an Allow header").to_owned();
        answer.problem(405, "method_not_allowed");
        let mut told: Vec<&str> = told.split(',').map(str::trim).collect();
        told.sort_unstable();
        assert_eq!(told, allowed, "{path}");
    }
}

/// Everything one can ask about a room, or do to it.
async fn everything_with(person: &Person, room: &str) -> Vec<Answer> {
    let path = format!("/rooms/{room}");
    let member = format!("{path}/members/{}", person.id);
    vec![
        person.get(&path).await,
        person.patch(&path, json!({"name": "Mine"})).await,
        person.delete(&path).await,
        person.post(&format!("{path}/join"), json!({})).await,
        person.post(&format!("{path}/leave"), json!({})).await,
        person.get(&format!("{path}/members")).await,
        person.put(&member, json!({"role": "member"})).await,
        person.delete(&member).await,
        person.get(&format!("{path}/messages")).await,
        person.post(&format!("{path}/messages"), json!({"body": "hello"})).await,
        person.put(&format!("{path}/read"), json!({"position": "1"})).await,
        person.get(&format!("/presence?room={room}")).await,
    ]
}

pub async fn a_private_room_is_unknown_to_strangers(world: &World) {
    let [alice, bob, mallory] = world.people(["alice", "bob", "mallory"]).await;
    let private = alice.group("Secret", &[&bob]).await;
    let direct = alice.direct(&bob).await;
    let no_group = everything_with(&mallory, "999999999").await;
    for room in [&private, &direct, "no-such-room"] {
        let answers = everything_with(&mallory, room).await;
        for (answer, unknown) in answers.into_iter().zip(&no_group) {
            assert_eq!(answer.text, unknown.text, "{}", answer.asked);
            answer.problem(404, "not_found");
        }
    }
    for room in [&private, &direct] {
        let form = json!({"position": "9"});
        let read = mallory.put(&format!("/rooms/{room}/read"), form).await;
        read.problem(404, "not_found");
    }
    let public = mallory.get("/rooms?scope=public&query=Secret").await.expect(200);
    let listed = public["rooms"].as_array().expect("a list").iter();
    assert!(listed.filter(|room| room["id"] == private.as_str()).count() == 0, "{public}");
    assert_eq!(mallory.get("/rooms").await.expect(200)["rooms"], json!([]));
}

pub async fn outsiders_see_a_public_group_but_not_into_it(world: &World) {
    let [alice, olga] = world.people(["alice", "olga"]).await;
    let room = alice.public_group("Open house", &[]).await;
    alice.say(&room, "come in").await;
    let view = olga.view(&room).await;
    assert_eq!(view["name"], "Open house");
    assert_eq!(view["visibility"], "public");
    let path = format!("/rooms/{room}");
    for answer in [
        olga.get(&format!("{path}/messages")).await,
        olga.get(&format!("{path}/members")).await,
        olga.post(&format!("{path}/messages"), json!({"body": "hello"})).await,
        olga.put(&format!("{path}/read"), json!({"position": "1"})).await,
    ] {
        answer.problem(403, "not_a_member");
    }
    for answer in [
        olga.patch(&path, json!({"name": "Mine"})).await,
        olga.delete(&path).await,
        olga.put(&format!("{path}/members/{}", olga.id), json!({"role": "admin"})).await,
        olga.delete(&format!("{path}/members/{}", alice.id)).await,
    ] {
        assert_eq!(answer.status, 403, "{answer:?}");
    }
    assert_eq!(olga.join(&room).await["role"], "member");
    olga.history(&room, "").await;
}

pub async fn a_member_without_the_right_is_told_so(world: &World) {
    let [alice, bob, carol] = world.people(["alice", "bob", "carol"]).await;
    let room = alice.group("Orderly", &[&bob]).await;
    let path = format!("/rooms/{room}");
    for answer in [
        bob.patch(&path, json!({"name": "Mine"})).await,
        bob.delete(&path).await,
        bob.put(&format!("{path}/members/{}", carol.id), json!({"role": "member"})).await,
        bob.put(&format!("{path}/members/{}", bob.id), json!({"role": "admin"})).await,
        bob.delete(&format!("{path}/members/{}", alice.id)).await,
    ] {
        answer.problem(403, "forbidden");
    }
    assert_eq!(alice.view(&room).await["name"], "Orderly");
}

pub async fn a_cookie_alone_changes_nothing(world: &World) {
    let alice = world.person("alice").await;
    let browser = alice.by_cookie();
    browser.get("/me").await.expect(200);

    let rename = |headers: &'static [(&'static str, &'static str)]| {
        let browser = browser.at(0);
        let ours = browser.bases[0].clone();
        let mut request = browser.request(Method::PATCH, "/api/v1/me");
        for (name, value) in headers {
            request = request.header(name, &value.replace("OURS", &ours));
        }
        request.json(json!({"display_name": "Alice"})).send()
    };
    let refused: [&'static [(&str, &str)]; 8] = [
        &[],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "none")],
        &[("origin", "http://evil.example")],
        &[("origin", "null")],
        &[("origin", "OURS.evil.example")],
        &[("sec-fetch-site", "cross-site"), ("origin", "OURS")],
    ];
    for headers in refused {
        rename(headers).await.problem(403, "cross_site");
    }
    rename(&[("sec-fetch-site", "same-origin")]).await.expect(200);
    rename(&[("origin", "OURS")]).await.expect(200);

    // A token is not sent by a browser of its own accord.
    let by_token =
        alice.request(Method::PATCH, "/api/v1/me").header("origin", "http://evil.example");
    by_token.json(json!({"display_name": "Alice"})).send().await.expect(200);
}

pub async fn logging_in_from_another_site_is_refused_with_a_cookie(world: &World) {
    let alice = world.person("alice").await;
    let browser = alice.by_cookie();
    for (method, path) in [
        (Method::POST, "/api/v1/rooms"),
        (Method::PUT, "/api/v1/me/password"),
        (Method::DELETE, "/api/v1/sessions/current"),
    ] {
        let request = browser.request(method, path).header("sec-fetch-site", "cross-site");
        request.json(json!({})).send().await.problem(403, "cross_site");
    }
    alice.get("/me").await.expect(200);
}

pub async fn under_https_the_cookie_is_kept_to_the_host(world: &World) {
    let url = "https://chat.example.org";
    let world = world.with(&[("ROOKERY_SERVER__PUBLIC_URL", url)]).await;
    let stranger = world.stranger();
    let username = format!("alice-{}", crate::support::unique());
    let form = json!({"username": username, "password": crate::support::PASSWORD});
    let made = stranger.post("/users", form).await;
    let cookie = made.header("set-cookie").expect("a cookie").to_owned();
    assert!(cookie.starts_with("__Host-rookery_session="), "{cookie}");
    for part in ["Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(part), "{part} in {cookie}");
    }
    made.expect(201);
    let cookie = cookie.split(';').next().expect("a first part");
    let rename = async |origin: &str| {
        let request = stranger.request(Method::PATCH, "/api/v1/me").header("cookie", cookie);
        request.header("origin", origin).json(json!({"display_name": "Alice"})).send().await
    };
    rename(url).await.expect(200);
    rename("http://chat.example.org").await.problem(403, "cross_site");
    rename(&stranger.bases[0]).await.problem(403, "cross_site");
}

pub async fn what_is_not_there_is_not_found(world: &World) {
    let alice = world.person("alice").await;
    for path in
        ["/users/99999999", "/users/nobody", "/rooms/99999999", "/rooms/nothing", "/nothing"]
    {
        alice.get(path).await.problem(404, "not_found");
    }
    let room = alice.group("Lonely", &[]).await;
    for user in ["99999999", "nobody"] {
        let path = format!("/rooms/{room}/members/{user}");
        alice.put(&path, json!({"role": "member"})).await.problem(404, "not_found");
        alice.delete(&path).await.problem(404, "not_found");
    }
}
