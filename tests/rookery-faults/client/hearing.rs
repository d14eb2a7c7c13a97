//! What a client hears.

use std::sync::atomic::Ordering;
use std::time::Duration;

use rookery::guarantees::history::{Change, Heard, Millis, Outcome, Try};
use serde_json::Value;

use super::{Client, socket_name};
use crate::recording::{line_of, number, text};

impl Client {
    pub(super) async fn hear(&mut self, frame: Value) {
        let room = frame["room"].as_str().unwrap_or_default().to_owned();
        match frame["type"].as_str().unwrap_or_default() {
            "ok" | "error" => self.answered(&frame),
            "reset" => self.reload(room, number(&frame["position"])).await,
            "message" => {
                let line = line_of(&frame["message"]);
                self.take(room, line.position, Heard::Message(line));
            }
            "presence" | "read" | "typing" | "user_updated" | "account" => {}
            kind => {
                let position = number(&frame["position"]);
                if let Some(is_member) = membership(kind) {
                    self.note_change(&room, &frame["member"], position, is_member);
                }
                self.take(room, position, Heard::Event(position));
            }
        }
    }

    fn take(&mut self, room: String, position: i64, heard: Heard) {
        let view = self.views.entry(room).or_default();
        view.cursor = view.cursor.max(position);
        view.is_silent = false;
        view.heard.push(heard);
    }

    fn note_change(&mut self, room: &str, member: &Value, position: i64, is_member: bool) {
        let user = text(&member["user_id"]);
        if user == self.login.id {
            let view = self.views.entry(room.to_owned()).or_default();
            let was_mine = std::mem::replace(&mut view.is_mine, is_member);
            // What was said while we were out, or knew nothing of the room, is not for us; nor is
            // what was said before a removal, where that was too much and we cannot load it now.
            let is_all_we_hear = !is_member && view.is_silent;
            if is_member && !was_mine || is_all_we_hear {
                view.heard.push(Heard::From(position - 1));
            }
        }
        let room = room.to_owned();
        // Whoever made the change knows when it was answered.
        self.changes.push(Change { room, user, position, is_member, answered_at: Millis::MAX });
    }

    fn answered(&mut self, frame: &Value) {
        let Some((send, at)) =
            frame["ref"].as_u64().and_then(|number| self.waiting.remove(&number))
        else {
            return;
        };
        let outcome = match (frame["type"].as_str(), frame["code"].as_str()) {
            (Some("ok"), _) => Outcome::Acknowledged(line_of(&frame["message"])),
            (_, Some("outcome_unknown")) => Outcome::Unknown,
            (_, code) => Outcome::Refused(code.unwrap_or_default().to_owned()),
        };
        self.tried(send, Try { instance: socket_name(), at, answered_at: self.now(), outcome });
    }

    /// Loads the history of a room from whichever instance has it.
    async fn reload(&mut self, room: String, position: i64) {
        self.common.tally.resets.fetch_add(1, Ordering::Relaxed);
        self.take(room.clone(), position, Heard::Reset(position));
        if let Some(view) = self.views.get_mut(&room) {
            // It may be before where we were: a log that was made anew would do that.
            view.cursor = position;
        }
        loop {
            let place = self.dice.one_of(&self.common.instances).clone();
            let loaded = self.common.asking.history(&place.base, &self.login, &room).await;
            match loaded {
                Some(Ok(lines)) => {
                    let view = self.views.entry(room).or_default();
                    return view.heard.push(Heard::Loaded(lines));
                }
                // Removed meanwhile: an event says so.
                Some(Err(_)) => return,
                None if self.is_out_of_time() => return,
                None => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
    }
}

fn membership(kind: &str) -> Option<bool> {
    match kind {
        "member_added" => Some(true),
        "member_removed" => Some(false),
        _ => None,
    }
}
