//! The door as signed requests see it, on every engine: identities, roles, session tokens.

mod assume_role;
mod identity;
mod session_token;

use aws::Service;

use crate::access::testing::allow;
use crate::access::{Identity, action};
use crate::api::query::testing::{Answer, House, Key, OWNER, STRANGER};
use crate::identity::NewRole;

impl House {
    /// An STS operation with `Name=value` parameters, signed by `key`.
    async fn sts(&self, key: &Key, operation: &str, parameters: &[(&str, &str)]) -> Answer {
        let mut all = vec![("Action", operation)];
        all.extend_from_slice(parameters);
        let request = self.request(Service::Sts, key, &all);
        Answer::of(Service::Sts, super::perform(&self.services, request).await)
    }

    /// AssumeRole with the session name `s1` and more parameters.
    async fn assume(&self, key: &Key, role: &str, more: &[(&str, &str)]) -> Answer {
        let mut all = vec![("RoleArn", role), ("RoleSessionName", "s1")];
        all.extend_from_slice(more);
        self.sts(key, "AssumeRole", &all).await
    }

    /// Who a key belongs to.
    async fn arn_of(&self, key: &Key) -> Answer {
        self.sts(key, "GetCallerIdentity", &[]).await
    }

    /// A new user of an account with a key and, when there is one, an inline policy.
    async fn member(&self, account: &str, name: &str, policy: Option<&str>) -> Key {
        let user = entity(account, "user", name);
        let room = &self.services.identity;
        room.create_user(&allow::<action::CreateUser>(user.clone()), None, &[]).await.unwrap();
        if let Some(policy) = policy {
            let allowed = allow::<action::PutUserPolicy>(user.clone());
            room.put_inline_policy(&allowed, "inline", policy).await.unwrap();
        }
        let (_, key) = room.create_access_key(&allow::<action::CreateAccessKey>(user)).await.unwrap();
        Key { id: key.id, secret: key.secret.to_string(), token: None }
    }

    /// A new role of the owner that trusts as the statements say; out: its ARN.
    async fn role(&self, name: &str, statements: &str, change: impl FnOnce(&mut NewRole)) -> String {
        let role = entity(OWNER, "role", name);
        let text = format!(r#"{{"Version":"2012-10-17","Statement":{statements}}}"#);
        let mut new = NewRole { trust_policy: text, ..NewRole::default() };
        change(&mut new);
        let made = self.services.identity.create_role(&allow::<action::CreateRole>(role.clone()), &new).await;
        made.unwrap();
        role.arn
    }
}

fn entity(account: &str, kind: &str, name: &str) -> Identity {
    let account = policy::AccountId::parse(account).unwrap();
    let arn = format!("arn:aws:iam::{account}:{kind}/{name}");
    Identity { display: arn.clone(), arn, account }
}

/// A statement that lets a principal do actions of STS.
fn lets(principal: &str, actions: &str) -> String {
    format!(r#"{{"Effect":"Allow","Principal":{{"AWS":"{principal}"}},"Action":{actions}}}"#)
}

/// The credentials in an answer.
fn credentials(answer: Answer) -> Key {
    let answer = answer.good("credentials");
    Key {
        id: answer.text("AccessKeyId"),
        secret: answer.text("SecretAccessKey"),
        token: Some(answer.text("SessionToken")),
    }
}

/// The account that has nothing to do with the owner's roles.
const OTHER: &str = STRANGER;
