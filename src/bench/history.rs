//! Pages of history, searches, room lists and unread counts, while what is stored grows: what each
//! costs should be that of the page, not of the table.

use std::time::{Duration, Instant};

use super::company::{Company, Room};
use super::figures::{Figures, Times};
use super::ground::Ground;
use super::processes::Meter;
use super::speech::{MARK, Speech, Told};
use super::{Failure, Site, prose};
use crate::guarantees::dice::Dice;

/// Messages of one room that are under way while the store is filled.
const WINDOW: u64 = 4_000;
const TURN: Duration = Duration::from_millis(2);
const STORED_WITHIN: Duration = Duration::from_secs(600);
/// Requests of one kind that are not counted, and that are.
const WARM_UP: usize = 20;
/// Words that stand in a tenth of the messages, in one of some hundreds, and in few.
const COMMON: usize = 20;
const SELDOM: usize = 1_000;
const RARE: usize = 40_000;

#[derive(Debug, Clone, clap::Args)]
pub struct History {
    /// Messages in all, at each look.
    #[arg(long, value_delimiter = ',', default_value = "10000,100000")]
    pub messages: Vec<u64>,
    /// Rooms that the reader is in; the messages are spread over them.
    #[arg(long, default_value_t = 1_000)]
    pub rooms: usize,
    /// Words of a message.
    #[arg(long, default_value_t = 22)]
    pub words: usize,
    /// Requests of each kind at each look.
    #[arg(long, default_value_t = 200)]
    pub requests: usize,
}

impl History {
    pub async fn run(&self, ground: &Ground) -> Result<Figures, Failure> {
        let site = Site::Hub(ground);
        // One who reads and one who writes, in all of them.
        let people = ground.people("history", 2).await?;
        let [reader, writer] = &people[..] else { return Err("there are two of them".into()) };
        let token = |login: &super::ground::Login| login.token.clone();
        let mut rooms = Vec::new();
        for number in 0..self.rooms {
            let id = ground.room(&format!("history {number}"), &people)?;
            rooms.push(Room { id, tokens: Vec::new() });
        }
        // The writer's only socket hears all of the rooms.
        if let Some(first) = rooms.first_mut() {
            first.tokens.push(token(writer));
        }
        let mut company = Company::gather(Speech::Rookery, site.address(), &rooms)?;
        let (mut figures, mut dice, mut said) = (Figures::default(), Dice::new(1), 0);
        let before = ground.figure("rookery_stored_total")?;
        for messages in &self.messages {
            let began = Instant::now();
            self.fill(&mut company, &mut dice, (said, *messages))?;
            said = said.max(*messages);
            while ground.figure("rookery_stored_total")? - before < said as f64 {
                if began.elapsed() > STORED_WITHIN {
                    return Err(format!("not all of {said} messages are stored").into());
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            eprintln!("{messages} messages after {:.0} s", began.elapsed().as_secs_f64());
            let middle = &rooms[rooms.len() / 2];
            self.look(ground, (&token(reader), middle), *messages, &mut figures)?;
        }
        Ok(figures)
    }

    /// Says so many more, in one room after the other.
    fn fill(&self, company: &mut Company, dice: &mut Dice, (from, to): (u64, u64)) -> Result<(), Failure> {
        let (mut said, mut accepted, mut refused) = (from, from, 0);
        while accepted < to {
            while said < to && said < accepted + WINDOW {
                let room = usize::try_from(said)? % self.rooms.max(1);
                let body = format!("{MARK} {}", prose::sentence(self.words, dice));
                company.say_in(room, 0, &body);
                said += 1;
            }
            company.turn(TURN, |_, told| match told {
                Told::Accepted(_) => accepted += 1,
                Told::Refused => refused += 1,
                _ => {}
            })?;
            company.is_whole()?;
            if refused > 0 {
                return Err("the hub refuses messages".into());
            }
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
        let search = |rank: usize| format!("/search?q={}", prose::word(rank));
        let two = format!("{}+{}", prose::word(COMMON), prose::word(SELDOM));
        let kinds = [
            ("page", newest.clone()),
            ("older_page", format!("{newest}?before={oldest}")),
            ("room_list", "/rooms".to_owned()),
            ("search_common", search(COMMON)),
            ("search_seldom", search(SELDOM)),
            ("search_rare", search(RARE)),
            ("search_two_words", format!("/search?q={two}")),
        ];
        for (kind, path) in kinds {
            let mut times = Times::default();
            (0..WARM_UP).try_for_each(|_| ground.get(&path, token).map(drop))?;
            let meter = Meter::start(&ground.processes)?;
            for _ in 0..self.requests {
                let asked = Instant::now();
                ground.get(&path, token)?;
                times.add(asked.elapsed());
            }
            let name = format!("{kind}_{messages}");
            figures.note_cpu(&meter.read()?, &name, self.requests as u64);
            figures.note_times(&name, &mut times);
        }
        Ok(())
    }
}
