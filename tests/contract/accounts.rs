//! Accounts: signing up, logging in and out, the profile, the password, the directory.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;

use super::ground::{ids, ids_of_all_pages, is_time};
use crate::support::{Answer, PASSWORD, Person, World, unique};

async fn sign_up(world: &World, username: &str, password: &str) -> Answer {
    let form = json!({"username": username, "password": password});
    world.stranger().post("/users", form).await
}

async fn log_in(world: &World, username: &str, password: &str) -> Answer {
    let form = json!({"username": username, "password": password});
    world.stranger().post("/sessions", form).await
}

pub async fn signing_up_logs_in(world: &World) {
    let username = format!("Alice.{}", unique());
    let form = json!({"username": username, "password": PASSWORD, "display_name": " Alice L. "});
    let made = world.stranger().post("/users", form).await;
    let cookie = made.header("set-cookie").expect("a cookie").to_owned();
    assert!(cookie.starts_with("rookery_session="), "{cookie}");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    let made = made.expect(201);
    assert_eq!(made["user"]["username"], username);
    assert_eq!(made["user"]["display_name"], "Alice L.");
    assert!(made["user"]["id"].is_string(), "{made}");

    let by_token = world.stranger().with_token(made["token"].as_str().expect("a token"));
    let me = by_token.get("/me").await.expect(200);
    assert_eq!(me["user"]["id"], made["user"]["id"]);
    assert!(me["user"].get("password").is_none() && me["user"].get("password_hash").is_none());

    let cookie = cookie.split(';').next().expect("a first part");
    let by_cookie = world.stranger().request(reqwest::Method::GET, "/api/v1/me");
    let me = by_cookie.header("cookie", cookie).send().await.expect(200);
    assert_eq!(me["user"]["username"], username);
}

pub async fn a_user_name_is_unique_without_regard_to_case(world: &World) {
    let alice = world.person("alice").await;
    for name in [alice.username.clone(), alice.username.to_uppercase()] {
        sign_up(world, &name, PASSWORD).await.problem(409, "username_taken");
    }
    let logged_in = log_in(world, &alice.username.to_uppercase(), PASSWORD).await.expect(201);
    assert_eq!(logged_in["user"]["id"], alice.id);
}

pub async fn user_names_have_3_to_32_plain_characters(world: &World) {
    let long = format!("{}{}", unique(), "x".repeat(22));
    assert_eq!(long.len(), 32);
    let short: String = unique().chars().take(3).collect();
    for name in [&long, &short, &format!("A_b.c-{}", &long[..5])] {
        sign_up(world, name, PASSWORD).await.expect(201);
    }
    let too_long = format!("{long}x");
    for name in
        ["", "ab", &too_long, "with space", "a@b.example", "a/b/c", "semi;colon", "new\nline"]
    {
        sign_up(world, name, PASSWORD).await.problem(422, "invalid_username");
    }
}

pub async fn passwords_have_8_to_256_bytes_and_are_not_common(world: &World) {
    let name = || format!("alice-{}", unique());
    for good in ["tr0ub4&3".to_owned(), "ä".repeat(128)] {
        sign_up(world, &name(), &good).await.expect(201);
    }
    for wrong in ["", "sh0rt&7", "password", "12345678", "qwertyuiop", &"a1".repeat(129)] {
        sign_up(world, &name(), wrong).await.problem(422, "invalid_password");
    }
    let no_password = json!({"username": name()});
    world.stranger().post("/users", no_password).await.problem(400, "bad_request");
}

