//! All sockets end at once, come back, and are told what they missed, beside a room in which people
//! go on talking.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::company::Company;
use super::figures::Figures;
use super::ground::Ground;
use super::processes::Meter;
use super::speech::{MARK, Speech, Told};
use super::talk::{PATIENCE, Pace, Talk};
use super::{Failure, Site, at_least};

const ROOM: usize = 10;
const BYSTANDERS: usize = 10;
const RATE: f64 = 20.0;
const SIZE: usize = 128;
const CALM: Duration = Duration::from_secs(5);
/// Once all are back.
const AFTER: Duration = Duration::from_secs(1);
const BACK_WITHIN: Duration = Duration::from_secs(120);

#[derive(Debug, Clone, clap::Args)]
pub struct Storm {
    /// Those that end and come back, ten in a room.
    #[arg(long, default_value_t = 10_000, value_parser = at_least::<1>)]
    pub sockets: usize,
}

impl Storm {
    /// # Errors
    ///
    /// Where somebody does not come back, or is not told what they missed.
    pub async fn run(&self, ground: &Ground) -> Result<Figures, Failure> {
        let site = Site::of(ground);
        let mut rooms = site.rooms(1, BYSTANDERS).await?;
        let bystanders = 0..rooms.len();
        rooms.extend(site.rooms(self.sockets.div_ceil(ROOM), ROOM).await?);
        let mut company = Company::gather(Speech::Rookery, site.address, &rooms)?;
        let (first, last) = (BYSTANDERS, company.count());
        let mut figures = Figures::default();

        let mut calm = Talk::new(&mut company, bystanders.clone(), Pace::Rate(RATE), SIZE);
        calm.measure(true);
        calm.go_on(CALM)?;
        figures.note_times("calm_seen", &mut calm.end(PATIENCE)?.times);

        // One message in each room is what everybody misses.
        company.drop_sockets(first..last);
        for (number, room) in rooms.iter().enumerate().skip(1) {
            company.know(number, ground.position(room)?);
            ground.say(room, MARK)?;
            // The bystanders answer pings meanwhile.
            company.turn(Duration::ZERO, |_, _| {})?;
        }
        let queries = ground.figure("rookery_store_queries_total")?;
        let (began, meter) = (Instant::now(), Meter::start(site.processes)?);
        company.call(first..last, last);
        let mut storm = Talk::new(&mut company, bystanders, Pace::Rate(RATE), SIZE);
        storm.measure(true);
        let (told, mut times) = (Cell::new(0), vec![0u8; last]);
        let mut note = |socket: usize, heard: &Told<'_>| {
            if matches!(heard, Told::Message(_)) {
                times[socket] = times[socket].saturating_add(1);
                told.set(told.get() + usize::from(times[socket] == 1));
            }
        };
        let goes_on = |elapsed| told.get() < last - first && elapsed < BACK_WITHIN;
        storm.go_on_while(goes_on, &mut note)?;
        let (back_after, taken) = (began.elapsed(), meter.read()?);
        // What a resume tells may be told once more as it happens: that would come now.
        storm.go_on_while(|elapsed| elapsed < AFTER, &mut note)?;
        let told = told.get();
        let mut heard = storm.end(PATIENCE)?;
        let twice = times.iter().filter(|times| **times > 1).count();
        if told < last - first || twice > 0 {
            return Err(format!("{told} were told what they missed, {twice} of them twice").into());
        }
        let queries = ground.figure("rookery_store_queries_total")? - queries;
        figures.note_times("storm_seen", &mut heard.times);
        figures.note("back_after_s", back_after.as_secs_f64());
        figures.note("store_queries_per_socket", queries / told as f64);
        figures.note_cpu(&taken, "socket", told as u64);
        Ok(figures)
    }
}
