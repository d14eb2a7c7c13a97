//! An orderly stop finishes what was begun, and waits for nothing else.

use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::my_turn;
use crate::support::{Hub, Person, SOON, unique};

/// A connection that is kept open from request to request.
struct Kept(BufStream<TcpStream>);

impl Kept {
    async fn to(hub: &Hub) -> Kept {
        let address = hub.base.trim_start_matches("http://");
        Kept(BufStream::new(TcpStream::connect(address).await.expect("a connection")))
    }

    async fn write(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.expect("written");
        self.0.flush().await.expect("written");
    }

    async fn get(&mut self, path: &str) -> (u16, String) {
        self.write(&format!("GET {path} HTTP/1.1\r\nhost: hub\r\n\r\n")).await;
        self.answer().await
    }

    /// The status and the head in lower case, once the whole answer was read.
    async fn answer(&mut self) -> (u16, String) {
        let reading = async {
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                let read = self.0.read_line(&mut head).await.expect("an answer");
                assert!(read > 0, "the connection ended within {head:?}");
            }
            let head = head.to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length = length.map_or(0, |length| length.parse().expect("a length"));
            self.0.read_exact(&mut vec![0; length]).await.expect("the body");
            let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
            (status.expect("a status"), head)
        };
        timeout(SOON, reading).await.expect("an answer")
    }

    async fn ended(&mut self) {
        let mut rest = Vec::new();
        let reading = timeout(SOON, self.0.read_to_end(&mut rest));
        // A reset is an end as well.
        let _ = reading.await.expect("the connection ends");
        assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
    }
}

#[tokio::test]
async fn a_request_that_was_begun_is_answered_before_the_end() {
    let _turn = my_turn().await;
    let mut hub = Hub::embedded().await;
    let [mut begun, mut kept, mut idle] =
        [Kept::to(&hub).await, Kept::to(&hub).await, Kept::to(&hub).await];
    for kept in [&mut kept, &mut idle] {
        let (status, head) = kept.get("/readyz").await;
        assert_eq!(status, 200, "{head}");
        assert!(!head.contains("connection: close"), "{head}");
    }
    let form = format!(r#"{{"username":"ann-{}","password":"correct horse battery"}}"#, unique());
    begun
        .write(&format!(
            "POST /api/v1/users HTTP/1.1\r\nhost: hub\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nexpect: 100-continue\r\n\r\n",
            form.len()
        ))
        .await;
    let (status, head) = begun.answer().await;
    assert_eq!(status, 100, "{head}");

    hub.signal(libc::SIGTERM);
    // A connection that was kept ends with its next answer, so that its client goes elsewhere.
    while !kept.get("/healthz").await.1.contains("connection: close") {}
    kept.ended().await;
    begun.write(&form).await;
    let (status, head) = begun.answer().await;
    assert_eq!(status, 201, "{head}");
    assert!(head.contains("connection: close"), "{head}");
    let answered = Instant::now();
    assert_eq!(hub.ended().await.code(), Some(0), "{}", hub.log());
    idle.ended().await;
    println!("| SIGTERM | ended {} ms after its last answer |", answered.elapsed().as_millis());
    // It once waited 3 s for the connection that nobody used.
    assert!(answered.elapsed() < Duration::from_secs(2), "it took {:?}", answered.elapsed());
}

/// Somebody who never finishes a request does not hold up the stop for long.
#[tokio::test]
async fn a_request_that_never_ends_is_cut_off() {
    let _turn = my_turn().await;
    let mut hub = Hub::embedded().await;
    let mut begun = Kept::to(&hub).await;
    begun
        .write(
            "POST /api/v1/users HTTP/1.1\r\nhost: hub\r\ncontent-type: application/json\r\n\
             content-length: 100\r\nexpect: 100-continue\r\n\r\n",
        )
        .await;
    assert_eq!(begun.answer().await.0, 100);
    let asked = Instant::now();
    assert_eq!(hub.terminate().await.code(), Some(0), "{}", hub.log());
    println!("| SIGTERM, a request hangs | stopped in {} ms |", asked.elapsed().as_millis());
    assert!(asked.elapsed() < Duration::from_secs(10), "it took {:?}", asked.elapsed());
    begun.ended().await;
}

#[tokio::test]
async fn what_was_accepted_right_before_a_stop_is_stored() {
    let _turn = my_turn().await;
    // Longer than a stop takes that waits for nothing.
    let mut hub = Hub::embedded_with(&[("ROOKERY_STORE__BATCH_AGE_MS", "500")]).await;
    let ann = Person::sign_up(std::slice::from_ref(&hub.base), "ann").await;
    let room = ann.group("Rooks", &[]).await;
    ann.view(&room).await;
    for _ in 0..10 {
        ann.say(&room, "the tide is low").await;
    }
    assert_eq!(hub.terminate().await.code(), Some(0), "{}", hub.log());
    let store = rusqlite::Connection::open(hub.dir().join("data/rookery.db")).expect("the store");
    let count: i64 = store
        .query_row("SELECT COUNT(*) FROM messages", [], |row| row.get(0))
        .expect("the messages");
    assert_eq!(count, 10);
}
