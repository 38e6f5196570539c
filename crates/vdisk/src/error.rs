//! What can be wrong: the bytes could not be had (`Io`), or the bytes break the format
//! ([`Corruption`]), kept apart for every operation.

use std::{fmt, io};

use imprint_blockio::{Expected, FieldFault};

use crate::{Format, Kind};

/// The part of a disk file an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Structure {
    /// VHD: the 512 bytes at the end, or their copy at the start.
    Footer,
    /// VHD: the header of dynamic and differencing disks.
    DynamicHeader,
    /// Where a differencing disk says its parent is.
    ParentLocator,
    /// The block allocation table.
    Bat,
    /// Which sectors of a block are here.
    SectorBitmap,
    /// The blocks themselves.
    Payload,
    /// VHDX: the 64 KiB at the start.
    FileIdentifier,
    /// VHDX: one of the two headers.
    Header,
    /// VHDX: one of the two region tables.
    RegionTable,
    /// VHDX: the metadata table and its items.
    Metadata,
    /// VHDX: the log.
    Log,
}

impl fmt::Display for Structure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Footer => "VHD footer",
            Self::DynamicHeader => "VHD dynamic header",
            Self::ParentLocator => "parent locator",
            Self::Bat => "block allocation table",
            Self::SectorBitmap => "sector bitmap",
            Self::Payload => "block",
            Self::FileIdentifier => "VHDX file identifier",
            Self::Header => "VHDX header",
            Self::RegionTable => "VHDX region table",
            Self::Metadata => "VHDX metadata",
            Self::Log => "VHDX log",
        })
    }
}

/// A structure breaks the format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{structure}: {fault} (at offset {offset:#x})")]
pub struct Corruption {
    /// The structure.
    pub structure: Structure,
    /// Position of the first byte of the faulty field in the file.
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

    /// A magic number, version, flag word, checksum or offset is wrong.
    pub(crate) const fn code(
        structure: Structure,
        offset: u64,
        field: &'static str,
        expected: Expected,
        actual: u64,
    ) -> Self {
        Self { structure, offset, fault: FieldFault::Code { field, expected, actual } }
    }

    /// Something reaches past the end of what holds it.
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

/// A disk file cannot be opened.
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
    /// Two structures take the same bytes.
    #[error("{first} and {second} both take {length} bytes at offset {offset:#x}")]
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
    /// Something legal that is not supported.
    #[error("{structure}: {feature} is not supported (at offset {offset:#x})")]
    Unsupported {
        /// Where it was met.
        structure: Structure,
        /// The absolute byte.
        offset: u64,
        /// What it is.
        feature: &'static str,
    },
    /// The file may be read but not changed.
    #[error("disk may be read but not written")]
    ReadOnly(#[from] RefusedWrite),
    /// Opening for writing had to change the file first (log replay), and could not.
    #[error(transparent)]
    Write(WriteError),
}

/// Why a disk that can be read must not be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefusedWrite {
    /// A structure is damaged in a way that reading can do without.
    #[error(transparent)]
    Damaged(Corruption),
    /// The file says that its disk holds the saved state of a running machine.
    #[error("it belongs to a machine in saved state")]
    SavedState,
}

/// A range of an open disk cannot be read.
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
    /// The range is empty or not on the disk.
    #[error("{length} bytes at offset {offset:#x} are not on the disk, which has {size} bytes")]
    OutOfRange {
        /// Where, bytes from the start of the disk.
        offset: u64,
        /// How many bytes.
        length: u64,
        /// The disk's size.
        size: u64,
    },
    /// It is not the disk itself that is at fault.
    #[error("parent {depth} of the chain")]
    InParent {
        /// Which one; the leaf's own parent is 1.
        depth: usize,
        /// What is wrong with it.
        source: Box<Self>,
    },
}

/// A disk cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The bytes could not be written.
    #[error("failed to write {structure} ({length} bytes at offset {offset:#x})")]
    Io {
        /// What was to be written.
        structure: Structure,
        /// Where, bytes from the start of the file.
        offset: u64,
        /// How many bytes.
        length: u64,
        /// Why not.
        source: io::Error,
    },
    /// What was written could not be made durable.
    #[error("failed to flush the disk file")]
    Flush(#[source] io::Error),
    /// The metadata could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The range is empty, not on the disk or not made of sectors.
    #[error(
        "{length} bytes at offset {offset:#x} are not sectors of the disk ({size} bytes in sectors of {sector_size})"
    )]
    OutOfRange {
        /// Where, bytes from the start of the disk.
        offset: u64,
        /// How many bytes.
        length: u64,
        /// The disk's size.
        size: u64,
        /// The logical sector size.
        sector_size: u32,
    },
    /// The format cannot address a larger file.
    #[error("the file cannot grow beyond {limit} bytes")]
    Full {
        /// The largest file.
        limit: u64,
    },
    /// An earlier commit failed; what is in memory may not be what is in the file.
    #[error("an earlier write failed; the disk must be opened again")]
    Poisoned,
}

/// A disk cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// The format has no such disk.
    #[error("{format} {kind} disk: {fault}")]
    Impossible {
        /// The format.
        format: Format,
        /// The kind.
        kind: Kind,
        /// What cannot be.
        fault: FieldFault,
    },
    /// It has a parent and is not differencing, or the reverse.
    #[error("a disk has a parent exactly if it is differencing")]
    Parent,
    /// The file could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// What a disk file says of its disk cannot be changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReshapeError {
    /// The format has no such disk.
    #[error("{format} {kind} disk: {fault}")]
    Impossible {
        /// The format.
        format: Format,
        /// The kind.
        kind: Kind,
        /// What cannot be.
        fault: FieldFault,
    },
    /// The format does not say this of its disks.
    #[error("a {format} disk has no {field} that could be changed")]
    NoSuchField {
        /// The format.
        format: Format,
        /// What is missing.
        field: &'static str,
    },
    /// The file could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}
