//! The description of the sockets and of the Kafka topics for programs, `docs/asyncapi.json`, as
//! AsyncAPI 3.0.
//!
//! It is written by hand, beside `docs/socket.md`. The tests keep it true: here, that it has every
//! command, event and record and no other; in `tests/support`, that everything the stories hear
//! over a socket is as it says.

use actix_web::HttpResponse;

/// Part of the binary, so that it is the one of this version.
pub const DOCUMENT: &str = include_str!("../../docs/asyncapi.json");

pub async fn document() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(DOCUMENT)
}

#[cfg(test)]
mod tests;
