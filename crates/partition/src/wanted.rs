//! What a device is to be divided into.

use std::fmt;

use crate::{GptAttributes, PartitionType};

/// Bytes of a mebibyte: partitions begin and end at multiples of it.
pub(crate) const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// A kind of partition table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TableKind {
    /// GPT with a protective MBR.
    Gpt,
    /// MBR with up to four partitions.
    Mbr,
}

impl fmt::Display for TableKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gpt => "GPT",
            Self::Mbr => "MBR",
        })
    }
}

/// How large a partition is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// So many bytes, rounded up to whole MiB.
    Bytes(u64),
    /// So many hundredths of all room for partitions, rounded down to whole MiB, but at least one.
    Percent(u8),
    /// What the others leave.
    Rest,
}

/// What a partition is to hold at first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Contents {
    /// Nothing.
    #[default]
    Nothing,
    /// An empty FAT32 volume.
    Fat32,
    /// An empty NTFS volume.
    Ntfs,
}

impl fmt::Display for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "none",
            Self::Fat32 => "fat32",
            Self::Ntfs => "ntfs",
        })
    }
}

/// A partition as it is wished for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// What it is for.
    pub kind: PartitionType,
    /// How large.
    pub size: Size,
    /// GPT: its name, at most 36 UTF-16 units.
    pub name: String,
    /// GPT: its attributes.
    pub attributes: GptAttributes,
    /// MBR: whether the boot program takes it.
    pub active: bool,
    /// What it is to hold.
    pub contents: Contents,
    /// The label of the volume in it.
    pub label: String,
}

/// What a device is to be divided into, in order. Sizes become places in a [`crate::Plan`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The kind of the table.
    pub table: TableKind,
    /// The partitions, by their place on the device.
    pub partitions: Vec<Wanted>,
}

/// A partition that holds nothing and whose label is its name.
fn wanted(kind: PartitionType, size: Size, name: &str, contents: Contents) -> Wanted {
    Wanted {
        kind,
        size,
        name: name.to_owned(),
        attributes: GptAttributes::empty(),
        active: false,
        contents,
        label: name.to_owned(),
    }
}

/// ESP and MSR, as Windows Setup makes them.
///
/// 260 MiB are the least FAT32 can be on sectors of 4096 bytes. Source: Microsoft, *UEFI/GPT-based hard
/// drive partitions*, which has this size and 16 MB for MSR as well.
fn system() -> [Wanted; 2] {
    let attributes = GptAttributes::NO_DRIVE_LETTER;
    let esp = Size::Bytes(260 * MIB);
    let esp = wanted(PartitionType::ESP, esp, "EFI system partition", Contents::Fat32);
    let msr = Size::Bytes(16 * MIB);
    let msr = wanted(PartitionType::MSR, msr, "Microsoft reserved partition", Contents::Nothing);
    [
        Wanted { label: "SYSTEM".to_owned(), attributes, ..esp },
        Wanted { label: String::new(), attributes, ..msr },
    ]
}

/// Windows' recovery environment is updated in place and grows: Microsoft asks for 250 MB free.
const RECOVERY: Size = Size::Bytes(GIB);

impl Layout {
    /// UEFI: ESP, MSR, Windows, and recovery at the end, where Windows can enlarge it.
    #[must_use]
    pub fn uefi_windows() -> Self {
        let windows = wanted(PartitionType::BASIC_DATA, Size::Rest, "Windows", Contents::Ntfs);
        let recovery = Wanted {
            // Source: Microsoft, *UEFI/GPT-based hard drive partitions*: 0x8000000000000001.
            attributes: GptAttributes::REQUIRED | GptAttributes::NO_DRIVE_LETTER,
            ..wanted(PartitionType::RECOVERY, RECOVERY, "Recovery", Contents::Ntfs)
        };
        let partitions = system().into_iter().chain([windows, recovery]).collect();
        Self { table: TableKind::Gpt, partitions }
    }

    /// UEFI: ESP, MSR and the storage that holds virtual disks; behind it a data partition that
    /// survives, if a size is given.
    #[must_use]
    pub fn uefi_storage(data: Option<Size>) -> Self {
        let storage = wanted(PartitionType::BASIC_DATA, Size::Rest, "Storage", Contents::Ntfs);
        let data = data.map(|size| wanted(PartitionType::BASIC_DATA, size, "Data", Contents::Ntfs));
        let partitions = system().into_iter().chain([storage]).chain(data).collect();
        Self { table: TableKind::Gpt, partitions }
    }

    /// BIOS: an active partition with the boot manager, Windows, and recovery at the end.
    #[must_use]
    pub fn bios_windows() -> Self {
        let system = Size::Bytes(500 * MIB);
        let system = wanted(PartitionType::MBR_NTFS, system, "System", Contents::Ntfs);
        let windows = wanted(PartitionType::MBR_NTFS, Size::Rest, "Windows", Contents::Ntfs);
        let recovery = wanted(PartitionType::MBR_RECOVERY, RECOVERY, "Recovery", Contents::Ntfs);
        let mut partitions = vec![Wanted { active: true, ..system }, windows, recovery];
        for partition in &mut partitions {
            // The table has no room for names.
            partition.name = String::new();
        }
        Self { table: TableKind::Mbr, partitions }
    }

    /// How many identifiers a [`crate::Plan`] of it needs: one for the disk, one for each partition.
    #[must_use]
    pub const fn identifiers(&self) -> usize {
        self.partitions.len() + 1
    }
}
