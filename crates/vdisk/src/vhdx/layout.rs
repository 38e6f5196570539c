//! The structures as they lie in a VHDX file. All integers are little-endian; offsets are bytes from
//! the start of the file unless a field says otherwise.
//!
//! ```text
//! 0        64K       128K      192K      256K      320K     1M
//! │ file   │ header  │ header  │ region  │ region  │ zeros  │ log, metadata, BAT, blocks: in any order,
//! │ id     │ 0       │ 1       │ table 0 │ table 1 │        │ each a multiple of 1 MiB at one
//! ```
//!
//! Source: \[MS-VHDX\] 2.

use std::mem::{offset_of, size_of};

use imprint_winvalues::Guid;
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// What everything behind the first MiB is a multiple of.
pub(crate) const MIB: u64 = 1 << 20;

/// Bytes of the file identifier, of a region table and of the metadata table, each.
pub(crate) const TABLE_BYTES: usize = 64 << 10;
/// Where the two headers are.
pub(crate) const HEADER_OFFSETS: [u64; 2] = [64 << 10, 128 << 10];
/// Where the two region tables are.
pub(crate) const REGION_TABLE_OFFSETS: [u64; 2] = [192 << 10, 256 << 10];
/// Entries that fit into a region table or a metadata table.
pub(crate) const MAX_TABLE_ENTRIES: u32 = 2047;

/// `vhdxfile`.
pub(crate) const FILE_SIGNATURE: u64 = u64::from_le_bytes(*b"vhdxfile");
/// `head`.
pub(crate) const HEADER_SIGNATURE: u32 = u32::from_le_bytes(*b"head");
/// `regi`.
pub(crate) const REGION_SIGNATURE: u32 = u32::from_le_bytes(*b"regi");
/// `metadata`.
pub(crate) const METADATA_SIGNATURE: u64 = u64::from_le_bytes(*b"metadata");
/// `loge`.
pub(crate) const LOG_ENTRY_SIGNATURE: u32 = u32::from_le_bytes(*b"loge");
/// `desc`.
pub(crate) const DATA_DESCRIPTOR_SIGNATURE: u32 = u32::from_le_bytes(*b"desc");
/// `zero`.
pub(crate) const ZERO_DESCRIPTOR_SIGNATURE: u32 = u32::from_le_bytes(*b"zero");
/// `data`.
pub(crate) const LOG_DATA_SIGNATURE: u32 = u32::from_le_bytes(*b"data");

/// The version of the format in [`HeaderDisk::version`].
pub(crate) const VERSION: u16 = 1;
/// The version of the log in [`HeaderDisk::log_version`].
pub(crate) const LOG_VERSION: u16 = 0;
/// Bytes of a sector of the log.
pub(crate) const LOG_SECTOR: usize = 4096;

/// The start of the file: 520 bytes at offset 0, zeros up to 64 KiB.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct FileIdentifierDisk {
    /// [`FILE_SIGNATURE`].
    pub(crate) signature: U64,
    /// Who made the file, for people: UTF-16LE, ended by zeros if it is shorter.
    pub(crate) creator: [u8; 512],
}

/// One of the two headers: 4096 bytes.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct HeaderDisk {
    /// [`HEADER_SIGNATURE`].
    pub(crate) signature: U32,
    /// CRC-32C of the 4096 bytes with this field zero.
    pub(crate) checksum: U32,
    /// The valid header with the larger number is current.
    pub(crate) sequence: U64,
    /// Changes before the first write of every opening.
    pub(crate) file_write: [u8; 16],
    /// Changes before the contents of the disk change; children remember it.
    pub(crate) data_write: [u8; 16],
    /// Which entries of the log count; zero: none, the log is empty.
    pub(crate) log: [u8; 16],
    /// [`LOG_VERSION`].
    pub(crate) log_version: U16,
    /// [`VERSION`].
    pub(crate) version: U16,
    /// Bytes of the log, a multiple of 1 MiB.
    pub(crate) log_length: U32,
    /// Where the log is, a multiple of 1 MiB, at least 1 MiB.
    pub(crate) log_offset: U64,
    /// Zeros.
    pub(crate) reserved: [u8; 4016],
}

