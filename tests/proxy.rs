//! The proxy that the fault runs break the network with does what its weather says.

#[path = "rookery-faults/proxy.rs"]
mod proxy;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use proxy::{Proxy, Weather};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(10);
/// How long nothing has to happen before we believe that nothing will.
const QUIET: Duration = Duration::from_millis(100);

/// Both ends of a connection through a proxy.
struct Line {
    client: TcpStream,
    server: TcpStream,
}

/// A proxy, and the server behind it.
struct Place {
    proxy: Proxy,
    server: TcpListener,
}

impl Place {
    async fn new() -> Place {
        let server = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let proxy = Proxy::listen(None, server.local_addr().expect("an address")).await;
        Place { proxy, server }
    }

    async fn line(&self) -> Line {
        let client = TcpStream::connect(self.proxy.address()).await.expect("the proxy listens");
        let (server, _) = soon(self.server.accept()).await.expect("the proxy dials");
        Line { client, server }
    }
}

impl Line {
    async fn works(&mut self) {
        passes(&mut self.client, &mut self.server, b"there").await;
        passes(&mut self.server, &mut self.client, b"and back").await;
    }
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(SOON, future).await.expect("it happens soon")
}

async fn passes(from: &mut TcpStream, to: &mut TcpStream, bytes: &[u8]) {
    from.write_all(bytes).await.expect("it is sent");
    arrives(to, bytes).await;
}

async fn arrives(to: &mut TcpStream, bytes: &[u8]) {
    let mut got = vec![0; bytes.len()];
    soon(to.read_exact(&mut got)).await.expect("it arrives");
    assert_eq!(got, bytes);
}

async fn nothing_comes(to: &mut TcpStream) {
    let read = timeout(QUIET, to.read(&mut [0; 1])).await;
    assert!(read.is_err(), "neither bytes nor an end should come: {read:?}");
}

/// How a connection ended: in order, or by a reset.
async fn ends(socket: &mut TcpStream) -> Result<(), ErrorKind> {
    match soon(socket.read(&mut [0; 1])).await {
        Ok(0) => Ok(()),
        Ok(_) => panic!("bytes where an end should be"),
        Err(error) => Err(error.kind()),
    }
}

