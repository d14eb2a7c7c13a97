//! Marking as unread, and counts after all that may happen to what is unread.

use serde_json::{Value, json};

use crate::support::{Person, Socket, World};

/// The counts and the marker of a room.
fn counts(view: &Value) -> (i64, i64, i64) {
    let number = |field: &str| view[field].as_i64().unwrap_or_else(|| panic!("{field} of {view}"));
    (number("unread"), number("mentions"), number("read_version"))
}

async fn counts_of(person: &Person, room: &str) -> (i64, i64, i64) {
    counts(&person.view(room).await)
}

async fn say_each(person: &Person, room: &str, texts: &[&str]) -> Vec<Value> {
    let mut said = Vec::new();
    for text in texts {
        said.push(person.say(room, text).await["position"].clone());
    }
    said
}

/// The next `read` event of this version.
async fn marker(socket: &mut Socket, version: i64) -> Value {
    let fits = |event: &Value| event["type"] == "read" && event["read_version"] == version;
    socket.expect_where(&format!("a marker of version {version}"), fits).await
}

pub async fn from_a_message_on_it_is_unread_again(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Books", &[&bob]).await;
    let said = say_each(&alice, &room, &["one", "two", "three"]).await;
    assert_eq!(counts(&bob.read(&room, &said[2]).await), (0, 0, 0));

    let view = bob.unread_from(&room, &said[1]).await;
    assert_eq!(counts(&view), (2, 0, 1));
    for instance in [0, 1] {
        assert_eq!(counts_of(&bob.at(instance), &room).await, (2, 0, 1));
    }
    assert_eq!(bob.get("/rooms").await.expect(200)["rooms"][0]["unread"], 2);
    assert_eq!(counts_of(&alice, &room).await, (0, 0, 0), "hers is her own");

    // Reading goes on from there, and marking again is a version more.
    assert_eq!(counts(&bob.read(&room, &said[1]).await), (1, 0, 1));
    assert_eq!(counts(&bob.read(&room, &said[2]).await), (0, 0, 1));
    assert_eq!(counts(&bob.unread_from(&room, &said[0]).await), (3, 0, 2));
    // From the very beginning.
    assert_eq!(counts(&bob.unread_from(&room, &json!("0")).await), (3, 0, 3));
}

pub async fn it_never_marks_as_read(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Books", &[&bob]).await;
    let said = say_each(&alice, &room, &["one", "two", "three"]).await;
    bob.read(&room, &said[0]).await;
    for from in [&said[2], &json!(i64::MAX.to_string())] {
        let view = bob.unread_from(&room, from).await;
        assert_eq!((&view["unread"], &view["read_position"]), (&json!(2), &said[0]));
    }
}

pub async fn my_devices_hear_it_with_a_higher_version(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Books", &[&bob]).await;
    let said = say_each(&alice, &room, &["one", "two"]).await;
    bob.read(&room, &said[1]).await;
    let (mut phone, mut laptop) = (bob.at(0).socket().await, bob.at(1).socket().await);
    assert_eq!(counts(&laptop.greeting["rooms"][0]), (0, 0, 0));

    let done = phone.ok("unread", json!({"room": room, "position": said[1]})).await;
    assert_eq!(done["read_version"], 1);
    assert_ne!(done["read_position"], said[1]);
    for device in [&mut phone, &mut laptop] {
        let heard = marker(device, 1).await;
        assert_eq!((&heard["room"], &heard["user_id"]), (&json!(room), &json!(bob.id)));
        assert_eq!(heard["read_position"], done["read_position"]);
    }
    assert_eq!(counts(&bob.socket().await.greeting["rooms"][0]), (1, 0, 1));
    let done = laptop.ok("read", json!({"room": room, "position": said[1]})).await;
    assert_eq!((&done["read_version"], &done["read_position"]), (&json!(1), &said[1]));
    // That it was read the first time may still be on its way, with the version of before.
    let again = |event: &Value| {
        (&event["type"], &event["read_position"], &event["read_version"])
            == (&json!("read"), &said[1], &json!(1))
    };
    phone.expect_where("that it was read again", again).await;
}

pub async fn what_was_read_before_does_not_undo_it(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Books", &[&bob]).await;
    let said = say_each(&alice, &room, &["one", "two"]).await;
    bob.read(&room, &said[1]).await;
    bob.unread_from(&room, &said[0]).await;

    // A device that has not heard of it says what it knew; it is told how things are.
    let mut late = bob.socket().await;
    let old = json!({"room": room, "position": said[1], "read_version": 0});
    let answer = late.ok("read", old).await;
    assert_eq!(answer["read_version"], 1);
    assert_eq!(counts_of(&bob, &room).await, (2, 0, 1));
    let path = format!("/rooms/{room}/read");
    let old = json!({"position": said[1], "read_version": 0});
    assert_eq!(counts(&bob.put(&path, old).await.expect(200)["room"]), (2, 0, 1));

    let new = json!({"position": said[1], "read_version": 1});
    assert_eq!(counts(&bob.put(&path, new).await.expect(200)["room"]), (0, 0, 1));
}

