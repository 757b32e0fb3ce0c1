//! The people of the vectors, from `tests/callers.json`.

use std::collections::BTreeMap;

use policy::{AccountId, FederationOwner, Principal};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Owner {
    path: String,
    name: String,
    id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    r#type: String,
    account: String,
    #[serde(default)]
    path: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    id: String,
    #[serde(default)]
    session: String,
    #[serde(default)]
    provider: String,
    #[serde(default)]
    subject: String,
    user: Option<Owner>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

/// All callers by name.
pub(crate) fn all() -> BTreeMap<String, Principal> {
    let rows: BTreeMap<String, Row> = serde_json::from_str(include_str!("../callers.json")).unwrap();
    rows.into_iter().map(|(name, row)| (name, principal(row))).collect()
}

fn principal(row: Row) -> Principal {
    let account = AccountId::parse(&row.account).unwrap();
    let tags = row.tags.into_iter().collect();
    match row.r#type.as_str() {
        "root" => Principal::Root { account },
        "user" => Principal::User { account, path: row.path, name: row.name, id: row.id, tags },
        "session" => Principal::RoleSession {
            account,
            role_path: row.path,
            role_name: row.name,
            role_id: row.id,
            session_name: row.session,
            tags,
        },
        "federated" => Principal::FederatedUser {
            account,
            name: row.name,
            user: row.user.map(|user| FederationOwner { path: user.path, name: user.name, id: user.id }),
            tags,
        },
        "web identity" => {
            Principal::WebIdentity { account, provider_arn: row.provider, subject: row.subject }
        }
        "service" => Principal::Service { account, name: row.name },
        other => panic!("unknown type of caller {other}"),
    }
}
