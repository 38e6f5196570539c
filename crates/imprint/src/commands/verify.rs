//! `imprint verify`: checks that everything in a WIM file can be read and is what it was.

use std::path::PathBuf;

use crate::cli::hi;
use crate::cli::low::VerifyArgs;
use crate::console::Console;
use crate::error::UsageError;
use crate::exit::Status;

/// What to check.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Job {
    wim: PathBuf,
    integrity_table: bool,
    threads: Option<usize>,
    references: Vec<String>,
}

impl Job {
    pub(super) fn new(args: VerifyArgs) -> Result<Self, UsageError> {
        Ok(Self {
            wim: hi::wim_path(args.wim, "input")?,
            integrity_table: !args.nocheck,
            threads: hi::threads(args.threads),
            references: args.references.references,
        })
    }
}

pub(super) fn run(job: &Job, console: &mut Console) -> anyhow::Result<Status> {
    anyhow::bail!("{job:?} {console:?}")
}
