//! Instances that are killed, and instances that are asked to stop, while a crowd is speaking.

use std::time::{Duration, Instant};

use crate::crowd::{Crowd, FAST};
use crate::places::sqlite_rows;
use crate::support::Hub;
use crate::{Dice, my_turn};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_embedded_hub_is_killed_again_and_again() {
    let _turn = my_turn().await;
    let mut dice = Dice::new("kill -9, embedded");
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
    let mut dice = Dice::new("SIGTERM, embedded");
    let mut hub = Hub::embedded_with(&FAST).await;
    let mut crowd = Crowd::gather(std::slice::from_ref(&hub.base), 12, 3).await;
    crowd.speak(400).await;
    for from in [10, 50] {
        crowd.has_said(dice.between(from, from + 20)).await;
        let asked = Instant::now();
        let status = hub.terminate().await;
        assert_eq!(status.code(), Some(0), "{}", hub.log());
        assert!(asked.elapsed() < Duration::from_secs(10), "it took {:?}", asked.elapsed());
        println!("stopped in {:?}", asked.elapsed());
        hub.start().await;
    }
    let closed = crowd.close_codes();
    assert_eq!(closed.get(&Some(1012)), Some(&24), "each was told twice: {closed:?}");
    let data = hub.dir().join("data");
    let rows = async |room: String| sqlite_rows(&data, &room);
    crowd.verdict("SIGTERM, embedded", rows).await.is_exactly_once();
}
