//! The socket: its door, hello, commands, events, frames, and how it closes.

use serde_json::{Value, json};

use super::ground::position;
use crate::support::{World, handshake, handshake_at, handshake_of};

pub async fn hello_comes_first(world: &World) {
    let alice = world.person("alice").await;
    let room = alice.group("Books", &[]).await;
    let mut socket = alice.silent_socket().await;
    socket.error("ping", json!({}), "hello_first").await;
    let early = json!({"room": room, "client_id": "1", "body": "too early"});
    socket.error("send", early, "hello_first").await;
    let hello = socket.hello(json!({})).await;
    assert_eq!(hello["user"]["id"], alice.id);
    assert_eq!(hello["user"]["username"], alice.username);
    assert!(hello.get("session").is_some_and(|session| !session.is_null()), "{hello}");
    assert_eq!(hello["rooms"], alice.get("/rooms").await.expect(200)["rooms"]);
    socket.settle().await;
    assert_eq!(alice.history(&room, "").await["messages"], json!([]));
}

pub async fn refs_come_back_as_they_were(world: &World) {
    let alice = world.person("alice").await;
    let mut socket = alice.socket().await;
    for reference in [json!("a"), json!(0), json!(4294967297u64), json!("7")] {
        socket.send_text(&json!({"type": "ping", "ref": reference}).to_string()).await;
        let answer = socket.answer(&reference).await;
        assert_eq!(answer["type"], "ok");
    }
}

pub async fn nonsense_is_answered_and_forgiven(world: &World) {
    let alice = world.person("alice").await;
    let room = alice.group("Books", &[]).await;
    let mut socket = alice.socket().await;
    for nonsense in ["", "{", "nonsense", "[]", "7", "null", "\"ping\"", "[\"ping\",1]"] {
        socket.send_text(nonsense).await;
        socket.error_without_ref("bad_request").await;
    }
    let answer = socket.command("fly", json!({})).await;
    assert_eq!(answer["type"], "error", "{answer}");
    for (kind, fields) in [
        ("send", json!({})),
        ("send", json!({"room": room, "client_id": "1"})),
        ("send", json!({"room": room, "client_id": "1", "body": 7})),
        ("send", json!({"room": 7, "client_id": "1", "body": "x"})),
        ("send", json!({"room": room, "client_id": 1, "body": "x"})),
        ("read", json!({"room": room})),
        ("read", json!({"room": room, "position": 7})),
        ("typing", json!({})),
    ] {
        let answer = socket.error(kind, fields, "bad_request").await;
        assert_eq!(answer["temporary"], false);
    }
    socket.settle().await;
    assert_eq!(alice.history(&room, "").await["messages"], json!([]));
}

pub async fn values_that_are_not_allowed_are_named(world: &World) {
    let alice = world.person("alice").await;
    let room = alice.group("Books", &[]).await;
    let mut socket = alice.socket().await;
    let send =
        |body: &str, client_id: &str| json!({"room": room, "client_id": client_id, "body": body});
    socket.error("send", send(" ", "1"), "invalid_body").await;
    socket.error("send", send(&"x".repeat(4001), "1"), "invalid_body").await;
    socket.error("send", send("x", ""), "invalid_client_id").await;
    socket.error("send", send("x", &"x".repeat(65)), "invalid_client_id").await;
    socket.ok("send", send(&"x".repeat(4000), &"x".repeat(64))).await;
}

