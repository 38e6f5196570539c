//! `imprint append`: adds an image of a directory to a WIM file.

use super::capture;
use crate::cli::low::AppendArgs;
use crate::console::Console;
use crate::error::UsageError;
use crate::exit::Status;

/// What to append, and to what.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) capture: capture::Job,
    /// Make the file if there is none.
    pub(super) create: bool,
}

impl Job {
    pub(super) fn new(args: AppendArgs) -> Result<Self, UsageError> {
        let AppendArgs { capture, create } = args;
        let wim = capture.wim.clone();
        Ok(Self { capture: capture::Job::with_default(capture, None, Some(&wim))?, create })
    }
}

pub(super) fn run(job: Job, console: &mut Console) -> anyhow::Result<Status> {
    anyhow::bail!("{job:?} {console:?}")
}
