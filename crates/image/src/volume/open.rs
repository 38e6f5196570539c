//! Finding a volume: a disk file, and a partition of it.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use imprint_blockio::{BlockDevice, ReadAt, Slice};
use imprint_partition::PartitionTable;
use imprint_vdisk::{Chain, Container, WritableContainer, WriteIds};

use super::VolumeError;
use super::error::Numbers;
use crate::disk::{ChainOptions, open_chain, open_chain_for_writing};

/// A disk, and which of its partitions is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumePath {
    /// The disk file or device.
    pub disk: PathBuf,
    /// The number of the partition; `None` if the disk is the volume.
    pub partition: Option<u32>,
}

impl VolumePath {
    /// Takes `DISK:NUMBER` apart. A file whose name ends in a colon and digits is that file.
    #[must_use]
    pub fn parse(path: &Path) -> Self {
        let whole = || Self { disk: path.to_owned(), partition: None };
        if fs_err::symlink_metadata(path).is_ok() {
            return whole();
        }
        let bytes = path.as_os_str().as_bytes();
        let Some(colon) = bytes.iter().rposition(|&byte| byte == b':') else { return whole() };
        let (disk, number) = bytes.split_at_checked(colon).unwrap_or((bytes, &[]));
        let number = std::str::from_utf8(number).ok().and_then(|text| text.get(1..));
        let number = number.and_then(|text| text.parse().ok());
        match number {
            Some(number) if !disk.is_empty() => {
                Self { disk: OsStr::from_bytes(disk).into(), partition: Some(number) }
            }
            _ => whole(),
        }
    }
}

/// A volume that can be written, with the disk it lies on.
pub struct WritableVolume {
    path: PathBuf,
    chain: Chain<dyn WritableContainer>,
    start: u64,
    len: u64,
}

impl WritableVolume {
    /// Its bytes.
    ///
    /// # Errors
    /// [`VolumeError::Io`] if the disk does not say how long it is.
    pub fn device(&self) -> Result<Slice<&Chain<dyn WritableContainer>>, VolumeError> {
        let failed = |source| VolumeError::Io { path: self.path.clone(), source };
        Slice::new(&self.chain, self.start, self.len).map_err(failed)
    }

    /// Its first byte on the disk.
    #[must_use]
    pub const fn start(&self) -> u64 {
        self.start
    }

    /// Bytes of the disk's sectors.
    #[must_use]
    pub fn sector_size(&self) -> u32 {
        self.chain.sector_size()
    }

    /// Closes the disk file; what was written is on stable storage then.
    ///
    /// # Errors
    /// [`VolumeError::Io`].
    pub fn close(self) -> Result<(), VolumeError> {
        let path = self.path;
        self.chain
            .close()
            .map_err(|source| VolumeError::Io { path, source: io::Error::other(source) })
    }
}

/// Opens a volume to change it, or to make a new one: on a partition, or a whole disk that has none.
///
/// # Errors
/// [`VolumeError`]; also if the disk has partitions and none is named, since making a volume of the whole
/// disk would destroy them.
pub fn open_for_writing(
    path: &VolumePath,
    options: &ChainOptions,
    ids: WriteIds,
) -> Result<WritableVolume, VolumeError> {
    let disk = &path.disk;
    let chain = open_chain_for_writing(disk, options, ids)?.chain;
    let failed = |source| VolumeError::Io { path: disk.clone(), source };
    let (start, len) = range(path, &chain, chain.len().map_err(failed)?)?;
    Ok(WritableVolume { path: disk.clone(), chain, start, len })
}

/// Where the volume is on its disk: first byte, and bytes.
fn range(
    path: &VolumePath,
    chain: &impl BlockDevice,
    whole: u64,
) -> Result<(u64, u64), VolumeError> {
    let disk = &path.disk;
    let table = PartitionTable::read(chain)
        .map_err(|source| VolumeError::Table { path: disk.clone(), source: Box::new(source) })?;
    let partitions = table.map(|table| table.partitions().to_vec()).unwrap_or_default();
    let there = || Numbers(partitions.iter().map(|partition| partition.number).collect());
    match path.partition {
        Some(number) => {
            let found = partitions.iter().find(|partition| partition.number == number);
            let found = found.ok_or_else(|| VolumeError::NoPartition {
                path: disk.clone(),
                number,
                there: there(),
            })?;
            Ok((found.start, found.len))
        }
        None if partitions.is_empty() => Ok((0, whole)),
        None => Err(VolumeError::Unnamed { path: disk.clone(), there: there() }),
    }
}

/// A volume that can be read, with the disk it lies on.
pub type ReadableVolume = Slice<Chain<dyn Container>>;

/// Opens the volume on a partition, or on a whole disk that has none.
///
/// # Errors
/// [`VolumeError`]; also if the disk has partitions and none is named.
pub fn open_volume(
    path: &VolumePath,
    options: &ChainOptions,
) -> Result<ReadableVolume, VolumeError> {
    let failed = |source| VolumeError::Io { path: path.disk.clone(), source };
    let chain = open_chain(&path.disk, options)?.chain;
    let (start, len) = range(path, &chain, chain.len().map_err(failed)?)?;
    Slice::new(chain, start, len).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, disk: &str, partition: Option<u32>) {
        let expected = VolumePath { disk: disk.into(), partition };
        assert_eq!(VolumePath::parse(Path::new(path)), expected);
    }

    #[test]
    fn a_number_behind_a_colon_names_a_partition() {
        check("nowhere/pc.vhdx:3", "nowhere/pc.vhdx", Some(3));
        check("nowhere/pc.vhdx", "nowhere/pc.vhdx", None);
        check("nowhere/pc:x", "nowhere/pc:x", None);
        check("nowhere/pc:", "nowhere/pc:", None);
        check(":3", ":3", None);
    }
}
