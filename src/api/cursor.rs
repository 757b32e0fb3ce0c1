//! Cursors: positions in listings as clients carry them (`nextToken`, `Marker`, the `next` of a `Link`).
//!
//! Sealed, so that nobody can make one up, read names out of one that was found in a log, or use one in a
//! listing that it was not made for: `about` names the operation, the registry and the filters.
//!
//! ```ignore
//! let about = format!("DescribeRepositories|{}", registry.account);
//! let token = cursor::seal(&sealer, &about, "team/app")?;
//! assert_eq!(cursor::open(&sealer, &about, &token)?, "team/app");
//! ```

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::catalog::Error;
use crate::store::seal::{Purpose, Sealer};

/// Longer tokens than any that is made here are not even decoded.
const MAX_TOKEN_BYTES: usize = 4096;

/// The token that stands for `key`, the last entry of a page: URL-safe, no padding.
///
/// # Errors
/// [`Error::Internal`] when there is no randomness.
pub fn seal(sealer: &Sealer, about: &str, key: &str) -> Result<String, Error> {
    let sealed = sealer
        .seal(Purpose::Cursor, about.as_bytes(), key.as_bytes())
        .map_err(|error| Error::Internal(error.into()))?;
    Ok(URL_SAFE_NO_PAD.encode(sealed))
}

/// The key that a token stands for.
///
/// # Errors
/// [`Error::InvalidCursor`] for everything that [`seal`] did not make with the same `about`.
pub fn open(sealer: &Sealer, about: &str, token: &str) -> Result<String, Error> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(Error::InvalidCursor);
    }
    let sealed = URL_SAFE_NO_PAD.decode(token).map_err(|_| Error::InvalidCursor)?;
    let key = sealer.open(Purpose::Cursor, about.as_bytes(), &sealed).ok_or(Error::InvalidCursor)?;
    String::from_utf8(key.to_vec()).map_err(|_| Error::InvalidCursor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Environment;

    #[test]
    fn a_token_opens_only_in_the_listing_that_it_was_made_for() {
        let folder = tempfile::tempdir().unwrap();
        let sealer = Sealer::open_or_create(&folder.path().join("keys"), Environment::system()).unwrap();
        let token = seal(&sealer, "ListImages|a", "key|with \u{e9}").unwrap();
        assert_eq!(open(&sealer, "ListImages|a", &token).unwrap(), "key|with \u{e9}");
        assert!(matches!(open(&sealer, "ListImages|b", &token), Err(Error::InvalidCursor)));
        for bad in ["", "!", "AAAA", token.get(1..).unwrap(), &"A".repeat(5000)] {
            assert!(matches!(open(&sealer, "ListImages|a", bad), Err(Error::InvalidCursor)), "{bad:.20}");
        }
    }
}
