//! Connections that do nothing: logged in, in a room of ten, following who is there.

use std::time::{Duration, Instant};

use super::company::Company;
use super::figures::Figures;
use super::ground::Ground;
use super::processes::Meter;
use super::speech::Speech;
use super::{Failure, Site};

const ROOM: usize = 10;
const TURN: Duration = Duration::from_millis(50);

#[derive(Debug, Clone, clap::Args)]
pub struct Idle {
    #[arg(long, default_value_t = 10_000)]
    pub sockets: usize,
    /// Seconds until memory is read, and in which the processor is.
    #[arg(long, default_value_t = 10)]
    pub seconds: u64,
}

impl Idle {
    pub async fn run(&self, ground: &Ground) -> Result<Figures, Failure> {
        let site = Site::Hub(ground);
        let rooms = site.rooms(self.sockets.div_ceil(ROOM), ROOM).await?;
        let before = self.resident(&site)?;
        let mut company = Company::gather(Speech::Rookery, site.address(), &rooms)?;
        for room in 0..rooms.len() {
            company.sockets(room).for_each(|socket| company.follow(room, socket));
        }
        // What greeting them took is given back.
        rest(&mut company, Duration::from_secs(self.seconds))?;
        let meter = Meter::start(site.processes())?;
        rest(&mut company, Duration::from_secs(self.seconds))?;
        let (taken, after) = (meter.read()?, self.resident(&site)?);
        let mut figures = Figures::default();
        figures.note("sockets", company.count() as f64);
        for ((name, before), (_, after)) in before.iter().zip(&after) {
            let more = after.saturating_sub(*before) as f64;
            figures.note(format!("resident_mib_{name}"), *after as f64 / f64::from(1 << 20));
            figures.note(format!("bytes_per_socket_{name}"), more / company.count().max(1) as f64);
        }
        let socket_seconds = company.count() as u64 * self.seconds;
        figures.note_cpu(&taken, "socket_second", socket_seconds);
        Ok(figures)
    }

    fn resident(&self, site: &Site) -> Result<Vec<(String, u64)>, Failure> {
        let processes = site.processes().iter();
        let resident = processes.map(|process| Ok((process.name.clone(), process.resident()?)));
        resident.collect()
    }
}

/// Answers pings, and says nothing.
fn rest(company: &mut Company, time: Duration) -> Result<(), Failure> {
    let began = Instant::now();
    while began.elapsed() < time {
        company.turn(TURN, |_, _| {})?;
    }
    company.is_whole()
}
