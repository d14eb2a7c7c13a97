//! How to speak with the server: Rookery, or one of those it is compared with.

use std::net::SocketAddr;
use std::time::Duration;

use clap::ValueEnum;
use memchr::memmem;
use serde_json::json;

/// What opens a message of ours, wherever in a frame it stands.
pub const MARK: &str = "bench:";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Speech {
    /// `rookery.v1`.
    Rookery,
    /// Text frames to everybody on the same path: the floor, and `ws` of Node.
    Plain,
    /// Socket.IO 4, on its WebSocket transport.
    SocketIo,
}

/// What a frame means.
#[derive(Debug, PartialEq)]
pub enum Told<'a> {
    /// Something has to be said before anything else.
    Next(String),
    /// The socket is greeted.
    Ready,
    /// It comes too early; the server ends it, and wants it to come again after this.
    SentAway(Duration),
    /// A message of ours, from its mark on.
    Message(&'a [u8]),
    /// A message of ours was accepted.
    Accepted,
    /// It was not, or the hub does not tell who is there: the whole frame.
    Refused(&'a [u8]),
    /// From now on it is told who comes and leaves.
    Follows,
    /// Who came or left, as a whole frame.
    Presence(&'a [u8]),
    Other,
}

impl Speech {
    /// The request that opens a socket of this room. The key is the one of RFC 6455: nobody here
    /// doubts that the server can make its answer.
    pub fn opening(self, address: SocketAddr, room: &str, token: &str) -> String {
        let (path, headers) = match self {
            Speech::Rookery => {
                let login = format!("Authorization: Bearer {token}\r\n");
                ("/api/v1/socket".to_owned(), login + "Sec-WebSocket-Protocol: rookery.v1\r\n")
            }
            Speech::Plain => (format!("/{room}"), String::new()),
            Speech::SocketIo => ("/socket.io/?EIO=4&transport=websocket".into(), String::new()),
        };
        format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
        )
    }

    /// What a client says first, or waits for. It may know its room up to a position.
    pub fn first(self, room: &str, known: Option<&str>) -> Told<'static> {
        match self {
            Speech::Rookery => {
                let mut hello = json!({"type": "hello", "ref": "hello"});
                if let Some(position) = known {
                    hello["rooms"] = json!({room: position});
                }
                Told::Next(hello.to_string())
            }
            Speech::Plain => Told::Ready,
            Speech::SocketIo => Told::Other,
        }
    }

    /// Asks who is in a room, and to be told when that changes; of a hub alone.
    pub fn follow(room: &str) -> String {
        json!({"type": "presence", "ref": "follow", "room": room}).to_string()
    }

    /// A message to a room. The body needs no escaping.
    pub fn message(self, room: &str, body: &str) -> String {
        match self {
            Speech::Rookery => {
                format!(r#"{{"type":"send","ref":"send","room":"{room}","body":"{body}"}}"#)
            }
            Speech::Plain => body.to_owned(),
            Speech::SocketIo => format!(r#"42["say","{body}"]"#),
        }
    }

    /// What a frame means on a socket of this room.
    pub fn hear<'a>(self, frame: &'a [u8], room: &str) -> Told<'a> {
        match self {
            Speech::Rookery => rookery(frame),
            Speech::Plain => marked(frame).map_or(Told::Other, Told::Message),
            Speech::SocketIo => socket_io(frame, room),
        }
    }
}

