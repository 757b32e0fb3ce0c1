//! CreateRepository, DescribeRepositories, DeleteRepository, PutImageTagMutability,
//! PutImageScanningConfiguration (ecr.md §3, §4.9).

use aws::ecr::{
    CreateRepositoryRequest, CreateRepositoryResponse, DeleteRepositoryRequest, DeleteRepositoryResponse,
    DescribeRepositoriesRequest, DescribeRepositoriesResponse, EncryptionConfiguration,
    ImageScanningConfiguration, ImageTagMutabilityExclusionFilter, PutImageScanningConfigurationRequest,
    PutImageScanningConfigurationResponse, PutImageTagMutabilityRequest, PutImageTagMutabilityResponse,
    Repository,
};
use oci::{RepositoryName, TagFilter};

use super::{Error, pages, tags};
use crate::access::{Grant, Registry, action};
use crate::api::{Names, Services, cursor};
use crate::catalog::repository::{InitialTags, NewRepository, StoredRepository};
use crate::catalog::{self, Mode, TagMutability};

pub(super) async fn create_repository(
    services: &Services,
    grant: &Grant,
    input: CreateRepositoryRequest,
) -> Result<CreateRepositoryResponse, Error> {
    let tag_mutability = tag_mutability(
        input.image_tag_mutability.as_deref(),
        input.image_tag_mutability_exclusion_filters.as_deref(),
    )?;
    if input.image_scanning_configuration.and_then(|setting| setting.scan_on_push) == Some(true) {
        return Err(catalog::Error::scan_on_push().into());
    }
    if let Some(encryption) = &input.encryption_configuration {
        refuse_kms(&encryption.encryption_type, encryption.kms_key.as_deref())?;
    }
    let tags = match input.tags {
        Some(tags) if !tags.is_empty() => Some(InitialTags {
            allowed: grant.take::<action::TagResource>()?,
            tags: tags::resource_tags(tags)?,
        }),
        _ => None,
    };
    let allowed = grant.take::<action::CreateRepository>()?;
    let created =
        services.catalog.create_repository(&allowed, NewRepository { tag_mutability, tags }).await?;
    Ok(CreateRepositoryResponse { repository: Some(shown(&created, &services.names)) })
}

pub(super) async fn describe_repositories(
    services: &Services,
    grant: &Grant,
    input: DescribeRepositoriesRequest,
) -> Result<DescribeRepositoriesResponse, Error> {
    let shown = |found: &[StoredRepository]| {
        Some(found.iter().map(|repository| shown(repository, &services.names)).collect())
    };
    if input.repository_names.is_some() {
        pages::refuse_with("repositoryNames", input.max_results, input.next_token.as_ref())?;
        let allowed = grant.all::<action::DescribeRepositories>();
        let found = services.catalog.describe_repositories(&allowed).await?;
        return Ok(DescribeRepositoriesResponse { repositories: shown(&found), next_token: None });
    }
    let allowed = grant.take::<action::DescribeAllRepositories>()?;
    let about = listing(allowed.resource());
    let after = match &input.next_token {
        Some(token) => Some(position(&cursor::open(&services.sealer, &about, token)?)?),
        None => None,
    };
    let limit = pages::size(input.max_results);
    let page = services.catalog.list_repositories(&allowed, after.as_ref(), limit).await?;
    let next_token = match &page.next {
        Some(last) => Some(cursor::seal(&services.sealer, &about, last.as_str())?),
        None => None,
    };
    Ok(DescribeRepositoriesResponse { repositories: shown(&page.repositories), next_token })
}

pub(super) async fn delete_repository(
    services: &Services,
    grant: &Grant,
    input: DeleteRepositoryRequest,
) -> Result<DeleteRepositoryResponse, Error> {
    let allowed = grant.take::<action::DeleteRepository>()?;
    let deleted = services.catalog.delete_repository(&allowed, input.force.unwrap_or(false)).await?;
    Ok(DeleteRepositoryResponse { repository: Some(shown(&deleted, &services.names)) })
}

pub(super) async fn put_image_tag_mutability(
    services: &Services,
    grant: &Grant,
    input: PutImageTagMutabilityRequest,
) -> Result<PutImageTagMutabilityResponse, Error> {
    let setting = tag_mutability(
        Some(&input.image_tag_mutability),
        input.image_tag_mutability_exclusion_filters.as_deref(),
    )?;
    let allowed = grant.take::<action::PutImageTagMutability>()?;
    services.catalog.put_tag_mutability(&allowed, &setting).await?;
    let address = allowed.resource();
    Ok(PutImageTagMutabilityResponse {
        registry_id: Some(address.registry.account.to_string()),
        repository_name: Some(address.name.to_string()),
        image_tag_mutability: Some(setting.mode.as_str().to_owned()),
        image_tag_mutability_exclusion_filters: shown_filters(&setting),
    })
}

