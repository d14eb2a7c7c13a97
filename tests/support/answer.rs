//! What came back over HTTP, and the checks that every answer gets; first of all, that it is as the
//! API's description says.

use reqwest::header::HeaderMap;
use serde_json::Value;

use super::described;

#[derive(Debug)]
pub struct Answer {
    pub asked: String,
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub async fn read(asked: String, response: reqwest::Response) -> Answer {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap_or_else(|error| panic!("{asked}: {error}"));
        let answer = Answer { asked, status, headers, text };
        described::check(&answer);
        answer
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// The body of an answer that should have this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{} answered {}", self.asked, self.text);
        if status == 204 {
            assert_eq!(self.text, "", "{}: a 204 has no body", self.asked);
            return Value::Null;
        }
        let kind = self.header("content-type").unwrap_or_default();
        assert!(kind.starts_with("application/json"), "{}: {kind}", self.asked);
        self.json()
    }

    /// Checks that this is the problem with that status and code, told as problems should be.
    #[track_caller]
    pub fn problem(self, status: u16, code: &str) -> Value {
        let asked = &self.asked;
        assert_eq!(self.status, status, "{asked} answered {}", self.text);
        let kind = self.header("content-type").unwrap_or_default();
        assert!(kind.starts_with("application/problem+json"), "{asked}: content-type {kind:?}");
        let body = self.json();
        assert_eq!(body["code"], code, "{asked}: {body}");
        assert_eq!(body["status"], status, "{asked}: {body}");
        for field in ["type", "title", "detail"] {
            let told = body[field].as_str().is_some_and(|text| !text.is_empty());
            assert!(told, "{asked}: no {field} in {body}");
        }
        let here = env!("CARGO_MANIFEST_DIR");
        for internal in ["SELECT ", "sqlite", "mysql", ".rs:", "panicked", here, "/tmp"] {
            assert!(!self.text.contains(internal), "{asked} shows its insides: {body}");
        }
        if matches!(status, 429 | 503) {
            let seconds = self.header("retry-after").and_then(|text| text.parse::<u32>().ok());
            assert!(seconds.is_some(), "{asked}: no Retry-After");
            assert_eq!(body["temporary"], true, "{asked}: {body}");
        }
        if matches!(status, 400..=428) {
            assert_ne!(body["temporary"], true, "{asked}: {body}");
        }
        body
    }
}
