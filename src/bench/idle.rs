//! Connections that do nothing: of a hub logged in, in a room of ten, following who is there.

use std::ops::Range;
use std::time::{Duration, Instant};

use clap::value_parser;

use super::company::Company;
use super::figures::Figures;
use super::processes::Meter;
use super::speech::{Speech, Told};
use super::{Failure, Site, at_least};

const ROOM: usize = 10;
/// Sockets that ask at the same time who is in their room.
const ASKING: usize = 200;
const TURN: Duration = Duration::from_millis(50);
const FOLLOW_WITHIN: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, clap::Args)]
pub struct Idle {
    #[arg(long, default_value_t = 10_000, value_parser = at_least::<1>)]
    pub sockets: usize,
    /// Seconds of rest, and then again so many in which the processor is read.
    #[arg(long, default_value_t = 10, value_parser = value_parser!(u64).range(1..))]
    pub seconds: u64,
    /// What the server speaks.
    #[arg(long, value_enum, default_value = "rookery")]
    pub speech: Speech,
}

impl Idle {
    /// The rooms are weighed with their sockets.
    pub async fn run(&self, site: &Site<'_>) -> Result<Figures, Failure> {
        let before = resident(site)?;
        let rooms = site.rooms(self.sockets.div_ceil(ROOM), ROOM).await?;
        let mut company = Company::gather(self.speech, site.address, &rooms)?;
        if self.speech == Speech::Rookery {
            let everybody = 0..company.count();
            follow(&mut company, everybody)?;
        }
        // What greeting them took is given back.
        rest(&mut company, Duration::from_secs(self.seconds))?;
        let meter = Meter::start(site.processes)?;
        rest(&mut company, Duration::from_secs(self.seconds))?;
        let (taken, after) = (meter.read()?, resident(site)?);
        let mut figures = Figures::default();
        figures.note("sockets", company.count() as f64);
        for ((name, before), (_, after)) in before.iter().zip(&after) {
            let more = after.saturating_sub(*before) as f64;
            figures.note(format!("resident_mib_{name}"), *after as f64 / f64::from(1 << 20));
            figures.note(format!("bytes_per_socket_{name}"), more / company.count() as f64);
        }
        figures.note_cpu(&taken, "socket_second", company.count() as u64 * self.seconds);
        Ok(figures)
    }
}

fn resident(site: &Site) -> Result<Vec<(String, u64)>, Failure> {
    let resident = |process: &super::Process| Ok((process.name.clone(), process.resident()?));
    site.processes.iter().map(resident).collect()
}

/// These follow their rooms, and have heard who is there.
pub(super) fn follow(company: &mut Company, sockets: Range<usize>) -> Result<(), Failure> {
    let (count, mut to_ask) = (sockets.len(), sockets);
    let (mut asking, mut following, began) = (0, 0, Instant::now());
    while following < count {
        for socket in to_ask.by_ref().take(ASKING - asking) {
            company.follow(socket);
            asking += 1;
        }
        company.turn(TURN, |_, told| {
            if told == Told::Follows {
                (asking, following) = (asking - 1, following + 1);
            }
        })?;
        if began.elapsed() > FOLLOW_WITHIN {
            return Err(format!("{following} sockets follow their room, no more").into());
        }
    }
    Ok(())
}

/// Answers pings, and says nothing.
pub(super) fn rest(company: &mut Company, time: Duration) -> Result<(), Failure> {
    let began = Instant::now();
    while began.elapsed() < time {
        company.turn(TURN, |_, _| {})?;
    }
    Ok(())
}
