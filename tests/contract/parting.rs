//! What somebody hears of a room who is not in it any more, or never was.

use serde_json::{Value, json};

use crate::support::{Person, World};

async fn remove(admin: &Person, room: &str, person: &Person, query: &str) {
    let place = format!("/rooms/{room}/members/{}{query}", person.id);
    admin.delete(&place).await.expect(204);
}

async fn add(admin: &Person, room: &str, person: &Person) {
    let place = format!("/rooms/{room}/members/{}", person.id);
    admin.put(&place, json!({"role": "member"})).await.expect(201);
}

/// Coming back with this position, to either instance, one gets these events of the room and no
/// others: their types, or the text of messages.
async fn hears(admin: &Person, person: &Person, room: &str, since: &Value, expected: &[&str]) {
    let meeting = admin.group("Meeting", &[person]).await;
    for instance in [0, 1] {
        let mut rooms = json!({});
        rooms[room] = since.clone();
        let mut back = person.at(instance).resume(rooms).await;
        for _ in expected {
            back.expect_where("an event of the room", |event| event["room"] == room).await;
        }
        back.settle().await;
        let fence = format!("fence {instance}");
        admin.say(&meeting, &fence).await;
        back.expect_message(&fence).await;
        let events = back.of_room(room);
        let told = events.iter().map(|event| {
            let text = event["message"]["body"].as_str().or(event["type"].as_str());
            text.expect("a type")
        });
        assert_eq!(told.collect::<Vec<_>>(), expected, "from instance {instance}");
    }
}

pub async fn a_ban_tells_those_who_never_were_members_nothing(world: &World) {
    let [alice, bob, mallory] = world.people(["alice", "bob", "mallory"]).await;
    let room = alice.group("Private", &[&bob]).await;
    alice.say(&room, "secret").await;
    let mut bobs = bob.socket().await;
    remove(&alice, &room, &mallory, "?ban=true").await;
    let banned = bobs.expect("member_banned").await;
    assert_eq!(banned["member"]["user_id"], mallory.id);
    hears(&alice, &mallory, &room, &json!("0"), &[]).await;
    mallory.get(&format!("/rooms/{room}")).await.problem(404, "not_found");
}

pub async fn a_ban_afterwards_tells_former_members_nothing_more(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Private", &[&bob]).await;
    let before = alice.say(&room, "before").await["position"].clone();
    remove(&alice, &room, &bob, "").await;
    alice.say(&room, "secret").await;
    remove(&alice, &room, &bob, "?ban=true").await;
    hears(&alice, &bob, &room, &before, &["member_removed"]).await;
    let all = ["room_created", "before", "member_removed"];
    hears(&alice, &bob, &room, &json!("0"), &all).await;
    let end = alice.view(&room).await["position"].clone();
    hears(&alice, &bob, &room, &end, &[]).await;
}

pub async fn what_lay_between_two_stays_is_not_told(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Private", &[&bob]).await;
    let before = alice.say(&room, "before").await["position"].clone();
    remove(&alice, &room, &bob, "").await;
    let between = alice.say(&room, "between").await["position"].clone();
    add(&alice, &room, &bob).await;
    alice.say(&room, "again").await;
    remove(&alice, &room, &bob, "").await;
    hears(&alice, &bob, &room, &before, &["member_removed"]).await;
    // Not a member then: of the stay that followed, only its end.
    hears(&alice, &bob, &room, &between, &["member_removed"]).await;
}

pub async fn who_missed_too_much_hears_of_the_removal_alone(world: &World) {
    let world = world.with(&[("ROOKERY_LIMITS__RESUME_EVENTS", "3")]).await;
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Busy", &[&bob]).await;
    let start = bob.view(&room).await["position"].clone();
    for text in ["1", "2"] {
        alice.say(&room, text).await;
    }
    remove(&alice, &room, &bob, "").await;
    hears(&alice, &bob, &room, &start, &["1", "2", "member_removed"]).await;
    // What came after the removal does not count.
    alice.say(&room, "3").await;
    hears(&alice, &bob, &room, &start, &["1", "2", "member_removed"]).await;
    hears(&alice, &bob, &room, &json!("0"), &["member_removed"]).await;
}

pub async fn members_of_a_deleted_room_hear_of_it_when_they_return(world: &World) {
    let [alice, bob, mallory] = world.people(["alice", "bob", "mallory"]).await;
    let room = alice.group("Doomed", &[&bob, &mallory]).await;
    let start = bob.view(&room).await["position"].clone();
    alice.say(&room, "gone for good").await;
    remove(&alice, &room, &mallory, "").await;
    alice.delete(&format!("/rooms/{room}")).await.expect(204);
    hears(&alice, &bob, &room, &start, &["room_deleted"]).await;
    hears(&alice, &mallory, &room, &start, &[]).await;
}

pub async fn a_room_made_meanwhile_is_shown_as_it_is_live(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let mut live = bob.socket().await;
    let room = alice.direct(&bob).await;
    let live = live.expect("room_created").await;
    for instance in [0, 1] {
        let mut rooms = json!({});
        rooms[&room] = json!("0");
        let mut back = bob.at(instance).resume(rooms).await;
        assert_eq!(back.expect("room_created").await, live);
    }
    assert_eq!(
        (&live["info"]["name"], &live["info"]["role"]),
        (&json!(alice.username), &json!("member"))
    );
}
