//! Messages that are accepted and stored: how many a second, and what each costs.

use std::time::{Duration, Instant};

use super::company::Company;
use super::figures::Figures;
use super::ground::Ground;
use super::processes::Meter;
use super::speech::Speech;
use super::talk::{PATIENCE, Pace, Talk};
use super::{Failure, Site};

const STORED_WITHIN: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(10);

#[derive(Debug, Clone, clap::Args)]
pub struct Stored {
    #[arg(long, default_value_t = 50)]
    pub rooms: usize,
    /// In each room.
    #[arg(long, default_value_t = 2)]
    pub members: usize,
    /// Messages of each room that are under way at any time.
    #[arg(long, default_value_t = 100)]
    pub window: usize,
    /// Bytes of a message.
    #[arg(long, default_value_t = 128)]
    pub size: usize,
    #[arg(long, default_value_t = 10)]
    pub seconds: u64,
}

impl Stored {
    /// # Errors
    ///
    /// Where a message was not accepted, not delivered, or not stored.
    pub async fn run(&self, ground: &Ground) -> Result<Figures, Failure> {
        let site = Site::Hub(ground);
        let rooms = site.rooms(self.rooms, self.members).await?;
        let mut company = Company::gather(Speech::Rookery, site.address(), &rooms)?;
        let before = ground.figure("rookery_stored_total")?;
        let (began, meter) = (Instant::now(), Meter::start(site.processes())?);
        let pace = Pace::Window(self.window);
        let mut talk = Talk::new(&mut company, 0..rooms.len(), pace, self.size);
        talk.measure(true);
        talk.go_on(Duration::from_secs(self.seconds))?;
        let mut heard = talk.end(PATIENCE)?;
        let accepted_after = began.elapsed();
        while ground.figure("rookery_stored_total")? - before < heard.said as f64 {
            if began.elapsed() > accepted_after + STORED_WITHIN {
                return Err(format!("not all of {} messages are stored", heard.said).into());
            }
            std::thread::sleep(LOOK_EVERY);
        }
        let (stored_after, taken) = (began.elapsed(), meter.read()?);
        let mut figures = Figures::default();
        figures.note("messages", heard.said as f64);
        let a_second = |time: Duration| heard.said as f64 / time.as_secs_f64();
        figures.note("accepted_per_second", a_second(accepted_after));
        figures.note("stored_per_second", a_second(stored_after));
        figures.note_cpu(&taken, "message", heard.said);
        figures.note_times("seen", &mut heard.times);
        Ok(figures)
    }
}
