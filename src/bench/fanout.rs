//! Messages to everybody in their rooms: what one delivery costs, and how long it takes.

use std::time::Duration;

use super::company::{Company, Room};
use super::figures::Figures;
use super::processes::Meter;
use super::speech::Speech;
use super::talk::{PATIENCE, Pace, SMALLEST, Talk};
use super::{Failure, Site};

#[derive(Debug, Clone, clap::Args)]
pub struct Fanout {
    #[arg(long, default_value_t = 1)]
    pub rooms: usize,
    /// In each room.
    #[arg(long, default_value_t = 1_000)]
    pub members: usize,
    /// Messages a second in each room.
    #[arg(long, default_value_t = 20.0, conflicts_with = "window")]
    pub rate: f64,
    /// Instead of a rate: so many messages of each room are under way at any time.
    #[arg(long)]
    pub window: Option<usize>,
    /// Bytes of a message.
    #[arg(long, default_value_t = 128)]
    pub size: usize,
    /// Seconds that are measured.
    #[arg(long, default_value_t = 10)]
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
    pub fn pace(&self) -> Pace {
        self.window.map_or(Pace::Rate(self.rate), Pace::Window)
    }

    /// # Errors
    ///
    /// Where a delivery is missing, came twice, or in another order than elsewhere.
    pub async fn run(&self, site: &Site) -> Result<Figures, Failure> {
        if self.size < SMALLEST {
            return Err(format!("--size: at least {SMALLEST} bytes").into());
        }
        let rooms = site.rooms(self.rooms, self.members).await?;
        let mut figures = Figures::default();
        self.talk(site, &rooms, &mut figures)?;
        Ok(figures)
    }

    fn talk(&self, site: &Site, rooms: &[Room], figures: &mut Figures) -> Result<(), Failure> {
        let mut company = Company::gather(self.speech, site.address(), rooms)?;
        let mut talk = Talk::new(&mut company, 0..rooms.len(), self.pace(), self.size);
        talk.go_on(Duration::from_secs(self.warm_up))?;
        let meter = Meter::start(site.processes())?;
        talk.measure(true);
        talk.go_on(Duration::from_secs(self.seconds))?;
        talk.measure(false);
        let taken = meter.read()?;
        let mut heard = talk.end(Duration::from_secs(self.patience))?;
        figures.note("sockets", company.count() as f64);
        figures.note("deliveries", heard.deliveries as f64);
        figures.note("deliveries_per_second", heard.deliveries as f64 / self.seconds as f64);
        figures.note_cpu(&taken, "delivery", heard.deliveries);
        figures.note_times("seen", &mut heard.times);
        Ok(())
    }
}
