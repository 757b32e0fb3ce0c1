//! Uploads: their rows and their bytes.

use super::{Check, Kind};
use crate::catalog::Error;
use crate::params;

const UPLOAD: &str = "SELECT id FROM upload WHERE id = $1";

impl Check<'_> {
    /// An upload that has received nothing has no files, so rows without files are in order.
    pub(super) async fn uploads(&mut self) -> Result<(), Error> {
        for upload in self.catalog.blobs.uploads().await? {
            self.checked.uploads += 1;
            if self.catalog.database.row(UPLOAD, params![upload.as_str()]).await?.is_none() {
                self.found(Kind::StrayUpload, upload.as_str(), "no upload owns these bytes");
                continue;
            }
            if let Some(short) = self.catalog.blobs.shortfall(&upload).await? {
                let detail = format!("{} bytes of {} are there", short.found, short.expected);
                self.found(Kind::UploadShort, upload.as_str(), detail);
            }
        }
        self.progress();
        Ok(())
    }
}
