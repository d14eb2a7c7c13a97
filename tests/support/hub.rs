//! One instance of the real binary, on a free port with a folder of its own.

use std::io::Write;
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rookery::bench::processes::Process;
use tempfile::TempDir;

use super::unique;

/// A debug build that migrates a fresh database on a busy machine takes its time.
const READY_WITHIN: Duration = Duration::from_secs(40);

pub struct Hub {
    pub base: String,
    port: u16,
    env: Vec<(String, String)>,
    dir: TempDir,
    child: Option<Child>,
    /// In place of the one that was built with the tests.
    binary: Option<PathBuf>,
}

impl Hub {
    /// A hub with its log and store in files, and nothing else.
    pub async fn embedded() -> Hub {
        Hub::embedded_with(&[]).await
    }

    pub async fn embedded_with(env: &[(&str, &str)]) -> Hub {
        Hub::with(env).await
    }

    /// A hub with these settings in the environment, ready. Panics with its log if it never is.
    pub async fn with(env: &[(&str, &str)]) -> Hub {
        for _ in 0..3 {
            let mut hub = Hub::stopped(env);
            match hub.try_start().await {
                Ok(()) => return hub,
                // Another process was quicker to take the port.
                Err(_) if hub.log().contains("cannot listen") => continue,
                Err(why) => panic!("the hub did not start: {why}\n{}", hub.log()),
            }
        }
        panic!("no free port found");
    }

    /// A hub that was never started yet; `start` does.
    pub fn stopped(env: &[(&str, &str)]) -> Hub {
        let dir = TempDir::with_prefix("rookery-test-").expect("a temporary folder");
        let port = free_port();
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let base = format!("http://127.0.0.1:{port}");
        Hub { base, port, env: env.collect(), dir, child: None, binary: None }
    }

    /// Starts it (again) on its port and with its data, and waits until it is ready.
    pub async fn start(&mut self) {
        if let Err(why) = self.try_start().await {
            panic!("the hub did not start: {why}\n{}", self.log());
        }
    }

