//! `imprint apply`: puts an image's files into a directory.

use std::path::PathBuf;

use crate::cli::hi::{self, Placement};
use crate::cli::low::ApplyArgs;
use crate::console::Console;
use crate::error::UsageError;
use crate::exit::Status;
use crate::selector::Selector;

/// What to apply, and where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Job {
    wim: PathBuf,
    image: Selector,
    target: PathBuf,
    check: bool,
    references: Vec<String>,
    /// `None`: as the file's flag says.
    fix_links: Option<bool>,
    placement: Placement,
}

impl Job {
    pub(super) fn new(args: ApplyArgs) -> Result<Self, UsageError> {
        let (image, target) = hi::image_and_target(args.image_and_target)?;
        Ok(Self {
            wim: hi::wim_path(args.wim, "input")?,
            image: Selector::new(image),
            target,
            check: args.check,
            references: args.references.references,
            fix_links: hi::fix_links(&args.links),
            placement: Placement::from(&args.placement),
        })
    }
}

pub(super) fn run(job: &Job, console: &mut Console) -> anyhow::Result<Status> {
    anyhow::bail!("{job:?} {console:?}")
}
