//! What can be wrong: the bytes could not be had (`Io`), or the bytes break the format.

use std::{fmt, io};

use imprint_blockio::{Expected, FieldFault};

use crate::{PartitionType, TableKind};

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
    /// What stands on a device before it is partitioned.
    OldData,
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
            Self::OldData => "old data",
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

/// A layout cannot be placed on a device. Partitions are counted from 1.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// Tables are made for two sizes of sectors only.
    #[error("sector size should be 512 or 4096, but is {sector_size}")]
    SectorSize {
        /// The device's, bytes.
        sector_size: u32,
    },
    /// The partitions do not fit.
    #[error("partitions need {needed} bytes, but the device has room for {room}")]
    TooSmall {
        /// What they take at least, with 1 MiB for the one that gets the rest.
        needed: u64,
        /// What the table and alignment leave.
        room: u64,
    },
    /// The table has too few entries.
    #[error("{table} should have at most {most} partitions, but there are {count}")]
    TooMany {
        /// The table.
        table: TableKind,
        /// Its entries.
        most: usize,
        /// The partitions of the layout.
        count: usize,
    },
    /// Two partitions would get what is left.
    #[error("partitions {first} and {second} both take the rest")]
    SecondRest {
        /// The one.
        first: u32,
        /// The other.
        second: u32,
    },
    /// The boot program takes one partition only.
    #[error("partitions {first} and {second} are both active")]
    SecondActive {
        /// The one.
        first: u32,
        /// The other.
        second: u32,
    },
    /// The type belongs into a table of the other kind, or is that of no partition that could be made.
    #[error("partition {number} of an {table} cannot have type {kind}")]
    Kind {
        /// The partition.
        number: u32,
        /// The table.
        table: TableKind,
        /// The type.
        kind: PartitionType,
    },
    /// A table of this kind has no place for it.
    #[error("partition {number} of an {table} cannot have {what}")]
    NotKept {
        /// The partition.
        number: u32,
        /// The table.
        table: TableKind,
        /// What it asks for.
        what: &'static str,
    },
    /// The name is too long.
    #[error("name of partition {number} should have at most 36 UTF-16 units, but has {units}")]
    Name {
        /// The partition.
        number: u32,
        /// Units of its name.
        units: usize,
    },
    /// The caller gave too few identifiers.
    #[error("layout needs {expected} identifiers, but there are {actual}")]
    Identifiers {
        /// As [`crate::Layout::identifiers`] says.
        expected: usize,
        /// Those given.
        actual: usize,
    },
}

/// A partition table cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The bytes could not be read or written.
    #[error("failed to write {structure} ({length} bytes at offset {offset:#x})")]
    Io {
        /// What was to be written.
        structure: Structure,
        /// Where, bytes from the start of the device.
        offset: u64,
        /// How many bytes.
        length: u64,
        /// Why not.
        source: io::Error,
    },
    /// What was written may not be on stable storage.
    #[error("failed to flush the device")]
    Flush(#[source] io::Error),
    /// The plan was made for a device with other measures.
    #[error("plan is for a device of {planned} bytes, but this one has {actual}, or other sectors")]
    OtherDevice {
        /// Bytes of the device the plan was made for.
        planned: u64,
        /// Bytes of this one.
        actual: u64,
    },
}

/// A layout file cannot be understood. Partitions are counted from 1.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// It is no TOML, or has other keys than a layout.
    #[error("layout is not understood")]
    Syntax(#[source] Box<toml::de::Error>),
    /// A value is none of those that are possible.
    #[error("partition {number}: {fault}")]
    Value {
        /// The partition.
        number: usize,
        /// What is wrong.
        fault: LayoutFault,
    },
    /// There is nothing to make.
    #[error("layout has no partitions")]
    Empty,
}

/// A value of a layout file cannot be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutFault {
    /// Of `type`.
    #[error(
        "type should be esp, msr, basic-data, recovery, linux, ntfs, fat32, a GUID or a byte such as 0x07"
    )]
    Type,
    /// Of `size`.
    #[error(r#"size should be such as "260 MiB", "20 %" or "rest""#)]
    Size,
    /// Of `attributes`.
    #[error(
        "attributes should be required, no-block-io, legacy-bootable, read-only, shadow-copy, hidden \
         or no-drive-letter"
    )]
    Attribute,
    /// A label without a volume.
    #[error("label needs a format")]
    LabelWithoutFormat,
}
