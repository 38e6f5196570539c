//! `imprint capture`: makes a new WIM file of a directory.

use std::path::PathBuf;

use imprint_codec::Format;

use crate::cli::hi::{self, Integrity, Metadata, Properties, Storage};
use crate::cli::low::CaptureArgs;
use crate::cli::values::UpdateOf;
use crate::console::Console;
use crate::error::UsageError;
use crate::exit::Status;

/// What to capture, and into what.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) source: PathBuf,
    pub(super) wim: PathBuf,
    pub(super) properties: Properties,
    pub(super) boot: bool,
    pub(super) config: Option<PathBuf>,
    pub(super) dereference: bool,
    pub(super) update_of: Option<Update>,
    pub(super) integrity: Integrity,
    pub(super) storage: Storage,
    pub(super) metadata: Metadata,
    /// `None`: as the file's flag says, and on for a new file.
    pub(super) fix_links: Option<bool>,
}

/// The image a new one is a later state of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Update {
    pub(super) wim: PathBuf,
    pub(super) image: String,
}

impl Job {
    pub(super) fn new(args: CaptureArgs) -> Result<Self, UsageError> {
        Self::with_default(args, Some(Format::Lzx), None)
    }

    /// Makes a job. `format` is used if none is named; `update_wim` is where the image of
    /// `--update-of` is if no file is named.
    pub(super) fn with_default(
        args: CaptureArgs,
        format: Option<Format>,
        update_wim: Option<&PathBuf>,
    ) -> Result<Self, UsageError> {
        let update = |UpdateOf { wim, image }: UpdateOf| {
            let needs = UsageError::Needs { option: "--update-of", needs: "WIMFILE:IMAGE" };
            let wim = wim.or_else(|| update_wim.cloned()).ok_or(needs)?;
            Ok::<_, UsageError>(Update { wim, image })
        };
        Ok(Self {
            source: args.source,
            wim: hi::wim_path(args.wim, "output")?,
            properties: Properties::new(args.image_name, args.image_desc, args.properties)?,
            boot: args.boot,
            config: args.config,
            dereference: args.dereference,
            update_of: args.update_of.map(update).transpose()?,
            integrity: Integrity::from(&args.integrity),
            storage: Storage::new(&args.compression, format)?,
            metadata: Metadata::from(&args.metadata),
            fix_links: hi::fix_links(&args.links),
        })
    }
}

pub(super) fn run(job: Job, console: &mut Console) -> anyhow::Result<Status> {
    anyhow::bail!("{job:?} {console:?}")
}
