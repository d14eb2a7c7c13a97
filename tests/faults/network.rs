//! Instances whose ways to the services and to their clients lead through proxies that break.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rookery::log::Log;
use rookery::log::kafka::{KafkaLog, KafkaSettings};
use serde_json::json;

use crate::balancer::Balancer;
use crate::links::Links;
use crate::my_turn;
use crate::proxy::Weather;
use crate::support::{Cluster, Hub, Person, within};
use crate::topic::newest;

/// How long an instance takes to notice that it is alone, or no longer.
const NOTICED: Duration = Duration::from_secs(30);

/// A cluster of two, each instance on ways of its own.
async fn cluster_on(links: &Links) -> Cluster {
    let mut cluster = Cluster::start(0).await;
    for i in 0..2 {
        let (brokers, address) = links.kafka_env(i);
        let url = links.database_url(i, &cluster.services.database);
        cluster.add(&[(brokers.as_str(), address.as_str()), ("DATABASE_URL", url.as_str())]).await;
    }
    cluster
}

fn address(hub: &Hub) -> SocketAddr {
    let address = hub.base.strip_prefix("http://").expect("an http URL");
    address.parse().expect("an address")
}

async fn until_ready(hub: &Hub, status: u16) {
    let what = format!("{}/readyz to say {status}", hub.base);
    within(NOTICED, &what, async || (hub.readyz().await == Some(status)).then_some(())).await;
}

async fn until_up(balancer: &Balancer, instances: usize) {
    let what = format!("haproxy to see {instances} instances");
    within(NOTICED, &what, async || (balancer.up().await == instances).then_some(())).await;
}

/// Whatever is cut, that instance alone is not ready, which shows that it has no other way; clients
/// of the load balancer do not notice, and it is there again when the cut is mended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_that_is_cut_off_has_no_way_around_and_is_not_asked() {
    let _turn = my_turn().await;
    let links = Links::up().await;
    let cluster = cluster_on(&links).await;
    let balancer = Balancer::start(&[address(&cluster.hubs[0]), address(&cluster.hubs[1])]).await;
    until_up(&balancer, 2).await;
    let ann = Person::sign_up(&[balancer.base()], "ann").await;
    let room = ann.group("hall", &[]).await;
    for (name, proxy) in [("kafka", &links.kafka[0]), ("mariadb", &links.mariadb[0])] {
        assert!(proxy.counts().to_client > 0, "{name}: {:?}", proxy.counts());
        proxy.weather(Weather::Cut);
        until_ready(&cluster.hubs[0], 503).await;
        assert!(cluster.hubs[1].is_ready().await, "the other one has its own way to {name}");
        until_up(&balancer, 1).await;
        for number in 0..5 {
            ann.say(&room, &format!("{name} {number}")).await;
        }
        proxy.weather(Weather::Clear);
        until_ready(&cluster.hubs[0], 200).await;
        until_up(&balancer, 2).await;
    }
}

/// A room wakes on an instance that has yet to read how it was founded, since its founder speaks there
/// already: those who are in it hear of it there all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_that_is_late_welcomes_those_who_came_before_it_knew() {
    let _turn = my_turn().await;
    let links = Links::up().await;
    let cluster = cluster_on(&links).await;
    let ann = Person::sign_up(&cluster.bases(), "ann").await;
    let bob = Person::sign_up(&cluster.bases(), "bob").await;
    let mut socket = bob.at(0).socket().await;
    links.kafka[0].weather(Weather::Slow(Duration::from_millis(300)));
    // In several partitions, since the late one may be the one that writes the store.
    for name in ["hall", "attic", "cellar", "garden", "loft", "porch"] {
        let room = ann.at(1).group(name, &[&bob]).await;
        ann.at(0).say(&room, name).await;
        socket.expect_where(name, |event| event["room"] == room.as_str()).await;
        socket.expect_message(name).await;
        let heard = socket.of_room(&room);
        let kinds: Vec<_> = heard.iter().map(|event| event["type"].clone()).collect();
        assert_eq!(kinds, ["room_created", "message"]);
    }
}

/// Who was let into a room by one instance is no stranger to another one that has yet to hear of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_that_is_late_refuses_nobody_for_what_it_has_not_read() {
    let _turn = my_turn().await;
    let links = Links::up().await;
    let cluster = cluster_on(&links).await;
    let ann = Person::sign_up(&cluster.bases(), "ann").await;
    let bob = Person::sign_up(&cluster.bases(), "bob").await;
    // In several partitions, since the late one may be the one that writes the store.
    let mut rooms = Vec::new();
    for name in ["hall", "attic", "cellar", "garden", "loft", "porch"] {
        let room = ann.at(1).group(name, &[]).await;
        ann.at(0).say(&room, "so that it is awake").await;
        rooms.push(room);
    }
    links.kafka[0].weather(Weather::Slow(Duration::from_millis(300)));
    for room in rooms {
        let path = format!("/rooms/{room}/members/{}", bob.id);
        let added = ann.at(1).put(&path, json!({"role": "member"})).await;
        assert!(added.status < 300, "{added:?}");
        bob.at(0).say(&room, "I am here").await;
    }
}

/// A killed instance refuses connections, and haproxy still believes in it for a second or two.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_to_a_killed_instance_go_to_another_one() {
    let _turn = my_turn().await;
    let mut cluster = Cluster::start(2).await;
    let balancer = Balancer::start(&[address(&cluster.hubs[0]), address(&cluster.hubs[1])]).await;
    until_up(&balancer, 2).await;
    let ann = Person::sign_up(&[balancer.base()], "ann").await;
    let room = ann.group("hall", &[]).await;
    cluster.hubs[0].kill9();
    for number in 0..10 {
        ann.say(&room, &format!("line {number}")).await;
        drop(ann.socket().await);
    }
    cluster.hubs[1].kill9();
    let path = format!("/rooms/{room}/messages");
    // Surely not done, in words that a client knows.
    let refused = ann.post(&path, json!({"body": "anyone?"})).await;
    assert_eq!(refused.header("retry-after"), Some("1"), "{refused:?}");
    refused.problem(503, "unavailable");
}

