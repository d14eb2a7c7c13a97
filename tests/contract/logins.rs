//! My logins: where I am logged in, and ending what I do not know.

use reqwest::Method;
use serde_json::{Value, json};

use super::ground::is_time;
use crate::support::{PASSWORD, Person, World};

async fn sessions(person: &Person) -> Vec<Value> {
    let list = person.get("/me/sessions").await.expect(200);
    list["sessions"].as_array().expect("sessions").clone()
}

fn id(session: &Value) -> &str {
    session["id"].as_str().expect("an id")
}

async fn log_in_with(world: &World, person: &Person, agent: &str) -> Person {
    let stranger = world.stranger();
    let form = json!({"username": person.username, "password": PASSWORD});
    let request = stranger.request(Method::POST, "/api/v1/sessions").header("user-agent", agent);
    let made = request.json(form).send().await.expect(201);
    person.with_token(made["token"].as_str().expect("a token"))
}

pub async fn a_login_says_where_it_is_used_from(world: &World) {
    let alice = world.person("alice").await;
    let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    let browser = log_in_with(world, &alice, agent).await;
    let long = log_in_with(world, &alice, &"ä".repeat(150)).await;
    let list = sessions(&browser).await;
    assert_eq!(list.len(), 3);
    let agents: Vec<_> = list.iter().map(|session| session["user_agent"].clone()).collect();
    assert!(agents.contains(&json!(agent)) && agents.contains(&Value::Null), "{agents:?}");
    let longest = agents.iter().filter_map(Value::as_str).map(|agent| agent.chars().count()).max();
    assert!(longest <= Some(200), "{agents:?}");
    for session in &list {
        assert!(is_time(&session["created_at"]) && is_time(&session["last_used_at"]), "{session}");
        assert_eq!(session["address"], "127.0.0.1");
        assert_eq!(session["current"], session["user_agent"] == agent, "{session}");
        assert!(session.get("token").is_none() && session.get("token_hash").is_none());
    }
    long.get("/me").await.expect(200);
    let newer = sessions(&alice).await;
    assert_eq!(newer.iter().filter(|session| session["current"] == true).count(), 1);
}

pub async fn a_login_can_be_ended_from_another(world: &World) {
    let [alice, mallory] = world.people(["alice", "mallory"]).await;
    let phone = alice.log_in_again().await;
    let current = |list: &[Value]| {
        let own = list.iter().find(|session| session["current"] == true);
        id(own.expect("the one that asks")).to_owned()
    };
    let (hers, phones) = (current(&sessions(&alice).await), current(&sessions(&phone).await));
    let mut socket = phone.socket().await;
    for path in [format!("/me/sessions/{phones}"), "/me/sessions/999999999".to_owned()] {
        mallory.delete(&path).await.problem(404, "not_found");
    }
    mallory.delete("/me/sessions/x").await.problem(404, "not_found");
    let cookie = alice.by_cookie();
    cookie.delete(&format!("/me/sessions/{phones}")).await.problem(403, "cross_site");
    cookie.delete("/me/sessions").await.problem(403, "cross_site");
    phone.get("/me").await.expect(200);

    alice.delete(&format!("/me/sessions/{phones}")).await.expect(204);
    assert_eq!(socket.closed().await, Some(4501));
    phone.get("/me").await.problem(401, "not_logged_in");
    alice.delete(&format!("/me/sessions/{phones}")).await.problem(404, "not_found");

    alice.delete(&format!("/me/sessions/{hers}")).await.expect(204);
    alice.get("/me").await.problem(401, "not_logged_in");
    let stranger = world.stranger();
    stranger.get("/me/sessions").await.problem(401, "not_logged_in");
    stranger.delete("/me/sessions").await.problem(401, "not_logged_in");
    stranger.delete(&format!("/me/sessions/{hers}")).await.problem(401, "not_logged_in");
}

pub async fn all_others_can_be_ended_at_once(world: &World) {
    let alice = world.person("alice").await;
    let (phone, tablet) = (alice.log_in_again().await, alice.log_in_again().await);
    let (mut one, mut other) = (phone.socket().await, tablet.socket().await);
    let mut own = alice.socket().await;
    alice.delete("/me/sessions").await.expect(204);
    assert_eq!((one.closed().await, other.closed().await), (Some(4501), Some(4501)));
    own.settle().await;
    assert_eq!(sessions(&alice).await.len(), 1);
    alice.delete("/me/sessions").await.expect(204);
    phone.get("/me").await.problem(401, "not_logged_in");
}
