//! The store cannot be written for a moment: what HTTP answers is no older for it.

use std::time::Duration;

use serde_json::json;

use crate::my_turn;
use crate::places::Lock;
use crate::support::{Hub, Person};

const THUMB: &str = "%F0%9F%91%8D";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reaction_is_answered_with_the_message_as_it_is() {
    let _turn = my_turn().await;
    let hub = Hub::embedded().await;
    let bases = std::slice::from_ref(&hub.base);
    let ann = Person::sign_up(bases, "ann").await;
    let room = ann.group("late", &[]).await;
    let sent = ann.say(&room, "teh book").await;
    let place = format!("/messages/{}", sent["id"].as_str().expect("an id"));
    let thumb = format!("{place}/reactions/{THUMB}");
    // The store has it, or it would be waited for.
    ann.view(&room).await;

    let lock = Lock::on(&hub);
    ann.patch(&place, json!({"body": "the book"})).await.expect(200);
    let reactions = json!([{"emoji": "👍", "count": 1, "mine": true}]);
    // The second one changes nothing.
    for _ in 0..2 {
        let message = ann.put(&thumb, json!({})).await.expect(200)["message"].clone();
        assert_eq!((&message["body"], &message["reactions"]), (&json!("the book"), &reactions));
        assert_eq!(message["id"], sent["id"]);
    }
    for _ in 0..2 {
        let message = ann.delete(&thumb).await.expect(200)["message"].clone();
        assert_eq!((&message["body"], &message["reactions"]), (&json!("the book"), &json!([])));
    }
    lock.give_back();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_just_removed_and_joins_is_in() {
    let _turn = my_turn().await;
    let hub = Hub::embedded().await;
    let bases = std::slice::from_ref(&hub.base);
    let ann = Person::sign_up(bases, "ann").await;
    let bob = Person::sign_up(bases, "bob").await;
    let room = ann.public_group("open", &[&bob]).await;
    let mut socket = bob.socket().await;

    let lock = Lock::on(&hub);
    let (admin, place) = (ann.clone(), format!("/rooms/{room}/members/{}", bob.id));
    let removing = tokio::spawn(async move { admin.delete(&place).await });
    socket.expect("member_removed").await;
    let (joiner, place) = (bob.clone(), format!("/rooms/{room}/join"));
    let joining = tokio::spawn(async move { joiner.post(&place, json!({})).await });
    // Long enough to look into the store, which has them as a member still.
    tokio::time::sleep(Duration::from_millis(500)).await;
    lock.give_back();

    removing.await.expect("an answer").expect(204);
    let joined = joining.await.expect("an answer").expect(200);
    assert_eq!(joined["room"]["role"], "member", "{joined}");
    bob.say(&room, "back again").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_just_added_as_an_admin_and_joins_stays_one() {
    let _turn = my_turn().await;
    let hub = Hub::embedded().await;
    let bases = std::slice::from_ref(&hub.base);
    let ann = Person::sign_up(bases, "ann").await;
    let bob = Person::sign_up(bases, "bob").await;
    let room = ann.public_group("open", &[]).await;
    let mut socket = bob.socket().await;

    let lock = Lock::on(&hub);
    let (admin, place) = (ann.clone(), format!("/rooms/{room}/members/{}", bob.id));
    let adding = tokio::spawn(async move { admin.put(&place, json!({"role": "admin"})).await });
    socket.expect("member_added").await;
    let (joiner, place) = (bob.clone(), format!("/rooms/{room}/join"));
    let joining = tokio::spawn(async move { joiner.post(&place, json!({})).await });
    // Long enough to look into the store, which has them as no member yet.
    tokio::time::sleep(Duration::from_millis(500)).await;
    lock.give_back();

    adding.await.expect("an answer").expect(201);
    let joined = joining.await.expect("an answer").expect(200);
    assert_eq!(joined["room"]["role"], "admin", "{joined}");
}