/// The start of a region table: 16 bytes, followed by [`RegionEntryDisk`]s.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct RegionTableHeaderDisk {
    /// [`REGION_SIGNATURE`].
    pub(crate) signature: U32,
    /// CRC-32C of the 64 KiB with this field zero.
    pub(crate) checksum: U32,
    /// Entries that follow, at most [`MAX_TABLE_ENTRIES`].
    pub(crate) entry_count: U32,
    /// Zero.
    pub(crate) reserved: U32,
}

/// Where a region is: 32 bytes.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct RegionEntryDisk {
    /// Which: [`BAT_REGION`], [`METADATA_REGION`].
    pub(crate) guid: [u8; 16],
    /// Its first byte, a multiple of 1 MiB, at least 1 MiB.
    pub(crate) offset: U64,
    /// Bytes, a multiple of 1 MiB.
    pub(crate) length: U32,
    /// Bit 0: whoever does not know it must not open the file.
    pub(crate) flags: U32,
}

/// The start of the metadata table: 32 bytes, followed by [`MetadataEntryDisk`]s.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct MetadataTableHeaderDisk {
    /// [`METADATA_SIGNATURE`].
    pub(crate) signature: U64,
    /// Zero.
    pub(crate) reserved: U16,
    /// Entries that follow, at most [`MAX_TABLE_ENTRIES`].
    pub(crate) entry_count: U16,
    /// Zeros.
    pub(crate) reserved2: [u8; 20],
}

/// Where a metadata item is: 32 bytes.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct MetadataEntryDisk {
    /// Which.
    pub(crate) guid: [u8; 16],
    /// Its first byte from the start of the metadata region, at least 64 KiB; 0 for empty items.
    pub(crate) offset: U32,
    /// Bytes, at most 1 MiB; 0 for empty items.
    pub(crate) length: U32,
    /// [`ITEM_USER`], [`ITEM_VIRTUAL_DISK`], [`ITEM_REQUIRED`].
    pub(crate) flags: U32,
    /// Zero.
    pub(crate) reserved: U32,
}

/// An item that belongs to a user, not to the system.
pub(crate) const ITEM_USER: u32 = 1;
/// An item about the disk, not about the file.
pub(crate) const ITEM_VIRTUAL_DISK: u32 = 2;
/// Whoever does not know the item must not open the file.
pub(crate) const ITEM_REQUIRED: u32 = 4;
/// Whoever does not know the region must not open the file.
pub(crate) const REGION_REQUIRED: u32 = 1;

/// The file parameters, a metadata item: 8 bytes.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct FileParametersDisk {
    /// Bytes of a block, a power of two from 1 MiB to 256 MiB.
    pub(crate) block_size: U32,
    /// [`LEAVE_ALLOCATED`], [`HAS_PARENT`].
    pub(crate) flags: U32,
}

/// The disk is fixed: blocks stay allocated.
pub(crate) const LEAVE_ALLOCATED: u32 = 1;
/// The disk is differencing.
pub(crate) const HAS_PARENT: u32 = 2;

/// The start of a parent locator: 20 bytes, followed by [`LocatorEntryDisk`]s.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct LocatorHeaderDisk {
    /// [`VHDX_LOCATOR`].
    pub(crate) kind: [u8; 16],
    /// Zero.
    pub(crate) reserved: U16,
    /// Entries that follow.
    pub(crate) entry_count: U16,
}

/// A key and a value of a parent locator, both UTF-16LE without an end mark: 12 bytes.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct LocatorEntryDisk {
    /// First byte of the key, from the start of the locator.
    pub(crate) key_offset: U32,
    /// First byte of the value, from the start of the locator.
    pub(crate) value_offset: U32,
    /// Bytes of the key, more than 0.
    pub(crate) key_length: U16,
    /// Bytes of the value, more than 0.
    pub(crate) value_length: U16,
}

