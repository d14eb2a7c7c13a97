//! What operators see: pages, health, figures, an orderly stop, and a start after it.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::ground::position;
use crate::support::{World, figure, within};

pub async fn health_readiness_and_figures(world: &World) {
    let anyone = world.stranger();
    for path in ["/healthz", "/readyz"] {
        assert_eq!(anyone.request(Method::GET, path).send().await.status, 200, "{path}");
    }
    let figures = anyone.request(Method::GET, "/metrics").send().await;
    assert_eq!(figures.status, 200);
    let kind = figures.header("content-type").unwrap_or_default();
    assert!(kind.starts_with("text/plain"), "{kind}");
    let lines = figures.text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let mut count = 0;
    for line in lines {
        let value = line.rsplit(' ').next().unwrap_or_default();
        assert!(value.parse::<f64>().is_ok(), "no figure: {line}");
        count += 1;
    }
    assert!(count > 0 && figures.text.contains("# TYPE "), "{}", figures.text);
}

pub async fn a_delivery_is_one_write_at_the_most(world: &World) {
    let world = world.with(&[("ROOKERY_LIMITS__RECEIPT_MEMBERS", "2")]).await;
    let people = world.people(["a1", "b2", "c3", "d4", "e5", "f6", "g7", "h8"]).await;
    let (speaker, others) = people.split_first().expect("people");
    let room = speaker.group("Books", &others.iter().collect::<Vec<_>>()).await;
    let mut sockets = Vec::new();
    for person in others {
        sockets.push(person.at(0).socket().await);
    }
    for socket in &mut sockets {
        socket.settle().await;
    }
    let base = &world.bases()[0];
    let counts = async || {
        let deliveries = figure(base, "rookery_deliveries_total").await;
        (deliveries, figure(base, "rookery_socket_writes_total").await)
    };
    let before = counts().await;
    const SAID: usize = 40;
    for number in 0..SAID {
        speaker.say(&room, &number.to_string()).await;
    }
    for socket in &mut sockets {
        socket.expect_where("the last", |event| event["message"]["body"] == "39").await;
    }
    let after = counts().await;
    let (deliveries, writes) = (after.0 - before.0, after.1 - before.1);
    assert_eq!(deliveries, (SAID * others.len()) as f64);
    // Who came online just before is told to the others, too.
    assert!(writes > 0.0 && writes <= 1.2 * deliveries, "{writes} writes, {deliveries} deliveries");
}

pub async fn the_api_is_described(world: &World) {
    let path = "/api/openapi.json";
    let described = world.stranger().request(Method::GET, path).send().await.expect(200);
    let is_3_1 = |version: &Value| version.as_str().is_some_and(|text| text.starts_with("3.1."));
    assert!(is_3_1(&described["openapi"]), "{described}");
    assert!(described["paths"]["/api/v1/rooms/{room}"]["get"].is_object(), "{described}");
    let head = world.stranger().request(Method::HEAD, path).send().await;
    assert_eq!((head.status, head.text.as_str()), (200, ""));
    let path = "/api/asyncapi.json";
    let described = world.stranger().request(Method::GET, path).send().await.expect(200);
    assert_eq!(described["asyncapi"], "3.0.0");
    assert_eq!(described["channels"]["socket"]["address"], "/api/v1/socket");
}

pub async fn strangers_are_sent_to_the_login_page(world: &World) {
    let (alice, stranger) = (world.person("alice").await, world.stranger());
    let chat = stranger.request(Method::GET, "/").send().await;
    assert!(matches!(chat.status, 302 | 303 | 307), "{chat:?}");
    assert_eq!(chat.header("location"), Some("/login"));
    for path in ["/login", "/signup"] {
        let page = stranger.request(Method::GET, path).send().await;
        assert_eq!(page.status, 200);
        assert!(page.header("content-type").is_some_and(|kind| kind.starts_with("text/html")));
    }
    let chat = alice.by_cookie().request(Method::GET, "/").send().await;
    assert_eq!(chat.status, 200);
    assert!(chat.header("content-type").is_some_and(|kind| kind.starts_with("text/html")));
}

pub async fn a_stop_is_orderly(world: &World) {
    let mut world = world.with(&[]).await;
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Until the end", &[&bob]).await;
    let (mut alices, mut bobs) = (alice.socket().await, bob.socket().await);
    alices.say(&room, "1", "last words").await;
    bobs.expect_message("last words").await;

    let hub = world.hub();
    let asked = Instant::now();
    hub.signal(libc::SIGTERM);
    // The sockets do not answer the close yet, so there is time to see it draining.
    within(Duration::from_secs(5), "not to be ready any more", async || {
        (hub.readyz().await? == 503).then_some(())
    })
    .await;
    assert_eq!(alices.closed().await, Some(1012));
    assert_eq!(bobs.closed().await, Some(1012));
    drop((alices, bobs));
    let status = hub.ended().await;
    assert!(asked.elapsed() < Duration::from_secs(10), "it took {:?}", asked.elapsed());
    assert_eq!(status.code(), Some(0));

    hub.start().await;
    assert_eq!(bob.history(&room, "").await["messages"][0]["body"], "last words");
}

pub async fn everything_is_there_after_a_restart(world: &World) {
    let mut world = world.with(&[]).await;
    let [alice, bob, carol] = world.people(["alice", "bob", "carol"]).await;
    let room = alice.group("Durable", &[&bob, &carol]).await;
    let direct = alice.direct(&bob).await;
    let first = alice.say(&room, "first").await;
    bob.read(&room, &first["position"]).await;
    let second = alice.say(&room, &format!("second, @{}", bob.username)).await;
    alice.delete(&format!("/rooms/{room}/members/{}", carol.id)).await.expect(204);
    alice.say(&direct, "psst").await;
    let before = (bob.view(&room).await, bob.history(&room, "").await);

    world.hub().restart().await;

    let after = (bob.view(&room).await, bob.history(&room, "").await);
    assert_eq!(before, after);
    assert_eq!((&after.0["unread"], &after.0["mentions"]), (&json!(1), &json!(1)));
    carol.get(&format!("/rooms/{room}")).await.problem(404, "not_found");
    assert_eq!(bob.history(&direct, "").await["messages"][0]["body"], "psst");
    let mut rooms = json!({});
    rooms[&room] = first["position"].clone();
    let mut back = bob.resume(rooms).await;
    back.expect_where("the second message", |event| event["message"]["id"] == second["id"]).await;
    back.expect("member_removed").await;
    let third = alice.say(&room, "third").await;
    assert!(position(&third["position"]) > position(&after.0["position"]));
    back.expect_message("third").await;
}
