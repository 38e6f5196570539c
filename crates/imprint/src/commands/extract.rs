//! `imprint extract`: gets single files or directories out of an image.

use std::path::PathBuf;

use crate::cli::hi::{self, Placement};
use crate::cli::low::ExtractArgs;
use crate::console::Console;
use crate::error::UsageError;
use crate::exit::Status;
use crate::selector::Selector;

/// What to extract, and where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Job {
    wim: PathBuf,
    image: Selector,
    paths: Vec<Wanted>,
    to: Destination,
    no_globs: bool,
    nullglob: bool,
    check: bool,
    references: Vec<String>,
    placement: Placement,
}

/// Paths that are wanted.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Path(String),
    /// A file with one path on each line; `-` is standard input.
    List(PathBuf),
}

/// Where what is extracted goes.
#[derive(Debug, PartialEq, Eq)]
enum Destination {
    StandardOutput,
    Directory {
        path: PathBuf,
        /// Keep the directories that paths lead through. Paths from lists always keep them.
        keep_structure: bool,
    },
}

impl Job {
    pub(super) fn new(args: ExtractArgs) -> Result<Self, UsageError> {
        let wanted = |text: String| match text.strip_prefix('@') {
            Some(list) => Wanted::List(list.into()),
            None => Wanted::Path(text),
        };
        let to = match args.to_stdout {
            true => Destination::StandardOutput,
            false => Destination::Directory {
                path: args.dest_dir,
                keep_structure: args.preserve_dir_structure,
            },
        };
        if args.to_stdout && args.paths.is_empty() {
            return Err(UsageError::Needs { option: "--to-stdout", needs: "the paths of files" });
        }
        Ok(Self {
            wim: hi::wim_path(args.wim, "input")?,
            image: Selector::new(Some(args.image)),
            paths: args.paths.into_iter().map(wanted).collect(),
            to,
            no_globs: args.no_globs,
            nullglob: args.nullglob,
            check: args.check,
            references: args.references.references,
            placement: Placement::from(&args.placement),
        })
    }
}

pub(super) fn run(job: &Job, console: &mut Console) -> anyhow::Result<Status> {
    anyhow::bail!("{job:?} {console:?}")
}
