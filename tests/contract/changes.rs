//! What becomes of messages: edited, deleted, reacted to, replied to.

use serde_json::{Value, json};

use super::ground::{is_time, position};
use crate::support::{Person, World};

fn place(message: &Value) -> String {
    format!("/messages/{}", message["id"].as_str().expect("an id"))
}

fn reaction(message: &Value, emoji: &str) -> String {
    format!("{}/reactions/{emoji}", place(message))
}

const THUMB: &str = "%F0%9F%91%8D";

/// The newest message of the room, at every instance.
async fn newest(person: &Person, room: &str) -> Value {
    let mut seen = Vec::new();
    for instance in [0, 1] {
        let page = person.at(instance).history(room, "?limit=1").await;
        seen.push(page["messages"][0].clone());
    }
    assert_eq!(seen[0], seen[1], "the same everywhere");
    seen.remove(0)
}

pub async fn an_edit_shows_everywhere(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Books", &[&bob]).await;
    let mut bobs = bob.socket().await;
    let sent = alice.say(&room, "teh book").await;
    let edited = alice.patch(&place(&sent), json!({"body": " the book "})).await.expect(200);
    let edited = &edited["message"];
    assert_eq!((&edited["body"], &edited["id"]), (&json!("the book"), &sent["id"]));
    assert_eq!(edited["position"], sent["position"], "its position never changes");
    assert!(is_time(&edited["edited_at"]), "{edited}");
    let event = bobs.expect("edited").await;
    assert_eq!((&event["message"], &event["room"]), (edited, &json!(room)));
    assert!(position(&event["position"]) > position(&sent["position"]));
    assert_eq!(&newest(&bob, &room).await, edited);
    assert_eq!(&bob.view(&room).await["last_message"], edited);

    let mut alices = alice.socket().await;
    alices.ok("react", json!({"message": sent["id"], "emoji": "👍", "on": true})).await;
    let done = alices.ok("edit", json!({"message": sent["id"], "body": "a book"})).await;
    assert_eq!(done["message"]["reactions"][0]["mine"], true, "{done}");
    assert_eq!(bobs.expect("edited").await["message"]["body"], "a book");
    alices.error("edit", json!({"message": sent["id"], "body": " "}), "invalid_body").await;
}

pub async fn one_message_can_be_asked_for(world: &World) {
    let [alice, bob, carol] = world.people(["alice", "bob", "carol"]).await;
    let room = alice.group("Books", &[&bob]).await;
    let sent = alice.say(&room, "the boook").await;
    alice.say(&room, "another").await;
    alice.patch(&place(&sent), json!({"body": "the book"})).await.expect(200);
    bob.put(&reaction(&sent, THUMB), json!({})).await.expect(200);
    for instance in [0, 1] {
        let message = bob.at(instance).get(&place(&sent)).await.expect(200)["message"].clone();
        assert_eq!((&message["id"], &message["position"]), (&sent["id"], &sent["position"]));
        assert_eq!(message["body"], "the book");
        assert_eq!(message["reactions"], json!([{"emoji": "👍", "count": 1, "mine": true}]));
    }
    alice.delete(&place(&sent)).await.expect(204);
    assert_eq!(bob.get(&place(&sent)).await.expect(200)["message"]["deleted"], true);

    carol.get(&place(&sent)).await.problem(404, "not_found");
    bob.get("/messages/999999999999").await.problem(404, "not_found");
    alice.patch(&format!("/rooms/{room}"), json!({"visibility": "public"})).await.expect(200);
    carol.get(&place(&sent)).await.problem(403, "not_a_member");
    carol.join(&room).await;
    carol.get(&place(&sent)).await.expect(200);
}

pub async fn only_its_author_edits_a_message(world: &World) {
    let [alice, bob, carol] = world.people(["alice", "bob", "carol"]).await;
    let room = alice.group("Books", &[&bob]).await;
    let sent = bob.say(&room, "mine").await;
    let change = json!({"body": "yours"});
    alice.patch(&place(&sent), change.clone()).await.problem(403, "forbidden");
    carol.patch(&place(&sent), change.clone()).await.problem(404, "not_found");
    bob.patch(&place(&sent), json!({"body": ""})).await.problem(422, "invalid_body");
    bob.patch(&place(&sent), json!({})).await.problem(400, "bad_request");
    for id in ["999999999999", "x", "01", "9223372036854775807"] {
        bob.patch(&format!("/messages/{id}"), change.clone()).await.problem(404, "not_found");
    }
    bob.leave(&room).await;
    bob.patch(&place(&sent), change).await.problem(404, "not_found");
    assert_eq!(newest(&alice, &room).await["body"], "mine");
}

