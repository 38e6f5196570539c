//! `imprint export`: copies images into another WIM file.

use std::path::PathBuf;

use crate::cli::hi::{self, Integrity, Storage};
use crate::cli::low::ExportArgs;
use crate::console::Console;
use crate::error::UsageError;
use crate::exit::Status;
use crate::selector::Selector;

/// What to export, and into what.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Job {
    source: PathBuf,
    image: Selector,
    destination: PathBuf,
    name: Option<String>,
    description: Option<String>,
    boot: bool,
    recompress: bool,
    references: Vec<String>,
    integrity: Integrity,
    storage: Storage,
}

impl Job {
    pub(super) fn new(args: ExportArgs) -> Result<Self, UsageError> {
        let image = Selector::new(Some(args.image));
        if image == Selector::All && args.dest_name.is_some() {
            let (first, second) = ("all images", "a name for one");
            return Err(UsageError::Conflict { first, second });
        }
        Ok(Self {
            source: hi::wim_path(args.source, "input")?,
            image,
            destination: hi::wim_path(args.destination, "output")?,
            name: args.dest_name,
            description: args.dest_desc,
            boot: args.boot,
            recompress: args.recompress,
            references: args.references.references,
            integrity: Integrity::from(&args.integrity),
            storage: Storage::new(&args.compression, None)?,
        })
    }
}

pub(super) fn run(job: &Job, console: &mut Console) -> anyhow::Result<Status> {
    anyhow::bail!("{job:?} {console:?}")
}
