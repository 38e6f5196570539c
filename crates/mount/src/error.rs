//! What can go wrong before, while and after files are served.

use std::path::PathBuf;
use std::{fmt, io};

/// What a program wanted of a served file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// Finding the next hole or the next data.
    Seek,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Seek => "look for holes in",
        })
    }
}

/// Something a program wanted of a served file failed. The program itself only sees `EIO`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// Bytes of a file could not be had or kept.
    #[error("failed to {action} {file} ({length} bytes at offset {offset:#x})")]
    Access {
        /// What was wanted.
        action: Action,
        /// The file's name.
        file: String,
        /// Where in the file, bytes.
        offset: u64,
        /// How many bytes.
        length: u64,
        /// Why not.
        source: io::Error,
    },
    /// What was written could not be made durable.
    #[error("failed to flush the disk")]
    Flush {
        /// Why not.
        source: io::Error,
    },
}

/// A disk cannot be mounted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MountError {
    /// The device does not say how large it is.
    #[error("failed to get the size of the disk")]
    Size(#[source] io::Error),
    /// A partition is not on the device: its table is that of another.
    #[error("partition {number} is not on the disk")]
    Partition {
        /// Its number.
        number: u32,
        /// Why not.
        source: io::Error,
    },
    /// There is no directory to mount on.
    #[error("failed to find the directory {}", at.display())]
    Directory {
        /// Its path.
        at: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The kernel has no FUSE, or does not let this user have it.
    #[error("failed to open the FUSE device")]
    NoFuse(#[source] io::Error),
    /// Only root mounts without it.
    #[error("failed to start fusermount3")]
    NoHelper(#[source] io::Error),
    /// The kernel or `fusermount3` refused.
    #[error("failed to mount at {}", at.display())]
    Mount {
        /// Where.
        at: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There are no threads to be had.
    #[error("failed to start the thread that serves the files")]
    Thread(#[source] io::Error),
}

/// A mount cannot be removed; it goes on serving.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnmountError {
    /// A program has one of the files open, or stands in the directory.
    #[error("{} is in use", at.display())]
    Busy {
        /// Where it is mounted.
        at: PathBuf,
    },
    /// Only root unmounts without it.
    #[error("failed to start fusermount3")]
    NoHelper(#[source] io::Error),
    /// The kernel or `fusermount3` refused.
    #[error("failed to unmount {}", at.display())]
    Refused {
        /// Where it is mounted.
        at: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// A mount is not found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FindError {
    /// Nothing is mounted there, or not by a process with a [`crate::Reporter`].
    #[error("no disk is mounted at {}", at.display())]
    NotMounted {
        /// Where.
        at: PathBuf,
    },
    /// There is no such directory.
    #[error("failed to find the directory {}", at.display())]
    Directory {
        /// Its path.
        at: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The kernel does not say what is mounted.
    #[error("failed to read the list of mounts")]
    List(#[source] io::Error),
}

/// Serving came to a bad end. The mount is gone.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// What was written could not be made durable.
    #[error("failed to flush the disk after unmounting")]
    Flush(#[source] io::Error),
    /// The connection to the kernel broke; the disk was flushed.
    #[error("failed to talk to the kernel about the mounted files")]
    Session(#[source] io::Error),
    /// A thread of this program died. The disk may not have been flushed.
    #[error("thread that serves the files died")]
    Died,
}
