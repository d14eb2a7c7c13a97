//! The load balancer before the instances: haproxy with the configuration that we ship, so that
//! the sample is what the runs test.

// Every program that uses it has its own part of this.
#![allow(dead_code)]

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::sleep;

const SAMPLE: &str = include_str!("../../config/haproxy.cfg");
const CONFIG: &str = "haproxy.cfg";
const LOG: &str = "haproxy.log";
/// Answers what haproxy knows of its servers.
const STATS: &str = "stats";
/// Fewer than the sample allows: each takes memory when haproxy starts.
const MOST_CONNECTIONS: u64 = 20_000;
const LISTENS_WITHIN: Duration = Duration::from_secs(10);

/// A running haproxy, which ends with this.
pub struct Balancer {
    address: SocketAddr,
    child: Child,
    dir: TempDir,
}

impl Balancer {
    /// Starts it before these instances, which need not run yet, and waits until it listens.
    pub async fn start(instances: &[SocketAddr]) -> Balancer {
        install();
        for _ in 0..3 {
            let address = free_address();
            let dir = TempDir::with_prefix("rookery-haproxy-").expect("a temporary folder");
            let child = spawn(dir.path(), &configuration(dir.path(), address, instances));
            let mut balancer = Balancer { address, child, dir };
            if balancer.listens().await {
                return balancer;
            }
            let log = balancer.log();
            // Another process was quicker to take the port.
            assert!(log.contains("cannot bind"), "haproxy did not start:\n{log}");
        }
        panic!("no free port found for haproxy");
    }

    /// How clients reach the instances, as in `http://127.0.0.1:12345`.
    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many instances it sends new connections to.
    pub async fn up(&self) -> usize {
        let rows = self.asked("show stat").await;
        let rows = rows.lines().map(|line| line.split(',').collect::<Vec<_>>());
        // Proxy and server come first; the 18th column is the server's status.
        let servers = rows.filter(|row| row[0] == "rookery" && row[1] != "BACKEND");
        servers.filter(|row| row.get(17).is_some_and(|status| status.starts_with("UP"))).count()
    }

    /// Asks haproxy itself, as in `show stat`.
    pub async fn asked(&self, command: &str) -> String {
        let asked = UnixStream::connect(self.dir.path().join(STATS)).await;
        let mut asked = asked.unwrap_or_else(|error| panic!("haproxy: {error}\n{}", self.log()));
        let mut answer = String::new();
        asked.write_all(format!("{command}\n").as_bytes()).await.expect("haproxy is asked");
        asked.read_to_string(&mut answer).await.expect("haproxy answers");
        answer
    }

    /// What it printed.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join(LOG)).unwrap_or_default()
    }

    /// Waits until it does; whether it did before it ended.
    async fn listens(&mut self) -> bool {
        let started = Instant::now();
        while TcpStream::connect(self.address).await.is_err() {
            if self.child.try_wait().expect("our child").is_some() {
                return false;
            }
            let log = self.log();
            assert!(started.elapsed() < LISTENS_WITHIN, "haproxy does not listen:\n{log}");
            sleep(Duration::from_millis(20)).await;
        }
        true
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn install() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/services/haproxy/install");
    let ended = Command::new(script).status();
    assert!(ended.is_ok_and(|status| status.success()), "haproxy cannot be installed");
}

fn spawn(dir: &Path, configuration: &str) -> Child {
    std::fs::write(dir.join(CONFIG), configuration).expect("its configuration");
    let log = std::fs::File::create(dir.join(LOG)).expect("its log");
    let mut command = Command::new("haproxy");
    // Debian keeps it where only root looks.
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/sbin")).current_dir(dir);
    // In the foreground: its pid is the one we end.
    command.args(["-db", "-f", CONFIG]).stdin(Stdio::null());
    command.stdout(log.try_clone().expect("its log")).stderr(log);
    command.spawn().expect("haproxy starts")
}

/// The sample, with these addresses in it and what a process of a test may have.
fn configuration(dir: &Path, address: SocketAddr, instances: &[SocketAddr]) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut replaced = Vec::new();
    for line in SAMPLE.lines() {
        let word = line.split_whitespace().next().unwrap_or_default();
        match word {
            "bind" => lines.push(format!("    bind {address}")),
            "server" if !replaced.contains(&word) => lines.extend(servers(instances)),
            "server" => {}
            "maxconn" => {
                lines.push(format!("    maxconn {}", connections()));
                lines.push(format!("    stats socket {}", dir.join(STATS).display()));
            }
            _ => lines.push(line.to_owned()),
        }
        if matches!(word, "bind" | "server" | "maxconn") {
            replaced.push(word);
        }
    }
    assert_eq!(replaced.len(), 4, "the sample has one bind, one maxconn and two servers");
    lines.join("\n") + "\n"
}

fn servers(instances: &[SocketAddr]) -> impl Iterator<Item = String> {
    instances.iter().enumerate().map(|(i, address)| format!("    server instance{i} {address}"))
}

/// As many as there are file descriptors for: each takes two, and haproxy some for itself.
fn connections() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: a plain system call that writes into `limit`.
    let asked = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    assert_eq!(asked, 0, "getrlimit");
    (limit.rlim_max / 2).saturating_sub(200).min(MOST_CONNECTIONS)
}

fn free_address() -> SocketAddr {
    loop {
        let random = getrandom::u32().expect("random bytes");
        let address = (Ipv4Addr::LOCALHOST, 10_000 + (random % 22_000) as u16).into();
        // Below the ports that the kernel gives to outgoing connections.
        if TcpListener::bind::<SocketAddr>(address).is_ok() {
            return address;
        }
    }
}
