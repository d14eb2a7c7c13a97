//! Coming back: exactly what was missed, or a plain `reset`; and nothing after a removal.

use std::time::Duration;

use serde_json::{Value, json};

use super::ground::position;
use crate::support::{Person, Socket, World};

/// The types of a room's events, with the text of messages.
fn told(socket: &Socket, room: &str) -> Vec<String> {
    let events = socket.of_room(room).into_iter();
    events
        .map(|event| match event["message"]["body"].as_str() {
            Some(text) => text.to_owned(),
            None => event["type"].as_str().expect("a type").to_owned(),
        })
        .collect()
}

async fn say_all(person: &Person, room: &str, texts: &[&str]) -> Vec<Value> {
    let mut messages = Vec::new();
    for text in texts {
        messages.push(person.say(room, text).await);
    }
    messages
}

fn known(room: &str, position: &Value) -> Value {
    let mut rooms = json!({});
    rooms[room] = position.clone();
    rooms
}

pub async fn exactly_what_was_missed_in_order(world: &World) {
    let [alice, bob, carol] = world.people(["alice", "bob", "carol"]).await;
    let room = alice.group("Books", &[&bob]).await;
    let mut first = bob.at(0).socket().await;
    alice.say(&room, "seen").await;
    let seen = first.expect_message("seen").await;
    first.close().await;

    say_all(&alice, &room, &["one", "two"]).await;
    alice.patch(&format!("/rooms/{room}"), json!({"topic": "news"})).await.expect(200);
    let place = format!("/rooms/{room}/members/{}", carol.id);
    alice.put(&place, json!({"role": "member"})).await.expect(201);
    carol.say(&room, "three").await;

    // Here, and at another instance.
    for instance in [0, 1] {
        let mut back = bob.at(instance).resume(known(&room, &seen["position"])).await;
        let live = format!("live {instance}");
        back.expect_message("three").await;
        alice.say(&room, &live).await;
        back.expect_message(&live).await;
        let mut expected = vec!["one", "two", "room_updated", "member_added", "three"];
        if instance == 1 {
            expected.push("live 0");
        }
        expected.push(&live);
        assert_eq!(told(&back, &room), expected);
        let positions: Vec<i64> =
            back.of_room(&room).iter().map(|event| position(&event["position"])).collect();
        assert!(positions.is_sorted_by(|one, next| one < next), "{positions:?}");
        assert!(positions[0] > position(&seen["position"]));
    }
}

pub async fn who_missed_nothing_gets_nothing(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Books", &[&bob]).await;
    let last = alice.say(&room, "last").await;
    let mut back = bob.resume(known(&room, &last["position"])).await;
    alice.say(&room, "live").await;
    back.expect_message("live").await;
    assert_eq!(told(&back, &room), ["live"]);
}

pub async fn rooms_that_are_not_named_begin_now(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let named = alice.group("Named", &[&bob]).await;
    let other = alice.group("Other", &[&bob]).await;
    let start = bob.view(&named).await["position"].clone();
    say_all(&alice, &named, &["n1", "n2"]).await;
    let mut others = say_all(&alice, &other, &["o1", "o2"]).await;
    let mut back = bob.resume(known(&named, &start)).await;
    back.expect_message("n2").await;
    others.push(alice.say(&other, "o3").await);
    back.expect_message("o3").await;
    assert_eq!(told(&back, &named), ["n1", "n2"]);
    // What the answer to hello knows of is not told again; it may be a little behind.
    let rooms = back.greeting["rooms"].as_array().expect("a list").clone();
    let answered = rooms.iter().find(|room| room["id"] == other.as_str()).expect("the other room");
    let later =
        others.iter().filter(|m| position(&m["position"]) > position(&answered["position"]));
    let later: Vec<&str> = later.map(|m| m["body"].as_str().expect("a text")).collect();
    assert_eq!(told(&back, &other), later);
    assert_eq!(back.greeting["rooms"].as_array().map(Vec::len), Some(2));
}

pub async fn several_rooms_are_resumed_at_once(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let one = alice.group("One", &[&bob]).await;
    let two = alice.direct(&bob).await;
    let mut rooms = known(&one, &bob.view(&one).await["position"]);
    rooms[&two] = bob.view(&two).await["position"].clone();
    say_all(&alice, &one, &["a", "b"]).await;
    say_all(&alice, &two, &["c", "d"]).await;
    let mut back = bob.resume(rooms).await;
    back.expect_message("b").await;
    back.expect_message("d").await;
    assert_eq!(told(&back, &one), ["a", "b"]);
    assert_eq!(told(&back, &two), ["c", "d"]);
}

