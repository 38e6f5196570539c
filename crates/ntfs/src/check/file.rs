//! The rules of a file: its attributes with one another.

use std::collections::HashMap;

use imprint_blockio::{Expected, ReadAt};
use imprint_winvalues::WinName;
use zerocopy::FromBytes;

use super::gather::{Gathered, order};
use super::ground::Ground;
use super::record::{Body, PACKED, Part};
use super::report::{Findings, Problem, Subject};
use super::rule::Rule;
use super::state::{Facts, Map, State, flag, name_digest};
use crate::facts::guid_length;
use crate::layout::{
    EaInformationDisk, FileNameDisk, ReparseDisk, StandardInformationDisk, namespace,
};
use crate::list::ListEntry;
use crate::{AttributeKind as Kind, FileReference, RecordNumber, Structure};

/// `$I30`.
pub(super) const INDEX_NAME: &[u8] = b"$\0I\x003\x000\0";
/// `$Extend`.
const EXTEND: RecordNumber = RecordNumber(11);
/// `$BadClus`, whose `$Bad` is a hole and says nothing of it.
const BAD_CLUSTERS: RecordNumber = RecordNumber(8);
/// File attribute: has a reparse point.
pub(super) const REPARSE_POINT: u32 = 0x400;
/// Values that are no data have at most this many bytes.
const MAX_VALUE: u64 = 64 << 10;
/// Flag: a value is compressed.
const COMPRESSED: u16 = 1;

/// What `$STANDARD_INFORMATION` says; zeros behind its end.
pub(super) fn information(file: &Gathered<'_>) -> Option<StandardInformationDisk> {
    let (value, _) = file.resident(Kind::STANDARD_INFORMATION, &[])?;
    let mut bytes = [0; size_of::<StandardInformationDisk>()];
    bytes.iter_mut().zip(value).for_each(|(place, byte)| *place = *byte);
    Some(zerocopy::transmute!(bytes))
}

/// What the entries of a file should say of it.
pub(super) fn facts(file: &Gathered<'_>, tag: u32, is_directory: bool) -> Option<Facts> {
    let information = information(file)?;
    let times = &information.times;
    let data = file.stream(Kind::DATA, &[]).first().filter(|_| !is_directory);
    let (allocated, size) = data.map_or((0, 0), |data| match &data.body {
        Body::Resident { .. } => (data.size().next_multiple_of(8), data.size()),
        Body::Clusters(mapped) => (mapped.total.unwrap_or(mapped.allocated), mapped.size),
    });
    Some(Facts {
        times: [times.creation.get(), times.write.get(), times.change.get()],
        attributes: information.attributes.get() & !NAME_FLAGS,
        allocated,
        size,
        tag,
    })
}

/// Flags of the attributes that only names have.
pub(super) const NAME_FLAGS: u32 = 0x3000_0000;

/// The flags a name of such a file has.
pub(super) const fn kind_flags(state: &State) -> u32 {
    let directory = if state.is(flag::DIRECTORY) { 0x1000_0000 } else { 0 };
    directory | if state.is(flag::VIEW_INDEX) { 0x2000_0000 } else { 0 }
}