pub async fn display_names_have_1_to_50_characters(world: &World) {
    let alice = world.person("alice").await;
    let set = async |name: &str| alice.patch("/me", json!({"display_name": name})).await;
    let longest = "é".repeat(50);
    assert_eq!(set(&longest).await.expect(200)["user"]["display_name"], longest);
    assert_eq!(alice.get("/me").await.expect(200)["user"]["display_name"], longest);
    for wrong in ["", "  ", &"é".repeat(51)] {
        set(wrong).await.problem(422, "invalid_display_name");
    }
    alice.patch("/me", json!({"display_name": 7})).await.problem(400, "bad_request");
    // An open socket speaks under the new name at once.
    let room = alice.group("Names", &[]).await;
    let mut socket = alice.at(0).socket().await;
    alice.at(0).patch("/me", json!({"display_name": "Alice L."})).await.expect(200);
    let said = socket.say(&room, "1", "hello").await;
    assert_eq!(said["sender"]["display_name"], "Alice L.");
    alice.patch("/me", json!({"display_name": longest})).await.expect(200);
    alice.patch("/me", json!({})).await.problem(400, "bad_request");
    let seen = alice.get(&format!("/users/{}", alice.id)).await.expect(200);
    assert_eq!(seen["user"]["display_name"], longest);
}

pub async fn a_wrong_login_does_not_say_what_is_wrong(world: &World) {
    let alice = world.person("alice").await;
    let wrong_password = log_in(world, &alice.username, "not her password").await;
    let wrong_name = log_in(world, &format!("nobody-{}", unique()), PASSWORD).await;
    assert_eq!(wrong_password.text, wrong_name.text);
    wrong_password.problem(401, "bad_credentials");
    wrong_name.problem(401, "bad_credentials");
    let missing = world.stranger().post("/sessions", json!({"username": alice.username})).await;
    missing.problem(400, "bad_request");
}

pub async fn a_wrong_login_takes_its_time_for_unknown_names_too(world: &World) {
    let alice = world.person("alice").await;
    let mut quickest = [Duration::MAX; 2];
    for _ in 0..3 {
        for (quickest, name) in
            quickest.iter_mut().zip([alice.username.clone(), format!("nobody-{}", unique())])
        {
            let asked = Instant::now();
            log_in(world, &name, "a wrong guess").await.problem(401, "bad_credentials");
            *quickest = asked.elapsed().min(*quickest);
        }
    }
    let [known, unknown] = quickest;
    assert!(unknown > known / 3, "{unknown:?} for an unknown name, {known:?} for a known one");
}

pub async fn logging_out_ends_this_login_alone(world: &World) {
    let phone = world.person("alice").await;
    let laptop = phone.log_in_again().await;
    assert_ne!(phone.token, laptop.token);
    // On different instances, where there are several.
    let mut on_phone = phone.at(0).socket().await;
    let mut on_laptop = laptop.at(1).socket().await;
    laptop.at(0).delete("/sessions/current").await.expect(204);
    laptop.at(1).get("/me").await.problem(401, "not_logged_in");
    assert_eq!(on_laptop.closed().await, Some(4501));
    on_phone.settle().await;
    phone.get("/me").await.expect(200);
}

pub async fn a_new_password_logs_out_the_others(world: &World) {
    let phone = world.person("alice").await;
    let laptop = phone.log_in_again().await;
    let (mut on_phone, mut on_laptop) = (phone.at(0).socket().await, laptop.at(1).socket().await);
    let new = "a new and better password";
    let change = async |current: &str, new: &str| {
        phone.at(0).put("/me/password", json!({"current": current, "new": new})).await
    };
    change("wrong", new).await.problem(403, "wrong_password");
    assert_eq!(change(PASSWORD, "short").await.status, 422);
    phone.put("/me/password", json!({"new": new})).await.problem(400, "bad_request");
    laptop.get("/me").await.expect(200);

    change(PASSWORD, new).await.expect(204);
    laptop.at(1).get("/me").await.problem(401, "not_logged_in");
    assert_eq!(on_laptop.closed().await, Some(4501));
    on_phone.settle().await;
    phone.get("/me").await.expect(200);
    log_in(world, &phone.username, PASSWORD).await.problem(401, "bad_credentials");
    log_in(world, &phone.username, new).await.expect(201);
}

