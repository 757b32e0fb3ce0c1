//! Which IAM actions each operation of the ECR API needs, on what (ecr.md §2).
//!
//! Operations that are not built are checked too: whoever may not call one learns no more than on AWS.

use aws::ecr::{Operation, Tag};
use oci::RepositoryName;
use policy::{AccountId, Arn, Context, Region};

use super::Error;
use crate::access::action::{
    BatchCheckLayerAvailability, BatchDeleteImage, BatchGetImage, CompleteLayerUpload, CreateRepository,
    CreateRepositoryCreationTemplate, DeleteLifecyclePolicy, DeleteRepository,
    DeleteRepositoryCreationTemplate, DeleteRepositoryPolicy, DescribeAllRepositories, DescribeImages,
    DescribeRegistry, DescribeRepositories, DescribeRepositoryCreationTemplates, GetAuthorizationToken,
    GetDownloadUrlForLayer, GetLifecyclePolicy, GetRepositoryPolicy, InitiateLayerUpload, ListImages,
    ListTagsForResource, PassRole, PutImage, PutImageScanningConfiguration, PutImageTagMutability,
    PutLifecyclePolicy, SetRepositoryPolicy, TagResource, UntagResource, UpdateRepositoryCreationTemplate,
    UploadLayerPart,
};
use crate::access::{Caller, Check, Identity, Registry, Repository, Resource};
use crate::api::request_tags;
use crate::catalog;
use crate::catalog::repository::ResourceTags;

