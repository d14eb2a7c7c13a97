//! Messages that are accepted and stored: how many a second, and what each costs.

use std::time::{Duration, Instant};

use clap::value_parser;

use super::company::Company;
use super::figures::Figures;
use super::ground::Ground;
use super::processes::Meter;
use super::speech::Speech;
use super::talk::{PATIENCE, Pace, SMALLEST, Talk};
use super::{Failure, Site, at_least};

const LOOK_EVERY: Duration = Duration::from_millis(10);
const STORED_WITHIN: Duration = Duration::from_secs(120);

#[derive(Debug, Clone, clap::Args)]
pub struct Stored {
    #[arg(long, default_value_t = 50, value_parser = at_least::<1>)]
    pub rooms: usize,
    /// In each room.
    #[arg(long, default_value_t = 2, value_parser = at_least::<1>)]
    pub members: usize,
    /// Messages of each room that are under way at any time.
    #[arg(long, default_value_t = 50, value_parser = at_least::<1>)]
    pub window: usize,
    /// Instead: messages a second in each room.
    #[arg(long, conflicts_with = "window")]
    pub rate: Option<f64>,
    /// Bytes of a message.
    #[arg(long, default_value_t = 128, value_parser = at_least::<SMALLEST>)]
    pub size: usize,
    /// Seconds that are measured, and then those until the last message is stored.
    #[arg(long, default_value_t = 10, value_parser = value_parser!(u64).range(1..))]
    pub seconds: u64,
    /// Seconds before that.
    #[arg(long, default_value_t = 3)]
    pub warm_up: u64,
}

impl Stored {
    /// # Errors
    ///
    /// Where a message was not accepted, not delivered, or not stored.
    pub async fn run(&self, ground: &Ground) -> Result<Figures, Failure> {
        let site = Site::of(ground);
        let rooms = site.rooms(self.rooms, self.members).await?;
        let mut company = Company::gather(Speech::Rookery, site.address, &rooms)?;
        let stored = ground.stored()?;
        let pace = self.rate.map_or(Pace::Window(self.window), Pace::Rate);
        let mut talk = Talk::new(&mut company, 0..rooms.len(), pace, self.size);
        talk.go_on(Duration::from_secs(self.warm_up))?;
        let (before, at_start, began) = (talk.said(), ground.stored()?, Instant::now());
        let meter = Meter::start(site.processes)?;
        talk.measure(true);
        talk.go_on(Duration::from_secs(self.seconds))?;
        let mut heard = talk.end(PATIENCE)?;
        let (messages, accepted_after) = (heard.said - before, began.elapsed());
        ground.wait_until_stored(stored + heard.said, LOOK_EVERY, STORED_WITHIN)?;
        let (stored_after, taken) = (began.elapsed(), meter.read()?);
        // Some of what was said before was stored in this time, too.
        let written = stored + heard.said - at_start;
        let mut figures = Figures::default();
        figures.note("messages", messages as f64);
        let a_second = |count: u64, time: Duration| count as f64 / time.as_secs_f64();
        figures.note("accepted_per_second", a_second(messages, accepted_after));
        figures.note("stored_per_second", a_second(written, stored_after));
        figures.note_cpu(&taken, "message", written);
        figures.note_times("seen", &mut heard.times);
        Ok(figures)
    }
}
