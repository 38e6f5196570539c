//! The structures as they lie in a VHD file. All integers are big-endian; offsets are bytes from the
//! start of the file unless a field says otherwise.
//!
//! ```text
//!  fixed      │ sectors of the disk │ footer │
//!
//!             0        512                  1536
//!  others     │ footer │ dynamic header     │ locators │ BAT │ blocks ... │ footer │
//!             │ copy   │ (its place is in   │          │     │ bitmap,    │
//!             │        │  the footer)       │          │     │ sectors    │
//! ```
//!
//! Source: Microsoft, *Virtual Hard Disk Image Format Specification* 1.0 (2006).

use std::mem::{offset_of, size_of};

use zerocopy::big_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The unit of everything: sectors of the disk, of the block allocation table and of the bitmaps.
pub(crate) const SECTOR: u64 = 512;
/// Bytes of a footer.
pub(crate) const FOOTER_BYTES: u64 = 512;
/// Bytes of the dynamic header.
pub(crate) const HEADER_BYTES: u64 = 1024;
/// Bytes of an entry of the block allocation table.
pub(crate) const ENTRY_BYTES: u64 = 4;
/// The entry of a block that is not there.
pub(crate) const ABSENT: u32 = u32::MAX;

/// [`FooterDisk::cookie`].
pub(crate) const FOOTER_COOKIE: [u8; 8] = *b"conectix";
/// [`DynamicHeaderDisk::cookie`].
pub(crate) const HEADER_COOKIE: [u8; 8] = *b"cxsparse";
/// The version of the format, in both.
pub(crate) const VERSION: u32 = 0x0001_0000;
/// [`FooterDisk::features`]: a bit that is always set.
pub(crate) const FEATURES: u32 = 2;
/// No offset: [`FooterDisk::data_offset`] of fixed disks, [`DynamicHeaderDisk::next`].
pub(crate) const NOWHERE: u64 = u64::MAX;

/// A path from the folder of the child, UTF-16LE.
pub(crate) const RELATIVE: [u8; 4] = *b"W2ru";
/// An absolute path, UTF-16LE.
pub(crate) const ABSOLUTE: [u8; 4] = *b"W2ku";

/// The last 512 bytes of the file; the copy at 0 of all but fixed disks is equal.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct FooterDisk {
    /// [`FOOTER_COOKIE`].
    pub(crate) cookie: [u8; 8],
    /// [`FEATURES`]; bit 0: the disk is temporary.
    pub(crate) features: U32,
    /// [`VERSION`].
    pub(crate) version: U32,
    /// Where the dynamic header is; [`NOWHERE`] for fixed disks.
    pub(crate) data_offset: U64,
    /// When it was made, seconds since 2000-01-01 00:00 UTC.
    pub(crate) timestamp: U32,
    /// Who made it: `win `, `vpc `, `qemu` and others.
    pub(crate) creator_app: [u8; 4],
    /// The version of who made it, major and minor.
    pub(crate) creator_version: U32,
    /// `Wi2k` or `Mac `.
    pub(crate) creator_host: [u8; 4],
    /// The size it was made with, bytes.
    pub(crate) original_size: U64,
    /// The size now, bytes.
    pub(crate) current_size: U64,
    /// Cylinders of the geometry.
    pub(crate) cylinders: U16,
    /// Heads, 1 to 16 (255 in some files).
    pub(crate) heads: u8,
    /// Sectors of a track.
    pub(crate) sectors_per_track: u8,
    /// 2 fixed, 3 dynamic, 4 differencing; 0, 1, 5 and 6 are reserved.
    pub(crate) disk_type: U32,
    /// Complement of the sum of all bytes, this field taken as 0.
    pub(crate) checksum: U32,
    /// The disk's identity.
    pub(crate) unique_id: [u8; 16],
    /// 1 if it belongs to a machine in saved state.
    pub(crate) saved_state: u8,
    /// Zeros.
    pub(crate) reserved: [u8; 427],
}

