//! How to speak with the server: Rookery, or one of those it is compared with.

use std::net::SocketAddr;

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
    /// The socket hears its room from now on.
    Ready,
    /// A message of ours, from its mark on.
    Message(&'a [u8]),
    /// A message of ours was accepted: its body, from its mark on.
    Accepted(&'a [u8]),
    /// The server did not do what it was asked.
    Refused,
    /// Somebody came or left, in a frame of so many bytes.
    Presence(usize),
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

    /// What a client says first, if anything; else it is ready. It may know its room up to a
    /// position.
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

/// The hub writes the type first, and that of an answer before what it is about.
fn rookery(frame: &[u8]) -> Told<'_> {
    if frame.starts_with(br#"{"type":"message""#) {
        return marked(frame).map_or(Told::Other, Told::Message);
    }
    if frame.starts_with(br#"{"type":"ok","ref":"send""#) {
        return marked(frame).map_or(Told::Other, Told::Accepted);
    }
    match frame {
        frame if frame.starts_with(br#"{"type":"ok","ref":"hello""#) => Told::Ready,
        frame if frame.starts_with(br#"{"type":"error""#) => Told::Refused,
        frame if frame.starts_with(br#"{"type":"presence""#) => Told::Presence(frame.len()),
        _ => Told::Other,
    }
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

    #[test]
    fn the_hub_is_understood() {
        let hear = |frame: &'static str| Speech::Rookery.hear(frame.as_bytes(), "7");
        let message = r#"{"type":"message","room":"7","message":{"body":"bench:1"}}"#;
        assert_eq!(hear(message), Told::Message(br#"bench:1"}}"#));
        let accepted = r#"{"type":"ok","ref":"send","message":{"body":"bench:1"}}"#;
        assert_eq!(hear(accepted), Told::Accepted(br#"bench:1"}}"#));
        assert_eq!(hear(r#"{"type":"ok","ref":"hello","user":{}}"#), Told::Ready);
        assert_eq!(hear(r#"{"type":"error","ref":"send","code":"x"}"#), Told::Refused);
        assert_eq!(hear(r#"{"type":"presence","users":[]}"#), Told::Presence(30));
        assert_eq!(hear(r#"{"type":"read","room":"7"}"#), Told::Other);
    }

    #[test]
    fn the_order_of_fields_is_that_of_the_hub() {
        use crate::core::wire;
        let reference = Some(json!("hello"));
        assert_eq!(rookery(&wire::ok(&reference, json!({"a": 1}))), Told::Ready);
        assert_eq!(rookery(&wire::error(&reference, "x", "y", true)), Told::Refused);
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
