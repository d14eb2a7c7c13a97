//! Several instances are one hub: what one of them answered, the others know at once. (With one
//! instance both ends are the same, and the stories say that an answer is not ahead of the truth.)

use serde_json::{Value, json};

use crate::support::{PASSWORD, Person, World, unique};

async fn names_of_my_rooms(person: &Person) -> Vec<Value> {
    let mine = person.get("/rooms").await.expect(200);
    mine["rooms"].as_array().expect("a list").iter().map(|room| room["name"].clone()).collect()
}

pub async fn accounts_are_known_everywhere_at_once(world: &World) {
    for (here, there) in [(0, 1), (1, 0)] {
        let name = format!("alice-{}", unique());
        let form = json!({"username": name, "password": PASSWORD});
        let (near, far) = (world.stranger().at(here), world.stranger().at(there));
        let made = near.post("/users", form.clone()).await.expect(201);
        let token = made["token"].as_str().expect("a token");
        let (near, far) = (near.with_token(token), far.with_token(token));
        assert_eq!(far.get("/me").await.expect(200)["user"], made["user"]);
        far.post("/users", form.clone()).await.problem(409, "username_taken");
        let found = far.get(&format!("/users?query={name}")).await.expect(200);
        assert_eq!(found["users"][0]["id"], made["user"]["id"]);

        near.patch("/me", json!({"display_name": "Alice"})).await.expect(200);
        assert_eq!(far.get("/me").await.expect(200)["user"]["display_name"], "Alice");
        let again = far.post("/sessions", form).await.expect(201);
        near.get("/me").await.expect(200);
        far.delete("/sessions/current").await.expect(204);
        near.get("/me").await.problem(401, "not_logged_in");
        let again = near.with_token(again["token"].as_str().expect("a token"));
        again.get("/me").await.expect(200);
    }
}

pub async fn rooms_are_known_everywhere_at_once(world: &World) {
    let [alice, bob, carol] = world.people(["alice", "bob", "carol"]).await;
    for (here, there) in [(0, 1), (1, 0)] {
        let (alice, bob, carol) = (alice.at(here), bob.at(there), carol.at(there));
        let room = alice.public_group("Books", &[&bob]).await;
        assert_eq!(bob.view(&room).await["role"], "member");
        assert_eq!(names_of_my_rooms(&bob).await, ["Books"]);
        let path = format!("/rooms/{room}");
        alice.patch(&path, json!({"name": "Good books"})).await.expect(200);
        assert_eq!(carol.view(&room).await["name"], "Good books");

        let place = |person: &Person| format!("{path}/members/{}", person.id);
        alice.put(&place(&carol), json!({"role": "member"})).await.expect(201);
        assert_eq!(carol.view(&room).await["member_count"], 3);
        carol.leave(&room).await;
        assert_eq!(alice.view(&room).await["member_count"], 2);
        carol.join(&room).await;
        let members = alice.get(&format!("{path}/members")).await.expect(200);
        assert_eq!(members["members"].as_array().map(Vec::len), Some(3));
        alice.put(&place(&carol), json!({"role": "admin"})).await.expect(200);
        carol.delete(&format!("{}?ban=true", place(&bob))).await.expect(204);
        let join = bob.post(&format!("{path}/join"), json!({})).await;
        join.problem(403, "banned");
        alice.delete(&path).await.expect(204);
        carol.get(&path).await.problem(404, "not_found");
        assert_eq!(names_of_my_rooms(&carol).await, Vec::<Value>::new());
    }
}

pub async fn messages_are_known_everywhere_at_once(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Books", &[&bob]).await;
    for round in 0..5 {
        for (here, there) in [(0, 1), (1, 0)] {
            let (alice, bob) = (alice.at(here), bob.at(there));
            let text = format!("{round} from {here}");
            let sent = alice.say(&room, &text).await;
            let page = bob.history(&room, "?limit=1").await;
            assert_eq!(page["messages"][0]["id"], sent["id"]);
            let view = bob.view(&room).await;
            assert_eq!((&view["unread"], &view["last_message"]["id"]), (&json!(1), &sent["id"]));
            bob.read(&room, &sent["position"]).await;
            let read = bob.at(here).view(&room).await;
            assert_eq!((&read["unread"], &read["read_position"]), (&json!(0), &sent["position"]));
            let form = json!({"body": "another", "client_id": text});
            let path = format!("/rooms/{room}/messages");
            let first = alice.post(&path, form.clone()).await.expect(201);
            let again = alice.at(there).post(&path, form).await.expect(200);
            assert_eq!(again["message"]["id"], first["message"]["id"]);
            bob.read(&room, &first["message"]["position"]).await;
        }
    }
}

pub async fn a_name_is_taken_once(world: &World) {
    let form = json!({"username": format!("alice-{}", unique()), "password": PASSWORD});
    let (here, there) = (world.stranger().at(0), world.stranger().at(1));
    let (one, other) =
        tokio::join!(here.post("/users", form.clone()), there.post("/users", form.clone()));
    let mut statuses = [one.status, other.status];
    statuses.sort();
    assert_eq!(statuses, [201, 409], "{one:?} {other:?}");
}

pub async fn two_admins_do_not_both_leave(world: &World) {
    let [alice, bob, carol] = world.people(["alice", "bob", "carol"]).await;
    let room = alice.group("Books", &[&carol]).await;
    let place = format!("/rooms/{room}/members/{}", bob.id);
    alice.put(&place, json!({"role": "admin"})).await.expect(201);
    let path = format!("/rooms/{room}/leave");
    let (here, there) = (alice.at(0), bob.at(1));
    let (one, other) = tokio::join!(here.post(&path, json!({})), there.post(&path, json!({})));
    let mut statuses = [one.status, other.status];
    statuses.sort();
    assert_eq!(statuses, [204, 409], "{one:?} {other:?}");
    let members = carol.get(&format!("/rooms/{room}/members")).await.expect(200);
    let members = members["members"].as_array().expect("a list").clone();
    assert_eq!(members.iter().filter(|member| member["role"] == "admin").count(), 1);
}

pub async fn a_removal_and_a_message_at_once_agree_everywhere(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    for _ in 0..3 {
        let room = alice.group("Books", &[&bob]).await;
        let mut watcher = alice.at(1).socket().await;
        let (admin, member) = (alice.at(0), bob.at(1));
        let (path, place) =
            (format!("/rooms/{room}/messages"), format!("/rooms/{room}/members/{}", bob.id));
        let (removed, sent) =
            tokio::join!(admin.delete(&place), member.post(&path, json!({"body": "am I in?"})));
        removed.expect(204);
        let history = alice.history(&room, "").await;
        let count = history["messages"].as_array().expect("a list").len();
        match sent.status {
            201 => assert_eq!(count, 1, "what was acknowledged is there"),
            403 | 404 => assert_eq!(count, 0, "what was refused is not"),
            other => panic!("{other}: {}", sent.text),
        }
        watcher.expect("member_removed").await;
        alice.say(&room, "the end").await;
        watcher.expect_message("the end").await;
        let told = watcher.of_room(&room);
        assert!(told.last().is_some_and(|event| event["message"]["body"] == "the end"));
        assert_eq!(watcher.texts(&room).len(), count + 1);
    }
}