impl<D: ReadAt> Ground<'_, D> {
    /// Checks a file and remembers what of it is to be compared with others.
    pub(super) fn check_file(&self, file: &Gathered<'_>, map: &mut Map, found: &mut Findings) {
        let number = file.reference.record;
        for parts in file.parts.chunk_by(|a, b| a.kind == b.kind && a.name == b.name) {
            let Some(first) = parts.first() else { continue };
            let more = parts.get(1).filter(|_| first.kind != Kind::FILE_NAME);
            if let Some(more) = more
                && parts.iter().any(|part| matches!(part.body, Body::Resident { .. }))
            {
                let what = "is there twice";
                found.structure(Rule::Attribute, more.structure(), more.offset, what);
            }
            self.check_value(number, parts, map, found);
        }
        self.check_common(file, map, found);
        let tag = self.reparse_tag(file, map, found);
        check_extended(file, found);
        self.remember_names(file, map, found);
        let facts = facts(file, tag, map.state(number).is(flag::DIRECTORY));
        if let Some(state) = map.state_mut(number) {
            state.facts = facts.as_ref().map_or(0, Facts::digest);
        }
        if let Some((value, at)) = file.resident(Kind::OBJECT_ID, &[]) {
            match value.first_chunk() {
                Some(id) if [16, 64].contains(&value.len()) => {
                    map.objects.push((*id, file.reference));
                }
                _ => {
                    let place = (file.structure(Kind::OBJECT_ID), at);
                    let (expected, actual) = (Expected::Either(16, 64), value.len() as u64);
                    found.number(Rule::ObjectId, place, "bytes of value", expected, actual);
                }
            }
        }
    }

    /// The parts of a value follow one another, its sizes agree, and its clusters are its own.
    fn check_value(
        &self,
        number: RecordNumber,
        parts: &[Part<'_>],
        map: &mut Map,
        found: &mut Findings,
    ) {
        let Some(Body::Clusters(first)) = parts.first().map(|part| &part.body) else { return };
        let Some(head) = parts.first() else { return };
        let (mut vcn, mut real, mut hole) = (0, 0_u64, false);
        for part in parts {
            let Body::Clusters(mapped) = &part.body else { continue };
            let place = (part.structure(), part.offset + 0x10);
            found.equal(Rule::Runs, place, "first cluster", (vcn, mapped.first));
            vcn = mapped.first;
            for run in &mapped.runs {
                match run.lcn {
                    None => hole = true,
                    Some(lcn) => {
                        map.owned.take(lcn.0..lcn.0 + run.length, part.structure(), part.offset);
                        real += run.length;
                    }
                }
                vcn = run.end().0;
            }
            if part.flags != head.flags {
                let expected = Expected::Exactly(head.flags.into());
                let corruption = crate::Corruption::code(
                    part.structure(),
                    part.offset + 0xc,
                    "flags",
                    expected,
                    part.flags.into(),
                );
                found.corruption(Rule::Attribute, corruption);
            }
        }
        let (structure, at) = (head.structure(), head.offset);
        if first.initialised > first.size {
            let (field, expected) = ("initialised bytes", Expected::AtMost(first.size));
            found.number(Rule::Size, (structure, at + 0x38), field, expected, first.initialised);
        }
        if first.size > first.allocated {
            let expected = Expected::AtMost(first.allocated);
            found.number(
                Rule::Size,
                (structure, at + 0x30),
                "bytes of value",
                expected,
                first.size,
            );
        }
        let cluster = self.cluster_size();
        let sizes = (vcn.saturating_mul(cluster), first.allocated);
        found.equal(Rule::Size, (structure, at + 0x28), "allocated bytes", sizes);
        let unit = u64::from(first.unit_shift);
        let unit_place = (structure, at + 0x22);
        if head.flags & PACKED == 0 {
            found.equal(Rule::Attribute, unit_place, "compression unit", (0, unit));
            if hole && number != BAD_CLUSTERS {
                found.structure(Rule::Size, structure, at, "has a hole and is not sparse");
            }
            return;
        }
        let sizes = (real.saturating_mul(cluster), first.total.unwrap_or(0));
        found.equal(Rule::Size, (structure, at + 0x40), "bytes of its clusters", sizes);
        let compressed = head.flags & COMPRESSED != 0;
        if unit != 4 && (compressed || unit != 0) {
            let expected = if compressed { Expected::Exactly(4) } else { Expected::Either(0, 4) };
            found.number(Rule::Attribute, unit_place, "compression unit", expected, unit);
        }
    }

    /// What every file has.
    fn check_common(&self, file: &Gathered<'_>, map: &mut Map, found: &mut Findings) {
        let number = file.reference.record;
        let state = map.state(number);
        let record = Structure::FileRecord(number);
        let mut security = 0;
        match file.resident(Kind::STANDARD_INFORMATION, &[]) {
            None => {
                let what = "has no $STANDARD_INFORMATION";
                found.structure(Rule::FileAttributes, record, file.offset, what);
            }
            Some((value, at)) => {
                if ![48, 72].contains(&value.len()) {
                    let place = (file.structure(Kind::STANDARD_INFORMATION), at);
                    let (expected, actual) = (Expected::Either(48, 72), value.len() as u64);
                    found.number(Rule::Length, place, "bytes of value", expected, actual);
                }
                security = information(file).map_or(0, |information| information.security.get());
                if value.len() >= 72 && security == 0 && !file.has(Kind::SECURITY_DESCRIPTOR, &[]) {
                    let what = "has no security descriptor";
                    found.structure(Rule::NoSecurity, record, file.offset, what);
                }
            }
        }
        let index = file.has(Kind::INDEX_ROOT, INDEX_NAME);
        if index != state.is(flag::DIRECTORY) {
            let what = if index {
                "has an index of names and is no directory"
            } else {
                "is a directory and has no index of names"
            };
            found.structure(Rule::Directory, record, file.offset + 0x16, what);
        }
        if let Some(state) = map.state_mut(number) {
            state.security = security;
            state.flags |= if index { flag::INDEX } else { 0 };
        }
        let roots = file.parts.iter().filter(|part| part.kind == Kind::INDEX_ROOT);
        if roots.clone().any(|part| part.name != INDEX_NAME) {
            map.views.push(number);
        }
        let secure = number == RecordNumber(9);
        if !index && !state.is(flag::VIEW_INDEX) && !secure && !file.has(Kind::DATA, &[]) {
            found.structure(Rule::FileAttributes, record, file.offset, "is a file without data");
        }
        let names = file.names().count() as u64;
        let links = (names, file.head.links.into());
        found.equal(Rule::Links, (record, file.offset + 0x12), "names", links);
        map.summary.names += names;
        map.summary.directories += u64::from(state.is(flag::DIRECTORY));
        map.summary.files += u64::from(!state.is(flag::DIRECTORY));
    }

    /// The tag of the reparse point, 0 without one.
    fn reparse_tag(&self, file: &Gathered<'_>, map: &mut Map, found: &mut Findings) -> u32 {
        let parts = file.stream(Kind::REPARSE_POINT, &[]);
        let attributes = information(file).map_or(0, |found| found.attributes.get());
        let place = (file.structure(Kind::STANDARD_INFORMATION), file.offset);
        let has = u64::from(!parts.is_empty());
        let says = u64::from(attributes & REPARSE_POINT != 0);
        found.equal(Rule::Reparse, place, "reparse attribute of the file", (has, says));
        let Some(part) = parts.first() else { return 0 };
        let Some(value) = self.value(parts, MAX_VALUE, found) else { return 0 };
        let Ok((disk, data)) = ReparseDisk::read_from_prefix(value.as_slice()) else {
            let expected = Expected::AtLeast(size_of::<ReparseDisk>() as u64);
            let place = (part.structure(), part.offset);
            found.number(Rule::Reparse, place, "bytes of value", expected, value.len() as u64);
            return 0;
        };
        let tag = disk.tag.get();
        let length = guid_length(tag) as u64 + u64::from(disk.length.get());
        let place = (part.structure(), part.offset);
        found.equal(Rule::Reparse, place, "bytes of data", (data.len() as u64, length));
        map.reparse.push((tag, file.reference));
        tag
    }

    /// Checks the names themselves and remembers them, to look for them in their directories.
    fn remember_names(&self, file: &Gathered<'_>, map: &mut Map, found: &mut Findings) {
        let number = file.reference.record;
        let record = u32::try_from(number.0).unwrap_or(u32::MAX);
        let state = map.state(number);
        let names = file.names().filter_map(|(value, at)| {
            let name = FileName::read(value, at);
            if name.is_none() {
                let what = "is no name";
                found.structure(Rule::Name, file.structure(Kind::FILE_NAME), at, what);
            }
            name
        });
        let names: Vec<FileName<'_>> = names.collect();
        let mut parent = None;
        for name in &names {
            let key = name_digest(name.parent().record, file.reference, name.key);
            map.names.add(key, record);
            map.check_parent_reference(number, name, found);
            let mut wrong = |rule, problem| {
                found.add(rule, Subject::Name(number, name.name()), Some(name.offset), problem);
            };
            if name.key.iter().skip(2).all(|&byte| byte == 0) {
                wrong(Rule::Name, Problem::Is("has no characters"));
            }
            let (expected, actual) = (kind_flags(&state), name.disk.attributes.get() & NAME_FLAGS);
            if expected != actual {
                let expected = Expected::Exactly(expected.into());
                wrong(Rule::EntryKind, Problem::code("kind of file", expected, actual.into()));
            }
            if state.is(flag::DIRECTORY) && name.disk.namespace != namespace::DOS {
                if parent.is_some() {
                    wrong(Rule::Parent, Problem::Is("is the second name of a directory"));
                }
                parent = Some(name.parent().record);
            }
            if name.parent().record == EXTEND {
                map.extended.insert(name.units.to_vec(), number);
            }
        }
        dos_names(file, &names, map, found);
        if let (Some(parent), Some(state)) = (parent, map.state_mut(number)) {
            state.flags |= flag::NAMED;
            state.parent = u32::try_from(parent.0).unwrap_or(u32::MAX);
        }
    }

    /// A list names all attributes of the file but itself, and nothing else.
    pub(super) fn check_list(
        &self,
        file: &Gathered<'_>,
        entries: &[ListEntry],
        map: &Map,
        found: &mut Findings,
    ) {
        let list = file.parts.iter().find(|part| part.kind == Kind::ATTRIBUTE_LIST);
        let at = list.map_or(0, |list| list.offset);
        let structure = file.structure(Kind::ATTRIBUTE_LIST);
        let mut wanted: HashMap<_, _> = (file.parts.iter())
            .filter(|part| part.kind != Kind::ATTRIBUTE_LIST)
            .map(|part| ((part.holder, part.instance), (part, false)))
            .collect();
        for pair in entries.windows(2) {
            let [a, b] = pair else { continue };
            fn key(entry: &ListEntry) -> (Kind, &[u8], u64) {
                (entry.kind, &entry.name, entry.first_vcn.0)
            }
            let order = order(&self.upcase, key(a), key(b));
            if order.is_gt() || order.is_eq() && a.kind != Kind::FILE_NAME {
                let structure = Structure::Attribute(structure_record(structure), b.kind);
                let what = "is out of order in the attribute list";
                found.structure(Rule::ListOrder, structure, at, what);
            }
        }
        for entry in entries {
            let holder = entry.reference;
            let there = wanted.get_mut(&(holder.record, entry.instance));
            let fits = there.filter(|(part, listed)| {
                let same = part.kind == entry.kind && *part.name == *entry.name;
                same && part.first() == entry.first_vcn.0
                    && !listed
                    && map.reference(holder.record) == holder
            });
            match fits {
                Some((_, listed)) => *listed = true,
                None => {
                    let record = structure_record(structure);
                    let structure = Structure::Attribute(record, entry.kind);
                    let what = "is named by the attribute list and not there";
                    found.structure(Rule::AttributeList, structure, at, what);
                }
            }
        }
        let mut unlisted: Vec<_> =
            wanted.values().filter(|(_, listed)| !listed).map(|(part, _)| part).collect();
        unlisted.sort_by_key(|part| part.offset);
        for part in unlisted {
            let what = "is not named by the attribute list";
            found.structure(Rule::AttributeList, part.structure(), part.offset, what);
        }
    }
}

