//! The network between two programs, and what goes wrong with it: a TCP proxy in this process
//! whose weather can be changed while connections are open.

// Every program that uses it has its own part of this.
#![allow(dead_code)]

use std::collections::VecDeque;
use std::future::pending;
use std::io::{Error, ErrorKind};
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};

/// Bytes of one read, and so of one piece that waits.
const PIECE: usize = 16 * 1024;
/// Bytes of one connection and direction that may wait here; past it nothing more is read, and the
/// sender feels it as it would feel a slow network.
const WAITING: usize = 64 * 1024;
/// The same while everything is late: enough that lateness alone costs no throughput.
const WAITING_LATE: usize = 4 * 1024 * 1024;
/// Bytes of the kernel's buffers of one socket, which would grow to megabytes by themselves.
const KERNEL: u32 = 128 * 1024;
/// How long a fixed port may take to become free, after the proxy before it was dropped.
const PORT_WITHIN: Duration = Duration::from_secs(10);

/// What the network is like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Weather {
    Clear,
    /// Open connections are closed, new ones are closed at once.
    Cut,
    /// What clients send stops on the way. Nothing is closed, and nothing new is opened: that takes
    /// both ways.
    FrozenToServer,
    /// What servers send stops on the way.
    FrozenToClient,
    /// Both ways stop.
    Frozen,
    /// Everything is so late, each way, in order and without loss of throughput.
    Slow(Duration),
    /// So many bytes a second each way, for all connections together.
    Narrow(u64),
    /// Both ends of every open connection get a RST, once; then it is clear.
    Reset,
}

/// What went through since the proxy was made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Counts {
    /// Connections that clients opened.
    pub opened: u64,
    /// Those of them that are open now.
    pub open: u64,
    /// Bytes that were given to the server.
    pub to_server: u64,
    /// Bytes that were given to clients.
    pub to_client: u64,
}

/// A proxy that listens on 127.0.0.1. Dropping it ends its connections.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Listens on this port, or on any free one below those that the kernel gives to outgoing
    /// connections, and passes connections on to the target.
    pub async fn listen(port: Option<u16>, target: SocketAddr) -> Proxy {
        let listener = match port {
            Some(port) => listen_on(port).await,
            None => listen_anywhere(),
        };
        let address = listener.local_addr().expect("the address of a listener");
        let state = State { weather: Weather::Clear, target, cuts: 0, resets: 0 };
        let shared = Arc::new(Shared {
            state: watch::Sender::new(state),
            free_at: [Mutex::new(Instant::now()), Mutex::new(Instant::now())],
            given: [AtomicU64::new(0), AtomicU64::new(0)],
            opened: AtomicU64::new(0),
            open: AtomicU64::new(0),
        });
        let accepting = tokio::spawn(accept(listener, shared.clone()));
        Proxy { address, shared, accepting }
    }

    /// Where clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// New connections go here from now on.
    pub fn aim(&self, target: SocketAddr) {
        self.shared.state.send_modify(|state| state.target = target);
    }

    /// Changes what the network is like, at once, for open and new connections.
    pub fn weather(&self, weather: Weather) {
        for free_at in &self.shared.free_at {
            *free_at.lock().expect("no panic while it is held") = Instant::now();
        }
        self.shared.state.send_modify(|state| {
            state.weather = weather;
            if weather == Weather::Cut {
                state.cuts += 1;
            }
            if weather == Weather::Reset {
                state.resets += 1;
                state.weather = Weather::Clear;
            }
        });
    }

    pub fn counts(&self) -> Counts {
        let Shared { opened, open, given: [to_server, to_client], .. } = &*self.shared;
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts {
            opened: read(opened),
            open: read(open),
            to_server: read(to_server),
            to_client: read(to_client),
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // The connections are the task's own, and end with it.
        self.accepting.abort();
    }
}

async fn listen_on(port: u16) -> TcpListener {
    let started = Instant::now();
    loop {
        match try_listen(port) {
            Ok(listener) => return listener,
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                assert!(started.elapsed() < PORT_WITHIN, "port {port} of the proxy is taken");
                sleep(Duration::from_millis(20)).await;
            }
            Err(error) => panic!("port {port} of the proxy: {error}"),
        }
    }
}

fn listen_anywhere() -> TcpListener {
    for _ in 0..1000 {
        let random = getrandom::u32().expect("random bytes");
        if let Ok(listener) = try_listen(10_000 + (random % 22_000) as u16) {
            return listener;
        }
    }
    panic!("no free port found for a proxy");
}

