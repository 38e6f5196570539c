//! The volume's own files, and its boot sector.

use std::borrow::Cow;

use imprint_blockio::WriteAt;
use imprint_winvalues::tree::FileId;
use imprint_winvalues::{Attributes, WinName};
use zerocopy::IntoBytes;

use super::file::{Parts, Values, index_attributes};
use super::finish::{Finish, set_bits};
use super::place::{Region, bitmap_size};
use super::plan::{FIRST_FILE, ROOT};
use super::secure::{SYSTEM_READ, SYSTEM_WRITE};
use super::{Filling, system};
use crate::encode::{
    Body, IndexKind, IndexPlan, IndexShape, NameFacts, NewAttribute, Placed, TimesFacts, align8,
    encode_free, file_name, name_entry, standard_information, view_entry,
};
use crate::layout::{
    BOOT_MARK, BootSectorDisk, NAME_IS_DIRECTORY, NAME_IS_VIEW_INDEX, OEM_ID,
    VolumeInformationDisk, collation, namespace,
};
use crate::{AttributeKind, FileReference, Lcn, RecordNumber, Run, Vcn};

/// `$Extend`.
const EXTEND: u64 = 11;
/// Flags of a record: in use, directory, in `$Extend`, has another index.
const IN_USE: u16 = 1;
const DIRECTORY: u16 = 2;
const IN_EXTEND: u16 = 4;
const VIEW_INDEX: u16 = 8;
/// What the root of an index of the volume's own gets.
const INDEX_ROOM: usize = 0x140;

/// The record of one of the volume's own files.
pub(super) fn own_reference(record: u64) -> FileReference {
    let use_count = match record {
        1..=23 => u16::try_from(record).unwrap_or(1),
        _ => 1,
    };
    FileReference { record: RecordNumber(record), use_count }
}

/// Those of the root directory: record, name.
pub(super) const IN_ROOT: [(u64, &str); 12] = [
    (0, "$MFT"),
    (1, "$MFTMirr"),
    (2, "$LogFile"),
    (3, "$Volume"),
    (4, "$AttrDef"),
    (ROOT, "."),
    (6, "$Bitmap"),
    (7, "$Boot"),
    (8, "$BadClus"),
    (9, "$Secure"),
    (10, "$UpCase"),
    (EXTEND, "$Extend"),
];

/// Those of `$Extend`, in the order of the directory.
const IN_EXTENSION: [(u64, &str); 3] = [(25, "$ObjId"), (24, "$Quota"), (26, "$Reparse")];

