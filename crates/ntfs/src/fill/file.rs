//! The attributes of a file of the tree.

use std::borrow::Cow;

use imprint_winvalues::tree::{File, FileId, NameId, Stream, StreamKind, Tree};
use imprint_winvalues::{Attributes, WinName};
use zerocopy::IntoBytes;

use super::names::{self, DirectoryEntry, units};
use super::own::{IN_ROOT, own_name, own_reference};
use super::plan::{Place, Plan, ROOT, UNIT};
use super::secure::{DEFAULT_DIRECTORY, DEFAULT_FILE};
use crate::encode::{
    Body, IndexKind, IndexPlan, IndexShape, NameFacts, NewAttribute, Placed, TimesFacts, align8,
    ea_values, file_name, name_entry, name_entry_size, room, standard_information,
};
use crate::facts::guid_length;
use crate::layout::{FileNameDisk, NAME_IS_DIRECTORY, ReparseDisk, collation, namespace};
use crate::{AttributeKind, Lcn};

/// Flag of an attribute: compressed by LZNT1.
const COMPRESSED: u16 = 0x0001;
/// Flag of an attribute: has holes.
const SPARSE: u16 = 0x8000;
/// Bits of file attributes that a volume does not store as they are.
const NOT_STORED: Attributes = Attributes::NORMAL
    .union(Attributes::DIRECTORY)
    .union(Attributes::DEVICE)
    .union(Attributes::ENCRYPTED)
    .union(Attributes::SPARSE_FILE)
    .union(Attributes::COMPRESSED)
    .union(Attributes::REPARSE_POINT);
/// The most bytes of a bitmap that stands in the record.
const BITMAP_IN_RECORD: usize = 64;
/// Bytes of the attributes beside the root of an index with blocks: `$INDEX_ALLOCATION` and `$BITMAP`.
const BESIDE_ROOT: usize = 0x40 + 8 + 16 + 0x18 + 8 + BITMAP_IN_RECORD;
/// Bytes of the header of `$INDEX_ROOT`, and of its name.
const ROOT_HEADER: usize = 0x18 + 8;
/// What the root of an index gets at least; then the file needs further records.
const LEAST_ROOT: usize = 0x100;

/// What the attributes hold that is not in the tree.
pub(super) trait Values {
    /// Data of a stream that was kept.
    fn kept(&mut self, slot: usize, size: u64) -> Vec<u8>;
    /// Puts a value into clusters.
    fn put(&mut self, value: &[u8]) -> Placed;
    /// Puts the blocks of an index into clusters. `entry` appends an entry.
    fn put_blocks(&mut self, index: &IndexPlan, entry: &mut dyn FnMut(u32, &mut Vec<u8>))
    -> Placed;
}

/// Values as large as the true ones, while planning.
pub(super) struct Dummy;

/// A place whose mapping pairs are as long as any.
fn far(size: u64) -> Placed {
    Placed::contiguous(Lcn(u64::from(u32::MAX)), size, 512)
}

impl Values for Dummy {
    fn kept(&mut self, _: usize, size: u64) -> Vec<u8> {
        vec![0; usize::try_from(size).unwrap_or(0)]
    }

    fn put(&mut self, value: &[u8]) -> Placed {
        far(value.len() as u64)
    }

    fn put_blocks(&mut self, index: &IndexPlan, _: &mut dyn FnMut(u32, &mut Vec<u8>)) -> Placed {
        far(index.size())
    }
}

/// What is needed to put files together.
#[derive(Clone, Copy)]
pub(super) struct Parts<'a> {
    pub(super) plan: &'a Plan,
    pub(super) tree: &'a Tree,
    /// By slot: whether its data did not come.
    pub(super) is_lost: &'a dyn Fn(usize) -> bool,
    /// Where the streams are whose place was not planned; none while planning.
    pub(super) later: &'a [Placed],
    /// What names repeat of the volume's own files; nothing while planning.
    pub(super) own: &'a [(u64, NameFacts)],
}

/// An entry of a directory.
enum Listed {
    /// One of the volume's own files, by its record.
    Own(u64),
    Name(DirectoryEntry),
}