/// Of messages as people write them, with ids as clients make them; in three rooms, together more than
/// may wait for one socket, whose client begins to read a little later.
pub async fn a_thousand_messages_are_no_reset(world: &World) {
    const COUNT: usize = 1_000;
    let fast = [
        ("ROOKERY_LIMITS__MESSAGES_PER_SECOND", "10000"),
        ("ROOKERY_LIMITS__MESSAGES_BURST", "10000"),
    ];
    let mut world = world.with(&fast).await;
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let mut rooms = Vec::new();
    for name in ["Busy", "Busier", "Busiest"] {
        rooms.push(alice.group(name, &[&bob]).await);
    }
    let mut start = json!({});
    let mut socket = alice.socket().await;
    let last = format!("message {} of a long evening", COUNT - 1);
    for room in &rooms {
        start[room] = bob.view(room).await["position"].clone();
        for at in 0..COUNT {
            let client_id = format!("00000000-0000-4000-8000-{at:012}");
            let body = format!("message {at} of a long evening");
            let send = json!({"type": "send", "ref": at, "room": room, "client_id": client_id,
                "body": body});
            socket.send_text(&send.to_string()).await;
            // Who does not read is too slow.
            if at % 100 == 99 {
                socket.expect_message(&body).await;
            }
        }
    }
    // From memory, and from the store.
    for _ in 0..2 {
        let mut back = bob.resume(start.clone()).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        for _ in &rooms {
            back.expect_message(&last).await;
        }
        for room in &rooms {
            assert_eq!(told(&back, room).len(), COUNT, "{room}");
        }
        assert!(back.log.iter().all(|event| event["type"] != "reset"));
        world.hub().restart().await;
    }
}

pub async fn more_than_resume_events_is_a_reset(world: &World) {
    let world = world.with(&[("ROOKERY_LIMITS__RESUME_EVENTS", "3")]).await;
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Books", &[&bob]).await;
    let start = bob.view(&room).await["position"].clone();
    say_all(&alice, &room, &["1", "2", "3"]).await;
    let mut back = bob.resume(known(&room, &start)).await;
    back.expect_message("3").await;
    assert_eq!(told(&back, &room), ["1", "2", "3"]);

    let last = alice.say(&room, "4").await;
    check_reset(&alice, &bob, &room, &start, &last).await;
    let back = bob.resume(known(&room, &json!("0"))).await;
    check_one_reset(back, &room).await;
}

pub async fn a_position_from_the_future_is_a_reset(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Books", &[&bob]).await;
    let last = alice.say(&room, "last").await;
    let future = json!((position(&last["position"]) + 1_000_000).to_string());
    check_reset(&alice, &bob, &room, &future, &last).await;
}

async fn check_one_reset(mut socket: Socket, room: &str) {
    let reset = socket.expect("reset").await;
    assert_eq!(reset["room"], room);
    socket.settle().await;
    assert_eq!(told(&socket, room), ["reset"]);
}

/// Resuming from there gives one `reset`; history up to it and events from it on are everything.
async fn check_reset(alice: &Person, bob: &Person, room: &str, from: &Value, last: &Value) {
    let mut back = bob.resume(known(room, from)).await;
    let reset = back.expect("reset").await;
    assert_eq!(reset["room"], room);
    assert!(position(&reset["position"]) >= position(&last["position"]), "{reset} before {last}");
    alice.say(room, "live").await;
    let live = back.expect_message("live").await;
    assert!(position(&live["position"]) > position(&reset["position"]), "{live} after {reset}");
    assert_eq!(told(&back, room), ["reset", "live"]);
}

pub async fn naming_a_room_of_others_tells_nothing(world: &World) {
    let [alice, mallory] = world.people(["alice", "mallory"]).await;
    let private = alice.group("Private", &[]).await;
    alice.say(&private, "secret").await;
    let meeting = alice.public_group("Meeting", &[&mallory]).await;
    let mut rooms = known(&private, &json!("0"));
    rooms["999999999"] = json!("0");
    let mut socket = mallory.resume(rooms).await;
    alice.say(&private, "another secret").await;
    alice.say(&meeting, "hello").await;
    socket.expect_message("hello").await;
    let like_unknown = told(&socket, "999999999");
    assert_eq!(told(&socket, &private), like_unknown);
    assert!(!like_unknown.iter().any(|told| told.contains("secret")), "{like_unknown:?}");
}

