//! What disk files say of themselves, and where the bytes of a disk are.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use imprint_blockio::{BlockDevice, Extent};
use imprint_progress::Progress;
use imprint_vdisk::{Chain, Container, Format, Kind, ParentLink};
use imprint_winvalues::Guid;

use super::error::DiskError;

/// One file of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskInfo {
    /// The format.
    pub format: Format,
    /// How it gets its room.
    pub kind: Kind,
    /// The size of the disk in bytes.
    pub size: u64,
    /// The logical sector size in bytes.
    pub sector_size: u32,
    /// The physical sector size in bytes.
    pub physical_sector_size: u32,
    /// The unit of allocation in bytes; 0 if there is none.
    pub block_size: u32,
    /// What children know it by.
    pub identity: Option<Guid>,
    /// What it says of its parent.
    pub parent: Option<ParentLink>,
}

impl DiskInfo {
    /// Asks a disk file.
    #[must_use]
    pub fn of(disk: &(impl Container + ?Sized)) -> Self {
        Self {
            format: disk.format(),
            kind: disk.kind(),
            size: disk.size(),
            sector_size: disk.sector_size(),
            physical_sector_size: disk.physical_sector_size(),
            block_size: disk.block_size(),
            identity: disk.identity(),
            parent: disk.parent().cloned(),
        }
    }
}

/// The length of a file and the room it takes, bytes.
///
/// # Errors
/// Whatever the system reports.
pub fn file_room(path: &Path) -> std::io::Result<(u64, u64)> {
    let metadata = fs_err::metadata(path)?;
    Ok((metadata.len(), metadata.blocks().saturating_mul(512)))
}

/// Calls `each` with every extent of a disk in order: where it begins on the disk, and where it is.
/// Neighbours that are of one kind and stand in one piece are one extent.
///
/// # Errors
/// [`DiskError::Read`], [`DiskError::Cancelled`], and the first error of `each`.
pub fn map_disk<E: From<DiskError>>(
    disk: &Chain<dyn Container>,
    progress: &Progress,
    mut each: impl FnMut(u64, Extent) -> Result<(), E>,
) -> Result<(), E> {
    let mut offset = 0;
    let mut pending: Option<(u64, Extent)> = None;
    while offset < disk.size() {
        progress.check().map_err(DiskError::from)?;
        let length = disk.size() - offset;
        let next = disk.extent(offset, length).map_err(|source| DiskError::Read {
            offset,
            length,
            source,
        })?;
        let here = offset;
        offset += next.len();
        pending = match pending {
            None => Some((here, next)),
            Some((start, before)) => match joined(before, next) {
                Some(both) => Some((start, both)),
                None => {
                    each(start, before)?;
                    Some((here, next))
                }
            },
        };
    }
    match pending {
        Some((start, last)) => each(start, last),
        None => Ok(()),
    }
}

/// Two neighbours as one extent, if they can be.
fn joined(first: Extent, second: Extent) -> Option<Extent> {
    match (first, second) {
        (Extent::Zero { len: a }, Extent::Zero { len: b }) => Some(Extent::Zero { len: a + b }),
        (
            Extent::Data { file, offset, len },
            Extent::Data { file: other, offset: next, len: more },
        ) if file == other && offset + len == next => {
            Some(Extent::Data { file, offset, len: len + more })
        }
        _ => None,
    }
}
