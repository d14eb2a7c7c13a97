//! The simple API from the command line: the calls of its documentation, by curl.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Lines, Person, World};

/// What curl prints, for arguments as in the documentation and the caller's token.
async fn curl(person: &Person, path: &str, arguments: &[&str]) -> Value {
    let url = format!("{}{path}", person.bases[0]);
    let token = format!("Authorization: Bearer {}", person.token);
    let mut command = Command::new("curl");
    command.args(["-s", &url, "-H", &token]).args(arguments);
    let done = tokio::task::spawn_blocking(move || command.output()).await.expect("curl ends");
    let done = done.expect("curl runs");
    assert!(done.status.success(), "curl {path}: {}", done.status);
    let printed = String::from_utf8_lossy(&done.stdout);
    serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"))
}

fn body(body: &Value) -> String {
    body.to_string()
}

pub async fn the_documented_calls_work_by_curl(world: &World) {
    let [heron, wren] = world.people(["heron", "wren"]).await;
    let group = heron.group("Marsh", &[&wren]).await;
    let number = |id: &str| id.parse::<i64>().expect("a number");
    let (user_id, group_id) = (number(&heron.id), number(&group));
    let mut lines = Lines::subscribe(&wren, &group).await;

    let hello = body(&json!({"user_id": user_id, "message": "Hello!", "group_id": group_id}));
    let sent = curl(&heron, "/send-message/", &["--json", &hello]).await;
    let id = sent["id"].as_i64().expect("a number");
    assert_eq!(sent, json!({"id": id, "group_id": group_id, "status": "sent"}));
    let anybody = body(&json!({"user_id": user_id, "message": "Anybody here?"}));
    let sent = curl(&heron, "/send-message/", &["--json", &anybody]).await;
    assert_eq!((&sent["group_id"], &sent["status"]), (&json!(group_id), &json!("sent")));
    for text in ["Hello!", "Anybody here?"] {
        let line = lines.next().await;
        assert_eq!((&line["message"], &line["user_id"]), (&json!(text), &json!(user_id)));
    }

    let list = curl(&heron, &format!("/messages/{group}"), &[]).await;
    assert_eq!(
        (&list[0]["message"], &list[1]["message"]),
        (&json!("Hello!"), &json!("Anybody here?"))
    );
    let edit = ["-X", "PUT", "--json", r#"{"message":"Hello, marsh!"}"#];
    let edited = curl(&heron, &format!("/edit-message/{id}"), &edit).await;
    assert_eq!(edited, json!({"id": id, "status": "edited"}));
    let deleted = curl(&heron, &format!("/delete-message/{id}"), &["-X", "DELETE"]).await;
    assert_eq!(deleted, json!({"id": id, "status": "deleted"}));
    assert_eq!(lines.next().await["edited"], true);
    assert_eq!(lines.next().await["deleted"], true);

    let foreign = body(&json!({"user_id": number(&wren.id), "message": "I am somebody else"}));
    let refused = curl(&heron, "/send-message/", &["--json", &foreign]).await;
    assert_eq!((&refused["status"], &refused["code"]), (&json!(403), &json!("forbidden")));
}
