//! The structures as they lie on a volume. All integers are little-endian.
//!
//! Source: libfsntfs documentation of the format; the headers of ntfs-3g for field names.

use std::mem::{offset_of, size_of};

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

mod index;
mod journal;
mod log;
mod values;

pub(crate) use index::*;
pub(crate) use journal::*;
pub(crate) use log::*;
pub(crate) use values::*;

/// `NTFS` and four spaces.
pub(crate) const OEM_ID: u64 = u64::from_le_bytes(*b"NTFS    ");
/// The last two bytes of the boot sector, 55 AA.
pub(crate) const BOOT_MARK: u16 = 0xaa55;
/// `FILE`.
pub(crate) const RECORD_SIGNATURE: u32 = u32::from_le_bytes(*b"FILE");
/// Bytes that one entry of the update sequence protects, whatever the sector size.
pub(crate) const STRIDE: usize = 512;
/// The attribute type that ends a record.
pub(crate) const END: u32 = 0xffff_ffff;

/// The boot sector: the first 512 bytes of the volume. Clusters count from the start of the volume.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct BootSectorDisk {
    /// A jump over the fields: EB 52 90.
    pub(crate) jump: [u8; 3],
    /// [`OEM_ID`].
    pub(crate) oem_id: U64,
    /// Bytes per sector, a power of two from 256 to 4096.
    pub(crate) sector_size: U16,
    /// Sectors per cluster: a power of two up to 128; above, 256 minus its binary logarithm.
    pub(crate) sectors_per_cluster: u8,
    /// Zero: fields of FAT.
    pub(crate) reserved: [u8; 7],
    /// 0xF8, a hard disk.
    pub(crate) media: u8,
    /// Zero: a field of FAT.
    pub(crate) sectors_per_fat: U16,
    /// For programs of the BIOS.
    pub(crate) sectors_per_track: U16,
    /// For programs of the BIOS.
    pub(crate) heads: U16,
    /// The first sector of the partition, for programs of the BIOS.
    pub(crate) hidden_sectors: U32,
    /// Zero: a field of FAT.
    pub(crate) large_sectors: U32,
    /// 80 00 80 00.
    pub(crate) drive: U32,
    /// Sectors of the volume, without the last one, which is a copy of this one.
    pub(crate) sectors: U64,
    /// The cluster where `$MFT` begins.
    pub(crate) mft: U64,
    /// The cluster where `$MFTMirr` begins.
    pub(crate) mirror: U64,
    /// Clusters of a file record or, if negative, minus the binary logarithm of its bytes.
    pub(crate) record_size: i8,
    /// Zero.
    pub(crate) reserved_1: [u8; 3],
    /// The same for an index block.
    pub(crate) index_size: i8,
    /// Zero.
    pub(crate) reserved_2: [u8; 3],
    /// Names the volume.
    pub(crate) serial: U64,
    /// Not used: 0.
    pub(crate) checksum: U32,
    /// The boot program.
    pub(crate) code: [u8; 426],
    /// [`BOOT_MARK`].
    pub(crate) mark: U16,
}

/// The header of a file record. Offsets count from the start of the record.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct RecordHeaderDisk {
    /// [`RECORD_SIGNATURE`].
    pub(crate) signature: U32,
    /// Where the update sequence is.
    pub(crate) sequence_offset: U16,
    /// Its words: one, and one for each [`STRIDE`] of the record.
    pub(crate) sequence_count: U16,
    /// Of the last change in `$LogFile`; 0 if there was none.
    pub(crate) lsn: U64,
    /// How often the record was used, from 1 on; part of every reference to it.
    pub(crate) use_count: U16,
    /// How many `$FILE_NAME` attributes the file has.
    pub(crate) links: U16,
    /// Where the first attribute is.
    pub(crate) attributes: U16,
    /// 1 in use, 2 directory, 4 in `$Extend`, 8 has an index that is not one of names.
    pub(crate) flags: U16,
    /// Bytes in use, a multiple of 8.
    pub(crate) used: U32,
    /// Bytes of the record.
    pub(crate) allocated: U32,
    /// 0, or the reference to the record whose attributes this one continues.
    pub(crate) base: U64,
    /// The number the next attribute gets.
    pub(crate) next_instance: U16,
    /// Zero.
    pub(crate) reserved: U16,
    /// The record's own number; not in volumes of NTFS 3.0 and older.
    pub(crate) number: U32,
}

