//! Who is online: asked for, and followed.

use std::time::Duration;

use serde_json::{Value, json};

use super::ground::is_time;
use crate::support::{Person, Socket, World, until, within};

/// The promise is a second; a machine that does other things meanwhile gets another one.
const A_MOMENT: Duration = Duration::from_secs(2);

fn status_of<'a>(list: &'a Value, person: &Person) -> Option<&'a str> {
    let users = list["users"].as_array().expect("a list");
    let found = users.iter().find(|user| user["user_id"] == person.id.as_str());
    found.map(|user| user["status"].as_str().expect("a status"))
}

async fn until_status(asks: &Person, of: &Person, status: &str) {
    within(A_MOMENT, &format!("{} to be {status}", of.username), async || {
        let list = asks.get(&format!("/presence?users={}", of.id)).await.expect(200);
        (status_of(&list, of) == Some(status)).then_some(())
    })
    .await;
}

/// The next change of this person that a follower hears.
async fn change(socket: &mut Socket, person: &Person) -> Value {
    let of_them = |event: &Value| event["type"] == "presence" && status_of(event, person).is_some();
    let event = socket.expect_where(&format!("presence of {}", person.username), of_them).await;
    json!(status_of(&event, person))
}

pub async fn online_while_a_socket_is_open(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Here", &[&bob]).await;
    let both = format!("/presence?users={},{}", alice.id, bob.id);
    let list = alice.get(&both).await.expect(200);
    assert_eq!(
        (status_of(&list, &alice), status_of(&list, &bob)),
        (Some("offline"), Some("offline"))
    );

    let socket = bob.socket().await;
    until_status(&alice, &bob, "online").await;
    within(A_MOMENT, "the list of the room", async || {
        let list = alice.get(&format!("/presence?room={room}")).await.expect(200);
        let seen = (status_of(&list, &alice), status_of(&list, &bob));
        (seen == (Some("offline"), Some("online"))).then_some(())
    })
    .await;
    within(A_MOMENT, "the members", async || {
        let list = alice.get(&format!("/rooms/{room}/members")).await.expect(200);
        (status_of(&json!({"users": list["members"]}), &bob) == Some("online")).then_some(())
    })
    .await;
    socket.close().await;
    until_status(&alice, &bob, "offline").await;
    until("a time when bob was last seen", async || {
        let list = alice.get(&format!("/presence?users={}", bob.id)).await.expect(200);
        is_time(&list["users"][0]["last_seen"]).then_some(())
    })
    .await;
}

pub async fn presence_is_asked_of_a_room_or_of_users(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let hers = alice.group("Hers", &[]).await;
    bob.get("/presence").await.problem(400, "bad_request");
    bob.get(&format!("/presence?room={hers}")).await.problem(404, "not_found");
}

pub async fn followers_of_people_hear_them_come_and_go(world: &World) {
    let [alice, bob, carol] = world.people(["alice", "bob", "carol"]).await;
    let mut watcher = alice.at(0).socket().await;
    let answer = watcher.ok("presence", json!({"users": [bob.id]})).await;
    assert_eq!(status_of(&answer, &bob), Some("offline"));
    let other = carol.at(1).socket().await;
    let bobs = bob.at(1).socket().await;
    assert_eq!(change(&mut watcher, &bob).await, "online");
    bobs.close().await;
    assert_eq!(change(&mut watcher, &bob).await, "offline");
    other.close().await;
    let strangers = watcher.log.iter().any(|event| status_of_event(event, &carol));
    assert!(!strangers, "only who was asked for: {:?}", watcher.log);
}

fn status_of_event(event: &Value, person: &Person) -> bool {
    event["type"] == "presence" && status_of(event, person).is_some()
}

