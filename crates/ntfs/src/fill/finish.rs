//! Everything but data: directories, records, the volume's own files, at last the boot sectors.

use std::collections::HashSet;

use imprint_blockio::WriteAt;
use imprint_winvalues::tree::{FileId, Tree};

use super::file::{Parts, Values};
use super::place::{Region, Taken, bitmap_size};
use super::plan::{FIRST_FILE, Place};
use super::write::lock;
use super::{FillError, Filling};
use crate::encode::{
    Body, IndexPlan, Measured, NewAttribute, Placed, RecordHead, assemble, encode_free,
    encode_record, list_attribute, list_value, pairs_per_record, split_runs,
};
use crate::{AttributeKind, FileReference, Lcn, RecordNumber};

/// Records and index blocks are written in pieces of this many bytes.
const PIECE: usize = 1 << 20;
/// Further records that the root directory may need: for streams and thousands of names there are none.
const ROOT_RECORDS: u64 = 8;
/// Flags of a record: in use, directory.
const IN_USE: u16 = 1;
const DIRECTORY: u16 = 2;

/// The volume while its records are put together.
pub(super) struct Finish<'a, D> {
    pub(super) filling: &'a Filling<D>,
    /// Room for values.
    pub(super) values: Taken,
    /// Values that found no room there.
    overflow: Vec<Region>,
    /// The first error that happened where none can be returned.
    failed: Option<FillError>,
    /// Records that continue others.
    further: Vec<u8>,
    /// The next of them.
    pub(super) next: u64,
}

impl<D: WriteAt> Filling<D> {
    /// Writes all that is left. When this returns, the volume is whole and on stable storage.
    ///
    /// # Errors
    /// [`FillError`]; then there is no volume.
    pub fn finish(self, tree: &Tree) -> Result<(), FillError> {
        let cluster_size = self.plan.measures.cluster_size;
        let later: Vec<Placed> =
            self.later.iter().map(|later| lock(later).placed(cluster_size)).collect();
        let is_lost = |index: usize| self.is_lost(index);
        let parts = Parts { plan: &self.plan, tree, is_lost: &is_lost, later: &later, own: &[] };
        let mut finish = Finish {
            filling: &self,
            values: Taken::new(self.plan.regions.values),
            overflow: Vec::new(),
            failed: None,
            further: Vec::new(),
            next: self.plan.base_records,
        };
        finish.write_files(&parts)?;
        let records = finish.records_needed();
        let system = finish.system_records(&parts, records);
        finish.put_records(0, &system)?;
        finish.write_further(records)?;
        finish.write_log()?;
        let used = finish.used(&parts, records);
        finish.write_bitmap(&used)?;
        if let Some(error) = finish.failed.take() {
            return Err(error);
        }
        self.flush("records")?;
        let boot = self.boot_sector();
        let sector = u64::from(self.plan.measures.sector_size);
        self.put("copy of the boot sector", self.plan.measures.sectors * sector, &boot)?;
        self.put("boot sector", 0, &boot)?;
        self.flush("boot sector")
    }
}

impl<D: WriteAt> Values for Finish<'_, D> {
    fn kept(&mut self, slot: usize, size: u64) -> Vec<u8> {
        let kept = self.filling.take_kept(slot).map(Vec::from);
        kept.unwrap_or_else(|| vec![0; usize::try_from(size).unwrap_or(0)])
    }

    fn put(&mut self, value: &[u8]) -> Placed {
        let size = value.len() as u64;
        let Some(lcn) = self.take(size) else { return Placed::default() };
        let measures = &self.filling.plan.measures;
        let mut padded = value.to_vec();
        let whole = measures.clusters_of(size) * u64::from(measures.cluster_size);
        padded.resize(usize::try_from(whole).unwrap_or(value.len()), 0);
        let put = self.filling.put("value of a file", measures.bytes_of(lcn), &padded);
        self.note(put);
        Placed::contiguous(lcn, size, measures.cluster_size)
    }

    fn put_blocks(
        &mut self,
        index: &IndexPlan,
        entry: &mut dyn FnMut(u32, &mut Vec<u8>),
    ) -> Placed {
        let Some(lcn) = self.take(index.size()) else { return Placed::default() };
        let measures = self.filling.plan.measures;
        let mut at = measures.bytes_of(lcn);
        let end = at + measures.clusters_of(index.size()) * u64::from(measures.cluster_size);
        let mut bytes = Vec::new();
        for number in 0..index.blocks() {
            index.encode_block(number, &mut *entry, &mut bytes);
            if bytes.len() >= PIECE {
                let put = self.filling.put("index", at, &bytes);
                self.note(put);
                at += bytes.len() as u64;
                bytes.clear();
            }
        }
        let rest = usize::try_from(end - at).unwrap_or(bytes.len());
        bytes.resize(rest.max(bytes.len()), 0);
        let put = self.filling.put("index", at, &bytes);
        self.note(put);
        Placed::contiguous(lcn, index.size(), measures.cluster_size)
    }
}

