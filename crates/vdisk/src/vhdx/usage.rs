//! Which MiB of a file belong to what.

use super::layout::MIB;
use super::region::Region;
use crate::Structure;

/// The longest file that is looked at, in MiB: 128 TiB, twice the largest disk. A longer one has no
/// honest use, and what is kept of this one takes 32 MiB of memory.
const MAX_MIBS: u64 = 128 << 20;

/// What the bits of a cell mean: nothing, a region, a block, a sector bitmap.
const REGION: u8 = 1;
const PAYLOAD: u8 = 2;
const BITMAP: u8 = 3;

/// What every MiB of a file belongs to: two bits for each, so that overlaps are found in one pass over
/// a table of any length.
#[derive(Debug)]
pub(crate) struct Usage {
    /// Four cells per byte.
    cells: Vec<u8>,
    /// How many there are.
    count: u64,
    regions: Vec<(Structure, Region)>,
}

/// Bytes that were taken before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overlap {
    pub(crate) first: Structure,
    pub(crate) shared: Region,
}

impl Usage {
    /// For a file of `length` bytes.
    pub(crate) fn new(length: u64) -> Self {
        let count = length.div_ceil(MIB).min(MAX_MIBS);
        let bytes = usize::try_from(count.div_ceil(4)).unwrap_or(0);
        Self { cells: vec![0; bytes], count, regions: Vec::new() }
    }

    /// Takes a region of whole MiB for something that is neither block nor bitmap.
    pub(crate) fn take_region(&mut self, structure: Structure, region: Region) {
        self.regions.push((structure, region));
        for mib in self.mibs(region) {
            self.set(mib, REGION);
        }
    }

    /// Takes room for a payload block or a sector bitmap block and reports what was taken before, one
    /// report for each piece that belonged to something else.
    pub(crate) fn take_block(
        &mut self,
        structure: Structure,
        region: Region,
        report: &mut dyn FnMut(Overlap),
    ) {
        let class = if structure == Structure::SectorBitmap { BITMAP } else { PAYLOAD };
        let mut pending: Option<Overlap> = None;
        for mib in self.mibs(region) {
            let before = self.get(mib);
            let place = Region { offset: mib * MIB, length: MIB };
            match (self.owner(before, place), &mut pending) {
                (Some(first), Some(overlap)) if overlap.first == first => {
                    overlap.shared.length += MIB;
                }
                (owner, pending) => {
                    if let Some(overlap) = pending.take() {
                        report(overlap);
                    }
                    *pending = owner.map(|first| Overlap { first, shared: place });
                }
            }
            if before == 0 {
                self.set(mib, class);
            }
        }
        if let Some(overlap) = pending {
            report(overlap);
        }
    }

    /// How many bytes belong to nothing, of a file of `length` bytes.
    pub(crate) fn free(&self, length: u64) -> u64 {
        let free = (0..self.count).filter(|&mib| self.get(mib) == 0);
        free.map(|mib| length.saturating_sub(mib * MIB).min(MIB)).sum()
    }

    fn owner(&self, cell: u8, place: Region) -> Option<Structure> {
        match cell {
            0 => None,
            PAYLOAD => Some(Structure::Payload),
            BITMAP => Some(Structure::SectorBitmap),
            _ => self
                .regions
                .iter()
                .find(|(_, region)| region.shared(&place).is_some())
                .map_or(Some(Structure::RegionTable), |&(structure, _)| Some(structure)),
        }
    }

    fn mibs(&self, region: Region) -> std::ops::Range<u64> {
        let end = region.end().div_ceil(MIB).min(self.count);
        (region.offset / MIB).min(end)..end
    }

    fn get(&self, mib: u64) -> u8 {
        let cell = usize::try_from(mib / 4).ok().and_then(|index| self.cells.get(index));
        cell.map_or(0, |cell| cell >> (mib % 4 * 2) & 3)
    }

    fn set(&mut self, mib: u64, class: u8) {
        let cell = usize::try_from(mib / 4).ok().and_then(|index| self.cells.get_mut(index));
        if let Some(cell) = cell {
            let shift = mib % 4 * 2;
            *cell = *cell & !(3 << shift) | class << shift;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlaps_name_the_first_owner() {
        let region = |mib, length| Region { offset: mib * MIB, length: length * MIB };
        let mut usage = Usage::new(9 * MIB + 5);
        usage.take_region(Structure::Header, region(0, 1));
        usage.take_region(Structure::Bat, region(2, 2));
        let mut found = Vec::new();
        let mut take = |usage: &mut Usage, structure, region| {
            usage.take_block(structure, region, &mut |overlap| {
                found.push((
                    overlap.first,
                    overlap.shared.offset / MIB,
                    overlap.shared.length / MIB,
                ));
            });
        };
        take(&mut usage, Structure::Payload, region(6, 2));
        take(&mut usage, Structure::SectorBitmap, region(5, 1));
        take(&mut usage, Structure::Payload, region(0, 7));
        take(&mut usage, Structure::Payload, region(u64::MAX / MIB - 1, 5));
        assert_eq!(
            found,
            [
                (Structure::Header, 0, 1),
                (Structure::Bat, 2, 2),
                (Structure::SectorBitmap, 5, 1),
                (Structure::Payload, 6, 1),
            ]
        );
        assert_eq!(usage.free(9 * MIB + 5), MIB + 5);
        assert_eq!(Usage::new(u64::MAX).cells.len(), 32 << 20);
    }
}
