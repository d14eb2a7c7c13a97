//! Why an action is not accepted.

use super::recent::First;
use super::types::Timestamp;

/// Why an action is not accepted. What the person may do about it stands in the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such room, or none that this person may know of.
    NotFound,
    NotAMember,
    Forbidden,
    Banned,
    /// May not write until then.
    Muted(Timestamp),
    /// An admin cannot be muted.
    IsAdmin,
    /// The last admin of a group with others in it has to hand over first.
    LastAdmin,
    DirectRoom,
    RoomFull,
    /// The room is there already.
    Exists,
    /// It is so already; nothing to do.
    Unchanged,
    /// The message was deleted.
    Gone,
    /// The account of the other one in a direct room was deleted: nobody would read it.
    AccountDeleted,
    /// The message has as many reactions as it may have.
    TooManyReactions,
    /// The sender used this `client_id` here before.
    Repeat(First),
    /// The record contradicts itself; only another program could have written it.
    Nonsense,
}

impl Refusal {
    pub fn code(self) -> &'static str {
        match self {
            Refusal::NotFound => "not_found",
            Refusal::NotAMember => "not_a_member",
            Refusal::Forbidden => "forbidden",
            Refusal::Banned => "banned",
            Refusal::Muted(_) => "muted",
            Refusal::IsAdmin => "is_admin",
            Refusal::LastAdmin => "last_admin",
            Refusal::DirectRoom => "direct_room",
            Refusal::RoomFull => "room_full",
            Refusal::Exists => "exists",
            Refusal::Unchanged => "unchanged",
            Refusal::Gone => "message_deleted",
            Refusal::AccountDeleted => "account_deleted",
            Refusal::TooManyReactions => "too_many_reactions",
            Refusal::Repeat(_) => "repeat",
            Refusal::Nonsense => "nonsense",
        }
    }

    /// When it ends by itself, where it is a mute.
    pub fn muted_until(self) -> Option<Timestamp> {
        match self {
            Refusal::Muted(until) => Some(until),
            _ => None,
        }
    }
}