pub async fn after_a_removal_nothing_more_comes_live(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Closed", &[&bob]).await;
    let meeting = alice.group("Meeting", &[&bob]).await;
    let (mut alices, mut bobs) = (alice.at(0).socket().await, bob.at(1).socket().await);
    alice.say(&room, "before").await;
    let place = format!("/rooms/{room}/members/{}", bob.id);
    alice.delete(&place).await.expect(204);
    let removed = bobs.expect("member_removed").await;
    assert_eq!(removed["member"]["user_id"], bob.id);
    alice.say(&room, "after").await;
    alices.expect_message("after").await;
    alices.ok("typing", json!({"room": room})).await;
    alice.patch(&format!("/rooms/{room}"), json!({"name": "Closed now"})).await.expect(200);
    alice.say(&meeting, "elsewhere").await;
    bobs.expect_message("elsewhere").await;
    bobs.settle().await;
    assert_eq!(told(&bobs, &room), ["before", "member_removed"]);
    let send = json!({"room": room, "client_id": "1", "body": "hello?"});
    bobs.error("send", send, "not_found").await;
    bobs.error("read", json!({"room": room, "position": "1"}), "not_found").await;
    bobs.error("presence", json!({"room": room}), "not_found").await;
}

pub async fn after_a_removal_nothing_more_comes_on_resume(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Closed", &[&bob]).await;
    let meeting = alice.group("Meeting", &[&bob]).await;
    let start = bob.view(&room).await["position"].clone();
    alice.say(&room, "before").await;
    let place = format!("/rooms/{room}/members/{}", bob.id);
    alice.delete(&place).await.expect(204);
    say_all(&alice, &room, &["after", "long after"]).await;
    for instance in [0, 1] {
        let mut back = bob.at(instance).resume(known(&room, &start)).await;
        let removed = back.expect("member_removed").await;
        assert_eq!(removed["member"]["user_id"], bob.id);
        let fence = format!("fence {instance}");
        alice.say(&room, "much later").await;
        alice.say(&meeting, &fence).await;
        back.expect_message(&fence).await;
        assert_eq!(told(&back, &room), ["before", "member_removed"]);
        let rooms = back.greeting["rooms"].as_array().expect("a list").clone();
        assert!(rooms.iter().all(|other| other["id"] != room.as_str()), "{rooms:?}");
    }
}

/// Added between the handshake and hello: the room is on the list, and is loaded anew, since what was
/// said after the removal is nothing that a resume may bring.
pub async fn who_is_added_just_before_hello_misses_nothing(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Open", &[&bob]).await;
    let start = alice.say(&room, "seen").await["position"].clone();
    bob.leave(&room).await;
    say_all(&alice, &room, &["one", "two"]).await;
    let mut back = bob.silent_socket().await;
    let place = format!("/rooms/{room}/members/{}", bob.id);
    alice.put(&place, json!({"role": "member"})).await.expect(201);
    back.hello(json!({"rooms": known(&room, &start)})).await;
    back.expect("reset").await;
    alice.say(&room, "three").await;
    back.expect_message("three").await;
    assert_eq!(told(&back, &room), ["reset", "three"]);
    let history = bob.history(&room, "").await;
    let bodies = history["messages"].as_array().expect("messages").iter();
    let bodies: Vec<_> = bodies.map(|message| message["body"].clone()).collect();
    assert_eq!(bodies, ["seen", "one", "two", "three"]);
}

pub async fn who_comes_back_hears_again(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.public_group("Open", &[&bob]).await;
    let mut bobs = bob.socket().await;
    bob.leave(&room).await;
    bobs.expect("member_removed").await;
    alice.say(&room, "meanwhile").await;
    bob.join(&room).await;
    alice.say(&room, "welcome back").await;
    bobs.expect_message("welcome back").await;
    assert_eq!(bobs.texts(&room), ["welcome back"]);
    let history = bob.history(&room, "").await;
    assert_eq!(history["messages"][0]["body"], "meanwhile");
}
