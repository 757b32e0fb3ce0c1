//! Host names as docker and `AWS_ENDPOINT_URL` give them.
//!
//! ```text
//! https://Registry.example.com:8443/v2/ → registry.example.com:8443
//! [::1]:4580                            → [::1]:4580, which is loopback
//! ```

use std::fmt;
use std::net::IpAddr;

use anyhow::{Context as _, bail};

/// A host with an optional port, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Authority(http::uri::Authority);

/// Where requests go: a host, with TLS or without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) is_secure: bool,
    pub(super) authority: Authority,
}

impl Authority {
    /// The host of what docker calls a server URL: with or without scheme and path. `None` when it is none.
    pub(super) fn of_server(text: &str) -> Option<Self> {
        let rest =
            ["https://", "http://"].iter().find_map(|scheme| text.strip_prefix(scheme)).unwrap_or(text);
        Self::parse(rest.split('/').next().unwrap_or_default())
    }

    fn parse(text: &str) -> Option<Self> {
        let authority: http::uri::Authority = text.to_ascii_lowercase().parse().ok()?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]_".contains(&byte);
        // No user names, which the library accepts, and nothing that means something in a path.
        let is_good = text.bytes().all(is_plain) && !authority.host().is_empty() && !text.starts_with('.');
        // The library takes any text for a port.
        let has_port = text.rsplit(']').next().is_some_and(|rest| rest.contains(':'));
        let is_good = is_good && (authority.port_u16().is_some() || !has_port);
        is_good.then_some(Self(authority))
    }

    /// The name alone, an IPv6 address without its brackets.
    pub(super) fn host(&self) -> &str {
        self.0.host().trim_start_matches('[').trim_end_matches(']')
    }

    /// Where docker itself goes without TLS (its own rule for "insecure" registries).
    pub(super) fn is_loopback(&self) -> bool {
        let host = self.host();
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// The region in `<account>.dkr.ecr.<region>.<suffix>`.
    pub(super) fn region(&self) -> Option<&str> {
        let mut labels = self.host().split('.');
        let (account, dkr, ecr) = (labels.next()?, labels.next()?, labels.next()?);
        let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        let region = labels.next().filter(|_| labels.next().is_some())?;
        (is_account && dkr == "dkr" && matches!(ecr, "ecr" | "ecr-fips")).then_some(region)
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.as_str())
    }
}

impl Endpoint {
    /// An endpoint as the AWS tools take it: `https://host`, `http://host:port`.
    ///
    /// # Errors
    /// Another scheme, a path or query (Longshore's AWS faces lie at the root), or no host.
    pub(super) fn parse(url: &str) -> anyhow::Result<Self> {
        let (scheme, rest) =
            url.split_once("://").with_context(|| format!("{url:?} is not https://HOST[:PORT]"))?;
        let is_secure = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => bail!("{url:?} is neither https nor http"),
        };
        let text = rest.strip_suffix('/').unwrap_or(rest);
        let authority =
            Authority::parse(text).with_context(|| format!("{url:?} is not https://HOST[:PORT]"))?;
        Ok(Self { is_secure, authority })
    }

    /// The address to connect to.
    pub(super) fn address(&self) -> (&str, u16) {
        let port = self.authority.0.port_u16().unwrap_or(if self.is_secure { 443 } else { 80 });
        (self.authority.host(), port)
    }

    /// Whether a client that asks for `host` means this endpoint: the same name and the same port.
    pub(super) fn is(&self, host: &Authority) -> bool {
        let other = Self { is_secure: self.is_secure, authority: host.clone() };
        self.address() == other.address()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}://{}", if self.is_secure { "https" } else { "http" }, self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_host_with_or_without_decoration() {
        for (text, expected) in [
            ("localhost:4580", "localhost:4580"),
            ("https://index.docker.io/v1/", "index.docker.io"),
            ("http://Registry.Example.com:8443", "registry.example.com:8443"),
            ("[::1]:4580", "[::1]:4580"),
            ("registry.example.com/app", "registry.example.com"),
        ] {
            assert_eq!(Authority::of_server(text).unwrap().to_string(), expected, "{text}");
        }
        for text in
            ["", "https://", "user@host", "a b", "host:", "host:port", "..", "ftp://host", "höst", "[::1"]
        {
            assert_eq!(Authority::of_server(text), None, "{text}");
        }
    }

    #[test]
    fn loopback_is_what_docker_takes_for_it() {
        let is_loopback = |text| Authority::of_server(text).unwrap().is_loopback();
        assert!(
            ["localhost", "localhost:1", "127.0.0.1:1", "127.9.9.9", "[::1]:1"].into_iter().all(is_loopback)
        );
        assert!(
            !["localhost.example.com", "10.0.0.1", "[::2]:1", "example.com"].into_iter().any(is_loopback)
        );
    }

    #[test]
    fn the_region_is_in_the_names_of_ecr() {
        let region = |text| Authority::of_server(text).unwrap().region().map(str::to_owned);
        assert_eq!(region("123456789012.dkr.ecr.us-west-2.example.com").as_deref(), Some("us-west-2"));
        assert_eq!(region("123456789012.dkr.ecr.us-west-2"), None);
        assert_eq!(region("12345678901.dkr.ecr.us-west-2.example.com"), None);
        assert_eq!(region("localhost:4580"), None);
    }

    #[test]
    fn endpoints_are_roots() {
        let endpoint = Endpoint::parse("HTTPS://Example.com/").unwrap();
        assert_eq!(
            (endpoint.to_string().as_str(), endpoint.address()),
            ("https://example.com", ("example.com", 443))
        );
        assert_eq!(Endpoint::parse("http://[::1]").unwrap().address(), ("::1", 80));
        assert!(endpoint.is(&Authority::of_server("example.com:443").unwrap()));
        assert!(!endpoint.is(&Authority::of_server("example.com:80").unwrap()));
        for text in [
            "example.com",
            "ftp://a",
            "https://",
            "https://a/b",
            "https://a?b",
            "https://u:p@a",
            "https://a//",
        ] {
            assert!(Endpoint::parse(text).is_err(), "{text}");
        }
    }
}
