//! Our own: what an edit leaves in `$LogFile` until it is done.

use super::*;

pub(crate) const JOURNAL_MAGIC: u64 = u64::from_le_bytes(*b"IMPRJRN1");

/// Begins the journal.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct JournalHeaderDisk {
    pub(crate) magic: U64,
    /// The volume's serial number.
    pub(crate) serial: U64,
    /// Bytes of the changes, behind the sector of the header.
    pub(crate) length: U64,
    /// CRC-64/NVME of the changes.
    pub(crate) crc: U64,
    /// 1 if the volume is to stay dirty.
    pub(crate) stays_dirty: U64,
    /// CRC-64/NVME of the fields before.
    pub(crate) header_crc: U64,
}

/// Begins a change; its bytes follow, whole sectors of 512 bytes.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct ChangeDisk {
    /// Where, bytes from the start of the volume.
    pub(crate) offset: U64,
    pub(crate) length: U64,
}

const _: () = {
    assert!(size_of::<JournalHeaderDisk>() == 48);
    assert!(offset_of!(JournalHeaderDisk, header_crc) == 40);
    assert!(size_of::<ChangeDisk>() == 16);
};