impl<D: WriteAt> Finish<'_, D> {
    /// The records from 0 to 26, of a volume with so many records.
    pub(super) fn system_records(&mut self, parts: &Parts<'_>, records: u64) -> Vec<u8> {
        let mut own = Vec::new();
        let mut facts = vec![(0, self.own_facts(0, self.mft_data(records).sizes()))];
        for record in (1..FIRST_FILE).filter(|&record| record != ROOT && !is_free(record)) {
            let (sizes, values) = match record {
                EXTEND => self.extend(),
                9 | 24..=26 => self.views(parts, record),
                _ => self.plain(record),
            };
            facts.push((record, self.own_facts(record, sizes)));
            own.push((record, values));
        }
        let parts = Parts { own: &facts, ..*parts };
        let mut root = Vec::new();
        self.file_records(&parts, FileId(0), own_reference(ROOT), &mut root);
        // From here on no record is added.
        own.push((0, self.mft(&parts, records)));
        own.sort_by_key(|&(record, _)| record);
        let mut own = own.into_iter().peekable();
        let mut out = Vec::new();
        for record in 0..FIRST_FILE {
            if record == ROOT {
                out.append(&mut root);
            } else if let Some((_, values)) = own.next_if(|&(next, _)| next == record) {
                let facts = facts.iter().find(|(own, _)| *own == record);
                let facts = facts.map(|(_, facts)| *facts).unwrap_or_default();
                self.own_record(record, &facts, values, &mut out);
            } else {
                let size = self.filling.plan.measures.record_size;
                encode_free(own_reference(record), size, &mut out);
            }
        }
        out
    }

    /// Appends the record of one of the volume's own files.
    fn own_record(
        &mut self,
        record: u64,
        facts: &NameFacts,
        values: Vec<NewAttribute<'static>>,
        out: &mut Vec<u8>,
    ) {
        let flags = match record {
            EXTEND => IN_USE | DIRECTORY,
            9 => IN_USE | VIEW_INDEX,
            24..=26 => IN_USE | VIEW_INDEX | IN_EXTEND,
            _ => IN_USE,
        };
        let security =
            if matches!(record, 0 | 1 | 2 | 6 | 8 | 10) { SYSTEM_READ } else { SYSTEM_WRITE };
        let attributes = facts.attributes & !NAME_IS_DIRECTORY;
        let standard = standard_information(facts.times, attributes, security).to_vec();
        let mut all = vec![NewAttribute::resident(AttributeKind::STANDARD_INFORMATION, standard)];
        let name = own_name(record);
        if !name.is_empty() {
            let parent = if record >= 24 { EXTEND } else { ROOT };
            let value = file_name(own_reference(parent), facts, &name, namespace::WIN32_AND_DOS);
            all.push(NewAttribute::resident(AttributeKind::FILE_NAME, value));
        }
        all.extend(values);
        all.sort_by_key(|attribute| attribute.kind);
        self.records(own_reference(record), flags, all, out);
    }

    /// What the name of one of the volume's own files repeats of it.
    fn own_facts(&self, record: u64, (allocated, size): (u64, u64)) -> NameFacts {
        let flags = match record {
            EXTEND => NAME_IS_DIRECTORY,
            9 | 24..=26 => NAME_IS_VIEW_INDEX,
            _ => 0,
        };
        let archive = if matches!(record, 24..=26) { Attributes::ARCHIVE.bits() } else { 0 };
        NameFacts {
            times: TimesFacts::all(self.filling.plan.options.now),
            allocated,
            size,
            attributes: (Attributes::HIDDEN | Attributes::SYSTEM).bits() | flags | archive,
            extra: 0,
        }
    }

    fn mft_data(&self, records: u64) -> Placed {
        let plan = &self.filling.plan;
        let size = records * plan.measures.record_size as u64;
        Placed::contiguous(Lcn(plan.regions.mft.first), size, plan.measures.cluster_size)
    }

    /// `$MFT`.
    fn mft(&mut self, parts: &Parts<'_>, records: u64) -> Vec<NewAttribute<'static>> {
        let plan = &self.filling.plan;
        let mut bits = vec![0_u8; align8(usize::try_from(records.div_ceil(8)).unwrap_or(0))];
        set_bits(&mut bits, 0, 16);
        set_bits(&mut bits, 24, FIRST_FILE);
        for (id, _) in parts.tree.files() {
            if let Some(reference) = plan.reference(id).filter(|_| !parts.is_file_gone(id)) {
                set_bits(&mut bits, reference.record.0, reference.record.0 + 1);
            }
        }
        set_bits(&mut bits, plan.base_records, self.next);
        vec![
            NewAttribute::clusters(AttributeKind::DATA, self.mft_data(records)),
            NewAttribute::clusters(AttributeKind::BITMAP, self.put(&bits)),
        ]
    }

    /// Files that have data and nothing else.
    fn plain(&mut self, record: u64) -> Special {
        let plan = &self.filling.plan;
        let (measures, regions) = (plan.measures, plan.regions);
        let at = |region: Region, size: u64| {
            Placed::contiguous(Lcn(region.first), size, measures.cluster_size)
        };
        let cluster = u64::from(measures.cluster_size);
        let data = |placed: Placed| {
            (placed.sizes(), vec![NewAttribute::clusters(AttributeKind::DATA, placed)])
        };
        match record {
            1 => {
                // At least four records; all of the cluster if it has more.
                data(at(regions.mirror, (4 * measures.record_size as u64).max(cluster)))
            }
            2 => data(at(regions.log, regions.log.length * cluster)),
            3 => self.volume(),
            4 => data(self.put(&system::attribute_definitions())),
            6 => data(at(regions.bitmap, bitmap_size(measures.clusters))),
            7 => data(at(regions.boot, 8192)),
            8 => bad_clusters(measures.clusters, cluster),
            10 => {
                let (table, info) = system::upper_case();
                let (sizes, mut all) = data(self.put(&table));
                all.push(resident_named("$Info", info.to_vec()));
                (sizes, all)
            }
            _ => ((0, 0), vec![NewAttribute::resident(AttributeKind::DATA, Vec::new())]),
        }
    }

    /// `$Volume`.
    fn volume(&self) -> Special {
        let information =
            VolumeInformationDisk { reserved: 0.into(), major: 3, minor: 1, flags: 0.into() };
        let label = self.filling.plan.options.label.to_le_bytes();
        let mut all = vec![NewAttribute::resident(AttributeKind::VOLUME_NAME, label)];
        let value = information.as_bytes().to_vec();
        all.push(NewAttribute::resident(AttributeKind::VOLUME_INFORMATION, value));
        all.push(NewAttribute::resident(AttributeKind::DATA, Vec::new()));
        ((0, 0), all)
    }

    /// `$Extend`.
    fn extend(&mut self) -> Special {
        let entries: Vec<Vec<u8>> = IN_EXTENSION
            .iter()
            .map(|&(record, name)| {
                let facts = self.own_facts(record, (0, 0));
                let parent = own_reference(EXTEND);
                let key = file_name(parent, &facts, &name.into(), namespace::WIN32_AND_DOS);
                let mut entry = Vec::new();
                name_entry(own_reference(record), &key, &mut entry);
                entry
            })
            .collect();
        let kind =
            IndexKind { attribute: AttributeKind::FILE_NAME.0, collation: collation::FILE_NAME };
        ((0, 0), self.entries_index("$I30", kind, &entries, 0x200))
    }

    /// Files with view indexes: `$Secure` and those in `$Extend`.
    fn views(&mut self, parts: &Parts<'_>, record: u64) -> Special {
        let view = |collation| IndexKind { attribute: 0, collation };
        let mut all = Vec::new();
        match record {
            9 => {
                let secure = &self.filling.plan.secure;
                let placed = self.put_descriptors();
                let stream = NewAttribute::named(
                    AttributeKind::DATA,
                    Cow::Owned("$SDS".into()),
                    Body::Clusters(placed),
                );
                all.push(stream);
                let (by_hash, by_id) = (secure.by_hash(), secure.by_id());
                // Roots, allocations and bitmaps: `$SDH` comes before `$SII` in each kind.
                all.extend(self.entries_index(
                    "$SDH",
                    view(collation::SECURITY_HASH),
                    &by_hash,
                    INDEX_ROOM,
                ));
                all.extend(self.entries_index("$SII", view(collation::U32), &by_id, INDEX_ROOM));
            }
            24 => {
                let (by_sid, by_owner) = system::quota(self.filling.plan.options.now);
                all.extend(self.entries_index("$O", view(collation::SID), &by_sid, INDEX_ROOM));
                all.extend(self.entries_index("$Q", view(collation::U32), &by_owner, INDEX_ROOM));
            }
            25 => {
                let entries = object_ids(parts);
                all.extend(self.entries_index("$O", view(collation::U32S), &entries, INDEX_ROOM));
            }
            _ => {
                let entries = reparse_points(parts);
                all.extend(self.entries_index("$R", view(collation::U32S), &entries, INDEX_ROOM));
            }
        }
        ((0, 0), all)
    }

    fn entries_index(
        &mut self,
        name: &str,
        kind: IndexKind,
        entries: &[Vec<u8>],
        root_room: usize,
    ) -> Vec<NewAttribute<'static>> {
        let sizes: Vec<u16> =
            entries.iter().map(|entry| u16::try_from(entry.len()).unwrap_or(u16::MAX)).collect();
        let measures = &self.filling.plan.measures;
        let shape =
            IndexShape { block_size: measures.block_size, step: measures.block_step(), root_room };
        let index = IndexPlan::new(&sizes, shape);
        let mut entry = |number: u32, out: &mut Vec<u8>| {
            out.extend_from_slice(entries.get(number as usize).map_or(&[], Vec::as_slice));
        };
        index_attributes(name, kind, &index, self, &mut entry)
    }

    /// Writes `$SDS`.
    fn put_descriptors(&mut self) -> Placed {
        let plan = &self.filling.plan;
        let mut all = vec![0; usize::try_from(plan.secure.size()).unwrap_or(0)];
        for (offset, bytes) in plan.secure.pieces() {
            let start = usize::try_from(offset).unwrap_or(usize::MAX);
            if let Some(place) = all.get_mut(start..start.saturating_add(bytes.len())) {
                place.copy_from_slice(&bytes);
            }
        }
        self.put(&all)
    }
}

