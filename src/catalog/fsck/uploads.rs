//! Uploads: their rows and their bytes.

use super::{Check, Kind};
use crate::catalog::Error;
use crate::params;

const UPLOAD: &str = "SELECT id FROM upload WHERE id = $1";

impl Check<'_> {
    /// A young upload has no row, and no files that count. An upload that has received nothing has no files, so rows
    /// without files are in order.
    pub(super) async fn uploads(&mut self) -> Result<(), Error> {
        for (name, end) in self.catalog.blobs.damaged_journals() {
            let detail = format!("it cannot be read behind its first {end} bytes");
            self.found(Kind::JournalDamaged, name, detail);
        }
        let young = self.catalog.blobs.young_uploads();
        self.checked.uploads += young.iter().filter(|upload| upload.length > 0).count() as u64;
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