    /// Starts it without waiting for anything.
    pub fn spawn(&mut self) {
        assert!(self.child.is_none(), "the hub runs already");
        let log = std::fs::File::options().create(true).append(true).open(self.log_file());
        let child = Command::new(self.binary.clone().unwrap_or_else(tested))
            .arg("serve")
            .env_clear()
            .env("ROOKERY_SERVER__LISTEN", format!("127.0.0.1:{}", self.port))
            .env("ROOKERY_DATA__DIR", self.dir.path().join("data"))
            .env("RUST_BACKTRACE", "1")
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.expect("the log file of the hub"))
            .spawn();
        self.child = Some(child.expect("the rookery binary starts"));
    }

    async fn try_start(&mut self) -> Result<(), String> {
        self.spawn();
        let started = Instant::now();
        loop {
            if let Some(status) = self.exited() {
                return Err(format!("it ended: {status}"));
            }
            if self.is_ready().await {
                return Ok(());
            }
            if started.elapsed() > READY_WITHIN {
                return Err(format!("not ready after {READY_WITHIN:?}"));
            }
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
    }

    /// Runs a command of the operator's beside it, with its settings; returns what it printed.
    pub fn command(&self, arguments: &[&str], input: &str) -> String {
        let mut child = Command::new(env!("CARGO_BIN_EXE_rookery"))
            .args(arguments)
            .env_clear()
            .env("ROOKERY_DATA__DIR", self.dir.path().join("data"))
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .current_dir(self.dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the rookery binary starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all(input.as_bytes()).expect("the command reads its input");
        drop(stdin);
        let output = child.wait_with_output().expect("our child");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "rookery {arguments:?}: {errors}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// Whether `/readyz` says 200.
    pub async fn is_ready(&self) -> bool {
        self.readyz().await == Some(200)
    }

    /// The status of `/readyz`; `None` where nobody answers.
    pub async fn readyz(&self) -> Option<u16> {
        let asked = reqwest::Client::new().get(format!("{}/readyz", self.base));
        let answer = asked.timeout(Duration::from_secs(5)).send().await;
        answer.ok().map(|answer| answer.status().as_u16())
    }

    /// Changes a setting for the next start.
    pub fn set(&mut self, name: &str, value: &str) {
        self.env.retain(|(known, _)| known != name);
        self.env.push((name.to_owned(), value.to_owned()));
    }

    /// From the next start on it is this program, or again the one that was built with the tests.
    pub fn run_as(&mut self, binary: Option<PathBuf>) {
        self.binary = binary;
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the hub runs").id()
    }

    /// Sends a signal, as in `libc::SIGSTOP`.
    pub fn signal(&self, signal: i32) {
        // SAFETY: a plain system call; the child is ours and not yet waited for.
        let sent = unsafe { libc::kill(self.pid() as i32, signal) };
        assert_eq!(sent, 0, "signal {signal} to the hub");
    }

    /// Asks it to stop, and waits until it did.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.signal(libc::SIGTERM);
        self.ended().await
    }

    /// Waits until the process is gone by itself.
    pub async fn ended(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.exited() {
                self.child = None;
                return status;
            }
            assert!(started.elapsed() < Duration::from_secs(20), "the hub does not stop");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// As a crash would end it.
    pub fn kill9(&mut self) {
        let died = self.exited().filter(|status| status.signal().is_some());
        if let Some(mut child) = self.child.take() {
            // It may have ended already.
            let _ = child.kill();
            child.wait().expect("the hub is our child");
        }
        if let Some(status) = died {
            eprintln!("{} had died before: {status}", self.base);
            assert!(std::thread::panicking(), "the hub died by itself\n{}", self.log());
        }
    }

    /// An orderly stop, and a start on the same port with the same data.
    pub async fn restart(&mut self) {
        let status = self.terminate().await;
        assert!(status.success(), "the hub stopped with {status}\n{}", self.log());
        self.start().await;
    }

    /// How it ended, if it did.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.as_mut()?.try_wait().expect("the hub is our child")
    }

    pub fn is_running(&mut self) -> bool {
        self.child.is_some() && self.exited().is_none()
    }

    /// The folder that all of its files are in.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn log_file(&self) -> PathBuf {
        self.dir.path().join("stderr.log")
    }

    /// The end of what it logged.
    pub fn log(&self) -> String {
        tail_of(&self.log_file())
    }
}

/// The program of the version before, built when it is first asked for.
pub fn previous() -> PathBuf {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/services/previous/build");
    let told = Command::new(script).output();
    let told = told.unwrap_or_else(|error| panic!("{script}: {error}"));
    let why = String::from_utf8_lossy(&told.stderr);
    assert!(told.status.success(), "the version before cannot be built: {why}");
    PathBuf::from(String::from_utf8_lossy(&told.stdout).trim())
}

/// The resident memory of a process, in bytes; `None` where there is none.
pub fn resident(process: u32) -> Option<u64> {
    Process { name: String::new(), pid: process }.resident().ok()
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.kill9();
        if std::thread::panicking() {
            eprintln!("--- {} logged:\n{}", self.base, self.log());
        }
    }
}

/// The program that is tested: the one that was built with the tests, unless another is named.
fn tested() -> PathBuf {
    let named = std::env::var_os("ROOKERY_TEST_BINARY");
    named.map_or_else(|| env!("CARGO_BIN_EXE_rookery").into(), PathBuf::from)
}

/// The last lines of a log.
pub fn tail_of(file: &Path) -> String {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(60)..].join("\n")
}

/// A port that nobody listens on, below those that the kernel gives to outgoing connections.
fn free_port() -> u16 {
    loop {
        let random = u64::from_str_radix(&unique(), 16).expect("hexadecimal digits");
        // Below those of the services: one that is stopped comes back to its own.
        let port = 10_000 + (random % 15_000) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
