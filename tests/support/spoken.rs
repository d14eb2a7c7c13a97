//! Holds what goes over the sockets against their description, `docs/asyncapi.json`.
//!
//! Every frame that a story gets comes by here, and every command that it sends and that is
//! answered `ok`. As with HTTP it is taken strictly: a field that is not named should not be there.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::Validator;
use serde_json::{Value, json};

use super::described::close;

/// With the schemas of the HTTP API, to which it refers, among its own.
static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let own = include_str!("../../docs/asyncapi.json").replace("./openapi.json#", "#");
    let shared = include_str!("../../docs/openapi.json");
    let [mut document, shared]: [Value; 2] =
        [&own, shared].map(|text| serde_json::from_str(text).expect("the description is JSON"));
    for (name, schema) in shared["components"]["schemas"].as_object().expect("schemas") {
        document["components"]["schemas"][name] = schema.clone();
    }
    close(&mut document);
    document
});

/// What the socket's messages are, by what is to be looked at in a frame.
static MESSAGES: LazyLock<Messages> = LazyLock::new(Messages::read);

#[derive(Default)]
struct Messages {
    /// The names of a command and of its answers, by the command's type.
    commands: HashMap<String, (String, Vec<String>)>,
    events: HashMap<String, String>,
}

impl Messages {
    fn read() -> Messages {
        let mut messages = Messages::default();
        for operation in DOCUMENT["operations"].as_object().expect("operations").values() {
            if operation["channel"]["$ref"] != "#/channels/socket" {
                continue;
            }
            let names = names(&operation["messages"]);
            match operation["action"].as_str() {
                Some("receive") => {
                    let kind = constant(&names[0], "type").expect("a command has a type");
                    let answers = names_of_answers(operation);
                    messages.commands.insert(kind, (names[0].clone(), answers));
                }
                _ => messages.events.extend(
                    names
                        .into_iter()
                        .map(|name| (constant(&name, "type").expect("an event has a type"), name)),
                ),
            }
        }
        messages
    }
}

fn names(messages: &Value) -> Vec<String> {
    let messages = messages.as_array().expect("messages").iter();
    let references = messages.filter_map(|message| message["$ref"].as_str());
    references.filter_map(|to| to.rsplit('/').next()).map(String::from).collect()
}

fn names_of_answers(operation: &Value) -> Vec<String> {
    names(&operation["reply"]["messages"])
}

fn constant(name: &str, field: &str) -> Option<String> {
    let payload = &DOCUMENT["components"]["messages"][name]["payload"];
    payload["properties"][field]["const"].as_str().map(String::from)
}

/// The commands of one socket that wait for their answers.
#[derive(Default)]
pub struct Spoken {
    waiting: VecDeque<Value>,
}

impl Spoken {
    /// The story sent this; it need not make sense.
    pub fn said(&mut self, text: &str) {
        self.waiting.extend(serde_json::from_str::<Value>(text).ok().filter(Value::is_object));
    }

    /// The hub sent this: an answer or an event, and as described.
    #[track_caller]
    pub fn heard(&mut self, frame: &Value) {
        let kind = frame["type"].as_str().unwrap_or_default();
        if !matches!(kind, "ok" | "error") {
            let event = MESSAGES.events.get(kind);
            let event = event.unwrap_or_else(|| panic!("no such event is described: {frame}"));
            return check(event, frame);
        }
        let asked = self.waiting.iter().position(|asked| asked.get("ref") == frame.get("ref"));
        let asked = asked.and_then(|at| self.waiting.remove(at));
        if kind == "error" {
            return check("Error", frame);
        }
        let asked = asked.unwrap_or_else(|| panic!("an answer to nothing: {frame}"));
        let kind = asked["type"].as_str().unwrap_or_default();
        let described = MESSAGES.commands.get(kind);
        let (command, answers) =
            described.unwrap_or_else(|| panic!("no such command is described: {asked}"));
        check(command, &asked);
        let ok = answers.iter().find(|name| constant(name, "type").as_deref() == Some("ok"));
        check(ok.expect("a command has an answer"), frame);
    }
}

/// A frame of the simple API's socket: a message or an error.
#[track_caller]
pub fn check_line(line: &Value) {
    let name = if line.get("error").is_some() { "SimpleError" } else { "SimpleLine" };
    check(name, line);
}

/// Panics where a payload is not as the message of that name is described.
#[track_caller]
pub fn check(name: &str, payload: &Value) {
    let validator = validator(name);
    let errors: Vec<String> = validator
        .iter_errors(payload)
        .map(|error| format!("{error} at {}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{name} is not as described: {errors:#?} in {payload}");
}

/// One for each message that was met.
fn validator(name: &str) -> Arc<Validator> {
    static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> =
        LazyLock::new(Default::default);
    let mut validators = VALIDATORS.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(validator) = validators.get(name) {
        return validator.clone();
    }
    let schema = &DOCUMENT["components"]["messages"][name]["payload"];
    assert!(!schema.is_null(), "{name} is not described");
    let schemas = &DOCUMENT["components"]["schemas"];
    let schema = json!({"components": {"schemas": schemas}, "allOf": [schema]});
    let validator = jsonschema::draft202012::new(&schema);
    let validator = Arc::new(validator.unwrap_or_else(|error| panic!("{name}: {error}")));
    validators.insert(name.to_owned(), validator.clone());
    validator
}
