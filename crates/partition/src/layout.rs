//! The structures as they lie on the device. All integers are little-endian.
//!
//! Source: UEFI 2.10, 5.2.1 (MBR), 5.3.2 (header), 5.3.3 (entries).

use std::mem::{offset_of, size_of};

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// One of the four entries of an MBR or an extended boot record: 16 bytes.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct MbrEntryDisk {
    /// 0x80 if active, else 0.
    pub flag: u8,
    /// Cylinder, head and sector of the first sector; unused for decades.
    pub first_chs: [u8; 3],
    /// The type; 0 in unused entries.
    pub kind: u8,
    /// Cylinder, head and sector of the last sector.
    pub last_chs: [u8; 3],
    /// The first sector. In an MBR from the start of the device; for a logical partition from its
    /// boot record; for the next boot record from the start of the extended partition.
    pub first: U32,
    /// How many sectors; 0 in unused entries.
    pub count: U32,
}

/// An MBR or an extended boot record: the first 512 bytes of a sector of any size.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct MbrDisk {
    /// The boot program.
    pub code: [u8; 440],
    /// By which Windows tells disks apart; 0 if never given.
    pub signature: U32,
    /// Zero, or 0x5A5A on copy-protected disks.
    pub reserved: U16,
    /// The entries.
    pub entries: [MbrEntryDisk; 4],
    /// [`Self::MARK`].
    pub mark: U16,
}

impl MbrDisk {
    /// The last two bytes, 55 AA.
    pub(crate) const MARK: u16 = 0xaa55;
}

const _: () = {
    assert!(size_of::<MbrEntryDisk>() == 16);
    assert!(offset_of!(MbrEntryDisk, first) == 8);
    assert!(size_of::<MbrDisk>() == 512);
    assert!(offset_of!(MbrDisk, entries) == 446);
    assert!(offset_of!(MbrDisk, mark) == 510);
};

/// A GPT header: the first 92 bytes of its sector. Sector numbers count from the start of the device.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct GptHeaderDisk {
    /// [`Self::SIGNATURE`].
    pub signature: U64,
    /// 0x00010000 for version 1.0, the only one.
    pub revision: U32,
    /// Bytes of the header, from 92 to the sector size.
    pub size: U32,
    /// CRC-32 of those bytes, with zero here.
    pub crc: U32,
    /// Zero.
    pub reserved: U32,
    /// The sector of this header.
    pub own: U64,
    /// The sector of the other header.
    pub other: U64,
    /// The first sector partitions may take.
    pub first_usable: U64,
    /// The last sector partitions may take.
    pub last_usable: U64,
    /// Names the disk.
    pub disk: [u8; 16],
    /// The first sector of the entries that belong to this header.
    pub entries: U64,
    /// How many entries there are, used or not.
    pub count: U32,
    /// Bytes of an entry: 128 or a larger multiple of it.
    pub entry_size: U32,
    /// CRC-32 of all entries.
    pub entries_crc: U32,
}

impl GptHeaderDisk {
    /// `EFI PART`.
    pub(crate) const SIGNATURE: u64 = u64::from_le_bytes(*b"EFI PART");
    /// Version 1.0.
    pub(crate) const REVISION: u32 = 0x0001_0000;
}

/// An entry of a GPT: the first 128 bytes of it.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct GptEntryDisk {
    /// The type; zero in unused entries.
    pub kind: [u8; 16],
    /// Names the partition.
    pub id: [u8; 16],
    /// The first sector.
    pub first: U64,
    /// The last sector, which still belongs to it.
    pub last: U64,
    /// Bits of [`crate::GptAttributes`].
    pub attributes: U64,
    /// UTF-16, ended by a zero if there is room for one.
    pub name: [U16; 36],
}

const _: () = {
    assert!(size_of::<GptHeaderDisk>() == 92);
    assert!(offset_of!(GptHeaderDisk, own) == 24);
    assert!(offset_of!(GptHeaderDisk, disk) == 56);
    assert!(offset_of!(GptHeaderDisk, entries_crc) == 88);
    assert!(size_of::<GptEntryDisk>() == 128);
    assert!(offset_of!(GptEntryDisk, name) == 56);
};
