//! Mutes: for a time a member reads and reacts, but does not write.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::ground::is_time;
use crate::support::{Answer, Lines, Person, World};

fn mute_path(room: &str, person: &Person) -> String {
    format!("/rooms/{room}/members/{}/mute", person.id)
}

async fn mute(by: &Person, room: &str, person: &Person, minutes: i64) -> Answer {
    by.put(&mute_path(room, person), json!({"minutes": minutes})).await
}

async fn send(person: &Person, room: &str, body: &str) -> Answer {
    person.post(&format!("/rooms/{room}/messages"), json!({"body": body})).await
}

async fn listed(by: &Person, room: &str, person: &Person) -> Value {
    let list = by.get(&format!("/rooms/{room}/members")).await.expect(200);
    let mut members = list["members"].as_array().expect("a list").iter();
    members.find(|member| member["user_id"] == json!(person.id)).expect("a member").clone()
}

pub async fn the_muted_read_and_react_but_do_not_write(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Books", &[&bob]).await;
    let (own, hers) = (bob.say(&room, "mine").await, alice.say(&room, "hers").await);
    let mut bobs = bob.socket().await;
    let member = mute(&alice, &room, &bob, 10).await.expect(200)["member"].clone();
    let until = member["muted_until"].clone();
    assert_eq!((&member["user_id"], &member["role"]), (&json!(bob.id), &json!("member")));
    assert!(is_time(&until), "{member}");

    let told = bobs.expect("member_updated").await;
    assert_eq!((&told["member"]["muted_until"], &told["by"]), (&until, &json!(alice.id)));
    // On every instance.
    for _ in 0..2 {
        let refused = send(&bob, &room, "but").await.problem(403, "muted");
        assert_eq!(refused["muted_until"], until);
        let detail = refused["detail"].as_str().expect("a detail");
        assert!(detail.contains(until.as_str().expect("a time")), "{detail}");
        assert_eq!(bob.view(&room).await["muted_until"], until);
        assert_eq!(listed(&bob, &room, &bob).await["muted_until"], until);
    }
    let id = own["id"].as_str().expect("an id");
    bob.patch(&format!("/messages/{id}"), json!({"body": "but"})).await.problem(403, "muted");
    let form = json!({"room": room, "client_id": "1", "body": "but"});
    let refused = bobs.error("send", form, "muted").await;
    assert_eq!((&refused["muted_until"], &refused["temporary"]), (&until, &json!(false)));
    bobs.error("edit", json!({"message": id, "body": "but"}), "muted").await;

    bobs.ok("react", json!({"message": hers["id"], "emoji": "👍", "on": true})).await;
    assert_eq!(bob.read(&room, &hers["position"]).await["unread"], 0);
    bob.delete(&format!("/messages/{id}")).await.expect(204);
    assert_eq!(bob.get("/rooms").await.expect(200)["rooms"][0]["muted_until"], until);
    assert_eq!(bob.socket().await.greeting["rooms"][0]["muted_until"], until);
    assert_eq!(alice.view(&room).await.get("muted_until"), None);

    alice.delete(&mute_path(&room, &bob)).await.expect(204);
    let told = bobs.expect("member_updated").await;
    assert_eq!(
        (&told["member"]["user_id"], told["member"].get("muted_until")),
        (&json!(bob.id), None)
    );
    for text in ["thank", "you"] {
        bob.say(&room, text).await;
        assert_eq!(bob.view(&room).await.get("muted_until"), None);
    }
    alice.delete(&mute_path(&room, &bob)).await.expect(204);
}

pub async fn admins_mute_members_for_a_minute_up_to_30_days(world: &World) {
    let [alice, bob, carol, dave] = world.people(["alice", "bob", "carol", "dave"]).await;
    let room = alice.public_group("Open", &[&bob, &carol]).await;
    mute(&bob, &room, &carol, 10).await.problem(403, "forbidden");
    mute(&dave, &room, &carol, 10).await.problem(403, "not_a_member");
    mute(&alice, &room, &alice, 10).await.problem(409, "is_admin");
    mute(&alice, &room, &dave, 10).await.problem(404, "not_found");
    alice.delete(&mute_path(&room, &dave)).await.problem(404, "not_found");
    alice
        .put(&format!("/rooms/{room}/members/0/mute"), json!({"minutes": 1}))
        .await
        .problem(404, "not_found");
    for minutes in [0, -1, 43_201] {
        mute(&alice, &room, &bob, minutes).await.problem(422, "invalid_minutes");
    }
    for body in [json!({}), json!({"minutes": "10"}), json!({"minutes": 1.5})] {
        alice.put(&mute_path(&room, &bob), body).await.problem(400, "bad_request");
    }
    let direct = alice.direct(&bob).await;
    mute(&alice, &direct, &bob, 10).await.problem(409, "direct_room");
    alice.delete(&mute_path(&direct, &bob)).await.problem(409, "direct_room");

    let end =
        |answer: Answer| answer.expect(200)["member"]["muted_until"].as_str().unwrap().to_owned();
    let long = end(mute(&alice, &room, &bob, 43_200).await);
    let short = end(mute(&alice, &room, &bob, 1).await);
    assert!(short < long, "the last word counts: {short}, {long}");
    assert_eq!(send(&bob, &room, "hm").await.problem(403, "muted")["muted_until"], short);
    // An admin is not muted.
    alice
        .put(&format!("/rooms/{room}/members/{}", bob.id), json!({"role": "admin"}))
        .await
        .expect(200);
    bob.say(&room, "an admin speaks").await;
    mute(&alice, &room, &bob, 1).await.problem(409, "is_admin");
}

