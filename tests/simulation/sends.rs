//! What is said, and what becomes of every try.

use rookery::core::record::{Action, Post};
use rookery::core::types::RoomId;
use rookery::guarantees::history::{Millis, Outcome, Send, Try};

use crate::clients::{Reply, To, line};
use crate::instance::NAMES;
use crate::room::{Answer, Turn};
use crate::world::{World, person};

/// How long a client waits for an answer.
const PATIENCE: Millis = 3_000;

impl World {
    pub fn send(&mut self, client: usize, room: RoomId) -> usize {
        let (send, sender) = (self.history.sends.len(), self.clients[client].user.to_string());
        let body = format!("line {send}");
        self.history.sends.push(Send { room: room.to_string(), sender, body, tries: Vec::new() });
        self.senders.push((client, room));
        self.try_by(client, send);
        if self.is_storm() && self.chance(10) {
            let instance = self.dice.below(NAMES.len());
            self.try_at(instance, send);
        }
        send
    }

    /// By the client's connection, as soon as it has one.
    pub fn try_by(&mut self, client: usize, send: usize) {
        let Some(conn) = self.clients[client].conn.filter(|conn| self.is_answered(*conn)) else {
            return self.clients[client].outbox.push(send);
        };
        let instance = self.conns[conn].instance;
        let reply = self.begin_try(instance, send, Some(conn));
        let turn = self.message(send, reply);
        let room = self.senders[send].1;
        self.say(conn, move |world| world.wake_and_turn(instance, room, turn));
    }

    /// By a request to any instance.
    pub fn try_at(&mut self, instance: usize, send: usize) {
        let reply = self.begin_try(instance, send, None);
        let (turn, room) = (self.message(send, reply), self.senders[send].1);
        self.request(instance, move |world| world.wake_and_turn(instance, room, turn));
    }

    fn message(&mut self, send: usize, reply: Reply) -> Turn {
        let user = self.clients[self.senders[send].0].user;
        let action = Action::Message(Post {
            sender: person(user),
            body: self.history.sends[send].body.clone(),
            client_id: Some(send.to_string()),
            reply_to: None,
        });
        Turn::Propose { by: user.into(), action: Box::new(action), reply }
    }

    fn begin_try(&mut self, instance: usize, send: usize, conn: Option<usize>) -> Reply {
        let tries = &mut self.history.sends[send].tries;
        let (at, answered_at, outcome) = (self.now, self.now, Outcome::Unknown);
        let name = NAMES[instance].to_owned();
        tries.push(Try { instance: name, at, answered_at, outcome });
        let attempt = tries.len() - 1;
        self.waiting.insert((send, attempt), conn);
        self.after(PATIENCE, move |world| world.end_try(send, attempt, Outcome::Unknown));
        let to = To::Send { send, attempt };
        Reply { room: self.senders[send].1, to, conn, since: at }
    }

    pub fn answered(&mut self, to: To, answer: Answer) {
        let To::Send { send, attempt } = to else { return };
        let outcome = match answer {
            Answer::Accepted(_, event) => match &*event {
                rookery::core::room::Event::Message { message, .. } => {
                    Outcome::Acknowledged(line(message))
                }
                _ => return,
            },
            Answer::Repeated(message) => Outcome::Acknowledged(line(&message)),
            Answer::Refused(refusal) => Outcome::Refused(refusal.code().to_owned()),
            Answer::Unavailable => Outcome::Refused("unavailable".to_owned()),
            Answer::Unknown => Outcome::Unknown,
        };
        self.end_try(send, attempt, outcome);
    }

    /// The first answer to a try counts; what is worth it is tried again.
    fn end_try(&mut self, send: usize, attempt: usize, outcome: Outcome) {
        if self.waiting.remove(&(send, attempt)).is_none() {
            return;
        }
        self.trace(|| format!("send {send} try {attempt}: {outcome:?}"));
        let one = &mut self.history.sends[send].tries[attempt];
        (one.answered_at, one.outcome) = (self.now, outcome.clone());
        let last = self.history.sends[send].tries.last().map(|one| &one.outcome);
        let again = match last {
            Some(Outcome::Refused(code)) => code == "unavailable",
            _ => !self.is_acknowledged(send),
        };
        let is_waiting = self.waiting.keys().any(|(other, _)| *other == send);
        if again && !is_waiting {
            let (client, wait) = (self.senders[send].0, self.ms(50, 400));
            self.after(wait, move |world| {
                if !world.is_acknowledged(send) {
                    world.try_by(client, send);
                }
            });
        }
    }

    fn is_acknowledged(&self, send: usize) -> bool {
        let mut tries = self.history.sends[send].tries.iter();
        tries.any(|one| matches!(one.outcome, Outcome::Acknowledged(_)))
    }

    /// What was sent by a connection that ended is unknown.
    pub fn give_up_on(&mut self, conn: usize) {
        let lost = self.waiting.iter().filter(|(_, by)| **by == Some(conn));
        let lost: Vec<(usize, usize)> = lost.map(|(which, _)| *which).collect();
        lost.into_iter().for_each(|(send, attempt)| self.end_try(send, attempt, Outcome::Unknown));
    }
}
