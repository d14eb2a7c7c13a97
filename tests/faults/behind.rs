//! The store is behind or away just when people come, come back, or are sent away.

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use serde_json::{Value, json};

use crate::my_turn;
use crate::places::{Away, Lock};
use crate::support::{Cluster, Hub, Person, Socket, until};

const ROOMS: usize = 20;

fn known(room: &str, position: &Value) -> Value {
    let mut rooms = json!({});
    rooms[room] = position.clone();
    rooms
}

/// The types of what this socket heard of a room, with the text of messages.
fn told(socket: &Socket, room: &str) -> Vec<String> {
    let events = socket.of_room(room).into_iter();
    let text = |event: Value| {
        event["message"]["body"].as_str().or(event["type"].as_str()).unwrap_or_default().to_owned()
    };
    events.map(text).collect()
}

/// Somebody is added while nothing can be written, and says hello before it can: the list lacks
/// the room, but they hear of it all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_says_hello_while_the_store_is_behind_is_deaf_in_no_room() {
    let _turn = my_turn().await;
    let hub = Hub::embedded().await;
    let bases = std::slice::from_ref(&hub.base);
    let ann = Person::sign_up(bases, "ann").await;
    let bob = Person::sign_up(bases, "bob").await;
    let room = ann.group("late", &[]).await;
    let mut before = bob.socket().await;

    let lock = Lock::on(&hub);
    let (admin, place) = (ann.clone(), format!("/rooms/{room}/members/{}", bob.id));
    let adding = tokio::spawn(async move { admin.put(&place, json!({"role": "member"})).await });
    let added = before.expect("member_added").await;
    let lists_no_room = |socket: &Socket| {
        assert_eq!(socket.greeting["rooms"], json!([]), "the store cannot have it yet");
    };
    let mut fresh = bob.socket().await;
    lists_no_room(&fresh);
    let mut back = bob.resume(known(&room, &added["position"])).await;
    lists_no_room(&back);
    lock.give_back();

    assert!([201, 504].contains(&adding.await.expect("an answer").status));
    fresh.expect("member_added").await;
    ann.say(&room, "welcome").await;
    for socket in [&mut before, &mut fresh, &mut back] {
        socket.expect_message("welcome").await;
    }
    assert_eq!(told(&fresh, &room), ["member_added", "welcome"]);
    assert_eq!(told(&back, &room), ["welcome"]);
}

/// Rooms that cannot be woken at hello are joined once they can be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_hangs_at_hello_leaves_nobody_deaf() {
    let _turn = my_turn().await;
    let mut cluster = Cluster::start(1).await;
    let ann = Person::sign_up(&cluster.bases(), "ann").await;
    let bob = Person::sign_up(&cluster.bases(), "bob").await;
    let mut rooms = Vec::new();
    for number in 0..ROOMS {
        rooms.push(ann.group(&format!("room {number}"), &[&bob]).await);
    }
    // An instance on which none of them is awake.
    cluster.add(&[]).await;
    let mut there = bob.clone();
    there.bases = vec![cluster.hubs[1].base.clone()];
    let mut socket = there.socket().await;
    let hanging = Away::paused("mariadb");
    // Longer than any query is waited for.
    tokio::time::sleep(Duration::from_secs(6)).await;
    hanging.comes_back();
    socket.settle().await;
    for room in &rooms {
        ann.say(room, "news").await;
    }
    for _ in &rooms {
        socket.expect_message("news").await;
    }
}

