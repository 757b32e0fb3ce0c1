//! The IAM door: Query and XML, as `aws iam` and the SDKs speak it (iam.md §2).
//!
//! Acts on the caller's own account, whatever host the request came to: IAM is one per account, not per region.
//!
//! ```text
//! POST / Action=CreateUser&Version=2010-05-08&UserName=alice
//! 200 <CreateUserResponse …><CreateUserResult><User>…</User></CreateUserResult>…</CreateUserResponse>
//! ```

mod access_keys;
mod account;
mod attachments;
mod boundaries;
mod checks;
mod dispatch;
mod groups;
mod inline_policies;
mod instance_profiles;
mod policies;
mod render;
mod roles;
mod tags;
mod target;
mod users;

use aws::Service;

use crate::access::Grant;
use crate::identity::Rename;

pub use dispatch::BUILT;

pub use crate::api::query::Error;
use crate::api::query::{self, Received, Request};
use crate::api::{Incoming, Outgoing, Services};

/// Answers one request of the IAM API.
pub async fn handle(services: &Services, incoming: Incoming) -> Outgoing {
    let request_id = incoming.request_id.clone();
    let result = match query::read(incoming).await {
        Ok(request) => perform(services, request).await,
        Err(error) => Err(error),
    };
    query::answer(Service::Iam, &request_id, result)
}

/// All steps that follow when the body is there: signature, shape, guard, room.
async fn perform(services: &Services, request: Request) -> Result<Vec<u8>, Error> {
    let Received { caller, parameters, operation } = query::receive(services, request, Service::Iam).await?;
    // Without a second factor such a session may not call IAM at all (iam.md §6.1); the code is (unverified).
    if caller.credential.session.as_ref().is_some_and(|session| session.is_session_token) {
        return Err(Error::session_token_refused());
    }
    let operation = aws::iam::Operation::from_query(operation, &parameters)?;
    let checks = checks::checks(services, &caller, &operation).await?;
    let grant = services.guard.authorize(&caller, checks).await?;
    dispatch::dispatch(services, &grant, operation).await
}

/// UpdateUser and UpdateGroup: the checks name the old place first and the new one second.
async fn rename<A: Rename>(services: &Services, grant: &Grant) -> Result<(), Error> {
    let places = grant.all::<A>();
    let [source, target] = places.as_slice() else {
        return Err(crate::access::NotGranted { action: A::NAME }.into());
    };
    Ok(services.identity.rename(source, target).await?)
}

#[cfg(test)]
mod tests;
