//! A crowd of good clients, and the count of what became of everything they said.
//!
//! Each client keeps a cursor for every room, resumes from it on whichever instance answers, sends
//! again with the same `client_id` what it has no answer to, and reloads a room when it is told to.
//! It also counts what no client should ever see: an event at or before its cursor.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::{Barrier, watch};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::support::{Person, opening, unique, within};

/// Sends of one client that wait for an answer.
const WINDOW: usize = 6;
/// Between two tries to reach an instance.
const AGAIN: Duration = Duration::from_millis(40);
/// The whole of a test's load, crashes included, takes no longer.
pub const AT_MOST: Duration = Duration::from_secs(60);

/// Settings that let a crowd speak as fast as it likes, and make some of it reload.
pub const FAST: [(&str, &str); 3] = [
    ("ROOKERY_LIMITS__MESSAGES_PER_SECOND", "100000"),
    ("ROOKERY_LIMITS__MESSAGES_BURST", "100000"),
    // Who has missed more than this in a room is told to reload it.
    ("ROOKERY_LIMITS__RESUME_EVENTS", "100"),
];

type Ws = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A message as it stands in a view, in history, or in the store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Line {
    pub position: i64,
    pub id: String,
    pub body: String,
}

impl Line {
    fn of(message: &Value) -> Line {
        let text = |field: &str| message[field].as_str().unwrap_or_default().to_owned();
        Line { position: number(&message["position"]), id: text("id"), body: text("body") }
    }
}

/// What all clients of a crowd share.
#[derive(Default)]
struct Tally {
    sent: AtomicUsize,
    acknowledged: AtomicUsize,
    unknown: AtomicUsize,
    resets: AtomicUsize,
    connections: AtomicUsize,
    /// Clients with nothing more to send and no answer to wait for.
    silent: AtomicUsize,
    /// By room, what was acknowledged.
    lines: Mutex<BTreeMap<String, Vec<Line>>>,
    /// The bodies of what was surely not done, and with which code.
    refused: Mutex<HashMap<String, String>>,
    close_codes: Mutex<BTreeMap<Option<u16>, usize>>,
}

pub struct Crowd {
    pub people: Vec<Person>,
    /// Each with its members' indices in `people`.
    pub rooms: Vec<(String, Vec<usize>)>,
    tally: Arc<Tally>,
    clients: Vec<JoinHandle<Client>>,
    /// Where each room ends, once everything was said.
    ends: watch::Sender<Option<BTreeMap<String, i64>>>,
    goal: usize,
}

/// What came of it; the last four should be 0.
#[derive(Debug, Default)]
pub struct Count {
    pub sent: usize,
    pub acknowledged: usize,
    pub refused: usize,
    pub unknown: usize,
    pub resets: usize,
    pub connections: usize,
    pub lost: usize,
    pub doubled: usize,
    pub out_of_order: usize,
    pub refused_but_done: usize,
}

impl Crowd {
    /// So many people in so many rooms, each person in about half of them.
    pub async fn gather(bases: &[String], people: usize, rooms: usize) -> Crowd {
        let tag = unique();
        let sign_up = |number: usize| {
            let mut bases = bases.to_owned();
            let turn = number % bases.len();
            bases.rotate_left(turn);
            let name = format!("c{number}-{tag}");
            async move { Person::sign_up(&bases, &name).await }
        };
        let people: Vec<Person> = join_all((0..people).map(sign_up)).await;
        let mut made = Vec::new();
        for number in 0..rooms {
            let members: Vec<usize> = (0..people.len())
                .filter(|person| (person + number) % rooms < rooms.div_ceil(2))
                .collect();
            let others: Vec<&Person> = members[1..].iter().map(|&index| &people[index]).collect();
            let room = people[members[0]].group(&format!("storm {number}"), &others).await;
            made.push((room, members));
        }
        let (ends, _) = watch::channel(None);
        Crowd { people, rooms: made, tally: Arc::default(), clients: Vec::new(), ends, goal: 0 }
    }

    /// Everybody comes in, and then says so many things, as fast as the answers come.
    pub async fn speak(&mut self, messages_each: usize) {
        self.goal = messages_each * self.people.len();
        let all_here = Arc::new(Barrier::new(self.people.len()));
        for (index, person) in self.people.iter().enumerate() {
            let rooms = self.rooms.iter().filter(|(_, members)| members.contains(&index));
            let rooms: Vec<String> = rooms.map(|(room, _)| room.clone()).collect();
            let client = Client::new(index, person, rooms, messages_each, &self.tally, &all_here);
            self.clients.push(tokio::spawn(client.live(self.ends.subscribe())));
        }
    }

