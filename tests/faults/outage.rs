//! The services go away while a crowd is speaking, and come back.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::crowd::{Crowd, FAST};
use crate::my_turn;
use crate::places::{Away, mysql_rows};
use crate::support::{Cluster, Hub, Person, within};

/// Of each person: enough that people still speak when the service is gone.
const MESSAGES: usize = 300;
/// How long an instance takes to notice.
const NOTICED: Duration = Duration::from_secs(10);
/// How long anybody waits for an answer when the log does not confirm.
const TOLD: Duration = Duration::from_secs(15);
/// How long it takes to be ready when the service is back.
const RECOVERED: Duration = Duration::from_secs(30);

async fn until_ready_says(hubs: &[Hub], status: u16, time: Duration) {
    for hub in hubs {
        let what = format!("{}/readyz to say {status}", hub.base);
        within(time, &what, async || (hub.readyz().await == Some(status)).then_some(())).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_is_away_and_live_rooms_go_on() {
    let _turn = my_turn().await;
    let cluster = Cluster::start_with(2, &FAST).await;
    let mut crowd = Crowd::gather(&cluster.bases(), 12, 3).await;
    crowd.speak(MESSAGES).await;
    crowd.has_said(10).await;
    let away = Away::killed("mariadb");
    assert!(crowd.percent() < 70, "{} % said before it was gone", crowd.percent());
    crowd.has_said(70).await;
    until_ready_says(&cluster.hubs, 503, NOTICED).await;
    let ann = crowd.people[0].clone();
    let room = crowd.rooms[0].0.clone();
    // What needs the store is refused, and says that it will work again.
    ann.get(&format!("/rooms/{room}")).await.problem(503, "unavailable");
    crowd.has_said(100).await;
    assert_eq!(crowd.refusals(), [].into(), "a live room does not need the store");
    away.comes_back();
    until_ready_says(&cluster.hubs, 200, RECOVERED).await;
    let url = cluster.services.database_url();
    let rows = async |room: String| mysql_rows(&url, &room).await;
    let count = crowd.verdict("the store away", rows).await;
    count.is_exactly_once();
    assert_eq!(count.unknown, 0, "{count:?}");
}

/// A store that hangs is worse than one that is gone: nothing may wait for it for long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_hangs_and_people_still_hear_each_other() {
    let _turn = my_turn().await;
    let cluster = Cluster::start_with(2, &FAST).await;
    let bases = cluster.bases();
    let ann = Person::sign_up(&bases, "ann").await;
    let bob = Person::sign_up(&bases, "bob").await;
    let room = ann.group("hall", &[&bob]).await;
    let (mut mouth, mut ear) = (ann.at(0).socket().await, bob.at(1).socket().await);
    let mut positions = Vec::new();
    let hanging = Away::paused("mariadb");
    let started = Instant::now();
    for number in 0..20 {
        let said = mouth.say(&room, &format!("k{number}"), &format!("line {number}")).await;
        let heard = ear.expect("message").await;
        assert_eq!(heard["message"]["id"], said["id"]);
        positions.push(said["id"].clone());
    }
    println!(
        "| the store hangs | 20 messages to and fro in {} ms |",
        started.elapsed().as_millis()
    );
    assert!(started.elapsed() < Duration::from_secs(5), "it took {:?}", started.elapsed());
    until_ready_says(&cluster.hubs, 503, NOTICED).await;
    hanging.comes_back();
    until_ready_says(&cluster.hubs, 200, RECOVERED).await;
    let again = mouth.say(&room, "k0", "line 0").await;
    assert_eq!(again["id"], positions[0], "a repeat is still known");
    let page = bob.at(1).history(&room, "?limit=100").await;
    let ids: Vec<_> =
        page["messages"].as_array().unwrap().iter().map(|m| m["id"].clone()).collect();
    assert_eq!(ids, positions);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_away_and_nothing_acknowledged_is_lost() {
    let told = |crowd: &Crowd| crowd.unknown() + crowd.refusals().len() > 0;
    without_the_log("the log away", Away::killed, told).await;
}

/// What it was given may still come into the log, after everybody was told that nobody knows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_hangs_and_nothing_is_said_twice() {
    without_the_log("the log hangs", Away::paused, |crowd| crowd.unknown() > 0).await;
}

/// The log goes, and comes back once people were told: what was on its way waits for a while, and
/// a short absence is noticed by nobody.
async fn without_the_log(test: &str, go: impl FnOnce(&str) -> Away, told: impl Fn(&Crowd) -> bool) {
    let _turn = my_turn().await;
    let cluster = Cluster::start_with(2, &FAST).await;
    let mut crowd = Crowd::gather(&cluster.bases(), 12, 3).await;
    crowd.speak(MESSAGES).await;
    crowd.has_said(10).await;
    let (away, since) = (go("kafka"), Instant::now());
    assert!(crowd.percent() < 100, "all was said before it was gone");
    until_ready_says(&cluster.hubs, 503, NOTICED).await;
    // People are told, in a time that one waits for.
    let (ann, room) = (crowd.people[0].clone(), crowd.rooms[0].0.clone());
    let asked = Instant::now();
    let path = format!("/rooms/{room}/messages");
    let answer = ann.post(&path, json!({"body": "anyone?", "client_id": "away"})).await;
    println!(
        "| {test} | noticed after {} ms | then a send is answered after {} ms |",
        (asked - since).as_millis(),
        asked.elapsed().as_millis()
    );
    let code = answer.json()["code"].as_str().unwrap_or_default().to_owned();
    let fits = matches!((answer.status, &*code), (503, "unavailable") | (504, "outcome_unknown"));
    assert!(fits, "{answer:?}");
    assert!(asked.elapsed() < TOLD, "it took {:?}", asked.elapsed());
    within(TOLD, "people to be told", async || told(&crowd).then_some(())).await;
    println!("| {test} | back after {} ms |", since.elapsed().as_millis());
    away.comes_back();
    until_ready_says(&cluster.hubs, 200, RECOVERED).await;
    let url = cluster.services.database_url();
    let rows = async |room: String| mysql_rows(&url, &room).await;
    crowd.verdict(test, rows).await.is_exactly_once();
}