/// What every attribute begins with. Offsets count from the start of the attribute.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct AttributeHeaderDisk {
    /// The type; [`END`] behind the last attribute, where the other fields are missing.
    pub(crate) kind: U32,
    /// Bytes of the attribute with its header, a multiple of 8.
    pub(crate) length: U32,
    /// 0 if the value stands in the record, 1 if in clusters.
    pub(crate) non_resident: u8,
    /// UTF-16 units of the name.
    pub(crate) name_length: u8,
    /// Where the name is.
    pub(crate) name_offset: U16,
    /// 0x0001 compressed, 0x4000 encrypted, 0x8000 sparse.
    pub(crate) flags: U16,
    /// A number no other attribute of the record has.
    pub(crate) instance: U16,
}

/// The rest of the header of an attribute whose value stands in the record.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct ResidentDisk {
    /// Bytes of the value.
    pub(crate) length: U32,
    /// Where it is.
    pub(crate) offset: U16,
    /// 1 if an index holds it: for `$FILE_NAME`.
    pub(crate) indexed: u8,
    /// Zero.
    pub(crate) reserved: u8,
}

/// The rest of the header of an attribute whose value stands in clusters. Sizes only count in the
/// part with the first cluster.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct NonResidentDisk {
    /// The first cluster of the value that this part describes.
    pub(crate) first_vcn: U64,
    /// The last one; for an empty value one less than the first.
    pub(crate) last_vcn: U64,
    /// Where the mapping pairs are.
    pub(crate) runs_offset: U16,
    /// The binary logarithm of the clusters of a compression unit; 0 if there are none. A sparse value that is
    /// not compressed has it too. Observed in: volumes by ntfs-3g.
    pub(crate) unit_shift: u8,
    /// Zero.
    pub(crate) reserved: [u8; 5],
    /// Bytes of the clusters from the first to the last.
    pub(crate) allocated: U64,
    /// Bytes of the value.
    pub(crate) size: U64,
    /// Bytes of it that were written; behind them it reads as zeros.
    pub(crate) initialised: U64,
}

/// An entry of an attribute list, the name behind it. Entries are multiples of 8 bytes.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct ListEntryDisk {
    /// The type.
    pub(crate) kind: U32,
    /// Bytes of the entry with its name.
    pub(crate) length: U16,
    /// UTF-16 units of the name.
    pub(crate) name_length: u8,
    /// Where the name is, from the start of the entry.
    pub(crate) name_offset: u8,
    /// The first cluster of the value that this part describes.
    pub(crate) first_vcn: U64,
    /// The record the part is in.
    pub(crate) reference: U64,
    /// Its number there.
    pub(crate) instance: U16,
}

const _: () = {
    assert!(size_of::<ListEntryDisk>() == 26);
    assert!(size_of::<BootSectorDisk>() == 512);
    assert!(offset_of!(BootSectorDisk, media) == 0x15);
    assert!(offset_of!(BootSectorDisk, sectors) == 0x28);
    assert!(offset_of!(BootSectorDisk, record_size) == 0x40);
    assert!(offset_of!(BootSectorDisk, serial) == 0x48);
    assert!(offset_of!(BootSectorDisk, mark) == 0x1fe);
    assert!(size_of::<RecordHeaderDisk>() == 0x30);
    assert!(offset_of!(RecordHeaderDisk, flags) == 0x16);
    assert!(offset_of!(RecordHeaderDisk, number) == 0x2c);
    assert!(size_of::<AttributeHeaderDisk>() == 0x10);
    assert!(size_of::<ResidentDisk>() == 8);
    assert!(size_of::<NonResidentDisk>() == 0x30);
    assert!(offset_of!(NonResidentDisk, allocated) == 0x18);
};
