//! Who did what in a group, for its admins.

use serde_json::{Value, json};

use super::ground::{is_time, position};
use crate::support::{Person, World};

async fn audit(admin: &Person, room: &str, which: &str) -> Value {
    admin.get(&format!("/rooms/{room}/audit{which}")).await.expect(200)
}

fn actions(page: &Value) -> Vec<&str> {
    let entries = page["entries"].as_array().expect("a list").iter();
    entries.map(|entry| entry["action"].as_str().expect("an action")).collect()
}

pub async fn admins_see_who_did_what(world: &World) {
    let [alice, bob, carol] = world.people(["alice", "bob", "carol"]).await;
    let room = alice.group("Books", &[&bob]).await;
    let place = |person: &Person| format!("/rooms/{room}/members/{}", person.id);
    alice.patch(&format!("/rooms/{room}"), json!({"topic": "Poems"})).await.expect(200);
    alice.put(&place(&bob), json!({"role": "admin"})).await.expect(200);
    bob.put(&place(&carol), json!({"role": "member"})).await.expect(201);
    let (rude, own) = (carol.say(&room, "rude").await, carol.say(&room, "oops").await);
    for (who, message) in [(&bob, &rude), (&carol, &own)] {
        who.delete(&format!("/messages/{}", message["id"].as_str().unwrap())).await.expect(204);
    }
    alice.delete(&format!("{}?ban=true", place(&carol))).await.expect(204);

    let page = audit(&bob, &room, "").await;
    let all = ["member_removed", "deleted", "member_added", "member_updated", "room_updated"];
    assert_eq!(actions(&page), [&all[..], &["room_created"]].concat(), "without talk: {page}");
    assert_eq!(page["has_older"], false);
    let entries = page["entries"].as_array().expect("a list");
    let by: Vec<&Value> = entries.iter().map(|entry| &entry["by"]).collect();
    assert_eq!(by, [&alice.id, &bob.id, &bob.id, &alice.id, &alice.id, &alice.id]);
    assert!(entries.iter().all(|entry| is_time(&entry["at"])), "{page}");
    assert_eq!(
        (&entries[0]["member"]["user_id"], &entries[0]["ban"]),
        (&json!(carol.id), &json!(true))
    );
    assert_eq!(
        (&entries[1]["message"]["id"], entries[1]["message"].get("body")),
        (&rude["id"], None)
    );
    assert_eq!(entries[3]["member"]["role"], "admin");
    assert_eq!(entries[4]["info"]["topic"], "Poems");
    assert_eq!(entries[4]["changes"], json!({"topic": "Poems"}));

    let newest = audit(&alice, &room, "?limit=2").await;
    assert_eq!((actions(&newest), &newest["has_older"]), (all[..2].to_vec(), &json!(true)));
    let before = newest["entries"][1]["position"].as_str().expect("a position");
    let older = audit(&alice, &room, &format!("?before={before}&limit=2")).await;
    assert_eq!(actions(&older), all[2..4]);
    assert!(position(&older["entries"][0]["position"]) < position(&json!(before)));
}

pub async fn the_audit_is_for_admins(world: &World) {
    let [alice, bob, carol] = world.people(["alice", "bob", "carol"]).await;
    let private = alice.group("Books", &[&bob]).await;
    let public = alice.public_group("Open", &[&bob]).await;
    let of = |room: &str| format!("/rooms/{room}/audit");
    bob.get(&of(&private)).await.problem(403, "forbidden");
    carol.get(&of(&private)).await.problem(404, "not_found");
    carol.get(&of(&public)).await.problem(403, "not_a_member");
    let direct = alice.direct(&bob).await;
    alice.get(&of(&direct)).await.problem(403, "forbidden");
    alice.get(&format!("{}?limit=0", of(&public))).await.problem(422, "invalid_limit");
}
