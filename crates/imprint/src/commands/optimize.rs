//! `imprint optimize`: writes a WIM file anew, without the gaps that changes left.

use std::path::PathBuf;

use crate::cli::hi::{self, Integrity, Storage};
use crate::cli::low::OptimizeArgs;
use crate::console::Console;
use crate::error::UsageError;
use crate::exit::Status;

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

pub(super) fn run(job: &Job, console: &mut Console) -> anyhow::Result<Status> {
    anyhow::bail!("{job:?} {console:?}")
}
