//! Which clusters are free: `$Bitmap`, read in pieces and changed with the rest.

use std::collections::BTreeMap;

use imprint_blockio::{Expected, ReadAt, WriteAt};

use super::EditError;
use super::staged::Staged;
use crate::clusters::Piece;
use crate::{
    AttributeKind, Clusters, Corruption, FileValue, Lcn, ReadError, RecordNumber, Run, Structure,
    Vcn, Volume,
};

/// `$Bitmap`'s record.
const BITMAP: RecordNumber = RecordNumber(6);
/// Bytes of `$Bitmap` that are read at once: 2 GiB of a volume with clusters of 4 KiB.
const PIECE: u64 = 64 << 10;

/// The free clusters of a volume.
#[derive(Debug)]
pub(super) struct Space {
    bitmap: Clusters,
    clusters: u64,
    /// Where to look for clusters of new files.
    next: u64,
    /// Clusters promised to data that is to come: first, and how many. They are marked when something refers to them.
    reserved: BTreeMap<u64, u64>,
    /// Clusters that are given back when all changes are on the device: first, and how many.
    freed: Vec<(u64, u64)>,
}

impl Space {
    pub(super) fn open(volume: &Volume<Staged<impl ReadAt>>) -> Result<Self, EditError> {
        let structure = Structure::Attribute(BITMAP, AttributeKind::DATA);
        let geometry = volume.geometry();
        let clusters = geometry.clusters();
        let file = volume.file(BITMAP)?;
        let data =
            file.iter().flat_map(|file| &file.attributes).find_map(|found| match &found.value {
                FileValue::Clusters(value)
                    if found.kind == AttributeKind::DATA && found.name.is_empty() =>
                {
                    Some(value.clone())
                }
                _ => None,
            });
        let size = data.as_ref().map_or(0, Clusters::size);
        let Some(bitmap) = data.filter(|_| size >= clusters.div_ceil(8)) else {
            let expected = Expected::AtLeast(clusters.div_ceil(8));
            return Err(Corruption::number(structure, 0, "bytes", expected, size).into());
        };
        // Behind what `$MFT` may grow into, as far as Windows keeps that free.
        let next = (geometry.mft.0 + clusters / 8) % clusters.max(1);
        Ok(Self { bitmap, clusters, next, reserved: BTreeMap::new(), freed: Vec::new() })
    }

    /// How many runs wait to be given back.
    pub(super) const fn mark_freed(&self) -> usize {
        self.freed.len()
    }

    /// Keeps what was given back since there were so many.
    pub(super) fn forget_freed(&mut self, mark: usize) {
        self.freed.truncate(mark);
    }

    /// Finds free clusters and takes them: in one run if there is one, first from `near` on, or else in the runs that
    /// come first.
    pub(super) fn take<D: WriteAt>(
        &mut self,
        volume: &Volume<Staged<D>>,
        wanted: u64,
        near: Option<Lcn>,
    ) -> Result<Vec<Run>, EditError> {
        let runs = self.find(volume, wanted, near)?;
        self.mark_runs(volume, &runs)?;
        Ok(runs)
    }

    /// Promises free clusters to data that is to come.
    pub(super) fn reserve<D: WriteAt>(
        &mut self,
        volume: &Volume<Staged<D>>,
        wanted: u64,
    ) -> Result<Vec<Run>, EditError> {
        let runs = self.find(volume, wanted, None)?;
        for run in &runs {
            if let Some(Lcn(lcn)) = run.lcn {
                self.reserved.insert(lcn, run.length);
            }
        }
        Ok(runs)
    }

    /// Takes clusters that were promised.
    pub(super) fn mark_runs<D: ReadAt>(
        &self,
        volume: &Volume<Staged<D>>,
        runs: &[Run],
    ) -> Result<(), EditError> {
        let data = runs.iter().filter_map(|run| Some((run.lcn?.0, run.length)));
        data.into_iter().try_for_each(|(first, count)| self.mark(volume, first, count, true))
    }

