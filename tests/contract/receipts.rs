//! Read receipts: who of a small room hears how far the others have read.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Person, Socket, World};

async fn switch(person: &Person, on: bool) {
    let user = person.patch("/me", json!({"read_receipts": on})).await.expect(200);
    assert_eq!(user["user"]["read_receipts"], on);
    assert_eq!(person.get("/me").await.expect(200)["user"]["read_receipts"], on);
}

/// How far `of` has read, as `person` sees it in the list of members.
async fn seen(person: &Person, room: &str, of: &Person) -> Value {
    let list = person.get(&format!("/rooms/{room}/members")).await.expect(200);
    let members = list["members"].as_array().expect("a list");
    let member = members.iter().find(|member| member["user_id"] == of.id.as_str());
    member.unwrap_or_else(|| panic!("{list}"))["read_position"].clone()
}

fn is_receipt(event: &Value, of: &Person) -> bool {
    event["type"] == "read" && event["user_id"] == of.id.as_str()
}

/// The next receipt of this person.
async fn receipt(socket: &mut Socket, of: &Person) -> Value {
    socket.expect_where("a receipt", |event| is_receipt(event, of)).await
}

fn receipts(socket: &Socket, room: &str, of: &Person) -> Vec<Value> {
    let events = socket.of_room(room).into_iter().filter(|event| is_receipt(event, of));
    events.map(|event| event["read_position"].clone()).collect()
}

/// The event that a device gets when the switch was turned.
async fn turned(socket: &mut Socket, on: bool) {
    let fits = |event: &Value| event["type"] == "account" && event["read_receipts"] == on;
    socket.expect_where("the switch", fits).await;
}

pub async fn others_hear_how_far_i_have_read(world: &World) {
    let [alice, bob, carol] = world.people(["alice", "bob", "carol"]).await;
    for room in [alice.group("Books", &[&bob, &carol]).await, alice.direct(&bob).await] {
        let (mut here, mut there) = (alice.at(0).socket().await, alice.at(1).socket().await);
        let one = alice.say(&room, "one").await["position"].clone();
        let two = alice.say(&room, "two").await["position"].clone();
        bob.read(&room, &one).await;
        for socket in [&mut here, &mut there] {
            let heard = receipt(socket, &bob).await;
            assert_eq!((&heard["room"], &heard["read_position"]), (&json!(room), &one));
            assert!(heard.get("read_version").is_none(), "that is for one's own devices: {heard}");
        }
        assert_eq!(seen(&alice, &room, &bob).await, one);
        assert_eq!(seen(&alice, &room, &alice).await, two);

        let mut phone = bob.socket().await;
        phone.ok("read", json!({"room": room, "position": two})).await;
        for socket in [&mut here, &mut there] {
            assert_eq!(receipt(socket, &bob).await["read_position"], two);
        }
        // Sending is reading up to what was sent; the message itself tells of it.
        let answer = bob.say(&room, "three").await["position"].clone();
        assert_eq!(seen(&alice, &room, &bob).await, answer);
    }
}

pub async fn with_the_switch_off_nobody_hears_of_me_nor_i_of_them(world: &World) {
    let [alice, bob, carol] = world.people(["alice", "bob", "carol"]).await;
    let room = alice.group("Books", &[&bob, &carol]).await;
    let said = [alice.say(&room, "one").await, alice.say(&room, "two").await];
    let [one, two] = said.map(|message| message["position"].clone());
    let (mut alices, mut bobs) = (alice.at(0).socket().await, bob.at(0).socket().await);
    let mut carols = carol.at(1).socket().await;

    switch(&bob.at(1), false).await;
    turned(&mut bobs, false).await;
    // Nobody hears of Bob, while Carol is heard of.
    bob.read(&room, &one).await;
    carol.read(&room, &one).await;
    receipt(&mut alices, &carol).await;
    // Nor does Bob hear of Carol, who is told of in one go.
    bobs.settle().await;
    assert_eq!(receipts(&bobs, &room, &carol), Vec::<Value>::new());
    for (person, of) in [(&alice, &bob), (&bob, &alice), (&bob, &carol), (&bob, &bob)] {
        assert_eq!(seen(person, &room, of).await, Value::Null);
    }
    assert_eq!(seen(&alice, &room, &carol).await, one);

    // On again, for the sockets that are open, too.
    switch(&bob, true).await;
    turned(&mut bobs, true).await;
    bob.read(&room, &two).await;
    assert_eq!(receipt(&mut carols, &bob).await["read_position"], two);
    receipt(&mut alices, &bob).await;
    assert_eq!(receipts(&alices, &room, &bob).len(), 1, "nothing of what was read before");
    carol.read(&room, &two).await;
    assert_eq!(receipt(&mut bobs, &carol).await["read_position"], two);
    assert_eq!(seen(&bob, &room, &carol).await, two);
}

pub async fn the_switch_is_mine_on_every_device(world: &World) {
    let alice = world.person("alice").await;
    assert_eq!(alice.get("/me").await.expect(200)["user"]["read_receipts"], true, "at first");
    let (mut phone, mut laptop) = (alice.at(0).socket().await, alice.at(1).socket().await);
    for on in [false, true] {
        switch(&alice, on).await;
        turned(&mut phone, on).await;
        turned(&mut laptop, on).await;
    }
    switch(&alice, false).await;
    // Also for a socket that opens later.
    let bob = world.person("bob").await;
    let room = alice.direct(&bob).await;
    let said = alice.say(&room, "hello").await["position"].clone();
    let mut later = alice.at(0).socket().await;
    let mut bobs = bob.at(0).socket().await;
    bob.read(&room, &said).await;
    receipt(&mut bobs, &bob).await;
    later.settle().await;
    assert_eq!(receipts(&later, &room, &bob), Vec::<Value>::new());
}

