//! A good client, which writes down everything that it does and hears.
//!
//! It keeps a cursor for every room, resumes from it through whichever door answers, sends again
//! with the same `client_id` what it has no answer to, reloads a room when it is told to, and comes
//! back with growing pauses. Some of it naps, some goes by HTTP, some says everything twice at once.

mod hearing;
mod saying;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{SinkExt, StreamExt};
use rookery::guarantees::dice::Dice;
use rookery::guarantees::history::{
    Change, End, Heard, History, Millis, Outcome, Send, Socket, Stream, Try,
};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::asking::{Asking, Login, Place};
use crate::recording::{Clock, number, text};
use crate::support::opening;

/// Sends that wait for an answer on the socket.
const WINDOW: usize = 6;
const TICK: Duration = Duration::from_millis(40);
/// After so long without a frame it asks whether anyone is there, and gives up this much later.
const QUIET: Millis = 8_000;
const ANSWER: Millis = 6_000;
/// Past it the outcome of a send on the socket is unknown.
const SEND_WITHIN: Millis = 20_000;
/// The first pause before coming back is less than this, as in the page; the longest is shorter
/// than there, since runs are short.
const BACKOFF: Millis = 600;
const LONGEST_BACKOFF: Millis = 5_000;
const GOODBYE_WITHIN: Duration = Duration::from_millis(800);
/// A connection that lived so long was a good one.
const STEADY: Millis = 5_000;

type Ws = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What everybody is asked to do.
#[derive(Debug, Clone)]
pub enum Phase {
    Talk,
    /// Nothing new; what has no answer yet is asked for.
    Settle,
    /// Everything up to here is to be heard, then the client is done; or when the time is over.
    End {
        rooms: Arc<BTreeMap<String, i64>>,
        by: Millis,
    },
}

/// How a client behaves.
#[derive(Debug, Clone)]
pub struct Temper {
    /// Between two of its messages, on the average.
    pub pace: Millis,
    /// Of its messages, in percent, by HTTP to any instance.
    pub by_http: usize,
    /// Characters of a message, at least.
    pub body: usize,
    /// Every message on the socket and by HTTP at once.
    pub twice: bool,
    /// Goes away in order now and then.
    pub naps: bool,
    /// Writes to its rooms whether or not it is in them.
    pub insists: bool,
}

/// What all clients of a run share.
#[derive(Clone)]
pub struct Common {
    pub clock: Clock,
    pub phase: watch::Receiver<Phase>,
    pub asking: Asking,
    /// Where sockets are opened, in turn.
    pub doors: Vec<String>,
    pub instances: Vec<Place>,
    /// Messages whose outcome is not settled yet.
    pub unsettled: Arc<AtomicUsize>,
    pub tally: Arc<Tally>,
}

#[derive(Debug, Default)]
pub struct Tally {
    pub connections: AtomicUsize,
    pub resets: AtomicUsize,
    /// Connections that ended without a close code that says why.
    pub broken: AtomicUsize,
    /// Close codes other than those that say "come back".
    pub thrown_out: AtomicUsize,
}

#[derive(Debug, Default)]
struct View {
    cursor: i64,
    is_mine: bool,
    /// Nothing was heard of it since the last hello.
    is_silent: bool,
    heard: Vec<Heard>,
}

/// How a conversation ended.
enum Over {
    Done,
    Nap(Duration),
    Lost(End),
}

pub struct Client {
    login: Login,
    temper: Temper,
    dice: Dice,
    common: Common,
    views: BTreeMap<String, View>,
    has_been_greeted: bool,
    sends: Vec<Send>,
    /// Messages to be tried (again), not before a time.
    due: Vec<(Millis, usize)>,
    /// By `ref`: the message, and when it was sent.
    waiting: HashMap<u64, (usize, Millis)>,
    posts: FuturesUnordered<BoxFuture<'static, (usize, Try)>>,
    settled: HashSet<usize>,
    sockets: Vec<Socket>,
    changes: Vec<Change>,
    door: usize,
    refs: u64,
    pauses: u32,
    next_message: Millis,
    next_nap: Millis,
    next_read: Millis,
    heard_at: Millis,
    pinged_at: Option<Millis>,
}

impl Client {
    /// `rooms` are those that it writes to.
    pub fn new(
        login: Login,
        rooms: &[String],
        temper: Temper,
        mut dice: Dice,
        common: Common,
    ) -> Client {
        let next_nap = dice.between(4_000, 15_000) as Millis;
        Client {
            login,
            door: dice.below(common.doors.len()),
            views: rooms.iter().map(|room| (room.clone(), View::default())).collect(),
            temper,
            dice,
            common,
            has_been_greeted: false,
            sends: Vec::new(),
            due: Vec::new(),
            waiting: HashMap::new(),
            posts: FuturesUnordered::new(),
            settled: HashSet::new(),
            sockets: Vec::new(),
            changes: Vec::new(),
            refs: 0,
            pauses: 0,
            next_message: 0,
            next_nap,
            next_read: 0,
            heard_at: 0,
            pinged_at: None,
        }
    }

