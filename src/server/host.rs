//! Which registry does a host name select? A pure function.
//!
//! A name of the form `<account>.dkr.ecr.<region>.<suffix>` (also `dkr.ecr-fips` and `dkr-ecr`, ecr.md §3), or one
//! that fits the configured public host with `{account}` or `{region}` in it, selects account and region. Every
//! other name means the configured default.
//!
//! ```
//! # use longshore::{access::Registry, server::Hosts};
//! let registry = |account, region| Registry {
//!     account: policy::AccountId::parse(account).unwrap(),
//!     region: policy::Region::parse(region).unwrap(),
//! };
//! let hosts = Hosts::new("localhost:4580", registry("123456789012", "eu-central-1"));
//! assert_eq!(hosts.registry("localhost:4580"), registry("123456789012", "eu-central-1"));
//! assert_eq!(hosts.registry("999999999999.dkr.ecr.us-west-2.example.com"), registry("999999999999", "us-west-2"));
//! ```

use policy::{AccountId, Region};

use crate::access::Registry;

/// What host names mean in this installation.
#[derive(Debug, Clone)]
pub struct Hosts {
    /// The public host without its port, in lower case, cut at its place holders.
    pieces: Vec<Piece>,
    default: Registry,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Account,
    Region,
}

impl Hosts {
    /// `public_host` is the template `HOST[:PORT]`; `default` is what all other names mean.
    #[must_use]
    pub fn new(public_host: &str, default: Registry) -> Self {
        Self { pieces: pieces(without_port(public_host)), default }
    }

    /// The registry that a `Host` header selects.
    #[must_use]
    pub fn registry(&self, host: &str) -> Registry {
        let host = without_port(host).trim_end_matches('.').to_ascii_lowercase();
        let (account, region) = aws_form(&host).or_else(|| self.template(&host)).unwrap_or_default();
        let default = &self.default;
        Registry {
            account: account.unwrap_or_else(|| default.account.clone()),
            region: region.unwrap_or_else(|| default.region.clone()),
        }
    }

    /// The default account and region.
    #[must_use]
    pub fn default(&self) -> &Registry {
        &self.default
    }

    fn template(&self, host: &str) -> Option<Selection> {
        let (mut account, mut region) = (None, None);
        let mut rest = host;
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => rest = rest.strip_prefix(text.as_str())?,
                Piece::Account => {
                    let (value, behind) = rest.split_at_checked(12)?;
                    account = Some(AccountId::parse(value).ok()?);
                    rest = behind;
                }
                Piece::Region => {
                    // A region has no dots, so it ends where its label does.
                    let length = rest.find('.').unwrap_or(rest.len());
                    let (value, behind) = rest.split_at_checked(length)?;
                    region = Some(Region::parse(value).ok()?);
                    rest = behind;
                }
            }
        }
        rest.is_empty().then_some((account, region))
    }
}

type Selection = (Option<AccountId>, Option<Region>);

/// `<account>.dkr.ecr.<region>.<suffix>`, `<account>.dkr-ecr.<region>.<suffix>`
fn aws_form(host: &str) -> Option<Selection> {
    let (account, rest) = host.split_once('.')?;
    let rest = ["dkr.ecr.", "dkr.ecr-fips.", "dkr-ecr.", "dkr-ecr-fips."]
        .iter()
        .find_map(|middle| rest.strip_prefix(middle))?;
    let (region, _suffix) = rest.split_once('.')?;
    Some((Some(AccountId::parse(account).ok()?), Some(Region::parse(region).ok()?)))
}

fn pieces(template: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while !rest.is_empty() {
        let next = [("{account}", Piece::Account), ("{region}", Piece::Region)]
            .into_iter()
            .filter_map(|(mark, piece)| rest.split_once(mark).map(|(before, behind)| (before, behind, piece)))
            .min_by_key(|(before, _, _)| before.len());
        let Some((before, behind, piece)) = next else {
            pieces.push(Piece::Text(rest.to_ascii_lowercase()));
            break;
        };
        if !before.is_empty() {
            pieces.push(Piece::Text(before.to_ascii_lowercase()));
        }
        pieces.push(piece);
        rest = behind;
    }
    pieces
}

/// `[::1]:80` → `[::1]`, `a:80` → `a`
pub(crate) fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry(account: &str, region: &str) -> Registry {
        Registry { account: AccountId::parse(account).unwrap(), region: Region::parse(region).unwrap() }
    }

    #[test]
    fn names_select_registries() {
        let cases = [
            ("localhost:4580", "localhost:4580", None),
            ("localhost:4580", "[::1]:4580", None),
            ("localhost:4580", "", None),
            (
                "localhost:4580",
                "000000000042.dkr.ecr.us-west-2.amazonaws.com",
                Some(("000000000042", "us-west-2")),
            ),
            (
                "localhost:4580",
                "000000000042.DKR.ECR.us-west-2.local.:443",
                Some(("000000000042", "us-west-2")),
            ),
            ("localhost:4580", "000000000042.dkr-ecr.us-west-2.on.aws", Some(("000000000042", "us-west-2"))),
            ("localhost:4580", "42.dkr.ecr.us-west-2.amazonaws.com", None),
            ("localhost:4580", "000000000042.dkr.ecr.us-west-2", None),
            ("localhost:4580", "000000000042.dkr.ecr.us_west.amazonaws.com", None),
            ("{account}.{region}.reg.io:5000", "000000000042.a-b.reg.io:5000", Some(("000000000042", "a-b"))),
            ("{account}.{region}.reg.io:5000", "000000000042.a.b.reg.io", None),
            ("{account}.{region}.reg.io:5000", "x.reg.io", None),
            ("{region}.reg.io", "a-b.reg.io", Some(("123456789012", "a-b"))),
            ("{region}.reg.io", "a-b.reg.io.evil", None),
            ("{account}.reg.io", "ééééééé.reg.io", None),
        ];
        for (template, host, expected) in cases {
            let hosts = Hosts::new(template, registry("123456789012", "eu-central-1"));
            let (account, region) = expected.unwrap_or(("123456789012", "eu-central-1"));
            assert_eq!(hosts.registry(host), registry(account, region), "{template} {host}");
        }
    }
}
