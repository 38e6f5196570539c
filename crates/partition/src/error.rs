//! What can be wrong: the bytes could not be had (`Io`), or the bytes break the format.

use std::{fmt, io};

use imprint_blockio::{Expected, FieldFault};

/// The part of a partition table an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Structure {
    /// The first sector.
    Mbr,
    /// One of the sectors that describe logical partitions.
    ExtendedBootRecord,
    /// The GPT header in the second sector.
    GptHeader,
    /// The copy of the GPT header, usually in the last sector.
    GptBackupHeader,
    /// The entries of the GPT header.
    GptEntries,
    /// The entries of the GPT backup header.
    GptBackupEntries,
}

impl fmt::Display for Structure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mbr => "MBR",
            Self::ExtendedBootRecord => "extended boot record",
            Self::GptHeader => "GPT header",
            Self::GptBackupHeader => "GPT backup header",
            Self::GptEntries => "GPT entries",
            Self::GptBackupEntries => "GPT backup entries",
        })
    }
}

/// A structure breaks the format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{structure}: {fault} (at offset {offset:#x})")]
pub struct Corruption {
    /// The structure.
    pub structure: Structure,
    /// Position of the first byte of the faulty field on the device.
    pub offset: u64,
    /// The rule that is broken.
    pub fault: FieldFault,
}

impl Corruption {
    /// A count, size or sector number is wrong.
    pub(crate) const fn number(
        structure: Structure,
        offset: u64,
        field: &'static str,
        expected: Expected,
        actual: u64,
    ) -> Self {
        Self { structure, offset, fault: FieldFault::Number { field, expected, actual } }
    }

    /// A magic number, version or checksum is wrong.
    pub(crate) const fn code(
        structure: Structure,
        offset: u64,
        field: &'static str,
        expected: u64,
        actual: u64,
    ) -> Self {
        let expected = Expected::Exactly(expected);
        Self { structure, offset, fault: FieldFault::Code { field, expected, actual } }
    }

    /// Something reaches past the end of what holds it; both ends are bytes of the device.
    pub(crate) const fn past_end(
        structure: Structure,
        offset: u64,
        field: &'static str,
        limit: u64,
        end: u64,
    ) -> Self {
        Self { structure, offset, fault: FieldFault::PastEnd { field, limit, end } }
    }
}

/// A partition table cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The bytes could not be had.
    #[error("failed to read {structure} ({length} bytes at offset {offset:#x})")]
    Io {
        /// What was to be read.
        structure: Structure,
        /// Where, bytes from the start of the device.
        offset: u64,
        /// How many bytes.
        length: u64,
        /// Why not.
        source: io::Error,
    },
    /// The bytes break the format.
    #[error(transparent)]
    Corruption(#[from] Corruption),
    /// The table is whole, but was made for sectors of another size.
    #[error("partition table is for sectors of {table} bytes, but the device has {device}")]
    SectorSize {
        /// The sector size the table was made for.
        table: u32,
        /// The device's.
        device: u32,
    },
}