/// The checks of an operation; the guard must allow all of them.
///
/// # Errors
/// [`Error::Catalog`] for a registry id, name or ARN that the shape lets through and that names nothing.
#[expect(clippy::too_many_lines, reason = "one line per operation of the model, in its order")]
pub(super) fn checks(operation: &Operation, caller: &Caller) -> Result<Vec<Check>, Error> {
    let scope = Scope { account: caller.account(), region: &caller.region };
    let on = |registry_id: &Option<String>, name: &str| scope.repository(registry_id.as_deref(), name);
    let one = |check: Check| Ok(vec![check]);
    // Actions of operations that are not built have no proof type: no room function could ask for it.
    let named = |action: &'static str, resource: Resource| Check {
        action,
        resource,
        context: Context::default(),
        trust: None,
    };
    let on_all = |action: &'static str| one(named(action, scope.own().into()));
    let on_all_of = |registry_id: &Option<String>, action: &'static str| {
        one(named(action, scope.registry(registry_id.as_deref())?.into()))
    };
    match operation {
        Operation::BatchCheckLayerAvailability(input) => {
            one(Check::new::<BatchCheckLayerAvailability>(on(&input.registry_id, &input.repository_name)?))
        }
        Operation::BatchDeleteImage(input) => {
            one(Check::new::<BatchDeleteImage>(on(&input.registry_id, &input.repository_name)?))
        }
        Operation::BatchGetImage(input) => {
            one(Check::new::<BatchGetImage>(on(&input.registry_id, &input.repository_name)?))
        }
        Operation::BatchGetRepositoryScanningConfiguration(input) => {
            let each = input.repository_names.iter().map(|name| {
                Ok(named("ecr:BatchGetRepositoryScanningConfiguration", scope.repository(None, name)?.into()))
            });
            each.collect()
        }
        Operation::CompleteLayerUpload(input) => {
            one(Check::new::<CompleteLayerUpload>(on(&input.registry_id, &input.repository_name)?))
        }
        Operation::CreatePullThroughCacheRule(input) => {
            let mut checks = on_all_of(&input.registry_id, "ecr:CreatePullThroughCacheRule")?;
            checks.extend(scope.pass_role(input.custom_role_arn.as_deref()));
            Ok(checks)
        }
        Operation::CreateRepository(input) => {
            let repository = on(&input.registry_id, &input.repository_name)?;
            let context = request_tags(input.tags.as_deref().unwrap_or_default())?;
            let mut checks =
                vec![Check::new::<CreateRepository>(repository.clone()).with_context(context.clone())];
            if input.tags.as_ref().is_some_and(|tags| !tags.is_empty()) {
                checks.push(Check::new::<TagResource>(repository).with_context(context));
            }
            Ok(checks)
        }
        Operation::CreateRepositoryCreationTemplate(input) => {
            let mut checks = vec![Check::new::<CreateRepositoryCreationTemplate>(scope.own())];
            checks.extend(scope.template_rights(
                input.lifecycle_policy.as_deref(),
                input.repository_policy.as_deref(),
                input.custom_role_arn.as_deref(),
            ));
            Ok(checks)
        }
        Operation::DeleteLifecyclePolicy(input) => {
            one(Check::new::<DeleteLifecyclePolicy>(on(&input.registry_id, &input.repository_name)?))
        }
        Operation::DeletePullThroughCacheRule(input) => {
            on_all_of(&input.registry_id, "ecr:DeletePullThroughCacheRule")
        }
        Operation::DeleteRegistryPolicy(_) => on_all("ecr:DeleteRegistryPolicy"),
        Operation::DeleteRepository(input) => {
            one(Check::new::<DeleteRepository>(on(&input.registry_id, &input.repository_name)?))
        }
        Operation::DeleteRepositoryCreationTemplate(_) => {
            one(Check::new::<DeleteRepositoryCreationTemplate>(scope.own()))
        }
        Operation::DeleteRepositoryPolicy(input) => {
            one(Check::new::<DeleteRepositoryPolicy>(on(&input.registry_id, &input.repository_name)?))
        }
        Operation::DeleteSigningConfiguration(_) => on_all("ecr:DeleteSigningConfiguration"),
        Operation::DeregisterPullTimeUpdateExclusion(_) => on_all("ecr:DeregisterPullTimeUpdateExclusion"),
        Operation::DescribeImageReplicationStatus(input) => one(named(
            "ecr:DescribeImageReplicationStatus",
            on(&input.registry_id, &input.repository_name)?.into(),
        )),
        Operation::DescribeImageScanFindings(input) => one(named(
            "ecr:DescribeImageScanFindings",
            on(&input.registry_id, &input.repository_name)?.into(),
        )),
        Operation::DescribeImageSigningStatus(input) => one(named(
            "ecr:DescribeImageSigningStatus",
            on(&input.registry_id, &input.repository_name)?.into(),
        )),
        Operation::DescribeImages(input) => {
            one(Check::new::<DescribeImages>(on(&input.registry_id, &input.repository_name)?))
        }
        Operation::DescribePullThroughCacheRules(input) => {
            on_all_of(&input.registry_id, "ecr:DescribePullThroughCacheRules")
        }
        Operation::DescribeRegistry(_) => one(Check::new::<DescribeRegistry>(scope.own())),
        Operation::DescribeReplicationBackfillResults(input) => {
            on_all_of(&input.registry_id, "ecr:DescribeReplicationBackfillResults")
        }
        Operation::DescribeRepositories(input) => match &input.repository_names {
            Some(names) => names
                .iter()
                .map(|name| Ok(Check::new::<DescribeRepositories>(on(&input.registry_id, name)?)))
                .collect(),
            None => {
                let registry = scope.registry(input.registry_id.as_deref())?;
                one(Check::on::<DescribeAllRepositories>(Resource::AllRepositories(registry)))
            }
        },
        Operation::DescribeRepositoryCreationTemplates(_) => {
            one(Check::new::<DescribeRepositoryCreationTemplates>(scope.own()))
        }
        Operation::GetAccountSetting(input) => {
            one(named("ecr:GetAccountSetting", scope.own().into()).with_context(account_setting(&input.name)))
        }
        Operation::GetAuthorizationToken(_) => one(Check::new::<GetAuthorizationToken>(scope.own())),
        Operation::GetDownloadUrlForLayer(input) => {
            one(Check::new::<GetDownloadUrlForLayer>(on(&input.registry_id, &input.repository_name)?))
        }
        Operation::GetLifecyclePolicy(input) => {
            one(Check::new::<GetLifecyclePolicy>(on(&input.registry_id, &input.repository_name)?))
        }
        Operation::GetLifecyclePolicyPreview(input) => one(named(
            "ecr:GetLifecyclePolicyPreview",
            on(&input.registry_id, &input.repository_name)?.into(),
        )),
        Operation::GetRegistryPolicy(_) => on_all("ecr:GetRegistryPolicy"),
        Operation::GetRegistryScanningConfiguration(_) => on_all("ecr:GetRegistryScanningConfiguration"),
        Operation::GetRepositoryPolicy(input) => {
            one(Check::new::<GetRepositoryPolicy>(on(&input.registry_id, &input.repository_name)?))
        }
        Operation::GetSigningConfiguration(_) => on_all("ecr:GetSigningConfiguration"),
        Operation::InitiateLayerUpload(input) => {
            one(Check::new::<InitiateLayerUpload>(on(&input.registry_id, &input.repository_name)?))
        }
        // There is no action ecr:ListImageReferrers.
        Operation::ListImageReferrers(input) => {
            one(Check::new::<BatchGetImage>(on(&input.registry_id, &input.repository_name)?))
        }
        Operation::ListImages(input) => {
            one(Check::new::<ListImages>(on(&input.registry_id, &input.repository_name)?))
        }
        Operation::ListPullTimeUpdateExclusions(_) => on_all("ecr:ListPullTimeUpdateExclusions"),
        Operation::ListReplicationBackfills(input) => {
            on_all_of(&input.registry_id, "ecr:ListReplicationBackfills")
        }
        Operation::ListTagsForResource(input) => {
            one(Check::new::<ListTagsForResource>(repository_of_arn(&input.resource_arn)?))
        }
        Operation::PutAccountSetting(input) => {
            one(named("ecr:PutAccountSetting", scope.own().into()).with_context(account_setting(&input.name)))
        }
        Operation::PutImage(input) => {
            one(Check::new::<PutImage>(on(&input.registry_id, &input.repository_name)?))
        }
        Operation::PutImageScanningConfiguration(input) => {
            one(Check::new::<PutImageScanningConfiguration>(on(&input.registry_id, &input.repository_name)?))
        }
        Operation::PutImageTagMutability(input) => {
            one(Check::new::<PutImageTagMutability>(on(&input.registry_id, &input.repository_name)?))
        }
        Operation::PutLifecyclePolicy(input) => {
            one(Check::new::<PutLifecyclePolicy>(on(&input.registry_id, &input.repository_name)?))
        }
        Operation::PutRegistryPolicy(_) => on_all("ecr:PutRegistryPolicy"),
        Operation::PutRegistryScanningConfiguration(_) => on_all("ecr:PutRegistryScanningConfiguration"),
        Operation::PutReplicationConfiguration(_) => on_all("ecr:PutReplicationConfiguration"),
        Operation::PutSigningConfiguration(_) => on_all("ecr:PutSigningConfiguration"),
        Operation::RegisterPullTimeUpdateExclusion(_) => on_all("ecr:RegisterPullTimeUpdateExclusion"),
        Operation::SetRepositoryPolicy(input) => {
            one(Check::new::<SetRepositoryPolicy>(on(&input.registry_id, &input.repository_name)?))
        }
        Operation::StartImageScan(input) => {
            one(named("ecr:StartImageScan", on(&input.registry_id, &input.repository_name)?.into()))
        }
        Operation::StartLifecyclePolicyPreview(input) => one(named(
            "ecr:StartLifecyclePolicyPreview",
            on(&input.registry_id, &input.repository_name)?.into(),
        )),
        Operation::StartReplicationBackfill(input) => {
            on_all_of(&input.registry_id, "ecr:StartReplicationBackfill")
        }
        Operation::StopReplicationBackfill(input) => {
            on_all_of(&input.registry_id, "ecr:StopReplicationBackfill")
        }
        Operation::TagResource(input) => {
            one(Check::new::<TagResource>(repository_of_arn(&input.resource_arn)?)
                .with_context(request_tags(&input.tags)?))
        }
        Operation::UntagResource(input) => {
            refuse_too_many(input.tag_keys.len())?;
            let mut context = Context::new();
            context.set_list("aws:TagKeys", input.tag_keys.iter().map(String::as_str));
            one(Check::new::<UntagResource>(repository_of_arn(&input.resource_arn)?).with_context(context))
        }
        Operation::UpdateImageStorageClass(input) => {
            one(named("ecr:UpdateImageStorageClass", on(&input.registry_id, &input.repository_name)?.into()))
        }
        Operation::UpdatePullThroughCacheRule(input) => {
            let mut checks = on_all_of(&input.registry_id, "ecr:UpdatePullThroughCacheRule")?;
            checks.extend(scope.pass_role(input.custom_role_arn.as_deref()));
            Ok(checks)
        }
        Operation::UpdateRepositoryCreationTemplate(input) => {
            let mut checks = vec![Check::new::<UpdateRepositoryCreationTemplate>(scope.own())];
            checks.extend(scope.template_rights(
                input.lifecycle_policy.as_deref(),
                input.repository_policy.as_deref(),
                input.custom_role_arn.as_deref(),
            ));
            Ok(checks)
        }
        Operation::UploadLayerPart(input) => {
            one(Check::new::<UploadLayerPart>(on(&input.registry_id, &input.repository_name)?))
        }
        Operation::ValidatePullThroughCacheRule(input) => {
            on_all_of(&input.registry_id, "ecr:ValidatePullThroughCacheRule")
        }
    }
}

