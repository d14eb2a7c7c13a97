//! `rookery bench`: that each bench runs and counts right. What its figures are is no matter for a
//! test: machines differ.

use std::net::SocketAddr;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::Message;

/// Without any setting of whoever runs the tests.
fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rookery"));
    command.arg("bench").args(arguments).arg("--json").env_clear();
    command.output().expect("the rookery binary starts")
}

fn figures(arguments: &[&str]) -> Value {
    let output = run(arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    serde_json::from_slice(&output.stdout).expect("figures are JSON")
}

fn number(figures: &Value, name: &str) -> f64 {
    figures[name].as_f64().unwrap_or_else(|| panic!("{name} in {figures}"))
}

#[test]
fn fanout_at_a_rate() {
    let words = ["--rooms=2", "--members=5", "--rate=20", "--seconds=2", "--warm-up=1"];
    let told = figures(&[&["fanout"], &words[..]].concat());
    assert_eq!(number(&told, "sockets"), 10.0);
    // What is due is said, however late: 2 rooms × 20 a second × 3 s.
    assert!((110.0..=125.0).contains(&number(&told, "messages")), "{told}");
    assert_eq!(number(&told, "all_deliveries"), 5.0 * number(&told, "messages"));
    assert!(number(&told, "seen_p99_ms") >= number(&told, "seen_p50_ms"));
    assert!(told["cpu_us_per_delivery_hub"].is_number());
}

#[test]
fn fanout_in_a_closed_loop() {
    let told = figures(&["fanout", "--rooms=3", "--members=4", "--window=8", "--seconds=1"]);
    // What was under way came, and others after it.
    assert!(number(&told, "messages") > 3.0 * 8.0, "{told}");
    assert_eq!(number(&told, "all_deliveries"), 4.0 * number(&told, "messages"));
}

#[test]
fn idle_sockets_are_weighed() {
    let told = figures(&["idle", "--sockets=500", "--seconds=1"]);
    assert_eq!(number(&told, "sockets"), 500.0);
    let each = number(&told, "bytes_per_socket_hub");
    assert!((1_000.0..64_000.0).contains(&each), "{told}");
}

#[test]
fn what_is_accepted_is_stored() {
    let told = figures(&["store", "--rooms=5", "--window=10", "--seconds=1"]);
    assert!(number(&told, "messages") > 0.0 && number(&told, "stored_per_second") > 0.0);
}

#[test]
fn latency_without_kafka_has_no_time_of_kafkas() {
    let told = figures(&["latency", "--rooms=4", "--members=3", "--rate=5", "--seconds=1"]);
    assert!(number(&told, "seen_p50_ms") > 0.0 && told["kafka_p50_ms"].is_null(), "{told}");
}

#[test]
fn history_is_looked_at_while_it_grows() {
    let words = ["--messages=300,600", "--rooms=10", "--requests=5"];
    let told = figures(&[&["history"], &words[..]].concat());
    for messages in [300, 600] {
        let found = |what: &str| number(&told, &format!("{what}_{messages}_found"));
        assert_eq!((found("page"), found("older_page"), found("room_list")), (50.0, 50.0, 10.0));
        assert!(found("search_common") > 10.0, "{told}");
        assert!(number(&told, &format!("search_two_words_{messages}_p50_ms")) > 0.0);
        assert!(number(&told, &format!("start_{messages}_ms")) > 0.0);
    }
}

#[test]
fn everybody_comes_back_after_a_storm() {
    let told = figures(&["storm", "--sockets=300"]);
    assert!(number(&told, "store_queries_per_socket") < 20.0, "{told}");
    assert!(told["storm_seen_p99_ms"].is_number());
}

#[test]
fn presence_is_told_of_all_who_leave_and_return() {
    let told = figures(&["presence", "--members=300", "--followers=5"]);
    assert_eq!(number(&told, "changes"), 295.0);
    for when in ["leaving", "returning"] {
        let each = number(&told, &format!("{when}_bytes_per_follower_and_change"));
        assert!((40.0..400.0).contains(&each), "{told}");
    }
}

#[test]
fn nonsense_is_refused_in_a_line() {
    for (words, part) in [
        (&["fanout", "--size=3"][..], "--size"),
        (&["fanout", "--speech=plain"], "--url"),
        (&["fanout", "--url=ftp://x"], "http://"),
        (&["fanout", "--process=1"], "NAME=PID"),
    ] {
        let output = run(words);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && errors.contains(part), "{words:?}: {errors}");
    }
}

/// What a server does with the third message that it hears.
#[derive(Clone, Copy)]
enum Third {
    AsOthers,
    Lost,
    Twice,
    /// After the next one, which is of the same sender.
    Late,
}

/// A server that speaks plainly, and says to everybody what somebody says.
async fn server(third: Third) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("the address");
    let (everybody, _) = broadcast::channel(10_000);
    let count = Arc::new(AtomicUsize::new(0));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (everybody, count) = (everybody.clone(), count.clone());
            tokio::spawn(async move {
                let mut heard = everybody.subscribe();
                let ws = accept_async(stream).await.expect("a handshake");
                let (mut out, mut said) = ws.split();
                tokio::spawn(async move {
                    while let Ok(text) = heard.recv().await {
                        let _ = out.send(Message::text(text)).await;
                    }
                });
                let mut held = None;
                while let Some(Ok(Message::Text(text))) = said.next().await {
                    let text = text.to_string();
                    let mut out = match (third, 1 + count.fetch_add(1, Ordering::SeqCst)) {
                        (Third::Lost, 3) => Vec::new(),
                        (Third::Twice, 3) => vec![text.clone(), text],
                        (Third::Late, 3) => {
                            held = Some(text);
                            Vec::new()
                        }
                        _ => vec![text],
                    };
                    out.extend(held.take_if(|_| !out.is_empty()));
                    out.into_iter().for_each(|text| drop(everybody.send(text)));
                }
            });
        }
    });
    address
}

/// What the bench says of such a server.
async fn judged(third: Third) -> (bool, String) {
    let url = format!("--url=http://{}", server(third).await);
    let judged = tokio::task::spawn_blocking(move || {
        let talk = ["--rooms=1", "--members=2", "--rate=20", "--seconds=1", "--warm-up=0"];
        let words = ["fanout", "--speech=plain", "--patience=2", url.as_str()];
        let output = run(&[&words[..], &talk[..]].concat());
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    });
    judged.await.expect("no panic")
}

#[tokio::test]
async fn a_server_that_delivers_is_believed() {
    assert_eq!(judged(Third::AsOthers).await, (true, String::new()));
}

#[tokio::test]
async fn a_delivery_that_is_missing_is_noticed() {
    let (is_well, errors) = judged(Third::Lost).await;
    assert!(!is_well && errors.contains("; 2 deliveries are missing; 0 came"), "{errors}");
}

#[tokio::test]
async fn a_delivery_that_comes_twice_or_late_is_noticed() {
    for third in [Third::Twice, Third::Late] {
        let (is_well, errors) = judged(third).await;
        assert!(!is_well && !errors.contains(" 0 came twice or out of order"), "{errors}");
        assert!(errors.contains("came twice or out of order"), "{errors}");
    }
}
