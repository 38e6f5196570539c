//! Proves that a volume is consistent: a program of its own, not the reader with more errors.
//!
//! ```text
//!  boot sector, $MFT ─► headers of all records ─► all files ─┬─► clusters ─► $Bitmap
//!   or their copies       (in use, base)                     ├─► names    ─► entries of all directories
//!                                                            └─► ids      ─► $Secure, $Reparse, $ObjId
//! ```
//!
//! It goes on behind everything that is wrong, as far as that can be done, and tells all that it finds.
//!
//! **Limits.** Memory: 40 bytes for each record, 16 for each name and a bit for each cluster. Data is not read, and
//! `$LogFile` not replayed.

mod bits;
mod clusters;
mod definitions;
mod file;
mod gather;
mod ground;
mod names;
mod record;
mod report;
mod rule;
mod secure;
mod state;
mod sweep;
mod system;
mod tree;
mod views;

use imprint_blockio::ReadAt;
use imprint_progress::{Cancelled, Progress};

pub use report::{Finding, Problem, Report, Severity, Subject, Summary};
pub use rule::Rule;

use crate::ReadError;
use ground::Ground;
use report::Findings;
use state::Map;

/// Why a volume cannot be checked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// Neither the boot sector nor its copy, or neither `$MFT` nor its mirror, says where everything is.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It was stopped.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// Checks the volume on a device.
///
/// # Errors
/// [`CheckError`] if it cannot be checked at all; all else is in the report.
pub fn check(device: &impl ReadAt, progress: &Progress) -> Result<Report, CheckError> {
    let mut found = Findings::default();
    let found = &mut found;
    let ground = Ground::open(device, found)?;
    let (records, clusters) = (ground.volume.records(), ground.geometry.clusters());
    let map = &mut Map::new(records, clusters, ground.geometry.cluster_size);
    let bytes = records * u64::from(ground.geometry.record_size);
    progress.begin("reading records", bytes, 0);
    ground.sweep_headers(map, found, progress)?;
    progress.begin("checking files", bytes, 0);
    ground.check_mft(found);
    ground.sweep_files(map, found, progress)?;
    ground.tell_shared(map, found, progress)?;
    ground.check_record_bitmap(map, found);
    ground.check_system(map, found);
    progress.begin("checking clusters", 0, 0);
    ground.check_clusters(map, found, progress)?;
    progress.begin("checking directories", 0, map.summary.directories);
    ground.check_names(map, found, progress)?;
    progress.begin("checking indexes", 0, 0);
    ground.check_security(map, found, progress)?;
    ground.check_views(map, found, progress)?;
    ground.check_state(found);
    let summary = map.summary;
    Ok(Report {
        findings: std::mem::take(&mut found.list),
        counts: std::mem::take(&mut found.counts),
        summary,
    })
}