impl<'a> Parts<'a> {
    /// All attributes of a file but the attribute list, in their order.
    pub(super) fn attributes(&self, id: FileId, values: &mut impl Values) -> Vec<NewAttribute<'a>> {
        let Some(file) = self.tree.file(id) else { return Vec::new() };
        let facts = self.facts(id, file);
        let mut all = vec![self.standard_information(file, &facts)];
        self.add_names(id, &facts, &mut all);
        let object = file.extras.as_ref().and_then(|extras| extras.object_id.as_deref());
        // What follows the id itself stands in the index of `$ObjId` only.
        if let Some(object) = object.and_then(|object| object.get(..16)) {
            all.push(NewAttribute::resident(AttributeKind::OBJECT_ID, object));
        }
        self.add_streams(id, file, values, &mut all);
        self.add_extended(id, file, values, &mut all);
        if file.is_directory() {
            let used: usize = all.iter().map(NewAttribute::size).sum();
            let left = room(self.plan.measures.record_size).saturating_sub(used);
            all.extend(self.index(id, file, left, values));
        }
        all.sort_by(|a, b| a.kind.cmp(&b.kind).then_with(|| order(&a.name, &b.name)));
        all
    }

    fn standard_information(&self, file: &File, facts: &NameFacts) -> NewAttribute<'a> {
        let default = if file.is_directory() { DEFAULT_DIRECTORY } else { DEFAULT_FILE };
        let own = file.security.filter(|_| !self.plan.options.no_acls);
        let security = own.and_then(|id| self.plan.secure.id(id)).unwrap_or(default);
        let attributes = facts.attributes & !NAME_IS_DIRECTORY;
        let value = standard_information(facts.times, attributes, security);
        NewAttribute::resident(AttributeKind::STANDARD_INFORMATION, value.to_vec())
    }

    /// What names repeat of a file.
    fn facts(&self, id: FileId, file: &File) -> NameFacts {
        let main = file.streams.iter().zip(0..).find(|(stream, _)| stream.is_main_data());
        let mut flags = file.attributes.difference(NOT_STORED).bits() & 0x0fff_ffff;
        if self.plan.options.no_attributes {
            flags = 0;
        }
        let mut facts = NameFacts {
            times: TimesFacts::new(&file.times, self.plan.options.now),
            ..NameFacts::default()
        };
        if let Some((_, number)) = main
            && !file.is_directory()
        {
            let slot = self.plan.slot(id, number);
            facts.size = slot.size;
            let cluster = u64::from(self.plan.measures.cluster_size);
            facts.allocated = match slot.place {
                Place::Empty => 0,
                Place::Record => slot.size.next_multiple_of(8),
                Place::Data(_) | Place::Value => slot.size.next_multiple_of(cluster),
                Place::Later(number) => {
                    let placed = self.later(number, slot.size);
                    flags |= self.later_flag(number).bits();
                    placed.real_clusters() * cluster
                }
            };
        }
        if file.attributes.contains(Attributes::COMPRESSED)
            && (file.is_directory() || self.plan.measures.cluster_size <= 4096)
        {
            flags |= Attributes::COMPRESSED.bits();
        }
        if let Some(reparse) = file.reparse.as_ref().filter(|_| self.has_reparse_point(id)) {
            flags |= Attributes::REPARSE_POINT.bits();
            facts.extra = reparse.tag;
        } else if let Some(extras) = &file.extras {
            facts.extra = packed_size(&extras.extended_attributes);
        }
        if file.is_directory() {
            flags |= NAME_IS_DIRECTORY;
        }
        facts.attributes = flags;
        facts
    }

    fn later(&self, number: u32, size: u64) -> Placed {
        self.later.get(number as usize).cloned().unwrap_or_else(|| far(size))
    }

    fn later_flag(&self, number: u32) -> Attributes {
        let later = self.plan.later.get(number as usize);
        if later.is_some_and(|(_, compressed)| *compressed) {
            Attributes::COMPRESSED
        } else {
            Attributes::SPARSE_FILE
        }
    }

    fn add_names(&self, id: FileId, facts: &NameFacts, all: &mut Vec<NewAttribute<'a>>) {
        for name in self.plan.names_of(id) {
            for short in [false, true] {
                if let Some(value) = self.name_value(name, short, facts) {
                    all.push(NewAttribute::resident(AttributeKind::FILE_NAME, value));
                }
            }
        }
    }

    /// The `$FILE_NAME` of a name, long or short.
    fn name_value(&self, id: NameId, short: bool, facts: &NameFacts) -> Option<Vec<u8>> {
        let space = self.plan.names.namespace(id)?;
        let name = self.tree.name(id)?;
        let dot = WinName::from(".");
        let (text, space) = match (short, space) {
            (true, namespace::WIN32) => (&name.short_name, namespace::DOS),
            (true, _) => return None,
            (false, _) if id == NameId::ROOT => (&dot, space),
            (false, _) => (&name.name, space),
        };
        let parent = match name.parent() {
            None => FileId(0),
            Some(parent) => self.tree.name(parent)?.file(),
        };
        Some(file_name(self.plan.reference(parent)?, facts, text, space))
    }

    fn add_streams(
        &self,
        id: FileId,
        file: &'a File,
        values: &mut impl Values,
        all: &mut Vec<NewAttribute<'a>>,
    ) {
        let mut has_main = false;
        for (stream, number) in file.streams.iter().zip(0..) {
            if self.plan.slot_of(id, number).is_some_and(self.is_lost) {
                continue;
            }
            match stream.kind {
                StreamKind::Data => {
                    let unnamed = stream.name.is_empty();
                    if unnamed && (has_main || file.is_directory()) {
                        continue;
                    }
                    has_main |= unnamed;
                    all.push(self.data(id, file, stream, number, values));
                }
                StreamKind::Reparse => all.extend(self.reparse(id, file, number, values)),
                StreamKind::EncryptedRaw => {}
            }
        }
        if !has_main && !file.is_directory() {
            all.push(NewAttribute::resident(AttributeKind::DATA, Vec::new()));
        }
    }

    fn data(
        &self,
        id: FileId,
        file: &File,
        stream: &'a Stream,
        number: u32,
        values: &mut impl Values,
    ) -> NewAttribute<'a> {
        let slot = self.plan.slot(id, number);
        let cluster_size = self.plan.measures.cluster_size;
        let mut flags = 0;
        let body = match slot.place {
            Place::Empty | Place::Value => Body::Resident(Cow::Owned(Vec::new())),
            Place::Record => {
                let index = self.plan.slot_of(id, number).unwrap_or(usize::MAX);
                Body::Resident(Cow::Owned(values.kept(index, slot.size)))
            }
            Place::Data(cluster) => {
                let lcn = self.plan.data_lcn(cluster);
                Body::Clusters(Placed::contiguous(lcn, slot.size, cluster_size))
            }
            Place::Later(later) => {
                flags = SPARSE;
                let mut placed = self.later(later, slot.size);
                if self.later_flag(later) == Attributes::COMPRESSED {
                    flags = COMPRESSED;
                    placed.unit_shift = u8::try_from(UNIT.trailing_zeros()).unwrap_or(0);
                }
                Body::Clusters(placed)
            }
        };
        // New data in the record of a compressed file is to be compressed as well.
        if file.attributes.contains(Attributes::COMPRESSED)
            && cluster_size <= 4096
            && matches!(body, Body::Resident(_))
        {
            flags = COMPRESSED;
        }
        let mut attribute =
            NewAttribute::named(AttributeKind::DATA, Cow::Borrowed(&stream.name), body);
        attribute.flags = flags;
        attribute
    }

    fn reparse(
        &self,
        id: FileId,
        file: &File,
        number: u32,
        values: &mut impl Values,
    ) -> Option<NewAttribute<'a>> {
        let info = file.reparse.as_ref()?;
        if !self.plan.has_guid(id, number, info.tag) {
            return None;
        }
        let slot = self.plan.slot(id, number);
        let index = self.plan.slot_of(id, number)?;
        let data = values.kept(index, slot.size);
        let length = data.len().saturating_sub(guid_length(info.tag));
        let header = ReparseDisk {
            tag: info.tag.into(),
            length: u16::try_from(length).unwrap_or(u16::MAX).into(),
            reserved: info.reserved.into(),
        };
        let value = [header.as_bytes(), &data].concat();
        Some(match slot.place {
            Place::Value => {
                NewAttribute::clusters(AttributeKind::REPARSE_POINT, values.put(&value))
            }
            _ => NewAttribute::resident(AttributeKind::REPARSE_POINT, value),
        })
    }

    fn add_extended(
        &self,
        id: FileId,
        file: &File,
        values: &mut impl Values,
        all: &mut Vec<NewAttribute<'a>>,
    ) {
        let extras = file.extras.as_ref().map(|extras| &extras.extended_attributes);
        let Some(extended) = extras.filter(|extended| !extended.is_empty()) else { return };
        let (information, list) = ea_values(extended);
        all.push(NewAttribute::resident(AttributeKind::EA_INFORMATION, information.to_vec()));
        all.push(if self.plan.outer_ea.contains(&id) {
            NewAttribute::clusters(AttributeKind::EA, values.put(&list))
        } else {
            NewAttribute::resident(AttributeKind::EA, list)
        });
    }

    /// The index of a directory. `left` bytes are left in its record.
    fn index(
        &self,
        id: FileId,
        file: &File,
        left: usize,
        values: &mut impl Values,
    ) -> Vec<NewAttribute<'a>> {
        let listed = self.listed(id);
        let size = |listed: &Listed| {
            let units = match listed {
                Listed::Own(own) => own_name(*own).len(),
                Listed::Name(entry) => units(self.tree, *entry).len(),
            };
            u16::try_from(name_entry_size(size_of::<FileNameDisk>() + units * 2))
                .unwrap_or(u16::MAX)
        };
        let sizes: Vec<u16> = listed.iter().map(size).collect();
        let index = self.shape(left, &sizes);
        let mut entry = |number: u32, out: &mut Vec<u8>| match listed.get(number as usize) {
            Some(Listed::Own(own)) => self.own_entry(*own, out),
            Some(Listed::Name(entry)) => self.entry(entry.name, entry.short, out),
            None => {}
        };
        let kind =
            IndexKind { attribute: AttributeKind::FILE_NAME.0, collation: collation::FILE_NAME };
        let mut all = index_attributes("$I30", kind, &index, values, &mut entry);
        if file.attributes.contains(Attributes::COMPRESSED)
            && let Some(root) = all.first_mut()
        {
            root.flags = COMPRESSED;
        }
        all
    }

    /// What a directory holds, in its order.
    fn listed(&self, id: FileId) -> Vec<Listed> {
        let entries = self.plan.names.entries(id).iter();
        let mut listed: Vec<Listed> = entries
            .filter(|entry| !self.is_gone(entry.name))
            .map(|&entry| Listed::Name(entry))
            .collect();
        if id == FileId(0) {
            for &(record, _) in &IN_ROOT {
                let name = own_name(record);
                let before = |listed: &Listed| match listed {
                    Listed::Own(own) => names::order(own_name(*own).units(), name.units()).is_lt(),
                    Listed::Name(entry) => {
                        names::order(units(self.tree, *entry), name.units()).is_lt()
                    }
                };
                let at = listed.partition_point(before);
                listed.insert(at, Listed::Own(record));
            }
        }
        listed
    }

    /// Appends the root directory's entry of one of the volume's own files.
    fn own_entry(&self, record: u64, out: &mut Vec<u8>) {
        if record == ROOT {
            return self.entry(NameId::ROOT, false, out);
        }
        let found = self.own.iter().find(|(own, _)| *own == record);
        let facts = found.map(|(_, facts)| *facts).unwrap_or_default();
        let parent = own_reference(ROOT);
        let key = file_name(parent, &facts, &own_name(record), namespace::WIN32_AND_DOS);
        name_entry(own_reference(record), &key, out);
    }

    /// Plans an index so that it takes at most `left` bytes of a record.
    fn shape(&self, left: usize, sizes: &[u16]) -> IndexPlan {
        let shape = |root_room| IndexShape {
            block_size: self.plan.measures.block_size,
            step: self.plan.measures.block_step(),
            root_room,
        };
        let small = left.saturating_sub(ROOT_HEADER);
        let whole: usize = sizes.iter().map(|&size| usize::from(size)).sum();
        if 0x20 + whole + 0x10 <= small {
            return IndexPlan::new(sizes, shape(small));
        }
        let large = left.saturating_sub(ROOT_HEADER + BESIDE_ROOT).max(LEAST_ROOT);
        IndexPlan::new(sizes, shape(large))
    }

    /// Appends the entry of a name.
    fn entry(&self, id: NameId, short: bool, out: &mut Vec<u8>) {
        let Some(file_id) = self.tree.name(id).map(imprint_winvalues::tree::Name::file) else {
            return;
        };
        let (Some(file), Some(reference)) = (self.tree.file(file_id), self.plan.reference(file_id))
        else {
            return;
        };
        let facts = self.facts(file_id, file);
        if let Some(key) = self.name_value(id, short, &facts) {
            name_entry(reference, &key, out);
        }
    }

    /// Whether a file gets a `$REPARSE_POINT`.
    pub(super) fn has_reparse_point(&self, id: FileId) -> bool {
        self.tree.file(id).is_some_and(|file| {
            let there = |(stream, number): (&Stream, u32)| {
                let lost = self.plan.slot_of(id, number).is_some_and(self.is_lost);
                let tag = file.reparse.as_ref().map_or(0, |reparse| reparse.tag);
                stream.kind == StreamKind::Reparse && !lost && self.plan.has_guid(id, number, tag)
            };
            file.reparse.is_some() && file.streams.iter().zip(0..).any(there)
        })
    }

    /// Whether a name's file is left out because its data did not come.
    pub(super) fn is_gone(&self, name: NameId) -> bool {
        let file = self.tree.name(name).map(imprint_winvalues::tree::Name::file);
        file.is_some_and(|file| self.is_file_gone(file))
    }

    /// Whether a file is left out because its data did not come. Directories stay.
    pub(super) fn is_file_gone(&self, id: FileId) -> bool {
        let Some(file) = self.tree.file(id) else { return true };
        let needed = |stream: &Stream| stream.is_main_data() || stream.kind == StreamKind::Reparse;
        !file.is_directory()
            && file.streams.iter().zip(0..).any(|(stream, number)| {
                needed(stream) && self.plan.slot_of(id, number).is_some_and(self.is_lost)
            })
    }
}

