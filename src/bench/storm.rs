//! All sockets end at once, come back, and resume, beside a room in which people go on talking.

use std::time::{Duration, Instant};

use super::company::Company;
use super::figures::Figures;
use super::ground::Ground;
use super::processes::Meter;
use super::speech::Speech;
use super::talk::{PATIENCE, Pace, Talk};
use super::{Failure, Site};

const ROOM: usize = 10;
const BYSTANDERS: usize = 10;
const RATE: f64 = 20.0;
const SIZE: usize = 128;
const CALM: Duration = Duration::from_secs(5);
const BACK_WITHIN: Duration = Duration::from_secs(60);
const STEP: Duration = Duration::from_millis(50);

#[derive(Debug, Clone, clap::Args)]
pub struct Storm {
    /// Those that end and come back, ten in a room.
    #[arg(long, default_value_t = 10_000)]
    pub sockets: usize,
}

impl Storm {
    pub async fn run(&self, ground: &Ground) -> Result<Figures, Failure> {
        let site = Site::Hub(ground);
        let mut rooms = site.rooms(1, BYSTANDERS).await?;
        let bystanders = 0..rooms.len();
        rooms.extend(site.rooms(self.sockets.div_ceil(ROOM), ROOM).await?);
        let mut company = Company::gather(Speech::Rookery, site.address(), &rooms)?;
        let (first, last) = (company.sockets(1).start, company.count());
        let mut figures = Figures::default();

        let mut calm = Talk::new(&mut company, bystanders.clone(), Pace::Rate(RATE), SIZE);
        calm.measure(true);
        calm.go_on(CALM)?;
        figures.note_times("calm_seen", &mut calm.end(PATIENCE)?.times);

        company.drop_sockets(first..last);
        for (number, room) in rooms.iter().enumerate().skip(1) {
            company.know(number, ground.position(room)?);
        }
        let queries = ground.figure("rookery_store_queries_total")?;
        let (began, meter) = (Instant::now(), Meter::start(site.processes())?);
        company.dial_all(first..last)?;
        let mut storm = Talk::new(&mut company, bystanders, Pace::Rate(RATE), SIZE);
        storm.measure(true);
        while storm.company().is_coming() {
            storm.go_on(STEP)?;
            storm.company().dial_those_sent_away()?;
            if began.elapsed() > BACK_WITHIN {
                return Err("not everybody is back".into());
            }
        }
        let (back_after, taken) = (began.elapsed(), meter.read()?);
        let mut heard = storm.end(PATIENCE)?;
        let queries = ground.figure("rookery_store_queries_total")? - queries;
        figures.note_times("storm_seen", &mut heard.times);
        figures.note("back_after_s", back_after.as_secs_f64());
        figures.note("store_queries_per_socket", queries / (last - first) as f64);
        figures.note_cpu(&taken, "socket", (last - first) as u64);
        Ok(figures)
    }
}
