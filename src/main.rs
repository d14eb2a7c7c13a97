//! The commands: `serve` (the default), `migrate`, `check-config`, `user`, `bench`.

use std::io::{BufRead, IsTerminal, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use rookery::app;
use rookery::auth::passwords;
use rookery::auth::source::Source;
use rookery::bench::Bench;
use rookery::config::{Config, LogFormat};
use rookery::core::text;
use rookery::core::types::Person;
use rookery::hub::now;
use rookery::store::{Account, Store, StoreError};
use tracing_subscriber::EnvFilter;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A real-time chat hub.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    /// A TOML file of settings; the environment (ROOKERY_SECTION__KEY) wins over it.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the hub (the default).
    Serve,
    /// Bring the store's schema up to date, and exit.
    Migrate,
    /// Check the configuration and print every setting, secrets masked.
    CheckConfig,
    /// Manage accounts.
    #[command(subcommand)]
    User(UserCommand),
    /// Measure a hub: one that runs, or one that is started for it.
    Bench(Bench),
}

#[derive(Subcommand)]
enum UserCommand {
    /// Add an account; the password is read from standard input.
    Add {
        username: String,
        /// Make it a hub admin.
        #[arg(long)]
        admin: bool,
    },
    /// Set a password, read from standard input, and end all logins.
    ///
    /// Their open sockets close within a few seconds, with 4501, on all instances.
    Passwd { username: String },
    /// Disable an account and end its logins; what it wrote stays.
    ///
    /// Its open sockets close within a few seconds, with 4503, on all instances.
    Disable { username: String },
    /// Enable an account again.
    Enable { username: String },
    /// Make an account a hub admin, who administers all public groups without being in them.
    Promote { username: String },
    /// Make a hub admin a person like others again, from their next request on.
    Demote { username: String },
    /// List all accounts: id, user name, display name, state, and `admin` for hub admins.
    List,
}

/// Histogram bounds in seconds, for everything that is timed.
const BUCKETS: [f64; 12] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0];

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rookery: {error}");
            ExitCode::FAILURE
        }
    }
}

type Failure = Box<dyn std::error::Error>;

fn run(arguments: Arguments) -> Result<(), Failure> {
    let config = Config::load(arguments.config.as_deref())?;
    let system = actix::System::new();
    match arguments.command.unwrap_or(Command::Serve) {
        Command::Serve => {
            start_logging(&config)?;
            let figures = count_figures()?;
            system.block_on(app::serve(config, Some(figures)))?;
        }
        Command::Migrate => {
            start_logging(&config)?;
            system.block_on(app::open_store(&config))?;
            println!("the schema is up to date");
        }
        Command::CheckConfig => print(&config.masked())?,
        Command::User(command) => system.block_on(user(&config, command))?,
        Command::Bench(bench) => {
            let file = arguments.config.as_deref();
            print(&system.block_on(bench.run(&config, file))?)?;
        }
    }
    Ok(())
}

/// Prints a line; a reader that has read enough is no error.
fn print(line: &str) -> Result<(), Failure> {
    match writeln!(std::io::stdout(), "{line}") {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        written => Ok(written?),
    }
}

fn start_logging(config: &Config) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&config.logging.filter)
        .map_err(|error| format!("logging.filter: should be as in RUST_LOG: {error}"))?;
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.logging.format {
        LogFormat::Json => logs.json().init(),
        LogFormat::Text => logs.with_ansi(std::io::stderr().is_terminal()).init(),
    }
    Ok(())
}

fn count_figures() -> Result<PrometheusHandle, Failure> {
    let figures = PrometheusBuilder::new().set_buckets(&BUCKETS)?.install_recorder()?;
    let upkeep = figures.clone();
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(std::time::Duration::from_secs(5));
            upkeep.run_upkeep();
        }
    });
    Ok(figures)
}

async fn user(config: &Config, command: UserCommand) -> Result<(), Failure> {
    let store = app::open_store(config).await?;
    match command {
        UserCommand::Add { username, admin } => {
            let limits = config.limits.text();
            let username = text::username(&username, &limits)?;
            let hash = new_password(&username).await?;
            let user = match store.create_user(&username, &username, &hash, now()).await {
                Err(StoreError::Taken) => return Err("this user name is taken".into()),
                user => user?,
            };
            if admin {
                store.set_hub_admin(user, true).await?;
            }
            println!("added user {user}: {username}");
        }
        UserCommand::Passwd { username } => {
            let person = person(&store, &username).await?;
            let hash = new_password(&person.username).await?;
            let ended = store.set_password(person.id, &hash, None).await?;
            println!("changed; {} logins ended", ended.len());
        }
        UserCommand::Disable { username } => {
            let person = person(&store, &username).await?;
            let ended = store.set_disabled(person.id, Some(now())).await?;
            println!("disabled {}; {} logins ended", person.username, ended.len());
        }
        UserCommand::Enable { username } => {
            let person = person(&store, &username).await?;
            store.set_disabled(person.id, None).await?;
            println!("enabled {}", person.username);
        }
        UserCommand::Promote { username } => {
            let person = person(&store, &username).await?;
            store.set_hub_admin(person.id, true).await?;
            println!("{} is a hub admin", person.username);
        }
        UserCommand::Demote { username } => {
            let person = person(&store, &username).await?;
            store.set_hub_admin(person.id, false).await?;
            println!("{} is no hub admin", person.username);
        }
        UserCommand::List => list(&store).await?,
    }
    Ok(())
}

async fn person(store: &Store, username: &str) -> Result<Person, Failure> {
    let credentials = store.credentials(username).await?.ok_or("there is no such user")?;
    Ok(credentials.account.person)
}

async fn new_password(username: &str) -> Result<String, Failure> {
    if std::io::stdin().is_terminal() {
        eprint!("Password (shown as you type): ");
        std::io::stderr().flush()?;
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    let password = line.trim_end_matches(['\n', '\r']).to_owned();
    text::password(&password, &[username])?;
    let here = Source::from(IpAddr::from(Ipv4Addr::LOCALHOST));
    passwords::hash(password, here).await.map_err(|_| "the password cannot be hashed".into())
}

async fn list(store: &Store) -> Result<(), Failure> {
    let mut after = None;
    loop {
        let accounts = store.accounts(after, 1_000).await?;
        for account in &accounts {
            let state = match account {
                Account { deleted: true, .. } => "deleted",
                Account { disabled: true, .. } => "disabled",
                _ => "active",
            };
            let admin = if account.hub_admin { "\tadmin" } else { "" };
            let person = &account.person;
            print(&format!(
                "{}\t{}\t{}\t{state}{admin}",
                person.id, person.username, person.display_name
            ))?;
        }
        match accounts.last() {
            Some(last) => after = Some(last.person.id),
            None => return Ok(()),
        }
    }
}
