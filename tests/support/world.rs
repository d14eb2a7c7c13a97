//! The running instances that the stories of one test binary share, and the people in them.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Mutex;

use super::cluster::Services;
use super::hub::tail_of;
use super::{Cluster, Hub, Person};

/// What a story gets: one embedded hub, or the instances of a cluster.
pub struct World {
    bases: Vec<String>,
    logs: Vec<PathBuf>,
    mode: Mode,
    /// An instance that only this story has.
    hub: Option<Hub>,
    people: AtomicUsize,
}

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Embedded,
    Cluster,
}

enum Running {
    NotYet,
    /// The first story to need it could not start it; the others do not try again.
    Failed,
    Embedded(Hub),
    Cluster(Cluster),
}

/// Started by the first story, stopped when the process ends.
static RUNNING: Mutex<Running> = Mutex::const_new(Running::NotYet);

extern "C" fn stop_at_exit() {
    if let Ok(mut running) = RUNNING.try_lock() {
        *running = Running::NotYet;
    }
}

impl World {
    /// One hub with its log and store in files.
    pub async fn embedded() -> World {
        let mut running = RUNNING.lock().await;
        if let Running::NotYet = *running {
            begin(&mut running);
            *running = Running::Embedded(Hub::embedded().await);
        }
        World::of(&running)
    }

    /// Two instances on Kafka and MySQL.
    pub async fn cluster() -> World {
        let mut running = RUNNING.lock().await;
        if let Running::NotYet = *running {
            begin(&mut running);
            *running = Running::Cluster(Cluster::start(2).await);
        }
        World::of(&running)
    }

    fn of(running: &Running) -> World {
        let (mode, hubs) = match running {
            Running::Embedded(hub) => (Mode::Embedded, std::slice::from_ref(hub)),
            Running::Cluster(cluster) => (Mode::Cluster, &cluster.hubs[..]),
            Running::NotYet | Running::Failed => {
                panic!("the hub did not start; see the first test")
            }
        };
        World {
            bases: hubs.iter().map(|hub| hub.base.clone()).collect(),
            logs: hubs.iter().map(Hub::log_file).collect(),
            mode,
            hub: None,
            people: AtomicUsize::new(0),
        }
    }

    /// Where the instances of a cluster keep what they share.
    pub async fn services(&self) -> Services {
        match &*RUNNING.lock().await {
            Running::Cluster(cluster) => cluster.services.clone(),
            _ => panic!("no cluster runs"),
        }
    }

    /// A world with an instance that this story has to itself, with these settings. In a cluster
    /// it is one more instance of the same cluster.
    pub async fn with(&self, env: &[(&str, &str)]) -> World {
        let hub = match self.mode {
            Mode::Embedded => Hub::embedded_with(env).await,
            Mode::Cluster => self.services().await.hub(env).await,
        };
        World {
            bases: vec![hub.base.clone()],
            logs: Vec::new(),
            mode: self.mode,
            hub: Some(hub),
            people: AtomicUsize::new(0),
        }
    }

    /// The instance that this story has to itself.
    pub fn hub(&mut self) -> &mut Hub {
        self.hub.as_mut().expect("a world made by World::with")
    }

    /// Runs a command of the operator's with the settings of the instances; returns what it
    /// printed.
    pub async fn command(&self, arguments: &[&str]) -> String {
        self.command_with(arguments, "").await
    }

    /// As [`World::command`], with this on its standard input.
    pub async fn command_with(&self, arguments: &[&str], input: &str) -> String {
        if let Some(hub) = &self.hub {
            return hub.command(arguments, input);
        }
        match &*RUNNING.lock().await {
            Running::Embedded(hub) => hub.command(arguments, input),
            Running::Cluster(cluster) => cluster.hubs[0].command(arguments, input),
            Running::NotYet | Running::Failed => panic!("no hub runs"),
        }
    }

    pub fn bases(&self) -> Vec<String> {
        self.bases.clone()
    }

    pub fn is_cluster(&self) -> bool {
        self.mode == Mode::Cluster
    }

    /// Somebody new, whose user name begins with `name`. People start out on instances in turn.
    pub async fn person(&self, name: &str) -> Person {
        let username = format!("{name}-{}", super::unique());
        Person::sign_up_at(&self.bases, self.next_turn(), &username).await
    }

    /// Nobody: not logged in.
    pub fn stranger(&self) -> Person {
        Person::stranger(&self.bases, self.next_turn())
    }

    pub async fn people<const N: usize>(&self, names: [&str; N]) -> [Person; N] {
        let mut people = Vec::new();
        for name in names {
            people.push(self.person(name).await);
        }
        people.try_into().unwrap_or_else(|_| unreachable!("one for each name"))
    }

    fn next_turn(&self) -> usize {
        self.people.fetch_add(1, Ordering::Relaxed)
    }
}

fn begin(running: &mut Running) {
    *running = Running::Failed;
    // SAFETY: registers a function of this process; it runs on the main thread at exit.
    unsafe { libc::atexit(stop_at_exit) };
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for log in &self.logs {
                eprintln!("--- {}:\n{}", log.display(), tail_of(log));
            }
        }
    }
}
