//! Why something cannot be read.

use std::{fmt, io};

use imprint_winvalues::{BlobHash, Guid};

use super::{Corruption, Structure};

/// A WIM file cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The bytes could not be had.
    #[error("failed to read {structure} ({length} bytes at offset {offset:#x})")]
    Io {
        /// What was to be read.
        structure: Structure,
        /// Where, bytes from the start of the file.
        offset: u64,
        /// How many bytes.
        length: u64,
        /// Why not.
        source: io::Error,
    },
    /// The bytes break the format.
    #[error(transparent)]
    Corruption(#[from] Corruption),
    /// A pipable file: a variant by wimlib that no other program reads.
    #[error("pipable WIM files are not supported")]
    Pipable,
    /// An encrypted ESD file.
    #[error("encrypted WIM files are not supported")]
    Encrypted,
    /// The file was never completed: its writer was stopped.
    #[error("WIM file is incomplete: writing it was never finished")]
    Unfinished,
    /// A table is larger than the caller takes, or than memory.
    #[error(transparent)]
    Table(ReadError),
}

/// Something cannot be read from an open WIM file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The bytes could not be had.
    #[error("failed to read {structure} ({length} bytes at offset {offset:#x})")]
    Io {
        /// What was to be read.
        structure: Structure,
        /// Where, bytes from the start of the file.
        offset: u64,
        /// How many bytes.
        length: u64,
        /// Why not.
        source: io::Error,
    },
    /// The bytes break the format.
    #[error(transparent)]
    Corruption(#[from] Corruption),
    /// There is no such image.
    #[error("image should be one of 1 to {count}, but is {index}")]
    NoSuchImage {
        /// The image asked for, counted from 1.
        index: u32,
        /// Images there are.
        count: u32,
    },
    /// The metadata is in another part of the split set.
    #[error("metadata is not in this file, which is part {part} of {total}")]
    MetadataElsewhere {
        /// Number of this part.
        part: u16,
        /// Number of parts.
        total: u16,
    },
    /// A blob is not in the file or set.
    #[error("blob {hash} is missing")]
    MissingBlob {
        /// Its hash.
        hash: BlobHash,
    },
    /// Something is larger than the caller takes.
    #[error("{what} should have at most {limit} bytes, but has {size}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size in bytes.
        size: u64,
        /// The most the caller takes, in bytes.
        limit: u64,
    },
    /// A buffer given has the wrong size.
    #[error("{what} should have {expected} bytes, but has {actual}")]
    BufferSize {
        /// Which buffer.
        what: &'static str,
        /// The size it should have, in bytes.
        expected: u64,
        /// The size it has, in bytes.
        actual: u64,
    },
    /// There is no memory for the result.
    #[error("no memory for {what} of {size} bytes")]
    OutOfMemory {
        /// What was to be held.
        what: &'static str,
        /// Its size in bytes.
        size: u64,
    },
}

impl From<ReadError> for OpenError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Io { structure, offset, length, source } => {
                Self::Io { structure, offset, length, source }
            }
            ReadError::Corruption(corruption) => Self::Corruption(corruption),
            other => Self::Table(other),
        }
    }
}

/// Files do not make up one set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetError {
    /// A part belongs to another set.
    #[error("part {part} has GUID {actual}, but the set has {expected}")]
    ForeignPart {
        /// Number of the part.
        part: u16,
        /// GUID of the set.
        expected: Guid,
        /// GUID of the part.
        actual: Guid,
    },
    /// Parts are missing.
    #[error("parts {} of {total} are missing", Ranges(missing))]
    MissingParts {
        /// Their numbers.
        missing: Vec<u16>,
        /// Number of parts.
        total: u16,
    },
    /// A part is there twice.
    #[error("part {part} is given twice")]
    RepeatedPart {
        /// Its number.
        part: u16,
    },
}

/// Writes numbers that follow each other as a range: of a set of 65,535 parts many may be missing.
struct Ranges<'a>(&'a [u16]);

impl fmt::Display for Ranges<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runs = self.0.chunk_by(|one, next| one.checked_add(1) == Some(*next));
        for (number, run) in runs.enumerate() {
            let comma = if number > 0 { ", " } else { "" };
            match run {
                [first, .., last] => write!(f, "{comma}{first} to {last}")?,
                [only] => write!(f, "{comma}{only}")?,
                [] => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_parts_are_written_as_ranges() {
        let check = |missing: &[u16], text: &str| assert_eq!(Ranges(missing).to_string(), text);
        check(&[2], "2");
        check(&[2, 3, 5, 9, 10, 11], "2 to 3, 5, 9 to 11");
        check(&(1..=u16::MAX).collect::<Vec<_>>(), "1 to 65535");
    }
}