    /// Forgets that clusters were promised.
    pub(super) fn unreserve(&mut self, runs: &[Run]) {
        for run in runs {
            run.lcn.and_then(|lcn| self.reserved.remove(&lcn.0));
        }
    }

    /// How many clusters are free.
    pub(super) fn free(&self, volume: &Volume<Staged<impl ReadAt>>) -> Result<u64, EditError> {
        let mut search = Search { wanted: u64::MAX, whole: None, parts: Vec::new(), sum: 0 };
        self.scan(volume, 0, self.clusters, &mut search)?;
        Ok(search.sum)
    }

    /// Finds free clusters.
    fn find<D: ReadAt>(
        &mut self,
        volume: &Volume<Staged<D>>,
        wanted: u64,
        near: Option<Lcn>,
    ) -> Result<Vec<Run>, EditError> {
        if wanted == 0 {
            return Ok(Vec::new());
        }
        let start = near.map_or(self.next, |lcn| lcn.0).min(self.clusters - 1);
        let mut search = Search { wanted, whole: None, parts: Vec::new(), sum: 0 };
        for (from, to) in [(start, self.clusters), (0, start)] {
            if search.whole.is_none() {
                self.scan(volume, from, to, &mut search)?;
            }
        }
        let found = match search.whole {
            Some(first) => vec![(first, wanted)],
            None if search.sum >= wanted => search.parts,
            None => {
                let cluster = u64::from(volume.geometry().cluster_size);
                let (needed, free) = (wanted * cluster, search.sum * cluster);
                return Err(EditError::NoRoom { needed, free });
            }
        };
        let mut runs = Vec::with_capacity(found.len());
        let mut vcn = 0;
        for (first, count) in found {
            let length = count.min(wanted - vcn);
            if length == 0 {
                break;
            }
            runs.push(Run { vcn: Vcn(vcn), length, lcn: Some(Lcn(first)) });
            vcn += length;
            if near.is_none() {
                self.next = first + length;
            }
        }
        Ok(runs)
    }

    /// Gives clusters back, when all changes are on the device: until then what stands in them is needed.
    pub(super) fn give_back(&mut self, runs: &[Run]) {
        let data = runs.iter().filter_map(|run| Some((run.lcn?.0, run.length)));
        self.freed.extend(data);
    }

    /// Marks the clusters that were given back as free.
    pub(super) fn settle<D: WriteAt>(
        &mut self,
        volume: &Volume<Staged<D>>,
    ) -> Result<(), EditError> {
        for (first, count) in std::mem::take(&mut self.freed) {
            self.mark(volume, first, count, false)?;
        }
        Ok(())
    }

    /// Goes over the free runs of a part of the volume.
    fn scan(
        &self,
        volume: &Volume<Staged<impl ReadAt>>,
        from: u64,
        to: u64,
        search: &mut Search,
    ) -> Result<(), EditError> {
        let mut bytes = Vec::new();
        let mut open: Option<u64> = None;
        let mut at = from / 8;
        let end = to.div_ceil(8);
        while at < end {
            let length = PIECE.min(end - at);
            bytes.resize(usize::try_from(length).unwrap_or(0), 0);
            self.bitmap.read(volume.device(), &mut bytes, at)?;
            self.hide_reserved(&mut bytes, at * 8);
            for (index, &byte) in (at..).zip(&bytes) {
                // Whole bytes are the rule.
                match byte {
                    0xff if open.is_none() => continue,
                    0 if open.is_some() => continue,
                    _ => {}
                }
                for bit in 0..8 {
                    let cluster = index * 8 + bit;
                    let used = byte & (1 << bit) != 0 || cluster < from || cluster >= to;
                    match (used, open) {
                        (false, None) => open = Some(cluster),
                        (true, Some(first)) => {
                            open = None;
                            if search.found(first, cluster - first) {
                                return Ok(());
                            }
                        }
                        _ => {}
                    }
                }
                if let Some(first) = open
                    && search.is_enough((index + 1) * 8 - first)
                {
                    search.found(first, (index + 1) * 8 - first);
                    return Ok(());
                }
            }
            at += length;
        }
        if let Some(first) = open {
            search.found(first, to.saturating_sub(first));
        }
        Ok(())
    }

