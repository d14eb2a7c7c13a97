//! What other programs write for the hub to post waits out a service that is away.

use serde_json::json;

use crate::my_turn;
use crate::places::Away;
use crate::support::{Cluster, Lines, Person, Topics, until_texts};

const LINES: usize = 300;

async fn begin() -> (Cluster, Topics, Person, String) {
    let cluster = Cluster::start(2).await;
    let topics = Topics::new(cluster.services.clone());
    let alice = Person::sign_up(&cluster.bases(), "alice").await;
    let group = alice.group("Books", &[]).await;
    (cluster, topics, alice, group)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_waits_for_the_store() {
    let _turn = my_turn().await;
    let (_cluster, topics, alice, group) = begin().await;
    // The room is awake: only the line's sender has to be asked of the store.
    let mut lines = Lines::subscribe(&alice, &group).await;
    for goes_away in [Away::killed, Away::paused] {
        let away = goes_away("mariadb");
        let text = "while the store is away";
        topics.line(Some(&group), json!({"user_id": alice.id, "message": text})).await;
        lines.send("live").await;
        assert_eq!(lines.next().await["message"], "live", "live rooms go on");
        assert!(topics.lag() > 0, "it is not settled");
        away.comes_back();
        assert_eq!(lines.next().await["message"], text);
        topics.settled().await;
    }
    let both = ["live", "while the store is away"];
    until_texts(
        &alice,
        &group,
        &[both, both].concat().into_iter().map(String::from).collect::<Vec<_>>(),
    )
    .await;
    assert!(topics.quarantined().is_empty(), "{:?}", topics.quarantined());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_wait_for_the_log() {
    let _turn = my_turn().await;
    let (_cluster, topics, alice, group) = begin().await;
    let mut expected = Vec::new();
    for at in 0..LINES {
        let text = format!("line {at}");
        topics.line(Some(&group), json!({"user_id": alice.id, "message": text})).await;
        expected.push(text);
    }
    Away::killed("kafka").comes_back();
    until_texts(&alice, &group, &expected).await;
    topics.settled().await;
    until_texts(&alice, &group, &expected).await;
    assert!(topics.quarantined().is_empty(), "{:?}", topics.quarantined());
}
