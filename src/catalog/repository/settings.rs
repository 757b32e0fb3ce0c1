//! PutImageTagMutability and PutImageScanningConfiguration (ecr.md §3, §4.9).

use super::not_found;
use crate::access::Allowed;
use crate::access::action::{PutImageScanningConfiguration, PutImageTagMutability};
use crate::catalog::read_cache::repository_scope;
use crate::catalog::{Catalog, Error, TagMutability, repository_parameters};
use crate::{params, transaction};

const SET_MUTABILITY: &str = "UPDATE repository SET tag_mutability = $4, tag_mutability_filters = $5 \
    WHERE account = $1 AND region = $2 AND name = $3";

impl Catalog {
    /// Replaces mode and filters together. Nothing stored changes: the setting counts when images are pushed.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`].
    pub async fn put_tag_mutability(
        &self,
        allowed: &Allowed<PutImageTagMutability>,
        setting: &TagMutability,
    ) -> Result<(), Error> {
        let address = allowed.resource();
        transaction!(self.database, open => {
            open.touches(&[repository_scope(allowed.resource())]);
            let mut parameters = repository_parameters(address);
            parameters.extend(params![setting.mode.as_str(), setting.filters_column()]);
            match open.execute(SET_MUTABILITY, parameters).await? {
                0 => Err(not_found(address)),
                _ => Ok(()),
            }
        })
    }

    /// Accepts that images are not scanned on push, which is so for every repository.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`]; [`Error::NotSupported`] when scanning is asked for: stored, it would
    /// promise findings that never come.
    pub async fn put_scan_on_push(
        &self,
        allowed: &Allowed<PutImageScanningConfiguration>,
        scan_on_push: bool,
    ) -> Result<(), Error> {
        self.require_repository(allowed.resource()).await?;
        if scan_on_push { Err(Error::scan_on_push()) } else { Ok(()) }
    }
}

impl Error {
    /// Scan on push was asked for.
    #[must_use]
    pub fn scan_on_push() -> Self {
        Self::NotSupported { what: "Scanning of images (scanOnPush)".to_owned() }
    }
}
