//! What a client hears when something is not done: `application/problem+json` (RFC 9457) with a
//! stable `code`. What is our own fault is logged where it is caught and reads only "internal".

use std::borrow::Cow;
use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde_json::{Value, json};

use crate::core::room::Refusal;
use crate::core::text::Invalid;
use crate::hub::reply::{Trouble, explain, store_is_away};
use crate::store::StoreError;

/// An error that a person or a program can act on.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    code: Cow<'static, str>,
    detail: Cow<'static, str>,
    /// Whether the same may well work a moment later.
    temporary: bool,
    /// Seconds.
    retry_after: Option<u32>,
    /// What else a program may want to know, by its name.
    more: Option<(&'static str, Value)>,
}

pub type Answer = Result<HttpResponse, Problem>;

impl Problem {
    pub fn new(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        detail: impl Into<Cow<'static, str>>,
    ) -> Problem {
        let (code, detail) = (code.into(), detail.into());
        Problem { status, code, detail, temporary: false, retry_after: None, more: None }
    }

    /// With one more field in its body.
    pub fn with(self, name: &'static str, value: Value) -> Problem {
        Problem { more: Some((name, value)), ..self }
    }

    pub fn bad_request(detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, "bad_request", detail)
    }

    pub fn not_found() -> Problem {
        Problem::new(
            StatusCode::NOT_FOUND,
            "not_found",
            "there is nothing here, or nothing for you",
        )
    }

    pub fn not_logged_in() -> Problem {
        Problem::new(StatusCode::UNAUTHORIZED, "not_logged_in", "log in first")
    }

    pub fn invalid(field: &str, detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, format!("invalid_{field}"), detail)
    }

    pub fn unknown_user() -> Problem {
        let detail = "there is no such user";
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "unknown_user", detail)
    }

    /// At this address WebSocket is spoken, version 13 (RFC 6455).
    pub fn upgrade_required(detail: &'static str) -> Problem {
        Problem::new(StatusCode::UPGRADE_REQUIRED, "upgrade_required", detail)
    }

    pub fn too_many(code: &'static str, detail: &'static str, seconds: u32) -> Problem {
        let mut problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, code, detail);
        (problem.temporary, problem.retry_after) = (true, Some(seconds));
        problem
    }

    /// The connection is closed with it, since the rest of the body may yet come.
    pub fn request_timeout() -> Problem {
        let detail = "the body took too long to arrive";
        Problem::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", detail)
    }

    pub fn unavailable(detail: impl Into<Cow<'static, str>>) -> Problem {
        let mut problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail);
        (problem.temporary, problem.retry_after) = (true, Some(1));
        problem
    }

    /// Surely not done, and not worth trying again before so many seconds.
    pub fn later(seconds: u32, detail: &'static str) -> Problem {
        Problem { retry_after: Some(seconds), ..Problem::unavailable(detail) }
    }

    pub fn outcome_unknown(detail: &'static str) -> Problem {
        let mut problem = Problem::new(StatusCode::GATEWAY_TIMEOUT, "outcome_unknown", detail);
        problem.temporary = true;
        problem
    }

    /// Whatever went wrong came after a change that was made: it must not read as a refusal.
    pub fn after_change(self) -> Problem {
        Problem::outcome_unknown("it was done, but what came of it cannot be read now")
    }

    pub fn internal() -> Problem {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "internal")
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }

    pub fn body(&self) -> String {
        let title = self.status.canonical_reason().unwrap_or("error");
        let mut body = json!({
            "type": "about:blank",
            "title": title,
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": self.detail,
        });
        if self.temporary {
            body["temporary"] = json!(true);
        }
        if let Some((name, value)) = &self.more {
            body[*name] = value.clone();
        }
        body.to_string()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        response.insert_header((header::CONTENT_TYPE, "application/problem+json"));
        if let Some(seconds) = self.retry_after {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
        }
        // RFC 9110, 15.5.22, and RFC 6455, 4.4.
        if self.status == StatusCode::UPGRADE_REQUIRED {
            response.insert_header((header::UPGRADE, "websocket"));
            response.insert_header((header::SEC_WEBSOCKET_VERSION, "13"));
        }
        if self.status == StatusCode::REQUEST_TIMEOUT {
            response.force_close();
        }
        response.body(self.body())
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        let status = match refusal {
            Refusal::NotFound => return Problem::not_found(),
            Refusal::NotAMember | Refusal::Forbidden | Refusal::Banned | Refusal::Muted(_) => {
                StatusCode::FORBIDDEN
            }
            _ => StatusCode::CONFLICT,
        };
        let problem = Problem::new(status, refusal.code(), explain(refusal));
        match refusal.muted_until() {
            Some(until) => problem.with("muted_until", json!(until)),
            None => problem,
        }
    }
}

impl From<Trouble> for Problem {
    fn from(trouble: Trouble) -> Problem {
        match trouble {
            Trouble::Unavailable(detail) => Problem::unavailable(detail),
            Trouble::OutcomeUnknown(detail) => Problem::outcome_unknown(detail),
            Trouble::TooLarge(detail) => {
                Problem::new(StatusCode::PAYLOAD_TOO_LARGE, trouble.code(), detail)
            }
        }
    }
}

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Problem {
        Problem::invalid(invalid.field, invalid.detail)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        match error {
            StoreError::Unavailable(reason) => {
                store_is_away(&reason);
                Problem::unavailable("the store cannot be reached")
            }
            StoreError::Unknown(reason) => {
                tracing::warn!(%reason, "the store was lost while it wrote");
                Problem::outcome_unknown("the store was lost while it wrote")
            }
            error => {
                tracing::error!(%error, "the store failed");
                Problem::internal()
            }
        }
    }
}
