//! Everything decided before the first byte of data comes.

use std::collections::HashSet;

use imprint_winvalues::tree::{File, FileId, NameId, StreamKind, Tree};
use imprint_winvalues::{Attributes, FileTime, WinName};

use super::file::{Dummy, Parts};
use super::names::Names;
use super::place::{Measures, Needs, Regions};
use super::secure::Secure;
use super::{PlanError, Refused};
use crate::encode::{Body, Measured, NewAttribute, assemble, room};
use crate::facts::guid_length;
use crate::{AttributeKind, FileReference, Lcn, RecordNumber};

/// The record of the root directory.
pub(super) const ROOT: u64 = 5;
/// The first record of a file that is not the volume's own.
pub(super) const FIRST_FILE: u64 = 27;
/// Records more than planned, for files whose holes lie too many.
const SPARE_RECORDS: u64 = 64;
/// Clusters more than planned, for values.
const SPARE_VALUES: u64 = 16;
/// The most clusters that can be numbered.
const MAX_CLUSTERS: u64 = u32::MAX as u64;
/// The largest clusters, bytes.
const MAX_CLUSTER: u32 = 2 << 20;
/// Clusters of a compression unit.
pub(super) const UNIT: u64 = 16;
/// The largest clusters of volumes with compressed files.
const MAX_COMPRESSED_CLUSTER: u32 = 4096;
/// Values of at most this many bytes are left in the record, as where they are would take as much.
const SMALL: u64 = 64;

/// How a volume is to be made.
#[derive(Clone, Debug)]
pub struct FillOptions {
    /// Bytes of the device.
    pub size: u64,
    /// Bytes of its sectors, 512 to 4096.
    pub sector_size: u32,
    /// Bytes of a cluster; `None` for what Windows chooses.
    pub cluster_size: Option<u32>,
    /// The label, at most 32 units.
    pub label: WinName,
    /// Names the volume; random.
    pub serial: u64,
    /// The sector of the disk where the volume begins.
    pub hidden_sectors: u32,
    /// The time of making.
    pub now: FileTime,
    /// Leave out security descriptors: every file gets what Windows gives to new ones.
    pub no_acls: bool,
    /// Leave out file attributes.
    pub no_attributes: bool,
}

/// A stream of the tree that has data.
#[derive(Clone, Copy, Debug)]
pub struct StreamSize {
    /// The file.
    pub file: FileId,
    /// Index into its streams.
    pub stream: u32,
    /// Bytes.
    pub size: u64,
}

/// Where a stream goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Nowhere: it has no data.
    Empty,
    /// Into the record.
    Record,
    /// To clusters, from this one of the data region on.
    Data(u64),
    /// To clusters found when the data comes; index into the files with holes.
    Later(u32),
    /// To clusters of the region for values, when everything is there.
    Value,
}

/// A stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) size: u64,
    pub(super) place: Place,
}

/// A volume, laid out.
#[derive(Debug)]
pub struct Plan {
    pub(super) options: FillOptions,
    pub(super) measures: Measures,
    pub(super) regions: Regions,
    pub(super) names: Names,
    pub(super) secure: Secure,
    /// By file: where its slots begin.
    first_slot: Vec<u32>,
    pub(super) slots: Vec<Slot>,
    /// Slots whose place is [`Place::Later`]; whether compressed.
    pub(super) later: Vec<(u32, bool)>,
    /// By file: its record, 0 if it gets none.
    records: Vec<u32>,
    /// Records up to the last that is the first of its file.
    pub(super) base_records: u64,
    /// By file: where its names begin in `names_of`.
    first_name: Vec<u32>,
    names_of: Vec<NameId>,
    /// Files whose extended attributes stand in clusters.
    pub(super) outer_ea: HashSet<FileId>,
}

