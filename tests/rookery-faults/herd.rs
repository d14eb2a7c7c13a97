//! Sockets in large numbers: those that never read, and those that all come back at once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use futures_util::{SinkExt, StreamExt};
use rookery::guarantees::dice::Dice;
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::asking::Login;
use crate::support::opening;

/// What the kernel may hold of unread bytes for one that does not read.
const SMALL_BUFFER: u32 = 8 * 1024;
/// Dials at once: the backlog of a listener is not without end either.
const DIALS: usize = 256;
const GREETED_WITHIN: Duration = Duration::from_secs(30);

type Ws = WebSocketStream<TcpStream>;

/// One that says hello and then never reads again.
pub struct Deaf(TcpStream);

impl Deaf {
    pub async fn begin(address: SocketAddr, login: &Login) -> Deaf {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(SMALL_BUFFER).expect("a small buffer");
        let stream = socket.connect(address).await.expect("an instance");
        let (mut ws, _) = client_async(opening(&format!("http://{address}"), &login.token), stream)
            .await
            .expect("a socket");
        let hello = json!({"type": "hello", "ref": 0}).to_string();
        ws.send(Message::text(hello)).await.expect("a hello");
        Deaf(ws.into_inner())
    }

    /// Whether the hub has ended it.
    pub async fn was_ended(mut self) -> bool {
        let mut buffer = vec![0; 64 * 1024];
        let reading = async {
            use tokio::io::AsyncReadExt;
            while let Ok(1..) = self.0.read(&mut buffer).await {}
        };
        tokio::time::timeout(Duration::from_secs(10), reading).await.is_ok()
    }
}

/// Many sockets of a few people, each of which knows how far it has heard.
pub struct Herd {
    address: SocketAddr,
    logins: Vec<Login>,
    sockets: Vec<Ws>,
}

impl Herd {
    pub fn new(base: &str, logins: Vec<Login>) -> Herd {
        let address = base.trim_start_matches("http://").parse().expect("the address of a door");
        Herd { address, logins, sockets: Vec::new() }
    }

    /// So many come in; returns how long the last of them took to be greeted.
    pub async fn come(&mut self, sockets: usize, dice: &mut Dice) -> Duration {
        let dials = Arc::new(Semaphore::new(DIALS));
        let begun = Instant::now();
        let one = |number: usize| {
            let (login, dials) = (self.logins[number % self.logins.len()].clone(), dials.clone());
            let (address, mut dice) = (self.address, dice.fork());
            async move {
                let mut pauses = 0;
                loop {
                    // As a good client does: full jitter, and twice as long each time.
                    let limit = (600u64 << pauses).min(10_000);
                    pauses += 1;
                    tokio::time::sleep(Duration::from_millis(dice.below(limit as usize) as u64))
                        .await;
                    let dialling = dials.acquire().await.expect("nobody closes it");
                    let greeted = tokio::time::timeout(GREETED_WITHIN, greeted(address, &login));
                    if let Ok(Some(ws)) = greeted.await {
                        return ws;
                    }
                    drop(dialling);
                }
            }
        };
        self.sockets = join_all((0..sockets).map(one)).await;
        begun.elapsed()
    }

    /// All end at once, without a word.
    pub fn vanish(&mut self) {
        self.sockets.clear();
    }

    /// Reads what came, so that nobody looks slow.
    pub async fn listen(&mut self, time: Duration) {
        let reading =
            self.sockets.iter_mut().map(|ws| async { while let Some(Ok(_)) = ws.next().await {} });
        let _ = tokio::time::timeout(time, join_all(reading)).await;
    }
}

async fn greeted(address: SocketAddr, login: &Login) -> Option<Ws> {
    let stream = TcpStream::connect(address).await.ok()?;
    let (mut ws, _) =
        client_async(opening(&format!("http://{address}"), &login.token), stream).await.ok()?;
    ws.send(Message::text(json!({"type": "hello", "ref": 0}).to_string())).await.ok()?;
    loop {
        if let Message::Text(text) = ws.next().await?.ok()? {
            let frame: Value = serde_json::from_str(&text).ok()?;
            return (frame["type"] == "ok").then_some(ws);
        }
    }
}