/// What I sent is read, but only what I sent before: the store writes it later than it is
/// acknowledged, on whichever instance.
pub async fn what_was_sent_before_does_not_undo_it(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Books", &[&bob]).await;
    for round in 1..=10 {
        let said = alice.say(&room, "a question").await;
        let (here, there) = (bob.at(round), bob.at(round + 1));
        let mine = here.say(&room, "an answer").await;
        let view = there.unread_from(&room, &said["position"]).await;
        assert_eq!(counts(&view).0, 1, "{view}");
        assert!(view["read_position"] != mine["position"]);
    }
    // What is sent later counts.
    bob.say(&room, "enough").await;
    assert_eq!(counts_of(&bob, &room).await, (0, 0, 10));
}

pub async fn it_is_so_after_a_restart_and_a_crash(world: &World) {
    let mut world = world.with(&[]).await;
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Books", &[&bob]).await;
    let said = say_each(&alice, &room, &["one", &format!("two, @{}", bob.username)]).await;
    bob.read(&room, &said[1]).await;
    bob.unread_from(&room, &said[0]).await;
    world.hub().restart().await;
    assert_eq!(counts_of(&bob, &room).await, (2, 1, 1));
    assert_eq!(counts(&bob.socket().await.greeting["rooms"][0]), (2, 1, 1));

    bob.read(&room, &said[0]).await;
    alice.say(&room, &format!("three, @{}", bob.username)).await;
    world.hub().kill9();
    world.hub().start().await;
    assert_eq!(counts_of(&bob, &room).await, (2, 2, 1));
}

pub async fn counts_follow_edits_and_deletions(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Books", &[&bob]).await;
    let call = format!("@{}", bob.username);
    let one = alice.say(&room, "one").await;
    let two = alice.say(&room, &call).await;
    let path = |message: &Value| format!("/messages/{}", message["id"].as_str().expect("an id"));
    assert_eq!(counts_of(&bob, &room).await, (2, 1, 0));

    alice.patch(&path(&one), json!({"body": format!("one, {call}")})).await.expect(200);
    assert_eq!(counts_of(&bob, &room).await, (2, 2, 0));
    alice.patch(&path(&two), json!({"body": "nobody"})).await.expect(200);
    assert_eq!(counts_of(&bob, &room).await, (2, 1, 0));
    alice.delete(&path(&one)).await.expect(204);
    assert_eq!(counts_of(&bob, &room).await, (1, 0, 0));
    // Of what was read and deleted since, nothing is unread again.
    bob.read(&room, &two["position"]).await;
    assert_eq!(counts(&bob.unread_from(&room, &one["position"]).await), (1, 0, 1));

    // What I say to everybody calls me as little as it is unread.
    let all = alice.say(&room, "dinner, @all").await;
    assert_eq!(counts(&alice.unread_from(&room, &all["position"]).await), (0, 0, 1));
    assert_eq!(counts_of(&bob, &room).await, (2, 1, 1));
}

pub async fn events_name_those_who_are_called(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Books", &[&bob]).await;
    let mut socket = bob.at(1).socket().await;
    let named = |event: &Value| (event["mentions"].clone(), event["mentions_all"].clone());
    alice.say(&room, "nobody").await;
    assert_eq!(named(&socket.expect("message").await), (Value::Null, Value::Null));
    let said = alice.say(&room, &format!("@{}", bob.username)).await;
    assert_eq!(named(&socket.expect("message").await), (json!([bob.id]), Value::Null));
    let path = format!("/messages/{}", said["id"].as_str().expect("an id"));
    alice.patch(&path, json!({"body": "@all"})).await.expect(200);
    assert_eq!(named(&socket.expect("edited").await), (Value::Null, json!(true)));
}

pub async fn who_comes_back_begins_anew(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.public_group("Books", &[&bob]).await;
    let said = say_each(&alice, &room, &["one", "two"]).await;
    bob.unread_from(&room, &said[0]).await;
    bob.leave(&room).await;
    alice.say(&room, "three").await;
    assert_eq!(counts(&bob.join(&room).await), (0, 0, 0));
}

pub async fn it_is_for_members_and_takes_a_position(world: &World) {
    let [alice, eve] = world.people(["alice", "eve"]).await;
    let room = alice.group("Books", &[]).await;
    let path = format!("/rooms/{room}/unread");
    for wrong in [json!({}), json!({"position": 7}), json!({"position": "soon"})] {
        alice.put(&path, wrong).await.problem(400, "bad_request");
    }
    let wrong = json!({"position": "1", "read_version": "1"});
    alice.put(&format!("/rooms/{room}/read"), wrong).await.problem(400, "bad_request");
    let mut socket = eve.socket().await;
    socket.error("unread", json!({"room": room, "position": "1"}), "not_found").await;
    socket.error("unread", json!({"room": "nowhere", "position": "1"}), "not_found").await;
    socket.error("unread", json!({"room": room}), "bad_request").await;
    let open = alice.public_group("Open", &[]).await;
    socket.error("unread", json!({"room": open, "position": "1"}), "not_a_member").await;
}
