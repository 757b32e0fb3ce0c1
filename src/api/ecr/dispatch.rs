//! Operation → handler: which operations are built, and where.
//!
//! The table is the one place that says so: [`BUILT`] and the dispatching `match` are made from the same
//! lines, and the `match` is exhaustive, so a new operation of the model does not compile until it is in one
//! half of the table.

use aws::ecr::Operation;

use super::{
    Error, creation_templates, image_listings, images, layers, lifecycle, policies, registry, repositories,
    tags,
};
use crate::access::Grant;
use crate::api::Services;

macro_rules! operations {
    (built { $($built:ident => $handler:path,)* } not_built { $($absent:ident)* }) => {
        /// The operations that this server performs; all others answer [`Error::NotBuilt`].
        pub const BUILT: &[&str] = &[$(stringify!($built)),*];

        /// Performs an operation whose checks were allowed; gives the body of the answer.
        pub(super) async fn dispatch(
            services: &Services,
            grant: &Grant,
            operation: Operation,
        ) -> Result<Vec<u8>, Error> {
            match operation {
                $(Operation::$built(input) => {
                    Ok(aws::json::to_body(&$handler(services, grant, *input).await?))
                })*
                $(Operation::$absent(_) => Err(Error::NotBuilt { operation: stringify!($absent) }),)*
            }
        }
    };
}

operations! {
    built {
        BatchCheckLayerAvailability => layers::batch_check_layer_availability,
        BatchDeleteImage => images::batch_delete_image,
        BatchGetImage => images::batch_get_image,
        CompleteLayerUpload => layers::complete_layer_upload,
        CreateRepository => repositories::create_repository,
        CreateRepositoryCreationTemplate => creation_templates::create_repository_creation_template,
        DeleteLifecyclePolicy => lifecycle::delete_lifecycle_policy,
        DeleteRepository => repositories::delete_repository,
        DeleteRepositoryCreationTemplate => creation_templates::delete_repository_creation_template,
        DeleteRepositoryPolicy => policies::delete_repository_policy,
        DescribeImages => image_listings::describe_images,
        DescribeRegistry => registry::describe_registry,
        DescribeRepositories => repositories::describe_repositories,
        DescribeRepositoryCreationTemplates => creation_templates::describe_repository_creation_templates,
        GetAuthorizationToken => registry::get_authorization_token,
        GetDownloadUrlForLayer => layers::get_download_url_for_layer,
        GetLifecyclePolicy => lifecycle::get_lifecycle_policy,
        GetRepositoryPolicy => policies::get_repository_policy,
        InitiateLayerUpload => layers::initiate_layer_upload,
        ListImageReferrers => image_listings::list_image_referrers,
        ListImages => image_listings::list_images,
        ListTagsForResource => tags::list_tags_for_resource,
        PutImage => images::put_image,
        PutImageScanningConfiguration => repositories::put_image_scanning_configuration,
        PutImageTagMutability => repositories::put_image_tag_mutability,
        PutLifecyclePolicy => lifecycle::put_lifecycle_policy,
        SetRepositoryPolicy => policies::set_repository_policy,
        TagResource => tags::tag_resource,
        UntagResource => tags::untag_resource,
        UpdateRepositoryCreationTemplate => creation_templates::update_repository_creation_template,
        UploadLayerPart => layers::upload_layer_part,
    }
    not_built {
        BatchGetRepositoryScanningConfiguration CreatePullThroughCacheRule
        DeletePullThroughCacheRule DeleteRegistryPolicy
        DeleteSigningConfiguration DeregisterPullTimeUpdateExclusion
        DescribeImageReplicationStatus DescribeImageScanFindings DescribeImageSigningStatus
        DescribePullThroughCacheRules DescribeReplicationBackfillResults
        GetAccountSetting GetLifecyclePolicyPreview GetRegistryPolicy
        GetRegistryScanningConfiguration GetSigningConfiguration ListPullTimeUpdateExclusions
        ListReplicationBackfills PutAccountSetting PutRegistryPolicy PutRegistryScanningConfiguration
        PutReplicationConfiguration PutSigningConfiguration RegisterPullTimeUpdateExclusion
        StartImageScan StartLifecyclePolicyPreview StartReplicationBackfill StopReplicationBackfill
        UpdateImageStorageClass UpdatePullThroughCacheRule
        ValidatePullThroughCacheRule
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_operations_are_operations_of_the_model_in_order() {
        for name in BUILT {
            assert!(aws::ecr::OPERATIONS.iter().any(|operation| operation.name == *name), "{name}");
        }
        assert!(BUILT.is_sorted());
    }
}
