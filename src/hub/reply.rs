//! The answer that someone waits for: a socket by its `ref`, or an HTTP request.
//!
//! An answer is owed exactly once. One that is dropped unanswered, because an actor stopped with
//! messages in its mailbox, still says the truth: refused if it was not published yet, unknown if
//! it was.

use std::borrow::Cow;
use std::fmt::Display;
use std::num::NonZeroU32;
use std::sync::{Arc, LazyLock};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use serde_json::json;
use tokio::sync::oneshot;

use super::outbound::{Outbound, text_frame};
use crate::core::room::{Event, Message, Refusal};
use crate::core::simple;
use crate::core::types::Position;
use crate::core::wire::{self, Ref};
use crate::store::StoreError;

/// Why something was not done, or may not have been, that is no fault of who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Surely not done; worth trying again.
    Unavailable(&'static str),
    /// It may yet be done; send it again with the same `client_id`.
    OutcomeUnknown(&'static str),
    /// Surely not done, and it would not be if it were tried again.
    TooLarge(&'static str),
}

impl Trouble {
    pub fn code(self) -> &'static str {
        match self {
            Trouble::Unavailable(_) => "unavailable",
            Trouble::OutcomeUnknown(_) => "outcome_unknown",
            Trouble::TooLarge(_) => "too_large",
        }
    }

    pub fn detail(self) -> &'static str {
        match self {
            Trouble::Unavailable(detail)
            | Trouble::OutcomeUnknown(detail)
            | Trouble::TooLarge(detail) => detail,
        }
    }

    /// Whether it is worth trying again.
    pub fn is_temporary(self) -> bool {
        !matches!(self, Trouble::TooLarge(_))
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Trouble {
        match error {
            StoreError::Unknown(reason) => {
                tracing::warn!(%reason, "the store was lost while it wrote");
                Trouble::OutcomeUnknown("the store was lost while it wrote")
            }
            error => {
                store_is_away(&error);
                Trouble::Unavailable("the store cannot be reached")
            }
        }
    }
}

/// Says that the store does not answer: in an outage every request finds out, and one line a second
/// is enough. The others are there for who wants to see them all.
pub fn store_is_away(error: &dyn Display) {
    static SAID: LazyLock<DefaultDirectRateLimiter> =
        LazyLock::new(|| RateLimiter::direct(Quota::per_second(NonZeroU32::MIN)));
    match SAID.check() {
        Ok(()) => tracing::warn!(%error, "the store cannot be reached"),
        Err(_) => tracing::debug!(%error, "the store cannot be reached"),
    }
}

/// What a proposal came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Accepted {
        position: Position,
        event: Arc<Event>,
    },
    /// The message that had this `client_id` first.
    Repeated(Box<Message>),
    /// It was passed on; there is nothing to tell of it.
    Done,
    Refused(Refusal),
    Failed(Trouble),
}

#[derive(Debug)]
enum To {
    Socket(Arc<Outbound>, Ref),
    /// Of the simple API, which hears its own message as everyone does: only errors are told.
    Simple(Arc<Outbound>),
    Request(oneshot::Sender<Outcome>),
}

/// Owes one answer.
#[derive(Debug)]
pub struct Reply {
    to: Option<To>,
    published: bool,
}

impl Reply {
    pub fn to_socket(outbound: Arc<Outbound>, reference: Ref) -> Reply {
        Reply { to: Some(To::Socket(outbound, reference)), published: false }
    }

    pub fn to_simple_socket(outbound: Arc<Outbound>) -> Reply {
        Reply { to: Some(To::Simple(outbound)), published: false }
    }

    pub fn to_request() -> (Reply, oneshot::Receiver<Outcome>) {
        let (sender, receiver) = oneshot::channel();
        (Reply { to: Some(To::Request(sender)), published: false }, receiver)
    }

    /// From here on nobody can say that it was not done.
    pub fn set_published(&mut self) {
        self.published = true;
    }

    pub fn answer(mut self, outcome: Outcome) {
        self.send(outcome);
    }

