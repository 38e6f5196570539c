//! The structures as they lie in the file. All integers are little-endian; offsets are bytes from the
//! start of the file unless a field says otherwise.
//!
//! Source: wimlib 1.14.5 headers, checked against files by WIMGAPI and wimlib; Microsoft's "Windows
//! Imaging File Format" paper of 2007 where it agrees with real files.

use std::mem::{offset_of, size_of};

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Where a resource is: 24 bytes.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct ResourceHeaderDisk {
    /// Bytes in the file, chunk table included: a 56-bit number.
    pub stored_size: [u8; 7],
    /// Bits of [`crate::ResourceFlags`].
    pub flags: u8,
    /// First byte in the file; inside a solid resource: first byte of the uncompressed data.
    pub offset: U64,
    /// Bytes when uncompressed.
    pub size: U64,
}

/// The file's header: 208 bytes at offset 0.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct HeaderDisk {
    /// `MSWIM\0\0\0`; `WLPWM\0\0\0` in pipable files.
    pub magic: U64,
    /// 208. Betas of Windows Vista had shorter headers.
    pub header_size: U32,
    /// 0x10D00, or 0xE00 where LZMS and solid resources are allowed.
    pub version: U32,
    /// Bits of [`crate::HeaderFlags`].
    pub flags: U32,
    /// Bytes of an uncompressed chunk outside solid resources; 0 without compression.
    pub chunk_size: U32,
    /// Names the file, or all parts of a split set.
    pub guid: [u8; 16],
    /// This part, from 1.
    pub part_number: U16,
    /// Number of parts, at least 1.
    pub total_parts: U16,
    /// Number of images.
    pub image_count: U32,
    /// The blob table, always uncompressed.
    pub blob_table: ResourceHeaderDisk,
    /// The XML data, always uncompressed.
    pub xml: ResourceHeaderDisk,
    /// Copy of the boot image's metadata entry, so that a boot loader finds it; zeros if none.
    pub boot_metadata: ResourceHeaderDisk,
    /// The image to boot, from 1; 0 if none.
    pub boot_index: U32,
    /// The integrity table; zeros if none. Only 4-byte aligned.
    pub integrity: ResourceHeaderDisk,
    /// Zeros.
    pub unused: [u8; 60],
}

/// An entry of the blob table: 50 bytes.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct BlobEntryDisk {
    /// Where the blob is.
    pub resource: ResourceHeaderDisk,
    /// The part of the split set that holds it, from 1.
    pub part_number: U16,
    /// How often the images refer to it. Not reliable in files by WIMGAPI.
    pub references: U32,
    /// SHA-1 of the uncompressed bytes; zeros in entries of solid resources themselves.
    pub hash: [u8; 20],
}

/// Start of a solid resource, before one [`U32`] stored size per chunk: 16 bytes.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct SolidHeaderDisk {
    /// Bytes of the whole resource when uncompressed.
    pub size: U64,
    /// Bytes of an uncompressed chunk; replaces the header's chunk size.
    pub chunk_size: U32,
    /// 0 none, 1 XPRESS, 2 LZX, 3 LZMS; replaces the header's flags.
    pub format: U32,
}

/// Start of an integrity table, before its 20-byte hashes: 12 bytes.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct IntegrityDisk {
    /// Bytes of the table, this structure included.
    pub table_size: U32,
    /// Number of hashes.
    pub count: U32,
    /// Bytes of the file under one hash.
    pub chunk_size: U32,
}

/// Start of the security data, before one [`U64`] size per descriptor: 8 bytes.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct SecurityDisk {
    /// Bytes of all security data, this structure included, before rounding up to 8; 0 means 8.
    pub total_length: U32,
    /// Number of descriptors.
    pub count: U32,
}

/// Fixed part of a directory entry: 102 bytes. The long name, the short name (each with a NUL if not
/// empty), padding to 8 and tagged items follow.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct DentryDisk {
    /// Bytes of the entry with names and tagged items, without stream entries, before rounding up to
    /// 8; a value up to 8 ends the directory and takes 8 bytes.
    pub length: U64,
    /// Win32 file attributes.
    pub attributes: U32,
    /// Index of the security descriptor; 0xFFFFFFFF if none.
    pub security_id: U32,
    /// Where the children's entries start, bytes from the start of the metadata; 0 if there are none.
    pub subdir_offset: U64,
    /// Zeros.
    pub reserved: [U64; 2],
    /// Creation time.
    pub creation_time: U64,
    /// Time of the last access.
    pub access_time: U64,
    /// Time of the last write.
    pub write_time: U64,
    /// Hash of the only unnamed stream; zeros if streams are in stream entries.
    pub main_hash: [u8; 20],
    /// Unknown, likely padding; kept.
    pub unknown_54: U32,
    /// With a reparse point: tag ([`U32`]), reserved field ([`U16`]), flags ([`U16`], bit 0: target
    /// was not adjusted). Otherwise the number of the hard-link group, 0 if the file has one name.
    pub link_or_reparse: [u8; 8],
    /// Number of stream entries that follow.
    pub stream_count: U16,
    /// Bytes of the short name without NUL.
    pub short_name_length: U16,
    /// Bytes of the long name without NUL.
    pub name_length: U16,
}

