//! The end of an account, and what others see of it.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, PASSWORD, Person, World, within};

const SOON: Duration = Duration::from_secs(5);

async fn delete(person: &Person, password: &str) -> Answer {
    let request = person.request(Method::DELETE, "/api/v1/me");
    request.json(json!({"password": password})).send().await
}

fn is_nobody(person: &Value, id: &str) {
    assert_eq!(person["display_name"], "Deleted user", "{person}");
    assert_eq!(person["username"], format!("deleted:{id}"), "{person}");
}

pub async fn a_deleted_account_is_gone(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let phone = alice.log_in_again().await;
    let group = bob.group("Ours", &[&alice]).await;
    let alone = alice.group("Mine alone", &[]).await;
    let mut socket = phone.at(1).socket().await;
    let mut bobs = bob.at(0).socket().await;
    bobs.ok("presence", json!({"all": true})).await;

    delete(&alice, PASSWORD).await.expect(204);
    assert_eq!(socket.closed().await, Some(4501));
    let told = bobs
        .expect_where("the end of it", |event| {
            event["type"] == "user_updated" && event["user"]["id"] == alice.id.as_str()
        })
        .await;
    is_nobody(&told["user"], &alice.id);
    assert_eq!((&told["user"]["deleted"], &told["user"]["avatar"]), (&json!(true), &Value::Null));
    for login in [&alice, &phone] {
        login.get("/me").await.problem(401, "not_logged_in");
    }
    let form = json!({"username": alice.username, "password": PASSWORD});
    world.stranger().post("/sessions", form.clone()).await.problem(401, "bad_credentials");
    let ghost = json!({"username": format!("deleted:{}", alice.id), "password": ""});
    world.stranger().post("/sessions", ghost).await.problem(401, "bad_credentials");

    bob.get(&format!("/users/{}", alice.id)).await.problem(404, "not_found");
    bob.get(&format!("/users/{}/avatar", alice.id)).await.problem(404, "not_found");
    for query in [alice.username.as_str(), "Deleted+user", "deleted"] {
        let found = bob.get(&format!("/users?query={query}")).await.expect(200);
        let users = found["users"].as_array().expect("users");
        assert!(users.iter().all(|user| user["id"] != alice.id.as_str()), "{found}");
    }
    let named = bob.get(&format!("/users?ids={}", alice.id)).await.expect(200);
    assert_eq!(named["users"], json!([]));
    let members = bob.get(&format!("/rooms/{group}/members")).await.expect(200);
    assert_eq!(members["members"].as_array().map(Vec::len), Some(1), "out of all groups");
    let put = format!("/rooms/{group}/members/{}", alice.id);
    bob.put(&put, json!({"role": "member"})).await.problem(404, "not_found");
    for kind in [json!({"kind": "direct"}), json!({"kind": "group", "name": "Again"})] {
        let mut form = kind;
        form["members"] = json!([alice.id]);
        bob.post("/rooms", form).await.problem(422, "unknown_user");
    }
    // Her name is free, and whoever takes it is somebody else.
    let again = world.stranger().post("/users", form).await.expect(201);
    assert_ne!(again["user"]["id"], alice.id);
    let new = world.stranger().with_token(again["token"].as_str().expect("a token"));
    new.get(&format!("/rooms/{group}")).await.problem(404, "not_found");
    new.get(&format!("/rooms/{alone}")).await.problem(404, "not_found");
}

pub async fn what_was_said_stays_under_no_name(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let group = bob.group("Ours", &[]).await;
    let put = format!("/rooms/{group}/members/{}", alice.id);
    bob.put(&put, json!({"role": "member"})).await.expect(201);
    let mut bobs = bob.socket().await;
    let since = bob.view(&group).await["position"].clone();
    let said = alice.say(&group, "a heronry at dawn").await;
    let reply = json!({"body": "where was that?", "reply_to": said["id"]});
    bob.post(&format!("/rooms/{group}/messages"), reply).await.expect(201);
    let direct = alice.direct(&bob).await;
    alice.say(&direct, "between the two of us").await;
    bobs.expect_message("between the two of us").await;
    delete(&alice, PASSWORD).await.expect(204);

    // What instances have in memory is told to them, and takes a moment.
    within(SOON, "nothing names her any more", async || {
        let mut shown = vec![
            bob.history(&group, "").await,
            bob.history(&direct, "").await,
            bob.get("/search?q=heronry").await.expect(200),
            bob.get("/rooms").await.expect(200),
            bob.get(&format!("/rooms/{group}/audit")).await.expect(200),
            bob.get(&format!("/rooms/{direct}/members")).await.expect(200),
        ];
        let mut again = bob.resume(json!({&group: since})).await;
        again.settle().await;
        shown.push(json!(again.of_room(&group)));
        let text = json!(shown).to_string();
        (!text.contains(&alice.username)).then_some(())
    })
    .await;
    let page = bob.history(&group, "").await;
    is_nobody(&page["messages"][0]["sender"], &alice.id);
    is_nobody(&page["messages"][1]["quote"]["sender"], &alice.id);
    assert_eq!(page["messages"][0]["body"], "a heronry at dawn");
    let found = bob.get("/search?q=heronry").await.expect(200);
    is_nobody(&found["messages"][0]["sender"], &alice.id);
}