pub async fn rooms_of_others_are_as_closed_as_over_http(world: &World) {
    let [alice, mallory] = world.people(["alice", "mallory"]).await;
    let private = alice.group("Private", &[]).await;
    let public = alice.public_group("Public", &[]).await;
    let mut socket = mallory.socket().await;
    let mut told = Vec::new();
    for room in [private.as_str(), "999999999", "no-such-room"] {
        let send = json!({"room": room, "client_id": "1", "body": "hello"});
        let send = socket.error("send", send, "not_found").await;
        let read = json!({"room": room, "position": "1"});
        let read = socket.error("read", read, "not_found").await;
        told.push((send["detail"].clone(), read["detail"].clone()));
        socket.error("typing", json!({"room": room}), "not_found").await;
    }
    assert!(told.iter().all(|one| *one == told[0]), "{told:?}");
    // Not even whether a message is there can be found out by its id.
    let hidden = alice.say(&private, "hidden").await;
    let mut told = Vec::new();
    for message in [hidden["id"].clone(), json!("99999999999")] {
        for (command, mut fields) in [
            ("edit", json!({"body": "mine"})),
            ("delete", json!({})),
            ("react", json!({"emoji": "👍", "on": true})),
        ] {
            fields["message"] = message.clone();
            let error = socket.error(command, fields, "not_found").await;
            told.push(error["detail"].clone());
        }
    }
    assert!(told.iter().all(|one| *one == told[0]), "{told:?}");
    let send = json!({"room": public, "client_id": "1", "body": "hello"});
    socket.error("send", send, "not_a_member").await;
    socket.error("typing", json!({"room": public}), "not_a_member").await;
}

pub async fn a_message_reaches_everyone_in_the_room(world: &World) {
    let [alice, bob, mallory] = world.people(["alice", "bob", "mallory"]).await;
    let room = alice.group("Books", &[&bob]).await;
    let (mut phone, mut laptop) = (alice.at(0).socket().await, alice.at(1).socket().await);
    let (mut bobs, mut mallorys) = (bob.at(1).socket().await, mallory.at(0).socket().await);
    let sent = phone.say(&room, "c-1", " hello ").await;
    assert_eq!(sent["body"], "hello");
    for socket in [&mut phone, &mut laptop, &mut bobs] {
        let event = socket.expect_message("hello").await;
        assert_eq!(event["room"], room);
        assert_eq!(event["position"], sent["position"]);
        for field in ["id", "room_id", "position", "sender", "body", "sent_at", "reactions"] {
            assert_eq!(event["message"][field], sent[field], "{field}");
        }
    }
    let own = &phone.of_room(&room)[0];
    assert_eq!(own["message"]["client_id"], "c-1", "the sender knows it by this");
    mallorys.settle().await;
    assert_eq!(mallorys.of_room(&room), Vec::<Value>::new());
    assert_eq!(bob.history(&room, "").await["messages"][0]["id"], sent["id"]);
}

pub async fn what_http_sends_the_socket_tells_and_the_reverse(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Books", &[&bob]).await;
    let mut socket = bob.socket().await;
    let by_http = alice.say(&room, "by HTTP").await;
    let event = socket.expect_message("by HTTP").await;
    assert_eq!(event["message"]["id"], by_http["id"]);
    let by_socket = socket.say(&room, "c-1", "by socket").await;
    let again = json!({"body": "another", "client_id": "c-1"});
    let again = bob.post(&format!("/rooms/{room}/messages"), again).await.expect(200);
    assert_eq!(again["message"]["id"], by_socket["id"]);
    let mut elsewhere = bob.at(1).socket().await;
    assert_eq!(elsewhere.say(&room, "c-1", "yet another").await["id"], by_socket["id"]);
    alice.say(&room, "the end").await;
    socket.expect_message("the end").await;
    assert_eq!(socket.texts(&room), ["by HTTP", "by socket", "the end"]);
}

pub async fn every_view_has_the_same_order(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Order", &[&bob]).await;
    let (mut alices, mut bobs) = (alice.at(0).socket().await, bob.at(1).socket().await);
    for at in 0..10 {
        let (ours, theirs) = (format!("a{at}"), format!("b{at}"));
        tokio::join!(alices.say(&room, &ours, &ours), bobs.say(&room, &theirs, &theirs));
    }
    alice.say(&room, "the end").await;
    alices.expect_message("the end").await;
    bobs.expect_message("the end").await;
    let history = alice.history(&room, "").await;
    let stored: Vec<String> = history["messages"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|message| message["body"].as_str().expect("a text").to_owned())
        .collect();
    assert_eq!(stored.len(), 21);
    assert_eq!(alices.texts(&room), stored);
    assert_eq!(bobs.texts(&room), stored);
    let positions: Vec<i64> =
        bobs.of_room(&room).iter().map(|event| position(&event["position"])).collect();
    assert!(positions.is_sorted_by(|one, next| one < next), "{positions:?}");
}

