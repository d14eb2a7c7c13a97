//! The words of the simple API: one flat object a message, ids as numbers.
//!
//! Small Kafka chats document them, and so do the console tools of Kafka use them: the HTTP routes,
//! the socket of one group and the inbound topic all read and write what is here.

use std::fmt::Display;
use std::str::FromStr;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use super::room::{Event, Message};
use super::text::Invalid;
use super::types::{RoomId, Timestamp, UserId};

/// Somebody wants something said. Ids may be numbers or strings of digits.
#[derive(Debug, Default, PartialEq, Deserialize)]
pub struct Posted {
    #[serde(default, deserialize_with = "number_or_string")]
    pub user_id: Option<UserId>,
    #[serde(default, deserialize_with = "number_or_string")]
    pub group_id: Option<RoomId>,
    pub message: String,
    #[serde(default)]
    pub client_id: Option<String>,
}

fn number_or_string<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: FromStr<Err: Display>,
    D: Deserializer<'de>,
{
    let text = match Option::<Value>::deserialize(deserializer)? {
        None => return Ok(None),
        Some(Value::String(text)) => text,
        Some(Value::Number(number)) => number.to_string(),
        Some(_) => return Err(D::Error::custom("an id is a number, or a string of its digits")),
    };
    text.parse().map(Some).map_err(D::Error::custom)
}

impl Posted {
    /// Reads a text frame: an object with a `message`, or else the text as it is.
    pub fn from_frame(text: &str) -> Result<Posted, serde_json::Error> {
        match serde_json::from_str(text) {
            Ok(Value::Object(object)) => serde_json::from_value(Value::Object(object)),
            _ => Ok(Posted { message: text.to_owned(), ..Posted::default() }),
        }
    }
}

/// A message as the simple API shows it. A deleted one keeps its place, with an empty text.
#[derive(Debug, Serialize)]
pub struct Line<'a> {
    id: i64,
    group_id: Value,
    user_id: i64,
    username: &'a str,
    message: &'a str,
    timestamp: Timestamp,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    edited: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    deleted: bool,
}

impl<'a> From<&'a Message> for Line<'a> {
    fn from(message: &'a Message) -> Line<'a> {
        Line {
            id: message.id.0,
            group_id: group_id(message.room_id),
            user_id: message.sender.id.0,
            username: &message.sender.username,
            message: message.body.as_deref().unwrap_or_default(),
            timestamp: message.sent_at,
            edited: message.edited_at.is_some() && !message.deleted,
            deleted: message.deleted,
        }
    }
}

/// A group's id is a number. A direct conversation's cannot be one, and stays the string it is.
pub fn group_id(room: RoomId) -> Value {
    match room {
        RoomId::Group(number) => json!(number),
        RoomId::Direct(..) => json!(room),
    }
}

/// What a socket of one group hears of an event, if anything.
pub fn event(event: &Event) -> Option<Vec<u8>> {
    match event {
        Event::Message { message, .. }
        | Event::Edited { message, .. }
        | Event::Deleted { message, .. } => {
            // A plain struct with string keys: serialising it to memory cannot fail.
            Some(serde_json::to_vec(&Line::from(message)).unwrap_or_default())
        }
        _ => None,
    }
}

/// A text frame that was not posted, or may not have been.
pub fn error(code: &str, detail: &str, temporary: bool) -> Vec<u8> {
    let mut error = json!({"error": detail, "code": code});
    if temporary {
        error["temporary"] = json!(true);
    }
    error.to_string().into_bytes()
}

/// What is a message's body elsewhere is called its message here.
pub fn in_our_words(invalid: Invalid) -> Invalid {
    match invalid.field {
        "body" => Invalid { field: "message", ..invalid },
        _ => invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::message::example;
    use crate::core::types::{MessageId, Person, Position};

    fn message() -> Message {
        let sender = Person { id: UserId(3), username: "ann".into(), display_name: "Ann".into() };
        let room_id = RoomId::Group(7);
        Message { room_id, sender, ..example(MessageId(1024), Position(2)) }
    }

    #[test]
    fn a_frame_is_an_object_with_a_message_or_plain_text() {
        let said = |text| Posted::from_frame(text).map(|posted| posted.message).ok();
        assert_eq!(said(r#"{"message":"hi"}"#).as_deref(), Some("hi"));
        for plain in ["hi", "{hi", "5", "[1]", r#""hi""#, ""] {
            assert_eq!(said(plain).as_deref(), Some(plain));
        }
        for wrong in ["{}", r#"{"message":5}"#, r#"{"message":"hi","user_id":{}}"#] {
            assert_eq!(said(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn ids_are_numbers_or_strings_of_digits() {
        fn read(text: &str) -> Option<Posted> {
            serde_json::from_str(text).ok()
        }
        let both = read(r#"{"message":"","user_id":3,"group_id":"7"}"#).unwrap();
        assert_eq!((both.user_id, both.group_id), (Some(UserId(3)), Some(RoomId::Group(7))));
        let direct = read(r#"{"message":"","user_id":"3","group_id":"d3-4"}"#).unwrap();
        assert_eq!(direct.group_id, RoomId::direct(UserId(3), UserId(4)));
        assert_eq!(read(r#"{"message":"","group_id":null}"#).unwrap().group_id, None);
        for wrong in ["0", "-1", "1.5", "\"x\"", "true", "[1]"] {
            assert_eq!(read(&format!(r#"{{"message":"","user_id":{wrong}}}"#)), None, "{wrong}");
        }
    }

    #[test]
    fn a_line_says_whether_it_was_changed() {
        let line = |message: &Message| serde_json::to_value(Line::from(message)).unwrap();
        let plain = json!({
            "id": 1024, "group_id": 7, "user_id": 3, "username": "ann", "message": "hi",
            "timestamp": "1970-01-01T00:00:00.000Z",
        });
        assert_eq!(line(&message()), plain);
        let edited = Message { edited_at: Some(Timestamp(1)), ..message() };
        assert_eq!(line(&edited)["edited"], true);
        let deleted = line(&edited.into_deleted());
        assert_eq!((&deleted["message"], &deleted["deleted"]), (&json!(""), &json!(true)));
        assert_eq!(deleted.get("edited"), None);
    }
}
