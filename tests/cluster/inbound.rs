//! Other programs post by writing to a topic, as `kafka-console-producer` does: a line of JSON,
//! with a key or without one.

use std::collections::HashMap;

use serde_json::json;

use crate::support::{Cluster, Lines, Person, Topics, World, figure, texts, until_texts};

fn number(id: &str) -> i64 {
    id.parse().expect("a number")
}

#[tokio::test]
async fn a_line_is_posted_with_and_without_a_key() {
    let world = World::cluster().await;
    let topics = Topics::new(world.services().await);
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let group = alice.group("Books", &[&bob]).await;
    let mut bobs =
        [Lines::subscribe(&bob.at(0), &group).await, Lines::subscribe(&bob.at(1), &group).await];
    let (user, room) = (number(&alice.id), number(&group));
    topics.line(Some(&group), json!({"user_id": user, "message": "the key is the room"})).await;
    for line in &mut bobs {
        let line = line.next().await;
        assert_eq!(
            (&line["message"], &line["user_id"]),
            (&json!("the key is the room"), &json!(user))
        );
        assert_eq!((&line["group_id"], &line["username"]), (&json!(room), &json!(alice.username)));
    }
    let said = [
        (None, json!({"user_id": user, "message": "in the value", "group_id": room})),
        (None, json!({"user_id": alice.id, "message": " as strings ", "group_id": group})),
        (Some("any"), json!({"user_id": user, "message": "the value wins", "group_id": room})),
        (Some(""), json!({"user_id": user, "message": "the only group"})),
        (None, json!({"user_id": user, "message": "the only group, again"})),
    ];
    for (key, value) in said {
        let expected = value["message"].as_str().expect("a text").trim().to_owned();
        topics.line(key, value).await;
        assert_eq!(bobs[0].next().await["message"], expected);
        assert_eq!(bobs[1].next().await["message"], expected);
    }
    let direct = alice.direct(&bob).await;
    topics.line(Some(&direct), json!({"user_id": user, "message": "psst"})).await;
    until_texts(&bob, &direct, &["psst".to_owned()]).await;
}

#[tokio::test]
async fn who_was_let_in_a_moment_ago_may_post() {
    let world = World::cluster().await;
    let topics = Topics::new(world.services().await);
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let mut expected = Vec::new();
    let group = alice.public_group("Open", &[]).await;
    // Awake on both instances, so that both have a state of their own that may be behind.
    let _awake = [
        Lines::subscribe(&alice.at(0), &group).await,
        Lines::subscribe(&alice.at(1), &group).await,
    ];
    for round in 0..5 {
        bob.at(round).join(&group).await;
        let text = format!("round {round}");
        topics.line(Some(&group), json!({"user_id": bob.id, "message": text})).await;
        expected.push(text);
        until_texts(&alice, &group, &expected).await;
        bob.leave(&group).await;
    }
}

