//! Amazon Resource Names: `arn:partition:service:region:account:resource`.
//!
//! INVARIANT: an [`Arn`] has six parts; only the last may hold `:` and may not be empty.
//! Patterns in policies may have fewer parts and wildcards; those are not [`Arn`]s.
//!
//! Example: `arn:aws:iam::123456789012:user/eng/alice` has an empty region and the resource `user/eng/alice`.

use std::fmt;
use std::str::FromStr;

/// One complete ARN.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Arn {
    text: Box<str>,
    partition: Box<str>,
    service: Box<str>,
    region: Box<str>,
    account: Box<str>,
    resource: Box<str>,
}

/// Why a text is no ARN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArnError {
    /// The first part is not `arn`.
    #[error("an ARN begins with arn:")]
    Prefix,
    /// Fewer than six parts.
    #[error("an ARN has six parts separated by colons")]
    Incomplete,
    /// Partition, service or resource is empty.
    #[error("an ARN names a partition, a service and a resource")]
    Empty,
    /// A control character or a space in the first five parts, or a control character in the resource.
    #[error("an ARN has no spaces or control characters")]
    Character,
    /// Longer than 2048 bytes.
    #[error("an ARN has at most 2048 bytes")]
    Length,
}

/// Longest ARN that the IAM model accepts (`arnType`), in bytes.
const LONGEST: usize = 2048;

impl Arn {
    /// Splits at the first five colons. Errors: see [`ArnError`].
    ///
    /// Wildcards are ordinary characters: an ARN names one thing, or is taken literally.
    pub fn parse(text: &str) -> Result<Arn, ArnError> {
        if text.len() > LONGEST {
            return Err(ArnError::Length);
        }
        let mut parts = text.splitn(6, ':');
        if parts.next() != Some("arn") {
            return Err(ArnError::Prefix);
        }
        let (Some(partition), Some(service), Some(region), Some(account), Some(resource)) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(ArnError::Incomplete);
        };
        if partition.is_empty() || service.is_empty() || resource.is_empty() {
            return Err(ArnError::Empty);
        }
        let broken = |part: &str| part.chars().any(|letter| letter.is_control() || letter == ' ');
        if [partition, service, region, account].into_iter().any(broken)
            || resource.chars().any(char::is_control)
        {
            return Err(ArnError::Character);
        }
        Ok(Arn {
            text: text.into(),
            partition: partition.into(),
            service: service.into(),
            region: region.into(),
            account: account.into(),
            resource: resource.into(),
        })
    }

    /// `aws`.
    pub fn partition(&self) -> &str {
        &self.partition
    }

    /// The vendor: `ecr`, `iam`, `sts`.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// The region, empty for global services such as IAM.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The account as written: twelve digits, empty, or `aws` for managed policies.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// All after the fifth colon: `repository/team/app`.
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// The whole ARN, as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Arn {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Arn, ArnError> {
        Arn::parse(text)
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl fmt::Debug for Arn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.text, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::{Arn, ArnError};

    #[test]
    fn splits_at_the_first_five_colons() {
        let arn = Arn::parse("arn:aws:logs:eu-west-1:123456789012:log-group:x:y").unwrap();
        assert_eq!(arn.partition(), "aws");
        assert_eq!(arn.service(), "logs");
        assert_eq!(arn.region(), "eu-west-1");
        assert_eq!(arn.account(), "123456789012");
        assert_eq!(arn.resource(), "log-group:x:y");
        assert_eq!(arn.to_string(), "arn:aws:logs:eu-west-1:123456789012:log-group:x:y");
    }

    #[test]
    fn names_the_fault() {
        assert_eq!(Arn::parse("bucket").unwrap_err(), ArnError::Prefix);
        assert_eq!(Arn::parse("ARN:aws:iam::1:x").unwrap_err(), ArnError::Prefix);
        assert_eq!(Arn::parse("arn:aws:iam::1").unwrap_err(), ArnError::Incomplete);
        assert_eq!(Arn::parse("arn:aws:iam::1:").unwrap_err(), ArnError::Empty);
        assert_eq!(Arn::parse("arn::iam::1:x").unwrap_err(), ArnError::Empty);
        assert_eq!(Arn::parse("arn:aws:iam::1:x\n").unwrap_err(), ArnError::Character);
        assert_eq!(Arn::parse("arn:a ws:iam::1:x").unwrap_err(), ArnError::Character);
        assert_eq!(
            Arn::parse(&format!("arn:aws:iam::1:{}", "x".repeat(2048))).unwrap_err(),
            ArnError::Length
        );
    }
}
