//! Messages: sending, sending again, and pages of history.

use serde_json::{Value, json};

use super::ground::{is_time, position};
use crate::support::{Answer, Person, World};

async fn send(person: &Person, room: &str, body: &str, client_id: &str) -> Answer {
    let form = json!({"body": body, "client_id": client_id});
    person.post(&format!("/rooms/{room}/messages"), form).await
}

fn texts(page: &Value) -> Vec<&str> {
    let messages = page["messages"].as_array().expect("a list").iter();
    messages.map(|message| message["body"].as_str().expect("a text")).collect()
}

/// A room of alice's with the messages `1` to `count`.
async fn room_with(alice: &Person, count: usize) -> (String, Vec<Value>) {
    let room = alice.group("History", &[]).await;
    let mut messages = Vec::new();
    for number in 1..=count {
        messages.push(alice.say(&room, &number.to_string()).await);
    }
    (room, messages)
}

pub async fn what_is_sent_can_be_read(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Books", &[&bob]).await;
    let sent = send(&alice, &room, " Grüße, 世界 🦜\n", "c-1").await.expect(201)["message"].clone();
    assert_eq!(sent["body"], "Grüße, 世界 🦜", "stored without outer blanks");
    assert_eq!(sent["room_id"], room);
    assert_eq!(sent["sender"]["id"], alice.id);
    assert_eq!(sent["sender"]["username"], alice.username);
    assert!(sent["sender"]["display_name"].is_string(), "{sent}");
    assert_eq!(sent["client_id"], "c-1");
    assert_eq!(sent["reactions"], json!([]));
    assert!(is_time(&sent["sent_at"]), "{sent}");
    for absent in ["edited_at", "deleted", "reply_to"] {
        assert!(sent.get(absent).is_none_or(|value| value.is_null() || value == false), "{sent}");
    }
    let page = bob.history(&room, "").await;
    assert_eq!(page["messages"].as_array().map(Vec::len), Some(1));
    let read = &page["messages"][0];
    for field in ["id", "room_id", "position", "sender", "body", "sent_at"] {
        assert_eq!(read[field], sent[field], "{field}");
    }
}

pub async fn later_positions_are_larger(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Order", &[&bob]).await;
    let mut last = position(&alice.view(&room).await["position"]);
    for at in 0..6 {
        let sender = if at % 2 == 0 { &alice } else { &bob };
        let sent = sender.say(&room, &at.to_string()).await;
        assert!(position(&sent["position"]) > last, "{sent} after {last}");
        last = position(&sent["position"]);
    }
    assert_eq!(texts(&bob.history(&room, "").await), ["0", "1", "2", "3", "4", "5"]);
}

pub async fn a_text_has_1_to_4000_characters(world: &World) {
    let alice = world.person("alice").await;
    let room = alice.group("Long", &[]).await;
    let path = format!("/rooms/{room}/messages");
    let longest = "€".repeat(4000);
    let sent = alice.post(&path, json!({"body": format!(" {longest} ")})).await.expect(201);
    assert_eq!(sent["message"]["body"], longest);
    alice.post(&path, json!({"body": "x"})).await.expect(201);
    for wrong in ["", " \n\t ", &"€".repeat(4001)] {
        alice.post(&path, json!({"body": wrong})).await.problem(422, "invalid_body");
    }
    for wrong in [json!({}), json!({"body": 7}), json!({"body": null}), json!(["body"])] {
        alice.post(&path, wrong).await.problem(400, "bad_request");
    }
    assert_eq!(alice.history(&room, "").await["messages"].as_array().map(Vec::len), Some(2));
}

pub async fn a_client_id_has_1_to_64_printable_characters(world: &World) {
    let alice = world.person("alice").await;
    let room = alice.group("Ids", &[]).await;
    for good in ["x", &"x".repeat(64), "a b~!/"] {
        send(&alice, &room, "hello", good).await.expect(201);
    }
    for wrong in ["", &"x".repeat(65), "é", "a\nb", "a\u{7f}"] {
        send(&alice, &room, "hello", wrong).await.problem(422, "invalid_client_id");
    }
    let number = json!({"body": "hello", "client_id": 7});
    let answer = alice.post(&format!("/rooms/{room}/messages"), number).await;
    answer.problem(400, "bad_request");
}