impl<D: WriteAt> Finish<'_, D> {
    /// Remembers the first error.
    pub(super) fn note(&mut self, result: Result<(), FillError>) {
        if let Err(error) = result {
            self.failed.get_or_insert(error);
        }
    }

    /// Finds clusters for a value.
    fn take(&mut self, size: u64) -> Option<Lcn> {
        let clusters = self.filling.plan.measures.clusters_of(size);
        if let Some(lcn) = self.values.take(clusters) {
            return Some(lcn);
        }
        let found = lock(&self.filling.free).take(clusters);
        match found {
            Some(lcn) => self.overflow.push(Region { first: lcn.0, length: clusters }),
            None => self.note(Err(FillError::Full { length: size })),
        }
        found
    }

    /// How many records there are to be: some for the root directory, and whole pages.
    fn records_needed(&self) -> u64 {
        let measures = &self.filling.plan.measures;
        let page = u64::from(measures.cluster_size).max(4096) / measures.record_size as u64;
        (self.next + ROOT_RECORDS).next_multiple_of(page.max(1))
    }

    /// Writes the records of all files but the root directory's.
    fn write_files(&mut self, parts: &Parts<'_>) -> Result<(), FillError> {
        let plan = &self.filling.plan;
        let record_size = plan.measures.record_size;
        let mut bytes = Vec::with_capacity(PIECE + record_size);
        let mut at = FIRST_FILE;
        for (id, _) in parts.tree.files().skip(1) {
            let Some(reference) = plan.reference(id) else { continue };
            if parts.is_file_gone(id) {
                encode_free(reference, record_size, &mut bytes);
            } else {
                self.file_records(parts, id, reference, &mut bytes);
            }
            if bytes.len() >= PIECE {
                self.put_records(at, &bytes)?;
                at += (bytes.len() / record_size) as u64;
                bytes.clear();
            }
        }
        self.put_records(at, &bytes)
    }

    /// Appends the first record of a file; further ones are kept.
    pub(super) fn file_records(
        &mut self,
        parts: &Parts<'_>,
        id: FileId,
        reference: FileReference,
        out: &mut Vec<u8>,
    ) {
        let attributes = parts.attributes(id, self);
        let is_directory = parts.tree.file(id).is_some_and(|file| file.is_directory());
        let flags = if is_directory { IN_USE | DIRECTORY } else { IN_USE };
        self.records(reference, flags, attributes, out);
    }

    /// Appends the first record of a file with these attributes; further ones are kept.
    pub(super) fn records(
        &mut self,
        reference: FileReference,
        flags: u16,
        attributes: Vec<NewAttribute<'_>>,
        out: &mut Vec<u8>,
    ) {
        let measures = self.filling.plan.measures;
        let (cluster_size, record_size) = (measures.cluster_size, measures.record_size);
        let attributes = split_runs(attributes, pairs_per_record(record_size));
        let names = attributes.iter().filter(|a| a.kind == AttributeKind::FILE_NAME).count();
        let links = u16::try_from(names).unwrap_or(u16::MAX);
        let measured: Vec<Measured> = attributes.iter().map(Measured::of).collect();
        let assembly = assemble(&measured, record_size);
        let mut references = vec![reference];
        for _ in 1..assembly.records.len() {
            references.push(FileReference { record: RecordNumber(self.next), use_count: 1 });
            self.next += 1;
        }
        let list = assembly.list.map(|_| {
            let value = list_value(&attributes, &assembly, &references);
            let body = if assembly.list_in_clusters() {
                Body::Clusters(self.put(&value))
            } else {
                Body::Resident(value.into())
            };
            list_attribute(body)
        });
        for (position, (indices, &own)) in assembly.records.iter().zip(&references).enumerate() {
            let base = (position > 0).then_some(reference);
            let head = RecordHead {
                reference: own,
                base,
                links: if position == 0 { links } else { 0 },
                flags: if position == 0 { flags } else { IN_USE },
            };
            let own: Vec<&NewAttribute<'_>> =
                indices.iter().filter_map(|&index| attributes.get(index)).collect();
            let list = list.as_ref().filter(|_| position == 0);
            let (first, rest) = own.split_at(own.len().min(1));
            let all = first.iter().copied().chain(list).chain(rest.iter().copied());
            let target = if position == 0 { &mut *out } else { &mut self.further };
            encode_record(&head, all, cluster_size, record_size, target);
        }
    }

    /// Writes the records that continue others, and free ones behind them.
    fn write_further(&mut self, records: u64) -> Result<(), FillError> {
        let record_size = self.filling.plan.measures.record_size;
        let mut bytes = std::mem::take(&mut self.further);
        for number in self.next..records {
            let reference = FileReference { record: RecordNumber(number), use_count: 1 };
            encode_free(reference, record_size, &mut bytes);
        }
        self.put_records(self.filling.plan.base_records, &bytes)
    }

    fn put_records(&self, first: u64, bytes: &[u8]) -> Result<(), FillError> {
        let plan = &self.filling.plan;
        let start = plan.measures.bytes_of(Lcn(plan.regions.mft.first));
        let offset = start + first * plan.measures.record_size as u64;
        let end = plan.measures.bytes_of(Lcn(plan.regions.data.first));
        if offset + bytes.len() as u64 > end {
            return Err(FillError::Full { length: bytes.len() as u64 });
        }
        self.filling.put("file records", offset, bytes)?;
        // The first records, a cluster of them if that is more than four, stand in the mirror as well.
        let mirror = plan.regions.mirror;
        let length = mirror.length * u64::from(plan.measures.cluster_size);
        let within = first * plan.measures.record_size as u64;
        let left = usize::try_from(length.saturating_sub(within)).unwrap_or(usize::MAX);
        match bytes.get(..left.min(bytes.len())) {
            Some(copy) if !copy.is_empty() => {
                let at = plan.measures.bytes_of(Lcn(mirror.first)) + within;
                self.filling.put("$MFTMirr", at, copy)
            }
            _ => Ok(()),
        }
    }

    fn write_log(&self) -> Result<(), FillError> {
        let plan = &self.filling.plan;
        let ones = vec![0xff; PIECE];
        let cluster = u64::from(plan.measures.cluster_size);
        let start = plan.measures.bytes_of(Lcn(plan.regions.log.first));
        let end = start + plan.regions.log.length * cluster;
        let mut at = start;
        while at < end {
            let part = usize::try_from(end - at).unwrap_or(PIECE).min(PIECE);
            self.filling.put("$LogFile", at, ones.get(..part).unwrap_or_default())?;
            at += part as u64;
        }
        Ok(())
    }

    /// All clusters in use, in their order.
    fn used(&self, parts: &Parts<'_>, records: u64) -> Vec<Region> {
        let plan = &self.filling.plan;
        let regions = &plan.regions;
        let mft = plan.measures.clusters_of(records * plan.measures.record_size as u64);
        let mut used = vec![
            regions.boot,
            regions.mirror,
            self.values.region(),
            regions.bitmap,
            regions.log,
            Region { first: regions.mft.first, length: mft },
        ];
        used.extend(self.used_data(parts));
        // Clusters of files that were left out are free, those of others with holes are not.
        let gone: HashSet<usize> = self.gone_slots(parts);
        let later = parts.later.iter().zip(&plan.later);
        for (placed, &(slot, _)) in later {
            if (parts.is_lost)(slot as usize) || gone.contains(&(slot as usize)) {
                continue;
            }
            used.extend(
                placed.runs.iter().filter_map(|run| {
                    run.lcn.map(|lcn| Region { first: lcn.0, length: run.length })
                }),
            );
        }
        used.extend(&self.overflow);
        used.retain(|region| region.length > 0);
        used.sort_by_key(|region| region.first);
        used
    }

    /// The slots of files that are left out.
    fn gone_slots(&self, parts: &Parts<'_>) -> HashSet<usize> {
        let gone = parts.tree.files().filter(|(id, _)| parts.is_file_gone(*id));
        let slots = gone.flat_map(|(id, file)| {
            let numbers = 0..u32::try_from(file.streams.len()).unwrap_or(0);
            numbers.filter_map(move |number| self.filling.plan.slot_of(id, number))
        });
        slots.collect()
    }

    /// The data region without the streams that did not come.
    fn used_data(&self, parts: &Parts<'_>) -> Vec<Region> {
        let plan = &self.filling.plan;
        let mut lost: Vec<Region> = Vec::new();
        for (id, file) in parts.tree.files() {
            let gone = parts.is_file_gone(id);
            for number in 0..u32::try_from(file.streams.len()).unwrap_or(0) {
                let Some(index) = plan.slot_of(id, number) else { continue };
                let slot = plan.slot(id, number);
                if let Place::Data(cluster) = slot.place
                    && (gone || (parts.is_lost)(index))
                {
                    let length = plan.measures.clusters_of(slot.size);
                    lost.push(Region { first: plan.data_lcn(cluster).0, length });
                }
            }
        }
        lost.sort_by_key(|region| region.first);
        let mut used = Vec::new();
        let mut at = plan.regions.data.first;
        for hole in lost {
            used.push(Region { first: at, length: hole.first.saturating_sub(at) });
            at = hole.end();
        }
        used.push(Region { first: at, length: plan.regions.data.end().saturating_sub(at) });
        used
    }

    fn write_bitmap(&self, used: &[Region]) -> Result<(), FillError> {
        let plan = &self.filling.plan;
        let start = plan.measures.bytes_of(Lcn(plan.regions.bitmap.first));
        let size = plan.regions.bitmap.length * u64::from(plan.measures.cluster_size);
        let bits = bitmap_size(plan.measures.clusters) * 8;
        // What is behind the last cluster counts as used.
        let tail = Region { first: plan.measures.clusters, length: bits - plan.measures.clusters };
        let mut regions = used.iter().chain([&tail]).copied().peekable();
        let mut at = 0;
        while at < size {
            let length = (size - at).min(PIECE as u64);
            let mut bytes = vec![0_u8; usize::try_from(length).unwrap_or(PIECE)];
            let (first, end) = (at * 8, (at + length) * 8);
            while let Some(region) = regions.peek() {
                set_bits(
                    &mut bytes,
                    region.first.max(first) - first,
                    region.end().min(end).saturating_sub(first),
                );
                if region.end() > end {
                    break;
                }
                regions.next();
            }
            self.filling.put("$Bitmap", start + at, &bytes)?;
            at += length;
        }
        Ok(())
    }
}

/// Sets the bits from `first` up to `end`.
pub(super) fn set_bits(bytes: &mut [u8], first: u64, end: u64) {
    let mut bit = first;
    while bit < end {
        let index = usize::try_from(bit / 8).unwrap_or(usize::MAX);
        if bit.is_multiple_of(8) && end - bit >= 8 {
            let last = usize::try_from(end / 8).unwrap_or(usize::MAX);
            if let Some(whole) = bytes.get_mut(index..last) {
                whole.fill(0xff);
            }
            bit = last as u64 * 8;
        } else {
            if let Some(byte) = bytes.get_mut(index) {
                *byte |= 1 << (bit % 8);
            }
            bit += 1;
        }
    }
}