/// Whose registries a request means when it does not say.
#[derive(Clone, Copy)]
struct Scope<'a> {
    account: &'a AccountId,
    region: &'a Region,
}

impl Scope<'_> {
    /// The caller's own registry.
    fn own(self) -> Registry {
        Registry { account: self.account.clone(), region: self.region.clone() }
    }

    /// The registry of a `registryId`, else the caller's own; always in the region of the request.
    fn registry(self, registry_id: Option<&str>) -> Result<Registry, Error> {
        let Some(id) = registry_id else { return Ok(self.own()) };
        let account = AccountId::parse(id)
            .map_err(|_| Error::parameter("registryId", "must satisfy regular expression [0-9]{12}"))?;
        Ok(Registry { account, region: self.region.clone() })
    }

    fn repository(self, registry_id: Option<&str>, name: &str) -> Result<Repository, Error> {
        let registry = self.registry(registry_id)?;
        let name = RepositoryName::parse(name).map_err(|_| {
            let pattern = RepositoryName::PRINTED_PATTERN;
            Error::parameter("repositoryName", format!("must satisfy regular expression '{pattern}'"))
        })?;
        Ok(Repository { registry, name })
    }

    /// Handing a role to the service needs the right to pass that role.
    fn pass_role(self, role: Option<&str>) -> Option<Check> {
        let arn = role?.to_owned();
        let mut context = Context::new();
        context.set("iam:PassedToService", "ecr.amazonaws.com");
        let identity = Identity { account: self.account.clone(), display: arn.clone(), arn };
        Some(Check::new::<PassRole>(identity).with_context(context))
    }

    /// What a creation template does later, its author must be allowed to do now.
    fn template_rights(
        self,
        lifecycle_policy: Option<&str>,
        policy: Option<&str>,
        role: Option<&str>,
    ) -> Vec<Check> {
        // What is sent empty is not set.
        let is_set = |text: Option<&str>| text.is_some_and(|text| !text.is_empty());
        let mut checks = vec![Check::on::<CreateRepository>(self.own().into())];
        if is_set(lifecycle_policy) {
            checks.push(Check::on::<PutLifecyclePolicy>(self.own().into()));
        }
        if is_set(policy) {
            checks.push(Check::on::<SetRepositoryPolicy>(self.own().into()));
        }
        checks.extend(self.pass_role(role.filter(|role| !role.is_empty())));
        checks
    }
}

