//! Telling the room's listeners what happened: each event is encoded once, and the same bytes go to
//! everyone who gets it in the same form.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;

use super::{Pending, RoomActor};
use crate::core::room::Event;
use crate::core::simple;
use crate::core::types::{Position, UserId};
use crate::core::wire;
use crate::hub::outbound::{Ending, text_frame};
use crate::hub::presence::RoomGone;
use crate::hub::registry::Dialect;
use crate::hub::reply::Outcome;

/// Bytes of messages that are told together, but for the last of them.
const TOLD_TOGETHER: usize = 16 * 1024;

/// What was folded in and is yet to be told: the messages in their order, and those who wait to
/// hear that theirs was accepted.
#[derive(Default)]
pub(super) struct Said {
    frames: Vec<Bytes>,
    bytes: usize,
    /// As sockets of the simple API are told it.
    simple: Vec<Bytes>,
    pub(super) answers: Vec<(Pending, Position, Arc<Event>)>,
}

impl RoomActor {
    /// Messages are told when some have come together, or what came together is over.
    pub(super) fn announce(&mut self, position: Position, event: &Arc<Event>) {
        let frame = self.kept.push(position, event.clone());
        if matches!(**event, Event::Message { .. }) {
            self.said.bytes += frame.len();
            self.said.frames.push(frame);
            self.said.simple.extend(self.simple_frame(event));
            if self.said.bytes >= TOLD_TOGETHER {
                self.tell_what_was_said();
            }
            return;
        }
        self.tell_what_was_said();
        self.announce_apart(frame, position, event);
    }

    /// Messages go to everyone as they are, so those that came together are told together; the
    /// senders have their answers then.
    pub(super) fn tell_what_was_said(&mut self) {
        let Said { frames, simple, answers, .. } = std::mem::take(&mut self.said);
        if !frames.is_empty() {
            let told = (frames.len() * self.listeners.len()) as u64;
            metrics::counter!("rookery_deliveries_total").increment(told);
            let (frames, simple) = (joined(&frames), joined(&simple));
            self.listeners.retain(|listener| match listener.dialect {
                Dialect::Rookery => listener.outbound.push(frames.clone()),
                Dialect::Simple(_) => listener.outbound.push(simple.clone()),
            });
        }
        for (pending, position, event) in answers {
            metrics::histogram!("rookery_accept_seconds").record(pending.since.elapsed());
            pending.reply.answer(Outcome::Accepted { position, event });
        }
    }

    /// What changes who listens, or is not the same for everyone.
    fn announce_apart(&mut self, frame: Bytes, position: Position, event: &Arc<Event>) {
        let mut reloading = Vec::new();
        match &**event {
            Event::RoomCreated { members, .. } => {
                for user in members.iter().map(|member| member.person.id) {
                    let frame = text_frame(&wire::event_for(user, self.id, position, event));
                    let reloading = self.listen_all_of(user, position);
                    self.tell_only(user, &frame);
                    reloading.into_iter().for_each(|session| self.reset(session));
                    self.tell_presence(user, true);
                }
                return;
            }
            Event::MemberAdded { member, .. } => {
                reloading = self.listen_all_of(member.person.id, position);
            }
            _ => {}
        }
        let told = self.listeners.len() as u64;
        let apart = self.frames_apart(position, event);
        let simple = self.simple_frame(event);
        self.listeners.retain(|listener| match (listener.dialect, &simple) {
            (Dialect::Rookery, _) => {
                listener.outbound.push(apart.get(&listener.user).unwrap_or(&frame).clone())
            }
            (Dialect::Simple(_), Some(frame)) => listener.outbound.push(frame.clone()),
            (Dialect::Simple(_), None) => listener.outbound.is_open(),
        });
        metrics::counter!("rookery_deliveries_total").increment(told);
        reloading.into_iter().for_each(|session| self.reset(session));
        match &**event {
            // Who follows the room hears how present they are after they have heard who it is.
            Event::MemberAdded { member, .. } => self.tell_presence(member.person.id, true),
            // The frame that tells of the removal is the last one of this room.
            Event::MemberRemoved { member, .. } => self.stop_listening(member.person.id, position),
            Event::Deleted { message, .. } => self.kept.redact(message),
            Event::RoomDeleted { .. } => {
                if let Some(presence) = self.hub.presence() {
                    presence.do_send(RoomGone(self.id));
                }
                self.end_simple_sockets(Ending::RoomDeleted, |_| true);
                self.let_go(|_| true, position);
                self.kept.forget_messages();
            }
            _ => {}
        }
    }

    /// The frames for those listeners who get an event in a form of their own.
    fn frames_apart(&self, position: Position, event: &Event) -> HashMap<UserId, Bytes> {
        let apart: HashSet<UserId> = wire::viewers_apart(event).into_iter().collect();
        if apart.is_empty() {
            return HashMap::new();
        }
        let here: HashSet<UserId> = self.listeners.iter().map(|listener| listener.user).collect();
        let own = |user| text_frame(&wire::event_for(user, self.id, position, event));
        apart.intersection(&here).map(|user| (*user, own(*user))).collect()
    }

    /// The frame for sockets of the simple API, if there are any here and it tells them something.
    fn simple_frame(&self, event: &Event) -> Option<Bytes> {
        let any = self.listeners.iter().any(|other| other.dialect != Dialect::Rookery);
        any.then(|| simple::event(event)).flatten().map(|line| text_frame(&line))
    }
}

/// Frames that follow each other as one, for a thousand queues. One alone is not copied.
fn joined(frames: &[Bytes]) -> Bytes {
    match frames {
        [one] => one.clone(),
        several => several.concat().into(),
    }
}
