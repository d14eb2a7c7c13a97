//! Hub admins administer public groups without being in them; what is private stays private.
//! Who may do what stands in the tables of `rights`.

use serde_json::{Value, json};

use super::ground::is_time;
use crate::support::{Person, World, handshake_at};

async fn hub_admin(world: &World) -> Person {
    let person = world.person("keeper").await;
    let said = world.command(&["user", "promote", &person.username]).await;
    assert_eq!(said, format!("{} is a hub admin\n", person.username));
    person
}

async fn is_hub_admin(person: &Person) -> Value {
    person.get("/me").await.expect(200)["user"]["hub_admin"].clone()
}

pub async fn the_operator_makes_hub_admins(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    assert_eq!(is_hub_admin(&alice).await, Value::Null);
    for _ in 0..2 {
        world.command(&["user", "promote", &alice.username]).await;
        // On every instance, at the next request.
        assert_eq!(
            (is_hub_admin(&alice).await, is_hub_admin(&alice).await),
            (true.into(), true.into())
        );
    }
    let list = world.command(&["user", "list"]).await;
    let line = |person: &Person| {
        let own = |line: &&str| line.starts_with(&format!("{}\t", person.id));
        list.lines().find(own).expect("a line for everyone").to_owned()
    };
    assert!(line(&alice).ends_with("\tactive\tadmin"), "{list}");
    assert!(line(&bob).ends_with("\tactive"), "{list}");
    assert!(alice.socket().await.greeting["user"]["hub_admin"] == true);

    let name = format!("born-{}", alice.id);
    world.command_with(&["user", "add", "--admin", &name], "a long enough pass phrase").await;
    let form = json!({"username": name, "password": "a long enough pass phrase"});
    assert_eq!(alice.post("/sessions", form).await.expect(201)["user"]["hub_admin"], true);

    world.command(&["user", "demote", &alice.username]).await;
    assert_eq!(is_hub_admin(&alice).await, Value::Null);
    assert_eq!(is_hub_admin(&alice).await, Value::Null);
}

pub async fn a_hub_admin_steps_in_and_the_audit_says_so(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let keeper = hub_admin(world).await;
    let room = alice.public_group("Market", &[&bob]).await;
    let rude = bob.say(&room, "rude").await;
    let mut bobs = bob.socket().await;
    let path = format!("/rooms/{room}");

    assert_eq!(keeper.history(&room, "").await["messages"][0]["body"], "rude");
    keeper.delete(&format!("/messages/{}", rude["id"].as_str().unwrap())).await.expect(204);
    assert_eq!(bobs.expect("deleted").await["by"], json!(keeper.id));
    keeper.patch(&path, json!({"topic": "Be kind"})).await.expect(200);
    keeper.put(&format!("{path}/members/{}/mute", bob.id), json!({"minutes": 5})).await.expect(200);
    keeper.delete(&format!("{path}/members/{}?ban=true", bob.id)).await.expect(204);
    bobs.expect("member_removed").await;
    let bans = keeper.get(&format!("{path}/bans")).await.expect(200);
    assert_eq!(bans["members"][0]["user_id"], json!(bob.id));

    let page = alice.get(&format!("{path}/audit?limit=4")).await.expect(200);
    let entries = page["entries"].as_array().expect("a list");
    let actions: Vec<&Value> = entries.iter().map(|entry| &entry["action"]).collect();
    assert_eq!(actions, ["member_removed", "member_muted", "room_updated", "deleted"]);
    for entry in entries {
        assert_eq!((&entry["by"], &entry["hub_admin"]), (&json!(keeper.id), &json!(true)));
        assert!(is_time(&entry["at"]));
    }

    // What is no administration takes a seat: no ban holds them off.
    handshake_at(&keeper, &format!("/subscribe/{room}")).send().await.problem(403, "not_a_member");
    let mut outside = keeper.socket().await;
    assert_eq!(outside.greeting["rooms"], json!([]));
    for (command, fields) in [
        ("send", json!({"room": room, "client_id": "1", "body": "hello"})),
        ("typing", json!({"room": room})),
        ("read", json!({"room": room, "position": "1"})),
        ("react", json!({"message": rude["id"], "emoji": "👍", "on": true})),
        ("edit", json!({"message": rude["id"], "body": "kind"})),
        ("presence", json!({"room": room})),
    ] {
        outside.error(command, fields, "not_a_member").await;
    }
    keeper
        .post(&format!("{path}/messages"), json!({"body": "hello"}))
        .await
        .problem(403, "not_a_member");
    alice.delete(&format!("{path}/members/{}?ban=true", keeper.id)).await.expect(204);
    assert_eq!(keeper.join(&room).await["role"], "member");
    keeper.say(&room, "hello").await;
    // A member by their seat, an admin by what they are to the hub: also through a socket.
    let word = alice.say(&room, "a word").await;
    let mut keepers = keeper.socket().await;
    keepers.ok("delete", json!({"message": word["id"]})).await;
    // Their own, too, once they are gone from there.
    let own = keeper.say(&room, "so long").await;
    keeper.leave(&room).await;
    keepers.ok("delete", json!({"message": own["id"]})).await;
}

pub async fn a_group_keeps_an_admin(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let keeper = hub_admin(world).await;
    let room = alice.public_group("Market", &[&bob]).await;
    let place = |person: &Person| format!("/rooms/{room}/members/{}", person.id);
    keeper.delete(&place(&alice)).await.problem(409, "last_admin");
    keeper.put(&place(&bob), json!({"role": "admin"})).await.expect(200);
    keeper.delete(&place(&alice)).await.expect(204);
    assert_eq!(bob.view(&room).await["role"], "admin");
}

pub async fn what_is_made_private_is_closed_to_them(world: &World) {
    let alice = world.person("alice").await;
    let keeper = hub_admin(world).await;
    let room = alice.public_group("Market", &[]).await;
    let path = format!("/rooms/{room}");
    let change = json!({"visibility": "private", "name": "Cellar"});
    let done = keeper.patch(&path, change).await.expect(200);
    assert_eq!(
        (&done["room"]["name"], &done["room"]["visibility"]),
        (&json!("Cellar"), &json!("private"))
    );
    keeper.get(&path).await.problem(404, "not_found");
    keeper.get(&format!("{path}/messages")).await.problem(404, "not_found");
    assert_eq!(alice.view(&room).await["name"], "Cellar");
}

pub async fn who_is_demoted_is_like_others_at_once(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let keeper = hub_admin(world).await;
    let room = alice.public_group("Market", &[&bob]).await;
    let mut word = Vec::new();
    for text in ["one", "two"] {
        word.push(bob.say(&room, text).await["id"].clone());
    }
    let mut socket = keeper.socket().await;
    socket.ok("delete", json!({"message": word[0]})).await;
    world.command(&["user", "demote", &keeper.username]).await;
    for _ in 0..2 {
        let path = format!("/rooms/{room}");
        keeper.patch(&path, json!({"name": "Mine"})).await.problem(403, "not_a_member");
        keeper.get(&format!("{path}/messages")).await.problem(403, "not_a_member");
    }
    // The socket that was opened before gives no right either.
    socket.error("delete", json!({"message": word[1]}), "not_a_member").await;
}