/// A resume is under way when its person is removed, and the store fails it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_removed_while_resuming_hears_nothing_more() {
    let _turn = my_turn().await;
    let mut cluster = Cluster::start(1).await;
    let ann = Person::sign_up(&cluster.bases(), "ann").await;
    let bob = Person::sign_up(&cluster.bases(), "bob").await;
    let room = ann.group("private", &[&bob]).await;
    let before = ann.say(&room, "before").await["position"].clone();
    ann.say(&room, "missed").await;
    cluster.add(&[]).await;
    let mut there = bob.clone();
    there.bases = vec![cluster.hubs[1].base.clone()];

    // The store has it, or it would be waited for; and a list needs nothing of what is locked.
    there.view(&room).await;
    let mut lock = cluster.database().await;
    lock.query_drop("LOCK TABLES log_offsets WRITE").await.expect("the lock");
    let mut socket = there.resume(known(&room, &before)).await;
    let (admin, place) = (ann.clone(), format!("/rooms/{room}/members/{}", bob.id));
    let removing = tokio::spawn(async move { admin.delete(&place).await });
    // Until both the replay and the removal were given up, and then some.
    tokio::time::sleep(Duration::from_secs(7)).await;
    ann.say(&room, "secret").await;
    lock.query_drop("UNLOCK TABLES").await.expect("the lock is given back");
    assert!([204, 504].contains(&removing.await.expect("an answer").status));
    ann.say(&room, "another secret").await;

    let meeting = ann.group("meeting", &[&bob]).await;
    ann.say(&meeting, "hello").await;
    socket.expect_message("hello").await;
    let heard = told(&socket, &room);
    assert!(!heard.iter().any(|told| told.contains("secret")), "{heard:?}");
    there.get(&format!("/rooms/{room}")).await.problem(404, "not_found");
}

/// What somebody missed before a removal is told once the store has it. Meanwhile they are in again,
/// are told to reload, and are removed once more: what lies before that would come late.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_in_again_before_hearing_of_a_removal_hears_nothing_late() {
    let _turn = my_turn().await;
    let hub = Hub::embedded().await;
    let bases = std::slice::from_ref(&hub.base);
    let ann = Person::sign_up(bases, "ann").await;
    let bob = Person::sign_up(bases, "bob").await;
    let room = ann.group("come and go", &[&bob]).await;
    let before = ann.say(&room, "before").await["position"].clone();
    // The store has it, or it would be waited for.
    ann.view(&room).await;
    let mut looking = ann.socket().await;

    let lock = Lock::on(&hub);
    ann.say(&room, "missed").await;
    let place = format!("/rooms/{room}/members/{}", bob.id);
    let change = |is_member: bool| {
        let (admin, place) = (ann.clone(), place.clone());
        tokio::spawn(async move {
            match is_member {
                true => admin.put(&place, json!({"role": "member"})).await,
                false => admin.delete(&place).await,
            }
        })
    };
    let removing = change(false);
    looking.expect("member_removed").await;
    let mut back = bob.resume(known(&room, &before)).await;
    let adding = change(true);
    looking.expect("member_added").await;
    back.expect("reset").await;
    ann.say(&room, "again").await;
    let removing_again = change(false);
    looking.expect("member_removed").await;
    back.expect("member_removed").await;
    lock.give_back();

    for change in [removing, adding, removing_again] {
        assert!([201, 204, 504].contains(&change.await.expect("an answer").status));
    }
    hears_no_more(&ann, &bob, &mut back).await;
    assert_eq!(told(&back, &room), ["reset", "again", "member_removed"]);
}

/// All that was on its way has come, and what is tried again was.
async fn hears_no_more(ann: &Person, bob: &Person, socket: &mut Socket) {
    tokio::time::sleep(Duration::from_secs(2)).await;
    let meeting = ann.group("meeting", &[bob]).await;
    ann.say(&meeting, "hello").await;
    socket.expect_message("hello").await;
}