    pub fn acknowledged(&self) -> usize {
        self.tally.acknowledged.load(Ordering::SeqCst)
    }

    /// Sends that had no answer, or one that says so.
    pub fn unknown(&self) -> usize {
        self.tally.unknown.load(Ordering::SeqCst)
    }

    /// Waits until so much of all that is to be said was acknowledged.
    pub async fn has_said(&self, percent: usize) {
        let enough = self.goal * percent / 100;
        let what = format!("{enough} acknowledged messages");
        within(AT_MOST, &what, async || (self.acknowledged() >= enough).then_some(())).await;
    }

    /// How much of all that is to be said was acknowledged.
    pub fn percent(&self) -> usize {
        self.acknowledged() * 100 / self.goal
    }

    /// Sends that were surely not done, by code.
    pub fn refusals(&self) -> BTreeMap<String, usize> {
        let mut codes = BTreeMap::new();
        for code in self.tally.refused.lock().unwrap().values() {
            *codes.entry(code.clone()).or_default() += 1;
        }
        codes
    }

    /// Close codes that the clients saw; `None` is a connection that broke.
    pub fn close_codes(&self) -> BTreeMap<Option<u16>, usize> {
        self.tally.close_codes.lock().unwrap().clone()
    }

    /// Waits until everything was said and seen by everybody, and compares what the clients saw
    /// with what history says from the start, and with the rows that `rows` reads.
    pub async fn verdict<R: Future<Output = Vec<Line>>>(
        mut self,
        test: &str,
        rows: impl Fn(String) -> R,
    ) -> Count {
        let silent = || self.tally.silent.load(Ordering::SeqCst);
        let everyone = self.clients.len();
        within(AT_MOST, "answers to everything", async || {
            let gone = self.clients.iter().any(|client| client.is_finished());
            assert!(!gone, "a client gave up; it said why");
            (silent() == everyone).then_some(())
        })
        .await;
        let acknowledged = self.tally.lines.lock().unwrap().clone();
        let end = |lines: &Vec<Line>| lines.iter().map(|line| line.position).max().unwrap_or(0);
        let ends = acknowledged.iter().map(|(room, lines)| (room.clone(), end(lines)));
        self.ends.send_replace(Some(ends.collect()));
        let all = tokio::time::timeout(AT_MOST, join_all(std::mem::take(&mut self.clients))).await;
        let clients: Vec<Client> =
            all.expect("every client sees the end").into_iter().map(Result::unwrap).collect();

        let load = |counter: &AtomicUsize| counter.load(Ordering::SeqCst);
        let mut count = Count {
            sent: load(&self.tally.sent),
            acknowledged: load(&self.tally.acknowledged),
            refused: self.tally.refused.lock().unwrap().len(),
            unknown: load(&self.tally.unknown),
            resets: load(&self.tally.resets),
            connections: load(&self.tally.connections),
            ..Count::default()
        };
        let http = reqwest::Client::new();
        for (room, members) in &self.rooms {
            let nothing = Vec::new();
            let said = acknowledged.get(room).unwrap_or(&nothing);
            let person = &self.people[members[0]];
            let mut views: Vec<(String, Vec<Line>)> = Vec::new();
            for base in &person.bases {
                let lines = history(&http, std::slice::from_ref(base), &person.token, room).await;
                views.push((format!("history at {base}"), lines));
            }
            let truth = views[0].1.clone();
            let written = within(AT_MOST, "the rows of the store", async || {
                let lines = rows(room.clone()).await;
                (lines.len() >= truth.len()).then_some(lines)
            });
            views.push(("the store".to_owned(), written.await));
            for (&index, client) in members.iter().map(|index| (index, &clients[*index])) {
                let view = &client.views[room];
                count.out_of_order += view.out_of_order;
                views.push((format!("the view of {index}"), view.lines.clone()));
            }
            views.iter().for_each(|(whose, lines)| count.compare(whose, room, lines, said, &truth));
            let refused = self.tally.refused.lock().unwrap();
            let done = truth.iter().filter(|line| refused.contains_key(&line.body)).count();
            count.refused_but_done += done;
        }
        count.print(test);
        println!("refused: {:?}, connections ended: {:?}", self.refusals(), self.close_codes());
        count
    }
}

