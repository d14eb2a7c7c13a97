//! What goes over the socket: commands as clients send them, answers and events as they get them.
//!
//! An event is encoded once and the same bytes go to everyone; only `room_created` differs from
//! viewer to viewer, since it shows the room as its new member sees it.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::presence::Status;
use super::room::{Event, Info, Member, Mentions, Message, Refusal};
use super::types::{MessageId, Person, Position, RoomId, RoomKind, Timestamp, UserId};
use crate::store::RoomView;

/// The subprotocol that a client asks for.
pub const PROTOCOL: &str = "rookery.v1";

/// What a client marked its command with; its answer carries it. A string or a number.
pub type Ref = Option<Value>;

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Command {
    Hello {
        /// Rooms by id, and up to where the client knows them. Ids that are none match no room.
        #[serde(default)]
        rooms: Option<HashMap<String, Position>>,
        /// The client came back by itself while nobody is at it.
        #[serde(default)]
        away: bool,
    },
    Send {
        room: String,
        body: String,
        #[serde(default)]
        client_id: Option<String>,
        #[serde(default)]
        reply_to: Option<String>,
    },
    Edit {
        message: MessageId,
        body: String,
    },
    Delete {
        message: MessageId,
    },
    React {
        message: MessageId,
        emoji: String,
        on: bool,
    },
    Read {
        room: String,
        position: Position,
        /// The one that the reader knows.
        #[serde(default)]
        read_version: Option<i64>,
    },
    Unread {
        room: String,
        position: Position,
    },
    Typing {
        room: String,
    },
    Presence {
        #[serde(default)]
        users: Option<Vec<UserId>>,
        #[serde(default)]
        room: Option<String>,
        #[serde(default)]
        all: bool,
    },
    /// Somebody is at it, whatever else they do.
    Active,
    Ping,
}

const COMMANDS: [&str; 11] = [
    "hello", "send", "edit", "delete", "react", "read", "unread", "typing", "presence", "active",
    "ping",
];

impl Command {
    /// Whether it shows that a person is there. Reading does not: a page that is left open reads
    /// what comes by itself.
    pub fn is_input(&self) -> bool {
        match self {
            Command::Send { .. }
            | Command::Edit { .. }
            | Command::Delete { .. }
            | Command::React { .. }
            | Command::Unread { .. }
            | Command::Typing { .. }
            | Command::Active => true,
            Command::Hello { .. }
            | Command::Read { .. }
            | Command::Presence { .. }
            | Command::Ping => false,
        }
    }
}

/// Why a frame is no command.
#[derive(Debug, PartialEq)]
pub struct Malformed {
    pub reference: Ref,
    pub code: &'static str,
    pub detail: String,
}

/// Reads a text frame.
pub fn decode(text: &str) -> Result<(Ref, Command), Malformed> {
    #[derive(Deserialize)]
    struct Envelope {
        #[serde(rename = "type")]
        kind: Option<Value>,
        #[serde(rename = "ref")]
        reference: Ref,
    }
    let bad = |reference, detail: String| Malformed { reference, code: "bad_request", detail };
    let envelope: Envelope = super::from_object(text.as_bytes())
        .map_err(|error| bad(None, format!("a frame is one JSON object: {error}")))?;
    let reference = envelope.reference;
    if !matches!(reference, None | Some(Value::String(_) | Value::Number(_))) {
        return Err(bad(None, "ref is a string or a number".to_owned()));
    }
    match envelope.kind {
        Some(Value::String(kind)) if COMMANDS.contains(&kind.as_str()) => {
            match serde_json::from_str(text) {
                Ok(command) => Ok((reference, command)),
                Err(error) => Err(bad(reference, format!("{kind}: {error}"))),
            }
        }
        Some(Value::String(kind)) => Err(Malformed {
            reference,
            code: "unknown_command",
            detail: format!("there is no command {:?}", kind.chars().take(40).collect::<String>()),
        }),
        _ => Err(bad(reference, "type is missing, or is no string".to_owned())),
    }
}

fn encode(value: &impl Serialize) -> Vec<u8> {
    // Values of our own with string keys: serialising them to memory cannot fail.
    serde_json::to_vec(value).unwrap_or_default()
}