impl Plan {
    /// Lays out a volume for a tree. `streams` are all those with data, in the order in which data comes.
    ///
    /// # Errors
    /// [`PlanError`] if the options are not legal or the files do not fit.
    pub fn new(
        tree: &Tree,
        streams: &[StreamSize],
        options: FillOptions,
    ) -> Result<Self, PlanError> {
        let measures = measures(&options)?;
        let (first_name, names_of) = names_by_file(tree);
        let names = Names::new(tree);
        let mut plan = Self {
            measures,
            regions: Regions::default(),
            secure: Secure::new(&tree.security),
            first_slot: Vec::new(),
            slots: Vec::new(),
            later: Vec::new(),
            records: vec![0; tree.files().len()],
            base_records: FIRST_FILE,
            first_name,
            names_of,
            outer_ea: HashSet::new(),
            names,
            options,
        };
        plan.make_slots(tree, streams);
        plan.number(tree);
        let mut needs = Needs { values: plan.system_values(tree), ..Needs::default() };
        let mut further = 0;
        for (id, _) in tree.files() {
            if plan.reference(id).is_some() {
                further += plan.settle(tree, id, &mut needs);
            }
        }
        needs.records = plan.base_records + further + SPARE_RECORDS;
        let bitmap = needs.records.div_ceil(8) * 2;
        needs.values += measures.clusters_of(bitmap);
        needs.values += SPARE_VALUES + needs.values / 64;
        plan.place(streams, &mut needs);
        let cluster = u64::from(measures.cluster_size);
        plan.regions = Regions::new(&measures, &needs).map_err(|clusters| PlanError::NoRoom {
            needed: clusters.saturating_mul(cluster),
            available: measures.clusters * cluster,
        })?;
        Ok(plan)
    }

    /// Names that the volume does not take.
    #[must_use]
    pub fn refused(&self) -> &[Refused] {
        &self.names.refused
    }

    /// Files that get no reparse point, because their tag is not Microsoft's and the GUID that has to stand before
    /// its data is not whole.
    pub fn without_guid<'a>(&'a self, tree: &'a Tree) -> impl Iterator<Item = FileId> + 'a {
        let lacking = |&(id, file): &(FileId, &File)| {
            let numbered = file.streams.iter().zip(0..);
            let mut points = numbered.filter(|(stream, _)| stream.kind == StreamKind::Reparse);
            let tag = file.reparse.as_ref().map(|reparse| reparse.tag);
            tag.is_some_and(|tag| points.any(|(_, number)| !self.has_guid(id, number, tag)))
        };
        tree.files().filter(lacking).map(|(id, _)| id)
    }

    /// Whether the data of a reparse point has room for what its tag needs.
    pub(super) fn has_guid(&self, file: FileId, stream: u32, tag: u32) -> bool {
        self.slot(file, stream).size >= guid_length(tag) as u64
    }

    /// Bytes of a cluster.
    #[must_use]
    pub const fn cluster_size(&self) -> u32 {
        self.measures.cluster_size
    }

    /// Bytes of the device that stay free.
    #[must_use]
    pub fn free(&self) -> u64 {
        let regions = &self.regions;
        let clusters = regions.free.length + (regions.data.first - regions.mft.end());
        clusters * u64::from(self.measures.cluster_size)
    }

    /// What a file is referred to by; `None` if none of its names is taken.
    pub(super) fn reference(&self, file: FileId) -> Option<FileReference> {
        let record = u64::from(*self.records.get(file.0 as usize)?);
        match record {
            0 => None,
            ROOT => Some(FileReference { record: RecordNumber(ROOT), use_count: 5 }),
            _ => Some(FileReference { record: RecordNumber(record), use_count: 1 }),
        }
    }

    /// The number of a stream's slot.
    pub(super) fn slot_of(&self, file: FileId, stream: u32) -> Option<usize> {
        let first = *self.first_slot.get(file.0 as usize)?;
        let next = *self.first_slot.get(file.0 as usize + 1)?;
        let slot = first.checked_add(stream).filter(|&slot| slot < next)?;
        Some(slot as usize)
    }

    pub(super) fn slot(&self, file: FileId, stream: u32) -> Slot {
        let slot = self.slot_of(file, stream).and_then(|slot| self.slots.get(slot));
        slot.copied().unwrap_or(Slot { size: 0, place: Place::Empty })
    }

    /// The names of a file that are taken.
    pub(super) fn names_of(&self, file: FileId) -> impl Iterator<Item = NameId> {
        let at = |index: usize| self.first_name.get(index).map_or(0, |&first| first as usize);
        let range = at(file.0 as usize)..at(file.0 as usize + 1);
        let all = self.names_of.get(range).unwrap_or_default();
        all.iter().copied().filter(|&name| self.names.namespace(name).is_some())
    }

    /// Where a slot of the data region is on the volume.
    pub(super) const fn data_lcn(&self, cluster: u64) -> Lcn {
        Lcn(self.regions.data.first + cluster)
    }

