//! `imprint disk mount`: a disk and its partitions as files.
//!
//! ```text
//!  imprint disk mount FILE DIR                       the same program, in the background
//!    starts itself with --foreground --json ────────► opens the disk, mounts it
//!    reads one document: it is mounted ◄───────────── prints it
//!    ends                                             serves until it is unmounted
//! ```

mod background;
mod failures;
mod serve;
mod stop;

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::cli::disk::MountArgs;
use crate::console::Console;
use crate::error::CommandError;
use crate::exit::Status;

/// Mounts a disk.
pub(super) fn run(args: &MountArgs, console: &mut Console) -> anyhow::Result<Status> {
    check_directory(&args.directory)?;
    if args.foreground { serve::run(args, console) } else { background::run(args, console) }
}

/// What would be hidden by the mount is refused.
fn check_directory(at: &Path) -> anyhow::Result<()> {
    let is_empty = fs_err::metadata(at)?.is_dir() && fs_err::read_dir(at)?.next().is_none();
    let refused = CommandError::MountPoint { at: at.to_owned() };
    if is_empty { Ok(()) } else { Err(refused.into()) }
}

/// What was mounted.
#[derive(Debug, Deserialize, Serialize)]
struct Document {
    /// The disk file.
    path: String,
    /// Where it is mounted, as an absolute path.
    at: String,
    writable: bool,
    files: Vec<File>,
    /// What is wrong with the partition table but does not keep it from being read.
    warnings: Vec<String>,
    /// Why only the whole disk is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    partitions_unreadable: Option<String>,
}

#[derive(Debug, Deserialize, Serialize)]
struct File {
    name: String,
    size: u64,
}

impl Document {
    /// Says that it is mounted.
    fn announce(&self, console: &mut Console) -> anyhow::Result<()> {
        if console.json() {
            console.print_json(self)?;
        }
        if let Some(why) = &self.partitions_unreadable {
            console.warn(&format_args!("warning: partitions are left out: {why}\n"));
        }
        for warning in &self.warnings {
            console.note(warning);
        }
        let names: Vec<_> = self.files.iter().map(|file| file.name.as_str()).collect();
        let how = if self.writable { "to be written" } else { "read-only" };
        let Self { path, at, .. } = self;
        console.summary(&format_args!("mounted {path} at {at}, {how}: {}", names.join(" ")))?;
        Ok(console.finish()?)
    }

    fn status(&self) -> Status {
        if self.partitions_unreadable.is_some() { Status::Incomplete } else { Status::Done }
    }
}
