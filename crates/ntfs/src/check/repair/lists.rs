//! The entries that indexes should have, by the records.

use std::collections::{BTreeMap, BTreeSet};

use imprint_blockio::WriteAt;
use imprint_progress::Progress;
use zerocopy::IntoBytes;

use super::RepairError;
use crate::check::CheckError;
use crate::check::file::{FileName, REPARSE_POINT, facts, kind_flags};
use crate::check::gather::Gathered;
use crate::check::ground::Ground;
use crate::check::report::Findings;
use crate::check::secure::SECURE;
use crate::check::state::{Map, flag};
use crate::check::views::{OBJECT_IDS, REPARSE};
use crate::encode::{name_entry, view_entry};
use crate::layout::FileNameDisk;
use crate::{Editor, FileReference, RecordNumber};

/// Behind the data of an entry in `$SDH`: `II` in UTF-16LE.
const MARK: [u8; 4] = [0x49, 0, 0x49, 0];

/// What the records say of the indexes.
#[derive(Debug)]
pub(super) struct Lists {
    pub(super) map: Map,
    /// Of each directory that was asked for its entries, in no order.
    pub(super) names: BTreeMap<RecordNumber, Vec<Vec<u8>>>,
    /// `$Reparse`, and the entries of its `$R`.
    pub(super) reparse_file: Option<RecordNumber>,
    pub(super) reparse: Vec<Vec<u8>>,
    /// `$ObjId`, and the entries of its `$O`.
    pub(super) objects_file: Option<RecordNumber>,
    pub(super) objects: Vec<Vec<u8>>,
    /// The entries of `$SDH` and `$SII`.
    pub(super) by_hash: Vec<Vec<u8>>,
    pub(super) by_id: Vec<Vec<u8>>,
}

impl Lists {
    /// Goes over all files of a volume that is edited; names are collected of these directories.
    pub(super) fn read<D: WriteAt>(
        editor: &Editor<D>,
        directories: &BTreeSet<RecordNumber>,
        progress: &Progress,
    ) -> Result<Self, RepairError> {
        let volume = editor.volume();
        let quiet = &mut Findings::quiet();
        let ground = Ground::open(volume.device(), quiet).map_err(CheckError::from)?;
        let (records, clusters) = (ground.volume.records(), ground.geometry.clusters());
        let mut map = Map::new(records, clusters, ground.geometry.cluster_size);
        ground.sweep_headers(&mut map, quiet, progress).map_err(CheckError::from)?;
        ground.sweep_files(&mut map, quiet, progress).map_err(CheckError::from)?;
        let mut names = BTreeMap::new();
        for directory in directories {
            if map.state(*directory).is(flag::DIRECTORY) {
                names.insert(*directory, Vec::new());
            }
        }
        for number in 0..if names.is_empty() { 0 } else { records } {
            let number = RecordNumber(number);
            ground.with_file(number, &mut map, |file, map| add_names(file, map, &mut names));
        }
        let tag = |(tag, file): &(u32, FileReference)| {
            let key = [&tag.to_le_bytes()[..], &file.to_disk().to_le_bytes()].concat();
            view_entry(&key, &[])
        };
        let reparse = map.reparse.iter().map(tag).collect();
        let births = volume.birth_ids().unwrap_or_default();
        let object = |(id, file): &([u8; 16], FileReference)| {
            let birth = births.get(id).copied().unwrap_or([0; 48]);
            view_entry(id, &[&file.to_disk().to_le_bytes()[..], &birth].concat())
        };
        let objects = map.objects.iter().map(object).collect();
        let descriptors = ground
            .with_file(SECURE, &mut map, |file, _| ground.descriptors(file))
            .unwrap_or_default();
        let by_hash = descriptors.iter().map(|disk| {
            let key = [disk.hash.as_bytes(), disk.id.as_bytes()].concat();
            let mut entry = view_entry(&key, &[disk.as_bytes(), &MARK].concat());
            // The mark is not part of the data.
            if let Some(length) = entry.get_mut(2..4) {
                length.copy_from_slice(&[0x14, 0]);
            }
            entry
        });
        let by_hash = by_hash.collect();
        let by_id = descriptors.iter().map(|disk| view_entry(disk.id.as_bytes(), disk.as_bytes()));
        let by_id = by_id.collect();
        let extended = |name: &[u8]| map.extended.get(name).copied();
        let (reparse_file, objects_file) = (extended(REPARSE.0), extended(OBJECT_IDS.0));
        Ok(Self { names, reparse_file, reparse, objects_file, objects, by_hash, by_id, map })
    }

    /// The reference to a record as it is.
    pub(super) fn reference(&self, record: RecordNumber) -> FileReference {
        self.map.reference(record)
    }
}

/// Adds the entries that a file has in directories.
fn add_names(file: &Gathered<'_>, map: &Map, names: &mut BTreeMap<RecordNumber, Vec<Vec<u8>>>) {
    let number = file.reference.record;
    let state = map.state(number);
    let is = facts(file, 0, state.is(flag::DIRECTORY));
    let points = is.is_some_and(|is| is.attributes & REPARSE_POINT != 0);
    let tag = map.reparse.iter().find(|(_, reference)| points && reference.record == number);
    let tag = tag.map_or(0, |(tag, _)| *tag);
    for (value, at) in file.names() {
        let Some(name) = FileName::read(value, at) else { continue };
        let Some(entries) = names.get_mut(&name.parent().record) else { continue };
        if name.parent() != map.reference(name.parent().record) {
            continue;
        }
        let mut key = value.to_vec();
        let own = number.0 < 24 || map.is_extended(name.parent().record);
        if let (false, Some(is)) = (own, &is) {
            let mut disk: FileNameDisk = name.disk;
            disk.times.creation = is.times[0].into();
            disk.times.write = is.times[1].into();
            disk.times.change = is.times[2].into();
            disk.allocated = is.allocated.into();
            disk.size = is.size.into();
            disk.attributes = (is.attributes | kind_flags(&state)).into();
            if tag != 0 {
                disk.extra = tag.into();
            }
            if let Some(place) = key.get_mut(..size_of::<FileNameDisk>()) {
                place.copy_from_slice(disk.as_bytes());
            }
        }
        let mut entry = Vec::new();
        name_entry(file.reference, &key, &mut entry);
        entries.push(entry);
    }
}