/// Bytes allocated and bytes of the main data, and the attributes besides information and name.
type Special = ((u64, u64), Vec<NewAttribute<'static>>);

/// The name of one of the volume's own files; empty for those that are reserved.
pub(super) fn own_name(record: u64) -> WinName {
    let mut all = IN_ROOT.iter().chain(&IN_EXTENSION);
    all.find(|(own, _)| *own == record).map_or(WinName::default(), |&(_, name)| name.into())
}

fn resident_named(name: &str, value: Vec<u8>) -> NewAttribute<'static> {
    NewAttribute::named(
        AttributeKind::DATA,
        Cow::Owned(name.into()),
        Body::Resident(Cow::Owned(value)),
    )
}

/// `$BadClus`: a hole as large as the volume; bad clusters would be its data.
fn bad_clusters(clusters: u64, cluster: u64) -> Special {
    let hole = Run { vcn: Vcn(0), length: clusters, lcn: None };
    let size = clusters * cluster;
    let placed = Placed { runs: vec![hole], allocated: size, size, ..Placed::default() };
    let bad =
        NewAttribute::named(AttributeKind::DATA, Cow::Owned("$Bad".into()), Body::Clusters(placed));
    ((0, 0), vec![NewAttribute::resident(AttributeKind::DATA, Vec::new()), bad])
}

