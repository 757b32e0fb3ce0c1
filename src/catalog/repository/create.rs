//! CreateRepository (ecr.md §3).

use super::{BoundPolicy, ENCRYPTION_TYPE, ResourceTags, StoredRepository};
use crate::access::Allowed;
use crate::access::action::{CreateRepository, TagResource};
use crate::catalog::read_cache::repository_scope;
use crate::catalog::{Catalog, Error, TagMutability};
use crate::lifecycle::LifecyclePolicy;
use crate::{params, transaction};

/// What a new repository shall be like.
#[derive(Debug, Default)]
pub struct NewRepository {
    /// Which tags a push may move.
    pub tag_mutability: TagMutability,
    /// Its first tags, when it gets any.
    pub tags: Option<InitialTags>,
}

/// Tags that a repository is created with: they need a permission of their own.
#[derive(Debug)]
pub struct InitialTags {
    /// The proof that the caller may tag this very repository.
    pub allowed: Allowed<TagResource>,
    /// The tags.
    pub tags: ResourceTags,
}

/// The documents that a repository made by a template begins with.
#[derive(Debug, Default)]
pub(in crate::catalog) struct Documents {
    /// Its policy.
    pub(in crate::catalog) policy: Option<BoundPolicy>,
    /// Its lifecycle policy.
    pub(in crate::catalog) lifecycle_policy: Option<LifecyclePolicy>,
}

const COUNT: &str = "SELECT COUNT(*) FROM repository WHERE account = $1 AND region = $2";

const INSERT: &str = "INSERT INTO repository (id, account, region, name, created_at, tag_mutability, \
    tag_mutability_filters, scan_on_push, encryption_type, kms_key, policy, lifecycle_policy, \
    lifecycle_evaluated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, NULL, $9, $10, 0) \
    ON CONFLICT (account, region, name) DO NOTHING";

impl Catalog {
    /// Creates an empty repository at the address that was allowed.
    ///
    /// # Errors
    /// [`Error::RepositoryAlreadyExists`]; [`Error::LimitExceeded`] when the registry is full.
    pub async fn create_repository(
        &self,
        allowed: &Allowed<CreateRepository>,
        new: NewRepository,
    ) -> Result<StoredRepository, Error> {
        self.insert_repository(allowed, new, &Documents::default()).await
    }

    /// The same for a repository that begins with documents: their author was allowed to set them.
    pub(in crate::catalog) async fn insert_repository(
        &self,
        allowed: &Allowed<CreateRepository>,
        new: NewRepository,
        documents: &Documents,
    ) -> Result<StoredRepository, Error> {
        let address = allowed.resource();
        let tags = match &new.tags {
            // The proof is for one repository; tags must not reach another through a mix-up of proofs.
            Some(initial) if initial.allowed.resource() != address => {
                return Err(Error::Internal(anyhow::anyhow!("the tags were allowed on another repository")));
            }
            Some(initial) => initial.tags.as_slice(),
            None => &[],
        };
        let policy = documents.policy.as_ref().map(BoundPolicy::column).transpose()?;
        let lifecycle_policy = documents.lifecycle_policy.as_ref().map(LifecyclePolicy::canonical_text);
        let id = self.environment.new_id()?;
        let created = StoredRepository {
            address: address.clone(),
            created_at: self.environment.now(),
            tag_mutability: new.tag_mutability,
            scan_on_push: false,
            encryption_type: ENCRYPTION_TYPE.to_owned(),
            kms_key: None,
        };
        transaction!(self.database, open => {
            open.touches(&[repository_scope(address)]);
            let registry = &address.registry;
            let count: i64 = open
                .required(COUNT, params![registry.account.as_str(), registry.region.as_str()])
                .await?
                .get(0)?;
            let inserted = open
                .execute(
                    INSERT,
                    params![
                        id.as_str(),
                        registry.account.as_str(),
                        registry.region.as_str(),
                        address.name.as_str(),
                        created.created_at,
                        created.tag_mutability.mode.as_str(),
                        created.tag_mutability.filters_column(),
                        ENCRYPTION_TYPE,
                        policy.as_deref(),
                        lifecycle_policy.as_deref(),
                    ],
                )
                .await?;
            if inserted == 0 {
                return Err(Error::RepositoryAlreadyExists(address.into()));
            }
            // After the insert: a full registry still tells that a name is taken, as ECR does.
            if count >= self.limits.repositories_per_registry {
                return Err(Error::LimitExceeded {
                    limit: "repositories per registry",
                    maximum: u64::try_from(self.limits.repositories_per_registry).unwrap_or(0),
                });
            }
            for (key, value) in tags {
                open.execute(super::tags::UPSERT, params![id.as_str(), key, value]).await?;
            }
            Ok::<_, Error>(())
        })?;
        Ok(created)
    }
}
