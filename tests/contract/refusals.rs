//! Refusals that no other story comes by: each has the status and the code that is told of it.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::support::{World, handshake, handshake_at};

pub async fn a_body_of_another_type_or_too_large_says_which(world: &World) {
    let alice = world.person("alice").await;
    let make = || alice.request(Method::POST, "/api/v1/rooms");
    make().body("{}").send().await.problem(415, "unsupported_media_type");
    let large = json!({"kind": "group", "name": "x".repeat(64 * 1024)});
    make().json(large).send().await.problem(413, "too_large");
}

pub async fn a_plain_request_is_no_socket(world: &World) {
    let alice = world.person("alice").await;
    alice.get("/socket").await.problem(426, "upgrade_required");
}

pub async fn one_socket_too_many_is_told_as_that(world: &World) {
    let world = world.with(&[("ROOKERY_LIMITS__SOCKETS_PER_USER", "1")]).await;
    let alice = world.person("alice").await;
    let mut only = alice.socket().await;
    handshake(&alice, Some("rookery.v1")).send().await.problem(429, "too_many_sockets");
    let group = alice.group("Books", &[]).await;
    let subscribe = handshake_at(&alice, &format!("/subscribe/{group}"));
    subscribe.send().await.problem(429, "too_many_sockets");
    only.settle().await;
}

pub async fn hello_is_said_once_and_in_time(world: &World) {
    let alice = world.person("alice").await;
    let mut silent = alice.silent_socket().await;
    let mut greeted = alice.socket().await;
    greeted.error("hello", json!({}), "hello_twice").await;
    greeted.settle().await;
    // The limit is 15 seconds, and a test waits for ten at the most.
    tokio::time::sleep(Duration::from_secs(6)).await;
    silent.error("ping", json!({}), "hello_first").await;
    assert_eq!(silent.closed().await, Some(1008));
    greeted.settle().await;
}

pub async fn people_that_are_too_many_or_too_few_are_refused(world: &World) {
    let [alice, bob, carol] = world.people(["alice", "bob", "carol"]).await;
    let direct = |members| json!({"kind": "direct", "members": members});
    for wrong in [vec![], vec![&alice.id], vec![&bob.id, &carol.id]] {
        let answer = alice.post("/rooms", direct(wrong)).await;
        answer.problem(422, "invalid_members");
    }
    let ids: Vec<String> = (1..=1_001).map(|id| id.to_string()).collect();
    let path = format!("/presence?users={}", ids.join(","));
    alice.get(&path).await.problem(422, "invalid_users");
}

pub async fn a_message_has_twenty_different_emoji(world: &World) {
    let alice = world.person("alice").await;
    let room = alice.group("Emoji", &[]).await;
    let said = alice.say(&room, "how do you feel?").await;
    let id = said["id"].as_str().expect("an id");
    let emoji: Vec<char> = ('\u{1f600}'..='\u{1f614}').collect();
    for (count, emoji) in emoji.iter().enumerate() {
        let answer = alice.put(&format!("/messages/{id}/reactions/{emoji}"), json!({})).await;
        match count < 20 {
            true => drop(answer.expect(200)),
            false => drop(answer.problem(409, "too_many_reactions")),
        }
    }
}

/// Each of these can be asked again and again, and is refused once the burst is used up.
pub async fn whatever_changes_something_has_a_rate(world: &World) {
    let limits = ["MESSAGES_PER_SECOND", "MESSAGES_BURST", "CHANGES_PER_SECOND", "CHANGES_BURST"];
    let limits = limits.map(|limit| (format!("ROOKERY_LIMITS__{limit}"), "4"));
    let limits: Vec<(&str, &str)> = limits.iter().map(|(name, most)| (&**name, *most)).collect();
    let world = world.with(&limits).await;
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.public_group("Fast", &[&bob]).await;
    let said = alice.say(&room, "one of many").await;
    let id = said["id"].as_str().expect("an id");
    let (message, reaction) = (format!("/messages/{id}"), format!("/messages/{id}/reactions/👍"));
    let member = format!("/rooms/{room}/members/{}", bob.id);
    let mute = format!("{member}/mute");
    let text = json!({"body": "another", "message": "another", "user_id": alice.id});
    let send = json!({"message": "another", "user_id": alice.id, "group_id": room});
    let api = |path: &str| format!("/api/v1{path}");
    for (method, path, body) in [
        (Method::PATCH, api(&message), text.clone()),
        (Method::PUT, api(&reaction), json!({})),
        (Method::DELETE, api(&reaction), json!({})),
        (Method::POST, "/send-message".to_owned(), send),
        (Method::PUT, format!("/edit-message/{id}"), text),
        (Method::DELETE, api(&message), json!({})),
        (Method::DELETE, format!("/delete-message/{id}"), json!({})),
        (Method::PUT, api(&mute), json!({"minutes": 1})),
        (Method::DELETE, api(&mute), json!({})),
        (Method::DELETE, api(&member), json!({})),
        (Method::POST, api(&format!("/rooms/{room}/leave")), json!({})),
        (Method::DELETE, api(&format!("/rooms/{room}")), json!({})),
    ] {
        let is_about_rooms = path.contains("/rooms/");
        let code = if is_about_rooms { "too_many_changes" } else { "too_many_messages" };
        let asked = format!("a refusal of {method} {path}");
        let refused = crate::support::until(&asked, async || {
            let answer = alice.request(method.clone(), &path).json(body.clone()).send().await;
            (answer.status == 429).then_some(answer)
        });
        refused.await.problem(429, code);
    }
}
