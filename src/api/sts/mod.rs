//! The STS door: Query and XML, as `aws sts` and the SDKs speak it (iam.md §6).
//!
//! ```text
//! POST / Action=GetCallerIdentity&Version=2011-06-15
//! 200 <GetCallerIdentityResponse …><GetCallerIdentityResult><Arn>arn:aws:iam::…:user/alice</Arn>…
//! ```

mod checks;
mod dispatch;
mod identity;
mod sessions;

use aws::Service;

pub use dispatch::BUILT;

pub use crate::api::query::Error;
use crate::api::query::{self, Received, Request};
use crate::api::{Incoming, Outgoing, Services};
use crate::identity::Error as Refusal;

/// What a GetSessionToken session may still call (iam.md §6.1).
const WITH_SESSION_TOKEN: [&str; 2] = ["AssumeRole", "GetCallerIdentity"];

/// Answers one request of the STS API.
pub async fn handle(services: &Services, incoming: Incoming) -> Outgoing {
    let request_id = incoming.request_id.clone();
    let result = match query::read(incoming).await {
        Ok(request) => perform(services, request).await,
        Err(error) => Err(error),
    };
    query::answer(Service::Sts, &request_id, result)
}

/// All steps that follow when the body is there: signature, shape, guard, room.
async fn perform(services: &Services, request: Request) -> Result<Vec<u8>, Error> {
    let Received { caller, parameters, operation } = query::receive(services, request, Service::Sts).await?;
    let session = caller.credential.session.as_ref();
    if session.is_some_and(|session| session.is_session_token) && !WITH_SESSION_TOKEN.contains(&operation) {
        return Err(Refusal::SessionCredentials(operation).into());
    }
    let operation = aws::sts::Operation::from_query(operation, &parameters)?;
    let checks = checks::checks(services, &caller, &operation).await?;
    let grant = services.guard.authorize(&caller, checks).await?;
    dispatch::dispatch(services, &grant, operation).await
}

#[cfg(test)]
mod tests;
