//! Why a volume cannot be edited.

use std::io;

use crate::{Corruption, FileReference, ReadError};

/// A volume cannot be edited, or not so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// Something on the volume cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The device did not take the bytes.
    #[error("failed to write {what} ({length} bytes at offset {offset:#x})")]
    Write {
        /// What was to be written.
        what: &'static str,
        /// Where, bytes from the start of the volume.
        offset: u64,
        /// How many bytes.
        length: u64,
        /// Why not.
        source: io::Error,
    },
    /// The new data could not be had.
    #[error("failed to read the new data at byte {offset}")]
    Data {
        /// Where in the stream.
        offset: u64,
        /// Why not.
        source: io::Error,
    },
    /// The volume was not closed cleanly.
    #[error("volume is not clean: {reason}")]
    Unclean {
        /// What tells so.
        reason: Unclean,
    },
    /// There is no such file.
    #[error("there is no file of record {} any more", .0.record)]
    Gone(FileReference),
    /// There is no such name in the directory.
    #[error("there is no such name")]
    NotFound,
    /// The directory has that name already, in any case of letters.
    #[error("name is taken")]
    Exists,
    /// Only a directory has entries.
    #[error("it is not a directory")]
    NotDirectory,
    /// A directory has no main data, and one name only.
    #[error("it is a directory")]
    IsDirectory,
    /// Only an empty directory can be removed.
    #[error("directory is not empty")]
    NotEmpty,
    /// A directory cannot be moved below itself.
    #[error("directory would lie in itself")]
    Loop,
    /// The volume's own files are not changed.
    #[error("it is one of the volume's own files")]
    System,
    /// A name no file can have.
    #[error(transparent)]
    Name(#[from] super::NameError),
    /// The volume is full.
    #[error("volume should have {needed} bytes free for this, but has {free}")]
    NoRoom {
        /// Bytes needed at once.
        needed: u64,
        /// Bytes free.
        free: u64,
    },
    /// A value is larger than its kind may be.
    #[error("{what} should have at most {most} bytes, but has {actual}")]
    TooLarge {
        /// The value.
        what: &'static str,
        /// Bytes it may have.
        most: u64,
        /// Bytes it has.
        actual: u64,
    },
    /// Changes could not be brought to the device before.
    #[error("an earlier commit failed")]
    Broken,
    /// The data is encrypted by Windows; only it can change them.
    #[error("stream is encrypted")]
    Encrypted,
    /// A security descriptor is not well formed.
    #[error("security descriptor is not valid")]
    Security(#[source] imprint_winvalues::security::SecurityError),
}

impl From<Corruption> for EditError {
    fn from(corruption: Corruption) -> Self {
        Self::Read(corruption.into())
    }
}

/// What tells that a volume was not closed cleanly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unclean {
    /// Its dirty flag is set.
    #[error("it is marked dirty")]
    Dirty,
    /// Its log has changes that were not carried out.
    #[error("its log was not closed")]
    Log,
    /// Windows hibernates on it.
    #[error("Windows hibernates on it")]
    Hibernated,
    /// An edit of ours was interrupted.
    #[error("an edit was interrupted")]
    Interrupted,
}