/// The header of dynamic and differencing disks.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct DynamicHeaderDisk {
    /// [`HEADER_COOKIE`].
    pub(crate) cookie: [u8; 8],
    /// [`NOWHERE`]; some programs write 0x00000000ffffffff. Nobody reads it.
    pub(crate) next: U64,
    /// Where the block allocation table is, a multiple of 512.
    pub(crate) bat_offset: U64,
    /// [`VERSION`].
    pub(crate) version: U32,
    /// Entries of the block allocation table, at least one for each block of the disk.
    pub(crate) max_entries: U32,
    /// Bytes of a block without its bitmap, a power of two.
    pub(crate) block_size: U32,
    /// As in the footer, over the header.
    pub(crate) checksum: U32,
    /// The parent's identity.
    pub(crate) parent_id: [u8; 16],
    /// When the parent's file was last changed, seconds since 2000-01-01 00:00 UTC.
    pub(crate) parent_timestamp: U32,
    /// Zeros.
    pub(crate) reserved: U32,
    /// The parent's file name, UTF-16BE, ended by a zero if it is shorter.
    pub(crate) parent_name: [u8; 512],
    /// Where the parent is.
    pub(crate) locators: [LocatorDisk; 8],
    /// Zeros.
    pub(crate) rest: [u8; 256],
}

/// One place where the parent may be.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct LocatorDisk {
    /// [`RELATIVE`], [`ABSOLUTE`] or another system's code; zeros: not used.
    pub(crate) code: [u8; 4],
    /// Room for the path. The specification counts it in sectors, everybody writes bytes: nothing
    /// can be read from it.
    pub(crate) space: U32,
    /// Bytes of the path, without a final zero.
    pub(crate) length: U32,
    /// Zeros.
    pub(crate) reserved: U32,
    /// Where the path is.
    pub(crate) offset: U64,
}

const _: () = {
    assert!(size_of::<FooterDisk>() == 512);
    assert!(offset_of!(FooterDisk, data_offset) == 16);
    assert!(offset_of!(FooterDisk, creator_app) == 28);
    assert!(offset_of!(FooterDisk, original_size) == 40);
    assert!(offset_of!(FooterDisk, cylinders) == 56);
    assert!(offset_of!(FooterDisk, disk_type) == 60);
    assert!(offset_of!(FooterDisk, checksum) == 64);
    assert!(offset_of!(FooterDisk, unique_id) == 68);
    assert!(offset_of!(FooterDisk, saved_state) == 84);
    assert!(size_of::<DynamicHeaderDisk>() == 1024);
    assert!(offset_of!(DynamicHeaderDisk, bat_offset) == 16);
    assert!(offset_of!(DynamicHeaderDisk, max_entries) == 28);
    assert!(offset_of!(DynamicHeaderDisk, block_size) == 32);
    assert!(offset_of!(DynamicHeaderDisk, checksum) == 36);
    assert!(offset_of!(DynamicHeaderDisk, parent_id) == 40);
    assert!(offset_of!(DynamicHeaderDisk, parent_name) == 64);
    assert!(offset_of!(DynamicHeaderDisk, locators) == 576);
    assert!(size_of::<LocatorDisk>() == 24);
    assert!(offset_of!(LocatorDisk, offset) == 16);
};

/// The checksum of a structure, from its bytes with the checksum field as it is.
pub(crate) fn checksum(bytes: &[u8], field: U32) -> u32 {
    let sum = |bytes: &[u8]| bytes.iter().fold(0_u32, |sum, &byte| sum.wrapping_add(byte.into()));
    !sum(bytes).wrapping_sub(sum(field.as_bytes()))
}

impl FooterDisk {
    /// Sets the checksum.
    pub(crate) fn sealed(mut self) -> Self {
        self.checksum = checksum(self.as_bytes(), self.checksum).into();
        self
    }
}

impl DynamicHeaderDisk {
    /// Sets the checksum.
    pub(crate) fn sealed(mut self) -> Self {
        self.checksum = checksum(self.as_bytes(), self.checksum).into();
        self
    }
}
