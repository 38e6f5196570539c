//! What can go wrong with disk files.

use std::io;
use std::path::PathBuf;

use imprint_progress::Cancelled;
use imprint_vdisk::{
    CreateError, Format, LinkError, MergeError, OpenError, ReadError, ReshapeError, WriteError,
};

/// A disk file or a chain of them cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// The system refuses the file.
    #[error("failed to open disk file")]
    File(#[source] io::Error),
    /// Another program has it open.
    #[error("disk file {} is in use by another program", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// It is a directory, a pipe or the like.
    #[error("{} is neither a file nor a block device", path.display())]
    NotAFile {
        /// What it is called.
        path: PathBuf,
    },
    /// It is not a disk, or a damaged one.
    #[error("{}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: Box<OpenError>,
    },
    /// The parent of a differencing disk is not where it may be looked for.
    #[error(
        "parent of {} ({}) is neither beside it nor in an allowed folder",
        child.display(),
        wanted_text(wanted)
    )]
    ParentNotFound {
        /// The child.
        child: PathBuf,
        /// The names looked for; empty if the child names no file that may be looked for.
        wanted: Vec<String>,
    },
    /// A file with the parent's name is not the parent.
    #[error("{} cannot be the parent of {}", parent.display(), child.display())]
    Link {
        /// The child.
        child: PathBuf,
        /// The file.
        parent: PathBuf,
        /// Why not.
        source: Box<LinkFault>,
    },
}

/// Why a file is not a parent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkFault {
    /// It is a disk, but not that one.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// It is no disk that can be read.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The system refuses it.
    #[error(transparent)]
    File(#[from] io::Error),
}

fn paths_text(paths: &[PathBuf]) -> String {
    let names: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
    names.join(", ")
}

fn wanted_text(wanted: &[String]) -> String {
    if wanted.is_empty() { "of unknown name".to_owned() } else { wanted.join(" or ") }
}

/// An operation on disks failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiskError {
    /// A disk cannot be opened.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// There is a file of that name already.
    #[error("{} exists already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A disk of this format cannot have children.
    #[error("{} is a {format} disk, which cannot have children", path.display())]
    NoChildren {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: Format,
    },
    /// Disks that differ from this one would be lost.
    #[error("{} has children: {}", path.display(), paths_text(children))]
    HasChildren {
        /// The file.
        path: PathBuf,
        /// Its children, as far as they were found.
        children: Vec<PathBuf>,
    },
    /// There is nothing it could be merged into or moved to.
    #[error("{} is not a differencing disk", path.display())]
    NotDifferencing {
        /// The file.
        path: PathBuf,
    },
    /// All disks of a chain have one size.
    #[error("{} is a differencing disk and has the size of its parent", path.display())]
    SizeOfParent {
        /// The file.
        path: PathBuf,
    },
    /// A fixed disk has all its room on purpose.
    #[error("{} is a fixed disk: there is nothing to compact", path.display())]
    NothingToCompact {
        /// The file.
        path: PathBuf,
    },
    /// Disks cannot be made smaller.
    #[error("{} has {now} bytes and cannot be made smaller ({wanted})", path.display())]
    Shrink {
        /// The file.
        path: PathBuf,
        /// Its size.
        now: u64,
        /// The size asked for.
        wanted: u64,
    },
    /// The disk cannot be read by itself.
    #[error(transparent)]
    Link(LinkError),
    /// What a disk file says cannot be changed.
    #[error(transparent)]
    Reshape(#[from] ReshapeError),
    /// A new file cannot be opened.
    #[error(transparent)]
    Open(OpenError),
    /// The new disk cannot be made.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// The bytes of the source cannot be read.
    #[error("failed to read {length} bytes at offset {offset:#x} of the disk")]
    Read {
        /// Where on the disk.
        offset: u64,
        /// How many bytes.
        length: u64,
        /// Why not.
        source: io::Error,
    },
    /// The metadata of the source cannot be read.
    #[error(transparent)]
    Resolve(#[from] ReadError),
    /// A disk file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A child cannot be merged into its parent.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// The new file cannot be made or named.
    #[error("failed to write disk file")]
    File(#[source] io::Error),
    /// The caller stopped it.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}
