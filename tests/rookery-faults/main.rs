//! The fault runs: three instances, one Kafka and one MariaDB, a crowd of clients, and everything
//! broken that breaks. What they saw is judged by `rookery::guarantees`.

#[path = "../support/mod.rs"]
mod support;

mod asking;
mod balancer;
mod cast;
mod client;
mod clock;
mod crowd;
mod disk;
mod figures;
mod finale;
mod herd;
mod links;
mod members;
mod memory;
mod observers;
mod poison;
mod proxy;
mod pulse;
mod recording;
mod report;
mod rows;
mod run;
mod stage;
mod topic;
mod world;

use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use futures_util::FutureExt;
use report::{Report, Told};
use rows::Row;
use run::Ran;
use world::World;

/// Of one run: those with the longest outage, of three minutes, take five.
const LIMIT: Duration = Duration::from_secs(30 * 60);

/// Breaks things on purpose, and checks that the hub keeps its promises all the same.
#[derive(Debug, Parser)]
struct Arguments {
    /// The rows to run, by parts of their names; without any, a short selection.
    rows: Vec<String>,
    /// All rows.
    #[arg(long)]
    all: bool,
    /// Lists the rows.
    #[arg(long)]
    list: bool,
    /// How often each row is run, each time with another seed.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// The first seed; made up if not given.
    #[arg(long)]
    seed: Option<u64>,
    /// Seconds of quiet before the last look.
    #[arg(long, default_value_t = 2)]
    quiet: u64,
    /// Appends what each run came to as a line of JSON.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Writes what was seen in a run that failed into this folder.
    #[arg(long)]
    dump: Option<PathBuf>,
    /// Runs nothing: prints the table of what such files hold.
    #[arg(long)]
    table: Vec<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let rows = chosen(&arguments);
    if arguments.list {
        rows.iter().for_each(|row| println!("{}: {}", row.name, row.about));
        return ExitCode::SUCCESS;
    }
    if !arguments.table.is_empty() {
        print!("{}", Report::read(&arguments.table));
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let report = runtime.expect("a runtime").block_on(play(&arguments, &rows));
    print!("{report}");
    println!("test result: {}", report.summary());
    if report.has_failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn chosen(arguments: &Arguments) -> Vec<Row> {
    let (all, everything) = (rows::all(), arguments.all || arguments.list);
    let names: Vec<&str> = all.iter().map(|row| row.name).collect();
    // A whole name means this row alone.
    let fits = |row: &Row, part: &str| match names.contains(&part) {
        true => row.name == part,
        false => row.name.contains(part),
    };
    let is_chosen = |row: &&Row| match arguments.rows.is_empty() {
        true => everything || row.is_selected,
        false => arguments.rows.iter().any(|part| fits(row, part)),
    };
    all.iter().filter(is_chosen).cloned().collect()
}

async fn play(arguments: &Arguments, rows: &[Row]) -> Report {
    let first = arguments.seed.unwrap_or_else(made_up);
    let quiet = Duration::from_secs(arguments.quiet);
    let mut report = Report::default();
    let mut world: Option<World> = None;
    for (index, row) in rows.iter().enumerate() {
        if index > 0 && !row.goes_on_after(&rows[index - 1]) {
            world = None;
        }
        for seed in (0..arguments.seeds).map(|number| first.wrapping_add(number)) {
            println!("── {}, --seed {seed}", row.name);
            let started = Instant::now();
            let there = match world.take() {
                Some(world) => world,
                None => row.world().await,
            };
            let run = AssertUnwindSafe(run::run(row, there, seed, quiet)).catch_unwind();
            let told = match tokio::time::timeout(LIMIT, run).await {
                Ok(Ok((ran, mut there))) => {
                    let told = Told::of(row, seed, &ran);
                    if let (Some(folder), true) = (&arguments.dump, told.has_failed()) {
                        dump(folder, row, seed, &ran, there.logs());
                    }
                    world = Some(there);
                    told
                }
                // It said why.
                Ok(Err(_)) => Told::broken_off(row, seed),
                Err(_) => {
                    println!("   given up after {LIMIT:?}");
                    Told::broken_off(row, seed)
                }
            };
            println!("{told}   ({} s)", started.elapsed().as_secs());
            if let Some(file) = &arguments.out {
                told.append(file);
            }
            report.add(told);
        }
    }
    report
}

fn dump(folder: &Path, row: &Row, seed: u64, ran: &Ran, logs: Vec<String>) {
    let file = folder.join(format!("{}-{seed}.txt", row.name.replace([' ', ','], "-")));
    std::fs::write(&file, format!("{:#?}\n{:#?}", ran.history, ran.kafka))
        .expect("the folder of --dump");
    std::fs::write(file.with_extension("log"), logs.join("\n")).expect("the folder of --dump");
    println!("   what was seen: {}", file.display());
}

fn made_up() -> u64 {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    now.as_millis() as u64 % 1_000_000
}
