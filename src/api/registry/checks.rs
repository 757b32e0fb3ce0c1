//! Which IAM actions each request of the registry face needs (ecr.md §8.4, DESIGN.md "One guard").

use std::sync::Arc;

use oci::RepositoryName;

use super::operation::Operation;
use crate::access::action::{
    BatchCheckLayerAvailability, BatchDeleteImage, BatchGetImage, CompleteLayerUpload,
    DescribeAllRepositories, GetDownloadUrlForLayer, InitiateLayerUpload, ListImages, PutImage,
    UploadLayerPart,
};
use crate::access::{AccessError, Caller, Check, Grant, Guard, Registry, Repository, Resource};

/// What must be allowed before an operation runs.
#[derive(Debug)]
pub(super) enum Checks {
    /// A good password is enough.
    None,
    /// All of them.
    All(Vec<Check>),
    /// The first or else the second; the first one's sentence is told when neither is allowed.
    Either(Check, Check),
    /// The first; the second only adds its proof when it is allowed too.
    WithOptional(Check, Check),
}

/// The checks of an operation in `registry`.
pub(super) fn checks(operation: &Operation, registry: &Registry) -> Checks {
    let on = |name: &RepositoryName| Repository { registry: registry.clone(), name: name.clone() };
    match operation {
        Operation::Base => Checks::None,
        Operation::Catalog(_) => Checks::All(vec![Check::on::<DescribeAllRepositories>(
            Resource::AllRepositories(registry.clone()),
        )]),
        Operation::ListTags(name, _) => Checks::All(vec![Check::new::<ListImages>(on(name))]),
        Operation::GetManifest(name, _) => Checks::All(vec![Check::new::<BatchGetImage>(on(name))]),
        Operation::PutManifest(name, _) => Checks::All(vec![Check::new::<PutImage>(on(name))]),
        Operation::DeleteManifest(name, _) => Checks::All(vec![Check::new::<BatchDeleteImage>(on(name))]),
        Operation::GetBlob(name, _) => Checks::All(vec![Check::new::<GetDownloadUrlForLayer>(on(name))]),
        // A push asks whether a layer is there, and so does a pull; the managed policy PullOnly has only the
        // second right, so either is enough.
        Operation::HeadBlob(name, _) => Checks::Either(
            Check::new::<BatchCheckLayerAvailability>(on(name)),
            Check::new::<GetDownloadUrlForLayer>(on(name)),
        ),
        // ECR has no action of its own for it; who may delete images may delete what images leave behind.
        Operation::DeleteBlob(name, _) => Checks::All(vec![Check::new::<BatchDeleteImage>(on(name))]),
        Operation::StartUpload(name) | Operation::MountBlob { name, from: None, .. } => {
            // Without a source the right to read one is asked for when one is found (`uploads::mount`).
            Checks::All(vec![Check::new::<InitiateLayerUpload>(on(name))])
        }
        // Whoever may not read the source gets an ordinary upload, and is not told whether the blob exists.
        Operation::MountBlob { name, from: Some(from), .. } => Checks::WithOptional(
            Check::new::<InitiateLayerUpload>(on(name)),
            Check::new::<GetDownloadUrlForLayer>(on(from)),
        ),
        Operation::UploadWhole(name, _) => Checks::All(vec![
            Check::new::<InitiateLayerUpload>(on(name)),
            Check::new::<UploadLayerPart>(on(name)),
            Check::new::<CompleteLayerUpload>(on(name)),
        ]),
        Operation::UploadStatus(name, _)
        | Operation::AppendUpload(name, _)
        | Operation::AbortUpload(name, _) => Checks::All(vec![Check::new::<UploadLayerPart>(on(name))]),
        Operation::CompleteUpload(name, ..) => Checks::All(vec![
            Check::new::<UploadLayerPart>(on(name)),
            Check::new::<CompleteLayerUpload>(on(name)),
        ]),
        Operation::ListReferrers { name, .. } => Checks::All(vec![Check::new::<BatchGetImage>(on(name))]),
    }
}

impl Checks {
    /// Asks the guard.
    ///
    /// # Errors
    /// [`AccessError`] of the check that decides.
    pub(super) async fn authorize(self, guard: &Guard, caller: &Arc<Caller>) -> Result<Grant, AccessError> {
        match self {
            Self::None => guard.authorize(caller, Vec::new()).await,
            Self::All(checks) => guard.authorize(caller, checks).await,
            Self::Either(first, second) => match guard.authorize(caller, vec![first]).await {
                Err(denied @ AccessError::Denied { .. }) => {
                    match guard.authorize(caller, vec![second]).await {
                        Err(AccessError::Denied { .. }) => Err(denied),
                        other => other,
                    }
                }
                other => other,
            },
            Self::WithOptional(needed, optional) => {
                match guard.authorize(caller, vec![needed.clone(), optional]).await {
                    Err(AccessError::Denied { .. }) => guard.authorize(caller, vec![needed]).await,
                    other => other,
                }
            }
        }
    }
}
