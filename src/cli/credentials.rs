//! `longshore credentials`: the access keys of the account's root, from the machine that holds the catalog.

use anyhow::{Context as _, bail};
use clap::Subcommand;

use super::flags::Flags;
use super::out::{self, Block};
use super::runtime;
use crate::access::Registry;
use crate::app;
use crate::config::Config;
use crate::environment::Environment;
use crate::identity::{AccessKey, Error, IdentityRoom, NewAccessKey};
use crate::store::db::Location;

pub(super) const EXAMPLES: &str = "Examples:
  longshore credentials root --data-dir /var/lib/longshore
  longshore credentials root --replace
  longshore credentials list --account 123456789012";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Create an access key of the root and print it as a block to paste; a root has two at most.
    Root {
        /// Delete the root's other keys; what is signed with them is refused from then on.
        #[arg(long)]
        replace: bool,
        #[command(flatten)]
        flags: Flags,
    },
    /// List the root's access keys: id, state and time of creation. Secrets cannot be shown again.
    List {
        #[command(flatten)]
        flags: Flags,
    },
}

impl Command {
    pub(super) fn flags(&self) -> &Flags {
        match self {
            Self::Root { flags, .. } | Self::List { flags } => flags,
        }
    }
}

/// Runs the command.
pub(super) fn run(command: &Command, config: &Config) -> anyhow::Result<()> {
    if let Location::Sqlite(path) = &config.database
        && !path.exists()
    {
        // A mistyped folder must not become a second, empty installation.
        bail!("there is no catalog at {}: name the server's --data-dir, or start it first", path.display());
    }
    runtime()?.block_on(async {
        let (identity, database) = app::open_identities(config, Environment::system()).await?;
        let result = match command {
            Command::Root { replace, .. } => root(&identity, config, *replace).await,
            Command::List { .. } => list(&identity, config).await,
        };
        database.close().await;
        result
    })
}

async fn root(identity: &IdentityRoom, config: &Config, replace: bool) -> anyhow::Result<()> {
    let account = &config.account;
    let old = identity.root_keys(account).await?;
    if replace {
        // A root has two keys at most, so room is made first; the newer old one goes when the new one exists.
        let surplus = old.len().saturating_sub(1);
        delete(identity, config, old.iter().take(surplus)).await?;
        let key = identity.create_root_key(account).await?;
        delete(identity, config, old.iter().skip(surplus)).await?;
        print(config, &key);
        return Ok(());
    }
    match identity.create_root_key(account).await {
        Ok(key) => print(config, &key),
        Err(Error::LimitExceeded(_)) => {
            bail!("the root of {account} has two access keys already; --replace deletes them")
        }
        Err(error) => {
            return Err(error).with_context(|| format!("no access key for the root of account {account}"));
        }
    }
    if config.root_key.is_some() {
        out::talk("LONGSHORE_ROOT_ACCESS_KEY_ID is set: with it, the next start deletes this key again.");
    }
    Ok(())
}

async fn delete(
    identity: &IdentityRoom,
    config: &Config,
    keys: impl Iterator<Item = &AccessKey>,
) -> anyhow::Result<()> {
    for key in keys {
        identity.delete_root_key(&config.account, &key.id).await?;
        out::talk(&format!("deleted {}", key.id));
    }
    Ok(())
}

fn print(config: &Config, key: &NewAccessKey) {
    let endpoint = app::noted_endpoint(config).unwrap_or_else(|| {
        let names = app::names(config, config.listen.port);
        names.endpoint(&Registry { account: config.account.clone(), region: config.region.clone() })
    });
    let region = config.region.as_str();
    Block { endpoint: endpoint.trim(), access_key_id: &key.id, secret: &key.secret, region }.print();
}

async fn list(identity: &IdentityRoom, config: &Config) -> anyhow::Result<()> {
    for key in identity.root_keys(&config.account).await? {
        let state = if key.is_active { "active" } else { "inactive" };
        let created = aws::Timestamp::from_microseconds(key.created_at);
        out::data(&format!("{}\t{state}\t{created}", key.id));
    }
    Ok(())
}