impl Count {
    fn compare(&mut self, whose: &str, room: &str, lines: &[Line], said: &[Line], truth: &[Line]) {
        let bodies: HashSet<&str> = lines.iter().map(|line| line.body.as_str()).collect();
        // As it was acknowledged: the same id, position and text.
        let seen: HashSet<&Line> = lines.iter().collect();
        let lost = said.iter().filter(|line| !seen.contains(line)).count();
        let doubled = lines.len() - bodies.len();
        let steps = lines.windows(2).filter(|two| two[0].position >= two[1].position).count();
        let other = lines.iter().zip(truth).filter(|(one, other)| one != other).count();
        let other = other + lines.len().abs_diff(truth.len());
        if lost + doubled + steps + other > 0 {
            println!(
                "{whose}, room {room}: {lost} lost, {doubled} doubled, {steps} out of order, \
                 {other} unlike history ({} of {} lines)",
                lines.len(),
                truth.len()
            );
        }
        self.lost += lost;
        self.doubled += doubled;
        self.out_of_order += steps + other;
    }

    fn print(&self, test: &str) {
        let Count { sent, acknowledged, refused, unknown, resets, connections, .. } = self;
        let Count { lost, doubled, out_of_order, .. } = self;
        println!(
            "| {test} | sent {sent} | acknowledged {acknowledged} | refused {refused} | unknown \
             {unknown} | lost {lost} | doubled {doubled} | out of order {out_of_order} | \
             connections {connections} | resets {resets} |"
        );
    }

    /// The promise.
    #[track_caller]
    pub fn is_exactly_once(&self) {
        assert_eq!((self.lost, self.doubled, self.out_of_order), (0, 0, 0), "{self:?}");
        assert_eq!(self.refused_but_done, 0, "{self:?}");
        assert_eq!(self.acknowledged + self.refused, self.sent, "{self:?}");
    }
}

/// What a client knows of one room.
#[derive(Debug, Default)]
struct View {
    lines: Vec<Line>,
    /// Of the newest event: what it says when it comes back.
    cursor: i64,
    /// History was loaded up to here; events up to it are known already.
    loaded: i64,
    /// Events at or before the cursor.
    out_of_order: usize,
}

#[derive(Debug, Clone)]
struct Draft {
    number: usize,
    room: String,
    body: String,
    /// Sent before, without an answer.
    is_unknown: bool,
}

struct Client {
    person: Person,
    views: BTreeMap<String, View>,
    greeted: bool,
    /// To be sent, the oldest first.
    drafts: VecDeque<Draft>,
    waiting: BTreeMap<usize, Draft>,
    said_all: bool,
    index: usize,
    number: usize,
    base: usize,
    http: reqwest::Client,
    tally: Arc<Tally>,
    /// Nobody speaks before everybody listens.
    all_here: Arc<Barrier>,
}

/// Why a connection was given up; the client comes back.
struct Broken(Option<u16>);

impl Client {
    fn new(
        index: usize,
        person: &Person,
        rooms: Vec<String>,
        messages: usize,
        tally: &Arc<Tally>,
        all_here: &Arc<Barrier>,
    ) -> Client {
        let draft = |number: usize| Draft {
            number,
            room: rooms[number % rooms.len()].clone(),
            body: format!("{}-{number}", person.username),
            is_unknown: false,
        };
        Client {
            person: person.clone(),
            drafts: (0..messages).map(draft).collect(),
            views: rooms.iter().map(|room| (room.clone(), View::default())).collect(),
            greeted: false,
            waiting: BTreeMap::new(),
            said_all: false,
            index,
            number: messages,
            base: 0,
            http: reqwest::Client::new(),
            tally: tally.clone(),
            all_here: all_here.clone(),
        }
    }

    /// Until everything was said, and everything that others said was seen.
    async fn live(mut self, mut ends: watch::Receiver<Option<BTreeMap<String, i64>>>) -> Client {
        loop {
            if let Some(mut ws) = self.connect().await {
                match self.converse(&mut ws, &mut ends).await {
                    Ok(()) => return self,
                    Err(Broken(code)) => {
                        *self.tally.close_codes.lock().unwrap().entry(code).or_default() += 1;
                    }
                }
            }
            // What has no answer may have been done. It goes first when we come back.
            for (_, draft) in std::mem::take(&mut self.waiting).into_iter().rev() {
                self.unknown(draft);
            }
            self.base += 1;
            self.stay_away().await;
        }
    }