pub async fn large_rooms_have_none(world: &World) {
    let world = world.with(&[("ROOKERY_LIMITS__RECEIPT_MEMBERS", "2")]).await;
    let [alice, bob, carol] = world.people(["alice", "bob", "carol"]).await;
    let room = alice.group("Books", &[&bob, &carol]).await;
    let said = [alice.say(&room, "one").await, alice.say(&room, "two").await];
    let [one, two] = said.map(|message| message["position"].clone());
    let mut socket = alice.socket().await;
    bob.read(&room, &one).await;
    assert_eq!(seen(&alice, &room, &bob).await, Value::Null);
    socket.settle().await;
    assert_eq!(receipts(&socket, &room, &bob), Vec::<Value>::new());
    // Two are few enough, and may hear of what was read just before, too: a receipt that is on
    // its way between instances does not wait for the log.
    carol.leave(&room).await;
    socket.expect("member_removed").await;
    assert_eq!(seen(&alice, &room, &bob).await, one);
    bob.read(&room, &two).await;
    while receipt(&mut socket, &bob).await["read_position"] != two {}
}

pub async fn who_is_no_member_hears_nothing(world: &World) {
    let [alice, bob, carol] = world.people(["alice", "bob", "carol"]).await;
    let room = alice.public_group("Books", &[&bob, &carol]).await;
    let said = alice.say(&room, "one").await["position"].clone();
    let (mut alices, mut carols) = (alice.at(0).socket().await, carol.at(0).socket().await);
    alice.delete(&format!("/rooms/{room}/members/{}", carol.id)).await.expect(204);
    carols.expect("member_removed").await;
    bob.read(&room, &said).await;
    receipt(&mut alices, &bob).await;
    carols.settle().await;
    assert_eq!(receipts(&carols, &room, &bob), Vec::<Value>::new());
    let last = carols.of_room(&room).pop().expect("an event");
    assert_eq!(last["type"], "member_removed");
    carol.get(&format!("/rooms/{room}/members")).await.problem(403, "not_a_member");
    // Nor is there anything to tell of her.
    carol
        .put(&format!("/rooms/{room}/read"), json!({"position": said}))
        .await
        .problem(403, "not_a_member");
}

pub async fn what_was_seen_stays_seen(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.direct(&bob).await;
    let said = [alice.say(&room, "one").await, alice.say(&room, "two").await];
    let [one, two] = said.map(|message| message["position"].clone());
    let mut socket = alice.socket().await;
    bob.read(&room, &two).await;
    assert_eq!(receipt(&mut socket, &bob).await["read_position"], two);
    bob.unread_from(&room, &one).await;
    assert_eq!(seen(&alice, &room, &bob).await, two);
    // Reading again tells nothing that was not so before.
    bob.read(&room, &one).await;
    assert_eq!(receipt(&mut socket, &bob).await["read_position"], two);
    assert_eq!(receipts(&socket, &room, &bob), [two.clone(), two]);
}

pub async fn reading_fast_is_told_now_and_then(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.direct(&bob).await;
    let mut said = Vec::new();
    for number in 0..40 {
        said.push(alice.say(&room, &number.to_string()).await["position"].clone());
    }
    let (mut socket, mut phone) = (alice.at(0).socket().await, bob.at(0).socket().await);
    let began = Instant::now();
    for position in &said {
        phone.ok("read", json!({"room": room, "position": position})).await;
    }
    let last = said.last().cloned();
    let is_last =
        |event: &Value| is_receipt(event, &bob) && Some(&event["read_position"]) == last.as_ref();
    socket.expect_where("the last receipt", is_last).await;
    let most = began.elapsed().as_millis() / Duration::from_millis(250).as_millis() + 2;
    let told = receipts(&socket, &room, &bob).len();
    assert!(told as u128 <= most, "{told} receipts, at most {most}");
}

pub async fn my_account_has_two_things_to_change(world: &World) {
    let alice = world.person("alice").await;
    for wrong in [json!({}), json!({"read_receipts": null}), json!({"read_receipts": "off"})] {
        alice.patch("/me", wrong).await.problem(400, "bad_request");
    }
    let both = json!({"display_name": "Alice", "read_receipts": false});
    let user = alice.patch("/me", both).await.expect(200)["user"].clone();
    assert_eq!((&user["display_name"], &user["read_receipts"]), (&json!("Alice"), &json!(false)));
    let user = alice.patch("/me", json!({"display_name": "Al"})).await.expect(200)["user"].clone();
    assert_eq!((&user["display_name"], &user["read_receipts"]), (&json!("Al"), &json!(false)));
    // One that is not allowed: nothing is changed.
    let wrong = json!({"display_name": "", "read_receipts": true});
    alice.patch("/me", wrong).await.problem(422, "invalid_display_name");
    assert_eq!(alice.get("/me").await.expect(200)["user"]["read_receipts"], false);
}
