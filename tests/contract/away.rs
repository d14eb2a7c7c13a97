//! Away: sockets that are open, with nobody at them.
//!
//! The time is two seconds here. In a cluster two instances have it, and whoever watches is on the
//! one where the other person's device is not, wherever that matters.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Lines, Person, Socket, World, until};

const AWAY_AFTER: Duration = Duration::from_secs(2);
const QUICKLY: [(&str, &str); 1] = [("ROOKERY_PRESENCE__AWAY_SECONDS", "2")];

/// Instances where people are away after two seconds: two of a cluster, or the embedded one.
struct Quick {
    first: World,
    second: Option<World>,
}

impl Quick {
    async fn of(world: &World) -> Quick {
        let first = world.with(&QUICKLY).await;
        let second = match world.is_cluster() {
            true => Some(world.with(&QUICKLY).await),
            false => None,
        };
        Quick { first, second }
    }

    /// New people who may be at either.
    async fn people<const N: usize>(&self, names: [&str; N]) -> [Person; N] {
        let second = self.second.as_ref().map(World::bases).unwrap_or_default();
        let bases = [self.first.bases(), second].concat();
        let people = self.first.people(names).await;
        people.map(|person| person.among(bases.clone()))
    }
}

/// What an event, or an answer, says of somebody, as `(status, last_seen)`.
fn seen<'a>(list: &'a Value, person: &Person) -> Option<(&'a str, &'a Value)> {
    let users = list["users"].as_array()?;
    let of_them = |user: &&Value| [&user["user_id"], &user["id"]].contains(&&json!(person.id));
    let user = users.iter().find(of_them)?;
    Some((user["status"].as_str().expect("a status"), &user["last_seen"]))
}

/// Waits for the next change of somebody, which has to be this one.
async fn hears(socket: &mut Socket, person: &Person, status: &str) -> Value {
    let of_them = |event: &Value| event["type"] == "presence" && seen(event, person).is_some();
    let what = format!("{} to be {status}", person.username);
    let event = socket.expect_where(&what, of_them).await;
    let (told, last_seen) = seen(&event, person).expect("just found");
    assert_eq!(told, status, "{event}");
    assert_eq!(last_seen.is_string(), status == "offline", "{event}");
    last_seen.clone()
}

/// Everything that was told of somebody so far.
fn told<'a>(socket: &'a Socket, person: &Person) -> Vec<&'a str> {
    let events = socket.log.iter().filter(|event| event["type"] == "presence");
    events.filter_map(|event| seen(event, person)).map(|(status, _)| status).collect()
}

async fn follow(person: &Person, instance: usize, whom: Value) -> Socket {
    let mut socket = person.at(instance).socket().await;
    socket.ok("presence", whom).await;
    socket
}

pub async fn who_gives_no_input_is_away_and_back_at_once(world: &World) {
    let quick = Quick::of(world).await;
    let [alice, bob, carol] = quick.people(["alice", "bob", "carol"]).await;
    let room = alice.group("Here", &[&bob]).await;
    let mut watcher = follow(&alice, 0, json!({"users": [bob.id, carol.id]})).await;
    // Taken before he comes: however late the news is, he is not away before his time.
    let coming = Instant::now();
    let mut bobs = bob.at(1).socket().await;
    assert_eq!(bobs.greeting["away_seconds"], 2);
    hears(&mut watcher, &bob, "online").await;
    hears(&mut watcher, &bob, "away").await;
    assert!(coming.elapsed() >= AWAY_AFTER, "away after {:?}", coming.elapsed());

    // To be there, to ask and to let a page read is no sign of a person.
    bobs.ok("ping", json!({})).await;
    bobs.ok("presence", json!({"all": true})).await;
    bobs.ok("read", json!({"room": room, "position": "0"})).await;
    let fence = carol.at(1).socket().await;
    hears(&mut watcher, &carol, "online").await;
    assert_eq!(told(&watcher, &bob), ["online", "away"]);
    for path in ["/presence?users=", "/users?query="] {
        let word = if path.starts_with("/users") { &bob.username } else { &bob.id };
        for instance in [0, 1] {
            let list = alice.at(instance).get(&format!("{path}{word}")).await.expect(200);
            assert_eq!(seen(&list, &bob), Some(("away", &Value::Null)), "{list}");
        }
    }
    let members = alice.get(&format!("/rooms/{room}/members")).await.expect(200);
    let bob_there = |member: &&Value| member["user_id"] == bob.id.as_str();
    let members = members["members"].as_array().expect("a list");
    assert_eq!(members.iter().find(bob_there).expect("bob")["status"], "away");

    bobs.ok("active", json!({})).await;
    hears(&mut watcher, &bob, "online").await;
    hears(&mut watcher, &bob, "away").await;
    bobs.ok("typing", json!({"room": room})).await;
    hears(&mut watcher, &bob, "online").await;
    hears(&mut watcher, &bob, "away").await;
    bobs.say(&room, "1", "here I am").await;
    hears(&mut watcher, &bob, "online").await;
    bobs.close().await;
    hears(&mut watcher, &bob, "offline").await;
    fence.close().await;
}

