//! Holds what the hub answers against the description of its API, `docs/openapi.json`.
//!
//! Every answer that a story looks at comes by here, so the description is as true as the stories
//! are many. It is taken strictly: a field that it does not name should not be in an answer.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::Validator;
use serde_json::{Value, json};

use super::Answer;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let text = include_str!("../../docs/openapi.json");
    let mut document = serde_json::from_str(text).expect("the description is JSON");
    close(&mut document);
    document
});

/// One for each operation and status that was met.
static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> =
    LazyLock::new(Default::default);

/// Every operation that is described, as in `GET /api/v1/rooms/{room}`.
pub fn operations() -> Vec<String> {
    let mut operations = Vec::new();
    for (path, item) in DOCUMENT["paths"].as_object().expect("paths") {
        let methods = item.as_object().expect("methods").keys();
        let methods = methods.filter(|method| *method != "parameters");
        operations.extend(methods.map(|method| format!("{} {path}", method.to_uppercase())));
    }
    operations
}

/// Panics where an answer is not as described. What has no description passes: pages, addresses
/// that are not there, and methods that an address does not know.
#[track_caller]
pub fn check(answer: &Answer) {
    let (method, url) = answer.asked.split_once(' ').expect("a method and an address");
    let path = url.splitn(4, '/').nth(3).unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default().trim_end_matches('/');
    let Some(template) = template_of(path) else { return };
    let operation = &DOCUMENT["paths"][template][method.to_lowercase()];
    if operation.is_null() {
        return;
    }
    let status = answer.status.to_string();
    let responses = &operation["responses"];
    let described = responses.get(&status).unwrap_or(&responses["default"]);
    let described = resolve(described);
    let Some(contents) = described["content"].as_object() else {
        assert_eq!(answer.text, "", "{}: no body is described for {status}", answer.asked);
        return;
    };
    let kind = answer.header("content-type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default();
    let content = contents.get(kind);
    let content = content.unwrap_or_else(|| panic!("not described as {kind}: {answer:#?}"));
    if kind.ends_with("json") {
        let validator = validator(&format!("{method} {template} {status}"), &content["schema"]);
        let body = answer.json();
        let errors: Vec<String> = validator
            .iter_errors(&body)
            .map(|error| format!("{error} at {}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{} is not as described: {errors:#?}", answer.asked);
    }
}

/// The described path that this one is of; one without names in it goes first.
fn template_of(path: &str) -> Option<&'static str> {
    let parts: Vec<&str> = path.split('/').collect();
    let fits = |template: &&String| {
        let mut own = template.trim_start_matches('/').split('/');
        let fits = parts.iter().all(|part| {
            own.next().is_some_and(|own| own == *part || own.starts_with('{') && !part.is_empty())
        });
        fits && own.next().is_none()
    };
    let templates = DOCUMENT["paths"].as_object().expect("paths").keys().filter(fits);
    templates.min_by_key(|template| template.matches('{').count()).map(String::as_str)
}

fn resolve(value: &'static Value) -> &'static Value {
    match value["$ref"].as_str() {
        Some(to) => DOCUMENT.pointer(to.trim_start_matches('#')).expect("what is referred to"),
        None => value,
    }
}

fn validator(key: &str, schema: &Value) -> Arc<Validator> {
    let mut validators = VALIDATORS.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(validator) = validators.get(key) {
        return validator.clone();
    }
    // With the components beside it, its references lead to them.
    let schema = json!({"components": DOCUMENT["components"], "allOf": [schema]});
    let validator = jsonschema::draft202012::new(&schema);
    let validator = Arc::new(validator.unwrap_or_else(|error| panic!("{key}: {error}")));
    validators.insert(key.to_owned(), validator.clone());
    validator
}

/// Allows no fields but those that are named.
pub fn close(value: &mut Value) {
    if value.get("properties").is_some() && value.get("type") == Some(&json!("object")) {
        value["additionalProperties"] = json!(false);
    }
    match value {
        Value::Object(fields) => fields.values_mut().for_each(close),
        Value::Array(values) => values.iter_mut().for_each(close),
        _ => {}
    }
}
