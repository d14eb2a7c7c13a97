//! What a client says, and what becomes of it.

use std::sync::atomic::Ordering;

use futures_util::{FutureExt, SinkExt};
use rookery::guarantees::history::{Millis, Outcome, Send, Try};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::{Client, Common, SEND_WITHIN, View, WINDOW, Ws, socket_name};
use crate::asking::client_id;

/// How often a pause between two tries gets twice as long.
const LONGER: usize = 3;

impl Client {
    pub(super) fn think_of_something(&mut self, now: Millis) {
        if now < self.next_message {
            return;
        }
        self.next_message = now + self.dice.below(2 * self.temper.pace as usize) as Millis;
        let insists = self.temper.insists;
        let open = self.views.iter().filter(|(_, view)| view.is_mine || insists);
        let rooms: Vec<&String> = open.map(|(room, _)| room).collect();
        if rooms.is_empty() {
            return;
        }
        let room = (*self.dice.one_of(&rooms)).clone();
        let mut body = format!("{}-{}", self.login.name, self.sends.len());
        if self.temper.body > 0 {
            body = format!("{body} {}", "x".repeat(self.temper.body));
        }
        self.due.push((now, self.sends.len()));
        self.common.unsettled.fetch_add(1, Ordering::SeqCst);
        let sender = self.login.id.clone();
        self.sends.push(Send { room, sender, body, tries: Vec::new() });
    }

    pub(super) async fn send_what_is_due(&mut self, ws: &mut Ws, now: Millis) -> Result<(), ()> {
        while let Some(next) = self.due.iter().position(|(not_before, _)| *not_before <= now) {
            let by_http = self.dice.chance(self.temper.by_http);
            if !by_http && self.waiting.len() >= WINDOW {
                return Ok(());
            }
            let (_, send) = self.due.remove(next);
            if by_http || self.temper.twice {
                self.post(send);
            }
            if !by_http || self.temper.twice {
                self.send(ws, send, now).await?;
            }
        }
        if now > self.next_read {
            self.next_read = now + self.dice.between(1_000, 5_000) as Millis;
            self.read(ws).await?;
        }
        Ok(())
    }

    async fn send(&mut self, ws: &mut Ws, send: usize, now: Millis) -> Result<(), ()> {
        self.refs += 1;
        self.waiting.insert(self.refs, (send, now));
        let Send { room, body, .. } = &self.sends[send];
        let command = json!({
            "type": "send", "ref": self.refs, "room": room,
            "client_id": client_id(body), "body": body,
        });
        ws.send(Message::text(command.to_string())).await.map_err(drop)
    }

    fn post(&mut self, send: usize) {
        let Common { asking, clock, instances, .. } = self.common.clone();
        let place = self.dice.one_of(&instances).clone();
        let (login, Send { room, body, .. }) = (self.login.clone(), &self.sends[send]);
        let (room, body) = (room.clone(), body.clone());
        let posting =
            async move { (send, asking.try_to_post(clock, place, &login, &room, &body).await) };
        self.posts.push(posting.boxed());
    }

    async fn read(&mut self, ws: &mut Ws) -> Result<(), ()> {
        let mine: Vec<(&String, &View)> =
            self.views.iter().filter(|(_, view)| view.is_mine).collect();
        if mine.is_empty() {
            return Ok(());
        }
        let (room, view) = *self.dice.one_of(&mine);
        let position = view.cursor.to_string();
        let read = json!({"type": "read", "ref": "read", "room": room, "position": position});
        ws.send(Message::text(read.to_string())).await.map_err(drop)
    }

    pub(super) fn forget_what_is_late(&mut self, now: Millis) {
        let late = self.waiting.iter().filter(|(_, (_, at))| now - at > SEND_WITHIN);
        let late: Vec<u64> = late.map(|(reference, _)| *reference).collect();
        for reference in late {
            if let Some((send, at)) = self.waiting.remove(&reference) {
                let outcome = Outcome::Unknown;
                self.tried(send, Try { instance: socket_name(), at, answered_at: now, outcome });
            }
        }
    }

    /// What one try came to, and whether there has to be another.
    pub(super) fn tried(&mut self, send: usize, tried: Try) {
        let was_refused = match &tried.outcome {
            Outcome::Refused(code) => Some(is_for_good(code)),
            _ => None,
        };
        self.sends[send].tries.push(tried);
        let is_out = self.waiting.values().any(|(waiting, _)| *waiting == send);
        if is_out || self.due.iter().any(|(_, due)| *due == send) || self.settled.contains(&send) {
            return;
        }
        let tries = &self.sends[send].tries;
        let acknowledged = tries.iter().any(|one| matches!(one.outcome, Outcome::Acknowledged(_)));
        let may_be_done = tries.iter().any(|one| one.outcome == Outcome::Unknown);
        let last_is_unknown = tries.last().is_some_and(|one| one.outcome == Outcome::Unknown);
        let again = match was_refused {
            _ if acknowledged => false,
            Some(for_good) => !for_good && (may_be_done || self.dice.chance(60)),
            None => last_is_unknown,
        };
        match again {
            true => {
                let pause = self.dice.between(100, 700) << self.sends[send].tries.len().min(LONGER);
                self.due.push((self.now() + pause as Millis, send));
            }
            false => {
                self.settled.insert(send);
                self.common.unsettled.fetch_sub(1, Ordering::SeqCst);
            }
        }
    }
}

/// A refusal that no waiting helps against.
fn is_for_good(code: &str) -> bool {
    !matches!(code, "unavailable" | "too_many_messages" | "not_connected" | "503" | "429")
}
