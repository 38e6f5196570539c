//! Why a volume cannot be edited.

use std::{fmt, io};

use crate::{Corruption, FileReference, ReadError, Unclean};

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
    #[error("volume was not closed: {reasons}")]
    Unclean {
        /// What tells so.
        reasons: Reasons,
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

/// Why a volume is not to be changed, all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reasons(pub Vec<Unclean>);

impl fmt::Display for Reasons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, reason) in self.0.iter().enumerate() {
            let before = if index == 0 { "" } else { ", and " };
            write!(f, "{before}{reason}")?;
        }
        Ok(())
    }
}