pub async fn the_same_client_id_gives_the_first_message(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Again", &[&bob]).await;
    let first = send(&alice, &room, "first", "same").await.expect(201)["message"].clone();
    for (instance, text) in [(0, "first"), (1, "first"), (0, "another"), (1, "another")] {
        let again = send(&alice.at(instance), &room, text, "same").await.expect(200);
        for field in ["id", "position", "body", "sent_at"] {
            assert_eq!(again["message"][field], first[field], "{field}");
        }
    }
    assert_eq!(texts(&bob.history(&room, "").await), ["first"]);

    // As it is by now.
    let path = format!("/messages/{}", first["id"].as_str().expect("an id"));
    alice.patch(&path, json!({"body": "better"})).await.expect(200);
    bob.put(&format!("{path}/reactions/👍"), json!({})).await.expect(200);
    for instance in [0, 1] {
        let again = send(&alice.at(instance), &room, "first", "same").await.expect(200);
        assert_eq!(again["message"]["body"], "better");
        assert_eq!(again["message"]["reactions"][0]["count"], 1, "{again}");
    }

    // Its scope is the sender and the room.
    let bobs = send(&bob, &room, "bob's", "same").await.expect(201);
    assert_ne!(bobs["message"]["id"], first["id"]);
    let other = alice.group("Elsewhere", &[]).await;
    send(&alice, &other, "elsewhere", "same").await.expect(201);
}

pub async fn sent_twice_at_once_it_is_there_once(world: &World) {
    let alice = world.person("alice").await;
    let room = alice.group("Twice", &[]).await;
    let (here, there) = (alice.at(0), alice.at(1));
    for round in ["a", "b", "c"] {
        let (one, other) =
            tokio::join!(send(&here, &room, round, round), send(&there, &room, round, round));
        let statuses = [one.status, other.status];
        assert!(matches!(statuses, [201, 200] | [200, 201]), "{statuses:?}");
        assert_eq!(one.json()["message"]["id"], other.json()["message"]["id"]);
    }
    assert_eq!(texts(&alice.history(&room, "").await), ["a", "b", "c"]);
}

pub async fn a_client_id_is_known_after_a_restart(world: &World) {
    let mut world = world.with(&[]).await;
    let alice = world.person("alice").await;
    let room = alice.group("Again", &[]).await;
    let first = send(&alice, &room, "first", "same").await.expect(201)["message"].clone();
    world.hub().restart().await;
    let again = send(&alice, &room, "another", "same").await.expect(200)["message"].clone();
    assert_eq!((&again["id"], &again["body"]), (&first["id"], &first["body"]));
    let next = send(&alice, &room, "next", "next").await.expect(201)["message"].clone();
    assert!(position(&next["position"]) > position(&first["position"]));
    assert_eq!(texts(&alice.history(&room, "").await), ["first", "next"]);
}

pub async fn history_without_a_place_is_the_newest(world: &World) {
    let alice = world.person("alice").await;
    let (room, _) = room_with(&alice, 4).await;
    let page = alice.history(&room, "?limit=2").await;
    assert_eq!(texts(&page), ["3", "4"]);
    assert_eq!((&page["has_older"], &page["has_newer"]), (&json!(true), &json!(false)));
    for limit in ["?limit=4", "?limit=5", ""] {
        let page = alice.history(&room, limit).await;
        assert_eq!(texts(&page), ["1", "2", "3", "4"]);
        assert_eq!((&page["has_older"], &page["has_newer"]), (&json!(false), &json!(false)));
    }
    let empty = alice.group("Empty", &[]).await;
    let page = alice.history(&empty, "").await;
    assert_eq!(page, json!({"messages": [], "has_older": false, "has_newer": false}));
}

pub async fn history_before_a_position(world: &World) {
    let alice = world.person("alice").await;
    let (room, messages) = room_with(&alice, 5).await;
    let before = async |number: usize, limit: usize| {
        let position = messages[number - 1]["position"].as_str().expect("a position");
        alice.history(&room, &format!("?before={position}&limit={limit}")).await
    };
    let page = before(4, 2).await;
    assert_eq!(texts(&page), ["2", "3"], "the nearest, oldest first");
    assert_eq!((&page["has_older"], &page["has_newer"]), (&json!(true), &json!(true)));
    let page = before(4, 3).await;
    assert_eq!(texts(&page), ["1", "2", "3"]);
    assert_eq!((&page["has_older"], &page["has_newer"]), (&json!(false), &json!(true)));
    let page = before(1, 3).await;
    assert_eq!(texts(&page), Vec::<&str>::new());
    assert_eq!(page["has_older"], false);
    let page = alice.history(&room, &format!("?before={}", i64::MAX)).await;
    assert_eq!(texts(&page).len(), 5, "a position past the end");
}