fn try_listen(port: u16) -> Result<TcpListener, Error> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    // Connections inherit it.
    socket.set_recv_buffer_size(KERNEL)?;
    socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
    socket.listen(8192)
}

struct Shared {
    state: watch::Sender<State>,
    /// For each way: when a narrow one has room again.
    free_at: [Mutex<Instant>; 2],
    /// For each way: bytes that were given to its end.
    given: [AtomicU64; 2],
    opened: AtomicU64,
    open: AtomicU64,
}

#[derive(Clone, Copy)]
struct State {
    weather: Weather,
    target: SocketAddr,
    /// How often all open connections were closed, and reset.
    cuts: u64,
    resets: u64,
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    ToServer = 0,
    ToClient = 1,
}

impl State {
    /// Whether a connection that was opened in that state has ended.
    fn broke(&self, born: &State) -> bool {
        self.cuts > born.cuts || self.resets > born.resets
    }

    fn stops(&self, way: Way) -> bool {
        match self.weather {
            Weather::Frozen => true,
            Weather::FrozenToServer => way == Way::ToServer,
            Weather::FrozenToClient => way == Way::ToClient,
            _ => false,
        }
    }

    fn waiting(&self) -> usize {
        match self.weather {
            Weather::Slow(_) => WAITING_LATE,
            Weather::Narrow(_) => PIECE,
            _ => WAITING,
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let Ok((client, _)) = accepted else {
            // Out of file descriptors, most likely: one may be free soon.
            sleep(Duration::from_millis(20)).await;
            continue;
        };
        shared.opened.fetch_add(1, Ordering::Relaxed);
        let born = *shared.state.borrow();
        if born.weather != Weather::Cut {
            shared.open.fetch_add(1, Ordering::Relaxed);
            connections.spawn(connection(client, shared.clone(), born));
        }
    }
}

/// One connection, from being accepted to its end.
async fn connection(client: TcpStream, shared: Arc<Shared>, born: State) {
    struct Open(Arc<Shared>);
    impl Drop for Open {
        fn drop(&mut self) {
            self.0.open.fetch_sub(1, Ordering::Relaxed);
        }
    }
    let open = Open(shared);
    let mut states = open.0.state.subscribe();
    let broken = broken(open.0.state.subscribe(), born);
    tokio::pin!(broken);
    let dialled = tokio::select! {
        biased;
        how = &mut broken => return end(how, &[&client]),
        dialled = dial(&mut states) => dialled,
    };
    let Ok(server) = dialled else { return end(Ended::Reset, &[&client]) };
    tokio::select! {
        // First of all, or what waited would still slip through.
        biased;
        how = &mut broken => end(how, &[&client, &server]),
        how = carry(&client, &server, &open.0, born) => end(how, &[&client, &server]),
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Ended {
    Closed,
    Reset,
}

fn end(how: Ended, sockets: &[&TcpStream]) {
    for socket in sockets.iter().filter(|_| how == Ended::Reset) {
        // A socket that is dead already cannot be reset any more, which is as good.
        let _ = SockRef::from(*socket).set_linger(Some(Duration::ZERO));
    }
}

/// Until the weather ends a connection that was opened in that state.
async fn broken(mut states: watch::Receiver<State>, born: State) -> Ended {
    match states.wait_for(|state| state.broke(&born)).await.as_deref() {
        Ok(state) if state.resets > born.resets => Ended::Reset,
        _ => Ended::Closed,
    }
}

async fn thawed(states: &mut watch::Receiver<State>, ways: &[Way]) -> State {
    let goes = |state: &State| !ways.iter().any(|way| state.stops(*way));
    let state = states.wait_for(goes).await.map(|state| *state);
    match state {
        Ok(state) => state,
        // The proxy is gone, and this task is about to be.
        Err(_) => pending().await,
    }
}

async fn dial(states: &mut watch::Receiver<State>) -> Result<TcpStream, Error> {
    let state = thawed(states, &[Way::ToServer, Way::ToClient]).await;
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(KERNEL)?;
    socket.connect(state.target).await
}

/// Carries bytes both ways until both ended, or one end is gone.
async fn carry(client: &TcpStream, server: &TcpStream, shared: &Shared, born: State) -> Ended {
    for socket in [client, server] {
        // Fails for a socket that is dead already, which shows soon enough.
        let _ = socket.set_nodelay(true);
        let _ = SockRef::from(socket).set_send_buffer_size(KERNEL as usize);
    }
    let there = Pump::new(Way::ToServer, shared, born);
    let back = Pump::new(Way::ToClient, shared, born);
    let carried = tokio::try_join!(there.run(client, server), back.run(server, client));
    let Err(Gone(way)) = carried else { return Ended::Closed };
    // That an end is gone is news, and has to come through as well.
    thawed(&mut shared.state.subscribe(), &[way]).await;
    Ended::Reset
}

/// An end is gone without having closed in order: the one that this way comes from.
struct Gone(Way);

/// One direction of one connection.
struct Pump<'a> {
    way: Way,
    shared: &'a Shared,
    /// When the connection was opened.
    born: State,
    /// When each piece was read; the oldest in front.
    waiting: VecDeque<(Instant, Vec<u8>)>,
    bytes: usize,
    /// When the piece in front has its turn on a narrow way.
    turn: Option<Instant>,
    /// The sender has closed its side.
    closed: bool,
}

impl Pump<'_> {
    fn new(way: Way, shared: &Shared, born: State) -> Pump<'_> {
        Pump { way, shared, born, waiting: VecDeque::new(), bytes: 0, turn: None, closed: false }
    }