pub async fn a_person_with_several_sockets_leaves_with_the_last(world: &World) {
    let [alice, bob, carol] = world.people(["alice", "bob", "carol"]).await;
    let mut watcher = alice.socket().await;
    watcher.ok("presence", json!({"users": [bob.id, carol.id]})).await;
    let phone = bob.at(0).socket().await;
    assert_eq!(change(&mut watcher, &bob).await, "online");
    let laptop = bob.at(1).socket().await;
    phone.close().await;
    // Carol's coming would be told after bob's going.
    let carols = carol.at(0).socket().await;
    assert_eq!(change(&mut watcher, &carol).await, "online");
    until_status(&alice, &bob, "online").await;
    laptop.close().await;
    assert_eq!(change(&mut watcher, &bob).await, "offline");
    carols.close().await;
    let of_bob = watcher.log.iter().filter(|event| status_of_event(event, &bob));
    let told: Vec<_> = of_bob.map(|event| status_of(event, &bob)).collect();
    assert_eq!(told, [Some("online"), Some("offline")], "each change once");
}

pub async fn followers_of_a_room_hear_its_members(world: &World) {
    let [alice, bob, mallory] = world.people(["alice", "bob", "mallory"]).await;
    let room = alice.group("Here", &[&bob]).await;
    let mut watcher = alice.at(0).socket().await;
    let answer = watcher.ok("presence", json!({"room": room})).await;
    assert_eq!(status_of(&answer, &bob), Some("offline"));
    let bobs = bob.at(1).socket().await;
    assert_eq!(change(&mut watcher, &bob).await, "online");
    bobs.close().await;
    assert_eq!(change(&mut watcher, &bob).await, "offline");
    let mut stranger = mallory.socket().await;
    stranger.error("presence", json!({"room": room}), "not_found").await;
    // Who comes in is here already.
    let member = format!("/rooms/{room}/members/{}", mallory.id);
    alice.put(&member, json!({"role": "member"})).await.expect(201);
    assert_eq!(change(&mut watcher, &mallory).await, "online");
}

pub async fn followers_of_all_hear_everybody(world: &World) {
    let alice = world.person("alice").await;
    let mut watcher = alice.at(0).socket().await;
    let answer = watcher.ok("presence", json!({"all": true})).await;
    assert!(answer["users"].is_array(), "{answer}");
    // One who signs up later is heard as well.
    let bob = world.person("bob").await;
    let bobs = bob.at(1).socket().await;
    assert_eq!(change(&mut watcher, &bob).await, "online");
    bobs.close().await;
    assert_eq!(change(&mut watcher, &bob).await, "offline");
}

pub async fn who_left_a_room_does_not_follow_it(world: &World) {
    let [alice, bob, carol] = world.people(["alice", "bob", "carol"]).await;
    let room = alice.group("Private", &[&bob]).await;
    let doomed = alice.group("Doomed", &[&bob]).await;
    let mut bobs = bob.at(1).socket().await;
    bobs.ok("presence", json!({"room": doomed})).await;
    alice.delete(&format!("/rooms/{doomed}")).await.expect(204);
    bobs.expect("room_deleted").await;

    let (admin, place) = (alice.clone(), format!("/rooms/{room}/members/{}", bob.id));
    let removing = tokio::spawn(async move { admin.delete(&place).await.expect(204) });
    bobs.expect("member_removed").await;
    // At once, while the store may not know of it yet.
    bobs.error("presence", json!({"room": room}), "not_found").await;
    removing.await.expect("it is done");
    let place = format!("/rooms/{room}/members/{}", carol.id);
    alice.put(&place, json!({"role": "member"})).await.expect(201);

    let mut meeting = carol.socket().await;
    let other = alice.direct(&bob).await;
    for person in [&alice, &carol] {
        person.socket().await.close().await;
    }
    meeting.settle().await;
    alice.say(&other, "fence").await;
    bobs.expect_message("fence").await;
    // Of himself he may have heard, while he still followed the doomed room.
    let of_others = |event: &&Value| {
        let users = event["users"].as_array().into_iter().flatten();
        event["type"] == "presence" && users.into_iter().any(|user| user["user_id"] != bob.id)
    };
    let told: Vec<_> = bobs.log.iter().filter(of_others).collect();
    assert!(told.is_empty(), "{told:?}");
}

pub async fn a_presence_command_says_whom_it_means(world: &World) {
    let alice = world.person("alice").await;
    let mut socket = alice.socket().await;
    socket.error("presence", json!({}), "bad_request").await;
    socket.error("presence", json!({"users": [7]}), "bad_request").await;
    socket.settle().await;
}
