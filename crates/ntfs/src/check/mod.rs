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
mod repair;
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

pub use repair::{RepairError, RepairOptions, Repaired, Step, repair};
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
    let Survey { mut found, map, .. } = survey(device, progress)?;
    Ok(found.report(map.summary))
}

/// A volume that was checked, and all that was learnt of it.
struct Survey<'d, D> {
    ground: Ground<'d, D>,
    map: Map,
    found: Findings,
}

fn survey<'d, D: ReadAt>(device: &'d D, progress: &Progress) -> Result<Survey<'d, D>, CheckError> {
    let mut all = Findings::default();
    let found = &mut all;
    let ground = Ground::open(device, found)?;
    let (records, clusters) = (ground.volume.records(), ground.geometry.clusters());
    let mut map = Map::new(records, clusters, ground.geometry.cluster_size);
    let bytes = records * u64::from(ground.geometry.record_size);
    progress.begin("reading records", bytes, 0);
    ground.sweep_headers(&mut map, found, progress)?;
    progress.begin("checking files", bytes, 0);
    ground.check_mft(found);
    ground.sweep_files(&mut map, found, progress)?;
    ground.tell_shared(&mut map, found, progress)?;
    ground.check_record_bitmap(&mut map, found);
    ground.check_system(&mut map, found);
    progress.begin("checking clusters", 0, 0);
    ground.check_clusters(&mut map, found, progress)?;
    progress.begin("checking directories", 0, map.summary.directories);
    ground.check_names(&mut map, found, progress)?;
    progress.begin("checking indexes", 0, 0);
    ground.check_security(&mut map, found, progress)?;
    ground.check_views(&mut map, found, progress)?;
    ground.check_state(found);
    Ok(Survey { ground, map, found: all })
}
