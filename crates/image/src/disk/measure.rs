//! How much there is to copy.

use imprint_blockio::{BlockDevice, Extent};
use imprint_progress::Progress;
use imprint_vdisk::{Container, MergeError};

use super::error::DiskError;

/// How many bytes of a disk are stored in any of its files.
pub(super) fn data_bytes(disk: &impl BlockDevice, progress: &Progress) -> Result<u64, DiskError> {
    let failed = |offset, length| move |source| DiskError::Read { offset, length, source };
    let size = disk.len().map_err(failed(0, 0))?;
    count(size, progress, |offset, length| {
        disk.extent(offset, length).map_err(failed(offset, length))
    })
}

/// How many bytes of a disk are stored in its own file, its parents left aside.
pub(super) fn own_bytes(
    disk: &(impl Container + ?Sized),
    progress: &Progress,
) -> Result<u64, DiskError> {
    count(disk.size(), progress, |offset, length| {
        Ok(disk.resolve_stored(offset, length).map_err(MergeError::Read)?)
    })
}

fn count(
    size: u64,
    progress: &Progress,
    find: impl Fn(u64, u64) -> Result<Extent, DiskError>,
) -> Result<u64, DiskError> {
    let (mut offset, mut data) = (0, 0);
    while offset < size {
        progress.check()?;
        let extent = find(offset, size - offset)?;
        if let Extent::Data { len, .. } = extent {
            data += len;
        }
        offset += extent.len();
    }
    Ok(data)
}
