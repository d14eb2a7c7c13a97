//! Passwords, logins and their tokens.
//!
//! A token is 32 random bytes; the store has only its SHA-256, so that a stolen database logs
//! nobody in.

pub mod attempts;
pub mod passwords;
pub mod source;

use actix_http::header::{self, HeaderMap};
use actix_web::cookie::{Cookie, SameSite};
use sha2::{Digest, Sha256};

use crate::store::TokenHash;

/// The cookie under HTTP, and under HTTPS, where browsers keep its name to one host.
pub const COOKIE: &str = "rookery_session";
pub const SECURE_COOKIE: &str = "__Host-rookery_session";

/// A new token, as 64 hexadecimal digits.
pub fn new_token() -> Result<String, getrandom::Error> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

pub fn token_hash(token: &str) -> TokenHash {
    Sha256::digest(token.as_bytes()).into()
}

/// The token of a request: a bearer token before a cookie.
pub fn token_of(headers: &HeaderMap) -> Option<String> {
    match headers.contains_key(header::AUTHORIZATION) {
        true => bearer_of(headers),
        false => cookie_of(headers),
    }
}

pub fn bearer_of(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}

pub fn cookie_of(headers: &HeaderMap) -> Option<String> {
    let named = |wanted: &str| {
        let values = headers.get_all(header::COOKIE).filter_map(|value| value.to_str().ok());
        let mut cookies =
            values.flat_map(|value| value.split(';')).filter_map(|pair| pair.split_once('='));
        cookies.find(|(name, _)| name.trim() == wanted).map(|(_, value)| value.trim().to_owned())
    };
    named(SECURE_COOKIE).or_else(|| named(COOKIE))
}

/// The cookie that logs a browser in, or, without a token, out.
pub fn cookie(token: Option<String>, secure: bool) -> Cookie<'static> {
    let name = if secure { SECURE_COOKIE } else { COOKIE };
    let mut cookie = Cookie::build(name, token.clone().unwrap_or_default())
        .path("/")
        .http_only(true)
        .secure(secure)
        .same_site(SameSite::Lax)
        .permanent()
        .finish();
    if token.is_none() {
        cookie.make_removal();
    }
    cookie
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_http::header::HeaderValue;

    #[test]
    fn a_bearer_token_goes_before_a_cookie() {
        let mut headers = HeaderMap::new();
        assert_eq!(token_of(&headers), None);
        headers.insert(header::COOKIE, HeaderValue::from_static("a=b; rookery_session=c; d=e"));
        assert_eq!(token_of(&headers).as_deref(), Some("c"));
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("bearer t"));
        assert_eq!(token_of(&headers).as_deref(), Some("t"));
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Basic x"));
        assert_eq!(token_of(&headers), None, "a wrong header is not made up for by a cookie");
    }

    #[test]
    fn tokens_are_long_and_different() {
        let (one, other) = (new_token().unwrap(), new_token().unwrap());
        assert_eq!(one.len(), 64);
        assert_ne!(one, other);
        assert_ne!(token_hash(&one), token_hash(&other));
    }
}
