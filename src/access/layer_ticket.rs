//! The right to read one layer without credentials, for a while: what a download URL carries (ecr.md §4.6).
//!
//! A ticket is made from the guard's proof and turned into text and signature; on the way back only a good
//! signature before its end makes a ticket again. The room demands the ticket as it demands an [`Allowed`].
//!
//! INVARIANT: the fields are private, so there is no ticket that the guard did not allow.

use oci::Digest;

use super::action::GetDownloadUrlForLayer;
use super::allowed::Allowed;
use super::resource::Repository;
use crate::environment::{Micros, SECOND};
use crate::store::seal::{Purpose, Sealer};

/// How long a ticket is good, in seconds: enough to begin the download of a layer, no more.
pub const LAYER_TICKET_SECONDS: i64 = 15 * 60;

/// The right to read one layer of one repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerTicket {
    repository: Repository,
    digest: Digest,
    /// Seconds since the epoch.
    expires: i64,
}

/// Why a text and a signature are no ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// The signature is not ours, or not for this.
    #[error("the signature does not match")]
    Signature,
    /// The signature is good and its time is over.
    #[error("the ticket has expired")]
    Expired,
}

impl LayerTicket {
    /// A ticket for a layer of the repository that the proof is about, good from `now` on.
    #[must_use]
    pub fn issue(allowed: &Allowed<GetDownloadUrlForLayer>, digest: &Digest, now: Micros) -> Self {
        Self {
            repository: allowed.resource().clone(),
            digest: digest.clone(),
            expires: now.div_euclid(SECOND).saturating_add(LAYER_TICKET_SECONDS),
        }
    }

    /// The signature over all fields, as lower-case hex.
    #[must_use]
    pub fn sign(&self, sealer: &Sealer) -> String {
        hex::encode(sealer.sign(Purpose::LayerUrl, self.text().as_bytes()))
    }

    /// Makes a ticket of the fields that a URL carried.
    ///
    /// # Errors
    /// [`TicketError::Signature`] for everything that [`Self::sign`] did not sign, in constant time;
    /// [`TicketError::Expired`] for what it did when `now` (microseconds) is past the end.
    pub fn verify(
        sealer: &Sealer,
        repository: Repository,
        digest: Digest,
        expires: i64,
        signature: &str,
        now: Micros,
    ) -> Result<Self, TicketError> {
        let ticket = Self { repository, digest, expires };
        let signature = hex::decode(signature).map_err(|_| TicketError::Signature)?;
        if !sealer.verify(Purpose::LayerUrl, ticket.text().as_bytes(), &signature) {
            return Err(TicketError::Signature);
        }
        if now.div_euclid(SECOND) >= expires {
            return Err(TicketError::Expired);
        }
        Ok(ticket)
    }

    /// Where the layer is.
    #[must_use]
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Which layer it is.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// When it ends, in seconds since the epoch.
    #[must_use]
    pub fn expires(&self) -> i64 {
        self.expires
    }

    /// What is signed. No field holds a line break, so two tickets never have one text.
    fn text(&self) -> String {
        format!("{}\n{}\n{}", self.repository.arn(), self.digest, self.expires)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::testing::{allow, repository};
    use crate::environment::Environment;

    #[test]
    fn tickets_are_bound_to_every_field_and_end() {
        let folder = tempfile::tempdir().unwrap();
        let sealer = Sealer::open_or_create(&folder.path().join("keys"), Environment::system()).unwrap();
        let digest = Digest::sha256_of(b"layer");
        let now = 1_000 * SECOND;
        let ticket = LayerTicket::issue(&allow::<GetDownloadUrlForLayer>(repository("app")), &digest, now);
        assert_eq!(ticket.expires(), 1_000 + LAYER_TICKET_SECONDS);
        let signature = ticket.sign(&sealer);
        let verify = |name: &str, digest: &Digest, expires, signature: &str, now| {
            LayerTicket::verify(&sealer, repository(name), digest.clone(), expires, signature, now)
        };
        let expires = ticket.expires();
        assert_eq!(verify("app", &digest, expires, &signature, now).unwrap(), ticket);
        let last = expires * SECOND - 1;
        assert!(verify("app", &digest, expires, &signature, last).is_ok());
        assert_eq!(verify("app", &digest, expires, &signature, last + 1), Err(TicketError::Expired));
        let forged = Err(TicketError::Signature);
        assert_eq!(verify("app2", &digest, expires, &signature, now), forged);
        assert_eq!(verify("app", &Digest::sha256_of(b"x"), expires, &signature, now), forged);
        assert_eq!(verify("app", &digest, expires + 1, &signature, now), forged);
        // Expired and forged: the forgery is told, so that nobody learns what was once signed.
        assert_eq!(verify("app", &digest, 1, &signature, now), forged);
        let (other, short) = (format!("00{}", signature.split_at(2).1), signature.split_at(2).1);
        for bad in ["", "zz", short, other.as_str()] {
            assert_eq!(verify("app", &digest, expires, bad, now), forged, "{bad}");
        }
    }
}
