//! Where a request comes from, as the limits count it.
//!
//! Behind a proxy all connections come from the proxy, and `X-Forwarded-For` says for whom. Anyone
//! can send that header, so it is believed only as far as proxies that we trust have written it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use actix_http::header::HeaderMap;
use ipnet::IpNet;

/// Bits of an IPv6 address that whoever has one is free to choose: they name a network of theirs.
const OWN_BITS: u32 = 64;

/// One client: an IPv4 address, or a /64 of IPv6 addresses, of which nobody has fewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Source(IpAddr);

impl Source {
    /// Whom a request counts for that came over a connection from `peer`.
    pub fn of(peer: Option<IpAddr>, headers: &HeaderMap, trusted: &[IpNet]) -> Source {
        let peer = peer.unwrap_or(IpAddr::from([127, 0, 0, 1]));
        Source::from(client_address(peer, headers, trusted))
    }

    /// Whether it is the machine that the hub runs on: its operator, or a proxy that the hub was not
    /// told of, and then everybody.
    pub fn is_here(self) -> bool {
        self.0.is_loopback()
    }
}

impl fmt::Display for Source {
    /// An IPv6 network with its length: `2001:db8:0:1::/64`.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.0 {
            IpAddr::V4(v4) => write!(f, "{v4}"),
            IpAddr::V6(v6) => write!(f, "{v6}/{OWN_BITS}"),
        }
    }
}

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Source {
        Source(match address.to_canonical() {
            IpAddr::V6(v6) if v6.is_loopback() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> OWN_BITS << OWN_BITS).into(),
            v4 => v4,
        })
    }
}

/// Each proxy appends whom it heard from: walk back as long as it was one of ours. Several lines
/// of the header are one list (RFC 9110, 5.3).
fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let lines: Vec<&str> =
        headers.get_all("x-forwarded-for").map(|line| line.to_str().unwrap_or("?")).collect();
    let hops = lines.iter().rev().flat_map(|line| line.rsplit(',')).map(str::trim);
    // An IPv4 peer of a socket for both families shows as `::ffff:a.b.c.d`.
    let mut address = peer.to_canonical();
    for hop in hops.filter(|hop| !hop.is_empty()) {
        match hop.parse::<IpAddr>() {
            Ok(hop) if trusted.iter().any(|net| net.contains(&address)) => {
                address = hop.to_canonical();
            }
            _ => break,
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use actix_http::header::{HeaderName, HeaderValue};

    use super::*;

    fn address(peer: &str, lines: &[&str]) -> String {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let mut headers = HeaderMap::new();
        for line in lines {
            let name = HeaderName::from_static("x-forwarded-for");
            headers.append(name, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        client_address(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        assert_eq!(address("9.9.9.9", &["1.1.1.1"]), "9.9.9.9");
        assert_eq!(address("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(address("10.0.0.1", &["6.6.6.6, 1.1.1.1"]), "1.1.1.1");
        assert_eq!(address("10.0.0.1", &["1.1.1.1, 10.0.0.2"]), "1.1.1.1");
        assert_eq!(address("10.0.0.1", &["1.1.1.1, nonsense, 10.0.0.2"]), "10.0.0.2");
        assert_eq!(address("fd00::1", &["2001:db8::1,"]), "2001:db8::1");
    }

    #[test]
    fn lines_are_one_list_in_their_order() {
        assert_eq!(address("10.0.0.1", &["6.6.6.6", "1.1.1.1"]), "1.1.1.1");
        assert_eq!(address("10.0.0.1", &["6.6.6.6, 1.1.1.1", "", "10.0.0.2"]), "1.1.1.1");
        assert_eq!(address("10.0.0.1", &["6.6.6.6", "\u{e9}", "10.0.0.2"]), "10.0.0.2");
    }

    #[test]
    fn an_ipv4_address_is_one_in_its_ipv6_form_too() {
        assert_eq!(address("::ffff:10.0.0.1", &["1.1.1.1"]), "1.1.1.1");
        assert_eq!(address("10.0.0.1", &["1.1.1.1, ::ffff:10.0.0.2"]), "1.1.1.1");
        assert_eq!(address("10.0.0.1", &["::ffff:1.1.1.1"]), "1.1.1.1");
    }

    #[test]
    fn an_ipv6_network_is_one_source() {
        let source = |text: &str| Source::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(source("2001:db8:0:1::1"), source("2001:db8:0:1:ffff:ffff:ffff:ffff"));
        assert_ne!(source("2001:db8:0:1::1"), source("2001:db8:0:2::1"));
        assert_eq!(source("2001:db8:0:1::1").to_string(), "2001:db8:0:1::/64");
        assert_eq!(source("::ffff:1.1.1.1").to_string(), "1.1.1.1");
        assert_eq!(source("::ffff:1.1.1.1"), source("1.1.1.1"));
        assert_ne!(source("1.1.1.1"), source("1.1.1.2"));
    }
}
