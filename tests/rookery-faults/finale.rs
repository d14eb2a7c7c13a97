//! What every instance and the store have when everything is quiet.

use std::collections::BTreeSet;
use std::time::Duration;

use rookery::guarantees::history::{Change, Count, History, Line, Millis, Page, Source, State};
use serde_json::Value;

use crate::asking::{Asking, Login, Place};
use crate::recording::{number, text};
use crate::stage::Stage;
use crate::world::Rows;

/// An instance that does not answer is asked so often, so long apart.
const TRIES: usize = 150;
const AGAIN: Duration = Duration::from_millis(200);

/// Everything that every instance and the store have, now that it is quiet.
pub async fn look_at_everything(stage: &mut Stage) -> History {
    let mut history = History::default();
    let places = stage.cast.places.clone();
    for (room, member) in stage.cast.every_room() {
        for place in &places {
            let asked_at = stage.clock.now();
            let look = Look { asking: &stage.asking, place, login: &member };
            let lines = look.history(&room).await;
            history.pages.push(page(Source::Instance(place.name.clone()), &room, asked_at, lines));
            if let Some(page) = history.pages.last_mut() {
                page.viewer = Some(member.id.clone());
            }
            history.states.push(look.state(&room).await);
        }
        let audit = Look { asking: &stage.asking, place: &places[0], login: &member };
        history.changes.extend(audit.changes(&room).await);
        let told = history.pages.last().map_or(0, |page| page.lines.len());
        let asked_at = stage.clock.now();
        let mut rows: Rows = stage.world.rows(&room).await;
        for _ in 0..TRIES {
            if rows.lines.len() >= told {
                break;
            }
            tokio::time::sleep(AGAIN).await;
            rows = stage.world.rows(&room).await;
        }
        history.pages.push(page(Source::Store, &room, asked_at, rows.lines));
        let (name, members) = (rows.name, rows.members);
        history.states.push(State { source: Source::Store, room, name, members });
    }
    for person in &stage.cast.people {
        for place in &places {
            let look = Look { asking: &stage.asking, place, login: person };
            history.counts.extend(look.counts().await);
        }
    }
    history.entries = stage.world.entries().await;
    history
}

fn page(source: Source, room: &str, asked_at: Millis, lines: Vec<Line>) -> Page {
    Page { source, room: room.to_owned(), viewer: None, asked_at, lines, is_final: true }
}

/// What somebody asks one instance when it is quiet; it has to answer in the end.
struct Look<'a> {
    asking: &'a Asking,
    place: &'a Place,
    login: &'a Login,
}

impl Look<'_> {
    async fn get(&self, path: &str) -> Value {
        let mut last = None;
        for _ in 0..TRIES {
            last = self.asking.get(&self.place.base, self.login, path).await;
            if let Some((200, answer)) = last {
                return answer;
            }
            tokio::time::sleep(AGAIN).await;
        }
        panic!("{} does not answer {path}, though all is quiet: {last:?}", self.place.name);
    }

    async fn history(&self, room: &str) -> Vec<Line> {
        for _ in 0..TRIES {
            if let Some(Ok(lines)) = self.asking.history(&self.place.base, self.login, room).await {
                return lines;
            }
            tokio::time::sleep(AGAIN).await;
        }
        panic!("{} does not give the history of {room}, though all is quiet", self.place.name);
    }

    async fn state(&self, room: &str) -> State {
        let told = self.get(&format!("/rooms/{room}")).await;
        let members = self.get(&format!("/rooms/{room}/members")).await;
        let members = members["members"].as_array().into_iter().flatten();
        State {
            source: Source::Instance(self.place.name.clone()),
            room: room.to_owned(),
            name: text(&told["room"]["name"]),
            members: members.map(|member| text(&member["user_id"])).collect::<BTreeSet<_>>(),
        }
    }

    async fn counts(&self) -> Vec<Count> {
        let told = self.get("/rooms").await;
        let rooms = told["rooms"].as_array().into_iter().flatten();
        let count = |room: &Value| Count {
            instance: self.place.name.clone(),
            room: text(&room["id"]),
            viewer: self.login.id.clone(),
            read_position: number(&room["read_position"]),
            unread: room["unread"].as_u64().unwrap_or(u64::MAX) as usize,
        };
        rooms.map(count).collect()
    }

    /// The changes of members, from the audit: perhaps nobody was there to hear of one.
    async fn changes(&self, room: &str) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut before = String::new();
        loop {
            let told = self.get(&format!("/rooms/{room}/audit?limit=100{before}")).await;
            let entries = told["entries"].as_array().cloned().unwrap_or_default();
            for entry in &entries {
                let is_member = match entry["action"].as_str() {
                    Some("member_added") => true,
                    Some("member_removed") => false,
                    _ => continue,
                };
                changes.push(Change {
                    room: room.to_owned(),
                    user: text(&entry["member"]["user_id"]),
                    position: number(&entry["position"]),
                    is_member,
                    answered_at: Millis::MAX,
                });
            }
            match (told["has_older"].as_bool(), entries.last()) {
                (Some(true), Some(last)) => before = format!("&before={}", text(&last["position"])),
                _ => return changes,
            }
        }
    }
}