    /// Most come back soon; some only after they have missed much, or when it has become quiet.
    async fn stay_away(&self) {
        let missed = [0, 0, 0, 300, 1_500][self.index % 5];
        let acknowledged = || self.tally.acknowledged.load(Ordering::SeqCst);
        let enough = acknowledged() + missed;
        let (mut last, mut quiet) = (acknowledged(), 0);
        tokio::time::sleep(AGAIN).await;
        while self.greeted && acknowledged() < enough && quiet < 50 {
            tokio::time::sleep(AGAIN).await;
            quiet = if acknowledged() == last { quiet + 1 } else { 0 };
            last = acknowledged();
        }
    }

    fn unknown(&mut self, mut draft: Draft) {
        if !std::mem::replace(&mut draft.is_unknown, true) {
            self.tally.unknown.fetch_add(1, Ordering::SeqCst);
        }
        self.drafts.push_front(draft);
    }

    /// A socket that was greeted, with where we are in each room.
    async fn connect(&mut self) -> Option<Ws> {
        let base = &self.person.bases[self.base % self.person.bases.len()];
        let request = opening(base, &self.person.token);
        let connected = tokio::time::timeout(Duration::from_secs(5), connect_async(request)).await;
        let (mut ws, _) = connected.ok()?.ok()?;
        let cursors = self.views.iter().map(|(room, view)| (room, view.cursor.to_string()));
        let cursors: HashMap<_, _> = cursors.collect();
        let mut hello = json!({"type": "hello", "ref": "hello"});
        if self.greeted {
            hello["rooms"] = json!(cursors);
        }
        ws.send(Message::text(hello.to_string())).await.ok()?;
        let frame = frame(&mut ws).await.ok()?;
        assert_eq!(frame["ref"], "hello", "an event before the answer to hello: {frame}");
        if frame["type"] != "ok" {
            return None;
        }
        let is_first = !self.greeted;
        self.greet(&frame);
        if is_first {
            self.all_here.wait().await;
        }
        Some(ws)
    }

    fn greet(&mut self, answer: &Value) {
        self.tally.connections.fetch_add(1, Ordering::SeqCst);
        let rooms = answer["rooms"].as_array().expect("rooms");
        assert_eq!(rooms.len(), self.views.len(), "the rooms that we are in");
        if !std::mem::replace(&mut self.greeted, true) {
            for room in rooms {
                let view = self.views.get_mut(room["id"].as_str().expect("an id"));
                view.expect("our room").cursor = number(&room["position"]);
            }
        }
    }

    async fn converse(
        &mut self,
        ws: &mut Ws,
        ends: &mut watch::Receiver<Option<BTreeMap<String, i64>>>,
    ) -> Result<(), Broken> {
        loop {
            self.send(ws).await?;
            let has_seen_all = |ends: &Option<BTreeMap<String, i64>>| {
                let reached = |(room, view): (&String, &View)| {
                    ends.as_ref()
                        .is_some_and(|ends| ends.get(room).is_none_or(|end| view.cursor >= *end))
                };
                self.views.iter().all(reached)
            };
            if has_seen_all(&ends.borrow_and_update()) {
                return self.settle(ws).await;
            }
            tokio::select! {
                frame = frame(ws) => self.hear(frame?).await,
                // Only tells when to stop.
                _ = ends.changed() => {}
            }
        }
    }

    /// Nothing is on its way any more: a ping came back.
    async fn settle(&mut self, ws: &mut Ws) -> Result<(), Broken> {
        let ping = json!({"type": "ping", "ref": "last"}).to_string();
        ws.send(Message::text(ping)).await.map_err(|_| Broken(None))?;
        loop {
            let frame = frame(ws).await?;
            if frame["ref"] == "last" {
                return Ok(());
            }
            self.hear(frame).await;
        }
    }