const fn structure_record(structure: Structure) -> RecordNumber {
    match structure {
        Structure::FileRecord(record) | Structure::Attribute(record, _) => record,
        _ => RecordNumber(0),
    }
}

/// A `$FILE_NAME`, or the key of an entry of a directory.
#[derive(Clone, Copy, Debug)]
pub(super) struct FileName<'a> {
    pub(super) disk: FileNameDisk,
    /// Length, namespace and units, as they stand there.
    pub(super) key: &'a [u8],
    /// The units alone.
    pub(super) units: &'a [u8],
    /// Where it stands.
    pub(super) offset: u64,
}

impl<'a> FileName<'a> {
    /// `None` if it is not as long as it should be, or of no namespace there is.
    pub(super) fn read(value: &'a [u8], offset: u64) -> Option<Self> {
        let (disk, units) = FileNameDisk::read_from_prefix(value).ok()?;
        let sound = units.len() == usize::from(disk.length) * 2
            && !units.is_empty()
            && disk.namespace <= namespace::WIN32_AND_DOS;
        let key = value.get(size_of::<FileNameDisk>() - 2..)?;
        sound.then_some(Self { disk, key, units, offset })
    }

    pub(super) fn parent(&self) -> FileReference {
        FileReference::from_disk(self.disk.parent.get())
    }

