//! An instance whose clock is hours off, beside one whose clock is right.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::support::{Cluster, Person, until};
use crate::{clock, my_turn};

const HOUR: i64 = 3_600;
/// Kafka refuses what is dated more than an hour ahead of its own clock.
const OFF: [i64; 2] = [3 * HOUR, -HOUR];

/// Seconds since 1970 of a time in JSON.
fn seconds(time: &Value) -> i64 {
    let text = time.as_str().unwrap_or_else(|| panic!("{time} should be a time"));
    text.parse::<jiff::Timestamp>().unwrap_or_else(|error| panic!("{text}: {error}")).as_second()
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as i64
}

/// Two instances, the second of which has a clock that is off by so much.
async fn with_clock(off: i64) -> Cluster {
    let mut cluster = Cluster::start(1).await;
    let clock = clock::off_by(off);
    let env: Vec<(&str, &str)> = clock.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    cluster.add(&env).await;
    cluster
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_sees_that_an_instances_clock_is_off() {
    let _turn = my_turn().await;
    for off in OFF {
        let mut cluster = with_clock(off).await;
        let bases = cluster.bases();
        let ann = Person::sign_up_at(&bases, 0, "ann").await;
        let bob = Person::sign_up_at(&bases, 1, "bob").await;
        let room = ann.group("hall", &[&bob]).await;
        let (mut right, mut wrong) = (ann.at(0).socket().await, bob.at(1).socket().await);
        let mut said = Vec::new();
        for number in 0..10 {
            for (mouth, who) in [(&mut right, "ann"), (&mut wrong, "bob")] {
                let text = format!("{number} {who}");
                let message = mouth.say(&room, &text, &text).await;
                let off = seconds(&message["sent_at"]) - now();
                assert!(off.abs() < 30, "said {off} s from now: {message}");
                said.push(text);
            }
        }
        for (socket, person) in [(&mut right, ann.at(1)), (&mut wrong, bob.at(0))] {
            socket.expect_message(said.last().expect("the last")).await;
            assert_eq!(socket.texts(&room), said, "one order, whatever the times say");
            // Logins, history and unread counts at the other one.
            let page = person.history(&room, "?limit=100").await;
            let lines = page["messages"].as_array().expect("messages").iter();
            let lines: Vec<_> = lines.map(|line| line["body"].clone()).collect();
            assert_eq!(json!(lines), json!(said));
        }
        let unread = bob.at(0).view(&room).await["unread"].clone();
        assert_eq!(unread, json!(0), "who spoke last has read all");

        // Presence goes by leases, and no clock is compared.
        let asked = right.ok("presence", json!({"users": [bob.id]})).await;
        assert_eq!(asked["users"][0]["status"], "online", "{asked}");
        let killed = Instant::now();
        cluster.hubs[1].kill9();
        until("bob to be offline", async || {
            let seen = ann.at(0).get(&format!("/presence?users={}", bob.id)).await.expect(200);
            (seen["users"][0]["status"] == "offline").then_some(())
        })
        .await;
        assert!(killed.elapsed() < Duration::from_secs(5), "{:?}", killed.elapsed());
        cluster.hubs[1].start().await;
        // A login of before is one still, and what it missed comes.
        let from = json!({ &room: ann.view(&room).await["position"] });
        ann.at(0).say(&room, "good night").await;
        let mut back = bob.at(1).resume(from).await;
        back.expect_message("good night").await;
    }
}

/// A mute is counted in minutes, and ends by a clock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mute_holds_on_an_instance_whose_clock_is_off() {
    let _turn = my_turn().await;
    for off in OFF {
        let cluster = with_clock(off).await;
        let bases = cluster.bases();
        let ann = Person::sign_up_at(&bases, 0, "ann").await;
        let bob = Person::sign_up_at(&bases, 1, "bob").await;
        let room = ann.group("hall", &[&bob]).await;
        for instance in [0, 1] {
            let path = format!("/rooms/{room}/members/{}/mute", bob.id);
            ann.at(instance).put(&path, json!({"minutes": 10})).await.expect(200);
            for at in [0, 1] {
                let path = format!("/rooms/{room}/messages");
                let answer = bob.at(at).post(&path, json!({"body": "psst"})).await;
                answer.problem(403, "muted");
            }
        }
    }
}