pub async fn changes_of_rooms_and_members_are_told(world: &World) {
    let [alice, bob, carol] = world.people(["alice", "bob", "carol"]).await;
    let (mut alices, mut bobs) = (alice.at(0).socket().await, bob.at(1).socket().await);
    let mut carols = carol.at(0).socket().await;
    let room = alice.group("Books", &[&bob]).await;
    let path = format!("/rooms/{room}");
    for socket in [&mut alices, &mut bobs] {
        let created = socket.expect("room_created").await;
        assert_eq!((&created["room"], &created["by"]), (&json!(room), &json!(alice.id)));
        assert_eq!(created["info"]["name"], "Books");
        position(&created["position"]);
    }
    alice.patch(&path, json!({"name": "Good books"})).await.expect(200);
    let updated = bobs.expect("room_updated").await;
    assert_eq!(
        (&updated["info"]["name"], &updated["by"]),
        (&json!("Good books"), &json!(alice.id))
    );

    let carols_place = format!("{path}/members/{}", carol.id);
    alice.put(&carols_place, json!({"role": "member"})).await.expect(201);
    for socket in [&mut alices, &mut bobs, &mut carols] {
        let added = socket.expect("member_added").await;
        assert_eq!((&added["room"], &added["by"]), (&json!(room), &json!(alice.id)));
        assert_eq!(added["member"]["user_id"], carol.id);
        assert_eq!(added["member"]["username"], carol.username);
        assert_eq!(added["member"]["role"], "member");
        assert!(added["member"]["display_name"].is_string(), "{added}");
    }
    alice.put(&carols_place, json!({"role": "admin"})).await.expect(200);
    for socket in [&mut bobs, &mut carols] {
        let updated = socket.expect("member_updated").await;
        assert_eq!(updated["member"]["user_id"], carol.id);
        assert_eq!(updated["member"]["role"], "admin");
    }
    carol.leave(&room).await;
    for socket in [&mut bobs, &mut carols] {
        let removed = socket.expect("member_removed").await;
        assert_eq!(
            (&removed["member"]["user_id"], &removed["by"]),
            (&json!(carol.id), &json!(carol.id))
        );
    }
    alice.delete(&path).await.expect(204);
    let deleted = bobs.expect("room_deleted").await;
    assert_eq!((&deleted["room"], &deleted["by"]), (&json!(room), &json!(alice.id)));
    let positions: Vec<i64> =
        bobs.of_room(&room).iter().map(|event| position(&event["position"])).collect();
    assert!(positions.is_sorted_by(|one, next| one < next), "{positions:?}");
    let last = carols.of_room(&room).pop().expect("an event");
    assert_eq!(last["type"], "member_removed", "her last of that room");
}

pub async fn rooms_that_one_comes_into_later_are_heard(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let mut bobs = bob.socket().await;
    let made = alice.group("Made later", &[&bob]).await;
    alice.say(&made, "in the new one").await;
    bobs.expect_message("in the new one").await;

    let direct = alice.direct(&bob).await;
    alice.say(&direct, "just us").await;
    bobs.expect_message("just us").await;

    let public = alice.public_group("Joined later", &[]).await;
    alice.say(&public, "before").await;
    bob.join(&public).await;
    alice.say(&public, "after").await;
    bobs.expect_message("after").await;
    assert_eq!(bobs.texts(&public), ["after"]);

    let added = alice.group("Added later", &[]).await;
    let place = format!("/rooms/{added}/members/{}", bob.id);
    alice.put(&place, json!({"role": "member"})).await.expect(201);
    alice.say(&added, "welcome").await;
    bobs.expect_message("welcome").await;
}