/// A room is over before the store has heard of it, and falls asleep here. Whoever asks for it then
/// wakes it, and has it read the same of the log again; who was in it heard that the first time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_that_was_over_before_the_store_knew_is_told_of_once() {
    let _turn = my_turn().await;
    let hub = Hub::embedded().await;
    let bases = std::slice::from_ref(&hub.base);
    let ann = Person::sign_up(bases, "ann").await;
    let bob = Person::sign_up(bases, "bob").await;
    let room = ann.group("brief", &[]).await;
    // The store has it, or it would be waited for.
    ann.view(&room).await;
    let mut socket = bob.socket().await;

    let lock = Lock::on(&hub);
    let (admin, place) = (ann.clone(), format!("/rooms/{room}/members/{}", bob.id));
    let adding = tokio::spawn(async move { admin.put(&place, json!({"role": "member"})).await });
    socket.expect("member_added").await;
    let delete = || {
        let (admin, place) = (ann.clone(), format!("/rooms/{room}"));
        tokio::spawn(async move { admin.delete(&place).await })
    };
    let deleting = delete();
    socket.expect("room_deleted").await;
    // Longer than a room that is over stays awake.
    tokio::time::sleep(Duration::from_secs(6)).await;
    let again = delete();
    tokio::time::sleep(Duration::from_secs(1)).await;
    lock.give_back();

    for change in [adding, deleting, again] {
        assert!([201, 204, 404, 504].contains(&change.await.expect("an answer").status));
    }
    hears_no_more(&ann, &bob, &mut socket).await;
    assert_eq!(told(&socket, &room), ["member_added", "room_deleted"]);
}

/// Somebody's last command is still at work, since the store is slow, when they close their socket:
/// they are not shown online any more, and what they asked for is done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_leaves_while_the_store_is_slow_is_gone_at_once() {
    let _turn = my_turn().await;
    let hub = Hub::embedded().await;
    let bases = std::slice::from_ref(&hub.base);
    let ann = Person::sign_up(bases, "ann").await;
    let bob = Person::sign_up(bases, "bob").await;
    let room = ann.group("slow", &[&bob]).await;
    ann.say(&room, "one").await;
    let two = ann.say(&room, "two").await["position"].clone();
    let mut looking = ann.socket().await;
    looking.ok("presence", json!({"users": [bob.id]})).await;
    let mut leaving = bob.socket().await;
    looking.expect_where("bob to come", |event| status_in(event, &bob) == Some("online")).await;

    let lock = Lock::on(&hub);
    let read = json!({"type": "read", "ref": 1, "room": room, "position": two});
    leaving.send_text(&read.to_string()).await;
    leaving
        .send_text(&json!({"type": "send", "ref": 2, "room": room, "body": "bye"}).to_string())
        .await;
    leaving.say_goodbye().await;
    let left_at = Instant::now();
    looking.expect_where("bob to go", |event| status_in(event, &bob) == Some("offline")).await;
    let took = left_at.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
    lock.give_back();

    looking.expect_message("bye").await;
    until("the read marker", async || {
        let view = bob.view(&room).await;
        (view["read_position"].as_str() >= two.as_str()).then_some(())
    })
    .await;
    assert_eq!(
        ann.get(&format!("/presence?users={}", bob.id)).await.expect(200)["users"][0]["status"],
        "offline"
    );
}

/// Far more commands than a session holds come behind one that is at work: each is answered, in
/// order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_behind_a_slow_one_wait_and_are_answered_in_order() {
    let _turn = my_turn().await;
    let hub = Hub::embedded().await;
    let bases = std::slice::from_ref(&hub.base);
    let ann = Person::sign_up(bases, "ann").await;
    let room = ann.group("slow", &[]).await;
    let one = ann.say(&room, "one").await["position"].clone();
    let mut socket = ann.socket().await;

    let lock = Lock::on(&hub);
    const COMMANDS: u64 = 200;
    for reference in 1..=COMMANDS {
        let command = match reference % 50 {
            1 => json!({"type": "read", "ref": reference, "room": room, "position": one}),
            _ => json!({"type": "ping", "ref": reference}),
        };
        socket.send_text(&command.to_string()).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    lock.give_back();
    for reference in 1..=COMMANDS {
        let answer = socket.answer(&json!(reference)).await;
        assert_eq!(answer["type"], "ok", "{answer}");
    }
}

fn status_in<'a>(event: &'a Value, person: &Person) -> Option<&'a str> {
    let users = event["users"].as_array()?;
    users.iter().find(|user| user["user_id"] == person.id.as_str())?["status"].as_str()
}
