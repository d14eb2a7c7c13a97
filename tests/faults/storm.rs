//! A reconnect storm: all sockets of an instance are dropped at once, come back and resume.
//!
//! Each has to get exactly what it missed, for few queries, and who was there all along should
//! notice little.

use std::time::{Duration, Instant};

use futures_util::SinkExt;
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use rookery::bench::processes::Process;
use serde_json::{Map, Value, json};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::crowd::FAST;
use crate::my_turn;
use crate::places::memory;
use crate::support::{Cluster, Hub, Person, figure, unique};

/// So many by default; `ROOKERY_TEST_SOCKETS` asks for more, up to a hundred for each person.
const SOCKETS: usize = 2_000;
const PEOPLE: usize = 100;
/// People in one group; everybody is in one more with all the others.
const GROUP: usize = 10;
/// What each group says while nobody is there.
const MISSED: usize = 5;
/// Whatever happens, all are back by then.
const BACK_WITHIN: Duration = Duration::from_secs(60);

type Ws = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// People in groups on one hub, and how far they know them.
struct World {
    hub: Hub,
    people: Vec<Person>,
    /// By person, the rooms.
    rooms: Vec<Vec<String>>,
}

impl World {
    async fn gather(hub: Hub, people: usize) -> World {
        let (bases, tag) = (vec![hub.base.clone()], unique());
        let names = (0..people).map(|number| format!("s{number}-{tag}"));
        let sign_up = |name: String| {
            let bases = bases.clone();
            async move { Person::sign_up(&bases, &name).await }
        };
        let people: Vec<Person> = stream::iter(names).map(sign_up).buffered(4).collect().await;
        let others: Vec<&Person> = people[1..].iter().collect();
        let all = people[0].group("everybody", &others).await;
        let mut rooms = Vec::new();
        for group in people.chunks(GROUP) {
            let others: Vec<&Person> = group[1..].iter().collect();
            let room = group[0].group("a few", &others).await;
            rooms.extend(group.iter().map(|_| vec![all.clone(), room.clone()]));
        }
        World { hub, people, rooms }
    }

    /// By person, what a client of theirs knows now.
    async fn known(&self) -> Vec<Value> {
        let mut known = Vec::new();
        for (person, rooms) in self.people.iter().zip(&self.rooms) {
            let mut positions = Map::new();
            for room in rooms {
                positions.insert(room.clone(), person.view(room).await["position"].clone());
            }
            known.push(Value::Object(positions));
        }
        known
    }

    /// Something is said in every room. Returns what each person misses by it, room by room.
    async fn talk(&self, word: &str) -> Vec<String> {
        let texts: Vec<String> = (0..MISSED).map(|number| format!("{word} {number}")).collect();
        for group in self.people.chunks(GROUP).enumerate() {
            let (number, speaker) = (group.0 * GROUP, &group.1[0]);
            let mut rooms = self.rooms[number].clone();
            // Everybody's room hears it once.
            if number > 0 {
                rooms.remove(0);
            }
            for room in rooms {
                for text in &texts {
                    speaker.say(&room, text).await;
                }
            }
        }
        texts
    }

    /// Socket by socket, in turn for everyone: connects, resumes and hears what was missed.
    async fn all_arrive(&self, sockets: usize, known: &[Value], missed: &[String]) -> Vec<Arrived> {
        let arriving = (0..sockets).map(|number| {
            let person = number % self.people.len();
            arrive(&self.people[person], &known[person], &self.rooms[person], missed)
        });
        let arrived = tokio::time::timeout(BACK_WITHIN, join_all(arriving));
        arrived.await.expect("all are back in time")
    }

    /// Statements that read from the store, so far.
    async fn queries(&self) -> f64 {
        figure(&self.hub.base, "rookery_store_queries_total{kind=\"read\"}").await
    }

    /// Processor time of the hub so far.
    fn cpu(&self) -> Duration {
        Process { name: "hub".into(), pid: self.hub.pid() }.cpu().expect("a process")
    }
}

struct Arrived {
    // Open for as long as this lives.
    _ws: Ws,
    /// How often it was told to come back later.
    sent_away: usize,
    took: Duration,
}

async fn arrive(person: &Person, known: &Value, rooms: &[String], missed: &[String]) -> Arrived {
    let started = Instant::now();
    let mut sent_away = 0;
    loop {
        match try_to_arrive(person, known, rooms, missed).await {
            Ok(_ws) => return Arrived { _ws, sent_away, took: started.elapsed() },
            Err(wait) => {
                sent_away += 1;
                tokio::time::sleep(wait).await;
            }
        }
    }
}