    async fn send(&mut self, ws: &mut Ws) -> Result<(), Broken> {
        while self.waiting.len() < WINDOW
            && let Some(draft) = self.drafts.pop_front()
        {
            let Draft { number, room, body, is_unknown } = draft.clone();
            if !is_unknown {
                self.tally.sent.fetch_add(1, Ordering::SeqCst);
            }
            let send = json!({"type": "send", "ref": number, "room": room, "client_id": body, "body": body});
            self.waiting.insert(number, draft);
            ws.send(Message::text(send.to_string())).await.map_err(|_| Broken(None))?;
        }
        if self.waiting.is_empty() && !std::mem::replace(&mut self.said_all, true) {
            self.tally.silent.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }

    async fn hear(&mut self, frame: Value) {
        match frame["type"].as_str().unwrap_or_default() {
            "ok" | "error" => self.answered(&frame).await,
            "reset" => {
                self.tally.resets.fetch_add(1, Ordering::SeqCst);
                let room = frame["room"].as_str().expect("a room").to_owned();
                let cursor = number(&frame["position"]);
                let lines =
                    history(&self.http, &self.person.bases, &self.person.token, &room).await;
                let view = self.views.get_mut(&room).expect("our room");
                view.cursor = cursor;
                view.loaded = lines.last().map_or(0, |line| line.position);
                view.lines = lines;
            }
            "message" => {
                let room = frame["room"].as_str().expect("a room");
                let line = Line::of(&frame["message"]);
                assert_eq!(frame["position"].as_str(), Some(&*line.position.to_string()));
                let view = self.views.get_mut(room).expect("our room");
                if line.position <= view.cursor {
                    view.out_of_order += 1;
                }
                view.cursor = line.position;
                if line.position > view.loaded {
                    view.lines.push(line);
                }
            }
            "presence" | "read" | "typing" => {}
            other => panic!("nothing else happens here, but: {other} {frame}"),
        }
    }

    async fn answered(&mut self, frame: &Value) {
        let number = frame["ref"].as_u64().expect("our ref") as usize;
        let draft = self.waiting.remove(&number).expect("one answer to each send");
        if frame["type"] == "ok" {
            let line = Line::of(&frame["message"]);
            assert_eq!(line.body, draft.body, "the answer is about another message: {frame}");
            self.tally.acknowledged.fetch_add(1, Ordering::SeqCst);
            self.tally.lines.lock().unwrap().entry(draft.room).or_default().push(line);
            return;
        }
        match frame["code"].as_str().expect("a code") {
            code if frame["temporary"] != true => {
                // Nothing that is said here is wrong for good; the verdict shows it.
                let code = format!("{code}, for good");
                self.tally.refused.lock().unwrap().insert(draft.body, code);
                return;
            }
            "outcome_unknown" => self.unknown(draft),
            // This try was not done; an earlier one may have been.
            _ if draft.is_unknown => self.drafts.push_front(draft),
            code => {
                let refused = (draft.body.clone(), code.to_owned());
                self.tally.refused.lock().unwrap().extend([refused]);
                // Said again as something new.
                self.number += 1;
                let body = format!("{}-{}", self.person.username, self.number);
                self.drafts.push_front(Draft { number: self.number, body, ..draft });
            }
        }
        // A good client does not insist at once.
        tokio::time::sleep(AGAIN).await;
    }
}

fn number(position: &Value) -> i64 {
    position.as_str().and_then(|text| text.parse().ok()).expect("a position")
}

async fn frame(ws: &mut Ws) -> Result<Value, Broken> {
    loop {
        match ws.next().await {
            Some(Ok(Message::Text(text))) => {
                return Ok(serde_json::from_str(&text).expect("frames are JSON"));
            }
            Some(Ok(Message::Close(close))) => {
                return Err(Broken(close.map(|close| u16::from(close.code))));
            }
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return Err(Broken(None)),
        }
    }
}

/// The whole history of a room, page by page from the start, from whoever answers.
pub async fn history(
    http: &reqwest::Client,
    bases: &[String],
    token: &str,
    room: &str,
) -> Vec<Line> {
    let started = Instant::now();
    let (mut lines, mut after, mut base) = (Vec::<Line>::new(), 0, 0);
    loop {
        assert!(started.elapsed() < AT_MOST, "no history of {room}");
        let url = format!("{}/api/v1/rooms/{room}/messages", bases[base % bases.len()]);
        let url = format!("{url}?after={after}&limit=100");
        let asked = http.get(url).bearer_auth(token).timeout(Duration::from_secs(10));
        let page: Option<Value> = match asked.send().await {
            Ok(answer) if answer.status() == 200 => answer.json().await.ok(),
            Ok(answer) if answer.status().is_client_error() => panic!("history: {answer:?}"),
            _ => None,
        };
        let Some(page) = page else {
            base += 1;
            tokio::time::sleep(AGAIN).await;
            continue;
        };
        lines.extend(page["messages"].as_array().expect("messages").iter().map(Line::of));
        match (page["has_newer"].as_bool(), lines.last()) {
            (Some(true), Some(last)) => after = last.position,
            _ => return lines,
        }
    }
}
