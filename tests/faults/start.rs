//! Starts that cannot succeed: a person reads one line, and knows which setting to change.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::my_turn;
use crate::places::Away;
use crate::support::{Cluster, Hub};

const WITHIN: Duration = Duration::from_secs(15);

/// Runs `rookery` with these settings until it ends; it must not run on.
fn run(arguments: &[&str], dir: &Path, env: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rookery"));
    command.args(arguments).env_clear().current_dir(dir);
    command.env("ROOKERY_SERVER__LISTEN", "127.0.0.1:0").env("ROOKERY_DATA__DIR", dir.join("data"));
    command.envs(env.iter().copied()).stdin(Stdio::null());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("rookery");
    let started = Instant::now();
    while child.try_wait().expect("our child").is_none() {
        if started.elapsed() > WITHIN {
            let _ = child.kill();
            let output = child.wait_with_output().expect("our child");
            panic!("{env:?}: still running after {WITHIN:?}\n{}", text(&output.stderr));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.wait_with_output().expect("our child")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The one line that says why it did not start. It has to name the setting.
#[track_caller]
fn cannot_start(env: &[(&str, &str)], setting: &str) -> String {
    let dir = TempDir::new().expect("a folder");
    refused(&["serve"], dir.path(), env, setting)
}

#[track_caller]
fn refused(arguments: &[&str], dir: &Path, env: &[(&str, &str)], setting: &str) -> String {
    let output = run(arguments, dir, env);
    let errors = text(&output.stderr);
    assert!(!output.status.success(), "{env:?} started\n{errors}");
    assert!(output.status.code().is_some(), "{env:?}: it did not end by itself\n{errors}");
    assert!(!errors.contains("panicked"), "{env:?}: {errors}");
    let lines: Vec<&str> = errors.lines().filter(|line| line.starts_with("rookery: ")).collect();
    assert_eq!(lines.len(), 1, "{env:?}: one line says why:\n{errors}");
    assert_eq!(errors.lines().last(), Some(lines[0]), "{env:?}: and it is the last:\n{errors}");
    let start = format!("rookery: {setting}");
    assert!(lines[0].starts_with(&start), "{env:?}: should name {setting}: {}", lines[0]);
    assert!(lines[0].len() > start.len() + 10, "and say what it should be: {}", lines[0]);
    println!("{}", lines[0]);
    lines[0].to_owned()
}

#[tokio::test]
async fn a_setting_that_is_wrong_is_named() {
    let line = cannot_start(&[("ROOKERY_LIMITS__PAGE", "many")], "limits.page");
    assert!(line.contains("many"), "{line}");
    cannot_start(&[("ROOKERY_LIMITS__PAGE", "0")], "limits.page");
    cannot_start(&[("ROOKERY_LIMITS__PAGES", "7")], "limits.pages");
    cannot_start(&[("ROOKERY_LIMIT__PAGE", "7")], "limit");
    cannot_start(&[("ROOKERY_SERVER__LISTEN", "8080")], "server.listen");
    cannot_start(&[("ROOKERY_LOG__KIND", "papyrus")], "log.kind");
    cannot_start(&[("ROOKERY_SERVER__PUBLIC_URL", "chat.example.org")], "server.public_url");
    cannot_start(&[("ROOKERY_LOGGING__FILTER", "a=b=c")], "logging.filter");
    cannot_start(&[("ROOKERY_STORE__KIND", "mysql")], "store.url");
    cannot_start(&[("DATABASE_URL", "postgres://ann:hush@db/chat")], "store.url");
    cannot_start(&[("KAFKA_BROKERS", "127.0.0.1:9092")], "store.kind");
}

#[tokio::test]
async fn a_file_that_is_wrong_is_named() {
    let dir = TempDir::new().expect("a folder");
    let serve = ["serve", "--config", "rookery.toml"];
    refused(&serve, dir.path(), &[], "--config");
    let with = |toml: &str, setting: &str| {
        std::fs::write(dir.path().join("rookery.toml"), toml).expect("a file");
        refused(&serve, dir.path(), &[], setting)
    };
    with("[limits]\npage = \"many\"\n", "limits.page");
    with("[server]\nlisten_on = \"127.0.0.1:1\"\n", "server.listen_on");
    let line = with("[limits\npage = 7\n", "");
    assert!(line.contains("rookery.toml"), "{line}");
}

#[tokio::test]
async fn a_port_or_a_folder_that_cannot_be_used_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let line = cannot_start(&[("ROOKERY_SERVER__LISTEN", &address)], "server.listen");
    assert!(line.contains(&address), "{line}");

    let dir = TempDir::new().expect("a folder");
    let file = dir.path().join("file");
    std::fs::write(&file, "no folder").expect("a file");
    for wrong in [file.clone(), file.join("below")] {
        let wrong = wrong.to_str().expect("a path");
        let line = cannot_start(&[("ROOKERY_DATA__DIR", wrong)], "data.dir");
        assert!(line.contains(wrong), "{line}");
    }
    let data = dir.path().join("data");
    std::fs::create_dir(&data).expect("a folder");
    std::fs::write(data.join("rookery.db"), "this is no database, whatever its name says")
        .expect("a file");
    let data = data.to_str().expect("a path");
    cannot_start(&[("ROOKERY_DATA__DIR", data)], "data.dir");
}

#[tokio::test]
async fn two_hubs_do_not_share_a_folder() {
    let _turn = my_turn().await;
    let hub = Hub::embedded().await;
    let data = hub.dir().join("data");
    let data = data.to_str().expect("a path");
    cannot_start(&[("ROOKERY_DATA__DIR", data)], "data.dir");
    assert!(hub.is_ready().await, "the first is not disturbed");
}

#[tokio::test]
async fn a_word_that_is_no_command_gets_a_hint() {
    let dir = TempDir::new().expect("a folder");
    for (arguments, hint) in [(["serv"], "serve"), (["--confg"], "--config"), (["dance"], "--help")]
    {
        let output = run(&arguments, dir.path(), &[]);
        let errors = text(&output.stderr);
        assert!(!output.status.success() && errors.contains(hint), "{arguments:?}: {errors}");
    }
}

#[tokio::test]
async fn check_config_shows_every_setting_but_no_secret() {
    let dir = TempDir::new().expect("a folder");
    let env = [
        ("KAFKA_BROKERS", "kafka.example.org:9092"),
        ("DB_HOST", "db.example.org"),
        ("DB_USER", "ann"),
        ("DB_PASSWORD", "h@sh/hush"),
    ];
    let properties =
        "[log.properties]\n\"sasl.password\" = \"hush-hush\"\n\"sasl.username\" = \"bob\"\n";
    std::fs::write(dir.path().join("rookery.toml"), properties).expect("a file");
    let output = run(&["check-config", "--config", "rookery.toml"], dir.path(), &env);
    assert!(output.status.success(), "{output:?}");
    let all = text(&output.stdout) + &text(&output.stderr);
    for secret in ["h@sh", "h%40sh", "hush"] {
        assert!(!all.contains(secret), "{secret} is shown:\n{all}");
    }
    let names = [
        "server.listen",
        "server.instance",
        "server.public_url",
        "data.dir",
        "log.kind",
        "log.brokers",
        "log.topic_prefix",
        "store.kind",
        "store.url",
        "limits.messages_per_second",
        "limits.messages_burst",
        "limits.resume_events",
        "kafka.example.org:9092",
        "db.example.org",
        "ann",
        "bob",
    ];
    for name in names {
        assert!(all.contains(name), "{name} is missing:\n{all}");
    }
}

#[tokio::test]
async fn a_service_that_is_missing_is_named() {
    let _turn = my_turn().await;
    let cluster = Cluster::start(0).await;
    let own = cluster.services.env();
    let with = |name: &str, value: &str, setting: &str| {
        let mut env: Vec<(&str, &str)> =
            own.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        env.retain(|(known, _)| *known != name);
        env.push((name, value));
        cannot_start(&env, setting)
    };
    // Nobody listens on port 1.
    with("KAFKA_BROKERS", "127.0.0.1:1", "log.brokers");
    with("KAFKA_BROKERS", "no-such-host.invalid:9092", "log.brokers");
    with("DATABASE_URL", "mysql://ann:hush@127.0.0.1:1/chat", "store.url");
    let url = cluster.services.database_url();
    let unknown = format!("{url}_unknown");
    with("DATABASE_URL", &unknown, "store.url");
    let (_, host) = url.split_once('@').expect("a login in the URL");
    let line = with("DATABASE_URL", &format!("mysql://rookery:hush@{host}"), "store.url");
    assert!(!line.contains("hush"), "{line}");
}

/// Worse than one that is missing: it takes the connection and says nothing.
#[tokio::test]
async fn a_service_that_hangs_is_named() {
    let _turn = my_turn().await;
    let cluster = Cluster::start(0).await;
    let own = cluster.services.env();
    let env: Vec<(&str, &str)> = own.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    for (service, setting) in [("mariadb", "store.url"), ("kafka", "log.brokers")] {
        let hanging = Away::paused(service);
        cannot_start(&env, setting);
        hanging.comes_back();
    }
}

#[tokio::test]
async fn two_instances_start_at_once_on_empty_services() {
    let _turn = my_turn().await;
    let cluster = Cluster::start(0).await;
    let (one, other) = tokio::join!(cluster.services.hub(&[]), cluster.services.hub(&[]));
    assert!(one.is_ready().await && other.is_ready().await);
}

#[tokio::test]
async fn it_has_as_many_open_files_as_it_may() {
    use std::os::unix::fs::PermissionsExt;

    let _turn = my_turn().await;
    let dir = TempDir::new().expect("a folder");
    let shell = dir.path().join("shell");
    let rookery = env!("CARGO_BIN_EXE_rookery");
    let script = format!("#!/bin/sh\nulimit -S -n 256\nexec {rookery} \"$@\"\n");
    std::fs::write(&shell, script).expect("a script");
    std::fs::set_permissions(&shell, PermissionsExt::from_mode(0o755)).expect("it can be run");
    let mut hub = Hub::stopped(&[]);
    hub.run_as(Some(shell));
    hub.start().await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", hub.pid())).expect("limits");
    let files = limits.lines().find(|line| line.starts_with("Max open files")).expect("of files");
    // "Max open files", the soft limit, the hard one.
    let words: Vec<&str> = files.split_whitespace().collect();
    let (soft, hard) = (words[3], words[4]);
    assert_eq!(soft, hard, "{files}");
    assert_ne!(soft, "256");
}
