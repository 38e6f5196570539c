//! The structures as they lie on the volume. All integers are little-endian.
//!
//! Source: Microsoft, *FAT: General Overview of On-Disk Format* 1.03.

use std::mem::{offset_of, size_of};

use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The boot sector: the first 512 bytes of a sector of any size.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct BootDisk {
    /// EB xx 90 or E9 xx xx.
    pub jump: [u8; 3],
    /// Who formatted it.
    pub maker: [u8; 8],
    /// Bytes of a sector: 512, 1024, 2048 or 4096.
    pub sector_size: U16,
    /// A power of two.
    pub sectors_per_cluster: u8,
    /// Sectors before the first FAT, this one included; not 0.
    pub reserved: U16,
    /// How many FATs there are: 2, seldom 1.
    pub fats: u8,
    /// Entries of the root directory of FAT12 and FAT16; 0 for FAT32.
    pub root_entries: U16,
    /// Sectors of small FAT12 and FAT16 volumes; 0 for FAT32.
    pub sectors_16: U16,
    /// F0 or F8 to FF.
    pub media: u8,
    /// Sectors of a FAT of FAT12 and FAT16; 0 for FAT32.
    pub fat_sectors_16: U16,
    /// Geometry of the disk as a BIOS sees it.
    pub sectors_per_track: U16,
    /// The same.
    pub heads: U16,
    /// Sectors of the disk before the volume.
    pub hidden: U32,
    /// Sectors of the volume.
    pub sectors: U32,
    /// Sectors of one FAT.
    pub fat_sectors: U32,
    /// [`Self::NOT_MIRRORED`] and the number of the one FAT that counts then.
    pub flags: U16,
    /// 0.
    pub version: U16,
    /// First cluster of the root directory.
    pub root: U32,
    /// Sector of [`InfoDisk`].
    pub info: U16,
    /// Sector of the copy of this one, usually 6.
    pub backup: U16,
    /// Zero.
    pub reserved_2: [u8; 12],
    /// 80.
    pub drive: u8,
    /// Zero.
    pub reserved_3: u8,
    /// 29: the next three fields are there.
    pub extended: u8,
    /// By which volumes are told apart.
    pub serial: U32,
    /// The label, a copy of that in the root directory, or `NO NAME`.
    pub label: [u8; 11],
    /// `FAT32   `.
    pub kind: [u8; 8],
    /// The boot program.
    pub code: [u8; 420],
    /// [`Self::MARK`].
    pub mark: U16,
}

impl BootDisk {
    /// The last two bytes, 55 AA.
    pub(crate) const MARK: u16 = 0xaa55;
    /// Only one FAT is kept.
    pub(crate) const NOT_MIRRORED: u16 = 0x80;
}

const _: () = {
    assert!(size_of::<BootDisk>() == 512);
    assert!(offset_of!(BootDisk, sector_size) == 11);
    assert!(offset_of!(BootDisk, hidden) == 28);
    assert!(offset_of!(BootDisk, root) == 44);
    assert!(offset_of!(BootDisk, serial) == 67);
    assert!(offset_of!(BootDisk, code) == 90);
    assert!(offset_of!(BootDisk, mark) == 510);
};

/// What is known of the free clusters; hints only.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct InfoDisk {
    /// [`Self::FIRST_MARK`].
    pub first_mark: U32,
    /// Zero.
    pub reserved: [u8; 480],
    /// [`Self::SECOND_MARK`].
    pub second_mark: U32,
    /// How many clusters are free, or [`Self::UNKNOWN`].
    pub free: U32,
    /// Where to look for a free one, or [`Self::UNKNOWN`].
    pub next: U32,
    /// Zero.
    pub reserved_2: [u8; 12],
    /// [`Self::LAST_MARK`].
    pub last_mark: U32,
}

