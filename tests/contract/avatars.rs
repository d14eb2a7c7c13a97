//! Pictures of people, and what open pages hear of it when somebody looks or is called otherwise.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Person, Socket, World};

const ME: &str = "/api/v1/me/avatar";

fn picture(colour: [u8; 3], format: ImageFormat) -> Vec<u8> {
    let image: DynamicImage = RgbImage::from_pixel(320, 240, Rgb(colour)).into();
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).expect("an image");
    bytes.into_inner()
}

async fn put(person: &Person, kind: &str, bytes: impl Into<Vec<u8>>) -> Answer {
    let request = person.request(Method::PUT, ME).header("content-type", kind);
    request.body(bytes.into()).send().await
}

/// Sets a plain picture; returns its address.
async fn set(person: &Person, colour: [u8; 3]) -> String {
    let set = put(person, "image/png", picture(colour, ImageFormat::Png)).await.expect(200);
    set["user"]["avatar"].as_str().expect("an address").to_owned()
}

pub async fn a_picture_is_made_small_and_shown_everywhere(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Gallery", &[&bob]).await;
    let before = bob.get(&format!("/users/{}", alice.id)).await.expect(200);
    assert_eq!(before["user"]["avatar"], Value::Null);
    let at_alice = format!("/users/{}/avatar", alice.id);
    bob.get(&at_alice).await.problem(404, "not_found");

    for (kind, format) in [
        ("image/png", ImageFormat::Png),
        ("image/jpeg", ImageFormat::Jpeg),
        ("image/webp", ImageFormat::WebP),
    ] {
        let set = put(&alice, kind, picture([30, 120, 200], format)).await.expect(200);
        let address = set["user"]["avatar"].as_str().expect("an address").to_owned();
        assert!(address.starts_with(&format!("/api/v1/users/{}/avatar?v=", alice.id)), "{address}");
        let me = alice.get("/me").await.expect(200);
        assert_eq!(me["user"]["avatar"], address, "known everywhere at once");

        let shown = bob.request(Method::GET, &address).bytes().await;
        assert_eq!(shown.status, 200);
        assert_eq!(shown.header("content-type"), Some("image/jpeg"));
        assert_eq!(shown.header("x-content-type-options"), Some("nosniff"));
        let policy = shown.header("content-security-policy").expect("a policy");
        assert!(policy.contains("sandbox") && policy.contains("default-src 'none'"), "{policy}");
        let cached = shown.header("cache-control").expect("how long");
        assert!(cached.contains("private") && cached.contains("immutable"), "{cached}");
        let image = image::load_from_memory(&shown.bytes).expect("an image").to_rgb8();
        assert_eq!(image.dimensions(), (192, 192));

        let etag = shown.header("etag").expect("an etag").to_owned();
        let known = bob.request(Method::GET, &address).header("if-none-match", &etag);
        assert_eq!(known.bytes().await.status, 304);
        // Another version may come at an address that names none, or one of before.
        let path = format!("/api/v1{at_alice}");
        let unversioned = bob.request(Method::GET, &path).bytes().await;
        assert_eq!(unversioned.header("cache-control"), Some("private, no-cache"));
    }
    let address = alice.get("/me").await.expect(200)["user"]["avatar"].clone();
    let found = bob.get(&format!("/users?query={}", alice.username)).await.expect(200);
    assert_eq!(found["users"][0]["avatar"], address);
    let members = bob.get(&format!("/rooms/{room}/members")).await.expect(200);
    let members = members["members"].as_array().expect("members").clone();
    let of = |person: &Person| {
        let member = members.iter().find(|member| member["user_id"] == person.id.as_str());
        member.expect("a member")["avatar"].clone()
    };
    assert_eq!((of(&alice), of(&bob)), (address, Value::Null));

    alice.delete("/me/avatar").await.expect(200);
    bob.get(&at_alice).await.problem(404, "not_found");
    assert_eq!(alice.get("/me").await.expect(200)["user"]["avatar"], Value::Null);
}

