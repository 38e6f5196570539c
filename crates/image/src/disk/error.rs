//! What can go wrong with disk files.

use std::io;
use std::path::PathBuf;

use imprint_progress::Cancelled;
use imprint_vdisk::{CreateError, LinkError, OpenError, ReadError, WriteError};

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
    /// The bytes cannot be written.
    #[error("failed to write {length} bytes at offset {offset:#x} of the disk")]
    Write {
        /// Where on the disk.
        offset: u64,
        /// How many bytes.
        length: u64,
        /// Why not.
        source: io::Error,
    },
    /// The metadata cannot be written.
    #[error(transparent)]
    Metadata(#[from] WriteError),
    /// The new file cannot be made or named.
    #[error("failed to write disk file")]
    File(#[source] io::Error),
    /// The caller stopped it.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}