impl InfoDisk {
    /// `RRaA`.
    pub(crate) const FIRST_MARK: u32 = 0x4161_5252;
    /// `rrAa`.
    pub(crate) const SECOND_MARK: u32 = 0x6141_7272;
    /// 55 AA at the end.
    pub(crate) const LAST_MARK: u32 = 0xaa55_0000;
    /// No number.
    pub(crate) const UNKNOWN: u32 = u32::MAX;
}

const _: () = {
    assert!(size_of::<InfoDisk>() == 512);
    assert!(offset_of!(InfoDisk, free) == 488);
    assert!(offset_of!(InfoDisk, last_mark) == 508);
};

/// An entry of a directory.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct EntryDisk {
    /// The name before and behind the dot, filled with spaces. The first byte can be [`Self::FREE`],
    /// [`Self::END`], or [`Self::STANDS_FOR_E5`].
    pub name: [u8; 11],
    /// The lowest six bits of the attributes of Windows, and [`Self::LABEL`].
    pub attributes: u8,
    /// [`Self::LOWER_BASE`] and [`Self::LOWER_EXTENSION`].
    pub case: u8,
    /// Creation: hundredths of a second past the time, 0 to 199.
    pub created_hundredths: u8,
    /// Creation: hour, minute, two seconds.
    pub created_time: U16,
    /// Creation: year from 1980, month, day.
    pub created_date: U16,
    /// Last access.
    pub accessed_date: U16,
    /// The upper half of the first cluster; the top four bits are not used.
    pub first_high: U16,
    /// Last write.
    pub written_time: U16,
    /// Last write.
    pub written_date: U16,
    /// The lower half of the first cluster; 0 with the upper one for empty files and for a `..` that
    /// is the root.
    pub first_low: U16,
    /// Bytes of a file; 0 for directories.
    pub size: U32,
}

impl EntryDisk {
    /// First byte of the name: nothing is here.
    pub(crate) const FREE: u8 = 0xe5;
    /// First byte of the name: nothing is here, nor behind it.
    pub(crate) const END: u8 = 0;
    /// First byte of the name: it is E5.
    pub(crate) const STANDS_FOR_E5: u8 = 5;
    /// Attribute: the label of the volume.
    pub(crate) const LABEL: u8 = 8;
    /// Attributes of a piece of a long name; only these six bits count.
    pub(crate) const LONG: u8 = 0x0f;
    /// Attributes that count.
    pub(crate) const ATTRIBUTES: u8 = 0x3f;
    /// Bytes of an entry.
    pub(crate) const LEN: usize = 32;
    /// The part before the dot is in lower case (Windows NT).
    pub(crate) const LOWER_BASE: u8 = 8;
    /// The part behind the dot is in lower case (Windows NT).
    pub(crate) const LOWER_EXTENSION: u8 = 16;
}

const _: () = {
    assert!(size_of::<EntryDisk>() == 32);
    assert!(offset_of!(EntryDisk, first_high) == 20);
    assert!(offset_of!(EntryDisk, size) == 28);
};

/// A piece of a long name. The pieces stand before their entry, the last piece first.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct LongDisk {
    /// Number of the piece from 1, with [`Self::LAST`] in the last one.
    pub order: u8,
    /// The name's first UTF-16 units of this piece. Behind the name comes a 0, then FFFF.
    pub name_1: [U16; 5],
    /// [`EntryDisk::LONG`].
    pub attributes: u8,
    /// 0.
    pub kind: u8,
    /// Of the short name, so that a piece left over by an old program is known.
    pub checksum: u8,
    /// More of the name.
    pub name_2: [U16; 6],
    /// 0.
    pub first: U16,
    /// More of the name.
    pub name_3: [U16; 2],
}

impl LongDisk {
    /// Marks the last piece.
    pub(crate) const LAST: u8 = 0x40;
    /// UTF-16 units of a piece.
    pub(crate) const UNITS: usize = 13;
}

const _: () = {
    assert!(size_of::<LongDisk>() == EntryDisk::LEN);
    assert!(offset_of!(LongDisk, checksum) == 13);
    assert!(offset_of!(LongDisk, name_3) == 28);
};