/// The hub writes the type of most frames first, and the ref of an answer before what it is about.
/// So most are known by how they begin, and nothing is parsed.
fn rookery(frame: &[u8]) -> Told<'_> {
    let begins = |with: &str| frame.starts_with(with.as_bytes());
    match frame {
        _ if begins(r#"{"type":"message""#) => marked(frame).map_or(Told::Other, Told::Message),
        _ if begins(r#"{"type":"ok","ref":"send""#) => Told::Accepted,
        _ if begins(r#"{"type":"error","ref":"send""#) => Told::Refused(frame),
        _ if begins(r#"{"type":"presence""#) => Told::Presence(frame),
        _ if begins(r#"{"type":"ok","ref":"follow""#) => Told::Follows,
        _ if begins(r#"{"type":"error","ref":"follow""#) => Told::Refused(frame),
        _ if begins(r#"{"type":"ok","ref":"hello""#) => Told::Ready,
        _ if begins(r#"{"type":"error","ref":"hello""#) => sent_away(frame),
        _ => Told::Other,
    }
}

fn sent_away(frame: &[u8]) -> Told<'_> {
    let error: serde_json::Value = serde_json::from_slice(frame).unwrap_or_default();
    let wait = error["retry_after"].as_u64().map(Duration::from_secs);
    wait.map_or(Told::Refused(frame), Told::SentAway)
}

/// Engine.IO 4 and Socket.IO 5: a digit for the kind of packet, and one more for that of its event.
fn socket_io<'a>(frame: &'a [u8], room: &str) -> Told<'a> {
    match frame {
        [b'0', ..] => Told::Next("40".into()),
        [b'2'] => Told::Next("3".into()),
        [b'4', b'0', ..] => Told::Next(format!(r#"42["join","{room}"]"#)),
        frame if frame.starts_with(br#"42["joined""#) => Told::Ready,
        frame => marked(frame).map_or(Told::Other, Told::Message),
    }
}

fn marked(frame: &[u8]) -> Option<&[u8]> {
    memmem::find(frame, MARK.as_bytes()).map(|at| &frame[at..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::message::example;
    use crate::core::room::{Event, Mentions};
    use crate::core::types::{MessageId, Position, RoomId, UserId};
    use crate::core::wire;

    #[test]
    fn the_hub_is_understood() {
        let hear = |frame: &'static str| Speech::Rookery.hear(frame.as_bytes(), "7");
        let message = r#"{"type":"message","room":"7","message":{"body":"bench:1"}}"#;
        assert_eq!(hear(message), Told::Message(br#"bench:1"}}"#));
        let accepted = r#"{"type":"ok","ref":"send","message":{"body":"bench:1"}}"#;
        assert_eq!(hear(accepted), Told::Accepted);
        assert_eq!(hear(r#"{"type":"ok","ref":"hello","user":{}}"#), Told::Ready);
        assert_eq!(hear(r#"{"type":"read","room":"7"}"#), Told::Other);
    }

    #[test]
    fn frames_begin_as_the_hub_begins_them() {
        let (room, position) = (RoomId::Group(7), Position(9));
        let mut message = example(MessageId(1), position);
        message.body = Some("bench:1".into());
        let said = Event::Message { message, mentions: Mentions::default() };
        assert!(matches!(rookery(&wire::event(room, position, &said)), Told::Message(_)));
        let by = |reference: &str| Some(json!(reference));
        assert_eq!(rookery(&wire::ok(&by("send"), json!({"message": 1}))), Told::Accepted);
        assert_eq!(rookery(&wire::ok(&by("hello"), json!({"user": 1}))), Told::Ready);
        assert_eq!(rookery(&wire::ok(&by("follow"), json!({"users": []}))), Told::Follows);
        let error = wire::error(&by("send"), "x", "y", true);
        assert_eq!(rookery(&error), Told::Refused(&error));
        let later = wire::later(&by("hello"), "unavailable", "later", 7);
        assert_eq!(rookery(&later), Told::SentAway(Duration::from_secs(7)));
        assert!(matches!(rookery(&wire::presence(&[])), Told::Presence(_)));
        assert_eq!(rookery(&wire::typing(room, UserId(1))), Told::Other);
    }

    #[test]
    fn socket_io_is_greeted_step_by_step() {
        let hear = |frame: &'static str| Speech::SocketIo.hear(frame.as_bytes(), "7");
        assert_eq!(hear(r#"0{"sid":"x"}"#), Told::Next("40".into()));
        assert_eq!(hear(r#"40{"sid":"y"}"#), Told::Next(r#"42["join","7"]"#.into()));
        assert_eq!(hear(r#"42["joined"]"#), Told::Ready);
        assert_eq!(hear("2"), Told::Next("3".into()));
        assert_eq!(hear(r#"42["said","bench:1"]"#), Told::Message(br#"bench:1"]"#));
    }
}
