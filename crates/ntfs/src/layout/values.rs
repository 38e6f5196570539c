//! Values of attributes.

use super::*;

/// The value of `$STANDARD_INFORMATION`. Volumes before NTFS 3.0 have the first 48 bytes only. Times are
/// those of [`imprint_winvalues::FileTime`].
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct StandardInformationDisk {
    pub(crate) times: TimesDisk,
    /// File attributes; no flag for directories.
    pub(crate) attributes: U32,
    /// Zero.
    pub(crate) max_versions: U32,
    /// Zero.
    pub(crate) version: U32,
    /// Zero.
    pub(crate) class: U32,
    /// For quotas; 0 if they were never used.
    pub(crate) owner: U32,
    /// Names a security descriptor in `$Secure`; 0 if the file has an attribute of its own for it.
    pub(crate) security: U32,
    /// Bytes charged to the owner.
    pub(crate) quota: U64,
    /// Of the last entry in `$UsnJrnl`.
    pub(crate) usn: U64,
}

/// Four times, in the order in which NTFS has them everywhere.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct TimesDisk {
    pub(crate) creation: U64,
    /// Last change of data.
    pub(crate) write: U64,
    /// Last change of the record.
    pub(crate) change: U64,
    pub(crate) access: U64,
}

/// The value of `$FILE_NAME`, and the key of an entry of a directory; the name behind it, UTF-16LE. What it repeats
/// of the file may be stale in the file, in the entry it holds while the file is closed.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct FileNameDisk {
    /// The reference to the directory.
    pub(crate) parent: U64,
    pub(crate) times: TimesDisk,
    /// Bytes of the clusters of the main data.
    pub(crate) allocated: U64,
    /// Bytes of the main data.
    pub(crate) size: U64,
    /// File attributes, and [`NAME_IS_DIRECTORY`], [`NAME_IS_VIEW_INDEX`].
    pub(crate) attributes: U32,
    /// The reparse tag, or else the packed bytes of the extended attributes.
    pub(crate) extra: U32,
    /// UTF-16 units of the name.
    pub(crate) length: u8,
    /// One of [`namespace`].
    pub(crate) namespace: u8,
}

/// Which programs a name is for.
pub(crate) mod namespace {
    /// Case counts.
    pub(crate) const POSIX: u8 = 0;
    /// The long name; a second one is the short one.
    pub(crate) const WIN32: u8 = 1;
    /// The short name, 8.3.
    pub(crate) const DOS: u8 = 2;
    /// A long name that is a short one as well.
    pub(crate) const WIN32_AND_DOS: u8 = 3;
}

/// Flag of [`FileNameDisk::attributes`]: it has an index of names.
pub(crate) const NAME_IS_DIRECTORY: u32 = 0x1000_0000;
/// Flag of [`FileNameDisk::attributes`]: it has another index.
pub(crate) const NAME_IS_VIEW_INDEX: u32 = 0x2000_0000;

/// The value of `$VOLUME_INFORMATION`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct VolumeInformationDisk {
    /// Zero.
    pub(crate) reserved: U64,
    /// 3.
    pub(crate) major: u8,
    /// 0 or 1.
    pub(crate) minor: u8,
    /// 1 dirty, 2 resize `$LogFile`, 4 upgrade, 8 mounted by NT 4, 0x10 remove the journal, 0x20 repair object ids,
    /// 0x4000 chkdsk at work, 0x8000 changed by chkdsk.
    pub(crate) flags: U16,
}

/// The beginning of the value of `$REPARSE_POINT`, the data behind it.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct ReparseDisk {
    pub(crate) tag: U32,
    /// Bytes of the data.
    pub(crate) length: U16,
    /// Zero, or anything.
    pub(crate) reserved: U16,
}

/// The data of a reparse point of the overlay filter whose provider is the file.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct OverlayDisk {
    /// 1.
    pub(crate) version: U32,
    /// 1 a WIM file, which has other data behind this field; 2 the file itself.
    pub(crate) provider: U32,
    /// 1.
    pub(crate) provider_version: U32,
    /// 0 XPRESS4K, 1 LZX, 2 XPRESS8K, 3 XPRESS16K.
    pub(crate) algorithm: U32,
}

/// The value of `$EA_INFORMATION`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct EaInformationDisk {
    /// Bytes as they count in [`FileNameDisk::extra`]: each 5, and name and value.
    pub(crate) packed: U16,
    /// How many have the flag 0x80: a program must understand them.
    pub(crate) needed: U16,
    /// Bytes of `$EA`.
    pub(crate) size: U32,
}

/// The beginning of an extended attribute in `$EA`; behind it the name, a zero byte and the value. Each is padded to
/// a multiple of 4 bytes.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct EaDisk {
    /// Bytes to the next one.
    pub(crate) next: U32,
    /// 0x80: needed.
    pub(crate) flags: u8,
    /// Bytes of the name.
    pub(crate) name_length: u8,
    /// Bytes of the value.
    pub(crate) value_length: U16,
}

/// An entry of `$AttrDef`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct AttributeDefinitionDisk {
    /// UTF-16, zeros behind it.
    pub(crate) name: [U16; 64],
    pub(crate) kind: U32,
    /// Zero.
    pub(crate) display_rule: U32,
    /// Zero.
    pub(crate) collation: U32,
    /// 2 has an index, 0x40 stays in the record, 0x80 changes are logged in clusters as well.
    pub(crate) flags: U32,
    /// The fewest bytes of a value.
    pub(crate) least: U64,
    /// The most bytes of a value; all ones for any number.
    pub(crate) most: U64,
}

/// The stream `$Info` of `$UpCase`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct UpCaseInfoDisk {
    /// Bytes of this structure: 32.
    pub(crate) size: U32,
    /// Zero.
    pub(crate) reserved: U32,
    /// CRC-64 of the table: polynomial 0x9a6c9329ac4bc9b5, reflected, ones at both ends.
    pub(crate) crc: U64,
    /// Version of Windows that made it: major, minor, build.
    pub(crate) version: [U32; 3],
    /// Its service pack: major, minor.
    pub(crate) service_pack: [U16; 2],
}

const _: () = {
    assert!(size_of::<StandardInformationDisk>() == 72);
    assert!(offset_of!(StandardInformationDisk, security) == 0x34);
    assert!(size_of::<FileNameDisk>() == 66);
    assert!(offset_of!(FileNameDisk, allocated) == 0x28);
    assert!(offset_of!(FileNameDisk, length) == 0x40);
    assert!(size_of::<VolumeInformationDisk>() == 12);
    assert!(size_of::<ReparseDisk>() == 8);
    assert!(size_of::<OverlayDisk>() == 16);
    assert!(size_of::<EaInformationDisk>() == 8);
    assert!(size_of::<EaDisk>() == 8);
    assert!(size_of::<AttributeDefinitionDisk>() == 160);
    assert!(size_of::<UpCaseInfoDisk>() == 32);
};
