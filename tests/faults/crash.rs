//! What is left of people whose instance was killed, or asked to stop.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::my_turn;
use crate::support::{Cluster, Hub, Person, Socket, until};

/// Bob, on the second instance, sees everybody on the first go: at once when it stops in order,
/// and soon when it is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_a_ghost_after_their_instance_is_gone() {
    let _turn = my_turn().await;
    let mut cluster = Cluster::start(2).await;
    let bases = cluster.bases();
    let ann = Person::sign_up(&bases, "ann").await;
    let cat = Person::sign_up(&bases, "cat").await;
    let bob = Person::sign_up(&bases, "bob").await;
    let mut watching = bob.at(1).socket().await;
    let users = json!({"users": [ann.id, cat.id]});
    let seen = watching.ok("presence", users).await;
    assert_eq!(seen["users"][0]["status"], "offline", "{seen}");

    for (how, within) in [("killed", 5_000), ("asked to stop", 1_000)] {
        let sockets =
            [ann.at(0).socket().await, ann.at(0).socket().await, cat.at(0).socket().await];
        for person in [&ann, &cat] {
            status_of(&mut watching, person, "online").await;
        }
        let gone = Instant::now();
        match how {
            "killed" => cluster.hubs[0].kill9(),
            _ => cluster.hubs[0].signal(libc::SIGTERM),
        }
        for person in [&ann, &cat] {
            status_of(&mut watching, person, "offline").await;
        }
        let took = gone.elapsed();
        println!("| {how} | offline after {} ms |", took.as_millis());
        assert!(took < Duration::from_millis(within), "{how}: a ghost for {took:?}");
        let seen = bob.at(1).get(&format!("/presence?users={}", ann.id)).await.expect(200);
        assert_eq!(seen["users"][0]["status"], "offline", "{seen}");
        drop(sockets);
        if how == "asked to stop" {
            assert_eq!(cluster.hubs[0].ended().await.code(), Some(0));
        }
        cluster.hubs[0].start().await;
    }
}

/// Nobody is left to notice: what was noted while she was here has to do.
#[tokio::test]
async fn who_was_here_when_the_only_instance_was_killed_was_seen_then() {
    let _turn = my_turn().await;
    let mut hub = Hub::embedded().await;
    let bases = [hub.base.clone()];
    let ann = Person::sign_up(&bases, "ann").await;
    let bob = Person::sign_up(&bases, "bob").await;
    let socket = ann.socket().await;
    let store = rusqlite::Connection::open(hub.dir().join("data/rookery.db")).expect("the store");
    let last_seen = || {
        let sql = "SELECT last_seen FROM users WHERE username = 'ann'";
        store.query_row(sql, [], |row| row.get::<_, Option<i64>>(0)).expect("ann")
    };
    until("it to be noted that she is here", async || last_seen().map(drop)).await;
    hub.kill9();
    drop(socket);
    hub.start().await;
    let seen = bob.get(&format!("/users/{}", ann.id)).await.expect(200)["user"].clone();
    assert_eq!(seen["status"], "offline", "{seen}");
    assert!(seen["last_seen"].is_string(), "{seen}");
}

/// Waits until the socket was told that this person has this status.
async fn status_of(socket: &mut Socket, person: &Person, status: &str) {
    let tells = |event: &serde_json::Value| {
        let users = event["users"].as_array().into_iter().flatten();
        let mut of_person = users.filter(|user| user["user_id"] == *person.id);
        event["type"] == "presence" && of_person.any(|user| user["status"] == status)
    };
    // An event that tells of both is looked at for each.
    let told = socket.log.iter().rev().find(|event| {
        let users = event["users"].as_array().into_iter().flatten();
        event["type"] == "presence" && users.into_iter().any(|user| user["user_id"] == *person.id)
    });
    if !told.is_some_and(tells) {
        socket.expect_where(&format!("{} {status}", person.username), tells).await;
    }
}
