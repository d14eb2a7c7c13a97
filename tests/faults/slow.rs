//! Readers that do not read: cut off, their memory given back, and nobody else held up.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::crowd::FAST;
use crate::my_turn;
use crate::places::memory;
use crate::support::{Hub, Person, figure, opening, within};

const SLOW: usize = 20;
const MESSAGES: usize = 600;
const BYTES: usize = 20_000;
const MEGABYTE: usize = 1 << 20;

/// A socket that says hello and then reads nothing, with little room in its kernel.
async fn sleeper(person: &Person) -> WebSocketStream<TcpStream> {
    let base = person.base();
    let request = opening(base, &person.token);
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    let address = base.trim_start_matches("http://").parse().expect("an address");
    let stream = socket.connect(address).await.expect("a connection");
    let (mut ws, _) = client_async(request, stream).await.expect("a socket");
    let hello = json!({"type": "hello", "ref": 1}).to_string();
    ws.send(Message::text(hello)).await.expect("hello is sent");
    let answer = ws.next().await.expect("an answer").expect("an answer");
    assert!(answer.to_text().expect("text").contains("\"ok\""), "{answer}");
    ws
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_read_is_cut_off_and_costs_nothing_after() {
    let _turn = my_turn().await;
    let characters = ("ROOKERY_LIMITS__MESSAGE_CHARACTERS", "30000");
    let hub = Hub::embedded_with(&[FAST[0], FAST[1], characters]).await;
    let bases = std::slice::from_ref(&hub.base);
    let ann = Person::sign_up(bases, "ann").await;
    let bob = Person::sign_up(bases, "bob").await;
    let sam = Person::sign_up(bases, "sam").await;
    let room = ann.group("busy", &[&bob, &sam]).await;

    // Once without sleepers, so that all that grows only once has grown.
    say_and_hear(&ann, &bob, &room, "warm").await;
    let known = sam.view(&room).await["position"].clone();
    let before = memory(hub.pid());
    let mut sleepers = Vec::new();
    for _ in 0..SLOW {
        sleepers.push(sleeper(&sam).await);
    }
    say_and_hear(&ann, &bob, &room, "busy").await;
    let peak = memory(hub.pid());

    within(Duration::from_secs(20), "all sleepers to be cut off", async || {
        let cut_off = figure(&hub.base, "rookery_sockets_too_slow_total").await;
        (cut_off >= SLOW as f64).then_some(())
    })
    .await;
    for mut sleeper in sleepers {
        assert!(matches!(end(&mut sleeper).await, None | Some(4408)));
    }
    within(Duration::from_secs(20), "sam to be offline", async || {
        let seen = ann.get(&format!("/presence?users={}", sam.id)).await.expect(200);
        (seen["users"][0]["status"] == "offline").then_some(())
    })
    .await;
    let most = before + 25 * MEGABYTE;
    let after = within(Duration::from_secs(20), "the memory to be given back", async || {
        let now = memory(hub.pid());
        (now < most).then_some(now)
    })
    .await;
    let sent = SLOW * MESSAGES * BYTES / MEGABYTE;
    let [before, peak, after] = [before, peak, after].map(|bytes| bytes / MEGABYTE);
    println!(
        "| {SLOW} sleepers, {sent} MB for them | RSS before {before} MB | at the end of the load \
         {peak} MB | after {after} MB |"
    );
    assert!(peak < before + 100, "it grew by {} MB", peak - before);

    // Who comes back is told that this is too much to be told again, and hears what follows.
    let mut back = sam.resume(json!({&room: known})).await;
    assert_eq!(back.expect("reset").await["room"], room);
    let page = sam.history(&room, "?limit=1").await;
    let last = page["messages"][0]["body"].as_str().expect("a message").to_owned();
    assert!(last.starts_with(&format!("busy {} ", MESSAGES - 1)), "{}", &last[..20]);
    ann.say(&room, "awake?").await;
    back.expect_message("awake?").await;
    assert_eq!(back.texts(&room), ["awake?"]);
}

/// Ann says many long things; bob hears them all, in order, in the time that it takes to say them.
async fn say_and_hear(ann: &Person, bob: &Person, room: &str, word: &str) {
    let (mut mouth, mut ear) = (ann.socket().await, bob.socket().await);
    let hearing = tokio::spawn(async move {
        for _ in 0..MESSAGES {
            ear.expect("message").await;
            ear.log.truncate(0);
        }
        ear
    });
    let mut numbers = Vec::new();
    for number in 0..MESSAGES {
        let body = format!("{word} {number} {}", "x".repeat(BYTES));
        let message = mouth.say(room, &format!("{word}-{number}"), &body).await;
        numbers.push(message["position"].clone());
        mouth.log.clear();
    }
    tokio::time::timeout(Duration::from_secs(20), hearing).await.expect("bob hears").expect("all");
    mouth.close().await;
    let sorted = numbers.windows(2).all(|two| number(&two[0]) < number(&two[1]));
    assert!(sorted, "positions grow");
}

fn number(position: &Value) -> i64 {
    position.as_str().and_then(|text| text.parse().ok()).expect("a position")
}

/// Reads what the kernel still had, up to the end.
async fn end(ws: &mut WebSocketStream<TcpStream>) -> Option<u16> {
    let reading = async {
        loop {
            match ws.next().await {
                Some(Ok(Message::Close(close))) => return close.map(|close| u16::from(close.code)),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), reading).await.expect("the socket ends")
}