pub async fn ten_wrong_passwords_a_minute_for_one_name(world: &World) {
    let world = world.with(&[]).await;
    let alice = world.person("alice").await;
    for _ in 0..10 {
        log_in(&world, &alice.username, "a wrong guess").await.problem(401, "bad_credentials");
    }
    let refused = log_in(&world, &alice.username.to_uppercase(), "a wrong guess").await;
    assert_eq!(refused.status, 429, "{refused:?}");
    let code = refused.json()["code"].as_str().expect("a code").to_owned();
    refused.problem(429, &code);
    // Other names are not affected, nor is who is logged in.
    let other = format!("nobody-{}", unique());
    log_in(&world, &other, "a wrong guess").await.problem(401, "bad_credentials");
    alice.get("/me").await.expect(200);
}

pub async fn guessing_side_by_side_is_no_way_around(world: &World) {
    let world = world.with(&[]).await;
    let alice = world.person("alice").await;
    let guesses = (0..40).map(|_| log_in(&world, &alice.username, "a wrong guess"));
    let answers = join_all(guesses).await;
    let with = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((with(401), with(429)), (10, 30), "{answers:#?}");
}

pub async fn the_right_password_side_by_side_is_no_failure(world: &World) {
    let world = world.with(&[]).await;
    let alice = world.person("alice").await;
    let logins = (0..15).map(|_| log_in(&world, &alice.username, PASSWORD));
    for answer in join_all(logins).await {
        answer.expect(201);
    }
    log_in(&world, &alice.username, "a wrong guess").await.problem(401, "bad_credentials");
}

pub async fn the_current_password_is_not_to_be_guessed_either(world: &World) {
    let world = world.with(&[]).await;
    let alice = world.person("alice").await;
    let change = async |current: &str| {
        let form = json!({"current": current, "new": "a new and better password"});
        alice.put("/me/password", form).await
    };
    for _ in 0..10 {
        change("a wrong guess").await.problem(403, "wrong_password");
    }
    change("a wrong guess").await.problem(429, "too_many_attempts");
    change(PASSWORD).await.problem(429, "too_many_attempts");
    alice.get("/me").await.expect(200);
}

pub async fn wrong_passwords_from_one_address(world: &World) {
    let world = world.with(&[("ROOKERY_LIMITS__FAILED_LOGINS_PER_ADDRESS", "3")]).await;
    for _ in 0..3 {
        let name = format!("nobody-{}", unique());
        log_in(&world, &name, "a wrong guess").await.problem(401, "bad_credentials");
    }
    let refused = log_in(&world, &format!("nobody-{}", unique()), "a wrong guess").await;
    assert_eq!(refused.status, 429, "{refused:?}");
}