#[tokio::test]
async fn bytes_and_half_closed_sides_pass() {
    let place = Place::new().await;
    let mut line = place.line().await;
    line.works().await;
    line.client.shutdown().await.expect("half-closed");
    assert_eq!(ends(&mut line.server).await, Ok(()));
    passes(&mut line.server, &mut line.client, b"one more word").await;
    drop(line.server);
    assert_eq!(ends(&mut line.client).await, Ok(()));
    let counts = place.proxy.counts();
    assert_eq!((counts.opened, counts.to_server, counts.to_client), (1, 5, 8 + 13));
    while place.proxy.counts().open > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_cut_closes_what_is_open_and_what_comes() {
    let place = Place::new().await;
    let mut line = place.line().await;
    line.works().await;
    place.proxy.weather(Weather::Cut);
    assert_eq!(ends(&mut line.client).await, Ok(()));
    assert_eq!(ends(&mut line.server).await, Ok(()));
    let mut late = TcpStream::connect(place.proxy.address()).await.expect("the port is there");
    assert_eq!(ends(&mut late).await, Ok(()));
    place.proxy.weather(Weather::Clear);
    place.line().await.works().await;
}

#[tokio::test]
async fn a_frozen_way_loses_nothing() {
    let place = Place::new().await;
    let mut line = place.line().await;
    line.works().await;
    place.proxy.weather(Weather::FrozenToClient);
    passes(&mut line.client, &mut line.server, b"question").await;
    line.server.write_all(b"answer").await.expect("it is sent");
    nothing_comes(&mut line.client).await;
    place.proxy.weather(Weather::FrozenToServer);
    arrives(&mut line.client, b"answer").await;
    line.client.write_all(b"thanks").await.expect("it is sent");
    nothing_comes(&mut line.server).await;
    place.proxy.weather(Weather::Frozen);
    line.server.write_all(b"good night").await.expect("it is sent");
    nothing_comes(&mut line.client).await;
    place.proxy.weather(Weather::Clear);
    arrives(&mut line.server, b"thanks").await;
    arrives(&mut line.client, b"good night").await;
}

#[tokio::test]
async fn the_end_of_a_peer_is_news_that_freezes_too() {
    let place = Place::new().await;
    let mut line = place.line().await;
    line.works().await;
    place.proxy.weather(Weather::FrozenToClient);
    drop(line.server);
    // Refused by a server that is gone: the client must not hear of that either.
    line.client.write_all(b"anyone?").await.expect("it is sent");
    nothing_comes(&mut line.client).await;
    place.proxy.weather(Weather::Clear);
    // In order or by a reset, as the server's kernel answered what came too late.
    let _ = ends(&mut line.client).await;
}

#[tokio::test]
async fn a_connection_opened_in_a_frost_works_after_it() {
    let place = Place::new().await;
    place.proxy.weather(Weather::Frozen);
    let mut client = TcpStream::connect(place.proxy.address()).await.expect("the port is there");
    client.write_all(b"hello").await.expect("it is sent");
    nothing_comes(&mut client).await;
    assert!(timeout(QUIET, place.server.accept()).await.is_err(), "nobody comes through");
    place.proxy.weather(Weather::Clear);
    let (mut server, _) = soon(place.server.accept()).await.expect("the proxy dials");
    arrives(&mut server, b"hello").await;
}

#[tokio::test]
async fn slow_is_late_and_in_order_and_wide() {
    const MANY: usize = 2 << 20;
    let place = Place::new().await;
    let Line { mut client, mut server } = place.line().await;
    let late = Duration::from_millis(300);
    place.proxy.weather(Weather::Slow(late));
    let started = Instant::now();
    let bytes: Vec<u8> = (0..MANY).map(|n| (n / 1000) as u8).collect();
    let sent = bytes.clone();
    let sending = tokio::spawn(async move { client.write_all(&sent).await.map(|()| client) });
    arrives(&mut server, &bytes).await;
    let took = started.elapsed();
    assert!(took >= late, "it took {took:?}");
    // One window after the other would have taken sixteen times as long.
    assert!(took < late * 5, "it took {took:?}");
    let mut client = soon(sending).await.expect("it is sent").expect("it is sent");
    // What is late comes at once when the weather clears.
    place.proxy.weather(Weather::Slow(Duration::from_secs(3600)));
    server.write_all(b"at last").await.expect("it is sent");
    nothing_comes(&mut client).await;
    place.proxy.weather(Weather::Clear);
    arrives(&mut client, b"at last").await;
}

#[tokio::test]
async fn what_is_on_its_way_is_lost_in_a_cut_and_in_a_reset() {
    let place = Place::new().await;
    for (weather, how) in
        [(Weather::Cut, Ok(())), (Weather::Reset, Err(ErrorKind::ConnectionReset))]
    {
        place.proxy.weather(Weather::Slow(Duration::from_secs(3600)));
        let mut line = place.line().await;
        line.server.write_all(b"answer").await.expect("it is sent");
        nothing_comes(&mut line.client).await;
        place.proxy.weather(weather);
        assert_eq!(ends(&mut line.client).await, how);
    }
}

#[tokio::test]
async fn narrow_is_narrow_for_all_together() {
    let place = Place::new().await;
    let (mut one, mut other) = (place.line().await, place.line().await);
    place.proxy.weather(Weather::Narrow(100_000));
    let started = Instant::now();
    let bytes = vec![7; 20_000];
    tokio::join!(
        passes(&mut one.client, &mut one.server, &bytes),
        passes(&mut other.client, &mut other.server, &bytes),
    );
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(390), "it took {took:?}");
    assert!(took < Duration::from_secs(2), "it took {took:?}");
}

#[tokio::test]
async fn a_reset_is_one_for_both_ends_and_then_over() {
    let place = Place::new().await;
    let mut line = place.line().await;
    line.works().await;
    place.proxy.weather(Weather::Reset);
    assert_eq!(ends(&mut line.client).await, Err(ErrorKind::ConnectionReset));
    assert_eq!(ends(&mut line.server).await, Err(ErrorKind::ConnectionReset));
    place.line().await.works().await;
}

#[tokio::test]
async fn who_does_not_read_stops_who_writes() {
    let place = Place::new().await;
    let Line { mut client, server } = place.line().await;
    let mut sent = 0;
    while let Ok(more) = timeout(QUIET, client.write(&[0; 65536])).await {
        sent += more.expect("it is sent");
        assert!(sent < 32 << 20, "the proxy swallows everything");
    }
    drop(server);
}

#[tokio::test]
async fn it_can_be_aimed_elsewhere_and_says_when_nobody_is_there() {
    let place = Place::new().await;
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    place.proxy.aim(elsewhere.local_addr().expect("an address"));
    let mut client = TcpStream::connect(place.proxy.address()).await.expect("the proxy listens");
    let (mut server, _) = soon(elsewhere.accept()).await.expect("the proxy dials");
    passes(&mut client, &mut server, b"hello").await;
    drop(elsewhere);
    let mut client = TcpStream::connect(place.proxy.address()).await.expect("the proxy listens");
    assert_eq!(ends(&mut client).await, Err(ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn dropping_it_ends_all_and_frees_its_port() {
    let Place { proxy, server } = Place::new().await;
    let address: SocketAddr = proxy.address();
    let mut client = TcpStream::connect(address).await.expect("the proxy listens");
    let (mut behind, _) = soon(server.accept()).await.expect("the proxy dials");
    passes(&mut client, &mut behind, b"hello").await;
    drop(proxy);
    let _ = ends(&mut client).await;
    let _ = ends(&mut behind).await;
    let again = Proxy::listen(Some(address.port()), server.local_addr().expect("one")).await;
    assert_eq!(again.address(), address);
}
