//! Every command, event and record is described, and nothing else.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;

use super::DOCUMENT;
use crate::core::message::{Original, Quote, Reactors};
use crate::core::record::{Action, Changes, Founding, Post, Record, Seat};
use crate::core::room::{Doer, Event};
use crate::core::types::{
    MessageId, Person, Position, Role, RoomId, RoomKind, Timestamp, UserId, Visibility,
};
use crate::core::wire;
use crate::http::openapi;

const ROOM: RoomId = RoomId::Group(7);

fn document() -> Value {
    serde_json::from_str(DOCUMENT).unwrap()
}

/// The `type`s of what the socket's operations with this action carry.
fn described(action: &str) -> BTreeSet<String> {
    let document = document();
    let at = |to: &Value| document.pointer(to["$ref"].as_str().unwrap().trim_matches('#')).unwrap();
    let operations = document["operations"].as_object().unwrap().values();
    operations
        .filter(|operation| operation["channel"]["$ref"] == "#/channels/socket")
        .filter(|operation| operation["action"] == action)
        .flat_map(|operation| operation["messages"].as_array().unwrap())
        .map(|message| &at(at(message))["payload"]["properties"]["type"]["const"])
        .map(|kind| kind.as_str().unwrap().to_owned())
        .collect()
}

/// The words in the tag of an enum, all of them: serde lists them when it meets another.
fn variants<T: DeserializeOwned>() -> BTreeSet<String> {
    let error = serde_json::from_value::<T>(json!({"type": "?"})).err().unwrap().to_string();
    let (_, listed) = error.split_once("expected one of ").unwrap();
    listed.split('`').skip(1).step_by(2).map(String::from).collect()
}

#[track_caller]
fn same(ours: BTreeSet<String>, described: &BTreeSet<String>) {
    let missing: Vec<_> = ours.difference(described).collect();
    let surplus: Vec<_> = described.difference(&ours).collect();
    assert!(missing.is_empty(), "not described: {missing:?}");
    assert!(surplus.is_empty(), "described, but there is no such thing: {surplus:?}");
}

#[test]
fn every_command_is_described_and_nothing_else() {
    same(variants::<wire::Command>(), &described("receive"));
}

#[test]
fn every_event_is_described_and_nothing_else() {
    let (user, position) = (UserId(3), Position(1));
    let apart = [
        wire::reset(ROOM, position),
        wire::typing(ROOM, user),
        wire::read(ROOM, user, position, 1),
        wire::account(true),
        wire::presence(&[]),
        wire::user_updated(&ann(), None),
    ];
    // Told as changes of the member.
    let deeds = ["member_muted", "member_unmuted"];
    let mut events = variants::<Event>();
    events.retain(|kind| !deeds.contains(&kind.as_str()));
    for frame in apart {
        let frame: Value = serde_json::from_slice(&frame).unwrap();
        events.insert(frame["type"].as_str().unwrap().to_owned());
    }
    same(events, &described("send"));
}

#[test]
fn every_record_is_as_described() {
    let schema = closed(json!({"$ref": "#/components/schemas/Record"}));
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let mut shown = BTreeSet::new();
    for action in every_action() {
        let by = Doer { user: UserId(3), hub_admin: true };
        let record = Record::new(action, ROOM, by, Timestamp(0), Uuid::nil());
        let record: Value = serde_json::from_slice(&record.encode()).unwrap();
        let errors: Vec<String> = validator.iter_errors(&record).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{record} is not as described: {errors:#?}");
        shown.insert(record["type"].as_str().unwrap().to_owned());
    }
    let described = schema["components"]["schemas"]["Record"]["oneOf"].as_array().unwrap();
    let kind = |record: &Value| record["properties"]["type"]["const"].as_str().unwrap().to_owned();
    same(variants::<Action>(), &described.iter().map(kind).collect());
    assert_eq!(shown, variants::<Action>(), "one of each");
}

/// A schema beside all that it may refer to, allowing no fields but those that are named.
fn closed(mut schema: Value) -> Value {
    fn close(value: &mut Value) {
        if value.get("properties").is_some() {
            value["additionalProperties"] = json!(false);
        }
        match value {
            Value::Object(fields) => fields.values_mut().for_each(close),
            Value::Array(values) => values.iter_mut().for_each(close),
            _ => {}
        }
    }
    let text = |document: &str| document.replace("./openapi.json#", "#");
    let [ours, shared]: [Value; 2] =
        [DOCUMENT, openapi::DOCUMENT].map(|one| serde_json::from_str(&text(one)).unwrap());
    let mut schemas = shared["components"]["schemas"].clone();
    for (name, schema) in ours["components"]["schemas"].as_object().unwrap() {
        assert!(schemas.get(name).is_none(), "{name} is in both documents");
        schemas[name] = schema.clone();
    }
    schema["components"] = json!({"schemas": schemas});
    close(&mut schema);
    schema
}

fn ann() -> Person {
    Person { id: UserId(3), username: "ann".into(), display_name: "Ann".into() }
}

fn quote() -> Quote {
    Quote { id: MessageId(1024), sender: ann(), body: Some("hm".into()), deleted: false }
}

/// With everything that one may have.
fn original() -> Original {
    Original {
        id: MessageId(1024),
        position: Position(2),
        sender: ann(),
        sent_at: Timestamp(0),
        edited_at: Some(Timestamp(1)),
        deleted: true,
        reply_to: Some(MessageId(1)),
        client_id: Some("a".into()),
        reactions: vec![Reactors { emoji: "👍".into(), users: vec![UserId(3)] }],
    }
}

/// One of each, with everything that it may have.
fn every_action() -> Vec<Action> {
    let emoji = "👍".to_owned();
    let (visibility, name) = (Visibility::Public, Some("birds".to_owned()));
    let post = |client_id, reply_to| {
        Action::Message(Post { sender: ann(), body: "hi".into(), client_id, reply_to })
    };
    let seat = Seat { person: ann(), role: Role::Admin };
    vec![
        post(None, None),
        post(Some("a".into()), Some(quote())),
        Action::Edited { message: original(), body: "ho".into(), quote: Some(quote()) },
        Action::Deleted { message: original() },
        Action::Reaction { message: original(), emoji, on: true },
        Action::RoomCreated(Founding {
            kind: RoomKind::Group,
            name: name.clone(),
            visibility,
            members: vec![seat],
        }),
        Action::RoomUpdated(Changes {
            name,
            topic: Some("all of them".into()),
            visibility: Some(visibility),
        }),
        Action::RoomDeleted,
        Action::MemberSet { member: ann(), role: Role::Member },
        Action::MemberRemoved { member: ann(), ban: true },
        Action::MemberMuted { member: ann(), until: Timestamp(5) },
        Action::MemberUnmuted { member: ann() },
    ]
}
