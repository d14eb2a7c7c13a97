//! The simple API: the calls of small Kafka chats, with plain HTTP and a plain WebSocket.

use reqwest::Method;
use serde_json::{Value, json};

use super::ground::is_time;
use crate::support::{Answer, Lines, Person, World, handshake_at, until};

fn number(id: &str) -> i64 {
    id.parse().unwrap_or_else(|_| panic!("{id} is no number"))
}

async fn call(person: &Person, method: Method, path: &str, body: Value) -> Answer {
    person.request(method, path).json(body).send().await
}

async fn post(person: &Person, body: Value) -> Answer {
    call(person, Method::POST, "/send-message/", body).await
}

/// Sends to a group; returns the message's id.
async fn send(person: &Person, group: &str, message: &str) -> i64 {
    let form =
        json!({"user_id": number(&person.id), "message": message, "group_id": number(group)});
    let sent = post(person, form).await.expect(200);
    let id = sent["id"].as_i64().unwrap_or_else(|| panic!("no number: {sent}"));
    assert_eq!(sent, json!({"id": id, "group_id": number(group), "status": "sent"}));
    id
}

async fn list(person: &Person, path: &str) -> Vec<Value> {
    let list = person.request(Method::GET, &format!("/messages/{path}")).send().await.expect(200);
    list.as_array().unwrap_or_else(|| panic!("no list: {list}")).clone()
}

fn texts(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["message"].as_str().expect("a text")).collect()
}

pub async fn what_is_sent_is_listed_changed_and_deleted(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let group = alice.group("Books", &[&bob]).await;
    let first = send(&alice, &group, "  Hello! 🦜 ").await;
    let second = send(&bob, &group, "Hi").await;
    assert!(first < second);
    let lines = list(&bob, &group).await;
    let timestamp = lines[0]["timestamp"].clone();
    assert!(is_time(&timestamp), "{lines:?}");
    let expected = json!({
        "id": first, "group_id": number(&group), "user_id": number(&alice.id),
        "username": alice.username, "message": "Hello! 🦜", "timestamp": timestamp,
    });
    assert_eq!((&lines[0], lines.len()), (&expected, 2));
    assert_eq!(lines[1]["id"], second);

    let edit = format!("/edit-message/{first}");
    let edited = call(&alice, Method::PUT, &edit, json!({"message": "Hello, Bob"})).await;
    assert_eq!(edited.expect(200), json!({"id": first, "status": "edited"}));
    let line = list(&bob, &group).await[0].clone();
    assert_eq!((&line["message"], &line["edited"]), (&json!("Hello, Bob"), &json!(true)));
    assert_eq!(line.get("deleted"), None);

    let path = format!("/delete-message/{first}");
    for _ in 0..2 {
        let deleted = alice.request(Method::DELETE, &path).send().await.expect(200);
        assert_eq!(deleted, json!({"id": first, "status": "deleted"}));
    }
    let line = list(&bob, &group).await[0].clone();
    assert_eq!(line["id"], first, "it keeps its place");
    assert_eq!((&line["message"], &line["deleted"]), (&json!(""), &json!(true)));
    assert_eq!(line.get("edited"), None);
    // It is the same message as elsewhere.
    let page = alice.history(&group, "").await;
    assert_eq!(page["messages"][0]["id"], first.to_string());
    assert_eq!(page["messages"][1]["body"], "Hi");

    // Each address with and without a slash at the end; ids as strings too.
    let strings = json!({"user_id": alice.id, "message": "again", "group_id": group});
    let third = call(&alice, Method::POST, "/send-message", strings).await.expect(200)["id"]
        .as_i64()
        .expect("a number");
    assert_eq!(list(&alice, &format!("{group}/")).await.len(), 3);
    let form = json!({"message": "once more"});
    call(&alice, Method::PUT, &format!("/edit-message/{third}/"), form).await.expect(200);
    let path = format!("/delete-message/{third}/");
    alice.request(Method::DELETE, &path).send().await.expect(200);
}

