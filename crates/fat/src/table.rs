//! The file allocation table, of which only the pages in use are held in memory.

use std::collections::BTreeMap;

use imprint_blockio::{Expected, ReadAt, WriteAt};

use crate::geometry::{FIRST_CLUSTER, Geometry};
use crate::{Corruption, ReadError, Structure, WriteError};

/// Bytes of a page.
const PAGE: usize = 4096;
/// Entries of a page.
const PER_PAGE: u32 = 1024;
/// At most this many pages are held: 4 MiB, which is a volume of 4 GiB with the usual clusters.
const MAX_PAGES: usize = 1024;
/// The bits of an entry that count.
const MASK: u32 = 0x0fff_ffff;
/// From here on an entry ends a chain.
const END: u32 = 0x0fff_fff8;
/// What ends the chains we write.
const LAST: u32 = 0x0fff_ffff;
/// Bit of the entry of cluster 1: the volume was closed.
const CLOSED: u32 = 1 << 27;

/// Neighbouring clusters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) first: u32,
    pub(crate) count: u32,
}

#[derive(Debug)]
struct Page {
    bytes: Box<[u8; PAGE]>,
    changed: bool,
}

/// Part of the table.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pages: BTreeMap<u32, Page>,
}

impl Table {
    /// The entry of a cluster, which must exist, or of the two before them.
    fn get(
        &mut self,
        device: &impl ReadAt,
        geometry: &Geometry,
        cluster: u32,
    ) -> Result<u32, ReadError> {
        let page = self.page(device, geometry, cluster / PER_PAGE)?;
        let entries = page.bytes.as_chunks::<4>().0;
        let entry = entries.get(index(cluster)).copied().unwrap_or_default();
        Ok(u32::from_le_bytes(entry))
    }

    fn page(
        &mut self,
        device: &impl ReadAt,
        geometry: &Geometry,
        number: u32,
    ) -> Result<&mut Page, ReadError> {
        if !self.pages.contains_key(&number) && self.pages.len() >= MAX_PAGES {
            self.pages.retain(|_, page| page.changed);
        }
        match self.pages.entry(number) {
            std::collections::btree_map::Entry::Occupied(there) => Ok(there.into_mut()),
            std::collections::btree_map::Entry::Vacant(empty) => {
                let mut bytes = Box::new([0; PAGE]);
                let (offset, len) = place(geometry, number);
                let piece = bytes.get_mut(..len).unwrap_or_default();
                device.read_exact_at(piece, offset).map_err(|source| ReadError::Io {
                    structure: Structure::Fat,
                    offset,
                    length: len as u64,
                    source,
                })?;
                Ok(empty.insert(Page { bytes, changed: false }))
            }
        }
    }

    fn set(
        &mut self,
        device: &impl WriteAt,
        geometry: &Geometry,
        cluster: u32,
        value: u32,
    ) -> Result<(), WriteError> {
        if self.pages.len() >= MAX_PAGES && self.pages.values().all(|page| page.changed) {
            self.write(device, geometry)?;
        }
        let page = self.page(device, geometry, cluster / PER_PAGE)?;
        if let Some(entry) = page.bytes.as_chunks_mut::<4>().0.get_mut(index(cluster)) {
            let old = u32::from_le_bytes(*entry);
            *entry = (old & !MASK | value & MASK).to_le_bytes();
            page.changed = true;
        }
        Ok(())
    }

    /// Writes what was changed into all FATs.
    pub(crate) fn write(
        &mut self,
        device: &impl WriteAt,
        geometry: &Geometry,
    ) -> Result<(), WriteError> {
        for (&number, page) in self.pages.iter_mut().filter(|(_, page)| page.changed) {
            let (offset, len) = place(geometry, number);
            let piece = page.bytes.get(..len).unwrap_or_default();
            for copy in 0..geometry.fats.1 - geometry.fats.0 {
                let offset = offset + u64::from(copy) * geometry.fat_len;
                device.write_all_at(piece, offset).map_err(|source| WriteError::Io {
                    structure: Structure::Fat,
                    offset,
                    length: len as u64,
                    source,
                })?;
            }
            page.changed = false;
        }
        Ok(())
    }

