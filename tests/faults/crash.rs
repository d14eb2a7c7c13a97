//! Instances that are killed, and instances that are asked to stop, while a crowd is speaking.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::crowd::{Crowd, FAST};
use crate::places::{mysql_rows, sqlite_rows};
use crate::support::{Cluster, Hub, Person, Socket, until};
use crate::{dice, my_turn};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_embedded_hub_is_killed_again_and_again() {
    let _turn = my_turn().await;
    let mut dice = dice("kill -9, embedded");
    let mut hub = Hub::embedded_with(&FAST).await;
    let mut crowd = Crowd::gather(std::slice::from_ref(&hub.base), 20, 5).await;
    crowd.speak(400).await;
    for from in [5, 25, 45, 65, 80] {
        crowd.has_said(dice.between(from, from + 15)).await;
        hub.kill9();
        hub.start().await;
    }
    let data = hub.dir().join("data");
    let rows = async |room: String| sqlite_rows(&data, &room);
    crowd.verdict("kill -9, embedded", rows).await.is_exactly_once();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_embedded_hub_stops_in_order_while_everyone_speaks() {
    let _turn = my_turn().await;
    let mut dice = dice("SIGTERM, embedded");
    let mut hub = Hub::embedded_with(&FAST).await;
    let mut crowd = Crowd::gather(std::slice::from_ref(&hub.base), 12, 3).await;
    crowd.speak(400).await;
    for (time, from) in [10, 50].into_iter().enumerate() {
        crowd.has_said(dice.between(from, from + 20)).await;
        let asked = Instant::now();
        let status = hub.terminate().await;
        assert_eq!(status.code(), Some(0), "{}", hub.log());
        assert!(asked.elapsed() < Duration::from_secs(10), "it took {:?}", asked.elapsed());
        println!("| SIGTERM, embedded | stopped in {} ms |", asked.elapsed().as_millis());
        if time == 0 {
            // The second time some are still away.
            until("everybody to be told 1012", async || {
                (crowd.close_codes() == [(Some(1012), 12)].into()).then_some(())
            })
            .await;
        }
        hub.start().await;
    }
    let data = hub.dir().join("data");
    let rows = async |room: String| sqlite_rows(&data, &room);
    crowd.verdict("SIGTERM, embedded", rows).await.is_exactly_once();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_instances_of_a_cluster_are_killed_one_after_another() {
    let _turn = my_turn().await;
    let mut dice = dice("kill -9, cluster");
    let mut cluster = Cluster::start_with(2, &FAST).await;
    let mut crowd = Crowd::gather(&cluster.bases(), 20, 5).await;
    crowd.speak(250).await;
    // At last both at once: nobody is left who knows more than the log and the store.
    let both: &[usize] = &[0, 1];
    for (instances, from) in [(&both[..1], 10), (&both[1..], 35), (&both[..1], 55), (both, 75)] {
        crowd.has_said(dice.between(from, from + 15)).await;
        instances.iter().for_each(|&instance| cluster.hubs[instance].kill9());
        for &instance in instances {
            cluster.hubs[instance].start().await;
        }
    }
    let url = cluster.services.database_url();
    let rows = async |room: String| mysql_rows(&url, &room).await;
    crowd.verdict("kill -9, cluster", rows).await.is_exactly_once();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_of_a_cluster_stops_in_order_while_everyone_speaks() {
    let _turn = my_turn().await;
    let mut dice = dice("SIGTERM, cluster");
    let mut cluster = Cluster::start_with(2, &FAST).await;
    let mut crowd = Crowd::gather(&cluster.bases(), 12, 3).await;
    crowd.speak(250).await;
    for (instance, from) in [(0, 10), (1, 45)] {
        crowd.has_said(dice.between(from, from + 20)).await;
        let asked = Instant::now();
        let status = cluster.hubs[instance].terminate().await;
        assert_eq!(status.code(), Some(0), "{}", cluster.hubs[instance].log());
        assert!(asked.elapsed() < Duration::from_secs(10), "it took {:?}", asked.elapsed());
        println!("| SIGTERM, cluster | stopped in {} ms |", asked.elapsed().as_millis());
        cluster.hubs[instance].start().await;
    }
    let closed = crowd.close_codes();
    assert!(closed.get(&Some(1012)).is_some_and(|count| *count >= 12), "{closed:?}");
    let url = cluster.services.database_url();
    let rows = async |room: String| mysql_rows(&url, &room).await;
    crowd.verdict("SIGTERM, cluster", rows).await.is_exactly_once();
}

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