/// Fixed part of a stream entry: 38 bytes. The name follows, with a NUL if not empty, then padding.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct StreamEntryDisk {
    /// Bytes of the entry, before rounding up to 8.
    pub length: U64,
    /// Zero.
    pub reserved: U64,
    /// Hash of the stream; zeros if it is empty.
    pub hash: [u8; 20],
    /// Bytes of the name without NUL; 0 for the unnamed data stream and for reparse data.
    pub name_length: U16,
}

/// Head of a tagged item in the tail of a directory entry: 8 bytes, data follows, padded to 8.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct TaggedItemDisk {
    /// What the item is.
    pub tag: U32,
    /// Bytes of data.
    pub length: U32,
}

const _: () = {
    assert!(size_of::<ResourceHeaderDisk>() == 24);
    assert!(offset_of!(ResourceHeaderDisk, flags) == 7);
    assert!(offset_of!(ResourceHeaderDisk, offset) == 8);
    assert!(offset_of!(ResourceHeaderDisk, size) == 16);

    assert!(size_of::<HeaderDisk>() == 208);
    assert!(offset_of!(HeaderDisk, header_size) == 0x08);
    assert!(offset_of!(HeaderDisk, version) == 0x0c);
    assert!(offset_of!(HeaderDisk, flags) == 0x10);
    assert!(offset_of!(HeaderDisk, chunk_size) == 0x14);
    assert!(offset_of!(HeaderDisk, guid) == 0x18);
    assert!(offset_of!(HeaderDisk, part_number) == 0x28);
    assert!(offset_of!(HeaderDisk, total_parts) == 0x2a);
    assert!(offset_of!(HeaderDisk, image_count) == 0x2c);
    assert!(offset_of!(HeaderDisk, blob_table) == 0x30);
    assert!(offset_of!(HeaderDisk, xml) == 0x48);
    assert!(offset_of!(HeaderDisk, boot_metadata) == 0x60);
    assert!(offset_of!(HeaderDisk, boot_index) == 0x78);
    assert!(offset_of!(HeaderDisk, integrity) == 0x7c);
    assert!(offset_of!(HeaderDisk, unused) == 0x94);

    assert!(size_of::<BlobEntryDisk>() == 50);
    assert!(offset_of!(BlobEntryDisk, part_number) == 24);
    assert!(offset_of!(BlobEntryDisk, references) == 26);
    assert!(offset_of!(BlobEntryDisk, hash) == 30);

    assert!(size_of::<SolidHeaderDisk>() == 16);
    assert!(offset_of!(SolidHeaderDisk, chunk_size) == 8);
    assert!(offset_of!(SolidHeaderDisk, format) == 12);
    assert!(size_of::<IntegrityDisk>() == 12);
    assert!(offset_of!(IntegrityDisk, chunk_size) == 8);
    assert!(size_of::<SecurityDisk>() == 8);
    assert!(offset_of!(SecurityDisk, count) == 4);

    assert!(size_of::<DentryDisk>() == 102);
    assert!(offset_of!(DentryDisk, attributes) == 0x08);
    assert!(offset_of!(DentryDisk, security_id) == 0x0c);
    assert!(offset_of!(DentryDisk, subdir_offset) == 0x10);
    assert!(offset_of!(DentryDisk, creation_time) == 0x28);
    assert!(offset_of!(DentryDisk, access_time) == 0x30);
    assert!(offset_of!(DentryDisk, write_time) == 0x38);
    assert!(offset_of!(DentryDisk, main_hash) == 0x40);
    assert!(offset_of!(DentryDisk, unknown_54) == 0x54);
    assert!(offset_of!(DentryDisk, link_or_reparse) == 0x58);
    assert!(offset_of!(DentryDisk, stream_count) == 0x60);
    assert!(offset_of!(DentryDisk, short_name_length) == 0x62);
    assert!(offset_of!(DentryDisk, name_length) == 0x64);

    assert!(size_of::<StreamEntryDisk>() == 38);
    assert!(offset_of!(StreamEntryDisk, hash) == 0x10);
    assert!(offset_of!(StreamEntryDisk, name_length) == 0x24);
    assert!(size_of::<TaggedItemDisk>() == 8);
};
