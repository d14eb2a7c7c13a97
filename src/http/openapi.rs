//! The description of the HTTP API for programs, `docs/openapi.json`, as OpenAPI 3.1.
//!
//! It is written by hand, beside `docs/api.md`. The tests keep it true: here, that it has every
//! route and no other; in `tests/support`, that every answer the stories get is as it says.

use actix_web::HttpResponse;

/// Part of the binary, so that it is the one of this version.
pub const DOCUMENT: &str = include_str!("../../docs/openapi.json");

pub async fn document() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(DOCUMENT)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use actix_web::http::Method;
    use serde_json::Value;

    use super::DOCUMENT;
    use crate::http::{Address, api, operators, simple_api};

    fn document() -> Value {
        serde_json::from_str(DOCUMENT).unwrap()
    }

    fn operations(prefix: &str, addresses: Vec<Address>) -> Vec<String> {
        let methods = |address: &Address| -> Vec<String> {
            let methods = address.answers.iter().map(|(method, _)| method);
            // Where GET answers, HEAD goes without saying.
            let methods = methods.filter(|method| **method != Method::HEAD);
            methods.map(|method| format!("{method} {prefix}{}", address.path)).collect()
        };
        addresses.iter().flat_map(methods).collect()
    }

    #[test]
    fn every_route_is_described_and_nothing_else() {
        let served: BTreeSet<String> = [
            operations("/api/v1", api()),
            operations("", simple_api()),
            operations("", operators()),
        ]
        .concat()
        .into_iter()
        .collect();
        let mut described = BTreeSet::new();
        for (path, item) in document()["paths"].as_object().unwrap() {
            let methods = item.as_object().unwrap().keys();
            let methods = methods.filter(|key| *key != "parameters");
            described.extend(methods.map(|method| format!("{} {path}", method.to_uppercase())));
        }
        let missing: Vec<_> = served.difference(&described).collect();
        let surplus: Vec<_> = described.difference(&served).collect();
        assert!(missing.is_empty(), "not described: {missing:?}");
        assert!(surplus.is_empty(), "not served: {surplus:?}");
    }

    #[test]
    fn every_part_of_a_path_is_described() {
        let document = document();
        for (path, item) in document["paths"].as_object().unwrap() {
            let parts: BTreeSet<&str> = path
                .split('/')
                .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
                .collect();
            let parameters = item["parameters"].as_array().cloned().unwrap_or_default();
            let described: Vec<Value> = parameters
                .iter()
                .map(|parameter| resolve(&document, parameter)["name"].clone())
                .collect();
            let described = described.iter().map(|name| name.as_str().unwrap()).collect();
            assert_eq!(parts, described, "{path}");
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = document();
        let mut open = vec![&document];
        while let Some(value) = open.pop() {
            if value.get("$ref").is_some() {
                assert!(resolve(&document, value).is_object(), "{value}");
            }
            match value {
                Value::Object(fields) => open.extend(fields.values()),
                Value::Array(values) => open.extend(values),
                _ => {}
            }
        }
    }

    /// What a value is, or refers to.
    fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(to) => document.pointer(to.strip_prefix('#').unwrap()).unwrap_or(&Value::Null),
            None => value,
        }
    }
}