    /// Until everything was said and heard, or the time is over; returns what it recorded.
    pub async fn live(mut self) -> History {
        loop {
            let over = match self.connect().await {
                Some(ws) => self.converse(ws).await,
                None => Over::Lost(End::Crash),
            };
            match over {
                Over::Done => return self.record(),
                Over::Nap(time) => self.rest(time).await,
                Over::Lost(end) => {
                    self.socket_ended(end);
                    self.give_up_waiting();
                    if self.is_out_of_time() {
                        return self.record();
                    }
                    let pause = self.pause();
                    self.rest(pause).await;
                }
            }
        }
    }

    fn now(&self) -> Millis {
        self.common.clock.now()
    }

    fn record(self) -> History {
        let streams = self.views.into_iter().map(|(room, view)| Stream {
            client: self.login.name.clone(),
            user: self.login.id.clone(),
            room,
            heard: view.heard,
            to_the_end: true,
        });
        History {
            streams: streams.collect(),
            sends: self.sends,
            sockets: self.sockets,
            changes: self.changes,
            ..History::default()
        }
    }

    fn phase(&self) -> Phase {
        self.common.phase.borrow().clone()
    }

    fn is_out_of_time(&self) -> bool {
        matches!(self.phase(), Phase::End { by, .. } if self.now() > by)
    }

    /// Full jitter below a limit that doubles, as in the page.
    fn pause(&mut self) -> Duration {
        let limit = (BACKOFF << self.pauses.min(10)).min(LONGEST_BACKOFF);
        self.pauses += 1;
        Duration::from_millis(self.dice.below(limit as usize) as u64)
    }

    /// Away from the socket; answers by HTTP still come.
    async fn rest(&mut self, time: Duration) {
        let until = tokio::time::sleep(time);
        tokio::pin!(until);
        loop {
            tokio::select! {
                () = &mut until => return,
                Some((send, tried)) = self.posts.next() => self.tried(send, tried),
            }
        }
    }

    async fn connect(&mut self) -> Option<Ws> {
        self.door = (self.door + 1) % self.common.doors.len();
        let base = &self.common.doors[self.door];
        let request = opening(base, &self.login.token);
        let connecting = tokio::time::timeout(Duration::from_secs(5), connect_async(request));
        let (mut ws, _) = connecting.await.ok()?.ok()?;
        let hello = json!({"type": "hello", "ref": 0, "rooms": self.cursors()});
        self.sockets.push(Socket {
            user: self.login.id.clone(),
            begun_at: self.now(),
            opened_at: None,
            ended: None,
        });
        ws.send(Message::text(hello.to_string())).await.ok()?;
        let greeting = tokio::time::timeout(Duration::from_millis(ANSWER), frame(&mut ws));
        let greeting = greeting.await.ok()?.ok()?;
        assert_eq!(greeting["ref"], 0, "an event before the answer to hello: {greeting}");
        if greeting["type"] != "ok" {
            return None;
        }
        self.greeted(&greeting);
        Some(ws)
    }

    fn cursors(&self) -> BTreeMap<&str, String> {
        let mine = self.views.iter().filter(|(_, view)| self.has_been_greeted && view.is_mine);
        mine.map(|(room, view)| (room.as_str(), view.cursor.to_string())).collect()
    }

    /// The list may lack a room that we were in: events then tell what became of it.
    fn greeted(&mut self, greeting: &Value) {
        self.common.tally.connections.fetch_add(1, Ordering::Relaxed);
        self.heard_at = self.now();
        self.pinged_at = None;
        if let Some(socket) = self.sockets.last_mut() {
            socket.opened_at = Some(self.heard_at);
        }
        for room in greeting["rooms"].as_array().into_iter().flatten() {
            let view = self.views.entry(text(&room["id"])).or_default();
            if !std::mem::replace(&mut view.is_mine, true) {
                view.cursor = number(&room["position"]);
            }
            view.heard.push(Heard::From(view.cursor));
        }
        self.views.values_mut().for_each(|view| view.is_silent = true);
        self.has_been_greeted = true;
    }

    /// Of the socket that is there, if it was opened and has not ended yet.
    fn socket_ended(&mut self, end: End) {
        let now = self.now();
        if let Some(socket) = self.sockets.last_mut() {
            if socket.ended.is_none() {
                socket.ended = Some((now, end));
            }
            let steady = socket.opened_at.is_some_and(|opened_at| now - opened_at > STEADY);
            if steady {
                self.pauses = 0;
            }
        }
    }

    /// What was sent on a socket that is gone may have been done.
    fn give_up_waiting(&mut self) {
        let now = self.now();
        for (_, (send, at)) in std::mem::take(&mut self.waiting) {
            let tried =
                Try { instance: socket_name(), at, answered_at: now, outcome: Outcome::Unknown };
            self.tried(send, tried);
        }
    }

