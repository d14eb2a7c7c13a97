//! Everybody in one large room leaves and comes back: what those who stay are told of it.

use std::time::{Duration, Instant};

use super::company::{Company, Room};
use super::figures::Figures;
use super::ground::Ground;
use super::processes::Meter;
use super::speech::{Speech, Told};
use super::{Failure, Site};

const TURN: Duration = Duration::from_millis(20);
/// After the last change was told.
const QUIET: Duration = Duration::from_secs(2);
const TOLD_WITHIN: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, clap::Args)]
pub struct Presence {
    #[arg(long, default_value_t = 10_000)]
    pub members: usize,
    /// Members who stay, and follow who is there.
    #[arg(long, default_value_t = 100)]
    pub followers: usize,
}

impl Presence {
    pub async fn run(&self, ground: &Ground) -> Result<Figures, Failure> {
        let site = Site::Hub(ground);
        let Room { id, tokens } = site.rooms(1, self.members).await?.remove(0);
        let followers = self.followers.min(self.members);
        let mut company =
            Company::gather(Speech::Rookery, site.address(), &[Room { id, tokens }])?;
        (0..followers).for_each(|socket| company.follow(0, socket));
        listen(&mut company, followers)?;
        let (leaving, changes) = (followers..self.members, self.members - followers);
        let mut figures = Figures::default();
        figures.note("changes", changes as f64);
        let meter = Meter::start(site.processes())?;
        company.drop_sockets(leaving.clone());
        listen(&mut company, followers)?.note(&mut figures, "leaving", followers, changes);
        company.dial_all(leaving)?;
        listen(&mut company, followers)?.note(&mut figures, "returning", followers, changes);
        figures.note_cpu(&meter.read()?, "change", 2 * changes as u64);
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
        let followers = followers.max(1) as f64;
        figures.note(format!("{when}_frames_per_follower"), self.frames as f64 / followers);
        let each = self.bytes as f64 / followers / changes.max(1) as f64;
        figures.note(format!("{when}_bytes_per_follower_and_change"), each);
        figures.note(format!("{when}_told_after_s"), self.time.as_secs_f64());
    }
}

/// Until nothing was told for a while, and everybody who was dialled is there.
fn listen(company: &mut Company, followers: usize) -> Result<Heard, Failure> {
    let (mut heard, began) = (Heard::default(), Instant::now());
    let mut last = began;
    while last.elapsed() < QUIET || company.is_coming() {
        company.turn(TURN, |(socket, _), told| {
            if let (Told::Presence(bytes), true) = (told, socket < followers) {
                heard.frames += 1;
                heard.bytes += bytes as u64;
                last = Instant::now();
            }
        })?;
        company.dial_those_sent_away()?;
        if began.elapsed() > TOLD_WITHIN {
            return Err("changes are still told".into());
        }
    }
    heard.time = last - began;
    Ok(heard)
}