#[tokio::test]
async fn what_is_refused_or_unreadable_goes_to_quarantine_with_the_reason() {
    let world = World::cluster().await;
    let topics = Topics::new(world.services().await);
    let [alice, mallory, nobody, silent, muted] =
        world.people(["alice", "mallory", "nobody", "silent", "muted"]).await;
    // In two groups, and has said nothing in either.
    let group = alice.group("Private", &[&silent, &muted]).await;
    let mute = format!("/rooms/{group}/members/{}/mute", muted.id);
    alice.put(&mute, json!({"minutes": 5})).await.expect(200);
    let open = alice.public_group("Public", &[]).await;
    let other = alice.group("Other", &[&silent]).await;
    let line = |user: &str, message: &str| json!({"user_id": user, "message": message}).to_string();
    let key = Some(group.as_bytes());
    let own = |client_id: &str| {
        json!({"user_id": alice.id, "message": "x", "client_id": client_id}).to_string()
    };
    type Case<'a> = (Option<&'a [u8]>, Option<String>, &'a str);
    let cases: Vec<Case> = vec![
        (key, Some("hello".into()), "bad_request: "),
        (key, Some("{".into()), "bad_request: "),
        (key, Some(String::new()), "bad_request: "),
        (key, Some("[]".into()), "bad_request: "),
        (key, Some(r#"{"message":"x"}"#.into()), "bad_request: user_id"),
        (key, Some(json!({"user_id": alice.id}).to_string()), "bad_request: "),
        (key, Some(json!({"user_id": {}, "message": "x"}).to_string()), "bad_request: "),
        (key, None, "bad_request: "),
        (key, Some(line(&alice.id, " ")), "invalid_message: "),
        (key, Some(line(&alice.id, &"x".repeat(4_001))), "invalid_message: "),
        (key, Some(own("é")), "invalid_client_id: "),
        (key, Some(line("999999999", "x")), "unknown_user: "),
        (key, Some(line(&muted.id, "x")), "muted: "),
        (key, Some(line(&mallory.id, "x")), "not_found: "),
        (Some(open.as_bytes()), Some(line(&mallory.id, "x")), "not_a_member: "),
        (Some(b"999999999"), Some(line(&alice.id, "x")), "not_found: "),
        (Some(b"nothing"), Some(line(&alice.id, "x")), "bad_request: the key"),
        (Some(b"\xff\x00"), Some(line(&alice.id, "x")), "bad_request: the key"),
        (None, Some(line(&nobody.id, "x")), "no_group: "),
        (None, Some(line(&silent.id, "x")), "no_group: "),
    ];
    let mut written = Vec::new();
    for (key, value, reason) in &cases {
        let place = topics.write("inbound", *key, value.as_deref().map(str::as_bytes)).await;
        written.push((place, *key, value.clone().map(String::into_bytes), *reason));
    }
    // None of them holds up what comes after it.
    for group in [&group, &open, &other] {
        topics.line(Some(group), json!({"user_id": alice.id, "message": "fine"})).await;
        until_texts(&alice, group, &["fine".to_owned()]).await;
    }
    for (place, key, value, reason) in written {
        let copy = topics.copy_of(&place).await;
        assert_eq!(copy.key.as_deref(), key, "{place:?}");
        assert_eq!(copy.value, value, "{place:?}");
        assert!(copy.reason.starts_with(reason), "{place:?}: {}, not {reason}", copy.reason);
    }
    let mut counted = 0.0;
    for base in &alice.bases {
        counted += figure(base, "rookery_quarantined_total").await;
    }
    assert!(counted >= cases.len() as f64, "{counted} counted");
    // All of it is settled: nobody tries again.
    topics.settled().await;
}

#[tokio::test]
async fn a_disabled_account_posts_nothing() {
    let mut world = World::cluster().await.with(&[]).await;
    let topics = Topics::new(world.services().await);
    let alice = world.person("alice").await;
    let group = alice.group("Books", &[]).await;
    world.hub().command(&["user", "disable", &alice.username], "");
    let place = topics.line(Some(&group), json!({"user_id": alice.id, "message": "x"})).await;
    assert!(topics.copy_of(&place).await.reason.starts_with("account_disabled: "));
}

#[tokio::test]
async fn a_client_id_of_its_own_is_posted_once_and_rates_do_not_apply() {
    const MANY: usize = 120;
    let world = World::cluster().await;
    let topics = Topics::new(world.services().await);
    let alice = world.person("alice").await;
    let group = alice.group("Fast", &[]).await;
    let line = |at: usize| json!({"user_id": alice.id, "message": at.to_string(), "client_id": format!("mine-{at}")});
    let expected: Vec<String> = (0..MANY).map(|at| at.to_string()).collect();
    for at in 0..MANY {
        topics.line(Some(&group), line(at)).await;
    }
    for at in [0, MANY - 1] {
        topics.line(Some(&group), line(at)).await;
    }
    // Without one, the same text is another message.
    let plain = json!({"user_id": alice.id, "message": "the same"});
    topics.line(Some(&group), plain.clone()).await;
    topics.line(Some(&group), plain).await;
    let expected = [expected, vec!["the same".into(), "the same".into()]].concat();
    until_texts(&alice, &group, &expected).await;
    let path = format!("/rooms/{group}/messages?limit=1");
    let newest = alice.get(&path).await.expect(200)["messages"][0].clone();
    let client_id = newest["client_id"].as_str().expect("one was made");
    assert!(client_id.starts_with(&topics.name("inbound")), "{client_id}");
}

#[tokio::test]
async fn a_consumer_that_is_killed_neither_loses_nor_doubles_a_line() {
    const LINES: usize = 400;
    let mut cluster = Cluster::start(2).await;
    let topics = Topics::new(cluster.services.clone());
    let bases = cluster.bases();
    let alice = Person::sign_up(&bases[1..], "alice").await;
    let groups = [
        alice.group("One", &[]).await,
        alice.group("Two", &[]).await,
        alice.group("Three", &[]).await,
    ];
    let warm = json!({"user_id": alice.id, "message": "warm"});
    topics.line(Some(&groups[0]), warm).await;
    topics.settled().await;
    let mut written: HashMap<&String, Vec<String>> = HashMap::new();
    written.entry(&groups[0]).or_default().push("warm".into());
    let poison = topics.write("inbound", Some(b"poison"), Some(b"{")).await;
    for at in 0..LINES {
        let group = &groups[at % groups.len()];
        let text = format!("line {at}");
        topics.line(Some(group), json!({"user_id": alice.id, "message": text})).await;
        written.entry(group).or_default().push(text);
        // In the middle of it, first the one, then the other.
        if at == LINES / 3 {
            cluster.hubs[0].kill9();
        }
        if at == LINES / 2 {
            cluster.hubs[0].start().await;
            cluster.hubs[1].kill9();
        }
    }
    cluster.hubs[1].start().await;
    for (group, texts) in &written {
        until_texts(&alice, group, texts).await;
    }
    topics.settled().await;
    for (group, expected) in &written {
        assert_eq!(&texts(&alice, group).await, expected, "still so");
    }
    // Killed between copying it and saying so, it may have been copied again: the place tells.
    let mut quarantined = topics.quarantined();
    let copies = quarantined.remove(&poison).expect("a copy");
    assert!(copies.iter().all(|copy| copy.value.as_deref() == Some(b"{")), "{copies:?}");
    assert!(quarantined.is_empty(), "nothing else was refused: {quarantined:?}");
}

#[tokio::test]
async fn a_record_of_the_log_that_nobody_can_read_is_copied_once() {
    let world = World::cluster().await;
    let topics = Topics::new(world.services().await);
    let alice = world.person("alice").await;
    let group = alice.group("Books", &[]).await;
    let mut line = Lines::subscribe(&alice, &group).await;
    let place = topics.write("messages", Some(group.as_bytes()), Some(b"{\"v\":1}")).await;
    let newer = topics.write("messages", Some(group.as_bytes()), Some(b"{\"v\":99}")).await;
    alice.say(&group, "after it").await;
    assert_eq!(line.next().await["message"], "after it");
    let copy = topics.copy_of(&place).await;
    assert_eq!(
        (copy.key.as_deref(), copy.value.as_deref()),
        (Some(group.as_bytes()), Some(&b"{\"v\":1}"[..]))
    );
    assert!(copy.reason.starts_with("not a record"), "{}", copy.reason);
    assert!(topics.copy_of(&newer).await.reason.starts_with("version 99"));
}
