//! `imprint delete`: removes images from a WIM file.

use std::path::PathBuf;

use crate::cli::hi::{self, Integrity};
use crate::cli::low::DeleteArgs;
use crate::console::Console;
use crate::error::UsageError;
use crate::exit::Status;
use crate::selector::Selector;

/// What to remove.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Job {
    wim: PathBuf,
    image: Selector,
    /// Leave the data behind.
    soft: bool,
    integrity: Integrity,
}

impl Job {
    pub(super) fn new(args: DeleteArgs) -> Result<Self, UsageError> {
        Ok(Self {
            wim: hi::wim_path(args.wim, "input")?,
            image: Selector::new(Some(args.image)),
            soft: args.soft,
            integrity: Integrity::from(&args.integrity),
        })
    }
}

pub(super) fn run(job: &Job, console: &mut Console) -> anyhow::Result<Status> {
    anyhow::bail!("{job:?} {console:?}")
}