    fn make_slots(&mut self, tree: &Tree, streams: &[StreamSize]) {
        let mut next = 0_u32;
        for (_, file) in tree.files() {
            self.first_slot.push(next);
            next += u32::try_from(file.streams.len()).unwrap_or(0);
        }
        self.first_slot.push(next);
        self.slots = vec![Slot { size: 0, place: Place::Empty }; next as usize];
        for stream in streams.iter().filter(|stream| stream.size > 0) {
            let slot = self.slot_of(stream.file, stream.stream);
            if let Some(slot) = slot.and_then(|slot| self.slots.get_mut(slot)) {
                *slot = Slot { size: stream.size, place: Place::Record };
            }
        }
    }

    /// Gives every file that has a name a record.
    fn number(&mut self, tree: &Tree) {
        for (id, _) in tree.files() {
            let record = if id == FileId(0) {
                ROOT
            } else if self.names_of(id).next().is_some() {
                self.base_records += 1;
                self.base_records - 1
            } else {
                0
            };
            if let Some(place) = self.records.get_mut(id.0 as usize) {
                *place = u32::try_from(record).unwrap_or(0);
            }
        }
    }

    /// Decides which values of a file stay in its records; returns how many further records it needs.
    fn settle(&mut self, tree: &Tree, id: FileId, needs: &mut Needs) -> u64 {
        let Some(file) = tree.file(id) else { return 0 };
        let largest = room(self.measures.record_size) as u64;
        // What can never be in a record first, then the largest until the rest fits.
        for (stream, number) in file.streams.iter().zip(0..) {
            if self.slot(id, number).size > largest {
                self.move_out(id, number, stream.kind, file.attributes, needs);
            }
        }
        if let Some(extras) = &file.extras {
            let bytes: usize = extras
                .extended_attributes
                .iter()
                .map(|ea| 12 + ea.name.len() + ea.value.len())
                .sum();
            if bytes > self.measures.record_size / 4 {
                self.outer_ea.insert(id);
                needs.values += self.measures.clusters_of(bytes as u64 + 8);
            }
        }
        let mut measured: Vec<Measured> = Vec::new();
        loop {
            let parts = Parts { plan: self, tree, is_lost: &|_| false, later: &[], own: &[] };
            let attributes = parts.attributes(id, &mut Dummy);
            measured.clear();
            measured.extend(attributes.iter().map(Measured::of));
            let size: usize = measured.iter().map(|attribute| attribute.size).sum();
            let candidate = if size > room(self.measures.record_size) {
                self.largest_in_record(id, file.streams.len())
            } else {
                None
            };
            let Some(number) = candidate else {
                needs.values += index_clusters(&self.measures, &attributes);
                break;
            };
            let kind = file.streams.get(number as usize).map_or(StreamKind::Data, |s| s.kind);
            drop(attributes);
            self.move_out(id, number, kind, file.attributes, needs);
        }
        let assembly = assemble(&measured, self.measures.record_size);
        if assembly.list_in_clusters() {
            needs.values += self.measures.clusters_of(assembly.list.unwrap_or(0) as u64);
        }
        assembly.records.len() as u64 - 1
    }

    /// The largest stream that is still in the record and worth moving.
    fn largest_in_record(&self, id: FileId, streams: usize) -> Option<u32> {
        let all =
            (0..u32::try_from(streams).unwrap_or(0)).map(|number| (self.slot(id, number), number));
        all.filter(|(slot, _)| slot.place == Place::Record && slot.size > SMALL)
            .max_by_key(|(slot, number)| (slot.size, u32::MAX - number))
            .map(|(_, number)| number)
    }

    /// Gives a stream clusters.
    fn move_out(
        &mut self,
        id: FileId,
        stream: u32,
        kind: StreamKind,
        attributes: Attributes,
        needs: &mut Needs,
    ) {
        let measures = self.measures;
        let Some(index) = self.slot_of(id, stream) else { return };
        let Some(slot) = self.slots.get_mut(index) else { return };
        let compressed = attributes.contains(Attributes::COMPRESSED)
            && measures.cluster_size <= MAX_COMPRESSED_CLUSTER;
        let sparse = attributes.contains(Attributes::SPARSE_FILE);
        slot.place = match kind {
            StreamKind::Reparse => {
                needs.values += measures.clusters_of(slot.size + 8);
                Place::Value
            }
            StreamKind::Data if compressed || sparse => {
                let unit = UNIT * u64::from(measures.cluster_size);
                if compressed {
                    needs.later += slot.size.div_ceil(unit) * UNIT;
                }
                let number = u32::try_from(self.later.len()).unwrap_or(u32::MAX);
                self.later.push((u32::try_from(index).unwrap_or(u32::MAX), compressed));
                Place::Later(number)
            }
            StreamKind::EncryptedRaw => Place::Empty,
            // Where in the region is decided when the order is gone through.
            StreamKind::Data => Place::Data(0),
        };
    }