    fn send(&mut self, outcome: Outcome) {
        match self.to.take() {
            Some(To::Socket(outbound, reference)) => {
                outbound.push(text_frame(&answer_frame(&reference, &outcome)));
            }
            Some(To::Simple(outbound)) => {
                if let Some(error) = simple_error(&outcome) {
                    outbound.push(text_frame(&error));
                }
            }
            // A request that hung up has no use for it.
            Some(To::Request(sender)) => drop(sender.send(outcome)),
            None => {}
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        let trouble = match self.published {
            true => Trouble::OutcomeUnknown("this instance is stopping"),
            false => Trouble::Unavailable("this instance is stopping, or too busy"),
        };
        self.send(Outcome::Failed(trouble));
    }
}

fn answer_frame(reference: &Ref, outcome: &Outcome) -> Vec<u8> {
    match outcome {
        Outcome::Accepted { position, event } => match &**event {
            Event::Message { message, .. } => wire::ok_message(reference, message),
            // Nobody but its sender edits a message, or repeats it.
            Event::Edited { message, .. } => wire::ok_message(reference, &as_sent(message)),
            _ => wire::ok(reference, json!({"position": position})),
        },
        Outcome::Repeated(message) => wire::ok_message(reference, &as_sent(message)),
        // Who wanted it so has it so.
        Outcome::Done | Outcome::Refused(Refusal::Unchanged) => wire::ok(reference, json!({})),
        Outcome::Refused(refusal) => wire::refusal(reference, *refusal, &explain(*refusal)),
        Outcome::Failed(trouble) => {
            wire::error(reference, trouble.code(), trouble.detail(), trouble.is_temporary())
        }
    }
}

/// A message as its sender sees it.
fn as_sent(message: &Message) -> Message {
    message.clone().seen_by(message.sender.id)
}

fn simple_error(outcome: &Outcome) -> Option<Vec<u8>> {
    match outcome {
        Outcome::Accepted { .. } | Outcome::Repeated(_) | Outcome::Done => None,
        Outcome::Refused(refusal) => Some(simple::error(refusal.code(), &explain(*refusal), false)),
        Outcome::Failed(trouble) => Some(simple::error(trouble.code(), trouble.detail(), true)),
    }
}

/// What a person may do about a refusal.
pub fn explain(refusal: Refusal) -> Cow<'static, str> {
    if let Refusal::Muted(until) = refusal {
        return format!("an admin of this group has muted you until {until}").into();
    }
    explain_plainly(refusal).into()
}

fn explain_plainly(refusal: Refusal) -> &'static str {
    match refusal {
        // Of a message, too: whether it is there must not tell that a hidden room is.
        Refusal::NotFound => "there is no such room or message",
        Refusal::NotAMember => "only members of this group may do that",
        Refusal::Forbidden => "only an admin of this group may do that",
        Refusal::Banned => "you were banned from this group",
        Refusal::Muted(_) => "an admin of this group has muted you",
        Refusal::IsAdmin => "an admin cannot be muted; first make them a member",
        Refusal::LastAdmin => "the last admin first has to make somebody else an admin",
        Refusal::DirectRoom => "a direct conversation has its two people for ever",
        Refusal::RoomFull => "this group has as many members as it may have",
        Refusal::Exists | Refusal::Unchanged => "it is so already",
        Refusal::Gone => "this message was deleted",
        Refusal::AccountDeleted => "the account of the other person was deleted",
        Refusal::TooManyReactions => "this message has as many reactions as it may have",
        Refusal::Repeat(_) => "this client_id was used before",
        Refusal::Nonsense => "this contradicts itself",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_dropped_before_publishing_is_a_refusal_and_after_it_unknown() {
        let (reply, mut receiver) = Reply::to_request();
        drop(reply);
        assert!(matches!(receiver.try_recv(), Ok(Outcome::Failed(Trouble::Unavailable(_)))));

        let (mut reply, mut receiver) = Reply::to_request();
        reply.set_published();
        drop(reply);
        assert!(matches!(receiver.try_recv(), Ok(Outcome::Failed(Trouble::OutcomeUnknown(_)))));
    }
}
