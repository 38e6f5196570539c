//! A disk without what its file systems do not use.

use std::io;

use imprint_blockio::{BlockDevice, Extent, ReadAt, Slice, check_range};
use imprint_ntfs::{Lcn, Volume};
use imprint_partition::PartitionTable;

use super::error::DiskError;

/// A disk on which clusters that its NTFS volumes do not use are zeros. All else is as it was: other file systems, and
/// what lies between partitions.
#[derive(Debug)]
pub(super) struct InUse<'a, D> {
    disk: &'a D,
    /// What is not in use, in order: first byte, and bytes.
    free: Vec<(u64, u64)>,
}

impl<'a, D: BlockDevice> InUse<'a, D> {
    /// Looks at the volumes of a disk. One that was not closed counts as used whole.
    ///
    /// # Errors
    /// [`DiskError::Read`].
    pub(super) fn new(disk: &'a D) -> Result<Self, DiskError> {
        let failed = |source| DiskError::Read { offset: 0, length: 0, source };
        let whole = disk.len().map_err(failed)?;
        let table = PartitionTable::read(disk).ok().flatten();
        let mut places: Vec<(u64, u64)> = table.map_or_else(Vec::new, |table| {
            table.partitions().iter().map(|found| (found.start, found.len)).collect()
        });
        if places.is_empty() {
            places.push((0, whole));
        }
        places.sort_unstable();
        let mut free = Vec::new();
        for (start, len) in places {
            if let Ok(window) = Slice::new(disk, start, len)
                && let Ok(volume) = Volume::open(window)
                && volume.state().is_ok_and(|state| state.reasons().is_empty())
            {
                // Of a volume whose bitmap cannot be read, all is kept.
                free.extend(free_of(&volume, start).unwrap_or_default());
            }
        }
        Ok(Self { disk, free })
    }

    /// How much of `len` bytes at `offset` is used, or is not, from the first byte on.
    fn run(&self, offset: u64, len: u64) -> (bool, u64) {
        let index = self.free.partition_point(|(start, count)| start + count <= offset);
        match self.free.get(index) {
            Some(&(start, count)) if start <= offset => (false, len.min(start + count - offset)),
            Some(&(start, _)) => (true, len.min(start - offset)),
            None => (true, len),
        }
    }
}

/// The free clusters of a volume that begins at `start`, as bytes of the disk.
fn free_of(
    volume: &Volume<impl ReadAt>,
    start: u64,
) -> Result<Vec<(u64, u64)>, imprint_ntfs::ReadError> {
    let geometry = volume.geometry();
    let cluster = u64::from(geometry.cluster_size);
    let mut free = Vec::new();
    let mut at = 0;
    for range in volume.used_ranges()? {
        let range = range?;
        let Lcn(first) = range.first;
        if first > at {
            free.push((start + at * cluster, (first - at) * cluster));
        }
        at = first + range.length;
    }
    if at < geometry.clusters() {
        free.push((start + at * cluster, (geometry.clusters() - at) * cluster));
    }
    Ok(free)
}

impl<D: BlockDevice> ReadAt for InUse<'_, D> {
    fn read_exact_at(&self, mut buf: &mut [u8], mut offset: u64) -> io::Result<()> {
        check_range(offset, buf.len() as u64, self.len()?)?;
        while !buf.is_empty() {
            let (used, length) = self.run(offset, buf.len() as u64);
            let length = usize::try_from(length).unwrap_or(buf.len()).clamp(1, buf.len());
            let (part, rest) = buf.split_at_mut(length);
            if used {
                self.disk.read_exact_at(part, offset)?;
            } else {
                part.fill(0);
            }
            (buf, offset) = (rest, offset + length as u64);
        }
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        self.disk.len()
    }
}

impl<D: BlockDevice> BlockDevice for InUse<'_, D> {
    fn sector_size(&self) -> u32 {
        self.disk.sector_size()
    }

    fn extent(&self, offset: u64, len: u64) -> io::Result<Extent> {
        let (used, length) = self.run(offset, len);
        if used { self.disk.extent(offset, length) } else { Ok(Extent::Zero { len: length }) }
    }
}