    pub(super) fn name(&self) -> WinName {
        WinName::from_le_bytes(self.units)
    }
}

/// A file has one short name at most, beside its long one.
fn dos_names(file: &Gathered<'_>, names: &[FileName<'_>], map: &Map, found: &mut Findings) {
    let number = file.reference.record;
    let mut dos: Option<&FileName<'_>> = None;
    for name in names {
        if ![namespace::DOS, namespace::WIN32_AND_DOS].contains(&name.disk.namespace) {
            continue;
        }
        let mut wrong = |what| {
            let subject = Subject::Name(number, name.name());
            found.add(Rule::DosName, subject, Some(name.offset), Problem::Is(what));
        };
        if dos.is_some() {
            wrong("is the second short name of a file");
        }
        dos = Some(name);
        let own = number.0 < 24 || map.is_extended(name.parent().record);
        if !own && !is_short(name.units) {
            wrong("is no short name");
        }
    }
    if let Some(dos) = dos.filter(|dos| dos.disk.namespace == namespace::DOS) {
        let is_long = |name: &FileName<'_>| {
            name.disk.namespace == namespace::WIN32 && name.parent() == dos.parent()
        };
        if !names.iter().any(is_long) {
            let subject = Subject::Name(number, dos.name());
            let problem = Problem::Is("is a short name without a long one");
            found.add(Rule::DosName, subject, Some(dos.offset), problem);
        }
    }
}