/// The repository that a `resourceArn` names, whatever its account and region.
fn repository_of_arn(text: &str) -> Result<Repository, Error> {
    let invalid = || Error::parameter("resourceArn", "Invalid ARN");
    let arn = Arn::parse(text).map_err(|_| invalid())?;
    if arn.partition() != "aws" || arn.service() != "ecr" {
        return Err(invalid());
    }
    let name = arn.resource().strip_prefix("repository/").ok_or_else(invalid)?;
    Ok(Repository {
        registry: Registry {
            account: AccountId::parse(arn.account()).map_err(|_| invalid())?,
            region: Region::parse(arn.region()).map_err(|_| invalid())?,
        },
        name: RepositoryName::parse(name).map_err(|_| invalid())?,
    })
}

fn request_tags(tags: &[Tag]) -> Result<Context, Error> {
    refuse_too_many(tags.len())?;
    Ok(request_tags::context(tags.iter().map(|tag| (tag.key.as_str(), tag.value.as_str()))))
}

/// The shapes have no bound for tags; every one of them would be compared with every condition.
fn refuse_too_many(tags: usize) -> Result<(), Error> {
    if tags > ResourceTags::MAX { Err(catalog::Error::TooManyTags.into()) } else { Ok(()) }
}

fn account_setting(name: &str) -> Context {
    let mut context = Context::new();
    context.set("ecr:AccountSetting", name);
    context
}

#[cfg(test)]
pub(super) mod tests;
