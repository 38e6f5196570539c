//! `imprint optimize`: writes a WIM file anew, without the gaps that changes left.

use std::path::PathBuf;

use imprint_image::{Rebuild, append_to, open_wim, rebuild};
use serde::Serialize;

use super::{export, open};
use crate::cli::hi::{self, Integrity, Storage};
use crate::cli::low::OptimizeArgs;
use crate::console::Console;
use crate::environment;
use crate::error::UsageError;
use crate::exit::Status;
use crate::meter::Bytes;
use crate::watch::watch;

/// What to write anew, and how.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Job {
    wim: PathBuf,
    recompress: bool,
    integrity: Integrity,
    storage: Storage,
}

impl Job {
    pub(super) fn new(args: OptimizeArgs) -> Result<Self, UsageError> {
        Ok(Self {
            wim: hi::wim_path(args.wim, "input")?,
            // As in wimlib: who names a compression wants all data to have it.
            recompress: args.recompress || args.compression.compress.is_some(),
            integrity: Integrity::from(&args.integrity),
            storage: Storage::new(&args.compression, None)?,
        })
    }
}

/// Writes the file anew.
pub(super) fn run(job: &Job, console: &mut Console) -> anyhow::Result<Status> {
    let wim = open_wim(&job.wim)?;
    open::check_integrity(&wim, &job.wim, job.integrity.check_first, console)?;
    let coding = open::coding(&job.storage, wim.coding())?;
    let before = wim.file_len();
    drop(wim);
    // A split set or a read-only file must be refused before anything is written.
    drop(append_to(&job.wim)?);
    let export = export::options(&job.storage, job.recompress);
    let integrity = open::integrity_change(job.integrity.table);
    let what = Rebuild { coding, export, without: &[], integrity };
    let unique = environment::unique()?;
    watch(console.progress(), |progress| rebuild(&job.wim, &what, unique, progress))?;
    let after = fs_err::metadata(&job.wim)?.len();
    if console.json() {
        let path = job.wim.to_string_lossy().into_owned();
        console.print_json(&Document { path, size_before: before, size_after: after })?;
    }
    console.summary(&format_args!(
        "optimized {}: {} before, {} now",
        job.wim.display(),
        Bytes(before),
        Bytes(after),
    ))?;
    Ok(Status::Done)
}

#[derive(Serialize)]
struct Document {
    path: String,
    size_before: u64,
    size_after: u64,
}
