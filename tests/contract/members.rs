//! Members: joining and leaving, adding, promoting, removing, banning.

use serde_json::{Value, json};

use super::ground::is_time;
use crate::support::{Answer, Person, World};

fn member_path(room: &str, person: &Person) -> String {
    format!("/rooms/{room}/members/{}", person.id)
}

async fn set_role(by: &Person, room: &str, person: &Person, role: &str) -> Answer {
    by.put(&member_path(room, person), json!({"role": role})).await
}

async fn members(of: &Person, room: &str) -> Vec<Value> {
    let list = of.get(&format!("/rooms/{room}/members")).await.expect(200);
    list["members"].as_array().expect("a list").clone()
}

async fn leave(person: &Person, room: &str) -> Answer {
    person.post(&format!("/rooms/{room}/leave"), json!({})).await
}

async fn join(person: &Person, room: &str) -> Answer {
    person.post(&format!("/rooms/{room}/join"), json!({})).await
}

pub async fn members_are_listed_with_role_and_status(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Books", &[&bob]).await;
    let list = members(&bob, &room).await;
    assert_eq!(list.len(), 2);
    for (person, role) in [(&alice, "admin"), (&bob, "member")] {
        let member = list.iter().find(|member| member["user_id"] == person.id.as_str());
        let member = member.unwrap_or_else(|| panic!("{} in {list:?}", person.username));
        assert_eq!(member["username"], person.username);
        assert_eq!(member["role"], role);
        assert_eq!(member["status"], "offline");
        assert!(member["display_name"].is_string() && is_time(&member["joined_at"]), "{member}");
    }
}

pub async fn anyone_may_join_and_leave_a_public_group(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.public_group("Open", &[]).await;
    alice.say(&room, "before").await;
    let joined = bob.join(&room).await;
    assert_eq!((&joined["role"], &joined["member_count"]), (&json!("member"), &json!(2)));
    assert_eq!(bob.history(&room, "").await["messages"][0]["body"], "before");
    join(&bob, &room).await.expect(200);
    assert_eq!(members(&alice, &room).await.len(), 2);
    bob.say(&room, "hello").await;
    bob.leave(&room).await;
    bob.get(&format!("/rooms/{room}/messages")).await.problem(403, "not_a_member");
    assert_eq!(members(&alice, &room).await.len(), 1);
    alice.say(&room, "while bob was away").await;
    bob.join(&room).await;
    let history = bob.history(&room, "").await;
    assert_eq!(history["messages"].as_array().map(Vec::len), Some(3), "all that was said");
}

pub async fn nobody_joins_a_private_group(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Closed", &[&bob]).await;
    bob.leave(&room).await;
    join(&bob, &room).await.problem(404, "not_found");
    bob.get(&format!("/rooms/{room}")).await.problem(404, "not_found");
}

pub async fn the_last_admin_hands_over_first(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Books", &[&bob]).await;
    leave(&alice, &room).await.problem(409, "last_admin");
    set_role(&alice, &room, &alice, "member").await.problem(409, "last_admin");
    set_role(&alice, &room, &bob, "admin").await.expect(200);
    alice.leave(&room).await;
    assert_eq!(bob.view(&room).await["role"], "admin");
    leave(&bob, &room).await.expect(204);
}

pub async fn admins_add_promote_and_demote(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Books", &[]).await;
    set_role(&alice, &room, &bob, "member").await.expect(201);
    assert_eq!(bob.view(&room).await["role"], "member");
    set_role(&alice, &room, &bob, "member").await.expect(200);
    set_role(&alice, &room, &bob, "admin").await.expect(200);
    assert_eq!(bob.view(&room).await["role"], "admin");
    set_role(&bob, &room, &alice, "member").await.expect(200);
    assert_eq!(alice.view(&room).await["role"], "member");
    set_role(&alice, &room, &bob, "member").await.problem(403, "forbidden");
    set_role(&bob, &room, &alice, "owner").await.problem(422, "invalid_role");
    let path = member_path(&room, &alice);
    bob.put(&path, json!({"role": 1})).await.problem(400, "bad_request");
    bob.put(&path, json!({})).await.problem(400, "bad_request");
}

pub async fn one_may_be_added_as_an_admin(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Books", &[]).await;
    set_role(&alice, &room, &bob, "admin").await.expect(201);
    assert_eq!(bob.view(&room).await["role"], "admin");
    alice.leave(&room).await;
}

pub async fn removing_is_not_banning(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.public_group("Open", &[&bob]).await;
    alice.delete(&member_path(&room, &bob)).await.expect(204);
    bob.get(&format!("/rooms/{room}/messages")).await.problem(403, "not_a_member");
    assert_eq!(bob.get("/rooms").await.expect(200)["rooms"], json!([]));
    bob.join(&room).await;
    bob.say(&room, "back").await;
}

pub async fn the_banned_stay_out_until_an_admin_adds_them(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.public_group("Open", &[&bob]).await;
    let ban = format!("{}?ban=true", member_path(&room, &bob));
    alice.delete(&ban).await.expect(204);
    join(&bob, &room).await.problem(403, "banned");
    bob.get(&format!("/rooms/{room}/messages")).await.problem(403, "not_a_member");
    set_role(&alice, &room, &bob, "member").await.expect(201);
    bob.say(&room, "thank you").await;
    bob.leave(&room).await;
    join(&bob, &room).await.expect(200);
}

pub async fn the_removed_see_nothing_of_a_private_group(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Closed", &[&bob]).await;
    alice.say(&room, "for both").await;
    alice.delete(&member_path(&room, &bob)).await.expect(204);
    alice.say(&room, "for one").await;
    let path = format!("/rooms/{room}");
    bob.get(&path).await.problem(404, "not_found");
    bob.get(&format!("{path}/messages")).await.problem(404, "not_found");
    bob.get(&format!("{path}/members")).await.problem(404, "not_found");
    let send = bob.post(&format!("{path}/messages"), json!({"body": "hello?"})).await;
    send.problem(404, "not_found");
    assert_eq!(bob.get("/rooms").await.expect(200)["rooms"], json!([]));
    assert_eq!(alice.view(&room).await["member_count"], 1);

    // Who comes back sees what was said before, and meanwhile.
    set_role(&alice, &room, &bob, "member").await.expect(201);
    let history = bob.history(&room, "").await;
    assert_eq!(history["messages"][0]["body"], "for both");
    assert_eq!(history["messages"][1]["body"], "for one");
}