    async fn run(mut self, from: &TcpStream, to: &TcpStream) -> Result<(), Gone> {
        let other = match self.way {
            Way::ToServer => Way::ToClient,
            Way::ToClient => Way::ToServer,
        };
        let mut states = self.shared.state.subscribe();
        loop {
            let state = *states.borrow_and_update();
            // Broken while this ran: nothing slips through before the connection ends.
            let stops = state.stops(self.way) || state.broke(&self.born);
            if self.closed && self.waiting.is_empty() && !stops {
                // The other end may be gone; the other direction finds out.
                let _ = SockRef::from(to).shutdown(Shutdown::Write);
                return Ok(());
            }
            let reads = !stops && !self.closed && self.bytes < state.waiting();
            let due = if stops { None } else { self.due(&state) };
            tokio::select! {
                changed = states.changed() => {
                    self.turn = None;
                    if changed.is_err() {
                        return Ok(());
                    }
                }
                ready = from.readable(), if reads => {
                    ready.and_then(|()| self.take(from)).map_err(|_| Gone(self.way))?;
                }
                ready = writable_at(to, due) => {
                    ready.and_then(|()| self.give(to)).map_err(|_| Gone(other))?;
                }
            }
        }
    }

    fn take(&mut self, from: &TcpStream) -> Result<(), Error> {
        let mut piece = vec![0; PIECE];
        match from.try_read(&mut piece) {
            Ok(0) => self.closed = true,
            Ok(bytes) => {
                piece.truncate(bytes);
                piece.shrink_to_fit();
                self.bytes += bytes;
                self.waiting.push_back((Instant::now(), piece));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// When the piece in front may go on; `None` if there is none.
    fn due(&mut self, state: &State) -> Option<Instant> {
        let (read_at, piece) = self.waiting.front()?;
        match state.weather {
            Weather::Slow(delay) => Some(*read_at + delay),
            Weather::Narrow(rate) => Some(*self.turn.get_or_insert_with(|| {
                let free_at = &self.shared.free_at[self.way as usize];
                let mut free_at = free_at.lock().expect("no panic while it is held");
                let turn = (*free_at).max(Instant::now());
                let seconds = piece.len() as f64 / rate.max(1) as f64;
                *free_at = turn + Duration::from_secs_f64(seconds);
                // A piece is there when its last byte is.
                *free_at
            })),
            _ => Some(*read_at),
        }
    }

    fn give(&mut self, to: &TcpStream) -> Result<(), Error> {
        let Some((_, piece)) = self.waiting.front_mut() else { return Ok(()) };
        match to.try_write(piece) {
            Ok(bytes) => {
                piece.drain(..bytes);
                if piece.is_empty() {
                    self.waiting.pop_front();
                    self.turn = None;
                }
                self.bytes -= bytes;
                self.shared.given[self.way as usize].fetch_add(bytes as u64, Ordering::Relaxed);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        }
    }
}

async fn writable_at(to: &TcpStream, due: Option<Instant>) -> Result<(), Error> {
    let Some(due) = due else { return pending().await };
    if due > Instant::now() {
        sleep_until(due).await;
    }
    to.writable().await
}
