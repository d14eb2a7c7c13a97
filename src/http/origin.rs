//! Whether a browser's request comes from our own pages.
//!
//! Cookies go along with requests that other sites cause, so a cookie alone does not say that the
//! person meant it. Bearer tokens do not go along by themselves and need no such check.

use actix_http::header::{self, HeaderMap};

/// Scheme, host and port of a page, as in RFC 6454.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    scheme: String,
    host: String,
    port: u16,
}

impl Origin {
    /// Parses `http://host[:port]` or `https://host[:port]`; no path, no user.
    pub fn parse(text: &str) -> Option<Origin> {
        let (scheme, rest) = text.split_once("://")?;
        let port = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        let (host, port) = split_port(rest, port)?;
        Some(Origin { scheme: scheme.to_owned(), host, port })
    }

    pub fn is_https(&self) -> bool {
        self.scheme == "https"
    }
}

fn split_port(authority: &str, default: u16) -> Option<(String, u16)> {
    let after_host = authority.rfind(']').unwrap_or(0);
    let (host, port) = match authority[after_host..].rfind(':') {
        Some(at) => {
            let (host, port) = authority.split_at(after_host + at);
            (host, port[1..].parse().ok()?)
        }
        None => (authority, default),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._[]:".contains(c);
    (!host.is_empty() && host.chars().all(plain)).then(|| (host.to_ascii_lowercase(), port))
}

fn text(headers: &HeaderMap, name: impl header::AsHeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Whether the `Origin` header names us: the public URL where there is one, else the `Host`.
pub fn is_ours(headers: &HeaderMap, public: Option<&Origin>) -> bool {
    let Some(origin) = text(headers, header::ORIGIN).and_then(Origin::parse) else { return false };
    match public {
        Some(public) => origin == *public,
        None => {
            // A proxy in front may speak TLS: then only the default port differs.
            let default = if origin.is_https() { 443 } else { 80 };
            let host = text(headers, header::HOST).and_then(|host| split_port(host, default));
            host == Some((origin.host, origin.port))
        }
    }
}

/// Whether a request that changes something was made by our own page, or by no browser's page.
pub fn is_same_site(headers: &HeaderMap, public: Option<&Origin>, has_cookie: bool) -> bool {
    match text(headers, "sec-fetch-site") {
        Some(site) => site == "same-origin",
        None if headers.contains_key(header::ORIGIN) => is_ours(headers, public),
        None => !has_cookie,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_http::header::{HeaderName, HeaderValue};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn an_origin_is_ours_by_host_and_port() {
        let ours = |origin, host| is_ours(&headers(&[("origin", origin), ("host", host)]), None);
        assert!(ours("http://chat.example:8080", "chat.example:8080"));
        assert!(ours("https://chat.example", "chat.example"));
        assert!(ours("http://[::1]:8080", "[::1]:8080"));
        for foreign in
            ["null", "http://evil.example", "http://chat.example:81", "http://a@chat.example"]
        {
            assert!(!ours(foreign, "chat.example"), "{foreign}");
        }
        assert!(!is_ours(&headers(&[("host", "chat.example")]), None), "missing");
        let public = Origin::parse("https://chat.example").unwrap();
        let inside = headers(&[("origin", "https://chat.example"), ("host", "10.0.0.1:8080")]);
        assert!(is_ours(&inside, Some(&public)));
    }

    #[test]
    fn a_cookie_needs_proof_of_the_page() {
        let same = |pairs: &[_], cookie| is_same_site(&headers(pairs), None, cookie);
        assert!(same(&[("sec-fetch-site", "same-origin")], true));
        assert!(!same(&[("sec-fetch-site", "cross-site")], true));
        assert!(!same(&[("sec-fetch-site", "cross-site")], false), "a forged login");
        assert!(!same(&[("sec-fetch-site", "none")], true));
        assert!(!same(&[], true));
        assert!(same(&[], false), "a program without a browser");
        assert!(same(&[("origin", "http://a.b"), ("host", "a.b")], true));
        assert!(!same(&[("origin", "http://c.d"), ("host", "a.b")], true));
    }
}