pub async fn leaving_and_coming_back_ends_no_mute(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.public_group("Open", &[&bob]).await;
    let mut alices = alice.socket().await;
    let until = mute(&alice, &room, &bob, 10).await.expect(200)["member"]["muted_until"].clone();
    bob.leave(&room).await;
    assert_eq!(bob.join(&room).await["muted_until"], until);
    assert_eq!(alices.expect("member_added").await["member"]["muted_until"], until);
    send(&bob, &room, "back").await.problem(403, "muted");
    let place = format!("/rooms/{room}/members/{}", bob.id);
    alice.delete(&format!("{place}?ban=true")).await.expect(204);
    let back = alice.put(&place, json!({"role": "member"})).await.expect(201);
    assert_eq!(back["member"]["muted_until"], until);
    send(&bob, &room, "back").await.problem(403, "muted");
}

pub async fn a_mute_ends_by_itself(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Books", &[&bob]).await;
    let started = Instant::now();
    mute(&alice, &room, &bob, 1).await.expect(200);
    send(&bob, &room, "now?").await.problem(403, "muted");
    while send(&bob, &room, "now?").await.status == 403 {
        assert!(started.elapsed() < Duration::from_secs(70), "still muted");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(started.elapsed() >= Duration::from_secs(59), "after {:?}", started.elapsed());
    bob.say(&room, "on every instance").await;
    assert_eq!(bob.view(&room).await.get("muted_until"), None);
    assert_eq!(listed(&alice, &room, &bob).await.get("muted_until"), None);
}

pub async fn the_simple_api_and_its_socket_refuse_the_muted(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Books", &[&bob]).await;
    let said = bob.say(&room, "mine").await["id"].as_str().expect("an id").to_owned();
    let mut lines = Lines::subscribe(&bob, &room).await;
    let until = mute(&alice, &room, &bob, 10).await.expect(200)["member"]["muted_until"].clone();
    let group: i64 = room.parse().expect("a number");
    let user: i64 = bob.id.parse().expect("a number");
    let form = json!({"user_id": user, "message": "but", "group_id": group});
    let refused = bob.request(reqwest::Method::POST, "/send-message/").json(form).send().await;
    assert_eq!(refused.problem(403, "muted")["muted_until"], until);
    let path = format!("/edit-message/{said}");
    let edit = bob.request(reqwest::Method::PUT, &path).json(json!({"message": "but"}));
    edit.send().await.problem(403, "muted");
    lines.send("but").await;
    lines.error("muted").await;
}

pub async fn mutes_are_in_the_audit_and_outlive_a_restart(world: &World) {
    let mut own = world.with(&[]).await;
    let [alice, bob] = own.people(["alice", "bob"]).await;
    let room = alice.group("Books", &[&bob]).await;
    let until = mute(&alice, &room, &bob, 10).await.expect(200)["member"]["muted_until"].clone();
    own.hub().restart().await;
    assert_eq!(send(&bob, &room, "now?").await.problem(403, "muted")["muted_until"], until);
    alice.delete(&mute_path(&room, &bob)).await.expect(204);
    own.hub().restart().await;
    bob.say(&room, "now").await;

    let page = alice.get(&format!("/rooms/{room}/audit")).await.expect(200);
    let entries = page["entries"].as_array().expect("a list");
    let actions: Vec<&Value> = entries.iter().map(|entry| &entry["action"]).collect();
    assert_eq!(actions, ["member_unmuted", "member_muted", "room_created"]);
    assert_eq!(entries[1]["member"]["muted_until"], until);
    assert_eq!(entries[0]["member"]["user_id"], json!(bob.id));
}

pub async fn the_banned_are_listed_for_admins(world: &World) {
    let [alice, bob, carol] = world.people(["alice", "bob", "carol"]).await;
    let room = alice.public_group("Open", &[&bob, &carol]).await;
    let path = format!("/rooms/{room}/bans");
    assert_eq!(alice.get(&path).await.expect(200)["members"], json!([]));
    alice.delete(&format!("/rooms/{room}/members/{}?ban=true", bob.id)).await.expect(204);
    for _ in 0..2 {
        let bans = alice.get(&path).await.expect(200)["members"].clone();
        assert_eq!(bans[0]["user_id"], json!(bob.id));
        assert_eq!((&bans[0]["username"], &bans[1]), (&json!(bob.username), &Value::Null));
    }
    carol.get(&path).await.problem(403, "forbidden");
    alice
        .put(&format!("/rooms/{room}/members/{}", bob.id), json!({"role": "member"}))
        .await
        .expect(201);
    assert_eq!(alice.get(&path).await.expect(200)["members"], json!([]));
}
