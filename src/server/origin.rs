//! Where a request came from, and under which name it reached us.
//!
//! `X-Forwarded-*` is believed only from configured proxies: anybody else could claim an address that a policy's
//! `aws:SourceIp` allows.

use std::net::IpAddr;

use http::header::{HOST, REFERER, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, HeaderName, Uri};
use ipnet::IpNet;

use crate::access::Origin;

/// The connection that a request came over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Connection {
    /// The other end.
    pub(super) peer: IpAddr,
    /// Whether it is TLS.
    pub(super) is_tls: bool,
}

/// The origin of a request.
#[must_use]
pub(super) fn origin(connection: Connection, headers: &HeaderMap, trusted: &[IpNet]) -> Origin {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    let peer = connection.peer.to_canonical();
    let (mut address, mut is_secure) = (peer, connection.is_tls);
    if is_trusted(&peer) {
        // From the right: each proxy appends the address it saw, what stands further left is hearsay.
        let claimed: Vec<&str> = headers
            .get_all("x-forwarded-for")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .collect();
        for text in claimed.into_iter().rev() {
            let Ok(next) = text.parse::<IpAddr>() else { break };
            address = next.to_canonical();
            if !is_trusted(&address) {
                break;
            }
        }
        if let Some(scheme) = last(headers, "x-forwarded-proto") {
            is_secure = scheme.eq_ignore_ascii_case("https");
        }
    }
    Origin { address, is_secure, user_agent: text(headers, &USER_AGENT), referer: text(headers, &REFERER) }
}

/// `HOST[:PORT]` that the client used: of HTTP/2's authority, of an absolute target, or of the `Host` header.
#[must_use]
pub(super) fn host(head: &Parts) -> Option<String> {
    let named = authority(&head.uri).or_else(|| text(&head.headers, &HOST))?;
    // It returns in URLs of answers: what is no host name is not repeated.
    let is_plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    (!named.is_empty() && named.len() <= 260 && named.bytes().all(is_plain)).then_some(named)
}

fn authority(uri: &Uri) -> Option<String> {
    let authority = uri.authority()?.as_str();
    Some(authority.rsplit_once('@').map_or(authority, |(_, host)| host).to_owned())
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

fn last<'headers>(headers: &'headers HeaderMap, name: &str) -> Option<&'headers str> {
    let value = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    value.rsplit(',').next().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, fields: &[(&'static str, &str)], trusted: &[&str]) -> (String, bool) {
        let headers =
            fields.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let trusted: Vec<IpNet> = trusted.iter().map(|network| network.parse().unwrap()).collect();
        let connection = Connection { peer: peer.parse().unwrap(), is_tls: false };
        let origin = origin(connection, &headers, &trusted);
        (origin.address.to_string(), origin.is_secure)
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let claim = ("x-forwarded-for", "6.6.6.6, 9.9.9.9, 10.0.0.7");
        let https = ("x-forwarded-proto", "https");
        let proxies = ["10.0.0.0/8"];
        for (peer, fields, trusted, address, is_secure) in [
            ("1.2.3.4", vec![], &proxies[..], "1.2.3.4", false),
            ("1.2.3.4", vec![claim, https], &proxies[..], "1.2.3.4", false),
            ("10.0.0.1", vec![claim, https], &proxies[..], "9.9.9.9", true),
            ("::ffff:10.0.0.1", vec![claim], &proxies[..], "9.9.9.9", false),
            ("10.0.0.1", vec![claim], &[][..], "10.0.0.1", false),
            ("10.0.0.1", vec![("x-forwarded-for", "nonsense")], &proxies[..], "10.0.0.1", false),
            ("10.0.0.1", vec![("x-forwarded-for", "9.9.9.9, nonsense")], &proxies[..], "10.0.0.1", false),
            ("10.0.0.1", vec![("x-forwarded-proto", "https, http")], &proxies[..], "10.0.0.1", false),
        ] {
            assert_eq!(seen(peer, &fields, trusted), (address.to_owned(), is_secure), "{peer} {fields:?}");
        }
    }

    #[test]
    fn a_host_that_is_no_name_is_not_repeated() {
        for (target, header, expected) in [
            ("/", Some("localhost:4580"), Some("localhost:4580")),
            ("http://a.example:1/", Some("b.example"), Some("a.example:1")),
            ("/", Some("a\"b"), None),
            ("/", None, None),
        ] {
            let mut request = http::Request::builder().uri(target);
            if let Some(header) = header {
                request = request.header(HOST, header);
            }
            let (head, ()) = request.body(()).unwrap().into_parts();
            assert_eq!(host(&head).as_deref(), expected);
        }
    }
}
