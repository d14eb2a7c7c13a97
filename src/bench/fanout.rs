//! Messages to everybody in their rooms: what one delivery costs, and how long it takes.

use std::time::{Duration, Instant};

use clap::value_parser;

use super::company::Company;
use super::figures::Figures;
use super::processes::Meter;
use super::speech::Speech;
use super::talk::{PATIENCE, Pace, SMALLEST, Talk};
use super::{Failure, Site, at_least};

#[derive(Debug, Clone, clap::Args)]
pub struct Fanout {
    #[arg(long, default_value_t = 1, value_parser = at_least::<1>)]
    pub rooms: usize,
    /// In each room.
    #[arg(long, default_value_t = 1_000, value_parser = at_least::<1>)]
    pub members: usize,
    /// Messages a second in each room.
    #[arg(long, default_value_t = 20.0, conflicts_with = "window")]
    pub rate: f64,
    /// Instead of a rate: so many messages of each room are under way at any time.
    #[arg(long, value_parser = at_least::<1>)]
    pub window: Option<usize>,
    /// Bytes of a message.
    #[arg(long, default_value_t = 128, value_parser = at_least::<SMALLEST>)]
    pub size: usize,
    /// Seconds that are measured.
    #[arg(long, default_value_t = 10, value_parser = value_parser!(u64).range(1..))]
    pub seconds: u64,
    /// Seconds before that.
    #[arg(long, default_value_t = 2)]
    pub warm_up: u64,
    /// Seconds until what was said last has to be heard by everybody.
    #[arg(long, default_value_t = PATIENCE.as_secs())]
    pub patience: u64,
    /// What the server speaks.
    #[arg(long, value_enum, default_value = "rookery")]
    pub speech: Speech,
}

impl Fanout {
    fn pace(&self) -> Pace {
        self.window.map_or(Pace::Rate(self.rate), Pace::Window)
    }

    /// # Errors
    ///
    /// Where a delivery is missing, came twice, or in another order than elsewhere.
    pub async fn run(&self, site: &Site<'_>) -> Result<Figures, Failure> {
        let rooms = site.rooms(self.rooms, self.members).await?;
        let mut company = Company::gather(self.speech, site.address, &rooms)?;
        let mut talk = Talk::new(&mut company, 0..rooms.len(), self.pace(), self.size);
        talk.go_on(Duration::from_secs(self.warm_up))?;
        let (meter, began) = (Meter::start(site.processes)?, Instant::now());
        talk.measure(true);
        talk.go_on(Duration::from_secs(self.seconds))?;
        talk.measure(false);
        let (taken, time) = (meter.read()?, began.elapsed());
        let mut heard = talk.end(Duration::from_secs(self.patience))?;
        let mut figures = Figures::default();
        figures.note("sockets", company.count() as f64);
        figures.note("messages", heard.said as f64);
        figures.note("all_deliveries", heard.all_deliveries as f64);
        figures.note("deliveries_per_second", heard.deliveries as f64 / time.as_secs_f64());
        figures.note_cpu(&taken, "delivery", heard.deliveries);
        figures.note_times("seen", &mut heard.times);
        Ok(figures)
    }
}