    /// Gives streams their places in the data region, in the order in which they come.
    fn place(&mut self, streams: &[StreamSize], needs: &mut Needs) {
        for stream in streams {
            let Some(index) = self.slot_of(stream.file, stream.stream) else { continue };
            let wanted = self.reference(stream.file).is_some();
            let Some(slot) = self.slots.get_mut(index) else { continue };
            if let Place::Data(at) = &mut slot.place {
                *at = needs.data;
                if wanted {
                    needs.data += self.measures.clusters_of(slot.size);
                } else {
                    slot.place = Place::Empty;
                }
            }
        }
    }

    /// Clusters of the values of the volume's own files.
    fn system_values(&self, tree: &Tree) -> u64 {
        let of = |bytes: u64| self.measures.clusters_of(bytes);
        let linked = |entry: u64, count: u64| {
            // Blocks are at least half full, and there are levels above.
            of((entry * count * 2).next_multiple_of(self.measures.block_size as u64) * 2)
        };
        let descriptors = tree.security.len() as u64 + 4;
        let files = |wanted: fn(&File) -> bool| {
            tree.files().filter(|(_, file)| wanted(file)).count() as u64
        };
        let reparse = files(|file| file.reparse.is_some());
        let objects = files(|file| file.extras.as_ref().is_some_and(|e| e.object_id.is_some()));
        of(2560)
            + of(131_072)
            + of(self.secure.size())
            + linked(0x28, descriptors)
            + linked(0x30, descriptors)
            + linked(0x20, reparse)
            + linked(0x58, objects)
    }
}

/// Clusters of indexes, of which the attributes say how large they are.
fn index_clusters(measures: &Measures, attributes: &[NewAttribute<'_>]) -> u64 {
    let index = |a: &&NewAttribute<'_>| {
        matches!(a.kind, AttributeKind::INDEX_ALLOCATION | AttributeKind::BITMAP)
    };
    let clusters = |attribute: &NewAttribute<'_>| match &attribute.body {
        Body::Resident(_) => 0,
        Body::Clusters(placed) => measures.clusters_of(placed.size),
    };
    attributes.iter().filter(index).map(clusters).sum()
}

fn measures(options: &FillOptions) -> Result<Measures, PlanError> {
    let sector = options.sector_size;
    if !sector.is_power_of_two() || !(512..=4096).contains(&sector) {
        return Err(PlanError::SectorSize { actual: sector });
    }
    let sectors = (options.size / u64::from(sector)).saturating_sub(1);
    let cluster = options.cluster_size.unwrap_or_else(|| usual_cluster(options.size, sector));
    if !cluster.is_power_of_two() || !(sector..=MAX_CLUSTER).contains(&cluster) {
        return Err(PlanError::ClusterSize { least: sector, actual: cluster });
    }
    let clusters = sectors / u64::from(cluster / sector);
    if clusters > MAX_CLUSTERS {
        return Err(PlanError::TooManyClusters { clusters });
    }
    if options.label.len() > 32 {
        return Err(PlanError::Label { actual: options.label.len() });
    }
    Ok(Measures {
        sector_size: sector,
        cluster_size: cluster,
        sectors,
        clusters,
        record_size: if sector > 1024 { 4096 } else { 1024 },
        block_size: 4096,
    })
}

/// 4 KiB up to 16 TiB, then so much that clusters can be numbered.
fn usual_cluster(size: u64, sector: u32) -> u32 {
    let mut cluster = sector.max(4096);
    while size / u64::from(cluster) > MAX_CLUSTERS && cluster < MAX_CLUSTER {
        cluster *= 2;
    }
    cluster
}

/// The names of all files, sorted by file: where each begins, and the names.
fn names_by_file(tree: &Tree) -> (Vec<u32>, Vec<NameId>) {
    let mut first = vec![0_u32; tree.files().len() + 2];
    for (_, name) in tree.names() {
        if let Some(count) = first.get_mut(name.file().0 as usize + 2) {
            *count += 1;
        }
    }
    let mut sum = 0;
    for count in &mut first {
        sum += *count;
        *count = sum;
    }
    let mut names = vec![NameId::ROOT; tree.names().len()];
    for (id, name) in tree.names() {
        let Some(next) = first.get_mut(name.file().0 as usize + 1) else { continue };
        if let Some(place) = names.get_mut(*next as usize) {
            *place = id;
        }
        *next += 1;
    }
    first.pop();
    (first, names)
}