pub(super) async fn put_image_scanning_configuration(
    services: &Services,
    grant: &Grant,
    input: PutImageScanningConfigurationRequest,
) -> Result<PutImageScanningConfigurationResponse, Error> {
    let scan_on_push = input.image_scanning_configuration.scan_on_push.unwrap_or(false);
    let allowed = grant.take::<action::PutImageScanningConfiguration>()?;
    services.catalog.put_scan_on_push(&allowed, scan_on_push).await?;
    let address = allowed.resource();
    Ok(PutImageScanningConfigurationResponse {
        registry_id: Some(address.registry.account.to_string()),
        repository_name: Some(address.name.to_string()),
        image_scanning_configuration: Some(ImageScanningConfiguration { scan_on_push: Some(scan_on_push) }),
    })
}

/// What a cursor of DescribeRepositories is bound to.
fn listing(registry: &Registry) -> String {
    format!("DescribeRepositories|{}|{}", registry.account, registry.region)
}

fn position(key: &str) -> Result<RepositoryName, Error> {
    RepositoryName::parse(key).map_err(|_| catalog::Error::InvalidCursor.into())
}

/// Mode and filters as they were sent; both may be missing.
pub(super) fn tag_mutability(
    mode: Option<&str>,
    filters: Option<&[ImageTagMutabilityExclusionFilter]>,
) -> Result<TagMutability, Error> {
    const MEMBER: &str = "imageTagMutabilityExclusionFilters";
    let mode = match mode {
        // The shape has checked the enum; a value that it knows and we do not must not become a default.
        Some(text) => Mode::parse(text)
            .ok_or_else(|| Error::parameter("imageTagMutability", "Member must satisfy enum value set"))?,
        None => Mode::Mutable,
    };
    let filters = filters.unwrap_or_default();
    match (mode.has_exclusions(), filters.is_empty()) {
        (true, true) => {
            let mode = mode.as_str();
            return Err(Error::parameter(
                MEMBER,
                format!(
                    "ImageTagMutabilityExclusionFilters can't be null when imageTagMutability is set as {mode}"
                ),
            ));
        }
        // (unverified) the mirror image of the sentence above.
        (false, false) => {
            let mode = mode.as_str();
            return Err(Error::parameter(
                MEMBER,
                format!(
                    "ImageTagMutabilityExclusionFilters must be null when imageTagMutability is set as {mode}"
                ),
            ));
        }
        (true, false) | (false, true) => {}
    }
    let filters = filters
        .iter()
        .map(|filter| {
            TagFilter::parse(&filter.filter).map_err(|fault| Error::parameter(MEMBER, fault.to_string()))
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(TagMutability { mode, filters })
}

/// Bytes lie on the operator's own volume; a KMS key would protect nothing here, so it is not stored either.
pub(super) fn refuse_kms(encryption_type: &str, key: Option<&str>) -> Result<(), Error> {
    if encryption_type != catalog::repository::ENCRYPTION_TYPE {
        let what = format!("Encryption with AWS KMS (encryptionType {encryption_type})");
        return Err(catalog::Error::NotSupported { what }.into());
    }
    if key.is_some() {
        // (unverified)
        return Err(Error::parameter("kmsKey", "kmsKey can't be set when encryptionType is AES256"));
    }
    Ok(())
}

fn shown(stored: &StoredRepository, names: &Names) -> Repository {
    let address = &stored.address;
    Repository {
        repository_arn: Some(address.arn()),
        registry_id: Some(address.registry.account.to_string()),
        repository_name: Some(address.name.to_string()),
        repository_uri: Some(format!("{}/{}", names.host(&address.registry), address.name)),
        created_at: Some(aws::Timestamp::from_microseconds(stored.created_at)),
        image_tag_mutability: Some(stored.tag_mutability.mode.as_str().to_owned()),
        image_tag_mutability_exclusion_filters: shown_filters(&stored.tag_mutability),
        image_scanning_configuration: Some(ImageScanningConfiguration {
            scan_on_push: Some(stored.scan_on_push),
        }),
        encryption_configuration: Some(EncryptionConfiguration {
            encryption_type: stored.encryption_type.clone(),
            kms_key: stored.kms_key.clone(),
        }),
    }
}

/// Only shown when there are any (ecr.md §3).
pub(super) fn shown_filters(setting: &TagMutability) -> Option<Vec<ImageTagMutabilityExclusionFilter>> {
    let filter = |filter: &TagFilter| ImageTagMutabilityExclusionFilter {
        filter_type: "WILDCARD".to_owned(),
        filter: filter.as_str().to_owned(),
    };
    (!setting.filters.is_empty()).then(|| setting.filters.iter().map(filter).collect())
}