/// The entries of `$Reparse`: tag and reference of every reparse point.
fn reparse_points(parts: &Parts<'_>) -> Vec<Vec<u8>> {
    let mut keys: Vec<(u32, u64)> = Vec::new();
    for (id, file) in parts.tree.files() {
        let reference = parts.plan.reference(id).filter(|_| parts.has_reparse_point(id));
        if let (Some(info), Some(reference)) = (&file.reparse, reference) {
            keys.push((info.tag, reference.to_disk()));
        }
    }
    // As a sequence of 32-bit numbers: the low half of the reference comes first.
    keys.sort_by_key(|&(tag, reference)| (tag, reference & 0xffff_ffff, reference >> 32));
    keys.iter()
        .map(|(tag, reference)| {
            view_entry(&[&tag.to_le_bytes()[..], &reference.to_le_bytes()].concat(), &[])
        })
        .collect()
}

/// The entries of `$ObjId`: the id, then reference and birth ids.
fn object_ids(parts: &Parts<'_>) -> Vec<Vec<u8>> {
    let mut entries: Vec<([u8; 16], Vec<u8>)> = Vec::new();
    for (id, file) in parts.tree.files() {
        let object = file.extras.as_ref().and_then(|extras| extras.object_id.as_deref());
        let reference = parts.plan.reference(id).filter(|_| !parts.is_file_gone(id));
        let (Some(object), Some(reference)) = (object, reference) else { continue };
        let Some((key, birth)) = object.split_first_chunk::<16>() else { continue };
        let mut data = reference.to_disk().to_le_bytes().to_vec();
        data.extend_from_slice(birth);
        data.resize(56, 0);
        entries.push((*key, data));
    }
    let words = |key: &[u8; 16]| -> Vec<u32> {
        key.as_chunks::<4>().0.iter().map(|&word| u32::from_le_bytes(word)).collect()
    };
    entries.sort_by_key(|(key, _)| words(key));
    entries.iter().map(|(key, data)| view_entry(key, data)).collect()
}

impl<D> Filling<D> {
    /// The first sector of the volume.
    pub(super) fn boot_sector(&self) -> Vec<u8> {
        let (measures, regions, options) =
            (&self.plan.measures, &self.plan.regions, &self.plan.options);
        let ratio = measures.cluster_size / measures.sector_size;
        let sectors_per_cluster = match u8::try_from(ratio) {
            Ok(count) if count <= 128 => count,
            _ => 0_u8.wrapping_sub(u8::try_from(ratio.trailing_zeros()).unwrap_or(0)),
        };
        let mut code = [0; 426];
        // A BIOS that starts it goes on with the next device: INT 18h, then it halts.
        for (place, byte) in code.iter_mut().zip([0xcd, 0x18, 0xf4, 0xeb, 0xfd]) {
            *place = byte;
        }
        let boot = BootSectorDisk {
            jump: [0xeb, 0x52, 0x90],
            oem_id: OEM_ID.into(),
            sector_size: u16::try_from(measures.sector_size).unwrap_or(0).into(),
            sectors_per_cluster,
            reserved: [0; 7],
            media: 0xf8,
            sectors_per_fat: 0.into(),
            sectors_per_track: 63.into(),
            heads: 255.into(),
            hidden_sectors: options.hidden_sectors.into(),
            large_sectors: 0.into(),
            drive: 0x0080_0080.into(),
            sectors: measures.sectors.into(),
            mft: regions.mft.first.into(),
            mirror: regions.mirror.first.into(),
            record_size: size_code(measures.record_size, measures.cluster_size),
            reserved_1: [0; 3],
            index_size: size_code(measures.block_size, measures.cluster_size),
            reserved_2: [0; 3],
            serial: options.serial.into(),
            checksum: 0.into(),
            code,
            mark: BOOT_MARK.into(),
        };
        let mut sector = boot.as_bytes().to_vec();
        sector.resize(usize::try_from(measures.sector_size).unwrap_or(512), 0);
        sector
    }
}

/// Clusters of a structure or, if it is smaller than one, minus the binary logarithm of its bytes.
fn size_code(size: usize, cluster: u32) -> i8 {
    let cluster = usize::try_from(cluster).unwrap_or(usize::MAX);
    let code = |value: usize| i8::try_from(value).unwrap_or(0);
    if size >= cluster { code(size / cluster) } else { -code(size.trailing_zeros() as usize) }
}

/// Whether a record of the volume's own is not in use.
const fn is_free(record: u64) -> bool {
    matches!(record, 16..=23)
}
