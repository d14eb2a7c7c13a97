//! Rooms: making, changing, finding and deleting them; direct rooms.

use serde_json::{Value, json};

use super::ground::{ids, ids_of_all_pages, is_position, position};
use crate::support::{Person, World, unique};

pub async fn a_group_is_made_with_its_members(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let form = json!({"kind": "group", "name": " Books ", "members": [bob.id]});
    let room = alice.post("/rooms", form).await.expect(201)["room"].clone();
    let id = room["id"].as_str().expect("an id").to_owned();
    assert_eq!(room["kind"], "group");
    assert_eq!(room["name"], "Books");
    assert_eq!(room["topic"], "");
    assert_eq!(room["visibility"], "private");
    assert_eq!(room["role"], "admin");
    assert_eq!(room["member_count"], 2);
    assert_eq!((&room["unread"], &room["mentions"]), (&json!(0), &json!(0)));
    assert!(room["last_message"].is_null(), "{room}");
    assert!(is_position(&room["position"]) && is_position(&room["read_position"]), "{room}");

    let seen = bob.view(&id).await;
    assert_eq!((&seen["role"], &seen["name"]), (&json!("member"), &json!("Books")));
    for person in [&alice, &bob] {
        let mine = person.get("/rooms").await.expect(200)["rooms"].clone();
        let mine = mine.as_array().expect("a list").clone();
        assert_eq!(mine.len(), 1);
        assert_eq!(mine[0], person.view(&id).await);
    }
}

pub async fn my_list_shows_the_last_message(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Books", &[&bob]).await;
    alice.say(&room, "first").await;
    let last = alice.say(&room, "last").await;
    let mine = bob.get("/rooms").await.expect(200)["rooms"][0].clone();
    assert_eq!(mine["last_message"]["id"], last["id"]);
    assert_eq!(mine["last_message"]["body"], "last");
    assert!(position(&mine["position"]) >= position(&last["position"]), "{mine}");
}

pub async fn a_direct_room_exists_once(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let form = |other: &Person| json!({"kind": "direct", "members": [other.id]});
    let made = alice.post("/rooms", form(&bob)).await.expect(201)["room"].clone();
    assert_eq!((&made["kind"], &made["member_count"]), (&json!("direct"), &json!(2)));
    for (person, other) in [(&bob, &alice), (&alice, &bob)] {
        let again = person.post("/rooms", form(other)).await.expect(200);
        assert_eq!(again["room"]["id"], made["id"]);
    }
    let room = made["id"].as_str().expect("an id");
    alice.say(room, "psst").await;
    assert_eq!(bob.history(room, "").await["messages"][0]["body"], "psst");
}

pub async fn two_who_open_a_direct_room_at_once_meet_in_it(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let (a, b) = tokio::join!(alice.direct(&bob), bob.direct(&alice));
    assert_eq!(a, b);
}

pub async fn a_direct_room_has_two_members_for_ever(world: &World) {
    let [alice, bob, carol] = world.people(["alice", "bob", "carol"]).await;
    let room = alice.direct(&bob).await;
    let path = format!("/rooms/{room}");
    for answer in [
        alice.patch(&path, json!({"name": "Us"})).await,
        alice.patch(&path, json!({"visibility": "public"})).await,
        alice.delete(&path).await,
        alice.post(&format!("{path}/leave"), json!({})).await,
        alice.put(&format!("{path}/members/{}", carol.id), json!({"role": "member"})).await,
        alice.put(&format!("{path}/members/{}", bob.id), json!({"role": "admin"})).await,
        alice.delete(&format!("{path}/members/{}", bob.id)).await,
    ] {
        answer.problem(409, "direct_room");
    }
    assert_eq!(bob.view(&room).await["member_count"], 2);
}

pub async fn admins_change_name_topic_and_visibility(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Books", &[&bob]).await;
    let path = format!("/rooms/{room}");
    let longest = ("ü".repeat(80), "ö".repeat(250));
    let changes = json!({"name": longest.0, "topic": longest.1});
    let changed = alice.patch(&path, changes).await.expect(200)["room"].clone();
    assert_eq!(changed["name"], longest.0);
    assert_eq!(bob.view(&room).await["topic"], longest.1);

    let public = alice.patch(&path, json!({"visibility": "public"})).await.expect(200);
    assert_eq!(public["room"]["name"], longest.0, "what is not named stays");
    assert_eq!(bob.view(&room).await["visibility"], "public");
    let emptied = alice.patch(&path, json!({"topic": ""})).await.expect(200);
    assert_eq!(emptied["room"]["topic"], "");

    let too_long = ["ü".repeat(81), "ö".repeat(251)];
    let patch = |body: Value| alice.patch(&path, body);
    patch(json!({"name": too_long[0]})).await.problem(422, "invalid_name");
    patch(json!({"name": " "})).await.problem(422, "invalid_name");
    patch(json!({"topic": too_long[1]})).await.problem(422, "invalid_topic");
    patch(json!({"visibility": "secret"})).await.problem(422, "invalid_visibility");
    patch(json!({"name": 7})).await.problem(400, "bad_request");
    let make = json!({"kind": "group", "name": too_long[0]});
    alice.post("/rooms", make).await.problem(422, "invalid_name");
    let make = json!({"kind": "group", "name": ""});
    alice.post("/rooms", make).await.problem(422, "invalid_name");
}

