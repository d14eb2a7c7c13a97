//! Kafka as an open door, through the console tools that come with the broker: the commands of the
//! README, run.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Topics, World, service_script, until_texts, within};

/// Each tool is a Java machine that starts.
const A_WHILE: Duration = Duration::from_secs(120);

/// Runs one of the broker's own tools to its end, and returns what it printed.
async fn tool(arguments: &[&str], input: &str) -> String {
    let mut command = Command::new(service_script("kafka/tool"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let input = input.to_owned();
    let run = move || {
        let mut child = command.spawn().expect("the tool starts");
        let mut stdin = child.stdin.take().expect("its input");
        stdin.write_all(input.as_bytes()).expect("it reads");
        drop(stdin);
        child.wait_with_output().expect("the tool ends")
    };
    let done = tokio::task::spawn_blocking(run).await.expect("the tool ends");
    let printed = String::from_utf8(done.stdout).expect("text");
    assert!(done.status.success(), "{printed}{}", String::from_utf8_lossy(&done.stderr));
    printed
}

#[tokio::test]
async fn the_commands_of_the_readme_do_what_it_says() {
    let world = World::cluster().await;
    let topics = Topics::new(world.services().await);
    let [alice, bob] = world.people(["alice", "bob"]).await;
    let group = alice.group("Books", &[&bob]).await;
    let line =
        |text: &str, user: &str| json!({"user_id": user, "message": text, "group_id": group});

    let lines =
        format!("{}\n{}\n", line("from the console", &alice.id), line("who am I?", "999999"));
    tool(&["ConsoleProducer", "--topic", &topics.name("inbound")], &lines).await;
    until_texts(&bob, &group, &["from the console".to_owned()]).await;

    let read = async |topic: &str, printed: &str| {
        let name = topics.name(topic);
        let from_the_start = ["--from-beginning", "--timeout-ms", "5000"];
        let options = ["consumer.ConsoleConsumer", "--topic", &name, "--property", printed];
        tool(&[&options[..], &from_the_start].concat(), "").await
    };
    let refused = within(A_WHILE, "the refused line in quarantine", async || {
        let printed = read("quarantine", "print.headers=true").await;
        printed.lines().find(|one| one.contains("who am I?")).map(str::to_owned)
    });
    let refused = refused.await;
    assert!(refused.contains("reason:unknown_user"), "with the reason: {refused}");

    let said = within(A_WHILE, "the message in the log", async || {
        let log = read("messages", "print.key=true").await;
        let mut of_the_group =
            log.lines().filter_map(|one| one.split_once('\t')).filter(|one| one.0 == group);
        of_the_group.find_map(|(_, value)| {
            let value: Value = serde_json::from_str(value).expect("JSON");
            (value["type"] == "message").then_some(value)
        })
    });
    let message = said.await;
    assert_eq!(message["body"], "from the console");
    assert_eq!(message["sender"]["username"], alice.username);
    assert_eq!(message["by"], alice.id);

    // GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG …
    let (name, messages) = (topics.name("persistence"), topics.name("messages"));
    within(A_WHILE, "the persister to have no lag in any partition", async || {
        let options = ["consumer.group.ConsumerGroupCommand", "--describe", "--group", &name];
        let table = tool(&options, "").await;
        let rows = table.lines().map(|row| row.split_whitespace().collect::<Vec<_>>());
        let rows: Vec<_> = rows.filter(|row| row.get(1) == Some(&messages.as_str())).collect();
        assert_eq!(rows.len(), 12, "{table}");
        // Where nothing was written yet, nothing was read.
        let written: Vec<_> = rows.iter().filter(|row| row[4] != "0").collect();
        (!written.is_empty() && written.iter().all(|row| row[5] == "0")).then_some(())
    })
    .await;
}