/// `{"type":"ok","ref":…}` with the fields of `fields`, an object.
pub fn ok(reference: &Ref, fields: impl Serialize) -> Vec<u8> {
    #[derive(Serialize)]
    struct Ok<'a, F> {
        r#type: &'static str,
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: &'a Ref,
        #[serde(flatten)]
        fields: F,
    }
    encode(&Ok { r#type: "ok", reference, fields })
}

/// As [`ok`], about a message.
pub fn ok_message(reference: &Ref, message: &Message) -> Vec<u8> {
    #[derive(Serialize)]
    struct Fields<'a> {
        message: &'a Message,
    }
    ok(reference, Fields { message })
}

/// `{"type":"error",…}`: a command that was refused, or whose outcome is unknown.
pub fn error(reference: &Ref, code: &str, detail: &str, temporary: bool) -> Vec<u8> {
    encode(&Error { temporary, ..Error::new(reference, code, detail) })
}

/// As [`error`], of something that is not worth trying again before so many seconds.
pub fn later(reference: &Ref, code: &str, detail: &str, seconds: u32) -> Vec<u8> {
    let error = Error::new(reference, code, detail);
    encode(&Error { temporary: true, retry_after: Some(seconds), ..error })
}

/// A command that its room refused.
pub fn refusal(reference: &Ref, refusal: Refusal, detail: &str) -> Vec<u8> {
    let error = Error::new(reference, refusal.code(), detail);
    encode(&Error { muted_until: refusal.muted_until(), ..error })
}

#[derive(Serialize)]
struct Error<'a> {
    r#type: &'static str,
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    reference: &'a Ref,
    code: &'a str,
    detail: &'a str,
    temporary: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    muted_until: Option<Timestamp>,
}