pub async fn a_deleted_message_keeps_its_place(world: &World) {
    let [alice, bob, carol] = world.people(["alice", "bob", "carol"]).await;
    let room = alice.group("Books", &[&bob, &carol]).await;
    let mut carols = carol.socket().await;
    let sent = bob.say(&room, "regret").await;
    assert_eq!(carol.view(&room).await["unread"], 1);
    carol.delete(&place(&sent)).await.problem(403, "forbidden");
    bob.delete(&place(&sent)).await.expect(204);
    let event = carols.expect("deleted").await;
    let message = &event["message"];
    assert_eq!((&message["id"], &message["deleted"]), (&sent["id"], &json!(true)));
    assert_eq!(message["position"], sent["position"]);
    assert!(message.get("body").is_none(), "{message}");
    assert_eq!(&newest(&carol, &room).await, message);
    assert_eq!(carol.view(&room).await["unread"], 0, "nothing to read any more");

    bob.delete(&place(&sent)).await.expect(204);
    bob.socket().await.ok("delete", json!({"message": sent["id"]})).await;
    let gone = json!({"body": "back"});
    bob.patch(&place(&sent), gone).await.problem(409, "message_deleted");
    bob.put(&reaction(&sent, THUMB), json!({})).await.problem(409, "message_deleted");
    // An admin may delete what others said, in a group.
    let other = bob.say(&room, "rude").await;
    let mut alices = alice.socket().await;
    alices.ok("delete", json!({"message": other["id"]})).await;
    assert_eq!(carols.expect("deleted").await["by"], alice.id);
    let direct = alice.direct(&bob).await;
    let theirs = bob.say(&direct, "between us").await;
    alice.delete(&place(&theirs)).await.problem(403, "forbidden");
}

/// Somebody who was away does not get the text of what was deleted meanwhile, from anywhere.
pub async fn what_was_deleted_does_not_come_back(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Books", &[&bob]).await;
    let start = bob.view(&room).await["position"].clone();
    let secret = alice.say(&room, "secret").await;
    alice.patch(&place(&secret), json!({"body": "secret still"})).await.expect(200);
    let reply = json!({"body": "hm", "reply_to": secret["id"]});
    alice.post(&format!("/rooms/{room}/messages"), reply).await.expect(201);
    alice.delete(&place(&secret)).await.expect(204);
    for instance in [0, 1] {
        let mut rooms = json!({});
        rooms[&room] = start.clone();
        let mut back = bob.at(instance).resume(rooms).await;
        back.expect("deleted").await;
        let told = format!("{:?}", back.of_room(&room));
        assert!(!told.contains("secret"), "{told}");
        let types: Vec<Value> =
            back.of_room(&room).iter().map(|event| event["type"].clone()).collect();
        assert_eq!(types, ["message", "edited", "message", "deleted"]);
    }
}

pub async fn reactions_are_counted_for_each_viewer(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Books", &[&bob]).await;
    let sent = alice.say(&room, "a poem").await;
    let mut bobs = bob.socket().await;
    let put = alice.put(&reaction(&sent, THUMB), json!({})).await.expect(200);
    assert_eq!(put["message"]["reactions"], json!([{"emoji": "👍", "count": 1, "mine": true}]));
    assert_eq!(put["message"]["body"], "a poem");
    let event = bobs.expect("reaction").await;
    assert_eq!((&event["message"], &event["emoji"]), (&sent["id"], &json!("👍")));
    assert_eq!((&event["user_id"], &event["on"]), (&json!(alice.id), &json!(true)));
    assert_eq!((&event["count"], &event["room"]), (&json!(1), &json!(room)));
    assert!(position(&event["position"]) > position(&sent["position"]));

    bobs.ok("react", json!({"message": sent["id"], "emoji": "👍", "on": true})).await;
    assert_eq!(bobs.expect("reaction").await["count"], 2);
    bobs.ok("react", json!({"message": sent["id"], "emoji": "🦜", "on": true})).await;
    let of = async |person: &Person| person.history(&room, "").await["messages"][0].clone();
    let parrot = |mine: bool| json!({"emoji": "🦜", "count": 1, "mine": mine});
    let thumbs = json!({"emoji": "👍", "count": 2, "mine": true});
    assert_eq!(of(&alice).await["reactions"], json!([thumbs, parrot(false)]));
    assert_eq!(of(&bob).await["reactions"], json!([thumbs, parrot(true)]));

    // Again changes nothing; taking back what is not there neither.
    alice.put(&reaction(&sent, THUMB), json!({})).await.expect(200);
    let removed = alice.delete(&reaction(&sent, THUMB)).await.expect(200);
    let one = json!({"emoji": "👍", "count": 1, "mine": false});
    assert_eq!(removed["message"]["reactions"], json!([one, parrot(false)]));
    alice.delete(&reaction(&sent, THUMB)).await.expect(200);
    // An edit keeps them, and shows each viewer their own.
    alice.patch(&place(&sent), json!({"body": "a short poem"})).await.expect(200);
    let event = bobs.expect("edited").await;
    assert_eq!(event["message"]["reactions"][0]["mine"], true, "{event}");
    assert_eq!(event["message"]["reactions"][1]["mine"], true, "{event}");

    for wrong in ["x", "👍👍", "%20"] {
        alice.put(&reaction(&sent, wrong), json!({})).await.problem(422, "invalid_emoji");
    }
}