/// The start of a log entry: 64 bytes at the start of a sector of the log, followed by descriptors of
/// 32 bytes: 126 in the first sector, 128 in each that follows; then one [`LogDataSectorDisk`] per
/// data descriptor.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct LogEntryHeaderDisk {
    /// [`LOG_ENTRY_SIGNATURE`].
    pub(crate) signature: U32,
    /// CRC-32C of the whole entry, all sectors, with this field zero.
    pub(crate) checksum: U32,
    /// Bytes of the entry, a multiple of 4096.
    pub(crate) entry_length: U32,
    /// Where the oldest entry is that must be replayed if this one is the newest: bytes from the
    /// start of the log.
    pub(crate) tail: U32,
    /// One more than that of the entry before, more than 0.
    pub(crate) sequence: U64,
    /// Descriptors that follow.
    pub(crate) descriptor_count: U32,
    /// Zero.
    pub(crate) reserved: U32,
    /// [`HeaderDisk::log`] when the entry was written.
    pub(crate) log: [u8; 16],
    /// The file had at least this length, durably, when the entry was written.
    pub(crate) flushed_file_offset: U64,
    /// Everything in the file ends here or before.
    pub(crate) last_file_offset: U64,
}

/// A page to be written: 32 bytes.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct DataDescriptorDisk {
    /// [`DATA_DESCRIPTOR_SIGNATURE`].
    pub(crate) signature: U32,
    /// The last 4 bytes of the page: the data sector has its sequence number there.
    pub(crate) trailing: [u8; 4],
    /// The first 8 bytes of the page: the data sector has its signature there.
    pub(crate) leading: [u8; 8],
    /// Where the page belongs, a multiple of 4096.
    pub(crate) file_offset: U64,
    /// That of the entry.
    pub(crate) sequence: U64,
}

/// Zeros to be written: 32 bytes.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct ZeroDescriptorDisk {
    /// [`ZERO_DESCRIPTOR_SIGNATURE`].
    pub(crate) signature: U32,
    /// Zero.
    pub(crate) reserved: U32,
    /// How many bytes, a multiple of 4096.
    pub(crate) length: U64,
    /// Where they belong, a multiple of 4096.
    pub(crate) file_offset: U64,
    /// That of the entry.
    pub(crate) sequence: U64,
}

/// The page of a data descriptor: 4096 bytes.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct LogDataSectorDisk {
    /// [`LOG_DATA_SIGNATURE`].
    pub(crate) signature: U32,
    /// The upper half of the entry's sequence number.
    pub(crate) sequence_high: U32,
    /// Bytes 8 to 4091 of the page.
    pub(crate) data: [u8; 4084],
    /// The lower half of the entry's sequence number.
    pub(crate) sequence_low: U32,
}

const _: () = {
    assert!(size_of::<FileIdentifierDisk>() == 520);
    assert!(size_of::<HeaderDisk>() == 4096);
    assert!(offset_of!(HeaderDisk, log) == 48);
    assert!(offset_of!(HeaderDisk, log_offset) == 72);
    assert!(size_of::<RegionTableHeaderDisk>() == 16);
    assert!(size_of::<RegionEntryDisk>() == 32);
    assert!(offset_of!(RegionEntryDisk, length) == 24);
    assert!(size_of::<MetadataTableHeaderDisk>() == 32);
    assert!(offset_of!(MetadataTableHeaderDisk, entry_count) == 10);
    assert!(size_of::<MetadataEntryDisk>() == 32);
    assert!(offset_of!(MetadataEntryDisk, flags) == 24);
    assert!(size_of::<FileParametersDisk>() == 8);
    assert!(size_of::<LocatorHeaderDisk>() == 20);
    assert!(size_of::<LocatorEntryDisk>() == 12);
    assert!(size_of::<LogEntryHeaderDisk>() == 64);
    assert!(offset_of!(LogEntryHeaderDisk, log) == 32);
    assert!(offset_of!(LogEntryHeaderDisk, last_file_offset) == 56);
    assert!(size_of::<DataDescriptorDisk>() == 32);
    assert!(offset_of!(DataDescriptorDisk, file_offset) == 16);
    assert!(size_of::<ZeroDescriptorDisk>() == 32);
    assert!(offset_of!(ZeroDescriptorDisk, file_offset) == 16);
    assert!(size_of::<LogDataSectorDisk>() == LOG_SECTOR);
    assert!(offset_of!(LogDataSectorDisk, sequence_low) == 4092);
};

