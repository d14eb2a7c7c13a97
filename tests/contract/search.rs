//! Searching messages.

use serde_json::{Value, json};

use crate::support::{Person, World};

/// What this person finds, as an instance has it at once.
async fn finds(person: &Person, query: &[(&str, &str)]) -> Vec<String> {
    texts(&search(person, query).await)
}

async fn search(person: &Person, query: &[(&str, &str)]) -> Value {
    let encode =
        |text: &str| -> String { text.bytes().map(|byte| format!("%{byte:02X}")).collect() };
    let query: Vec<_> =
        query.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    person.get(&format!("/search?{}", query.join("&"))).await.expect(200)
}

fn texts(page: &Value) -> Vec<String> {
    let messages = page["messages"].as_array().expect("a list").iter();
    messages.map(|message| message["body"].as_str().expect("a text").to_owned()).collect()
}

pub async fn words_are_found_in_my_rooms(world: &World) {
    let [alice, bob, carol] = world.people(["alice", "bob", "carol"]).await;
    let books = alice.group("Books", &[&bob]).await;
    let films = alice.public_group("Films", &[&carol]).await;
    alice.say(&books, "The Low Tide").await;
    bob.say(&books, "tide tables, at low water").await;
    carol.say(&films, "Low and high tide").await;
    let all = ["Low and high tide", "tide tables, at low water", "The Low Tide"];
    assert_eq!(finds(&alice, &[("q", "low TIDE")]).await, all, "the newest first");
    assert_eq!(finds(&bob, &[("q", "low tide")]).await, all[1..], "not in rooms of others");
    assert_eq!(finds(&carol, &[("q", "tide")]).await, all[..1]);
    assert_eq!(finds(&alice, &[("q", "tide"), ("room", &books)]).await, all[1..]);
    let hit = search(&bob, &[("q", "tables")]).await["messages"][0].clone();
    assert_eq!((&hit["room_id"], &hit["sender"]["id"]), (&json!(books), &json!(bob.id)));
    // The hit is shown in its place.
    let around = format!("?around={}&limit=3", hit["position"].as_str().expect("a position"));
    let page = bob.history(&books, &around).await;
    assert!(texts(&page).contains(&all[1].to_owned()), "{page}");

    let of = |room: &str| format!("/search?q=tide&room={room}");
    bob.get(&of(&films)).await.problem(403, "not_a_member");
    carol.get(&of(&books)).await.problem(404, "not_found");
    alice.get("/search").await.problem(400, "bad_request");
    alice.get("/search?q=tide&limit=0").await.problem(422, "invalid_limit");
    Person::stranger(&alice.bases, 0).get("/search?q=tide").await.problem(401, "not_logged_in");
}

pub async fn what_is_gone_is_not_found(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Books", &[&bob]).await;
    let message = bob.say(&room, "heron").await;
    let place = format!("/messages/{}", message["id"].as_str().expect("an id"));
    bob.patch(&place, json!({"body": "grey egret"})).await.expect(200);
    assert_eq!(finds(&alice, &[("q", "heron")]).await, [""; 0]);
    assert_eq!(finds(&alice, &[("q", "egret")]).await, ["grey egret"]);
    bob.patch(&place, json!({"body": "grey heron"})).await.expect(200);
    assert_eq!(finds(&alice, &[("q", "heron")]).await, ["grey heron"]);
    bob.leave(&room).await;
    assert_eq!(finds(&bob, &[("q", "heron")]).await, [""; 0], "his own, but not his room any more");
    alice.delete(&place).await.expect(204);
    assert_eq!(finds(&alice, &[("q", "heron")]).await, [""; 0]);
    alice.say(&room, "heron again").await;
    alice.delete(&format!("/rooms/{room}")).await.expect(204);
    assert_eq!(finds(&alice, &[("q", "heron")]).await, [""; 0]);
}

pub async fn any_script_and_any_typing_is_a_query(world: &World) {
    let alice = world.person("alice").await;
    let room = alice.group("Words", &[]).await;
    for text in
        ["go on", "我在上海工作", "昨日ラーメンを食べた", "Straße nach Zürich", "50% off_now"]
    {
        alice.say(&room, text).await;
    }
    for (query, text) in [
        ("go", "go on"),
        ("上海", "我在上海工作"),
        ("海", "我在上海工作"),
        ("ラーメン", "昨日ラーメンを食べた"),
        ("zurich", "Straße nach Zürich"),
        ("zur", "Straße nach Zürich"),
        ("\"go\" AND on)*", "go on"),
        ("50%", "50% off_now"),
    ] {
        let expected: &[&str] = if query.contains("AND") { &[] } else { &[text] };
        assert_eq!(finds(&alice, &[("q", query)]).await, expected, "{query}");
    }
    assert_eq!(finds(&alice, &[("q", "\"go on\"(*")]).await, ["go on"]);
    for nothing in ["", " ", "\"", "*", "%", "_", "'; DROP TABLE words; --x", "👍"] {
        assert_eq!(finds(&alice, &[("q", nothing)]).await, [""; 0], "{nothing}");
    }
}

pub async fn hits_come_in_pages(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let rooms = [alice.group("One", &[&bob]).await, alice.group("Two", &[&bob]).await];
    for number in 0..10 {
        alice.say(&rooms[number % 2], &format!("bird {number} birds")).await;
        alice.say(&rooms[0], "something else").await;
    }
    let mut all = Vec::new();
    let mut before = String::new();
    loop {
        let mut query = vec![("q", "bird"), ("limit", "3")];
        if !before.is_empty() {
            query.push(("before", &before));
        }
        let page = search(&bob, &query).await;
        all.extend(texts(&page));
        let last = page["messages"].as_array().and_then(|list| list.last()).expect("a hit");
        let next = last["id"].as_str().expect("an id").to_owned();
        if page["has_older"] == false {
            break;
        }
        before = next;
    }
    let expected: Vec<String> =
        (0..10).rev().map(|number| format!("bird {number} birds")).collect();
    assert_eq!(all, expected);
    bob.get("/search?q=bird&before=x").await.problem(400, "bad_request");
    bob.get("/search?q=bird&before=999999999999").await.problem(422, "invalid_before");
}