pub async fn without_a_group_it_is_the_only_or_last_used_one(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let say = async |person: &Person, message: &str| {
        let form = json!({"user_id": number(&person.id), "message": message});
        let answer = post(person, form).await;
        match answer.status {
            200 => answer.expect(200)["group_id"].as_i64(),
            _ => {
                answer.problem(422, "no_group");
                None
            }
        }
    };
    assert_eq!(say(&alice, "anybody?").await, None);
    // A direct conversation is no group.
    alice.direct(&bob).await;
    assert_eq!(say(&alice, "anybody?").await, None);
    let books = alice.group("Books", &[&bob]).await;
    assert_eq!(say(&alice, "the only one").await, Some(number(&books)));
    let films = alice.group("Films", &[&bob]).await;
    assert_eq!(say(&alice, "the last used one").await, Some(number(&books)));
    send(&alice, &films, "this one").await;
    bob.say(&books, "later, but not by alice").await;
    assert_eq!(say(&alice, "the last used one").await, Some(number(&films)));
    // Bob is in both and used one.
    assert_eq!(say(&bob, "the last used one").await, Some(number(&books)));
    // Who has left the group that they used last is in one alone, or in one of the others.
    let place = format!("/rooms/{films}/members/{}", bob.id);
    alice.put(&place, json!({"role": "admin"})).await.expect(200);
    alice.leave(&films).await;
    assert_eq!(say(&alice, "the only one again").await, Some(number(&books)));
}

pub async fn sending_again_with_the_same_client_id_gives_the_first(world: &World) {
    let alice = world.person("alice").await;
    let group = alice.group("Books", &[]).await;
    let form = json!({
        "user_id": alice.id, "message": "once", "group_id": group, "client_id": "c-1",
    });
    let first = post(&alice, form.clone()).await.expect(200);
    assert_eq!(post(&alice, form).await.expect(200), first);
    assert_eq!(list(&alice, &group).await.len(), 1);
}

pub async fn a_direct_conversation_has_its_string_for_an_id(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.direct(&bob).await;
    let form = json!({"user_id": number(&alice.id), "message": "psst", "group_id": room});
    let sent = post(&alice, form).await.expect(200);
    assert_eq!(sent["group_id"], room);
    let lines = list(&bob, &room).await;
    assert_eq!((&lines[0]["group_id"], texts(&lines)), (&json!(room), vec!["psst"]));
}

pub async fn one_sends_and_changes_ones_own(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let group = alice.group("Books", &[&bob]).await;
    let form = json!({"user_id": alice.id, "message": "I am alice", "group_id": group});
    post(&bob, form).await.problem(403, "forbidden");
    let hers = send(&alice, &group, "hers").await;
    let (edit, delete) = (format!("/edit-message/{hers}"), format!("/delete-message/{hers}"));
    call(&bob, Method::PUT, &edit, json!({"message": "his"})).await.problem(403, "forbidden");
    bob.request(Method::DELETE, &delete).send().await.problem(403, "forbidden");
    assert_eq!(texts(&list(&bob, &group).await), ["hers"]);
    // An admin may delete.
    let his = send(&bob, &group, "his").await;
    let delete = format!("/delete-message/{his}");
    alice.request(Method::DELETE, &delete).send().await.expect(200);
    let edit = format!("/edit-message/{his}");
    let form = json!({"message": "back"});
    call(&bob, Method::PUT, &edit, form).await.problem(409, "message_deleted");
}