/// A GUID from the four fields of its text; the last two groups are one number.
const fn guid(first: u32, second: u16, third: u16, rest: u64) -> Guid {
    let ([a, b, c, d], [e, f], [g, h]) =
        (first.to_le_bytes(), second.to_le_bytes(), third.to_le_bytes());
    let [i, j, k, l, m, n, o, p] = rest.to_be_bytes();
    Guid([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p])
}

/// The region of the block allocation table.
pub(crate) const BAT_REGION: Guid = guid(0x2DC2_7766, 0xF623, 0x4200, 0x9D64_115E_9BFD_4A08);
/// The region of the metadata.
pub(crate) const METADATA_REGION: Guid = guid(0x8B7C_A206, 0x4790, 0x4B9A, 0xB8FE_575F_050F_886E);

/// Metadata item: [`FileParametersDisk`].
pub(crate) const FILE_PARAMETERS: Guid = guid(0xCAA1_6737, 0xFA36, 0x4D43, 0xB3B6_33F0_AA44_E76B);
/// Metadata item: the disk's size in bytes, 8 bytes.
pub(crate) const DISK_SIZE: Guid = guid(0x2FA5_4224, 0xCD1B, 0x4876, 0xB211_5DBE_D83B_F4B8);
/// Metadata item: the disk's own GUID (page 83 data), 16 bytes.
pub(crate) const DISK_ID: Guid = guid(0xBECA_12AB, 0xB2E6, 0x4523, 0x93EF_C309_E000_C746);
/// Metadata item: the logical sector size, 4 bytes.
pub(crate) const LOGICAL_SECTOR: Guid = guid(0x8141_BF1D, 0xA96F, 0x4709, 0xBA47_F233_A8FA_AB5F);
/// Metadata item: the physical sector size, 4 bytes.
pub(crate) const PHYSICAL_SECTOR: Guid = guid(0xCDA3_48C7, 0x445D, 0x4471, 0x9CC9_E988_5251_C556);
/// Metadata item: [`LocatorHeaderDisk`] and what follows it.
pub(crate) const PARENT_LOCATOR: Guid = guid(0xA8D3_5F2D, 0xB30B, 0x454D, 0xABF7_D3D8_4834_AB0C);
/// The kind of parent locator that names VHDX files.
pub(crate) const VHDX_LOCATOR: Guid = guid(0xB04A_EFB7, 0xD19E, 0x4A81, 0xB789_25B8_E944_5913);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_those_of_the_specification() {
        let check = |guid: Guid, text: &str| assert_eq!(guid.to_string(), text.to_lowercase());
        check(BAT_REGION, "2DC27766-F623-4200-9D64-115E9BFD4A08");
        check(METADATA_REGION, "8B7CA206-4790-4B9A-B8FE-575F050F886E");
        check(FILE_PARAMETERS, "CAA16737-FA36-4D43-B3B6-33F0AA44E76B");
        check(DISK_SIZE, "2FA54224-CD1B-4876-B211-5DBED83BF4B8");
        check(DISK_ID, "BECA12AB-B2E6-4523-93EF-C309E000C746");
        check(LOGICAL_SECTOR, "8141BF1D-A96F-4709-BA47-F233A8FAAB5F");
        check(PHYSICAL_SECTOR, "CDA348C7-445D-4471-9CC9-E9885251C556");
        check(PARENT_LOCATOR, "A8D35F2D-B30B-454D-ABF7-D3D84834AB0C");
        check(VHDX_LOCATOR, "B04AEFB7-D19E-4A81-B789-25B8E9445913");
    }
}
