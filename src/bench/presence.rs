//! Everybody in one large room leaves and comes back: what those who stay are told of it.

use std::time::{Duration, Instant};

use memchr::memmem;

use super::company::Company;
use super::figures::Figures;
use super::ground::Ground;
use super::processes::Meter;
use super::speech::{Speech, Told};
use super::{Failure, Site, at_least};

const TURN: Duration = Duration::from_millis(20);
const TOLD_WITHIN: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, clap::Args)]
pub struct Presence {
    #[arg(long, default_value_t = 10_000, value_parser = at_least::<2>)]
    pub members: usize,
    /// Members who stay, and follow who is there.
    #[arg(long, default_value_t = 100, value_parser = at_least::<1>)]
    pub followers: usize,
}

impl Presence {
    /// # Errors
    ///
    /// Where somebody is not told of all who leave and return.
    pub async fn run(&self, ground: &Ground) -> Result<Figures, Failure> {
        let followers = self.followers;
        if followers >= self.members {
            return Err("--followers: fewer than --members, so that some can leave".into());
        }
        let site = Site::of(ground);
        let rooms = site.rooms(1, self.members).await?;
        let mut company = Company::gather(Speech::Rookery, site.address, &rooms)?;
        let others = followers..self.members;
        let mut figures = Figures::default();
        figures.note("changes", others.len() as f64);

        (0..followers).for_each(|socket| company.follow(0, socket));
        listen(&mut company, followers, 0)?;
        let meter = Meter::start(site.processes)?;
        company.drop_sockets(others.clone());
        let leaving = listen(&mut company, followers, others.len())?;
        company.call(others.clone(), others.len());
        let returning = listen(&mut company, followers, others.len())?;
        let taken = meter.read()?;
        leaving.note(&mut figures, "leaving", followers, others.len());
        returning.note(&mut figures, "returning", followers, others.len());
        figures.note_cpu(&taken, "change", 2 * others.len() as u64);
        Ok(figures)
    }
}

/// What the followers were told.
#[derive(Default)]
struct Heard {
    frames: u64,
    bytes: u64,
    time: Duration,
}

impl Heard {
    fn note(&self, figures: &mut Figures, when: &str, followers: usize, changes: usize) {
        let followers = followers as f64;
        figures.note(format!("{when}_frames_per_follower"), self.frames as f64 / followers);
        let each = self.bytes as f64 / followers / changes as f64;
        figures.note(format!("{when}_bytes_per_follower_and_change"), each);
        figures.note(format!("{when}_told_after_s"), self.time.as_secs_f64());
    }
}

/// Until each follower has heard of so many changes; of none: until each follows.
fn listen(company: &mut Company, followers: usize, changes: usize) -> Result<Heard, Failure> {
    let (mut heard, began) = (Heard::default(), Instant::now());
    let (mut follows, mut told) = (0, vec![0; followers]);
    let is_over = |follows: usize, told: &[usize]| match changes {
        0 => follows >= followers,
        _ => told.iter().all(|told| *told >= changes),
    };
    while !is_over(follows, &told) || company.is_coming() {
        company.turn(TURN, |(socket, _), frame| match (frame, told.get_mut(socket)) {
            (Told::Follows, Some(_)) => follows += 1,
            (Told::Presence(frame), Some(told)) => {
                *told += memmem::find_iter(frame, br#""user_id""#).count();
                heard.frames += 1;
                heard.bytes += frame.len() as u64;
                heard.time = began.elapsed();
            }
            _ => {}
        })?;
        if began.elapsed() > TOLD_WITHIN {
            let least = told.iter().min().copied().unwrap_or_default();
            return Err(format!("somebody was told of {least} of {changes} changes").into());
        }
    }
    Ok(heard)
}