impl<'a> Error<'a> {
    fn new(reference: &'a Ref, code: &'a str, detail: &'a str) -> Error<'a> {
        let (temporary, retry_after, muted_until) = (false, None, None);
        Error { r#type: "error", reference, code, detail, temporary, retry_after, muted_until }
    }
}

/// An event of a room, as everyone in it gets it.
pub fn event(room: RoomId, position: Position, event: &Event) -> Vec<u8> {
    #[derive(Serialize)]
    struct Framed<F> {
        r#type: &'static str,
        room: RoomId,
        position: Position,
        #[serde(flatten)]
        fields: F,
    }
    // By far the most are messages: they are written as they are.
    if let Event::Message { message, mentions } = event {
        let fields = Called::by(message, mentions);
        return encode(&Framed { r#type: "message", room, position, fields });
    }
    let (r#type, fields) = describe(event);
    encode(&Framed { r#type, room, position, fields })
}

/// The type of an event, and its own fields.
pub fn describe(event: &Event) -> (&'static str, Value) {
    match event {
        Event::Message { message, mentions } => ("message", json!(Called::by(message, mentions))),
        Event::Edited { message, mentions } => ("edited", json!(Called::by(message, mentions))),
        Event::Deleted { message, by } => ("deleted", json!({"message": message, "by": by})),
        Event::Reaction { message, emoji, user, on, count, .. } => {
            let fields = json!({
                "message": message, "emoji": emoji, "user_id": user, "on": on, "count": count,
            });
            ("reaction", fields)
        }
        Event::RoomCreated { info, by, .. } => ("room_created", json!({"info": info, "by": by})),
        Event::RoomUpdated { info, changes, by } => {
            ("room_updated", json!({"info": info, "changes": changes, "by": by}))
        }
        Event::RoomDeleted { by, .. } => ("room_deleted", json!({"by": by})),
        Event::MemberAdded { member, muted_until, by } => {
            ("member_added", json!({"member": muted_json(member, *muted_until), "by": by}))
        }
        Event::MemberUpdated { member, by } | Event::MemberUnmuted { member, by } => {
            ("member_updated", json!({"member": member_json(member), "by": by}))
        }
        Event::MemberMuted { member, until, by } => {
            ("member_updated", json!({"member": muted_json(member, Some(*until)), "by": by}))
        }
        Event::MemberRemoved { member, ban, by } => {
            let mut fields = json!({"member": member_json(member), "by": by});
            if *ban {
                fields["ban"] = json!(true);
            }
            ("member_removed", fields)
        }
        Event::MemberBanned { person, by } => {
            let member = json!({
                "user_id": person.id,
                "username": person.username,
                "display_name": person.display_name,
            });
            ("member_banned", json!({"member": member, "by": by, "ban": true}))
        }
    }
}

/// A message and, where there are any, those whom it calls.
#[derive(Serialize)]
struct Called<'a> {
    message: &'a Message,
    #[serde(skip_serializing_if = "<[UserId]>::is_empty")]
    mentions: &'a [UserId],
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    mentions_all: bool,
}

impl<'a> Called<'a> {
    fn by(message: &'a Message, mentions: &'a Mentions) -> Called<'a> {
        Called { message, mentions: &mentions.users, mentions_all: mentions.all }
    }
}

/// What somebody did, and its fields, as the audit has it: there a mute is not just a change.
pub fn deed(event: &Event) -> (&'static str, Value) {
    let (kind, fields) = describe(event);
    match event {
        Event::MemberMuted { .. } => ("member_muted", fields),
        Event::MemberUnmuted { .. } => ("member_unmuted", fields),
        _ => (kind, fields),
    }
}

/// Those for whom the event is not the same as for everyone; [`event_for`] is theirs.
pub fn viewers_apart(what: &Event) -> Vec<UserId> {
    match what {
        Event::RoomCreated { members, .. } => {
            members.iter().map(|member| member.person.id).collect()
        }
        Event::Message { message, .. } | Event::Edited { message, .. } => {
            message.reactions.iter().flat_map(|reaction| reaction.users.iter().copied()).collect()
        }
        _ => Vec::new(),
    }
}

/// An event as this one viewer gets it: a new room as its founders see it, and a message with the
/// viewer's own reactions marked.
pub fn event_for(viewer: UserId, room: RoomId, position: Position, what: &Event) -> Vec<u8> {
    match what {
        Event::RoomCreated { info, members, by } => {
            match members.iter().find(|member| member.person.id == viewer) {
                Some(me) => room_created(&founders_view(info, me, position), position, *by),
                None => event(room, position, what),
            }
        }
        Event::Message { message, mentions } if !message.reactions.is_empty() => {
            let (message, mentions) = (message.clone().seen_by(viewer), mentions.clone());
            event(room, position, &Event::Message { message, mentions })
        }
        Event::Edited { message, mentions } if !message.reactions.is_empty() => {
            let (message, mentions) = (message.clone().seen_by(viewer), mentions.clone());
            event(room, position, &Event::Edited { message, mentions })
        }
        _ => event(room, position, what),
    }
}

fn room_created(view: &RoomView, position: Position, by: UserId) -> Vec<u8> {
    encode(&json!({
        "type": "room_created", "room": view.id, "position": position, "info": view, "by": by,
    }))
}

/// A room that was just made, as one of its founders sees it.
pub fn founders_view(info: &Info, founder: &Member, position: Position) -> RoomView {
    let other = info.people.iter().find(|person| person.id != founder.person.id);
    RoomView {
        id: info.id,
        kind: info.kind,
        name: match info.kind {
            RoomKind::Direct => other.map(|person| person.display_name.clone()),
            RoomKind::Group => info.name.clone(),
        },
        topic: info.topic.clone(),
        visibility: info.visibility,
        role: Some(founder.role),
        unread: Some(0),
        mentions: Some(0),
        last_message: None,
        position,
        read_position: Some(position),
        read_version: Some(0),
        muted_until: None,
        member_count: info.member_count as i64,
        created_at: founder.joined_at,
        people: info.people.clone(),
    }
}

fn member_json(member: &Member) -> Value {
    json!({
        "user_id": member.person.id,
        "username": member.person.username,
        "display_name": member.person.display_name,
        "role": member.role,
        "joined_at": member.joined_at,
    })
}

fn muted_json(member: &Member, muted_until: Option<Timestamp>) -> Value {
    let mut json = member_json(member);
    if let Some(until) = muted_until {
        json["muted_until"] = json!(until);
    }
    json
}

/// Too much was missed to be repeated, or it is not known: load the history.
pub fn reset(room: RoomId, position: Position) -> Vec<u8> {
    encode(&json!({"type": "reset", "room": room, "position": position}))
}

pub fn typing(room: RoomId, user: UserId) -> Vec<u8> {
    encode(&json!({"type": "typing", "room": room, "user_id": user}))
}

/// Where a person's read marker is, for their own devices.
pub fn read(room: RoomId, user: UserId, position: Position, version: i64) -> Vec<u8> {
    encode(&json!({
        "type": "read", "room": room, "user_id": user,
        "read_position": position, "read_version": version,
    }))
}

/// How far somebody has read, for the others in the room.
pub fn receipt(room: RoomId, user: UserId, position: Position) -> Vec<u8> {
    encode(&json!({"type": "read", "room": room, "user_id": user, "read_position": position}))
}

/// What a person changed about their account, for their own devices.
pub fn account(read_receipts: bool) -> Vec<u8> {
    encode(&json!({"type": "account", "read_receipts": read_receipts}))
}

/// What others see of a person has changed. `avatar` is an address.
pub fn user_updated(person: &Person, avatar: Option<&str>) -> Vec<u8> {
    let mut user = json!({
        "id": person.id,
        "username": person.username,
        "display_name": person.display_name,
        "avatar": avatar,
    });
    if person.is_deleted() {
        user["deleted"] = json!(true);
    }
    encode(&json!({"type": "user_updated", "user": user}))
}

/// A person's presence, in a snapshot, a list or an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Seen {
    pub user_id: UserId,
    pub status: Status,
    /// When the last socket closed; `None` while one is open, and for who never had one.
    pub last_seen: Option<Timestamp>,
}

pub fn presence(users: &[Seen]) -> Vec<u8> {
    encode(&json!({"type": "presence", "users": users}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_from_nonsense() {
        let (reference, command) = decode(r#"{"type":"ping","ref":7}"#).unwrap();
        assert_eq!(reference, Some(json!(7)));
        assert!(matches!(command, Command::Ping));
        let code = |text| decode(text).unwrap_err().code;
        assert_eq!(code("{"), "bad_request");
        assert_eq!(code("[]"), "bad_request");
        assert_eq!(code(r#"{"ref":1}"#), "bad_request");
        assert_eq!(code(r#"{"type":"fly","ref":1}"#), "unknown_command");
        assert_eq!(code(r#"{"type":"send","ref":1,"room":7}"#), "bad_request");
        assert_eq!(code(r#"{"type":"ping","ref":{}}"#), "bad_request");
        assert_eq!(decode(r#"{"type":"fly","ref":"a"}"#).unwrap_err().reference, Some(json!("a")));
    }

    #[test]
    fn a_resuming_hello_names_rooms_and_positions() {
        let (_, command) = decode(r#"{"type":"hello","ref":1,"rooms":{"7":"41"}}"#).unwrap();
        let Command::Hello { rooms: Some(rooms), away: false } = command else {
            panic!("{command:?}")
        };
        assert_eq!(rooms["7"], Position(41));
        assert!(decode(r#"{"type":"hello","ref":1,"rooms":{"7":41}}"#).is_err());
    }

    #[test]
    fn reading_may_name_the_version_that_it_knows() {
        let read = |text| match decode(text).unwrap().1 {
            Command::Read { read_version, position, .. } => (read_version, position),
            command => panic!("{command:?}"),
        };
        let known = r#"{"type":"read","ref":1,"room":"7","position":"9","read_version":2}"#;
        assert_eq!(read(known), (Some(2), Position(9)));
        let unknown = r#"{"type":"read","ref":1,"room":"7","position":"9"}"#;
        assert_eq!(read(unknown), (None, Position(9)));
    }

    #[test]
    fn answers_carry_the_ref_and_events_the_room() {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        assert_eq!(text(ok(&Some(json!(1)), json!({}))), r#"{"type":"ok","ref":1}"#);
        assert_eq!(text(ok(&None, json!({"a": 1}))), r#"{"type":"ok","a":1}"#);
        assert_eq!(
            text(error(&Some(json!("x")), "forbidden", "no", false)),
            r#"{"type":"error","ref":"x","code":"forbidden","detail":"no","temporary":false}"#
        );
        let deleted = event(
            RoomId::Group(7),
            Position(3),
            &Event::RoomDeleted { by: UserId(1), members: vec![UserId(1)] },
        );
        assert_eq!(text(deleted), r#"{"type":"room_deleted","room":"7","position":"3","by":"1"}"#);
    }
}