pub async fn typing_is_told_to_the_others(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Books", &[&bob]).await;
    let (mut alices, mut bobs) = (alice.at(0).socket().await, bob.at(1).socket().await);
    alices.ok("typing", json!({"room": room})).await;
    let typing = bobs.expect("typing").await;
    assert_eq!((&typing["room"], &typing["user_id"]), (&json!(room), &json!(alice.id)));
    // At once in another room, too.
    let other = alice.group("Films", &[&bob]).await;
    for room in [&room, &other] {
        alices.ok("typing", json!({"room": room})).await;
    }
    bobs.expect_where("typing there", |event| {
        event["type"] == "typing" && event["room"] == json!(other)
    })
    .await;
    alices.say(&room, "1", "done").await;
    alices.expect_message("done").await;
    alices.settle().await;
    let own = alices.log.iter().filter(|event| event["type"] == "typing").count();
    assert_eq!(own, 0, "not to oneself");
}

pub async fn binary_frames_close_1003(world: &World) {
    let mut socket = world.person("alice").await.socket().await;
    socket.send_binary(b"{\"type\":\"ping\",\"ref\":1}").await;
    assert_eq!(socket.closed().await, Some(1003));
}

pub async fn text_that_is_no_utf8_closes_1007(world: &World) {
    let mut socket = world.person("alice").await.socket().await;
    socket.send_raw_text(b"{\"type\":\"\xff\xfe\",\"ref\":1}").await;
    assert_eq!(socket.closed().await, Some(1007));
}

pub async fn a_frame_has_at_most_64_kib(world: &World) {
    let alice = world.person("alice").await;
    let padded = |size: usize| {
        let mut text = r#"{"type":"ping","ref":"big"}"#.to_owned();
        text.push_str(&" ".repeat(size - text.len()));
        text
    };
    let mut socket = alice.socket().await;
    socket.send_text(&padded(64 * 1024)).await;
    assert_eq!(socket.answer(&json!("big")).await["type"], "ok");
    socket.send_text(&padded(64 * 1024 + 1)).await;
    assert_eq!(socket.closed().await, Some(1009));
}

pub async fn a_text_may_come_in_fragments(world: &World) {
    let alice = world.person("alice").await;
    let room = alice.group("Books", &[]).await;
    let mut socket = alice.socket().await;
    let command =
        json!({"type": "send", "ref": "f", "room": room, "client_id": "1", "body": "Grüße"});
    let command = command.to_string();
    // The cut goes through the two bytes of a letter.
    let cut = command.find('ü').expect("the letter") + 1;
    let (start, end) = command.as_bytes().split_at(cut);
    socket.send_fragments(&[start, &end[..1], &end[1..]]).await;
    let answer = socket.answer(&json!("f")).await;
    assert_eq!(answer["message"]["body"], "Grüße", "{answer}");
}

