//! The door as signed requests see it, on every engine: real guard, real room, no sockets.

mod access;
mod conflicts;
mod entities;
mod listings;
mod presence;
mod quotas;
mod refusals;
mod trust;

use aws::Service;

use crate::api::query::testing::{Answer, House, Key};

/// A policy that allows an action on everything.
fn allow(action: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"{action}","Resource":"*"}}]}}"#
    )
}

/// A trust policy for one AWS principal.
fn trust(principal: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{principal}"}},"Action":"sts:AssumeRole"}}]}}"#
    )
}

impl House {
    /// An IAM operation with `Name=value` parameters, signed by `key`.
    async fn iam_as(&self, key: &Key, operation: &str, parameters: &[(&str, &str)]) -> Answer {
        let mut all = vec![("Action", operation)];
        all.extend_from_slice(parameters);
        let request = self.request(Service::Iam, key, &all);
        Answer::of(Service::Iam, super::perform(&self.services, request).await)
    }

    /// An IAM operation of the root.
    async fn iam(&self, operation: &str, parameters: &[(&str, &str)]) -> Answer {
        self.iam_as(&self.root, operation, parameters).await
    }

    /// An IAM operation of the root that must succeed.
    async fn done(&self, operation: &str, parameters: &[(&str, &str)]) -> Answer {
        let what = format!("{operation} {parameters:?} on {}", self.engine);
        self.iam(operation, parameters).await.good(&what)
    }

    /// Code and message of an operation of the root that must be refused.
    async fn refused(&self, operation: &str, parameters: &[(&str, &str)]) -> (u16, String, String) {
        let answer = self.iam(operation, parameters).await;
        assert_ne!(answer.status, 200, "{operation} {parameters:?} on {}", self.engine);
        answer.refusal()
    }

    /// A new user with a key.
    async fn user(&self, name: &str) -> Key {
        self.done("CreateUser", &[("UserName", name)]).await;
        self.key(name).await
    }

    /// A new key of a user.
    async fn key(&self, name: &str) -> Key {
        let made = self.done("CreateAccessKey", &[("UserName", name)]).await;
        Key { id: made.text("AccessKeyId"), secret: made.text("SecretAccessKey"), token: None }
    }
}