pub async fn a_change_that_changes_nothing_is_none(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Quiet", &[&bob]).await;
    let path = format!("/rooms/{room}");
    alice.patch(&path, json!({"topic": "silence"})).await.expect(200);
    let before = bob.view(&room).await;
    let mut socket = bob.socket().await;
    let as_it_is = json!({"name": "Quiet", "topic": " silence ", "visibility": "private"});
    for nothing in [json!({}), json!({"topic": "silence"}), as_it_is] {
        let answer = alice.patch(&path, nothing).await.expect(200);
        assert_eq!(answer["room"]["position"], before["position"], "{answer}");
        assert_eq!(answer["room"]["topic"], "silence");
    }
    bob.patch(&path, json!({})).await.problem(403, "forbidden");
    alice.patch(&path, json!({"topic": "silence", "name": "Loud"})).await.expect(200);
    let told = socket.expect("room_updated").await;
    assert_eq!(told["info"]["name"], "Loud", "the first that anybody hears: {told}");
    assert_eq!(socket.of_room(&room).len(), 1);
}

pub async fn a_deleted_room_is_gone_for_everyone(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.public_group("Soon gone", &[&bob]).await;
    alice.say(&room, "goodbye").await;
    let path = format!("/rooms/{room}");
    alice.delete(&path).await.expect(204);
    for person in [&bob, &alice] {
        person.get(&path).await.problem(404, "not_found");
        person.get(&format!("{path}/messages")).await.problem(404, "not_found");
        let send = person.post(&format!("{path}/messages"), json!({"body": "hello?"})).await;
        send.problem(404, "not_found");
        person.post(&format!("{path}/join"), json!({})).await.problem(404, "not_found");
        assert_eq!(person.get("/rooms").await.expect(200)["rooms"], json!([]));
    }
}

pub async fn public_groups_are_listed_in_pages(world: &World) {
    let [alice, olga] = world.people(["alice", "olga"]).await;
    let family = unique();
    let mut rooms = Vec::new();
    for at in 0..3 {
        rooms.push(alice.public_group(&format!("{family} {at}"), &[]).await);
    }
    alice.group(&format!("{family} private"), &[]).await;
    let path = format!("/rooms?scope=public&query={family}");
    let all = olga.get(&path).await.expect(200);
    assert!(all["rooms"][0]["name"].as_str().is_some_and(|name| name.starts_with(&family)));
    let mut seen = ids_of_all_pages(&olga, &path, "rooms").await;
    seen.sort();
    rooms.sort();
    assert_eq!(seen, rooms);

    let hide = json!({"visibility": "private"});
    alice.patch(&format!("/rooms/{}", rooms[0]), hide).await.expect(200);
    assert_eq!(ids(&olga.get(&path).await.expect(200), "rooms").len(), 2);
    assert_eq!(olga.get("/rooms").await.expect(200)["rooms"], json!([]), "none of them is hers");
}

pub async fn changes_have_a_rate_for_each_person(world: &World) {
    let limits =
        [("ROOKERY_LIMITS__CHANGES_BURST", "4"), ("ROOKERY_LIMITS__CHANGES_PER_SECOND", "1")];
    let world = world.with(&limits).await;
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.public_group("Busy", &[]).await;
    let mut refused = None;
    for at in 0..40 {
        let topic = json!({"topic": format!("topic {at}")});
        let answer = alice.patch(&format!("/rooms/{room}"), topic).await;
        if answer.status != 200 {
            refused = Some(answer);
            break;
        }
    }
    refused.expect("a refusal").problem(429, "too_many_changes");
    let founding = json!({"kind": "group", "name": "One more"});
    alice.post("/rooms", founding).await.problem(429, "too_many_changes");
    let path = format!("/rooms/{room}/members/{}", bob.id);
    alice.put(&path, json!({"role": "member"})).await.problem(429, "too_many_changes");
    // What is no change goes on, and so does everybody else.
    alice.say(&room, "so be it").await;
    bob.join(&room).await;
    crate::support::until("alice to be heard again", async || {
        (alice.put(&path, json!({"role": "member"})).await.status == 200).then_some(())
    })
    .await;
}

/// A file takes anything.
pub async fn what_is_too_large_for_kafka_is_refused_for_good(world: &World) {
    if !world.is_cluster() {
        return;
    }
    let properties = r#"{"message.max.bytes"="2000"}"#;
    let world = world.with(&[("ROOKERY_LOG__PROPERTIES", properties)]).await;
    let alice = world.person("alice").await;
    let room = alice.group("Short words", &[]).await;
    let long = json!({"body": "a".repeat(3_000)});
    alice.post(&format!("/rooms/{room}/messages"), long).await.problem(413, "too_large");
    let mut socket = alice.socket().await;
    let send = json!({"room": room, "client_id": "1", "body": "a".repeat(3_000)});
    let error = socket.error("send", send, "too_large").await;
    assert_ne!(error["temporary"], true, "{error}");
    alice.say(&room, "short enough").await;
}