pub async fn history_after_a_position(world: &World) {
    let alice = world.person("alice").await;
    let (room, messages) = room_with(&alice, 5).await;
    let after = async |number: usize, limit: usize| {
        let position = messages[number - 1]["position"].as_str().expect("a position");
        alice.history(&room, &format!("?after={position}&limit={limit}")).await
    };
    let page = after(2, 2).await;
    assert_eq!(texts(&page), ["3", "4"]);
    assert_eq!((&page["has_older"], &page["has_newer"]), (&json!(true), &json!(true)));
    let page = after(2, 3).await;
    assert_eq!(texts(&page), ["3", "4", "5"]);
    assert_eq!((&page["has_older"], &page["has_newer"]), (&json!(true), &json!(false)));
    let page = after(5, 3).await;
    assert_eq!(texts(&page), Vec::<&str>::new());
    assert_eq!(page["has_newer"], false);
    let page = alice.history(&room, "?after=0&limit=2").await;
    assert_eq!(texts(&page), ["1", "2"], "from the beginning");
    assert_eq!((&page["has_older"], &page["has_newer"]), (&json!(false), &json!(true)));
}

pub async fn history_around_a_position(world: &World) {
    let alice = world.person("alice").await;
    let (room, messages) = room_with(&alice, 7).await;
    let around = async |number: usize, limit: usize| {
        let position = messages[number - 1]["position"].as_str().expect("a position");
        alice.history(&room, &format!("?around={position}&limit={limit}")).await
    };
    let page = around(4, 3).await;
    assert_eq!(texts(&page), ["3", "4", "5"]);
    assert_eq!((&page["has_older"], &page["has_newer"]), (&json!(true), &json!(true)));
    let page = around(4, 100).await;
    assert_eq!(texts(&page), ["1", "2", "3", "4", "5", "6", "7"]);
    assert_eq!((&page["has_older"], &page["has_newer"]), (&json!(false), &json!(false)));
    let page = around(7, 3).await;
    assert!(texts(&page).contains(&"7") && texts(&page).len() <= 3, "{page}");
    assert_eq!((&page["has_older"], &page["has_newer"]), (&json!(true), &json!(false)));
    let page = around(1, 3).await;
    assert!(texts(&page).contains(&"1") && texts(&page).len() <= 3, "{page}");
    assert_eq!((&page["has_older"], &page["has_newer"]), (&json!(false), &json!(true)));
}

pub async fn positions_at_the_ends_of_the_range_have_pages_too(world: &World) {
    let alice = world.person("alice").await;
    let (room, _) = room_with(&alice, 3).await;
    for (which, expected) in [
        ("after=9223372036854775807", vec![]),
        ("around=9223372036854775807", vec!["2", "3"]),
        ("before=0", vec![]),
        ("around=0", vec!["1", "2"]),
        ("after=0", vec!["1", "2"]),
    ] {
        let page = alice.history(&room, &format!("?{which}&limit=2")).await;
        assert_eq!(texts(&page), expected, "{which}: {page}");
    }
    let beyond = format!("/rooms/{room}/messages?after=9223372036854775808");
    alice.get(&beyond).await.problem(400, "bad_request");
}

pub async fn a_page_has_50_messages_and_at_most_100(world: &World) {
    let world = world.with(&[("ROOKERY_LIMITS__MESSAGES_BURST", "200")]).await;
    let alice = world.person("alice").await;
    let (room, _) = room_with(&alice, 101).await;
    assert_eq!(texts(&alice.history(&room, "").await).len(), 50);
    let page = alice.history(&room, "?limit=100").await;
    assert_eq!((texts(&page).len(), &page["has_older"]), (100, &json!(true)));
    let path = format!("/rooms/{room}/messages?limit=101");
    alice.get(&path).await.problem(422, "invalid_limit");

    // Walking back in pages meets every message once.
    let (mut seen, mut which) = (Vec::new(), "?limit=40".to_owned());
    loop {
        let page = alice.history(&room, &which).await;
        let mut earlier: Vec<String> = texts(&page).into_iter().map(String::from).collect();
        earlier.append(&mut seen);
        seen = earlier;
        if page["has_older"] == false {
            break;
        }
        let oldest = page["messages"][0]["position"].as_str().expect("a position");
        which = format!("?limit=40&before={oldest}");
    }
    let all: Vec<String> = (1..=101).map(|number| number.to_string()).collect();
    assert_eq!(seen, all);
}

pub async fn too_many_messages_are_refused_for_a_while(world: &World) {
    let limits =
        [("ROOKERY_LIMITS__MESSAGES_BURST", "3"), ("ROOKERY_LIMITS__MESSAGES_PER_SECOND", "1")];
    let world = world.with(&limits).await;
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Fast", &[&bob]).await;
    let mut refused = None;
    for at in 0..20 {
        let answer = send(&alice, &room, "again", &at.to_string()).await;
        if answer.status != 201 {
            refused = Some(answer);
            break;
        }
        assert!(at < 10, "never refused");
    }
    refused.expect("a refusal").problem(429, "too_many_messages");
    send(&bob, &room, "not me", "b").await.expect(201);
    crate::support::until("alice to be heard again", async || {
        let answer = send(&alice, &room, "later", "later").await;
        matches!(answer.status, 200 | 201).then_some(())
    })
    .await;
}
