//! Everybody in one large room leaves and comes back: what those who stay are told of it.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::company::Company;
use super::figures::Figures;
use super::ground::Ground;
use super::processes::Meter;
use super::speech::{Speech, Told};
use super::{Failure, Site, at_least, idle};

const TURN: Duration = Duration::from_millis(20);
const TOLD_WITHIN: Duration = Duration::from_secs(60);
/// Until everybody has been told of those who came: who comes and goes at once never is one.
const SETTLED_WITHIN: Duration = Duration::from_secs(1);

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
    /// Where somebody is not told once of each who leaves, and then of each who returns.
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

        idle::follow(&mut company, 0..followers)?;
        idle::rest(&mut company, SETTLED_WITHIN)?;
        let meter = Meter::start(site.processes)?;
        company.drop_sockets(others.clone());
        let leaving = listen(&mut company, followers, others.len(), Change::Leaves)?;
        company.call(others.clone(), others.len());
        let returning = listen(&mut company, followers, others.len(), Change::Returns)?;
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Leaves,
    Returns,
}

/// A presence frame.
#[derive(Deserialize)]
struct Frame {
    users: Vec<Seen>,
}

#[derive(Deserialize)]
struct Seen {
    user_id: String,
    status: String,
}

/// Until each follower has heard of so many people, of each once and of all the same.
fn listen(
    company: &mut Company,
    followers: usize,
    changes: usize,
    change: Change,
) -> Result<Heard, Failure> {
    let (mut heard, began) = (Heard::default(), Instant::now());
    let mut told = vec![HashSet::new(); followers];
    let mut wrong = None;
    while told.iter().any(|told| told.len() < changes) || company.is_coming() {
        company.turn(TURN, |(socket, _), frame| {
            let (Told::Presence(frame), Some(told)) = (frame, told.get_mut(socket)) else { return };
            heard.frames += 1;
            heard.bytes += frame.len() as u64;
            heard.time = began.elapsed();
            let Ok(Frame { users }) = serde_json::from_slice(frame) else {
                wrong = Some("a frame of presence is none".to_owned());
                return;
            };
            for Seen { user_id, status } in users {
                let is_right = (status == "offline") == (change == Change::Leaves);
                if !is_right || told.contains(&user_id) {
                    wrong = Some(format!("somebody is told that {user_id} is {status}"));
                }
                told.insert(user_id);
            }
        })?;
        if let Some(wrong) = wrong {
            return Err(wrong.into());
        }
        if began.elapsed() > TOLD_WITHIN {
            let least = told.iter().map(HashSet::len).min().unwrap_or_default();
            return Err(format!("somebody was told of {least} of {changes} changes").into());
        }
    }
    Ok(heard)
}