pub async fn the_audit_still_says_by_what_right_it_was_done(world: &World) {
    let [alice, bob, keeper] = world.people(["alice", "bob", "keeper"]).await;
    world.command(&["user", "promote", &keeper.username]).await;
    let room = bob.public_group("Market", &[&alice]).await;
    let removed = format!("/rooms/{room}/members/{}", alice.id);
    keeper.delete(&removed).await.expect(204);
    delete(&alice, PASSWORD).await.expect(204);
    let audit = bob.get(&format!("/rooms/{room}/audit?limit=1")).await.expect(200);
    let entry = &audit["entries"][0];
    is_nobody(&entry["member"], &alice.id);
    assert_eq!((&entry["by"], &entry["hub_admin"]), (&json!(keeper.id), &json!(true)), "{entry}");
}

pub async fn a_conversation_with_nobody_can_be_read_alone(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let direct = bob.direct(&alice).await;
    let mine = bob.say(&direct, "are you there?").await;
    let mut socket = bob.at(1).socket().await;
    delete(&alice, PASSWORD).await.expect(204);

    let view = bob.view(&direct).await;
    assert_eq!(view["name"], "Deleted user");
    let members = view["members"].as_array().expect("two people");
    let her = members.iter().find(|member| member["user_id"] == alice.id.as_str());
    assert_eq!(her.expect("still one of the two")["deleted"], true);
    let him = members.iter().find(|member| member["user_id"] == bob.id.as_str());
    assert_eq!(him.expect("the other").get("deleted"), None);

    // Each instance that has the room in memory is told that she is gone.
    let opened = bob.post("/rooms", json!({"kind": "direct", "members": [alice.id]})).await;
    assert_eq!(opened.expect(200)["room"]["id"], direct.as_str(), "the room that there is");
    let path = format!("/rooms/{direct}/messages");
    within(SOON, "every instance refuses", async || {
        for instance in 0..2 {
            let answer = bob.at(instance).post(&path, json!({"body": "hello?"})).await;
            if answer.status != 409 {
                return None;
            }
            answer.problem(409, "account_deleted");
        }
        Some(())
    })
    .await;
    let line = json!({"room": direct, "client_id": "1", "body": "hello?"});
    socket.error("send", line, "account_deleted").await;
    // One's own words are one's own.
    let path = format!("/messages/{}", mine["id"].as_str().expect("an id"));
    bob.patch(&path, json!({"body": "farewell"})).await.expect(200);
    bob.delete(&path).await.expect(204);
}

pub async fn the_only_admin_hands_over_first(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let held = alice.group("Held", &[&bob]).await;
    let free = bob.group("Free", &[&alice]).await;
    let problem = delete(&alice, PASSWORD).await.problem(409, "last_admin");
    assert_eq!(problem["rooms"], json!([{"id": held, "name": "Held"}]));
    alice.view(&free).await;
    alice.view(&held).await;

    let put = format!("/rooms/{held}/members/{}", bob.id);
    alice.put(&put, json!({"role": "admin"})).await.expect(200);
    delete(&alice, PASSWORD).await.expect(204);
    for room in [held, free] {
        assert_eq!(bob.view(&room).await["member_count"], 1);
    }
}

pub async fn deleting_asks_for_the_password(world: &World) {
    let (alice, stranger) = (world.person("alice").await, world.stranger());
    let group = alice.group("Still mine", &[]).await;
    delete(&alice, "not her password").await.problem(403, "wrong_password");
    let none = alice.request(Method::DELETE, "/api/v1/me").json(json!({})).send().await;
    none.problem(400, "bad_request");
    delete(&stranger, PASSWORD).await.problem(401, "not_logged_in");
    delete(&alice.by_cookie(), PASSWORD).await.problem(403, "cross_site");
    alice.view(&group).await;
    // Nor is it to be guessed here.
    for _ in 0..9 {
        delete(&alice.at(0), "not her password").await;
    }
    delete(&alice.at(0), PASSWORD).await.problem(429, "too_many_attempts");
    alice.get("/me").await.expect(200);
}
