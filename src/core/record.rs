//! What stands in the log: one record for each thing that happens in a room, keyed by the room.
//!
//! A record is JSON that a person can read in a console consumer. `type` comes first, so that an
//! instance can pass over a message for a room that nobody here is in without parsing it. `v` is
//! the version of the format: a reader refuses what is newer than it knows.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::message::{Original, QUOTE, Quote, REACTIONS};
use super::room::MAX_MEMBERS;
use super::standing::Doer;
use super::text::TextLimits;
use super::types::{Person, Role, RoomId, RoomKind, Timestamp, UserId, Visibility};

/// The newest format that this hub reads. It writes each record in the oldest that can say it, so
/// that instances of an older version read all they can; see [`Record::new`].
pub const VERSION: u32 = 2;

/// One thing that somebody did in a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    #[serde(flatten)]
    pub action: Action,
    pub v: u32,
    pub room: RoomId,
    /// Who did it.
    pub by: UserId,
    /// Whether it was done by the right of a hub admin; see [`Doer`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hub_admin: bool,
    /// When the instance that published it saw it.
    pub at: Timestamp,
    /// Tells the publisher which of its drafts came back. Another attempt has another id.
    pub id: Uuid,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Action {
    Message(Post),
    /// By its author.
    Edited {
        message: Original,
        body: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        quote: Option<Quote>,
    },
    /// By its author or an admin.
    Deleted {
        message: Original,
    },
    /// Adds or takes back a reaction.
    Reaction {
        message: Original,
        emoji: String,
        on: bool,
    },
    RoomCreated(Founding),
    RoomUpdated(Changes),
    RoomDeleted,
    /// Adds a member or changes a role. Done by an admin, or by the person: joining.
    MemberSet {
        member: Person,
        role: Role,
    },
    /// Done by an admin, or by the person: leaving.
    MemberRemoved {
        member: Person,
        #[serde(default)]
        ban: bool,
    },
    /// Keeps a member from writing for a time. By an admin.
    MemberMuted {
        member: Person,
        until: Timestamp,
    },
    /// Ends that before its time. By an admin.
    MemberUnmuted {
        member: Person,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Post {
    pub sender: Person,
    pub body: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// What it replies to, as its publisher found it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Quote>,
}

impl Action {
    /// Whether it is part of the conversation, and not a change to the room.
    pub fn is_about_a_message(&self) -> bool {
        use Action::{Deleted, Edited, Message, Reaction};
        matches!(self, Message(_) | Edited { .. } | Deleted { .. } | Reaction { .. })
    }

    fn is_about_a_mute(&self) -> bool {
        matches!(self, Action::MemberMuted { .. } | Action::MemberUnmuted { .. })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Founding {
    pub kind: RoomKind,
    /// Direct rooms have none: each of the two sees the other's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub visibility: Visibility,
    pub members: Vec<Seat>,
}

/// A founding member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seat {
    #[serde(flatten)]
    pub person: Person,
    pub role: Role,
}

/// What of a group is to change; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visibility: Option<Visibility>,
}

/// Bytes of the largest record that people can cause: a full group that is founded at once, or an
/// edited message where texts are allowed to be longer than that.
pub fn most_bytes(limits: &TextLimits) -> usize {
    // The longest character of UTF-8, and the longest that JSON makes of one in a message. Names
    // have no control characters, so that escapes make none of theirs longer than the first.
    const IN_A_NAME: usize = 4;
    const IN_A_MESSAGE: usize = 6;
    // Field names, ids, role, commas; and what stands around them, with a `client_id`.
    const AROUND_A_PERSON: usize = 128;
    const AROUND_ALL: usize = 1_024;
    // A user's id, with its share of the emoji.
    const A_REACTION: usize = 24;
    let names = limits.username_characters + limits.display_name_characters;
    let person = IN_A_NAME * names + AROUND_A_PERSON;
    let founding = MAX_MEMBERS * person + IN_A_NAME * limits.room_name_characters;
    let texts = IN_A_MESSAGE * (limits.message_characters + QUOTE);
    // An edit brings along who reacted.
    let message = 2 * person + texts + REACTIONS * A_REACTION;
    founding.max(message) + AROUND_ALL
}

/// Why bytes in the log are no record. Such an entry changes nothing, on every instance alike.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    #[error("not a record: {0}")]
    Malformed(#[from] serde_json::Error),
    #[error("version {0} is newer than {VERSION}, which this hub reads")]
    Newer(u32),
    #[error("the key {0:?} is not the room {1}")]
    WrongKey(String, RoomId),
}

impl Record {
    /// An instance that reads only an older version does not know what a newer one means. It must
    /// not take a half of it for the whole, so it is told the version, and passes the record over.
    pub fn new(action: Action, room: RoomId, by: Doer, at: Timestamp, id: Uuid) -> Record {
        let v = if by.hub_admin || action.is_about_a_mute() { 2 } else { 1 };
        Record { action, v, room, by: by.user, hub_admin: by.hub_admin, at, id }
    }

    pub fn doer(&self) -> Doer {
        Doer { user: self.by, hub_admin: self.hub_admin }
    }

    pub fn encode(&self) -> Bytes {
        // Plain structs with string keys: serialising them to memory cannot fail.
        Bytes::from(serde_json::to_vec(self).unwrap_or_default())
    }

    /// Reads an entry of the log. The key must be the room, since the key decides the order.
    pub fn decode(key: &str, value: &[u8]) -> Result<Record, Unreadable> {
        #[derive(Deserialize)]
        struct Versioned {
            v: u32,
        }
        let record: Record = match serde_json::from_slice(value) {
            Ok(record) => record,
            // A newer version may well have another shape; say which of the two it was.
            Err(error) => match serde_json::from_slice::<Versioned>(value) {
                Ok(versioned) if versioned.v > VERSION => {
                    return Err(Unreadable::Newer(versioned.v));
                }
                _ => return Err(error.into()),
            },
        };
        if record.v > VERSION {
            return Err(Unreadable::Newer(record.v));
        }
        match key.parse::<RoomId>() {
            Ok(room) if room == record.room => Ok(record),
            _ => Err(Unreadable::WrongKey(key.to_owned(), record.room)),
        }
    }

    /// Whether an entry is a plain message, told from its first bytes. May say no of a message
    /// that another program wrote with its fields in another order; parsing then tells.
    pub fn looks_like_message(value: &[u8]) -> bool {
        value.starts_with(br#"{"type":"message","#)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::message::Reactors;
    use crate::core::types::{MessageId, Position};

    fn message() -> Record {
        let sender = Person { id: UserId(3), username: "ann".into(), display_name: "Ann".into() };
        Record {
            action: Action::Message(Post {
                sender,
                body: "hi".into(),
                client_id: None,
                reply_to: None,
            }),
            v: 1,
            room: RoomId::Group(7),
            by: UserId(3),
            hub_admin: false,
            at: Timestamp(0),
            id: Uuid::nil(),
        }
    }

    #[test]
    fn a_record_survives_the_log_and_reads_like_a_sentence() {
        let record = message();
        let bytes = record.encode();
        assert_eq!(Record::decode("7", &bytes).unwrap(), record);
        assert!(Record::looks_like_message(&bytes));
        assert_eq!(
            std::str::from_utf8(&bytes).unwrap(),
            concat!(
                r#"{"type":"message","sender":{"id":"3","username":"ann","display_name":"Ann"},"body":"hi","#,
                r#""v":1,"room":"7","by":"3","at":"1970-01-01T00:00:00.000Z","#,
                r#""id":"00000000-0000-0000-0000-000000000000"}"#
            )
        );
    }

    #[test]
    fn no_record_is_larger_than_the_largest() {
        let mut limits = crate::config::Limits::default().text();
        let person = || Person {
            id: UserId(i64::MAX),
            username: "\u{20000}".repeat(limits.username_characters),
            display_name: "\u{1f600}".repeat(limits.display_name_characters),
        };
        let members = (0..MAX_MEMBERS).map(|_| Seat { person: person(), role: Role::Member });
        let founding = Action::RoomCreated(Founding {
            kind: RoomKind::Group,
            name: Some("\u{1f600}".repeat(limits.room_name_characters)),
            visibility: Visibility::Private,
            members: members.collect(),
        });
        let encoded = Record { action: founding, ..message() }.encode().len();
        assert!(encoded <= most_bytes(&limits), "{encoded}");
        assert!(most_bytes(&limits) < 8 << 20, "no more than a broker can take");

        let (sender, id) = (person(), MessageId(i64::MAX));
        limits.message_characters = 2_000_000;
        let body = "\u{1}".repeat(limits.message_characters);
        let quote =
            Quote { id, sender: sender.clone(), body: Some("\u{1}".repeat(QUOTE)), deleted: false };
        let users = (0..REACTIONS as i64).map(|user| UserId(i64::MAX - user)).collect();
        let original = Original {
            id,
            position: Position(i64::MAX),
            sender,
            sent_at: Timestamp(0),
            edited_at: Some(Timestamp(0)),
            deleted: false,
            reply_to: Some(id),
            client_id: Some("\"".repeat(64)),
            reactions: vec![Reactors { emoji: "👨‍👩‍👧‍👦".into(), users }],
        };
        let edit = Action::Edited { message: original, body, quote: Some(quote) };
        let encoded = Record { action: edit, ..message() }.encode().len();
        assert!(encoded <= most_bytes(&limits), "{encoded}");
    }

    #[test]
    fn a_record_is_written_in_the_oldest_version_that_can_say_it() {
        let (at, id) = (Timestamp(5), Uuid::nil());
        let by = |hub_admin| Doer { user: UserId(3), hub_admin };
        let record = |action, by| Record::new(action, RoomId::Group(7), by, at, id);
        let member = Person { id: UserId(3), username: "ann".into(), display_name: "Ann".into() };
        let plain = record(Action::RoomDeleted, by(false));
        assert_eq!((plain.v, plain.hub_admin), (1, false));
        assert!(!String::from_utf8(plain.encode().to_vec()).unwrap().contains("hub_admin"));
        let muted = Action::MemberMuted { member, until: at };
        for record in [record(Action::RoomDeleted, by(true)), record(muted, by(false))] {
            assert_eq!(record.v, 2, "{record:?}");
            assert_eq!(Record::decode("7", &record.encode()).unwrap(), record);
        }
    }

    #[test]
    fn what_the_first_version_wrote_is_read() {
        let id = Uuid::nil();
        let old = format!(
            r#"{{"type":"room_deleted","v":1,"room":"7","by":"3","at":"2023-11-14T22:13:20.000Z","id":"{id}"}}"#
        );
        let record = Record::decode("7", old.as_bytes()).unwrap();
        assert_eq!(
            (record.action, record.by, record.hub_admin),
            (Action::RoomDeleted, UserId(3), false)
        );
    }

    #[test]
    fn a_newer_version_is_told_from_nonsense() {
        let mut newer = message();
        newer.v = VERSION + 1;
        let decoded = Record::decode("7", &newer.encode());
        assert!(matches!(decoded, Err(Unreadable::Newer(v)) if v == VERSION + 1));
        let unknown = br#"{"type":"hologram","v":9}"#;
        assert!(matches!(Record::decode("7", unknown), Err(Unreadable::Newer(9))));
        assert!(matches!(Record::decode("7", b"{}"), Err(Unreadable::Malformed(_))));
        assert!(matches!(Record::decode("8", &message().encode()), Err(Unreadable::WrongKey(..))));
    }
}