pub async fn groups_of_others_stay_closed(world: &World) {
    let [alice, mallory] = world.people(["alice", "mallory"]).await;
    let private = alice.group("Private", &[]).await;
    let public = alice.public_group("Public", &[]).await;
    for (group, status, code) in [(&private, 404, "not_found"), (&public, 403, "not_a_member")] {
        let id = send(&alice, group, "ours").await;
        let form = json!({"user_id": mallory.id, "message": "mine", "group_id": group});
        post(&mallory, form).await.problem(status, code);
        let path = format!("/messages/{group}");
        mallory.request(Method::GET, &path).send().await.problem(status, code);
        let path = format!("/edit-message/{id}");
        call(&mallory, Method::PUT, &path, json!({"message": "x"})).await.problem(status, code);
        let path = format!("/delete-message/{id}");
        mallory.request(Method::DELETE, &path).send().await.problem(status, code);
        assert_eq!(texts(&list(&alice, group).await), ["ours"]);
    }
    for path in ["/messages/nothing", "/messages/999999999", "/messages/"] {
        mallory.request(Method::GET, path).send().await.problem(404, "not_found");
    }
    let path = "/edit-message/999999999999999";
    call(&mallory, Method::PUT, path, json!({"message": "x"})).await.problem(404, "not_found");
}

pub async fn what_does_not_fit_is_told_as_a_problem(world: &World) {
    let alice = world.person("alice").await;
    let group = alice.group("Books", &[]).await;
    let form = |message: &str| json!({"user_id": alice.id, "message": message, "group_id": group});
    for wrong in ["", " \n ", &"€".repeat(4001)] {
        post(&alice, form(wrong)).await.problem(422, "invalid_message");
    }
    for wrong in [
        json!({"message": "x"}),
        json!({"user_id": alice.id}),
        json!({"user_id": alice.id, "message": 7}),
        json!({"user_id": true, "message": "x"}),
        json!({"user_id": alice.id, "message": "x", "group_id": 1.5}),
        json!(["x"]),
    ] {
        post(&alice, wrong).await.problem(400, "bad_request");
    }
    let mut wrong = form("x");
    wrong["client_id"] = json!("é");
    post(&alice, wrong).await.problem(422, "invalid_client_id");
    let plain = alice.request(Method::POST, "/send-message/").body("hello");
    plain.send().await.problem(415, "unsupported_media_type");
    let id = send(&alice, &group, "x").await;
    let path = format!("/edit-message/{id}");
    call(&alice, Method::PUT, &path, json!({"message": ""})).await.problem(422, "invalid_message");
    call(&alice, Method::PUT, &path, json!({"body": "y"})).await.problem(400, "bad_request");
    call(&alice, Method::POST, &path, json!({})).await.problem(405, "method_not_allowed");
    let path = format!("/messages/{group}?before=x");
    alice.request(Method::GET, &path).send().await.problem(400, "bad_request");

    let stranger = world.stranger();
    for (method, path) in [
        (Method::POST, "/send-message/".to_owned()),
        (Method::GET, format!("/messages/{group}")),
        (Method::PUT, format!("/edit-message/{id}")),
        (Method::DELETE, format!("/delete-message/{id}")),
    ] {
        call(&stranger, method, &path, json!({})).await.problem(401, "not_logged_in");
    }
}

pub async fn a_cookie_needs_our_page_here_too(world: &World) {
    let alice = world.person("alice").await.at(0);
    let (browser, ours) = (alice.by_cookie(), alice.bases[0].clone());
    let group = alice.group("Books", &[]).await;
    let form = json!({"user_id": alice.id, "message": "x", "group_id": group});
    let send = async |site: &str| {
        let request = browser.request(Method::POST, "/send-message/");
        request.header("sec-fetch-site", site).json(form.clone()).send().await
    };
    send("cross-site").await.problem(403, "cross_site");
    post(&browser, form.clone()).await.problem(403, "cross_site");
    let id = send("same-origin").await.expect(200)["id"].clone();
    for (method, path) in [
        (Method::PUT, format!("/edit-message/{id}")),
        (Method::DELETE, format!("/delete-message/{id}")),
    ] {
        let request = browser.request(method, &path).header("origin", "http://evil.example");
        request.json(json!({"message": "y"})).send().await.problem(403, "cross_site");
    }
    assert_eq!(texts(&list(&browser, &group).await), ["x"]);

    let path = format!("/subscribe/{group}");
    let open = |origin: &str| handshake_at(&browser, &path).header("origin", origin);
    open("http://evil.example").send().await.problem(403, "cross_site");
    handshake_at(&browser, &path).send().await.problem(403, "cross_site");
    assert_eq!(open(&ours).opened().await, None);
}

