//! The store cannot be written for a moment: what HTTP answers is no older for it.

use rusqlite::Connection;
use serde_json::json;

use crate::my_turn;
use crate::support::{Hub, Person};

const THUMB: &str = "%F0%9F%91%8D";

/// While this is held, nothing gets into the store.
struct Lock(Connection);

impl Lock {
    fn on(hub: &Hub) -> Lock {
        let connection = Connection::open(hub.dir().join("data/rookery.db")).expect("the store");
        connection.execute_batch("BEGIN IMMEDIATE").expect("the lock");
        Lock(connection)
    }

    fn give_back(self) {
        self.0.execute_batch("ROLLBACK").expect("the lock is given back");
    }
}

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
