//! What checking a disk file can find.

use std::fmt;

use imprint_blockio::Sparse;
use imprint_progress::Progress;

use crate::{Corruption, Format, OpenError, Structure, check_vhd, check_vhdx};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing is lost and nothing can go wrong: room is wasted, a log waits to be replayed.
    Note,
    /// Reading works, but something is not as the format wants it.
    Warning,
    /// Contents are wrong, missing or ambiguous.
    Error,
}

/// Something that checking a disk file found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// A structure breaks the format.
    Broken {
        /// An error, or a warning where reading can do without the structure.
        severity: Severity,
        /// What is wrong, and where.
        corruption: Corruption,
    },
    /// Two structures take the same bytes: an error.
    Overlap {
        /// The structure found first.
        first: Structure,
        /// The structure that lies over it.
        second: Structure,
        /// The first byte both take, in the file.
        offset: u64,
        /// How many bytes both take.
        length: u64,
    },
    /// Bytes of the file belong to nothing: a note.
    Leaked {
        /// How many bytes, in all places together.
        length: u64,
    },
    /// The log holds changes that opening for writing will replay: a note.
    PendingLog {
        /// How many entries.
        entries: u64,
    },
    /// More of what was found before, counted only.
    More {
        /// The worst of them.
        severity: Severity,
        /// How many.
        count: u64,
    },
}

impl Finding {
    /// How bad it is.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        match self {
            Self::Broken { severity, .. } | Self::More { severity, .. } => *severity,
            Self::Overlap { .. } => Severity::Error,
            Self::Leaked { .. } | Self::PendingLog { .. } => Severity::Note,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken { corruption, .. } => write!(f, "{corruption}"),
            Self::Overlap { first, second, offset, length } => {
                write!(f, "{first} and {second} both take {length} bytes at offset {offset:#x}")
            }
            Self::Leaked { length } => write!(f, "{length} bytes belong to nothing"),
            Self::PendingLog { entries } => {
                write!(f, "the log holds changes to be replayed ({entries} entries)")
            }
            Self::More { count, .. } => write!(f, "{count} more"),
        }
    }
}

/// Refuses a file in which two structures take the same bytes: what is read there is anybody's guess,
/// and what is written there destroys something. Reads the whole block allocation table; memory as
/// for checking.
///
/// # Errors
/// [`OpenError::Overlap`] for the first one found, or why the file cannot be opened.
pub fn check_overlaps(file: &impl Sparse, format: Format) -> Result<(), OpenError> {
    let progress = Progress::new();
    let mut overlap = None;
    let mut found = |finding| {
        if let Finding::Overlap { first, second, offset, length } = finding {
            overlap.get_or_insert(OpenError::Overlap { first, second, offset, length });
            progress.cancel();
        }
    };
    match format {
        Format::Raw => {}
        Format::Vhd => check_vhd(file, &progress, &mut found)?,
        Format::Vhdx => check_vhdx(file, &progress, &mut found)?,
    }
    overlap.map_or(Ok(()), Err)
}