/// The socket once it has heard everything, or after what time to try again.
async fn try_to_arrive(
    person: &Person,
    known: &Value,
    rooms: &[String],
    missed: &[String],
) -> Result<Ws, Duration> {
    let url = format!("{}/api/v1/socket", person.base().replace("http://", "ws://"));
    let mut request = url.into_client_request().expect("an address");
    let bearer = format!("Bearer {}", person.token);
    request.headers_mut().insert("authorization", bearer.parse().expect("a header"));
    let mut ws = match connect_async(request).await {
        Ok((ws, _)) => ws,
        Err(Error::Http(refused)) => {
            assert_eq!(refused.status(), 503, "{refused:?}");
            let after = refused.headers().get("retry-after").expect("when to come back");
            let seconds = after.to_str().ok().and_then(|after| after.parse().ok());
            return Err(Duration::from_secs(seconds.expect("seconds")));
        }
        // The machine has no more ports or buffers for now.
        Err(Error::Io(_)) => return Err(Duration::from_millis(100)),
        Err(error) => panic!("no socket: {error}"),
    };
    let hello = json!({"type": "hello", "ref": 1, "rooms": known}).to_string();
    ws.send(Message::text(hello)).await.expect("hello is sent");
    let answer = next(&mut ws).await;
    if answer["type"] == "error" {
        assert_eq!((&answer["code"], &answer["temporary"]), (&json!("unavailable"), &json!(true)));
        return Err(Duration::from_secs(answer["retry_after"].as_u64().unwrap_or(1)));
    }
    assert_eq!(answer["type"], "ok", "{answer}");
    let mut heard: Vec<Vec<String>> = vec![Vec::new(); rooms.len()];
    while heard.iter().map(Vec::len).sum::<usize>() < rooms.len() * missed.len() {
        let event = next(&mut ws).await;
        assert_eq!(event["type"], "message", "{event}");
        let room = rooms.iter().position(|room| event["room"] == **room).expect("one of its rooms");
        heard[room].push(event["message"]["body"].as_str().expect("a text").to_owned());
    }
    assert!(heard.iter().all(|texts| texts == missed), "exactly what was missed: {heard:?}");
    Ok(ws)
}

async fn next(ws: &mut Ws) -> Value {
    loop {
        match ws.next().await {
            Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).expect("JSON"),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            other => panic!("waited for a frame, got {other:?}"),
        }
    }
}

/// Somebody who was there all along speaks again and again, until told to stop; how long each send
/// took to be acknowledged.
async fn bystander(person: &Person, room: &str, mut stop: watch::Receiver<bool>) -> Vec<Duration> {
    let mut socket = person.socket().await;
    let mut latencies = Vec::new();
    while !*stop.borrow_and_update() {
        let started = Instant::now();
        let number = latencies.len();
        socket
            .say(room, &format!("by-{}-{number}", unique()), &format!("still here {number}"))
            .await;
        latencies.push(started.elapsed());
        socket.log.clear();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    latencies.sort_unstable();
    latencies
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted
        .get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1)))
        .copied()
        .unwrap_or_default()
}

