//! The account and its root key at a start.

use super::Error;
use crate::config::Config;
use crate::identity::{IdentityRoom, NewAccessKey};

/// What this start did about the root's access key.
#[derive(Debug)]
pub enum RootKeyState {
    /// The account is new and so is this key: it is shown now and never again.
    Created(NewAccessKey),
    /// The operator's own key is the root's only one.
    Given,
    /// The account was there already.
    Unchanged,
}

/// Creates the account when it is new and gives its root a key: a generated one at the first start, or the
/// configured one at every start.
///
/// The configured key replaces all others of the root, so that changing the variables and starting anew is a
/// rotation: the key before is dead.
pub(super) async fn set_up(identity: &IdentityRoom, config: &Config) -> Result<RootKeyState, Error> {
    let account = &config.account;
    let is_new = identity.create_account(account).await?;
    if let Some(given) = &config.root_key {
        // Set first: at no moment is there none, also when the process dies in between.
        identity.set_root_key(account, &given.id, &given.secret).await?;
        for key in identity.root_keys(account).await? {
            if key.id != given.id {
                tracing::info!(access_key_id = key.id, "the configured root key replaces this one");
                identity.delete_root_key(account, &key.id).await?;
            }
        }
        return Ok(RootKeyState::Given);
    }
    if is_new {
        return Ok(RootKeyState::Created(identity.create_root_key(account).await?));
    }
    Ok(RootKeyState::Unchanged)
}