/// Whether a name, UTF-16LE, has the form of short ones: eight characters and three.
fn is_short(name: &[u8]) -> bool {
    let (units, _) = name.as_chunks::<2>();
    let units: Vec<u16> = units.iter().map(|&unit| u16::from_le_bytes(unit)).collect();
    let mut parts = units.split(|&unit| unit == u16::from(b'.'));
    let base = parts.next().map_or(0, <[u16]>::len);
    let ending = parts.next().map_or(0, <[u16]>::len);
    (1..=8).contains(&base) && ending <= 3 && parts.next().is_none()
}

/// `$EA` and `$EA_INFORMATION` are there together, and agree.
fn check_extended(file: &Gathered<'_>, found: &mut Findings) {
    let information = file.resident(Kind::EA_INFORMATION, &[]);
    let list = file.stream(Kind::EA, &[]);
    let record = Structure::FileRecord(file.reference.record);
    match (information, list.first()) {
        (None, None) => {}
        (Some((value, at)), Some(list)) => {
            let Ok((disk, _)) = EaInformationDisk::read_from_prefix(value) else { return };
            let sizes = (list.size(), disk.size.get().into());
            let place = (file.structure(Kind::EA_INFORMATION), at + 4);
            found.equal(Rule::ExtendedAttributes, place, "bytes of $EA", sizes);
        }
        (information, _) => {
            let what = if information.is_some() {
                "has $EA_INFORMATION and no $EA"
            } else {
                "has $EA and no $EA_INFORMATION"
            };
            found.structure(Rule::ExtendedAttributes, record, file.offset, what);
        }
    }
}