pub async fn any_device_in_use_makes_one_online(world: &World) {
    let quick = Quick::of(world).await;
    let [alice, bob, carol] = quick.people(["alice", "bob", "carol"]).await;
    let mut watchers = [
        follow(&alice, 0, json!({"users": [bob.id]})).await,
        follow(&carol, 1, json!({"users": [bob.id]})).await,
    ];
    let phone = bob.at(0).socket().await;
    let mut laptop = bob.at(1).socket().await;
    let began = Instant::now();
    while began.elapsed() < AWAY_AFTER * 2 {
        laptop.ok("active", json!({})).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for watcher in &mut watchers {
        hears(watcher, &bob, "online").await;
        watcher.settle().await;
        assert_eq!(told(watcher, &bob), ["online"], "the phone alone is idle");
    }
    for watcher in &mut watchers {
        hears(watcher, &bob, "away").await;
    }
    laptop.close().await;
    phone.close().await;
    for watcher in &mut watchers {
        let last_seen = hears(watcher, &bob, "offline").await;
        assert!(last_seen.is_string(), "{last_seen}");
        assert_eq!(told(watcher, &bob), ["online", "away", "offline"], "each change once");
    }
    for asked in [alice.at(0), carol.at(1)] {
        until("a time when bob was last seen, everywhere", async || {
            let list = asked.get(&format!("/users?query={}", bob.username)).await.expect(200);
            let (status, last_seen) = seen(&list, &bob).expect("bob");
            (status == "offline" && last_seen.is_string()).then_some(())
        })
        .await;
    }
}

pub async fn snapshots_show_who_is_away_and_changes_follow(world: &World) {
    let quick = Quick::of(world).await;
    let [alice, bob] = quick.people(["alice", "bob"]).await;
    let room = alice.group("Here", &[&bob]).await;
    let mut first = follow(&alice, 0, json!({"users": [bob.id]})).await;
    let mut bobs = bob.at(1).socket().await;
    hears(&mut first, &bob, "online").await;
    hears(&mut first, &bob, "away").await;
    let list = alice.at(0).get(&format!("/presence?room={room}")).await.expect(200);
    assert_eq!(seen(&list, &bob), Some(("away", &Value::Null)), "{list}");
    let mut watchers = Vec::new();
    for scope in [json!({"room": room}), json!({"all": true}), json!({"users": [bob.id]})] {
        let mut watcher = alice.at(0).socket().await;
        let snapshot = watcher.ok("presence", scope).await;
        assert_eq!(seen(&snapshot, &bob), Some(("away", &Value::Null)), "{snapshot}");
        watchers.push(watcher);
    }
    bobs.ok("active", json!({})).await;
    for watcher in &mut watchers {
        hears(watcher, &bob, "online").await;
    }
    for watcher in &mut watchers {
        hears(watcher, &bob, "away").await;
    }
    bobs.close().await;
    for watcher in &mut watchers {
        hears(watcher, &bob, "offline").await;
    }
}

/// A page that lost its connection while nobody is there.
pub async fn who_comes_back_by_itself_is_still_away(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let mut watcher = follow(&alice, 0, json!({"users": [bob.id]})).await;
    let mut bobs = bob.at(1).silent_socket().await;
    bobs.hello(json!({"away": true})).await;
    hears(&mut watcher, &bob, "away").await;
    let phone = bob.at(0).socket().await;
    hears(&mut watcher, &bob, "online").await;
    phone.close().await;
    hears(&mut watcher, &bob, "away").await;
    bobs.ok("active", json!({})).await;
    hears(&mut watcher, &bob, "online").await;
    let mut odd = bob.silent_socket().await;
    odd.error("hello", json!({"away": "yes"}), "bad_request").await;
}

pub async fn a_line_of_the_simple_api_is_input(world: &World) {
    let quick = Quick::of(world).await;
    let [alice, bob] = quick.people(["alice", "bob"]).await;
    let group = alice.group("Books", &[&bob]).await;
    let mut watcher = follow(&alice, 0, json!({"users": [bob.id]})).await;
    let mut lines = Lines::subscribe(&bob.at(1), &group).await;
    hears(&mut watcher, &bob, "online").await;
    hears(&mut watcher, &bob, "away").await;
    lines.send("good morning").await;
    hears(&mut watcher, &bob, "online").await;
}

pub async fn the_directory_shows_who_is_here(world: &World) {
    let family = format!("f{}", crate::support::unique());
    let mut people = Vec::new();
    for name in ["ann", "ben", "cleo", "dora"] {
        people.push(world.person(&format!("{family}-{name}")).await);
    }
    let _anns = people[0].at(0).socket().await;
    let mut bens = people[1].at(1).silent_socket().await;
    bens.hello(json!({"away": true})).await;
    let _doras = people[3].at(1).socket().await;
    let names = async |more: &str| -> (Vec<String>, Value) {
        let page = people[2].get(&format!("/users?query={family}{more}")).await.expect(200);
        let users = page["users"].as_array().expect("a list").iter();
        let name = |user: &Value| user["username"].as_str().expect("a name").to_owned();
        let own = |name: String| name.split('-').nth(1).expect("a name").to_owned();
        (users.map(|user| own(name(user))).collect(), page["next"].clone())
    };
    until("all of them to be known to every instance", async || {
        // Instances are asked in turn.
        for _ in 0..people[2].bases.len() {
            if names("&status=online,away").await.0 != ["ann", "ben", "dora"] {
                return None;
            }
        }
        Some(())
    })
    .await;
    assert_eq!(names("&status=away").await.0, ["ben"]);
    assert_eq!(names("&status=online").await.0, ["ann", "dora"]);
    let (first, next) = names("&status=online,away&limit=2").await;
    assert_eq!(first, ["ann", "ben"]);
    let next = next.as_str().expect("there is more").to_owned();
    let (rest, next) = names(&format!("&status=online,away&limit=2&after={next}")).await;
    assert_eq!((rest, next), (vec!["dora".to_owned()], Value::Null));
    let wrong = people[0].get("/users?status=asleep").await;
    wrong.problem(422, "invalid_status");
}