pub async fn a_reply_names_a_message_of_the_same_room(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Books", &[&bob]).await;
    let other = alice.group("Films", &[&bob]).await;
    let first = alice.say(&room, "Have you read it?").await;
    let mut bobs = bob.socket().await;
    let reply = json!({"room": room, "client_id": "1", "body": "Yes", "reply_to": first["id"]});
    let answer = bobs.ok("send", reply).await["message"].clone();
    assert_eq!((&answer["reply_to"], &answer["quote"]["id"]), (&first["id"], &first["id"]));
    assert_eq!(answer["quote"]["body"], "Have you read it?");
    assert_eq!(answer["quote"]["sender"]["id"], alice.id);
    assert_eq!(newest(&alice, &room).await, answer);

    let elsewhere = json!({"body": "Yes", "reply_to": first["id"]});
    let path = format!("/rooms/{other}/messages");
    bob.post(&path, elsewhere).await.problem(422, "invalid_reply_to");
    let nowhere = json!({"body": "Yes", "reply_to": "999999999999"});
    bob.post(&path, nowhere).await.problem(422, "invalid_reply_to");
    let nothing = json!({"body": "Yes", "reply_to": "nothing"});
    bob.post(&path, nothing).await.problem(422, "invalid_reply_to");
    bob.post(&path, json!({"body": "Yes", "reply_to": 7})).await.problem(400, "bad_request");

    // The quote follows what becomes of the message.
    alice.patch(&place(&first), json!({"body": "Did you read it?"})).await.expect(200);
    assert_eq!(newest(&bob, &room).await["quote"]["body"], "Did you read it?");
    alice.delete(&place(&first)).await.expect(204);
    let quote = newest(&bob, &room).await["quote"].clone();
    assert_eq!((&quote["deleted"], quote.get("body")), (&json!(true), None));
}

pub async fn markup_is_rendered_to_a_narrow_set_of_html(world: &World) {
    let alice = world.person("alice").await;
    let room = alice.group("Books", &[]).await;
    let plain = alice.say(&room, "just text").await;
    assert_eq!(plain.get("html"), None);
    let sent = alice.say(&room, "**bold** <script>alert(1)</script>").await;
    assert_eq!(sent["body"], "**bold** <script>alert(1)</script>", "as it was typed");
    let html = "<p><strong>bold</strong> &lt;script&gt;alert(1)&lt;/script&gt;</p>";
    assert_eq!(sent["html"], html);
    assert_eq!(newest(&alice, &room).await["html"], html);
    let edited = alice.patch(&place(&sent), json!({"body": "thin"})).await.expect(200);
    assert_eq!(edited["message"].get("html"), None);
    let image = alice.say(&room, "![cat](https://pictures.example/cat.png)").await;
    assert!(!image["html"].as_str().expect("html").contains("<img"), "{image}");
}

pub async fn a_mention_follows_the_text(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Books", &[&bob]).await;
    let sent = alice.say(&room, "hello").await;
    let mentions = async || bob.view(&room).await["mentions"].clone();
    assert_eq!(mentions().await, 0);
    let calling = format!("hello @{}", bob.username);
    alice.patch(&place(&sent), json!({"body": calling})).await.expect(200);
    assert_eq!(mentions().await, 1);
    alice.delete(&place(&sent)).await.expect(204);
    assert_eq!(mentions().await, 0);
}
