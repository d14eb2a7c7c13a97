//! The hub that is measured: one that runs already, or one that is started for it; with accounts
//! and rooms of the bench's own.

use std::cell::Cell;
use std::fs::File;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures_util::{StreamExt, TryStreamExt, stream};
use rlimit::Resource;
use serde_json::{Value, json};
use tempfile::TempDir;
use ureq::Agent;

use super::company::Room;
use super::processes::Process;
use super::{Failure, Options, address_of};
use crate::config::Config;
use crate::core::types::UserId;
use crate::hub::now;
use crate::store::{Client, Store};
use crate::{app, auth};

const READY_WITHIN: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(5);
const ANSWERED_WITHIN: Duration = Duration::from_secs(60);
/// Accounts that are made at the same time.
const AT_ONCE: usize = 16;
/// People in one founding: their ids fit into a body of 64 KiB.
const FOUNDERS: usize = 4_000;
/// For the hub that is started: nothing that the bench does is too much.
const NO_LIMITS: [(&str, &str); 6] = [
    ("ROOKERY_LIMITS__MESSAGES_PER_SECOND", "1000000"),
    ("ROOKERY_LIMITS__MESSAGES_BURST", "1000000"),
    ("ROOKERY_LIMITS__CHANGES_PER_SECOND", "1000000"),
    ("ROOKERY_LIMITS__CHANGES_BURST", "1000000"),
    // A thousand messages come back at once on one socket.
    ("ROOKERY_LIMITS__OUTBOUND_BYTES", "16777216"),
    ("ROOKERY_LOGGING__FILTER", "warn"),
];

/// Somebody who is logged in.
#[derive(Debug, Clone)]
pub struct Login {
    pub id: UserId,
    pub token: String,
}

/// Where a bench takes place.
pub struct Ground {
    pub address: SocketAddr,
    /// The hub first, if its process is known.
    pub processes: Vec<Process>,
    config: Config,
    store: Store,
    http: Agent,
    /// In the names of all that is made here, and how many accounts that are.
    tag: String,
    made: Cell<usize>,
    hub: Option<Started>,
}

impl Ground {
    /// At the hub of `--url`, or at one that is started with these settings.
    pub async fn lay(
        config: &Config,
        file: Option<&Path>,
        options: &Options,
    ) -> Result<Ground, Failure> {
        let (http, mut processes) = (agent(), options.process.clone());
        let (address, hub, mut config) = match &options.url {
            Some(url) => (address_of(url)?, None, config.clone()),
            None => {
                let (hub, config) = Started::with(config, file, &http).await?;
                processes.insert(0, Process { name: "hub".into(), pid: hub.child.id() });
                (hub.address, Some(hub), config)
            }
        };
        // Beside the hub's own.
        config.store.connections = AT_ONCE;
        let store = app::open_store(&config).await?;
        let tag = auth::new_token()?.chars().take(8).collect();
        Ok(Ground { address, processes, config, store, http, tag, made: Cell::new(0), hub })
    }

    /// Kills the hub that was started for it and starts it again; returns how long it took to be
    /// ready. Nobody else has the store open meanwhile, so it is found as a crash leaves it.
    pub async fn start_again(mut self) -> Result<(Ground, Option<Duration>), Failure> {
        let Some(hub) = &mut self.hub else { return Ok((self, None)) };
        drop(self.store);
        let took = hub.start_again(&self.http).await?;
        self.processes[0].pid = hub.child.id();
        self.store = app::open_store(&self.config).await?;
        Ok((self, Some(took)))
    }

    /// So many new accounts, each logged in. Nobody can log in with a password: they have none.
    pub async fn people(&self, count: usize) -> Result<Vec<Login>, Failure> {
        let first = self.made.replace(self.made.get() + count);
        let one = |number: usize| async move {
            let name = format!("bench-{}-{number}", self.tag);
            let id = self.store.create_user(&name, &name, "none", now()).await?;
            let token = auth::new_token()?;
            let hash = auth::token_hash(&token);
            self.store.create_login(id, &hash, now(), &Client::default()).await?;
            Ok::<_, Failure>(Login { id, token })
        };
        stream::iter(first..first + count).map(one).buffered(AT_ONCE).try_collect().await
    }

    /// A private group of these people; the first of them is its admin.
    pub fn room(&self, name: &str, people: &[Login]) -> Result<String, Failure> {
        let (founders, later) = people.split_at(people.len().min(FOUNDERS));
        let Some((admin, others)) = founders.split_first() else {
            return Err("a room has at least one member".into());
        };
        let others: Vec<UserId> = others.iter().map(|login| login.id).collect();
        let founding = json!({"kind": "group", "name": name, "members": others});
        let request = self.http.post(self.url("/rooms"));
        let answer = request.header("Authorization", bearer(&admin.token)).send_json(founding)?;
        let told: Value = serde_json::from_str(&text_of("/rooms", answer)?)?;
        let room = told["room"]["id"].as_str().ok_or("the hub told no room")?.to_owned();
        for member in later {
            let path = format!("/rooms/{room}/members/{}", member.id);
            let request = self.http.put(self.url(&path));
            let request = request.header("Authorization", bearer(&admin.token));
            text_of(&path, request.send_json(json!({"role": "member"}))?)?;
        }
        Ok(room)
    }

    /// Says something in a room.
    pub fn say(&self, room: &Room, body: &str) -> Result<(), Failure> {
        let path = format!("/rooms/{}/messages", room.id);
        let request = self.http.post(self.url(&path));
        let request = request.header("Authorization", bearer(a_token(room)?));
        text_of(&path, request.send_json(json!({"body": body}))?).map(drop)
    }