    async fn converse(&mut self, mut ws: Ws) -> Over {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                frame = frame(&mut ws) => match frame {
                    Ok(frame) => {
                        self.heard_at = self.now();
                        self.hear(frame).await;
                    }
                    Err(end) => return Over::Lost(self.lost(end)),
                },
                Some((send, tried)) = self.posts.next() => self.tried(send, tried),
                _ = ticks.tick() => {
                    if let Some(over) = self.tick(&mut ws).await {
                        return over;
                    }
                }
            }
        }
    }

    fn lost(&self, code: Option<u16>) -> End {
        match code {
            Some(1012) => End::Orderly,
            Some(4400..=4499) => End::Crash,
            Some(_) => {
                self.common.tally.thrown_out.fetch_add(1, Ordering::Relaxed);
                End::Crash
            }
            None => {
                self.common.tally.broken.fetch_add(1, Ordering::Relaxed);
                End::Crash
            }
        }
    }

    async fn tick(&mut self, ws: &mut Ws) -> Option<Over> {
        let now = self.now();
        match self.phase() {
            Phase::Talk => self.think_of_something(now),
            Phase::Settle => {}
            Phase::End { rooms, by } => {
                if now > by || self.has_heard(&rooms) {
                    return Some(self.leave(ws).await);
                }
            }
        }
        self.forget_what_is_late(now);
        if self.send_what_is_due(ws, now).await.is_err() {
            return Some(Over::Lost(self.lost(None)));
        }
        if matches!(self.phase(), Phase::Talk) && self.temper.naps && now > self.next_nap {
            return Some(self.nap(ws, now).await);
        }
        self.watch(ws, now).await
    }

    fn has_heard(&self, ends: &BTreeMap<String, i64>) -> bool {
        let mine = self.views.iter().filter(|(_, view)| view.is_mine);
        let mut behind =
            mine.filter(|(room, view)| ends.get(*room).is_some_and(|end| view.cursor < *end));
        behind.next().is_none() && self.posts.is_empty()
    }

    /// Nothing is on its way any more once a ping has come back.
    async fn leave(&mut self, ws: &mut Ws) -> Over {
        let ping = json!({"type": "ping", "ref": "last"}).to_string();
        if ws.send(Message::text(ping)).await.is_err() {
            return Over::Lost(End::Crash);
        }
        loop {
            match tokio::time::timeout(Duration::from_millis(ANSWER), frame(ws)).await {
                Ok(Ok(frame)) if frame["ref"] == "last" => break,
                Ok(Ok(frame)) => self.hear(frame).await,
                Ok(Err(code)) => return Over::Lost(self.lost(code)),
                Err(_) => return Over::Lost(End::Silence),
            }
        }
        self.close(ws).await;
        Over::Done
    }

    async fn nap(&mut self, ws: &mut Ws, now: Millis) -> Over {
        let time = self.dice.between(2_500, 9_000) as Millis;
        self.next_nap = now + time + self.dice.between(5_000, 20_000) as Millis;
        self.close(ws).await;
        self.give_up_waiting();
        Over::Nap(Duration::from_millis(time))
    }

    async fn close(&mut self, ws: &mut Ws) {
        let goodbye = CloseFrame { code: 1000.into(), reason: "".into() };
        let left_at = self.now();
        let closing = async {
            ws.close(Some(goodbye)).await.ok()?;
            while let Some(Ok(_)) = ws.next().await {}
            Some(())
        };
        // Whether it is heard or not: we are gone.
        let answered = tokio::time::timeout(GOODBYE_WITHIN, closing).await;
        let end = if matches!(answered, Ok(Some(()))) { End::Orderly } else { End::Silence };
        if let Some(socket) = self.sockets.last_mut() {
            socket.ended = Some((left_at, end));
        }
    }

    /// Asks whether anyone is there when it was quiet for long, and gives up when nobody says so.
    async fn watch(&mut self, ws: &mut Ws, now: Millis) -> Option<Over> {
        match self.pinged_at {
            Some(pinged_at) if self.heard_at >= pinged_at => self.pinged_at = None,
            Some(pinged_at) if now - pinged_at > ANSWER => return Some(Over::Lost(End::Silence)),
            None if now - self.heard_at > QUIET => {
                self.pinged_at = Some(now);
                let ping = json!({"type": "ping", "ref": "there?"}).to_string();
                if ws.send(Message::text(ping)).await.is_err() {
                    return Some(Over::Lost(End::Crash));
                }
            }
            _ => {}
        }
        None
    }
}

/// Through a balancer nobody knows which instance a socket is at.
fn socket_name() -> String {
    "a socket".to_owned()
}

/// The next frame, or the close code with which the connection ended.
async fn frame(ws: &mut Ws) -> Result<Value, Option<u16>> {
    loop {
        match ws.next().await {
            Some(Ok(Message::Text(text))) => {
                return Ok(serde_json::from_str(&text).expect("frames are JSON"));
            }
            Some(Ok(Message::Close(close))) => {
                return Err(close.map(|close| u16::from(close.code)));
            }
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return Err(None),
        }
    }
}
