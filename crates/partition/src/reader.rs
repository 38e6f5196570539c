//! Which table a device has.

use imprint_blockio::{BlockDevice, Expected};

use crate::layout::MbrDisk;
use crate::{Corruption, Partition, PartitionTable, ReadError, Structure, Warning};
use crate::{gpt, mbr, volume};

impl PartitionTable {
    /// Reads the partition table of a device. `None`: it has none, but is empty or a bare volume.
    ///
    /// # Errors
    /// [`ReadError::Corruption`] if a table is there, but no copy of it is whole: broken checksums,
    /// partitions outside the device or over each other, endless chains.
    pub fn read(device: &impl BlockDevice) -> Result<Option<Self>, ReadError> {
        let disk = Disk::new(device)?;
        if disk.len < 512 {
            return Ok(None);
        }
        let bytes: [u8; 512] = disk.read(Structure::Mbr, 0)?;
        if volume::is_boot_sector(&bytes) {
            return Ok(None);
        }
        let sector: MbrDisk = zerocopy::transmute!(bytes);
        let marked = sector.mark.get() == MbrDisk::MARK;
        let plausible = marked && sector.entries.iter().all(|entry| entry.flag & 0x7f == 0);
        if plausible && sector.entries.iter().any(|entry| entry.kind == mbr::PROTECTIVE) {
            let mut table = gpt::read(&disk)?;
            if sector
                .entries
                .iter()
                .any(|entry| mbr::is_used(entry) && entry.kind != mbr::PROTECTIVE)
            {
                table.warnings.push(Warning::Hybrid);
            }
            return Ok(Some(table));
        }
        if plausible && sector.entries.iter().any(mbr::is_used) {
            let mut table = mbr::read(&disk, &sector)?;
            if gpt::is_there(&disk)? {
                table.warnings.push(Warning::GptIgnored);
            }
            return Ok(Some(table));
        }
        // Nothing in the first sector says that there is a table: only a whole one is believed, and
        // never a backup alone, which outlives the table of a disk that became one volume.
        if gpt::is_there(&disk)? {
            match gpt::read_first(&disk) {
                Ok(mut table) => {
                    table.warnings.push(Warning::NoProtectiveMbr);
                    return Ok(Some(table));
                }
                Err(ReadError::Corruption(_)) => {}
                Err(error) => return Err(error),
            }
        }
        if plausible { mbr::read(&disk, &sector).map(Some) } else { Ok(None) }
    }
}

/// A device and its measures.
pub(crate) struct Disk<'a, D> {
    device: &'a D,
    /// Bytes.
    pub(crate) len: u64,
    /// Bytes.
    pub(crate) sector_size: u32,
}

impl<'a, D: BlockDevice> Disk<'a, D> {
    pub(crate) fn new(device: &'a D) -> Result<Self, ReadError> {
        let len = device.len().map_err(|source| ReadError::Io {
            structure: Structure::Mbr,
            offset: 0,
            length: 0,
            source,
        })?;
        Ok(Self { device, len, sector_size: device.sector_size().max(512) })
    }

    /// The same device with sectors of another size.
    pub(crate) const fn with_sector_size(&self, sector_size: u32) -> Self {
        Self { device: self.device, len: self.len, sector_size }
    }

    /// How many whole sectors there are.
    pub(crate) fn sectors(&self) -> u64 {
        self.len / u64::from(self.sector_size)
    }

    /// The first byte of a sector, cut to `u64::MAX`.
    pub(crate) fn byte(&self, sector: u64) -> u64 {
        sector.saturating_mul(u64::from(self.sector_size))
    }

    /// Reads `N` bytes.
    pub(crate) fn read<const N: usize>(
        &self,
        structure: Structure,
        offset: u64,
    ) -> Result<[u8; N], ReadError> {
        let mut bytes = [0; N];
        self.fill(structure, offset, &mut bytes)?;
        Ok(bytes)
    }

    /// Fills `bytes`, which must lie inside the device.
    pub(crate) fn fill(
        &self,
        structure: Structure,
        offset: u64,
        bytes: &mut [u8],
    ) -> Result<(), ReadError> {
        self.device.read_exact_at(bytes, offset).map_err(|source| ReadError::Io {
            structure,
            offset,
            length: bytes.len() as u64,
            source,
        })
    }
}

/// A partition and where its table says where it is.
pub(crate) struct Entry {
    pub(crate) partition: Partition,
    pub(crate) structure: Structure,
    /// The field with its first sector, on the device.
    pub(crate) offset: u64,
}

/// Returns the partitions in the order of their numbers, unless two take the same sector.
pub(crate) fn without_overlaps(
    mut entries: Vec<Entry>,
    sector_size: u32,
) -> Result<Vec<Partition>, Corruption> {
    let sector = u64::from(sector_size.max(1));
    entries.sort_by_key(|entry| (entry.partition.start, entry.partition.number));
    let mut free = 0;
    for entry in entries.iter().filter(|entry| !entry.partition.kind.is_extended()) {
        let start = entry.partition.start;
        if start < free {
            return Err(Corruption::number(
                entry.structure,
                entry.offset,
                "partition's first sector",
                Expected::AtLeast(free / sector),
                start / sector,
            ));
        }
        free = entry.partition.end();
    }
    let mut partitions: Vec<_> = entries.into_iter().map(|entry| entry.partition).collect();
    partitions.sort_by_key(|partition| partition.number);
    Ok(partitions)
}
