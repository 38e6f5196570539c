//! A partition table once it is read and checked.

use std::fmt;
use std::ops::Range;

use bitflags::bitflags;
use imprint_winvalues::Guid;

use crate::{Corruption, PartitionType};

/// By which a disk is told apart, and with it the kind of its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TableId {
    /// GPT: the disk's GUID.
    Gpt(Guid),
    /// MBR: the disk's signature; 0 if it was never given one.
    Mbr(u32),
}

impl fmt::Display for TableId {
    /// Prints them as sfdisk does: a GUID, or eight hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gpt(guid) => write!(f, "{guid}"),
            Self::Mbr(signature) => write!(f, "{signature:#010x}"),
        }
    }
}

bitflags! {
    /// Attributes of a GPT partition. Bits without a name are kept.
    ///
    /// Source: UEFI 2.10, table 5-6; bits 60 to 63 for basic data partitions: Microsoft,
    /// `CREATE_PARTITION_PARAMETERS`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct GptAttributes: u64 {
        /// The computer needs it: Windows does not let it be deleted.
        const REQUIRED = 1;
        /// Firmware is to leave it alone.
        const NO_BLOCK_IO = 1 << 1;
        /// Boot programs of old machines boot from it.
        const LEGACY_BOOTABLE = 1 << 2;
        /// Basic data: may only be read.
        const READ_ONLY = 1 << 60;
        /// Basic data: a shadow copy.
        const SHADOW_COPY = 1 << 61;
        /// Basic data: hidden from the mount manager.
        const HIDDEN = 1 << 62;
        /// Basic data: gets no drive letter of its own.
        const NO_DRIVE_LETTER = 1 << 63;
        const _ = !0;
    }
}

/// A partition. It lies inside its device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its number, as Linux counts: the place in the table from 1, logical partitions from 5.
    pub number: u32,
    /// Its first byte on the device.
    pub start: u64,
    /// How many bytes.
    pub len: u64,
    /// What it is for.
    pub kind: PartitionType,
    /// GPT: by which it is told apart.
    pub id: Option<Guid>,
    /// GPT: its name, with U+FFFD for what is no UTF-16; empty in an MBR.
    pub name: String,
    /// GPT: its attributes; none in an MBR.
    pub attributes: GptAttributes,
    /// MBR: whether the boot program takes it.
    pub active: bool,
}

impl Partition {
    /// The first byte behind it.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.start.saturating_add(self.len)
    }
}

/// Something that is wrong with a table that could be read all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// The first GPT is damaged; the partitions are those of the backup.
    PrimaryDamaged(Corruption),
    /// The backup of the GPT is damaged or not on the device.
    BackupDamaged(Corruption),
    /// The backup of the GPT could not be read.
    BackupUnreadable {
        /// Its first byte on the device.
        offset: u64,
    },
    /// The two copies of the GPT are whole but not equal; the partitions are those of the first.
    CopiesDiffer,
    /// The backup of the GPT is not at the device's end: the device has grown.
    BackupNotAtEnd {
        /// Its first byte.
        offset: u64,
        /// Where it should be.
        end: u64,
    },
    /// There is a GPT, but nothing in the first sector that keeps old programs away.
    NoProtectiveMbr,
    /// The MBR holds partitions beside the protective one. Those of the GPT are given.
    Hybrid,
    /// There is a GPT as well, but the MBR does not protect it, so it does not count.
    GptIgnored,
    /// An extended partition does not begin with a boot record; it is taken as empty.
    NoExtendedRecord(Corruption),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PrimaryDamaged(fault) => write!(f, "primary GPT is damaged: {fault}"),
            Self::BackupDamaged(fault) => write!(f, "backup GPT is damaged: {fault}"),
            Self::BackupUnreadable { offset } => {
                write!(f, "backup GPT at offset {offset:#x} cannot be read")
            }
            Self::CopiesDiffer => f.write_str("primary and backup GPT differ"),
            Self::BackupNotAtEnd { offset, end } => {
                write!(f, "backup GPT is at offset {offset:#x}, but the device ends at {end:#x}")
            }
            Self::NoProtectiveMbr => f.write_str("GPT has no protective MBR"),
            Self::Hybrid => f.write_str("MBR has partitions of its own beside the GPT"),
            Self::GptIgnored => f.write_str("MBR does not protect the GPT, which is ignored"),
            Self::NoExtendedRecord(fault) => write!(f, "extended partition is empty: {fault}"),
        }
    }
}

/// The partition table of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionTable {
    pub(crate) id: TableId,
    pub(crate) sector_size: u32,
    pub(crate) usable: Range<u64>,
    pub(crate) partitions: Vec<Partition>,
    pub(crate) warnings: Vec<Warning>,
}

impl PartitionTable {
    /// By which the disk is told apart, and the kind of the table.
    #[must_use]
    pub const fn id(&self) -> TableId {
        self.id
    }

    /// The sector size the table counts in, bytes.
    #[must_use]
    pub const fn sector_size(&self) -> u32 {
        self.sector_size
    }

    /// The bytes of the device that partitions may take.
    #[must_use]
    pub const fn usable(&self) -> &Range<u64> {
        &self.usable
    }

    /// The partitions, in the order of their numbers.
    #[must_use]
    pub fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    /// The partition with this number.
    #[must_use]
    pub fn partition(&self, number: u32) -> Option<&Partition> {
        self.partitions.iter().find(|partition| partition.number == number)
    }

    /// What is wrong with the table but did not keep it from being read.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }
}
