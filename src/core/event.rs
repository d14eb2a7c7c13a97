//! What an accepted record did: what clients are told, what the store writes, and what the audit shows.

use serde::{Deserialize, Serialize};

use super::message::{Message, Reactors};
use super::record::Changes;
use super::types::{
    MessageId, Person, Role, RoomId, RoomKind, Timestamp, UserId, Visibility, as_members,
};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    #[serde(flatten)]
    pub person: Person,
    pub role: Role,
    pub joined_at: Timestamp,
}

/// Whom a message calls: `@username`, or everyone by an admin's `@all`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mentions {
    pub all: bool,
    pub users: Vec<UserId>,
}

/// What is the same about a room for everyone in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info {
    pub id: RoomId,
    pub kind: RoomKind,
    pub name: Option<String>,
    pub topic: String,
    pub visibility: Visibility,
    pub member_count: usize,
    /// The two people of a direct room; absent for groups.
    #[serde(
        default,
        rename = "members",
        with = "as_members",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub people: Vec<Person>,
}

/// What an accepted record did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// `mentions` are the members whom the text calls by name, the sender left out.
    Message {
        message: Message,
        mentions: Mentions,
    },
    /// `message` is as it is now, `mentions` are all whom it calls now.
    Edited {
        message: Message,
        mentions: Mentions,
    },
    /// What is left of the message.
    Deleted {
        message: Message,
        by: UserId,
    },
    Reaction {
        message: MessageId,
        emoji: String,
        user: UserId,
        on: bool,
        /// How many have this emoji now.
        count: usize,
        /// Who has which, now.
        #[serde(skip)]
        all: Vec<Reactors>,
    },
    RoomCreated {
        info: Info,
        members: Vec<Member>,
        by: UserId,
    },
    /// `changes` is what is not as it was before.
    RoomUpdated {
        info: Info,
        #[serde(default)]
        changes: Changes,
        by: UserId,
    },
    /// `members` are those who were in it to the end, whom nothing else remembers.
    RoomDeleted {
        by: UserId,
        #[serde(default)]
        members: Vec<UserId>,
    },
    /// Who was muted when they left, and whose mute lasts, is muted still.
    MemberAdded {
        member: Member,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        muted_until: Option<Timestamp>,
        by: UserId,
    },
    MemberUpdated {
        member: Member,
        by: UserId,
    },
    MemberMuted {
        member: Member,
        until: Timestamp,
        by: UserId,
    },
    MemberUnmuted {
        member: Member,
        by: UserId,
    },
    MemberRemoved {
        member: Member,
        ban: bool,
        by: UserId,
    },
    /// Somebody who was not in it is kept from coming in.
    MemberBanned {
        person: Person,
        by: UserId,
    },
}