/// The way to an instance breaks after the request was sent: nobody knows, and that is the answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_send_whose_answer_is_lost_is_never_sent_again_by_the_balancer() {
    let _turn = my_turn().await;
    let hub = Hub::embedded().await;
    let door = Links::door(address(&hub)).await;
    let balancer = Balancer::start(&[door.address()]).await;
    until_up(&balancer, 1).await;
    let direct = Person::sign_up(std::slice::from_ref(&hub.base), "ann").await;
    let room = direct.group("hall", &[]).await;
    let ann = direct.among(vec![balancer.base()]);
    // So that there is time between the request and its answer.
    door.weather(Weather::Slow(Duration::from_secs(3)));
    let path = format!("/rooms/{room}/messages");
    let sending = ann.post(&path, json!({"body": "once", "client_id": "1"}));
    let cut = async {
        let said = async || {
            let page = direct.history(&room, "?limit=9").await;
            page["messages"].as_array().is_some_and(|all| !all.is_empty()).then_some(())
        };
        within(NOTICED, "the message to be there", said).await;
        door.weather(Weather::Cut);
    };
    let (answer, ()) = tokio::join!(sending, cut);
    answer.problem(502, "outcome_unknown");
    door.weather(Weather::Clear);
    until_up(&balancer, 1).await;
    ann.post(&path, json!({"body": "once", "client_id": "1"})).await.expect(200);
    let page = direct.history(&room, "?limit=9").await;
    assert_eq!(page["messages"].as_array().map(Vec::len), Some(1), "{page}");
}

/// Each message to a large room is looked for in the store, in case it is a repeat of an old one. While
/// the store hangs, they do not wait for that one behind the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_do_not_add_up_the_time_that_a_store_hangs() {
    let _turn = my_turn().await;
    let links = Links::up().await;
    let mut cluster = Cluster::start(0).await;
    let url = links.database_url(0, &cluster.services.database);
    let fast = ("ROOKERY_LIMITS__MESSAGES_BURST", "100000");
    cluster.add(&[("DATABASE_URL", url.as_str()), fast]).await;
    let ann = Person::sign_up(&cluster.bases(), "ann").await;
    let room = ann.group("large", &[]).await;
    let mut socket = ann.socket().await;
    let say = |reference: u64| {
        let client_id = format!("line-{reference}");
        let line = json!({"type": "send", "ref": reference, "room": room, "body": "x", "client_id": client_id});
        line.to_string()
    };
    // More than a room remembers.
    for reference in 1..=1_100 {
        socket.send_text(&say(reference)).await;
    }
    for reference in 1..=1_100 {
        assert_eq!(socket.answer(&json!(reference)).await["type"], "ok");
    }
    links.mariadb[0].weather(Weather::Frozen);
    let begun = Instant::now();
    for reference in 2_001..=2_010 {
        socket.send_text(&say(reference)).await;
    }
    for reference in 2_001..=2_010 {
        assert_eq!(socket.answer(&json!(reference)).await["type"], "ok");
    }
    let took = begun.elapsed();
    links.mariadb[0].weather(Weather::Clear);
    assert!(took < Duration::from_secs(5), "{took:?}");
}

/// What Kafka answers is lost, until some appends have waited too long and some have not. Those may
/// be there already, and are not sent again as if they were new.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_whose_answer_is_lost_is_there_once() {
    let _turn = my_turn().await;
    let (cluster, links) = (Cluster::start(0).await, Links::up().await);
    let log = KafkaLog::open(KafkaSettings {
        brokers: links.kafka[0].address().to_string(),
        topic_prefix: cluster.services.prefix.clone(),
        partitions: 1,
        ..KafkaSettings::default()
    });
    let log = log.await.expect("a log");
    // Before the producer is replaced, and after.
    for mended_after in [8_700, 11_500].map(Duration::from_millis) {
        let append = async |value: String| {
            log.append("1", value.into()).ok()?.await.expect("an outcome").ok()
        };
        within(NOTICED, "an append", async || append("before".to_owned()).await).await;
        links.kafka[0].weather(Weather::FrozenToClient);
        let begun = Instant::now();
        let mut waiting = Vec::new();
        for (number, at) in [0, 1_800, 1_900, 2_000, 2_100].into_iter().enumerate() {
            tokio::time::sleep_until((begun + Duration::from_millis(at)).into()).await;
            let value = format!("{number} of {mended_after:?}");
            waiting.push(log.append("1", value.into()).expect("nobody knows yet"));
        }
        tokio::time::sleep_until((begun + mended_after).into()).await;
        links.kafka[0].weather(Weather::Clear);
        for outcome in waiting {
            println!("{mended_after:?}: {:?}", outcome.await.expect("an outcome"));
        }
    }
    let topic = format!("{}-messages", cluster.services.prefix);
    let brokers = cluster.services.brokers.clone();
    let there = tokio::task::spawn_blocking(move || newest(&brokers, &topic, i64::MAX)).await;
    let there = there.expect("the topic").into_iter().map(|real| String::from_utf8(real.value));
    let mut there: Vec<String> = there.map(|value| value.expect("text")).collect();
    there.retain(|value| value != "before");
    there.sort();
    let all: Vec<String> = there.clone();
    there.dedup();
    assert_eq!(all, there);
    assert!(there.len() >= 5, "nothing arrived: {there:?}");
    log.close().await;
}
