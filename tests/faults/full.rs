//! The embedded hub when its disk is full: it says so, and what it acknowledged is there.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::disk::SmallDisk;
use crate::my_turn;
use crate::support::{Hub, Person, Socket, within};

/// Room for a hub that has just begun, and little more.
const BYTES: u64 = 12 << 20;
/// How long it takes to be ready when there is room again.
const RECOVERED: Duration = Duration::from_secs(20);
/// How long anybody waits for an answer.
const ANSWERED: Duration = Duration::from_secs(8);
/// Sends until the first refusal, at the most: files still have room within.
const MOST: usize = 3_000;

/// Somebody who talks to a hub whose disk fills up, and what she was told.
struct Talk {
    socket: Socket,
    room: String,
    said: usize,
    acknowledged: Vec<String>,
    refused: Vec<String>,
}

impl Talk {
    async fn of(person: &Person, room: &str) -> Talk {
        let socket = person.socket().await;
        Talk { socket, room: room.into(), said: 0, acknowledged: Vec::new(), refused: Vec::new() }
    }

    /// Says one line more; whether it was acknowledged.
    async fn say(&mut self) -> bool {
        let body = format!("line {} {}", self.said, "x".repeat(500));
        let fields = json!({"room": self.room, "client_id": self.said.to_string(), "body": body});
        self.said += 1;
        let asked = Instant::now();
        let answer = self.socket.command("send", fields).await;
        assert!(asked.elapsed() < ANSWERED, "it took {:?}: {answer}", asked.elapsed());
        if answer["type"] == "ok" {
            self.acknowledged.push(body);
            return true;
        }
        // The commit failed before it was one: that is known.
        assert_eq!(answer["code"], "unavailable", "{answer}");
        assert_eq!(answer["temporary"], true, "{answer}");
        self.refused.push(body);
        false
    }
}

/// A hub with its data on a disk, where Ann talks to Bob.
struct Hall {
    hub: Hub,
    ann: Person,
    bob: Person,
    room: String,
    talk: Talk,
}

impl Hall {
    async fn on(disk: &SmallDisk) -> Hall {
        let data = disk.path().join("data");
        let data = data.to_str().expect("a path");
        let hub = Hub::embedded_with(&[
            ("ROOKERY_DATA__DIR", data),
            ("ROOKERY_LIMITS__MESSAGES_PER_SECOND", "100000"),
            ("ROOKERY_LIMITS__MESSAGES_BURST", "100000"),
        ])
        .await;
        let bases = [hub.base.clone()];
        let ann = Person::sign_up(&bases, "ann").await;
        let bob = Person::sign_up(&bases, "bob").await;
        let room = ann.group("hall", &[&bob]).await;
        let talk = Talk::of(&ann, &room).await;
        Hall { hub, ann, bob, room, talk }
    }
}

fn lines(page: &Value) -> Vec<String> {
    let messages = page["messages"].as_array().expect("messages").iter();
    messages.map(|message| message["body"].as_str().expect("a text").to_owned()).collect()
}

/// All of a room, oldest first.
async fn history(person: &Person, room: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut which = "?limit=100&after=0".to_owned();
    loop {
        let page = person.history(room, &which).await;
        all.extend(lines(&page));
        if page["has_newer"] != true {
            return all;
        }
        let last = page["messages"].as_array().and_then(|all| all.last()).expect("a full page");
        which = format!("?limit=100&after={}", last["position"].as_str().expect("a position"));
    }
}

async fn until_ready(hub: &Hub, status: u16) {
    let what = format!("/readyz to say {status}");
    within(RECOVERED, &what, async || (hub.readyz().await == Some(status)).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_a_refusal_and_nothing_acknowledged_is_lost() {
    let _turn = my_turn().await;
    let disk = SmallDisk::mount(BYTES);
    let Hall { mut hub, ann, bob, room, mut talk } = Hall::on(&disk).await;
    let mut ear = bob.socket().await;
    for _ in 0..20 {
        assert!(talk.say().await);
    }

    disk.fill();
    while talk.say().await {
        assert!(talk.said < MOST, "the disk is full and nothing is refused");
    }
    println!("| disk full | {} more lines fitted into the files |", talk.acknowledged.len() - 20);
    until_ready(&hub, 503).await;
    for _ in 0..20 {
        talk.say().await;
    }
    let path = format!("/rooms/{room}/messages");
    ann.post(&path, json!({"body": "anyone?"})).await.problem(503, "unavailable");
    let form = json!({"username": "cat", "password": "correct horse battery"});
    Person::stranger(std::slice::from_ref(&hub.base), 0)
        .post("/users", form)
        .await
        .problem(503, "unavailable");
    // What is there can be read, and who listens still does.
    ear.settle().await;
    assert_eq!(ear.texts(&room), talk.acknowledged, "what was heard was acknowledged");
    assert!(hub.is_running());

    // It ends in order, and starts again, with the disk still full, and says so before anybody
    // has to find out.
    let status = hub.terminate().await;
    assert_eq!(status.code(), Some(0), "{}", hub.log());
    hub.spawn();
    until_ready(&hub, 503).await;
    assert_eq!(history(&ann, &room).await, talk.acknowledged, "what is there can be read");
    hub.kill9();
    hub.spawn();
    until_ready(&hub, 503).await;
    disk.free();
    let freed = Instant::now();
    until_ready(&hub, 200).await;
    println!("| disk full | ready {} ms after there was room |", freed.elapsed().as_millis());
    assert_eq!(history(&ann, &room).await, talk.acknowledged);
}

/// The sentence that a person reads who starts a hub on a disk that is full.
#[tokio::test]
async fn a_hub_that_finds_no_room_to_begin_says_which_folder_it_is() {
    let disk = SmallDisk::mount(1 << 20);
    disk.fill();
    let data = disk.path().join("data");
    let mut hub = Hub::stopped(&[("ROOKERY_DATA__DIR", data.to_str().expect("a path"))]);
    hub.spawn();
    let status = hub.ended().await;
    assert!(!status.success(), "{status}");
    let log = hub.log();
    let line = log.lines().last().expect("a line");
    assert!(line.starts_with("rookery: data.dir"), "{log}");
    assert!(line.contains("full") || line.contains("space"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_room_again_all_goes_on_and_a_crash_right_then_loses_nothing() {
    let _turn = my_turn().await;
    let disk = SmallDisk::mount(BYTES);
    let Hall { mut hub, ann, bob, room, mut talk } = Hall::on(&disk).await;
    // The log and the store fill up at different moments.
    for (turn, room_left) in [0, 50_000, 500_000].into_iter().enumerate() {
        disk.fill_but(room_left);
        let before = talk.acknowledged.len();
        while talk.say().await {
            assert!(talk.said < MOST, "the disk is full and nothing is refused");
        }
        let fitted = talk.acknowledged.len() - before;
        println!("| disk full but {room_left} bytes | {fitted} lines more |");
        until_ready(&hub, 503).await;
        disk.free();
        until_ready(&hub, 200).await;
        for _ in 0..50 {
            assert!(talk.say().await, "turn {turn}: there is room again");
        }
    }
    hub.kill9();
    hub.start().await;
    assert_eq!(history(&ann, &room).await, talk.acknowledged);
    let unread = bob.view(&room).await["unread"].clone();
    assert_eq!(unread, json!(talk.acknowledged.len()), "of what was refused nothing counts");
    Person::sign_up(std::slice::from_ref(&hub.base), "cat").await;
}
