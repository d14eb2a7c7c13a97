//! The read marker, unread messages, and mentions.

use serde_json::json;

use super::ground::position;
use crate::support::{Person, World};

async fn unread(person: &Person, room: &str) -> i64 {
    person.view(room).await["unread"].as_i64().expect("a number")
}

async fn mentions(person: &Person, room: &str) -> i64 {
    person.view(room).await["mentions"].as_i64().expect("a number")
}

pub async fn messages_by_others_are_unread_until_read(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Books", &[&bob]).await;
    let mut sent = Vec::new();
    for number in 1..=3 {
        sent.push(alice.say(&room, &number.to_string()).await);
        assert_eq!(unread(&bob, &room).await, number);
        assert_eq!(unread(&alice, &room).await, 0, "her own");
    }
    let read = bob.read(&room, &sent[1]["position"]).await;
    assert_eq!(read["unread"], 1);
    assert_eq!(read["read_position"], sent[1]["position"]);
    assert_eq!(bob.get("/rooms").await.expect(200)["rooms"][0]["unread"], 1);
    assert_eq!(bob.read(&room, &sent[2]["position"]).await["unread"], 0);
}

pub async fn the_marker_never_goes_back(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Books", &[&bob]).await;
    let first = alice.say(&room, "first").await;
    let last = alice.say(&room, "last").await;
    bob.read(&room, &last["position"]).await;
    for earlier in [&first["position"], &json!("0")] {
        let read = bob.read(&room, earlier).await;
        assert_eq!((&read["read_position"], &read["unread"]), (&last["position"], &json!(0)));
    }
}

pub async fn past_the_end_means_the_end(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Books", &[&bob]).await;
    let last = alice.say(&room, "last").await;
    let read = bob.read(&room, &json!(i64::MAX.to_string())).await;
    assert_eq!(read["unread"], 0);
    assert_eq!(read["read_position"], read["position"]);
    assert!(position(&read["read_position"]) >= position(&last["position"]));
    let next = alice.say(&room, "one more").await;
    assert_eq!(unread(&bob, &room).await, 1, "the end was where it was");
    assert_eq!(bob.read(&room, &next["position"]).await["unread"], 0);
}

pub async fn sending_moves_my_marker(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Books", &[&bob]).await;
    alice.say(&room, "one").await;
    alice.say(&room, "two").await;
    assert_eq!(unread(&bob, &room).await, 2);
    let answer = bob.say(&room, "three").await;
    let view = bob.view(&room).await;
    assert_eq!((&view["unread"], &view["read_position"]), (&json!(0), &answer["position"]));
    assert_eq!(unread(&alice, &room).await, 1);
    alice.say(&room, "four").await;
    assert_eq!(unread(&bob, &room).await, 1);
}

pub async fn a_marker_is_a_position(world: &World) {
    let alice = world.person("alice").await;
    let room = alice.group("Books", &[]).await;
    let path = format!("/rooms/{room}/read");
    for wrong in [json!({}), json!({"position": 7}), json!({"position": "soon"})] {
        alice.put(&path, wrong).await.problem(400, "bad_request");
    }
}

pub async fn mentions_are_counted_until_read(world: &World) {
    let [alice, bob, carol] = world.people(["alice", "bob", "carol"]).await;
    let room = alice.group("Books", &[&bob, &carol]).await;
    alice.say(&room, "nobody in particular").await;
    alice.say(&room, &format!("what do you think, @{}?", bob.username)).await;
    assert_eq!((mentions(&bob, &room).await, unread(&bob, &room).await), (1, 2));
    assert_eq!(mentions(&carol, &room).await, 0);
    let all = alice.say(&room, "dinner is ready, @all").await;
    assert_eq!((mentions(&bob, &room).await, mentions(&carol, &room).await), (2, 1));
    assert_eq!(mentions(&alice, &room).await, 0, "not by oneself");
    assert_eq!(bob.read(&room, &all["position"]).await["mentions"], 0);

    // Only an admin calls everybody.
    carol.say(&room, "@all me too").await;
    assert_eq!((mentions(&bob, &room).await, mentions(&alice, &room).await), (0, 0));
    carol.say(&room, &format!("@{} and a@{}x", bob.username, alice.username)).await;
    assert_eq!((mentions(&bob, &room).await, mentions(&alice, &room).await), (1, 0));
}

pub async fn my_other_devices_hear_what_i_read(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Books", &[&bob]).await;
    let (mut phone, mut laptop) = (bob.at(0).socket().await, bob.at(1).socket().await);
    let first = alice.say(&room, "first").await;
    phone.expect_message("first").await;
    phone.ok("read", json!({"room": room, "position": first["position"]})).await;
    let heard = laptop.expect("read").await;
    assert_eq!((&heard["room"], &heard["user_id"]), (&json!(room), &json!(bob.id)));
    assert_eq!(heard["read_position"], first["position"]);
    assert_eq!(unread(&bob, &room).await, 0);

    let second = alice.say(&room, "second").await;
    bob.read(&room, &second["position"]).await;
    let at_second = |event: &serde_json::Value| {
        event["type"] == "read" && event["read_position"] == second["position"]
    };
    laptop.expect_where("the second read", at_second).await;
    phone.expect_where("the second read", at_second).await;
}
