//! What is tried on bytes from outside, each a function: the fuzzer calls them, and so does
//! `tests/decoders.rs` on random bytes and on changed examples, so that `./test quick` knows them too.
//!
//! Each panics where something is wrong: a decoder that panics itself, something decoded that does
//! not come back as it was, something let through that must not be.

use rookery::config::Limits;
use rookery::core::presence::{Status, Told};
use rookery::core::record::Record;
use rookery::core::room::Event;
use rookery::core::search::{Query, words};
use rookery::core::simple::Posted;
use rookery::core::types::{MessageId, Position, RoomId, Timestamp, UserId};
use rookery::core::{markup, text, wire};
use rookery::hub::signals::Signal;

/// A decoder, by the name of its examples in `seeds/`.
pub type Target = (&'static str, fn(&[u8]));

pub const ALL: [Target; 10] = [
    ("command", command),
    ("record", record),
    ("event", event),
    ("presence", presence),
    ("signal", signal),
    ("inbound", inbound),
    ("simple", simple),
    ("cursor", cursor),
    ("markup", markup),
    ("search", search),
];

/// A text frame of the socket.
pub fn command(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (reference, answer) = match wire::decode(text) {
        Ok((reference, command)) => {
            command.is_input();
            let answer = wire::ok(&reference, serde_json::Value::Null);
            (reference, answer)
        }
        Err(malformed) => {
            let answer =
                wire::error(&malformed.reference, malformed.code, &malformed.detail, false);
            (malformed.reference, answer)
        }
    };
    let answer: serde_json::Value = serde_json::from_slice(&answer).expect("an answer is JSON");
    assert_eq!(answer.get("ref"), reference.as_ref(), "the answer carries the ref");
}

/// An entry of the log: its key, a line break, and its value.
pub fn record(data: &[u8]) {
    let (key, value) = halves(data);
    let key = String::from_utf8_lossy(key);
    Record::looks_like_message(value);
    if let Ok(record) = Record::decode(&key, value) {
        let again = Record::decode(&key, &record.encode());
        assert_eq!(again.expect("what was encoded is decoded"), record);
    }
}

/// What the store keeps of an event, and what clients are told of it.
pub fn event(data: &[u8]) {
    let Ok(event) = serde_json::from_slice::<Event>(data) else { return };
    let again = serde_json::to_vec(&event).expect("an event is encoded");
    assert_eq!(serde_json::from_slice::<Event>(&again).expect("and decoded"), event);
    let told = wire::event(RoomId::Group(1), Position(1), &event);
    assert!(serde_json::from_slice::<serde_json::Value>(&told).is_ok(), "clients are told JSON");
}

/// An entry of the presence topic: its key, a line break, and its value.
pub fn presence(data: &[u8]) {
    let (key, value) = halves(data);
    let key = String::from_utf8_lossy(key);
    for value in [None, Some(value)] {
        let Some(told) = Told::parse(&key, value) else { continue };
        let status = match &told {
            Told::Person(_, _, Status::Away) => r#"{"status":"away"}"#,
            _ => r#"{"status":"online"}"#,
        };
        let value = told.has_value().then_some(status.as_bytes());
        assert_eq!(Told::parse(&told.key(), value), Some(told));
    }
}

/// A value of the signals topic.
pub fn signal(data: &[u8]) {
    let Ok(signal) = serde_json::from_slice::<Signal>(data) else { return };
    let again = serde_json::to_vec(&signal).expect("a signal is encoded");
    assert_eq!(serde_json::from_slice::<Signal>(&again).expect("and decoded"), signal);
}

/// A value of the inbound topic.
pub fn inbound(data: &[u8]) {
    if let Ok(posted) = serde_json::from_slice::<Posted>(data) {
        check_posted(&posted);
    }
}

/// A text frame of the simple API.
pub fn simple(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(posted) = Posted::from_frame(text) {
        check_posted(&posted);
    }
}

fn check_posted(posted: &Posted) {
    let limits = Limits::default().text();
    if let Ok(body) = text::message_body(&posted.message, &limits) {
        assert_eq!(text::message_body(&body, &limits), Ok(body), "a stored text would be accepted");
    }
    text::mentions(&posted.message);
    let _ = posted.client_id.as_deref().map(text::client_id);
}

/// Ids, cursors and times, as they come in paths, queries and frames: each has one spelling.
pub fn cursor(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for text in text.split(['&', '=', '"', ',', '/']) {
        if let Ok(position) = text.parse::<Position>() {
            assert_eq!(position.to_string(), text);
            let packed = Position::new(position.epoch() & 0x3ff, position.offset());
            assert_eq!(packed.offset(), position.offset());
        }
        if let Ok(id) = text.parse::<MessageId>() {
            assert_eq!(id.to_string(), text);
            assert_eq!(id.place().message_id(), id, "an id leads to a place, and back");
        }
        if let Ok(room) = text.parse::<RoomId>() {
            assert_eq!(room.to_string(), text);
        }
        if let Ok(user) = text.parse::<UserId>() {
            assert_eq!(user.to_string(), text);
        }
        if let Ok(time) = text.parse::<Timestamp>() {
            assert_eq!(time.to_string().parse(), Ok(time));
        }
    }
}

/// A text as it is shown: nothing but what `core::markup` lists is ever written, and not too much.
pub fn markup(data: &[u8]) {
    const ELEMENTS: [&str; 12] =
        ["p", "br", "strong", "em", "del", "code", "pre", "blockquote", "ul", "ol", "li", "a"];
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some(html) = markup::to_html(text) else { return };
    assert!(html.len() <= text.chars().count() * 16 + 1024, "{} bytes of HTML", html.len());
    for tag in html.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').expect("a tag ends");
        let tag = tag.trim_start_matches('/').trim_end_matches(['/', ' ']);
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        assert!(ELEMENTS.contains(&name), "{name} in {html}");
        if name == "a" && !attributes.is_empty() {
            let href = attributes.strip_prefix("href=\"").expect("a link leads somewhere");
            let schemes = ["http:", "https:", "mailto:"];
            let href = href.to_ascii_lowercase();
            assert!(schemes.iter().any(|scheme| href.starts_with(scheme)), "{href}");
        }
    }
}

/// A query, and a text that it looks for. A short text is found by its own words.
pub fn search(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let words = words(text);
    assert!(words.iter().all(|word| !word.is_empty()));
    if let Some(query) = Query::parse(text) {
        // Of longer ones not all words are indexed.
        assert!(text.len() > 1_000 || query.matches(text), "{query:?} does not find {text:?}");
    }
}

fn halves(data: &[u8]) -> (&[u8], &[u8]) {
    match data.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&data[..at], &data[at + 1..]),
        None => (b"1", data),
    }
}
