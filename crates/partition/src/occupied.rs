//! What a device holds already.

use std::fmt;

use imprint_blockio::{BlockDevice, Extent};

use crate::layout::GptHeaderDisk;
use crate::reader::Disk;
use crate::volume;
use crate::wanted::MIB;
use crate::{Corruption, PartitionTable, ReadError, Structure};

/// Why a device is not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Occupied {
    /// It has a partition table.
    Table(PartitionTable),
    /// It has a partition table that is damaged.
    DamagedTable(Corruption),
    /// It is one volume.
    Volume,
    /// There is something in its first MiB.
    Data {
        /// The first byte that is not zero.
        offset: u64,
    },
    /// The backup of a GPT stands in its last sector.
    Backup {
        /// Where.
        offset: u64,
    },
}

impl fmt::Display for Occupied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(table) => {
                write!(f, "partition table with {} partitions", table.partitions().len())
            }
            Self::DamagedTable(fault) => write!(f, "damaged partition table ({fault})"),
            Self::Volume => f.write_str("volume without a partition table"),
            Self::Data { offset } => write!(f, "data at offset {offset:#x}"),
            Self::Backup { offset } => write!(f, "backup of a GPT at offset {offset:#x}"),
        }
    }
}

impl Occupied {
    /// Looks whether anything on a device would be lost if it were partitioned: a table, or anything
    /// in its first MiB, where every file system has its beginning. `None`: it looks empty.
    ///
    /// # Errors
    /// [`ReadError::Io`].
    pub fn look(device: &impl BlockDevice) -> Result<Option<Self>, ReadError> {
        match PartitionTable::read(device) {
            Ok(Some(table)) => return Ok(Some(Self::Table(table))),
            Ok(None) => {}
            Err(ReadError::Corruption(fault)) => return Ok(Some(Self::DamagedTable(fault))),
            // Made for other sectors: it is there all the same.
            Err(ReadError::SectorSize { .. }) => return Ok(Some(Self::Data { offset: 0 })),
            Err(error @ ReadError::Io { .. }) => return Err(error),
        }
        let disk = Disk::new(device)?;
        if disk.len >= 512 {
            let first: [u8; 512] = disk.read(Structure::Mbr, 0)?;
            if volume::is_boot_sector(&first) {
                return Ok(Some(Self::Volume));
            }
        }
        if let Some(offset) = first_data(&disk, device)? {
            return Ok(Some(Self::Data { offset }));
        }
        let last = disk.byte(disk.sectors().saturating_sub(1));
        if disk.sectors() > 1 {
            let signature: [u8; 8] = disk.read(Structure::GptBackupHeader, last)?;
            if u64::from_le_bytes(signature) == GptHeaderDisk::SIGNATURE {
                return Ok(Some(Self::Backup { offset: last }));
            }
        }
        Ok(None)
    }
}

/// The first byte of the first MiB that is not zero.
fn first_data<D: BlockDevice>(disk: &Disk<'_, D>, device: &D) -> Result<Option<u64>, ReadError> {
    let end = disk.len.min(MIB);
    let mut buffer = vec![0; 64 << 10];
    let mut at = 0;
    while at < end {
        let most = (end - at).min(buffer.len() as u64);
        let extent = device.extent(at, most).map_err(|source| ReadError::Io {
            structure: Structure::OldData,
            offset: at,
            length: most,
            source,
        })?;
        let len = extent.len().min(most).max(1);
        let piece = usize::try_from(len).ok().and_then(|len| buffer.get_mut(..len));
        let piece = piece.unwrap_or_default();
        if !matches!(extent, Extent::Zero { .. }) {
            disk.fill(Structure::OldData, at, piece)?;
            if let Some(found) = piece.iter().position(|&byte| byte != 0) {
                return Ok(Some(at + found as u64));
            }
        }
        at += len;
    }
    Ok(None)
}
