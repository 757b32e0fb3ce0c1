//! AWS account ids: the twelve digits that own everything.
//!
//! INVARIANT: an [`AccountId`] holds exactly 12 ASCII digits; leading zeros are significant, so it is never a number.
//! Example: `"012345678901"`.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Twelve ASCII digits that name an account, leading zeros kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId(Arc<str>);

/// The text was not exactly twelve ASCII digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an account id is exactly 12 digits")]
pub struct AccountIdError;

impl AccountId {
    /// Takes 12 ASCII digits. Errors: [`AccountIdError`] for any other length or character.
    pub fn parse(text: &str) -> Result<AccountId, AccountIdError> {
        if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(AccountId(text.into()))
        } else {
            Err(AccountIdError)
        }
    }

    /// The twelve digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccountId {
    type Err = AccountIdError;

    fn from_str(text: &str) -> Result<AccountId, AccountIdError> {
        AccountId::parse(text)
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::AccountId;

    #[test]
    fn keeps_leading_zeros_and_refuses_everything_else() {
        assert_eq!(AccountId::parse("000000000001").unwrap().as_str(), "000000000001");
        for wrong in ["", "1", "12345678901", "1234567890123", "12345678901a", " 23456789012", "１２３４"]
        {
            assert!(AccountId::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