pub async fn a_list_has_the_newest_1000_or_those_before(world: &World) {
    const ALL: usize = 1_005;
    let limits = [
        ("ROOKERY_LIMITS__MESSAGES_PER_SECOND", "100000"),
        ("ROOKERY_LIMITS__MESSAGES_BURST", "100000"),
    ];
    let world = world.with(&limits).await;
    let alice = world.person("alice").await;
    let group = alice.group("Long", &[]).await;
    let mut socket = Lines::subscribe(&alice, &group).await;
    for at in 0..ALL {
        socket.send(&at.to_string()).await;
    }
    for at in 0..ALL {
        assert_eq!(socket.next().await["message"], at.to_string());
    }
    let newest = list(&alice, &group).await;
    let expected = |from: usize, to: usize| (from..to).map(|at| at.to_string()).collect::<Vec<_>>();
    assert_eq!(texts(&newest), expected(ALL - 1_000, ALL));
    let before = newest[0]["id"].as_i64().expect("a number");
    let older = list(&alice, &format!("{group}?before={before}")).await;
    assert_eq!(texts(&older), expected(0, ALL - 1_000));
    let first = older[0]["id"].as_i64().expect("a number");
    assert_eq!(list(&alice, &format!("{group}?before={first}")).await, Vec::<Value>::new());
}