/// A file for each socket, on both sides; a child has what its parent may.
fn more_files() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: plain system calls on a value of ours.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_that_are_dropped_at_once_come_back_and_resume() {
    let _turn = my_turn().await;
    more_files();
    all_come_back("embedded", Hub::embedded_with(&FAST[..2]).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn and_on_kafka_and_mariadb() {
    let _turn = my_turn().await;
    more_files();
    let mut cluster = Cluster::start_with(1, &FAST[..2]).await;
    let hub = cluster.hubs.pop().expect("one instance");
    all_come_back("cluster", hub).await;
}

async fn all_come_back(kind: &str, hub: Hub) {
    let sockets = std::env::var("ROOKERY_TEST_SOCKETS").ok().and_then(|most| most.parse().ok());
    let sockets: usize = sockets.unwrap_or(SOCKETS);
    let mut world = World::gather(hub, PEOPLE).await;
    let bases = vec![world.hub.base.clone()];
    let ann = Person::sign_up(&bases, "ann").await;
    let room = ann.group("beside", &[]).await;
    let known = world.known().await;
    let first = world.all_arrive(sockets, &known, &[]).await;
    let rss = memory(world.hub.pid());

    let quiet = measure(&ann, &room, tokio::time::sleep(Duration::from_secs(2))).await.0;
    drop(first);
    let missed = world.talk("one").await;
    let line = storm(&world, sockets, (&ann, &room), &known, &missed).await;
    println!(
        "| {kind}: {sockets} sockets dropped at once | {line} | bystander before: p50 {:?}, p99 {:?} | RSS with \
         all open {} MB |",
        percentile(&quiet, 50),
        percentile(&quiet, 99),
        rss >> 20,
    );

    // After a crash nothing is in memory: what was missed has to come from the store.
    world.hub.kill9();
    world.hub.start().await;
    let line = storm(&world, sockets, (&ann, &room), &known, &missed).await;
    println!("| {kind}: {sockets} sockets after a crash of the hub | {line} |");
}

/// All come back at once while somebody speaks; prints and checks what it took.
async fn storm(
    world: &World,
    sockets: usize,
    by: (&Person, &str),
    known: &[Value],
    missed: &[String],
) -> String {
    let (queries, cpu, started) = (world.queries().await, world.cpu(), Instant::now());
    let arriving = world.all_arrive(sockets, known, missed);
    let (latencies, arrived) = measure(by.0, by.1, arriving).await;
    let (took, cpu) = (started.elapsed(), world.cpu() - cpu);
    let each = (world.queries().await - queries) / sockets as f64;
    let mut times: Vec<Duration> = arrived.iter().map(|one| one.took).collect();
    times.sort_unstable();
    assert!(each <= 2.0, "{each} queries a socket");
    format!(
        "back in {took:?}, p50 {:?}, p99 {:?} | {each:.2} queries and {} µs of the hub's CPU each | sent \
         away {} times | bystander: p50 {:?}, p99 {:?}, most {:?}",
        percentile(&times, 50),
        percentile(&times, 99),
        cpu.as_micros() / sockets as u128,
        arrived.iter().map(|one| one.sent_away).sum::<usize>(),
        percentile(&latencies, 50),
        percentile(&latencies, 99),
        percentile(&latencies, 100),
    )
}

/// How long sends took, sorted, while something else went on.
async fn measure<T>(
    person: &Person,
    room: &str,
    meanwhile: impl Future<Output = T>,
) -> (Vec<Duration>, T) {
    let (stop, stopped) = watch::channel(false);
    let (person, room) = (person.clone(), room.to_owned());
    // On a thread of its own: what is measured is the hub, not the crowd's own runtime.
    let speaking = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(bystander(&person, &room, stopped))
    });
    let done = meanwhile.await;
    // The bystander listens for as long as it speaks.
    let _ = stop.send(true);
    let latencies = tokio::task::spawn_blocking(|| speaking.join()).await.expect("a thread");
    (latencies.expect("the bystander is heard"), done)
}

#[tokio::test]
async fn one_who_resumes_alone_costs_two_queries() {
    let _turn = my_turn().await;
    let world = World::gather(Hub::embedded().await, GROUP).await;
    let known = world.known().await;
    let missed = world.talk("alone").await;
    // The first wakes the rooms.
    drop(arrive(&world.people[0], &known[0], &world.rooms[0], &missed).await);
    let before = world.queries().await;
    let times = 100;
    for number in 0..times {
        let person = number % GROUP;
        drop(arrive(&world.people[person], &known[person], &world.rooms[person], &missed).await);
    }
    let each = (world.queries().await - before) / times as f64;
    println!("| one after the other | {each:.2} queries for each handshake, hello and resume |");
    // Beside its own there are those of nobody in particular, as for the logins of open sockets.
    assert!(each < 2.5, "{each} queries for each");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn past_a_full_line_they_are_sent_away_and_nobody_is_lost() {
    let _turn = my_turn().await;
    let few =
        [("ROOKERY_LIMITS__ARRIVING_SOCKETS", "20"), ("ROOKERY_LIMITS__GREETINGS_AT_ONCE", "2")];
    let world = World::gather(Hub::embedded_with(&few).await, GROUP).await;
    let known = world.known().await;
    let missed = world.talk("full").await;
    let arrived = world.all_arrive(200, &known, &missed).await;
    let sent_away: usize = arrived.iter().map(|one| one.sent_away).sum();
    println!("| 200 sockets for 20 places | all back; sent away {sent_away} times |");
    assert!(sent_away > 0, "there was a place for everybody");
    assert_eq!(figure(&world.hub.base, "rookery_sockets_sent_away_total").await, sent_away as f64);
}
