//! Pages of history, searches, room lists with unread counts, and a start, while what is stored
//! grows: what each costs should be that of the page, not of the table.

use std::time::{Duration, Instant};

use super::company::{Company, Room};
use super::figures::{Figures, Times};
use super::ground::Ground;
use super::processes::Meter;
use super::speech::{MARK, Speech, Told};
use super::{Failure, Site, at_least, prose};
use crate::guarantees::dice::Dice;

/// Messages under way while the store is filled, and those said without hearing in between.
const WINDOW: u64 = 1_000;
const IN_ONE_BREATH: u64 = 200;
const TURN: Duration = Duration::from_millis(2);
const LOOK_EVERY: Duration = Duration::from_millis(50);
const STORED_WITHIN: Duration = Duration::from_secs(1_800);
/// Requests of one kind that are not counted.
const WARM_UP: usize = 20;
/// The first messages all go to the room that is looked at, so that a page of it is always full.
const FIRST: u64 = 200;
/// Ranks of words: of 10,000 messages of 22 words, 1,000 have the first, and 60 the second; the
/// third stands in a few of a million.
const COMMON: usize = 20;
const SELDOM: usize = 300;
const RARE: usize = 40_000;

#[derive(Debug, Clone, clap::Args)]
pub struct History {
    /// Messages in all, at each look.
    #[arg(long, value_delimiter = ',', default_value = "10000,100000")]
    messages: Vec<u64>,
    /// Rooms that the reader is in; the messages are spread over them.
    #[arg(long, default_value_t = 1_000, value_parser = at_least::<1>)]
    rooms: usize,
    /// Words of a message.
    #[arg(long, default_value_t = 22, value_parser = at_least::<1>)]
    words: usize,
    /// Requests of each kind at each look.
    #[arg(long, default_value_t = 200, value_parser = at_least::<1>)]
    requests: usize,
}

impl History {
    pub async fn run(&self, mut ground: Ground) -> Result<Figures, Failure> {
        // One who reads and one who writes, in all of the rooms.
        let people = ground.people(2).await?;
        let [reader, writer] = &people[..] else { return Err("there are two of them".into()) };
        let mut rooms = Vec::new();
        for number in 0..self.rooms {
            let id = ground.room(&format!("history {number}"), &people)?;
            rooms.push(Room { id, tokens: Vec::new() });
        }
        // The writer's only socket hears all of the rooms.
        rooms[0].tokens.push(writer.token.clone());
        let (mut figures, mut dice, mut said) = (Figures::default(), Dice::new(1), 0);
        for &messages in &self.messages {
            let (began, before) = (Instant::now(), ground.stored()?);
            // It is gone while nobody listens to it.
            let mut company = Company::gather(Speech::Rookery, Site::of(&ground).address, &rooms)?;
            self.fill(&mut company, &mut dice, (said, messages))?;
            drop(company);
            let more = messages.saturating_sub(said);
            ground.wait_until_stored(before + more, LOOK_EVERY, STORED_WITHIN)?;
            said += more;
            eprintln!("{said} messages after {:.0} s", began.elapsed().as_secs_f64());
            self.look(&ground, (&reader.token, &rooms[0]), messages, &mut figures)?;
            // It counts from nothing again.
            let took;
            (ground, took) = ground.start_again().await?;
            if let Some(took) = took {
                figures.note(format!("start_{messages}_ms"), took.as_secs_f64() * 1e3);
            }
        }
        Ok(figures)
    }

    /// Says so many more, in one room after the other.
    fn fill(
        &self,
        company: &mut Company,
        dice: &mut Dice,
        (from, to): (u64, u64),
    ) -> Result<(), Failure> {
        let (mut said, mut accepted, mut heard) = (from, from, from);
        while accepted < to || heard < to {
            let until = to.min(accepted + WINDOW).min(said + IN_ONE_BREATH).max(said);
            for number in said..until {
                let turn = if number < FIRST { 0 } else { number };
                let room = usize::try_from(turn)? % self.rooms;
                let body = format!("{MARK} {}", prose::sentence(self.words, dice));
                company.say_in(room, 0, &body);
            }
            said = until;
            company.turn(TURN, |_, told| match told {
                Told::Accepted => accepted += 1,
                Told::Message(_) => heard += 1,
                _ => {}
            })?;
        }
        Ok(())
    }

    fn look(
        &self,
        ground: &Ground,
        (token, room): (&str, &Room),
        messages: u64,
        figures: &mut Figures,
    ) -> Result<(), Failure> {
        let newest = format!("/rooms/{}/messages", room.id);
        let page = ground.get(&newest, token)?;
        let oldest = page["messages"][0]["position"].as_str().ok_or("the room is empty")?;
        let search = |words: &[usize]| {
            let words: Vec<String> = words.iter().map(|rank| prose::word(*rank)).collect();
            format!("/search?q={}", words.join("+"))
        };
        let kinds = [
            ("page", newest.clone()),
            ("older_page", format!("{newest}?before={oldest}")),
            ("room_list", "/rooms".to_owned()),
            ("search_common", search(&[COMMON])),
            ("search_seldom", search(&[SELDOM])),
            ("search_rare", search(&[RARE])),
            ("search_two_words", search(&[COMMON, SELDOM])),
            ("search_rare_and_common", search(&[RARE, COMMON])),
        ];
        for (kind, path) in kinds {
            let name = format!("{kind}_{messages}");
            let told = ground.get(&path, token)?;
            let found =
                told["messages"].as_array().or(told["rooms"].as_array()).map_or(0, Vec::len);
            figures.note(format!("{name}_found"), found as f64);
            (0..WARM_UP).try_for_each(|_| ground.get_text(&path, token).map(drop))?;
            let (meter, mut times) = (Meter::start(&ground.processes)?, Times::default());
            for _ in 0..self.requests {
                let asked = Instant::now();
                ground.get_text(&path, token)?;
                times.add(asked.elapsed());
            }
            figures.note_cpu(&meter.read()?, &name, self.requests as u64);
            figures.note_times(&name, &mut times);
        }
        Ok(())
    }
}