pub async fn a_subscriber_hears_and_says_what_all_others_do(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let group = alice.group("Books", &[&bob]).await;
    let mut elsewhere = bob.socket().await;
    let mut alices = Lines::subscribe(&alice.at(0), &group).await;
    let mut bobs = Lines::subscribe(&bob.at(1), &group).await;

    alices.send(r#"{"message": "as an object"}"#).await;
    let line = bobs.next().await;
    let (id, timestamp) = (line["id"].clone(), line["timestamp"].clone());
    assert!(id.is_i64() && is_time(&timestamp), "{line}");
    let expected = json!({
        "id": id, "group_id": number(&group), "user_id": number(&alice.id),
        "username": alice.username, "message": "as an object", "timestamp": timestamp,
    });
    assert_eq!(line, expected);
    assert_eq!(alices.next().await, line, "its sender hears it, too");
    bobs.send("as plain text").await;
    assert_eq!(alices.next().await["message"], "as plain text");
    bob.say(&group, "over the API").await;
    send(&alice, &group, "over the simple API").await;
    assert_eq!(alices.next().await["message"], "over the API");
    assert_eq!(alices.next().await["message"], "over the simple API");
    elsewhere.expect_message("as plain text").await;

    let path = format!("/api/v1/messages/{id}");
    call(&alice, Method::PATCH, &path, json!({"body": "edited"})).await.expect(200);
    let edited = alices.next().await;
    assert_eq!((&edited["id"], &edited["message"]), (&id, &json!("edited")));
    assert_eq!((&edited["edited"], &edited["timestamp"]), (&json!(true), &timestamp));
    alice.request(Method::DELETE, &path).send().await.expect(204);
    let deleted = alices.next().await;
    assert_eq!((&deleted["id"], &deleted["message"]), (&id, &json!("")));
    assert_eq!((&deleted["deleted"], deleted.get("edited")), (&json!(true), None));

    // What is no message is none here, and every view has the same order.
    elsewhere.ok("typing", json!({"room": group})).await;
    elsewhere.ok("read", json!({"room": group, "position": "1"})).await;
    alice.patch(&format!("/rooms/{group}"), json!({"topic": "new"})).await.expect(200);
    send(&alice, &group, "the end").await;
    while alices.next().await["message"] != "the end" {}
    while bobs.next().await["message"] != "the end" {}
    assert_eq!(alices.log, bobs.log);
    assert_eq!(alices.log.len(), 7);
}

pub async fn a_subscriber_hears_from_now_on_alone(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let group = alice.group("Books", &[&bob]).await;
    let other = alice.group("Films", &[&bob]).await;
    send(&alice, &group, "before").await;
    let mut bobs = Lines::subscribe(&bob, &group).await;
    send(&alice, &other, "elsewhere").await;
    // Rooms that one comes into are no matter of this socket either, nor what becomes of oneself.
    let third = alice.group("Third", &[&bob]).await;
    send(&alice, &third, "elsewhere, too").await;
    let mut devices = bob.socket().await;
    bob.patch("/me", json!({"display_name": "Bob B."})).await.expect(200);
    devices.expect("user_updated").await;
    send(&alice, &group, "after").await;
    assert_eq!(bobs.next().await["message"], "after");
    assert_eq!(bobs.log.len(), 1);
    // Who was let in by one instance may subscribe at the other at once.
    let carol = world.person("carol").await;
    for instance in [0, 1] {
        let place = format!("/rooms/{group}/members/{}", carol.id);
        alice.at(instance).put(&place, json!({"role": "member"})).await.expect(201);
        let mut carols = Lines::subscribe(&carol.at(instance + 1), &group).await;
        send(&alice.at(instance), &group, "welcome").await;
        assert_eq!(carols.next().await["message"], "welcome");
        alice.at(instance).delete(&place).await.expect(204);
        assert_eq!(carols.closed().await, Some(1008));
    }
}

pub async fn a_subscriber_is_told_what_was_not_posted(world: &World) {
    let limits =
        [("ROOKERY_LIMITS__MESSAGES_BURST", "20"), ("ROOKERY_LIMITS__MESSAGES_PER_SECOND", "1")];
    let world = world.with(&limits).await;
    let alice = world.person("alice").await;
    let group = alice.group("Books", &[]).await;
    let mut socket = Lines::subscribe(&alice, &group).await;
    for (wrong, code) in [
        ("", "invalid_message"),
        (r#"{"message": " "}"#, "invalid_message"),
        (&"x".repeat(4_001), "invalid_message"),
        (r#"{"text": "x"}"#, "bad_request"),
        (r#"{"message": 7}"#, "bad_request"),
        (r#"{"message": "x", "user_id": 999999999}"#, "forbidden"),
        (r#"{"message": "x", "group_id": 999999999}"#, "invalid_group_id"),
        (r#"{"message": "x", "client_id": "é"}"#, "invalid_client_id"),
    ] {
        socket.send(wrong).await;
        socket.error(code).await;
    }
    // With everything that the other chats say.
    let whole = json!({
        "user_id": number(&alice.id), "group_id": number(&group), "message": "x", "client_id": "1",
    });
    socket.send(&whole.to_string()).await;
    assert_eq!(socket.next().await["message"], "x");
    for _ in 0..200 {
        socket.send("too fast").await;
    }
    assert_eq!(socket.closed().await, Some(4429));
    let last = socket.log.last().expect("something came");
    assert_eq!((&last["code"], &last["temporary"]), (&json!("too_many_messages"), &json!(true)));
}

pub async fn who_may_not_subscribe_hears_so_before_the_upgrade(world: &World) {
    let [alice, mallory] = world.people(["alice", "mallory"]).await;
    let private = alice.group("Private", &[]).await;
    let public = alice.public_group("Public", &[]).await;
    let path = |group: &str| format!("/subscribe/{group}");
    let open = |group: &str| handshake_at(&mallory, &path(group));
    open(&private).send().await.problem(404, "not_found");
    open(&public).send().await.problem(403, "not_a_member");
    open("nothing").send().await.problem(404, "not_found");
    open("999999999").send().await.problem(404, "not_found");
    handshake_at(&world.stranger(), &path(&public)).send().await.problem(401, "not_logged_in");
    let plain = alice.request(Method::GET, &path(&public)).send().await;
    assert_eq!(plain.header("upgrade"), Some("websocket"));
    plain.problem(426, "upgrade_required");
    // The refused take no place among the sockets, and a slash or another protocol do no harm.
    mallory.join(&public).await;
    assert_eq!(open(&format!("{public}/")).opened().await, None);
    let other = open(&public).header("sec-websocket-protocol", "chat").opened().await;
    assert_eq!(other, None);
}

pub async fn a_subscription_ends_with_the_membership_or_the_group(world: &World) {
    let [alice, bob, carol] = world.people(["alice", "bob", "carol"]).await;
    let group = alice.group("Books", &[&bob, &carol]).await;
    let mut elsewhere = bob.socket().await;
    let mut bobs = Lines::subscribe(&bob.at(1), &group).await;
    let mut carols = Lines::subscribe(&carol, &group).await;
    let mut alices = Lines::subscribe(&alice, &group).await;
    send(&alice, &group, "goodbye, bob").await;
    alice.at(0).delete(&format!("/rooms/{group}/members/{}", bob.id)).await.expect(204);
    send(&alice, &group, "he is gone").await;
    assert_eq!(bobs.closed().await, Some(1008));
    assert_eq!(texts(&bobs.log), ["goodbye, bob"]);
    elsewhere.expect("member_removed").await;
    elsewhere.settle().await;
    carol.leave(&group).await;
    assert_eq!(carols.closed().await, Some(1008));
    assert_eq!(texts(&carols.log), ["goodbye, bob", "he is gone"]);
    alice.delete(&format!("/rooms/{group}")).await.expect(204);
    assert_eq!(alices.closed().await, Some(1000));
    handshake_at(&alice, &format!("/subscribe/{group}")).send().await.problem(404, "not_found");
}

pub async fn a_subscription_ends_with_the_login(world: &World) {
    let alice = world.person("alice").await;
    let group = alice.group("Books", &[]).await;
    let other = alice.log_in_again().await;
    let mut first = Lines::subscribe(&alice.at(0), &group).await;
    let mut second = Lines::subscribe(&other.at(0), &group).await;
    alice.at(1).delete("/sessions/current").await.expect(204);
    assert_eq!(first.closed().await, Some(4501));
    second.send("still here").await;
    assert_eq!(second.next().await["message"], "still here");
}

pub async fn a_subscriber_is_online(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let group = alice.group("Books", &[&bob]).await;
    let status = async |expected: &str| {
        until(&format!("bob to be {expected}"), async || {
            let list = alice.get(&format!("/presence?users={}", bob.id)).await.expect(200);
            (list["users"][0]["status"] == expected).then_some(())
        })
        .await;
    };
    status("offline").await;
    let socket = Lines::subscribe(&bob, &group).await;
    status("online").await;
    drop(socket);
    status("offline").await;
}

pub async fn a_subscriber_is_sent_elsewhere_when_the_instance_stops(world: &World) {
    let mut world = world.with(&[]).await;
    let alice = world.person("alice").await;
    let group = alice.group("Books", &[]).await;
    let mut socket = Lines::subscribe(&alice, &group).await;
    send(&alice, &group, "last words").await;
    world.hub().signal(libc::SIGTERM);
    assert_eq!(socket.closed().await, Some(1012));
    assert_eq!(texts(&socket.log), ["last words"]);
    drop(socket);
    assert_eq!(world.hub().ended().await.code(), Some(0));
    world.hub().start().await;
    let mut again = Lines::subscribe(&alice, &group).await;
    again.send("back").await;
    assert_eq!(again.next().await["message"], "back");
}
