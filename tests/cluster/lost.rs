//! People who are lost with an instance that dies: what the others show, and when they were seen.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::support::{Cluster, Person, until};

/// Silence is noticed after three seconds, and may have begun just after a sign of life.
const UNCERTAIN: u128 = 4_000;

fn milliseconds(time: &Value) -> u128 {
    let text = time.as_str().unwrap_or_else(|| panic!("{time} should be a time"));
    let time: jiff::Timestamp = text.parse().expect("RFC 3339");
    time.as_millisecond().unsigned_abs().into()
}

fn now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_millis()
}

#[tokio::test]
async fn who_was_lost_was_last_seen_about_then() {
    // Of its own: two of the living write it down, and elsewhere stories end with their instances.
    let mut cluster = Cluster::start(3).await;
    let (living, doomed) = (cluster.bases()[..2].to_vec(), cluster.bases()[2..].to_vec());
    let alice = Person::sign_up(&living, "alice").await;
    let bob = Person::sign_up(&living, "bob").await;
    let carol = Person::sign_up(&doomed, "carol").await;
    let mut watcher = alice.socket().await;
    watcher.ok("presence", json!({"users": [bob.id, carol.id]})).await;
    let carols = carol.socket().await;
    let came = now();
    let phone = bob.socket().await;
    let laptop = bob.among(doomed).socket().await;
    let status = async |person: &Person| {
        let user = alice.get(&format!("/users/{}", person.id)).await.expect(200)["user"].clone();
        (user["status"].as_str().expect("a status").to_owned(), user["last_seen"].clone())
    };
    until("both to be online", async || {
        let both = [status(&bob).await.0, status(&carol).await.0];
        (both == ["online", "online"]).then_some(())
    })
    .await;

    // Her coming was noted, too: let that be another time.
    tokio::time::sleep(Duration::from_secs(3)).await;
    cluster.hubs[2].kill9();
    let died = now();
    drop((carols, laptop));
    let of_carol = |event: &Value| {
        event["type"] == "presence"
            && event["users"][0]["user_id"] == carol.id.as_str()
            && event["users"][0]["status"] == "offline"
    };
    let event = watcher.expect_where("carol to be offline", of_carol).await;
    let told = milliseconds(&event["users"][0]["last_seen"]);
    assert!(told.abs_diff(died) < UNCERTAIN, "told {told}, died {died}");
    let written = until("the time to be written, for every instance", async || {
        let (status, last_seen) = status(&carol).await;
        // Each instance notices by itself.
        let is_told = status == "offline" && last_seen.is_string();
        is_told.then_some(last_seen).filter(|at| milliseconds(at) > came + 1_000)
    })
    .await;
    let written = milliseconds(&written);
    assert!(written.abs_diff(died) < UNCERTAIN, "written {written}, died {died}");
    assert_eq!(status(&bob).await, ("online".to_owned(), Value::Null), "he has another device");
    phone.close().await;
    tokio::time::timeout(Duration::from_secs(5), async {
        while status(&bob).await.0 != "offline" {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("bob is gone, too");
}