/// Bytes of extended attributes as they count in names.
fn packed_size(extended: &[imprint_winvalues::tree::ExtendedAttribute]) -> u32 {
    let size: usize = extended.iter().map(|ea| 5 + ea.name.len() + ea.value.len()).sum();
    u32::try_from(size).unwrap_or(0)
}

/// The attributes of an index: its root and, if it has blocks, where they are and which are in use.
pub(super) fn index_attributes<'a>(
    name: &str,
    kind: IndexKind,
    index: &IndexPlan,
    values: &mut (impl Values + ?Sized),
    entry: &mut dyn FnMut(u32, &mut Vec<u8>),
) -> Vec<NewAttribute<'a>> {
    let name: Cow<'a, WinName> = Cow::Owned(name.into());
    let root = index.encode_root(kind, &mut *entry);
    let root = NewAttribute::named(
        AttributeKind::INDEX_ROOT,
        name.clone(),
        Body::Resident(Cow::Owned(root)),
    );
    if index.blocks() == 0 {
        return vec![root];
    }
    let placed = values.put_blocks(index, entry);
    let blocks =
        NewAttribute::named(AttributeKind::INDEX_ALLOCATION, name.clone(), Body::Clusters(placed));
    let mut bits = vec![0_u8; align8(index.blocks().div_ceil(8))];
    for block in 0..index.blocks() {
        if let Some(byte) = bits.get_mut(block / 8) {
            *byte |= 1 << (block % 8);
        }
    }
    let body = if bits.len() <= BITMAP_IN_RECORD {
        Body::Resident(Cow::Owned(bits))
    } else {
        Body::Clusters(values.put(&bits))
    };
    vec![root, blocks, NewAttribute::named(AttributeKind::BITMAP, name, body)]
}

/// The order of attribute names.
fn order(a: &WinName, b: &WinName) -> std::cmp::Ordering {
    imprint_winvalues::compare_ignoring_case(a.units(), b.units())
        .then_with(|| a.units().cmp(b.units()))
}
