//! `rookery bench`: what a hub takes for what it does, measured from outside.
//!
//! A cheap client, on one thread, drives a hub that runs already or one that is started for it. It
//! checks that every delivery came once and in one order, and reads what processes took of the
//! processor and of memory. It prints a line for each figure, or all of them as JSON.

mod company;
mod crowd;
mod fanout;
mod figures;
mod frames;
mod ground;
mod history;
mod idle;
mod latency;
mod presence;
pub mod processes;
mod prose;
mod speech;
mod stored;
mod storm;
mod talk;

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;

use self::company::Room;
use self::figures::Figures;
use self::ground::Ground;
use self::processes::Process;
use self::speech::Speech;
use crate::config::Config;

/// Files that are open besides sockets.
const OTHER_FILES: usize = 100;

/// Why there are no figures, for a person to read.
pub type Failure = Box<dyn std::error::Error>;

/// Measures a hub.
#[derive(Debug, clap::Args)]
pub struct Bench {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, clap::Args)]
pub struct Options {
    /// The hub to drive, as in http://127.0.0.1:8080.
    ///
    /// This command makes accounts in its store, so it needs the same settings; and the hub's
    /// limits have to allow what is measured: limits.messages_per_second and
    /// limits.changes_per_second with their bursts, above all. Without --url a hub is started for
    /// it, with its files in a folder of its own and no such limits.
    #[arg(long, global = true)]
    url: Option<String>,
    /// A process to be measured, as in broker=1234; more than once for several.
    #[arg(long, global = true, value_name = "NAME=PID")]
    process: Vec<Process>,
    /// Prints the figures as one JSON object.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Messages to everybody in their rooms.
    Fanout(fanout::Fanout),
    /// Connections that do nothing.
    Idle(idle::Idle),
    /// Messages that are accepted and stored.
    Store(stored::Stored),
    /// From a send until it is seen, beside Kafka's own time.
    Latency(latency::Latency),
    /// Pages, searches and lists, while what is stored grows.
    History(history::History),
    /// All sockets end at once and come back.
    Storm(storm::Storm),
    /// Everybody in one large room leaves and comes back.
    Presence(presence::Presence),
}

impl Bench {
    /// Measures, and returns what to print.
    ///
    /// # Errors
    ///
    /// Where something does not work, or a delivery is missing, came twice or in another order.
    pub async fn run(&self, config: &Config, file: Option<&Path>) -> Result<String, Failure> {
        ground::raise_open_files()?;
        let figures = self.figures(config, file).await?;
        Ok(match self.options.json {
            true => serde_json::to_string(&figures)?,
            false => figures.to_string().trim_end().to_owned(),
        })
    }

    async fn figures(&self, config: &Config, file: Option<&Path>) -> Result<Figures, Failure> {
        match &self.what {
            What::Fanout(fanout) if fanout.speech != Speech::Rookery => {
                return fanout.run(&Site::peer(&self.options)?).await;
            }
            What::Idle(idle) if idle.speech != Speech::Rookery => {
                return idle.run(&Site::peer(&self.options)?).await;
            }
            _ => {}
        }
        let ground = Ground::lay(config, file, &self.options).await?;
        match &self.what {
            What::Fanout(fanout) => fanout.run(&Site::of(&ground)).await,
            What::Idle(idle) => idle.run(&Site::of(&ground)).await,
            What::Store(stored) => stored.run(&ground).await,
            What::Latency(latency) => latency.run(config, &ground).await,
            What::History(history) => history.run(ground).await,
            What::Storm(storm) => storm.run(&ground).await,
            What::Presence(presence) => presence.run(&ground).await,
        }
    }
}

/// What sockets are opened at: a hub, or a server that it is compared with.
struct Site<'a> {
    address: SocketAddr,
    processes: &'a [Process],
    /// Of a hub.
    ground: Option<&'a Ground>,
}

impl<'a> Site<'a> {
    fn of(ground: &'a Ground) -> Site<'a> {
        Site { address: ground.address, processes: &ground.processes, ground: Some(ground) }
    }

    /// Another server than a hub has to run already.
    fn peer(options: &'a Options) -> Result<Site<'a>, Failure> {
        let url = options.url.as_deref().ok_or("--url: say where this server listens")?;
        Ok(Site { address: address_of(url)?, processes: &options.process, ground: None })
    }

    /// So many rooms with so many members each, none of whom is in two of them.
    async fn rooms(&self, rooms: usize, members: usize) -> Result<Vec<Room>, Failure> {
        let sockets = rooms * members;
        let most = ground::raise_open_files()?;
        if (sockets + OTHER_FILES) as u64 > most {
            let limit = format!("the limit here is {most} open files (ulimit -n)");
            return Err(format!("{sockets} sockets are too many: {limit}").into());
        }
        let Some(ground) = self.ground else {
            let tokens = vec![String::new(); members];
            let room = |number: usize| Room { id: number.to_string(), tokens: tokens.clone() };
            return Ok((0..rooms).map(room).collect());
        };
        let people = ground.people(sockets).await?;
        let room = |(number, members): (usize, &[ground::Login])| {
            let id = ground.room(&format!("bench {number}"), members)?;
            Ok(Room { id, tokens: members.iter().map(|login| login.token.clone()).collect() })
        };
        people.chunks(members).enumerate().map(room).collect()
    }
}

fn address_of(url: &str) -> Result<SocketAddr, Failure> {
    let host = url.strip_prefix("http://").ok_or("--url should be http://HOST:PORT")?;
    let mut found = host.trim_end_matches('/').to_socket_addrs()?;
    found.next().ok_or_else(|| format!("--url: {host} has no address").into())
}

/// Reads a number on the command line that may not be smaller.
fn at_least<const LEAST: usize>(text: &str) -> Result<usize, String> {
    let number: usize = text.parse().map_err(|_| "should be a number".to_owned())?;
    if number < LEAST { Err(format!("should be at least {LEAST}")) } else { Ok(number) }
}
