//! What can be wrong: the bytes could not be had (`Io`), or the bytes break the format
//! ([`Corruption`]).

use std::{fmt, io};

use imprint_blockio::{Expected, FieldFault};

use crate::RecordNumber;

/// The part of a volume an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Structure {
    /// The first sector.
    BootSector,
    /// The last sector, a copy of the first.
    BackupBootSector,
    /// A record of `$MFT`.
    FileRecord(RecordNumber),
    /// An attribute of the file that this record belongs to.
    Attribute(RecordNumber, AttributeKind),
}

impl fmt::Display for Structure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BootSector => f.write_str("NTFS boot sector"),
            Self::BackupBootSector => f.write_str("copy of the NTFS boot sector"),
            Self::FileRecord(record) => write!(f, "file record {record}"),
            Self::Attribute(record, kind) => write!(f, "{kind} of file record {record}"),
        }
    }
}

/// The type of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttributeKind(pub u32);

impl AttributeKind {
    /// `$STANDARD_INFORMATION`.
    pub const STANDARD_INFORMATION: Self = Self(0x10);
    /// `$ATTRIBUTE_LIST`.
    pub const ATTRIBUTE_LIST: Self = Self(0x20);
    /// `$FILE_NAME`.
    pub const FILE_NAME: Self = Self(0x30);
    /// `$OBJECT_ID`.
    pub const OBJECT_ID: Self = Self(0x40);
    /// `$SECURITY_DESCRIPTOR`.
    pub const SECURITY_DESCRIPTOR: Self = Self(0x50);
    /// `$VOLUME_NAME`.
    pub const VOLUME_NAME: Self = Self(0x60);
    /// `$VOLUME_INFORMATION`.
    pub const VOLUME_INFORMATION: Self = Self(0x70);
    /// `$DATA`.
    pub const DATA: Self = Self(0x80);
    /// `$INDEX_ROOT`.
    pub const INDEX_ROOT: Self = Self(0x90);
    /// `$INDEX_ALLOCATION`.
    pub const INDEX_ALLOCATION: Self = Self(0xa0);
    /// `$BITMAP`.
    pub const BITMAP: Self = Self(0xb0);
    /// `$REPARSE_POINT`.
    pub const REPARSE_POINT: Self = Self(0xc0);
    /// `$EA_INFORMATION`.
    pub const EA_INFORMATION: Self = Self(0xd0);
    /// `$EA`.
    pub const EA: Self = Self(0xe0);
    /// `$LOGGED_UTILITY_STREAM`.
    pub const LOGGED_UTILITY_STREAM: Self = Self(0x100);
}

impl fmt::Display for AttributeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::STANDARD_INFORMATION => "$STANDARD_INFORMATION",
            Self::ATTRIBUTE_LIST => "$ATTRIBUTE_LIST",
            Self::FILE_NAME => "$FILE_NAME",
            Self::OBJECT_ID => "$OBJECT_ID",
            Self::SECURITY_DESCRIPTOR => "$SECURITY_DESCRIPTOR",
            Self::VOLUME_NAME => "$VOLUME_NAME",
            Self::VOLUME_INFORMATION => "$VOLUME_INFORMATION",
            Self::DATA => "$DATA",
            Self::INDEX_ROOT => "$INDEX_ROOT",
            Self::INDEX_ALLOCATION => "$INDEX_ALLOCATION",
            Self::BITMAP => "$BITMAP",
            Self::REPARSE_POINT => "$REPARSE_POINT",
            Self::EA_INFORMATION => "$EA_INFORMATION",
            Self::EA => "$EA",
            Self::LOGGED_UTILITY_STREAM => "$LOGGED_UTILITY_STREAM",
            Self(other) => return write!(f, "attribute {other:#x}"),
        })
    }
}

/// A structure breaks the format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{structure}: {fault} (at offset {offset:#x})")]
pub struct Corruption {
    /// The structure.
    pub structure: Structure,
    /// Position of the first byte of the faulty field, from the start of the volume.
    pub offset: u64,
    /// The rule that is broken.
    pub fault: FieldFault,
}

impl Corruption {
    /// A count, size or length is wrong.
    pub(crate) const fn number(
        structure: Structure,
        offset: u64,
        field: &'static str,
        expected: Expected,
        actual: u64,
    ) -> Self {
        Self { structure, offset, fault: FieldFault::Number { field, expected, actual } }
    }

    /// A magic number, flag word or offset is wrong.
    pub(crate) const fn code(
        structure: Structure,
        offset: u64,
        field: &'static str,
        expected: Expected,
        actual: u64,
    ) -> Self {
        Self { structure, offset, fault: FieldFault::Code { field, expected, actual } }
    }

    /// Something reaches past the end of what holds it; both ends count from the same place.
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

/// A volume cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The bytes could not be had.
    #[error("failed to read {structure} ({length} bytes at offset {offset:#x})")]
    Io {
        /// What was to be read.
        structure: Structure,
        /// Where, bytes from the start of the volume.
        offset: u64,
        /// How many bytes.
        length: u64,
        /// Why not.
        source: io::Error,
    },
    /// Compressed data breaks the format.
    #[error("failed to decompress {structure} at byte {offset:#x} of the value")]
    Compressed {
        /// The value.
        structure: Structure,
        /// Where in the value the compression unit begins.
        offset: u64,
        /// What is wrong with it.
        source: imprint_codec::lznt1::Lznt1Error,
    },
    /// Data that Windows compressed beside the file breaks the format.
    #[error("failed to decompress {structure} at byte {offset:#x} of the data")]
    SystemCompressed {
        /// The stream that holds it.
        structure: Structure,
        /// Where in the data the chunk begins.
        offset: u64,
        /// What is wrong with it.
        source: imprint_codec::DecompressError,
    },
    /// The bytes break the format.
    #[error(transparent)]
    Corruption(#[from] Corruption),
}
