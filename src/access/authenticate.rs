//! Who sends this request? A SigV4 signature for the APIs, a sealed password for docker.
//!
//! Both ways end in [`IdentityRoom::authenticate`], so a key that is deactivated, deleted or whose user is
//! gone is dead at the very next request, also for a docker login made before.

use std::sync::Arc;

use aws::sigv4::{self, AuthError};
use http::request::Parts;
use policy::Region;
use zeroize::Zeroizing;

use super::caller::{Caller, Credential, Origin};
use super::{Guard, password};
use crate::environment::{Micros, SECOND};
use crate::identity::{self, Authenticated, Lookup};

/// A signature over an empty secret takes as long as a real one; an unknown key must not answer faster.
const DUMMY_SECRET: &str = "0000000000000000000000000000000000000000";

/// Where a request came from and what it is for, as far as the door knows before it knows the caller.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// The client.
    pub origin: Origin,
    /// The region that the host name selected.
    pub region: Region,
    /// The id of the request.
    pub request_id: String,
}

/// Why a signed request was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// The caller's fault, with AWS's code and text.
    #[error("{0}")]
    Refused(#[from] AuthError),
    /// The identities could not be read.
    #[error("identities cannot be read: {0}")]
    Internal(#[from] identity::Error),
}

/// Why a docker request was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum BasicError {
    /// No password, a garbled one, or one of a key that is gone: `401 Not Authorized`.
    #[error("not authorized")]
    Unauthorized,
    /// The password was good once.
    #[error("the authorization token has expired")]
    Expired,
    /// The identities could not be read.
    #[error("identities cannot be read: {0}")]
    Internal(#[from] identity::Error),
}

/// The headers that a signature may be over. The name that the client used is among them as `host`, wherever it stood:
/// HTTP/2 has `:authority` for it, which counts before a `Host` header as it does for the choice of the registry.
fn signable(head: &Parts) -> Vec<(&str, &[u8])> {
    let authority = head.uri.authority().map(|authority| {
        let text = authority.as_str();
        text.rsplit_once('@').map_or(text, |(_, host)| host)
    });
    let others = head.headers.iter().filter(|(name, _)| authority.is_none() || *name != http::header::HOST);
    let mut headers: Vec<(&str, &[u8])> =
        others.map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    headers.extend(authority.map(|host| ("host", host.as_bytes())));
    headers
}

impl Guard {
    /// Verifies the SigV4 signature of a request to `service` (`ecr`, `iam` or `sts`).
    ///
    /// `body` is the whole body as received: its hash is part of what was signed.
    ///
    /// # Errors
    /// [`SignatureError::Refused`] with the documented error of the first check that fails (iam.md §5.5).
    pub async fn signed(
        &self,
        head: &Parts,
        body: &[u8],
        service: &'static str,
        arrival: Arrival,
    ) -> Result<Arc<Caller>, SignatureError> {
        let headers = signable(head);
        let now = self.environment.now();
        let digest = <sha2::Sha256 as sha2::Digest>::digest(body);
        let input = sigv4::Input {
            method: head.method.as_str(),
            path: head.uri.path(),
            query: head.uri.query().unwrap_or(""),
            headers: &headers,
            body_sha256: &digest.into(),
            now: now.div_euclid(SECOND),
        };
        let options = sigv4::Options {
            max_skew_seconds: self.clock_skew_seconds,
            // AWS honours a presigned GetCallerIdentity for 15 minutes whatever it says (iam.md §5.2).
            max_presigned_seconds: 900,
            expected_service: Some(service),
        };
        let parsed = sigv4::parse(&input, &options)?;
        let found =
            self.identity.authenticate(&parsed.access_key_id, parsed.session_token.as_deref()).await?;
        let secret = match &found {
            Lookup::Found(found) => {
                self.identity.secret(found, &parsed.access_key_id, parsed.session_token.as_deref())?
            }
            Lookup::Unknown | Lookup::Expired => Zeroizing::new(DUMMY_SECRET.to_owned()),
        };
        let key = sigv4::signing_key(&secret, &parsed.date, &parsed.region, &parsed.service);
        let matches = sigv4::verify(&parsed, &key);
        match found {
            Lookup::Found(authenticated) if matches => {
                let token = parsed.session_token.map(Zeroizing::new);
                let caller = caller(&authenticated, parsed.access_key_id, token, arrival);
                self.note_use(&caller, service);
                Ok(Arc::new(caller))
            }
            Lookup::Found(_) => Err(AuthError::mismatch().into()),
            Lookup::Expired => Err(AuthError::ExpiredToken.into()),
            Lookup::Unknown => {
                let session_token = parsed.session_token.is_some();
                Err(AuthError::InvalidClientToken { session_token }.into())
            }
        }
    }

    /// Verifies the `Authorization: Basic` header that docker sends (ecr.md §8.1).
    ///
    /// # Errors
    /// [`BasicError`]; nothing is told about why a password is not accepted, except that it has expired.
    pub async fn basic(&self, head: &Parts, arrival: Arrival) -> Result<Arc<Caller>, BasicError> {
        let mut values = head.headers.get_all(http::header::AUTHORIZATION).iter();
        let header = values.next().and_then(|value| value.to_str().ok()).ok_or(BasicError::Unauthorized)?;
        if values.next().is_some() {
            return Err(BasicError::Unauthorized);
        }
        let opened = self.passwords.open(&self.sealer, header).ok_or(BasicError::Unauthorized)?;
        // The bound is exclusive: at `expiresAt` the password is no longer good.
        if self.environment.now() >= opened.expires_at {
            return Err(BasicError::Expired);
        }
        let token = opened.session_token.as_ref().map(|token| token.as_str());
        match self.identity.authenticate(&opened.access_key_id, token).await? {
            Lookup::Found(authenticated) => {
                let caller = caller(&authenticated, opened.access_key_id, opened.session_token, arrival);
                self.note_use(&caller, "ecr");
                Ok(Arc::new(caller))
            }
            Lookup::Expired => Err(BasicError::Expired),
            Lookup::Unknown => Err(BasicError::Unauthorized),
        }
    }

    /// For GetAccessKeyLastUsed and the like; kept in memory, so that no request writes a row for it.
    fn note_use(&self, caller: &Caller, service: &str) {
        let key = &caller.credential.access_key_id;
        self.identity.note_use(key, &caller.principal, service, caller.region.as_str());
    }

    /// A docker password for the caller and the moment when it ends: in 12 hours, or with the session.
    ///
    /// # Errors
    /// [`crate::store::seal::SealError`] when there is no randomness.
    pub fn registry_password(
        &self,
        caller: &Caller,
    ) -> Result<(Zeroizing<String>, Micros), crate::store::seal::SealError> {
        let expires_at = self.environment.now().saturating_add(password::LIFETIME);
        let session_end = caller.credential.session.as_ref().map_or(expires_at, |session| session.expires_at);
        let expires_at = expires_at.min(session_end);
        Ok((password::seal(&self.sealer, &caller.credential, expires_at)?, expires_at))
    }
}

fn caller(
    authenticated: &Authenticated,
    access_key_id: String,
    session_token: Option<Zeroizing<String>>,
    arrival: Arrival,
) -> Caller {
    Caller {
        principal: Arc::clone(&authenticated.principal),
        credential: Credential { access_key_id, session_token, session: authenticated.session.clone() },
        generation: authenticated.generation,
        origin: arrival.origin,
        region: arrival.region,
        request_id: arrival.request_id,
    }
}
