//! Unique ids and secrets in AWS's layout (iam.md §2.5).
//!
//! Prefix, eight base-32 digits that hold the account, one whose upper half marks an odd account, then random
//! digits: 21 characters for entities, 20 for access keys. Example: `AIDAQ3EGRIGA…` tells its account to tools
//! that decode it offline.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use policy::AccountId;
use zeroize::Zeroizing;

use crate::environment::{Environment, NoRandomness};

const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// What AWS adds to half of the account's number, so that the first digit is always in the upper half.
const OFFSET: u64 = 1 << 39;

/// The number of base-32 digits that hold half of the account's number.
const ACCOUNT_DIGITS: usize = 8;

/// A new id: `prefix` (four letters) and the account, filled with random digits up to `length`.
pub(super) fn new_id(
    environment: &Environment,
    prefix: &str,
    account: &AccountId,
    length: usize,
) -> Result<String, NoRandomness> {
    let number: u64 = account.as_str().parse().unwrap_or_default();
    let half = number / 2 + OFFSET;
    let mut id = String::with_capacity(length);
    id.push_str(prefix);
    for position in (0..ACCOUNT_DIGITS).rev() {
        id.push(digit((half >> (5 * position)) & 31));
    }
    for byte in environment.random::<32>()? {
        if id.len() == length {
            break;
        }
        let value = u64::from(byte & 31);
        let is_parity = id.len() == prefix.len() + ACCOUNT_DIGITS;
        id.push(digit(if is_parity { (value & 15) | ((number & 1) << 4) } else { value }));
    }
    Ok(id)
}

/// The account that an id of this layout was made for; `None` for ids of another layout.
pub(super) fn account_of(id: &str) -> Option<AccountId> {
    let digits = id.get(4..)?;
    let mut half: u64 = 0;
    for letter in digits.bytes().take(ACCOUNT_DIGITS) {
        half = (half << 5) | value(letter)?;
    }
    let odd = value(*digits.as_bytes().get(ACCOUNT_DIGITS)?)? >> 4;
    let number = half.checked_sub(OFFSET)? * 2 + odd;
    AccountId::parse(&format!("{number:012}")).ok()
}

/// A secret access key: 40 characters of base 64 over 30 random bytes.
pub(super) fn new_secret(environment: &Environment) -> Result<Zeroizing<String>, NoRandomness> {
    let bytes = Zeroizing::new(environment.random::<30>()?);
    Ok(Zeroizing::new(STANDARD.encode(bytes.as_slice())))
}

fn digit(value: u64) -> char {
    let index = usize::try_from(value & 31).unwrap_or_default();
    char::from(DIGITS.get(index).copied().unwrap_or(b'A'))
}

fn value(letter: u8) -> Option<u64> {
    DIGITS.iter().position(|digit| *digit == letter).and_then(|index| u64::try_from(index).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_carry_their_account() {
        let environment = Environment::system();
        for text in ["000000000000", "000000000001", "123456789012", "123456789013", "999999999999"] {
            let account = AccountId::parse(text).unwrap();
            for (prefix, length) in [("AIDA", 21), ("AKIA", 20)] {
                let id = new_id(&environment, prefix, &account, length).unwrap();
                assert_eq!(id.len(), length);
                assert!(id.starts_with(prefix));
                assert_eq!(account_of(&id), Some(account.clone()), "{id}");
            }
        }
        // The layout that tools decode: an id published for this account begins so.
        let account = AccountId::parse("123456789012").unwrap();
        let id = new_id(&environment, "AKIA", &account, 20).unwrap();
        assert!(id.starts_with("AKIARZPUZDIK"), "{id}");
    }

    #[test]
    fn foreign_texts_have_no_account() {
        for text in ["", "AKIA", "AKIAaaaaaaaaaaaaaaaa", "AKIAAAAAAAAAAAAAAAAA", "ключключключключ"]
        {
            assert_eq!(account_of(text), None, "{text}");
        }
    }

    #[test]
    fn secrets_have_forty_characters() {
        assert_eq!(new_secret(&Environment::system()).unwrap().len(), 40);
    }
}
