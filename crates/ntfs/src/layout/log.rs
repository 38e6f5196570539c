//! `$LogFile`: what its first two pages say. Offsets count from the start of the page or of the area.
//!
//! Source: the header of ntfs-3g for the log file.

use super::*;

/// `RSTR`: a restart page.
pub(crate) const RESTART_SIGNATURE: u32 = u32::from_le_bytes(*b"RSTR");
/// `CHKD`: a restart page that chkdsk wrote.
pub(crate) const CHECKED_SIGNATURE: u32 = u32::from_le_bytes(*b"CHKD");
/// What programs that empty the log fill it with.
pub(crate) const EMPTY_SIGNATURE: u32 = 0xffff_ffff;
/// No client, where there would be the number of one.
pub(crate) const NO_CLIENT: u16 = 0xffff;
/// Flag of [`RestartAreaDisk`]: the volume was left in order.
pub(crate) const LEFT_CLEAN: u16 = 2;

/// The beginning of a restart page. The log has two of them, one page apart.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct RestartPageDisk {
    /// [`RESTART_SIGNATURE`] or [`CHECKED_SIGNATURE`].
    pub(crate) signature: U32,
    /// Where the update sequence is.
    pub(crate) sequence_offset: U16,
    /// Its words.
    pub(crate) sequence_count: U16,
    /// The last LSN that chkdsk found; else 0.
    pub(crate) checked_lsn: U64,
    /// Bytes of a page of the computer that made the log: a power of two, at least 512.
    pub(crate) system_page: U32,
    /// Bytes of a page of the log: a power of two, at least 512.
    pub(crate) log_page: U32,
    /// Where the restart area is, a multiple of 8.
    pub(crate) area: U16,
    /// With `major` the version: 1.1, or 2.0 while Windows 8 and later use the volume.
    pub(crate) minor: U16,
    pub(crate) major: U16,
}

/// The beginning of a restart area.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct RestartAreaDisk {
    /// The last LSN when it was written.
    pub(crate) lsn: U64,
    /// How many clients there is room for.
    pub(crate) clients: U16,
    /// The first that is free, or [`NO_CLIENT`].
    pub(crate) free: U16,
    /// The first that is in use, or [`NO_CLIENT`].
    pub(crate) in_use: U16,
    /// [`LEFT_CLEAN`].
    pub(crate) flags: U16,
}

const _: () = {
    assert!(size_of::<RestartPageDisk>() == 30);
    assert!(offset_of!(RestartPageDisk, area) == 24);
    assert!(size_of::<RestartAreaDisk>() == 16);
    assert!(offset_of!(RestartAreaDisk, in_use) == 12);
};