    /// Sets the bits of clusters that are promised. `first` is the cluster of the first bit.
    fn hide_reserved(&self, bytes: &mut [u8], first: u64) {
        let end = first + bytes.len() as u64 * 8;
        let before = self.reserved.range(..first).next_back();
        for (&start, &count) in before.into_iter().chain(self.reserved.range(first..end)) {
            let (from, to) = (start.max(first), (start + count).min(end));
            if from < to {
                set_bits(bytes, from - first, to - first, true);
            }
        }
    }

    fn mark<D: ReadAt>(
        &self,
        volume: &Volume<Staged<D>>,
        first: u64,
        count: u64,
        used: bool,
    ) -> Result<(), EditError> {
        let (mut at, end) = (first, first + count);
        while at < end {
            let start = at / 8;
            let length = PIECE.min(end.div_ceil(8) - start);
            let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
            self.bitmap.read(volume.device(), &mut bytes, start)?;
            let last = end.min((start + length) * 8);
            set_bits(&mut bytes, at - start * 8, last - start * 8, used);
            stage_value(volume, &self.bitmap, &bytes, start)?;
            at = last;
        }
        Ok(())
    }
}

/// A search for free clusters.
struct Search {
    wanted: u64,
    /// A run that is large enough.
    whole: Option<u64>,
    /// The first runs found, together at most as large as wanted.
    parts: Vec<(u64, u64)>,
    sum: u64,
}

impl Search {
    const fn is_enough(&self, count: u64) -> bool {
        count >= self.wanted
    }

    /// Takes a free run; returns whether the search is over.
    fn found(&mut self, first: u64, count: u64) -> bool {
        if self.is_enough(count) {
            self.whole = Some(first);
            return true;
        }
        if self.sum < self.wanted && count > 0 {
            // Counting alone needs no list.
            if self.wanted != u64::MAX {
                self.parts.push((first, count));
            }
            self.sum += count;
        }
        false
    }
}

/// Sets or clears the bits from `first` up to `end`.
pub(super) fn set_bits(bytes: &mut [u8], first: u64, end: u64, set: bool) {
    let mut bit = first;
    while bit < end {
        let Some(byte) = usize::try_from(bit / 8).ok().and_then(|index| bytes.get_mut(index))
        else {
            return;
        };
        let whole = bit.is_multiple_of(8) && end - bit >= 8;
        let mask = if whole { 0xff } else { 1 << (bit % 8) };
        *byte = if set { *byte | mask } else { *byte & !mask };
        bit += if whole { 8 } else { 1 };
    }
}

/// Changes bytes of a value, all of which are in clusters.
pub(super) fn stage_value<D: ReadAt>(
    volume: &Volume<Staged<D>>,
    value: &Clusters,
    mut bytes: &[u8],
    mut offset: u64,
) -> Result<(), EditError> {
    while !bytes.is_empty() {
        let Some(Piece::Data { offset: at, len }) = value.piece(offset, bytes.len() as u64) else {
            let (limit, end) = (value.size(), offset + bytes.len() as u64);
            let structure = value.structure();
            return Err(Corruption::past_end(structure, 0, "written bytes", limit, end).into());
        };
        let length = usize::try_from(len).unwrap_or(bytes.len()).clamp(1, bytes.len());
        let (part, rest) = bytes.split_at(length);
        volume.device().stage(part, at).map_err(|source| ReadError::Io {
            structure: value.structure(),
            offset: at,
            length: len,
            source,
        })?;
        (bytes, offset) = (rest, offset + length as u64);
    }
    Ok(())
}