pub async fn only_pictures_are_taken(world: &World) {
    let (alice, stranger) = (world.person("alice").await, world.stranger());
    let png = picture([1, 2, 3], ImageFormat::Png);
    for (kind, bytes) in [
        ("image/png", &b"no image at all"[..]),
        ("image/png", &png[..40]),
        ("image/jpeg", &png),
        ("image/webp", b""),
    ] {
        put(&alice, kind, bytes).await.problem(422, "invalid_avatar");
    }
    for kind in ["image/svg+xml", "image/gif", "application/json", "text/html"] {
        put(&alice, kind, png.clone()).await.problem(415, "unsupported_media_type");
    }
    put(&alice, "image/png", vec![0; 70_000]).await.problem(413, "too_large");
    assert_eq!(alice.get("/me").await.expect(200)["user"]["avatar"], Value::Null);

    put(&stranger, "image/png", png.clone()).await.problem(401, "not_logged_in");
    stranger.delete("/me/avatar").await.problem(401, "not_logged_in");
    let address = set(&alice, [1, 2, 3]).await;
    let path = address.trim_start_matches("/api/v1");
    stranger.get(path).await.problem(401, "not_logged_in");
    let cookie = alice.by_cookie();
    put(&cookie, "image/png", png.clone()).await.problem(403, "cross_site");
    cookie.delete("/me/avatar").await.problem(403, "cross_site");
    for nobody in ["999999999", "0", "x"] {
        let path = format!("/users/{nobody}/avatar");
        alice.get(&path).await.problem(404, "not_found");
    }
}

/// The next that a socket hears of this person; others change meanwhile.
async fn update_of(socket: &mut Socket, person: &Person) -> Value {
    let of_them =
        |event: &Value| event["type"] == "user_updated" && event["user"]["id"] == person.id;
    socket.expect_where(&format!("news of {}", person.username), of_them).await
}

pub async fn open_pages_hear_of_names_and_pictures(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let mut everyone = bob.at(0).socket().await;
    everyone.ok("presence", json!({"all": true})).await;
    let mut by_name = bob.at(1).socket().await;
    by_name.ok("presence", json!({"users": [alice.id]})).await;
    let mut own = alice.at(1).socket().await;
    let mut others = bob.at(1).socket().await;

    let address = set(&alice.at(0), [200, 30, 30]).await;
    let told = json!({"type": "user_updated", "user": {
        "id": alice.id, "username": alice.username, "display_name": alice.username,
        "avatar": address,
    }});
    for socket in [&mut everyone, &mut by_name, &mut own] {
        assert_eq!(update_of(socket, &alice).await, told);
    }
    alice.at(1).patch("/me", json!({"display_name": "Alice L."})).await.expect(200);
    for socket in [&mut everyone, &mut by_name, &mut own] {
        let event = update_of(socket, &alice).await;
        assert_eq!(event["user"]["display_name"], "Alice L.");
        assert_eq!(event["user"]["avatar"], address);
    }
    alice.delete("/me/avatar").await.expect(200);
    assert_eq!(update_of(&mut everyone, &alice).await["user"]["avatar"], Value::Null);
    others.settle().await;
    assert!(others.log.is_empty(), "who follows nobody hears nothing: {:?}", others.log);
}

pub async fn some_people_can_be_asked_for_at_once(world: &World) {
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let found = alice.get(&format!("/users?ids={},999999999,{}", bob.id, alice.id)).await;
    let found = found.expect(200);
    let users = found["users"].as_array().expect("users");
    let mut ids: Vec<_> = users.iter().map(|user| user["id"].as_str().expect("an id")).collect();
    ids.sort_unstable();
    let mut expected = [alice.id.as_str(), bob.id.as_str()];
    expected.sort_unstable();
    assert_eq!(ids, expected);
    let many = vec!["1"; 101].join(",");
    for wrong in ["", "x", "1,", "0", &many] {
        alice.get(&format!("/users?ids={wrong}")).await.problem(422, "invalid_ids");
    }
}