    /// Where a room ends.
    pub fn position(&self, room: &Room) -> Result<String, Failure> {
        let told = self.get(&format!("/rooms/{}", room.id), a_token(room)?)?;
        Ok(told["room"]["position"].as_str().ok_or("the hub told no position")?.to_owned())
    }

    /// Asks the hub; anything but a success is an error.
    pub fn get(&self, path: &str, token: &str) -> Result<Value, Failure> {
        Ok(serde_json::from_str(&self.get_text(path, token)?)?)
    }

    pub fn get_text(&self, path: &str, token: &str) -> Result<String, Failure> {
        let request = self.http.get(self.url(path)).header("Authorization", bearer(token));
        text_of(path, request.call()?)
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/api/v1{path}", self.address)
    }

    /// A figure of the hub's own, summed over its labels; 0 where it has counted nothing yet.
    pub fn figure(&self, name: &str) -> Result<f64, Failure> {
        let page = self.http.get(format!("http://{}/metrics", self.address)).call()?;
        let value = |line: &str| {
            let rest = line.strip_prefix(name)?;
            let is_whole = rest.starts_with([' ', '{']);
            is_whole.then(|| rest.rsplit(' ').next()?.parse::<f64>().ok()).flatten()
        };
        Ok(text_of("/metrics", page)?.lines().filter_map(value).sum())
    }

    /// Changes that this hub has stored, messages among them.
    pub fn stored(&self) -> Result<u64, Failure> {
        Ok(self.figure("rookery_stored_total")? as u64)
    }

    /// Until so many are, of an only instance.
    pub fn wait_until_stored(
        &self,
        changes: u64,
        look_every: Duration,
        within: Duration,
    ) -> Result<(), Failure> {
        let began = Instant::now();
        while self.stored()? < changes {
            if began.elapsed() > within {
                return Err("not all messages are stored".into());
            }
            std::thread::sleep(look_every);
        }
        Ok(())
    }
}

fn a_token(room: &Room) -> Result<&str, Failure> {
    Ok(room.tokens.first().ok_or("a room has at least one member")?)
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// Goes to the hub, whatever proxy there is.
fn agent() -> Agent {
    let config = Agent::config_builder().http_status_as_error(false).proxy(None);
    config.timeout_global(Some(ANSWERED_WITHIN)).build().into()
}

fn text_of(path: &str, mut answer: ureq::http::Response<ureq::Body>) -> Result<String, Failure> {
    let (status, text) = (answer.status(), answer.body_mut().read_to_string()?);
    match status.is_success() {
        true => Ok(text),
        false => Err(format!("{path} answers {status}: {text}").into()),
    }
}

/// A hub of ours, which ends with the bench.
struct Started {
    command: Command,
    child: Child,
    address: SocketAddr,
    dir: TempDir,
}

impl Started {
    /// With its files in a folder of its own. Log and store are those of the settings.
    async fn with(
        config: &Config,
        file: Option<&Path>,
        http: &Agent,
    ) -> Result<(Started, Config), Failure> {
        let dir = TempDir::with_prefix("rookery-bench-")?;
        let mut config = config.clone();
        config.data.dir = dir.path().join("data");
        // Free for as long as nobody else takes it, which the hub would say.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("serve").envs(NO_LIMITS).stdin(Stdio::null()).stdout(Stdio::null());
        command.env("ROOKERY_SERVER__LISTEN", address.to_string());
        command.env("ROOKERY_DATA__DIR", &config.data.dir);
        if let Some(file) = file {
            command.arg("--config").arg(std::fs::canonicalize(file)?);
        }
        command.stderr(File::create(dir.path().join("log"))?);
        end_with_us(&mut command);
        let child = command.spawn()?;
        let mut started = Started { command, child, address, dir };
        started.wait_until_ready(http).await?;
        Ok((started, config))
    }

    async fn start_again(&mut self, http: &Agent) -> Result<Duration, Failure> {
        self.child.kill()?;
        self.child.wait()?;
        let began = Instant::now();
        self.child = self.command.spawn()?;
        self.wait_until_ready(http).await?;
        Ok(began.elapsed())
    }

    async fn wait_until_ready(&mut self, http: &Agent) -> Result<(), Failure> {
        let (since, url) = (Instant::now(), format!("http://{}/readyz", self.address));
        while since.elapsed() < READY_WITHIN {
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("the hub ended: {status}\n{}", self.log()).into());
            }
            if http.get(&url).call().is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Err(format!("the hub is not ready after {READY_WITHIN:?}\n{}", self.log()).into())
    }

    fn log_file(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // It has nothing that is still wanted; and it may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The hub is not to outlive a bench that is killed.
#[cfg(target_os = "linux")]
fn end_with_us(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    let ask = || {
        // SAFETY: a system call that may be made between fork and exec.
        match unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    };
    // SAFETY: all that it does is that call.
    unsafe { command.pre_exec(ask) };
}

#[cfg(not(target_os = "linux"))]
fn end_with_us(_: &mut Command) {}

/// Lets this process, and those that it starts, have as many sockets as the system allows; returns
/// how many.
pub fn raise_open_files() -> io::Result<u64> {
    let (_, hard) = Resource::NOFILE.get()?;
    // Only root may go beyond the hard limit; others stay there.
    let most = hard.max(1 << 20);
    match Resource::NOFILE.set(most, most) {
        Ok(()) => Ok(most),
        Err(_) => rlimit::increase_nofile_limit(hard),
    }
}
