//! What a new disk file is to be.

use imprint_winvalues::{FileTime, Guid};

use crate::Kind;

/// A disk file to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDisk {
    /// How it gets its room; [`Kind::Differencing`] exactly if there is a `parent`.
    pub kind: Kind,
    /// The size of the disk in bytes, a multiple of the sector size.
    pub size: u64,
    /// The unit of allocation in bytes; `None` is what Windows takes (VHD 2 MiB; VHDX 32 MiB, and
    /// 2 MiB for differencing disks).
    pub block_size: Option<u32>,
    /// The logical sector size: 512, for VHDX also 4096.
    pub sector_size: u32,
    /// VHDX: the physical sector size, 512 or 4096.
    pub physical_sector_size: u32,
    /// The identity it begins with (see [`Container::identity`](crate::Container::identity)).
    pub identity: Guid,
    /// VHDX: the `FileWriteGuid` it begins with.
    pub file_write: Guid,
    /// VHDX: the disk's own id (page 83 data), the same in all disks of a chain.
    pub disk_id: Guid,
    /// VHD: when it was made.
    pub created: FileTime,
    /// What it differs from.
    pub parent: Option<NewParent>,
}

/// The parent of a disk file to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewParent {
    /// Its identity.
    pub identity: Guid,
    /// When its file was last changed (VHD).
    pub modified: FileTime,
    /// Its path from the child's folder, as Windows writes it: `.\base.vhdx`.
    pub relative: String,
    /// Its absolute Windows path, if there is one: `D:\imprint\base.vhdx`.
    pub absolute: Option<String>,
}
