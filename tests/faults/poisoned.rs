//! Records that no hub wrote, in every topic of a cluster that people use.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::json;

use crate::crowd::{Crowd, FAST};
use crate::places::mysql_rows;
use crate::support::{Cluster, Topics, within};
use crate::{dice, my_turn, poison};

const MESSAGES: usize = 60;
const SETTLED: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn poison_in_the_topics_stops_nothing_and_changes_nothing() {
    let _turn = my_turn().await;
    let mut dice = dice("poison");
    let mut cluster = Cluster::start_with(2, &FAST).await;
    let mut crowd = Crowd::gather(&cluster.bases(), 8, 3).await;
    let topics = Topics::new(cluster.services.clone());
    let ann = crowd.people[0].clone();
    let rooms: Vec<String> = crowd.rooms.iter().map(|(room, _)| room.clone()).collect();
    topics.line(Some("0"), json!({"user_id": ann.id, "message": "to no room"})).await;
    crowd.speak(MESSAGES).await;
    crowd.has_said(20).await;
    let services = cluster.services.clone();
    let seed = dice.throw() >> 1;
    let mut wanted = HashSet::new();
    for turn in 0..2 {
        let poisoned = poison::into(&services.brokers, &services.prefix, seed + turn, &rooms).await;
        println!("| poison | {:?} |", poisoned.counts);
        let kinds =
            ["truncated", "repeated", "misplaced", "oversized", "future version", "nonsense"];
        for kind in kinds {
            assert!(poisoned.counts.get(kind).is_some_and(|count| *count > 0), "no {kind}");
        }
        wanted.extend(poisoned.to_quarantine);
    }
    crowd.has_said(100).await;
    topics.settled().await;
    within(SETTLED, "a copy of each in quarantine", async || {
        let copied = topics.quarantined();
        wanted.iter().all(|place| copied.contains_key(place)).then_some(())
    })
    .await;
    for hub in &mut cluster.hubs {
        assert!(hub.is_running() && hub.is_ready().await, "{}", hub.log());
    }
    // Who begins now folds all of it anew.
    cluster.hubs[0].kill9();
    cluster.hubs[0].start().await;
    let url = services.database_url();
    let rows = async |room: String| mysql_rows(&url, &room).await;
    crowd.verdict("poison", rows).await.is_exactly_once();
}
