//! What the catalog refuses, one variant per documented exception; doors choose the sentences.
//!
//! Exhaustive on purpose: a new variant breaks every door until it is mapped.

#[cfg(test)]
pub(crate) mod samples;

use oci::{Digest, RepositoryName, Tag};
use policy::AccountId;

use crate::environment::NoRandomness;
use crate::store::{blob, db};

/// Names one repository in an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The registry's account.
    pub account: AccountId,
    /// The repository.
    pub name: RepositoryName,
}

/// An error of the catalog. Unless said otherwise nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// RepositoryNotFoundException
    #[error("repository {} does not exist", .0.name)]
    RepositoryNotFound(Place),
    /// RepositoryAlreadyExistsException
    #[error("repository {} exists", .0.name)]
    RepositoryAlreadyExists(Place),
    /// RepositoryNotEmptyException
    #[error("repository {} holds images", .0.name)]
    RepositoryNotEmpty(Place),
    /// RepositoryPolicyNotFoundException
    #[error("repository {} has no policy", .0.name)]
    RepositoryPolicyNotFound(Place),
    /// LifecyclePolicyNotFoundException
    #[error("repository {} has no lifecycle policy", .0.name)]
    LifecyclePolicyNotFound(Place),
    /// TemplateAlreadyExistsException
    #[error("a creation template for {prefix} exists")]
    TemplateAlreadyExists {
        /// The registry's account.
        account: AccountId,
        /// The prefix, as it was sent.
        prefix: String,
    },
    /// TemplateNotFoundException
    #[error("there is no creation template for {prefix}")]
    TemplateNotFound {
        /// The registry's account.
        account: AccountId,
        /// The prefix, as it was sent.
        prefix: String,
    },
    /// ImageNotFoundException
    #[error("the image does not exist")]
    ImageNotFound {
        /// Where it was looked for.
        place: Place,
        /// The digest asked for.
        digest: Option<String>,
        /// The tag asked for.
        tag: Option<String>,
    },
    /// ImageAlreadyExistsException
    #[error("image {digest} exists")]
    ImageAlreadyExists {
        /// The repository.
        place: Place,
        /// The image.
        digest: Digest,
        /// The tag that the push named.
        tag: Option<Tag>,
    },
    /// ImageTagAlreadyExistsException: the tag is immutable and on another image.
    #[error("tag {tag} is immutable")]
    ImageTagAlreadyExists {
        /// The repository.
        place: Place,
        /// The tag.
        tag: Tag,
    },
    /// ImageDigestDoesNotMatchException
    #[error("the manifest's digest is not {digest}")]
    ImageDigestDoesNotMatch {
        /// The repository.
        place: Place,
        /// The digest that the caller gave.
        digest: String,
    },
    /// LayersNotFoundException of an image whose layers are missing
    #[error("{} layers are missing", digests.len())]
    LayersNotFound {
        /// The repository.
        place: Place,
        /// The layers that are not in the repository, in the manifest's order.
        digests: Vec<String>,
    },
    /// ReferencedImagesNotFoundException
    #[error("{} referenced images are missing", digests.len())]
    ReferencedImagesNotFound {
        /// The repository.
        place: Place,
        /// The children that are not in the repository, in the index's order.
        digests: Vec<String>,
    },
    /// An index refers to the image, so it cannot be deleted (failure code ImageReferencedByManifestList).
    #[error("the image is referenced by {} indexes", digests.len())]
    ImageReferenced {
        /// The repository.
        place: Place,
        /// The indexes.
        digests: Vec<String>,
    },
    /// LayersNotFoundException of one layer that somebody wants to read.
    #[error("layer {digest} does not exist")]
    LayerNotFound {
        /// The repository.
        place: Place,
        /// The layer, as asked for.
        digest: String,
    },
    /// LayerInaccessibleException: the layer is there but no image refers to it.
    #[error("layer {digest} belongs to no image")]
    LayerInaccessible {
        /// The repository.
        place: Place,
        /// The layer.
        digest: Digest,
    },
    /// Images refer to the layer, so it cannot be deleted; ECR has no operation that could.
    #[error("layer {digest} is needed by images")]
    LayerReferenced {
        /// The repository.
        place: Place,
        /// The layer.
        digest: Digest,
        /// Digests of some of the images, at least one.
        images: Vec<String>,
    },
    /// LayerAlreadyExistsException
    #[error("layer {digest} exists")]
    LayerAlreadyExists {
        /// The repository.
        place: Place,
        /// The layer.
        digest: Digest,
    },
    /// InvalidLayerException: none of the digests is that of the uploaded bytes.
    #[error("the uploaded bytes have another digest")]
    InvalidLayer {
        /// The repository.
        place: Place,
    },
    /// InvalidLayerPartException: the part does not follow the bytes received.
    #[error("the part starts at {first} instead of {expected}")]
    InvalidLayerPart {
        /// The repository.
        place: Place,
        /// The upload.
        upload: String,
        /// The first byte of the part.
        first: u64,
        /// The byte that must come next; `lastValidByteReceived` is one less.
        expected: u64,
    },
    /// InvalidLayerPartException: the part is not as long as its bounds say.
    #[error("the part has {received} bytes instead of {declared}")]
    InvalidLayerPartLength {
        /// The repository.
        place: Place,
        /// The upload.
        upload: String,
        /// Bytes sent.
        received: u64,
        /// `partLastByte - partFirstByte + 1`
        declared: u64,
        /// The byte that must come next.
        expected: u64,
    },
    /// LayerPartTooSmallException
    #[error("a part other than the last is smaller than 5 MiB")]
    LayerPartTooSmall {
        /// The repository.
        place: Place,
    },
    /// EmptyUploadException
    #[error("the upload holds no bytes")]
    EmptyUpload {
        /// The repository.
        place: Place,
        /// The upload.
        upload: String,
    },
    /// UploadNotFoundException
    #[error("upload {upload} does not exist")]
    UploadNotFound {
        /// The repository.
        place: Place,
        /// The upload.
        upload: String,
    },
    /// The layer would be larger than the limit (52,000 MiB).
    #[error("the layer is larger than {limit_bytes} bytes")]
    LayerTooLarge {
        /// The repository.
        place: Place,
        /// The limit.
        limit_bytes: u64,
    },
    /// The request's body ended early or broke off; what arrived is kept where the protocol allows it.
    #[error("the body ended early")]
    BodyInterrupted,
    /// LimitExceededException
    #[error("limit {limit} exceeded: {maximum}")]
    LimitExceeded {
        /// What is limited, in words for the sentence: `tags per image`.
        limit: &'static str,
        /// The number allowed.
        maximum: u64,
    },
    /// TooManyTagsException
    #[error("a repository has at most 50 tags")]
    TooManyTags,
    /// InvalidTagParameterException
    #[error("{reason}")]
    InvalidTagParameter {
        /// What is wrong with the tag.
        reason: String,
    },
    /// InvalidParameterException of a rule that the shapes do not express.
    #[error("{parameter}: {constraint}")]
    InvalidParameter {
        /// The member as AWS names it in the sentence: `ImageManifest`, `PolicyText`.
        parameter: &'static str,
        /// The constraint that failed, without quotes: `Invalid JSON syntax`.
        constraint: String,
    },
    /// InvalidParameterException whose whole message is fixed.
    #[error("{0}")]
    InvalidParameterMessage(String),
    /// A setting that this server does not have, such as KMS encryption; refused rather than stored.
    #[error("{what} is not supported by this server")]
    NotSupported {
        /// What was asked for.
        what: String,
    },
    /// A `nextToken` that this server did not make for this listing.
    #[error("the nextToken is not valid")]
    InvalidCursor,
    /// A stored blob does not have its length or digest; it counts as missing and is logged.
    #[error("blob {0} is damaged")]
    Damaged(Digest),
    /// The volume of the blobs or of the database has no room left; reads go on.
    #[error("no space is left")]
    StorageFull,
    /// Too much is going on; the caller may try again.
    #[error("the server is busy")]
    Busy,
    /// Anything else; the cause is for the log only.
    #[error("internal error: {0}")]
    Internal(#[source] anyhow::Error),
}

impl Error {
    /// Whether the same transaction may succeed when it is repeated.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Internal(cause) => cause.downcast_ref::<db::Error>().is_some_and(db::Error::is_retryable),
            _ => false,
        }
    }
}

impl Error {
    /// Whether a full volume is the cause.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::StorageFull)
    }
}

impl From<db::Error> for Error {
    fn from(error: db::Error) -> Self {
        if matches!(error, db::Error::Full(_)) {
            tracing::error!(%error, "the volume of the database is full");
            return Self::StorageFull;
        }
        Self::Internal(error.into())
    }
}

impl From<blob::Error> for Error {
    fn from(error: blob::Error) -> Self {
        if error.is_full() {
            // The doors say only that space is short; which call met it is for the log.
            tracing::error!(%error, "the volume of the blobs is full");
            return Self::StorageFull;
        }
        match error {
            blob::Error::Busy => Self::Busy,
            other => Self::Internal(other.into()),
        }
    }
}

impl From<NoRandomness> for Error {
    fn from(error: NoRandomness) -> Self {
        Self::Internal(error.into())
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::Internal(error.into())
    }
}