pub async fn behind_a_proxy_its_word_counts_and_not_the_clients(world: &World) {
    let env = [
        ("ROOKERY_SERVER__TRUSTED_PROXIES", r#"["127.0.0.0/8"]"#),
        ("ROOKERY_LIMITS__FAILED_LOGINS_PER_ADDRESS", "3"),
    ];
    let world = world.with(&env).await;
    let guess = async |lines: &[&str]| {
        let form = json!({"username": format!("nobody-{}", unique()), "password": "a wrong guess"});
        let mut request = world.stranger().request(reqwest::Method::POST, "/api/v1/sessions");
        for line in lines {
            request = request.header("x-forwarded-for", line);
        }
        request.json(form).send().await
    };
    for forged in ["9.9.0.1", "9.9.0.2", "9.9.0.3"] {
        guess(&[forged, "203.0.113.7"]).await.problem(401, "bad_credentials");
    }
    guess(&["9.9.0.4", "203.0.113.7"]).await.problem(429, "too_many_attempts");
    guess(&["9.9.0.4, 203.0.113.7"]).await.problem(429, "too_many_attempts");
    guess(&["203.0.113.8"]).await.problem(401, "bad_credentials");
    // One network of IPv6 is one client.
    for host in ["2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::3"] {
        guess(&[host]).await.problem(401, "bad_credentials");
    }
    guess(&["2001:db8::4"]).await.problem(429, "too_many_attempts");
    guess(&["2001:db8:0:1::4"]).await.problem(401, "bad_credentials");
}

pub async fn so_many_sign_up_from_one_address(world: &World) {
    let env = [
        ("ROOKERY_SERVER__TRUSTED_PROXIES", r#"["127.0.0.0/8"]"#),
        ("ROOKERY_LIMITS__SIGNUPS_PER_ADDRESS", "2"),
    ];
    let world = world.with(&env).await;
    let from = async |address: &str| {
        let form = json!({"username": format!("ann-{}", unique()), "password": PASSWORD});
        let request = world.stranger().request(reqwest::Method::POST, "/api/v1/users");
        request.header("x-forwarded-for", address).json(form).send().await
    };
    let alice = from("203.0.113.7").await.expect(201)["user"].clone();
    from("203.0.113.7").await.expect(201);
    from("203.0.113.7").await.problem(429, "too_many_signups");
    // Who has an account is let in from there.
    let form = json!({"username": alice["username"], "password": PASSWORD});
    let login = world.stranger().request(reqwest::Method::POST, "/api/v1/sessions");
    let login = login.header("x-forwarded-for", "203.0.113.7").json(form).send().await.expect(201);
    let me = world.stranger().request(reqwest::Method::GET, "/api/v1/me");
    let token = login["token"].as_str().expect("a token");
    let me = me.header("authorization", &format!("Bearer {token}")).send().await.expect(200);
    assert_eq!(me["user"]["id"], alice["id"]);
    from("203.0.113.8").await.expect(201);
    // The hub's own machine has no limit.
    for here in ["127.0.0.1", "127.0.0.1", "127.0.0.1", "::1"] {
        from(here).await.expect(201);
    }
}

pub async fn names_that_cannot_be_told_apart_are_one(world: &World) {
    let tag = unique();
    let alice = Person::sign_up(&world.bases(), &format!("ann{tag}")).await;
    let wide = format!("\u{ff21}nn{tag}");
    sign_up(world, &wide, PASSWORD).await.problem(409, "username_taken");
    assert_eq!(log_in(world, &wide, PASSWORD).await.expect(201)["user"]["id"], alice.id);
    // A Cyrillic letter among Latin ones; what is invisible; and what calls everybody.
    for wrong in [&format!("\u{430}nn{tag}"), &format!("ann{tag}\u{200b}"), "all", "ALL"] {
        sign_up(world, wrong, PASSWORD).await.problem(422, "invalid_username");
    }
}

pub async fn names_and_texts_can_be_seen(world: &World) {
    let alice = world.person("alice").await;
    let room = alice.group("Plain to see", &[]).await;
    for hidden in ["\u{200b}", "\u{3164}"] {
        let named = alice.patch("/me", json!({"display_name": hidden})).await;
        named.problem(422, "invalid_display_name");
        let named = alice.post("/rooms", json!({"kind": "group", "name": hidden})).await;
        named.problem(422, "invalid_name");
        let said = alice.post(&format!("/rooms/{room}/messages"), json!({"body": hidden})).await;
        said.problem(422, "invalid_body");
    }
    let turned = json!({"display_name": "\u{202e}ecila"});
    alice.patch("/me", turned).await.problem(422, "invalid_display_name");
    let family = json!({"display_name": "\u{1f469}\u{200d}\u{1f467}"});
    alice.patch("/me", family).await.expect(200);
}

pub async fn a_disabled_account_is_out_until_it_is_enabled(world: &World) {
    let mut world = world.with(&[]).await;
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let room = alice.group("Still here", &[&bob]).await;
    alice.say(&room, "remember me").await;
    let (mut of_alice, mut of_bob) = (alice.socket().await, bob.socket().await);

    let said = world.hub().command(&["user", "disable", &alice.username.to_uppercase()], "");
    assert!(said.contains(&alice.username) && said.contains("1 logins ended"), "{said}");
    alice.get("/me").await.problem(401, "not_logged_in");
    assert_eq!(of_alice.closed().await, Some(4503));
    log_in(&world, &alice.username, PASSWORD).await.problem(403, "account_disabled");
    // Who does not know the password does not learn that there is such an account.
    log_in(&world, &alice.username, "a wrong guess").await.problem(401, "bad_credentials");

    of_bob.settle().await;
    let history = bob.history(&room, "").await;
    assert_eq!(history["messages"][0]["body"], "remember me", "{history}");
    assert_eq!(history["messages"][0]["sender"]["id"], alice.id, "{history}");
    let listed = world.hub().command(&["user", "list"], "");
    assert_eq!(listed.lines().filter(|line| line.ends_with("\tdisabled")).count(), 1, "{listed}");

    world.hub().command(&["user", "enable", &alice.username], "");
    alice.get("/me").await.problem(401, "not_logged_in");
    let alice = alice.log_in_again().await;
    alice.say(&room, "back again").await;
    of_bob.expect_message("back again").await;
}

pub async fn a_password_that_the_operator_sets_logs_out_everywhere(world: &World) {
    let mut world = world.with(&[]).await;
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let (mut of_alice, mut of_bob) = (alice.socket().await, bob.socket().await);
    let new = "set by the operator";
    let said = world.hub().command(&["user", "passwd", &alice.username], &format!("{new}\n"));
    assert!(said.contains("1 logins ended"), "{said}");
    assert_eq!(of_alice.closed().await, Some(4501));
    of_bob.settle().await;
    log_in(&world, &alice.username, PASSWORD).await.problem(401, "bad_credentials");
    log_in(&world, &alice.username, new).await.expect(201);
}

pub async fn the_directory_shows_people(world: &World) {
    let alice = world.person("alice").await;
    let family = format!("f{}", unique());
    let bob = world.person(&format!("{family}-bob")).await;
    let found = alice.get(&format!("/users/{}", bob.id)).await.expect(200)["user"].clone();
    assert_eq!(found["id"], bob.id);
    assert_eq!(found["username"], bob.username);
    assert_eq!(found["status"], "offline");
    assert!(found["display_name"].is_string(), "{found}");
    assert!(found.get("last_seen").is_some(), "{found}");

    let socket = bob.socket().await;
    crate::support::until("bob to be seen online", async || {
        let found = alice.get(&format!("/users/{}", bob.id)).await.expect(200);
        (found["user"]["status"] == "online").then_some(())
    })
    .await;
    socket.close().await;
    crate::support::until("bob to be seen offline, with a time", async || {
        let found = alice.get(&format!("/users/{}", bob.id)).await.expect(200);
        (found["user"]["status"] == "offline" && is_time(&found["user"]["last_seen"])).then_some(())
    })
    .await;
}

pub async fn the_directory_has_pages(world: &World) {
    let family = format!("f{}", unique());
    let mut people = Vec::new();
    for name in ["ann", "ben", "cleo"] {
        people.push(world.person(&format!("{family}-{name}")).await);
    }
    let found = format!("/users?query={family}");
    let mut seen = ids_of_all_pages(&people[0], &found, "users").await;
    let mut expected: Vec<String> = people.iter().map(|person| person.id.clone()).collect();
    seen.sort();
    expected.sort();
    assert_eq!(seen, expected);
    let upper = people[0].get(&format!("/users?query={}", family.to_uppercase())).await.expect(200);
    assert_eq!(ids(&upper, "users").len(), 3, "a search that ignores case");
    let nobody = people[0].get(&format!("/users?query={}", unique())).await.expect(200);
    assert_eq!(nobody["users"], json!([]));
}