    /// Follows the chain that begins at `first` for at most `most` clusters.
    ///
    /// # Errors
    /// [`ReadError::Corruption`] at what is no cluster, and if the chain goes round in circles.
    pub(crate) fn chain(
        &mut self,
        device: &impl ReadAt,
        geometry: &Geometry,
        first: u32,
        most: u64,
    ) -> Result<Chain, ReadError> {
        let mut runs: Vec<Run> = Vec::new();
        let (mut cluster, mut count, mut ends) = (first, 0_u64, false);
        // No chain without a circle has more clusters than there are.
        let limit = most.min(geometry.clusters.into());
        while count < limit {
            match runs.last_mut() {
                Some(run) if run.first + run.count == cluster => run.count += 1,
                _ => runs.push(Run { first: cluster, count: 1 }),
            }
            count += 1;
            let next = self.get(device, geometry, cluster)? & MASK;
            if next >= END {
                ends = true;
                break;
            }
            if !geometry.has(next) {
                let at = geometry.entry(cluster);
                let (expected, actual) = (geometry.legal(), next.into());
                return Err(Corruption::number(
                    Structure::Fat,
                    at,
                    "next cluster",
                    expected,
                    actual,
                )
                .into());
            }
            cluster = next;
        }
        if !ends && limit < most {
            let expected = Expected::AtMost(geometry.clusters.into());
            let at = geometry.entry(cluster);
            return Err(Corruption::number(
                Structure::Fat,
                at,
                "clusters of a chain",
                expected,
                count + 1,
            )
            .into());
        }
        Ok(Chain { runs, count, ends })
    }

    /// Takes `count` free clusters, chains them and returns them. The search begins at `hint`.
    pub(crate) fn take(
        &mut self,
        device: &impl WriteAt,
        geometry: &Geometry,
        hint: u32,
        count: u64,
    ) -> Result<Vec<Run>, WriteError> {
        let runs = self.free_runs(device, geometry, hint, count)?;
        let clusters = || runs.iter().flat_map(|run| run.first..run.first + run.count);
        let nexts = clusters().skip(1).chain([LAST]);
        for (cluster, next) in clusters().zip(nexts) {
            self.set(device, geometry, cluster, next)?;
        }
        Ok(runs)
    }

    fn free_runs(
        &mut self,
        device: &impl ReadAt,
        geometry: &Geometry,
        hint: u32,
        wanted: u64,
    ) -> Result<Vec<Run>, WriteError> {
        let end = FIRST_CLUSTER + geometry.clusters;
        let hint = if geometry.has(hint) { hint } else { FIRST_CLUSTER };
        let mut runs: Vec<Run> = Vec::new();
        let mut free = 0;
        for cluster in (hint..end).chain(FIRST_CLUSTER..hint) {
            if free == wanted {
                break;
            }
            if self.get(device, geometry, cluster)? & MASK != 0 {
                continue;
            }
            free += 1;
            match runs.last_mut() {
                Some(run) if run.first + run.count == cluster => run.count += 1,
                _ => runs.push(Run { first: cluster, count: 1 }),
            }
        }
        if free < wanted { Err(WriteError::Full { wanted, free }) } else { Ok(runs) }
    }

    /// Gives the clusters of a chain back; returns how many there were.
    pub(crate) fn give_back(
        &mut self,
        device: &impl WriteAt,
        geometry: &Geometry,
        first: u32,
    ) -> Result<u64, WriteError> {
        let chain = self.chain(device, geometry, first, u64::MAX)?;
        for cluster in chain.runs.iter().flat_map(|run| run.first..run.first + run.count) {
            self.set(device, geometry, cluster, 0)?;
        }
        Ok(chain.count)
    }

    /// Lets a chain that ends with `last` go on with `more`.
    pub(crate) fn append(
        &mut self,
        device: &impl WriteAt,
        geometry: &Geometry,
        last: u32,
        more: u32,
    ) -> Result<(), WriteError> {
        self.set(device, geometry, last, more)
    }

    /// Marks the volume as closed or not, in all FATs, at once.
    pub(crate) fn mark(
        &mut self,
        device: &impl WriteAt,
        geometry: &Geometry,
        closed: bool,
    ) -> Result<(), WriteError> {
        let old = self.get(device, geometry, 1)?;
        let new = if closed { old | CLOSED } else { old & !CLOSED };
        self.set(device, geometry, 1, new)?;
        self.write(device, geometry)
    }

    /// Whether the volume was closed when it was written last.
    pub(crate) fn is_closed(
        &mut self,
        device: &impl ReadAt,
        geometry: &Geometry,
    ) -> Result<bool, ReadError> {
        Ok(self.get(device, geometry, 1)? & CLOSED != 0)
    }
}

/// The beginning of a chain, or all of it.
pub(crate) struct Chain {
    pub(crate) runs: Vec<Run>,
    /// Clusters of the runs.
    pub(crate) count: u64,
    /// Whether it is all.
    pub(crate) ends: bool,
}

/// The first byte of a page in the FAT that is read, and how many there are.
fn place(geometry: &Geometry, number: u32) -> (u64, usize) {
    let start = u64::from(number) * PAGE as u64;
    let len = geometry.fat_len.saturating_sub(start).min(PAGE as u64);
    let fat = geometry.fat_start + u64::from(geometry.fats.0) * geometry.fat_len;
    (fat + start, usize::try_from(len).unwrap_or(PAGE))
}

/// Where in its page the entry of a cluster is.
fn index(cluster: u32) -> usize {
    usize::try_from(cluster % PER_PAGE).unwrap_or(0)
}