pub async fn fragments_out_of_turn_close_1002(world: &World) {
    let alice = world.person("alice").await;
    let mut socket = alice.socket().await;
    socket.send_continuation(b"}").await;
    assert_eq!(socket.closed().await, Some(1002));
    let mut socket = alice.socket().await;
    socket.send_unfinished_text(b"{").await;
    socket.send_text(r#"{"type":"ping","ref":1}"#).await;
    assert_eq!(socket.closed().await, Some(1002));
}

pub async fn fragments_have_at_most_64_kib_together(world: &World) {
    let mut socket = world.person("alice").await.socket().await;
    let part = [b' '; 30 * 1024];
    socket.send_fragments(&[b"{", &part, &part, &part, b"}"]).await;
    assert_eq!(socket.closed().await, Some(1009));
}

pub async fn a_websocket_ping_and_a_goodbye_are_answered(world: &World) {
    let mut socket = world.person("alice").await.socket().await;
    assert_eq!(socket.pong_to(b"are you there").await, b"are you there");
    socket.say_goodbye().await;
    assert_eq!(socket.closed().await, Some(1000));
}

pub async fn the_door_asks_for_a_login_and_our_protocol(world: &World) {
    let (alice, stranger) = (world.person("alice").await, world.stranger());
    handshake(&stranger, Some("rookery.v1")).send().await.problem(401, "not_logged_in");
    let older = handshake_of(&alice, "/api/v1/socket", "8").send().await;
    assert_eq!(older.header("sec-websocket-version"), Some("13"), "RFC 6455, section 4.4");
    older.problem(426, "upgrade_required");
    let by_query = handshake_at(&stranger, &format!("/api/v1/socket?token={}", alice.token));
    by_query.send().await.problem(401, "not_logged_in");
    for others in ["chat", "rookery.v2", "graphql-ws, chat"] {
        handshake(&alice, Some(others)).send().await.problem(400, "bad_request");
    }
    for ours in ["rookery.v1", "rookery.v9, rookery.v1", "chat,rookery.v1"] {
        let opened = handshake(&alice, Some(ours)).opened().await;
        assert_eq!(opened.as_deref(), Some("rookery.v1"));
    }
}

pub async fn with_a_cookie_the_socket_is_for_our_pages(world: &World) {
    let alice = world.person("alice").await.at(0);
    let (browser, ours) = (alice.by_cookie(), alice.bases[0].clone());
    let open = |origin: &str| handshake(&browser, Some("rookery.v1")).header("origin", origin);
    for foreign in
        ["null", "http://evil.example", "http://127.0.0.1:1", &format!("{ours}.evil.example")]
    {
        open(foreign).send().await.problem(403, "cross_site");
    }
    handshake(&browser, Some("rookery.v1")).send().await.problem(403, "cross_site");
    open(&ours).opened().await;
    // A token says that it was meant.
    let by_token = handshake(&alice, Some("rookery.v1")).header("origin", "http://evil.example");
    by_token.opened().await;
}

pub async fn a_user_has_so_many_sockets(world: &World) {
    let world = world.with(&[("ROOKERY_LIMITS__SOCKETS_PER_USER", "2")]).await;
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let (first, mut second) = (alice.socket().await, alice.socket().await);
    let refused = handshake(&alice, Some("rookery.v1")).send().await;
    let code = refused.json()["code"].as_str().expect("a code").to_owned();
    refused.problem(429, &code);
    bob.socket().await.settle().await;
    second.settle().await;
    first.close().await;
    crate::support::until("a place to be free", async || {
        let answer = handshake(&alice, Some("chat,rookery.v1")).try_open().await;
        answer.then_some(())
    })
    .await;
}

pub async fn too_many_messages_end_the_socket(world: &World) {
    let limits =
        [("ROOKERY_LIMITS__MESSAGES_BURST", "3"), ("ROOKERY_LIMITS__MESSAGES_PER_SECOND", "1")];
    let world = world.with(&limits).await;
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Fast", &[&bob]).await;
    let mut socket = alice.socket().await;
    for at in 0..3 {
        socket.say(&room, &at.to_string(), "within the burst").await;
    }
    let mut refused = 0;
    while refused < 100 {
        let again = json!({"room": room, "client_id": format!("r{refused}"), "body": "again"});
        let answer = socket.command("send", again).await;
        if answer["type"] == "error" {
            assert_eq!(answer["code"], "too_many_messages");
            assert_eq!(answer["temporary"], true);
            refused += 1;
        }
    }
    // A few may be let through meanwhile.
    for at in 0..20 {
        let again = json!({"type": "send", "ref": at, "room": room, "client_id": format!("x{at}"), "body": "x"});
        socket.send_text(&again.to_string()).await;
    }
    assert_eq!(socket.closed().await, Some(4429));
    // It means: come back.
    alice.socket().await.settle().await;
    bob.socket().await.say(&room, "1", "not me").await;
}
