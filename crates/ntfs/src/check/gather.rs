//! A file put together from all its records, and its values.

use std::collections::HashSet;

use imprint_blockio::{Expected, ReadAt};
use zerocopy::FromBytes;

use super::ground::Ground;
use super::record::{Body, Head, Loaded, Part, is_in_use};
use super::report::Findings;
use super::rule::Rule;
use super::state::{Map, flag};
use crate::clusters::Clusters;
use crate::layout::ListEntryDisk;
use crate::list::ListEntry;
use crate::volume::MAX_LIST;
use crate::{AttributeKind, FileReference, RecordNumber, Structure, UpCase, Vcn};

/// Bytes of an entry of an attribute list, without its name.
const ENTRY: usize = size_of::<ListEntryDisk>();

/// A record that was read: its number, where it stands, its bytes with the sectors joined.
pub(super) type Read = (RecordNumber, u64, Vec<u8>);

/// A file with all its attributes, in their order.
#[derive(Debug)]
pub(super) struct Gathered<'a> {
    pub(super) reference: FileReference,
    pub(super) head: Head,
    pub(super) parts: Vec<Part<'a>>,
    /// Where its first record stands.
    pub(super) offset: u64,
}

impl<'a> Gathered<'a> {
    /// The parts of an attribute.
    pub(super) fn stream(&self, kind: AttributeKind, name: &[u8]) -> &[Part<'a>] {
        let same = |part: &Part<'_>| part.kind == kind && part.name == name;
        let start = self.parts.iter().position(same).unwrap_or(self.parts.len());
        let rest = self.parts.get(start..).unwrap_or_default();
        let length = rest.iter().position(|part| !same(part)).unwrap_or(rest.len());
        rest.get(..length).unwrap_or_default()
    }

    pub(super) fn has(&self, kind: AttributeKind, name: &[u8]) -> bool {
        !self.stream(kind, name).is_empty()
    }

    /// A value in the record, and where that stands.
    pub(super) fn resident(&self, kind: AttributeKind, name: &[u8]) -> Option<(&'a [u8], u64)> {
        match self.stream(kind, name).first()?.body {
            Body::Resident { value, offset } => Some((value, offset)),
            Body::Clusters(_) => None,
        }
    }

    /// What findings call an attribute of it.
    pub(super) const fn structure(&self, kind: AttributeKind) -> Structure {
        Structure::Attribute(self.reference.record, kind)
    }

    /// Its names: the values of `$FILE_NAME`, and where they stand.
    pub(super) fn names(&self) -> impl Iterator<Item = (&'a [u8], u64)> {
        let names = self.parts.iter().filter(|part| part.kind == AttributeKind::FILE_NAME);
        names.filter_map(|part| match part.body {
            Body::Resident { value, offset } => Some((value, offset)),
            Body::Clusters(_) => None,
        })
    }
}

/// All runs of a value in clusters, as far as its parts follow one another.
pub(super) fn clusters_of(parts: &[Part<'_>], cluster_size: u32) -> Option<Clusters> {
    let first = parts.first()?;
    let Body::Clusters(sizes) = &first.body else { return None };
    let mut runs = Vec::new();
    for part in parts {
        let Body::Clusters(mapped) = &part.body else { break };
        if mapped.first != runs.last().map_or(0, |run: &crate::Run| run.end().0) {
            break;
        }
        runs.extend_from_slice(&mapped.runs);
    }
    let sizes = (sizes.size, sizes.initialised.min(sizes.size));
    Some(Clusters::of_runs(first.structure(), runs, cluster_size, sizes))
}

/// Orders attributes as records have them.
pub(super) fn order(
    upcase: &UpCase,
    a: (AttributeKind, &[u8], u64),
    b: (AttributeKind, &[u8], u64),
) -> std::cmp::Ordering {
    let folded = |name: &'_ [u8]| {
        let (units, _) = name.as_chunks::<2>();
        units.iter().map(|&unit| upcase.fold(u16::from_le_bytes(unit))).collect::<Vec<_>>()
    };
    let names = || match (a.1.is_empty(), b.1.is_empty()) {
        _ if a.1 == b.1 => std::cmp::Ordering::Equal,
        (true, _) | (_, true) => a.1.len().cmp(&b.1.len()),
        _ => folded(a.1).cmp(&folded(b.1)),
    };
    a.0.cmp(&b.0).then_with(names).then(a.2.cmp(&b.2))
}

impl<D: ReadAt> Ground<'_, D> {
    /// Reads all of a value, or its first `most` bytes; `None`, with a finding, if it cannot be read.
    pub(super) fn value(
        &self,
        parts: &[Part<'_>],
        most: u64,
        found: &mut Findings,
    ) -> Option<Vec<u8>> {
        let clusters = match &parts.first()?.body {
            Body::Resident { value, .. } => return Some(value.to_vec()),
            Body::Clusters(_) => clusters_of(parts, self.geometry.cluster_size)?,
        };
        let mut bytes = vec![0; usize::try_from(clusters.size().min(most)).unwrap_or(0)];
        match clusters.read(self.device(), &mut bytes, 0) {
            Ok(()) => Some(bytes),
            Err(error) => {
                found.error(Rule::Runs, error);
                None
            }
        }
    }

    /// Reads a file that was checked before, and hands it over. `None` if it is not there.
    pub(super) fn with_file<R>(
        &self,
        number: RecordNumber,
        map: &mut Map,
        each: impl FnOnce(&Gathered<'_>, &mut Map) -> R,
    ) -> Option<R> {
        if !map.state(number).is_file() {
            return None;
        }
        let mut bytes = Vec::new();
        let offset = self.volume.load(number, &mut bytes).ok()?;
        let base = Loaded { number, offset, bytes: &bytes };
        let quiet = &mut Findings::quiet();
        let head = base.head(quiet)?;
        let mut parts = Vec::new();
        base.parts(&head, self.measures(), quiet, &mut parts);
        let entries = self.list(&parts, map, quiet);
        let further = self.further(&base, entries.as_deref().unwrap_or_default(), map, quiet);
        let file = self.join(&base, head, parts, &further, map, quiet);
        Some(each(&file, map))
    }

    /// Adds the attributes of further records to those of the first.
    pub(super) fn join<'a>(
        &self,
        base: &Loaded<'_>,
        head: Head,
        mut parts: Vec<Part<'a>>,
        further: &'a [Read],
        map: &Map,
        found: &mut Findings,
    ) -> Gathered<'a> {
        for (number, offset, bytes) in further {
            let record = Loaded { number: *number, offset: *offset, bytes };
            if let Some(head) = record.head(found) {
                let begin = parts.len();
                record.parts(&head, self.measures(), found, &mut parts);
                self.check_order(parts.get(begin..).unwrap_or_default(), found);
            }
        }
        let key = |part: &Part<'a>| (part.kind, part.name, part.first());
        parts.sort_by(|a, b| order(&self.upcase, key(a), key(b)));
        let reference = map.reference(base.number);
        Gathered { reference, head, parts, offset: base.offset }
    }

    /// Attributes of one record are in their order, and none but names are there twice.
    pub(super) fn check_order(&self, parts: &[Part<'_>], found: &mut Findings) {
        for pair in parts.windows(2) {
            let [a, b] = pair else { continue };
            let key = |part: &Part<'_>| {
                order(
                    &self.upcase,
                    (a.kind, a.name, a.first()),
                    (part.kind, part.name, part.first()),
                )
            };
            let what = match key(b) {
                std::cmp::Ordering::Greater => "stands behind an attribute that it belongs before",
                std::cmp::Ordering::Equal if b.kind != AttributeKind::FILE_NAME => {
                    "is in the record twice"
                }
                _ => continue,
            };
            found.structure(Rule::AttributeOrder, b.structure(), b.offset, what);
        }
    }

    /// The entries of a file's attribute list; `None` if it has none.
    pub(super) fn list(
        &self,
        parts: &[Part<'_>],
        map: &mut Map,
        found: &mut Findings,
    ) -> Option<Vec<ListEntry>> {
        let list = parts.iter().find(|part| part.kind == AttributeKind::ATTRIBUTE_LIST)?;
        let (structure, at) = (list.structure(), list.offset);
        let size = list.size();
        if size > MAX_LIST || !map.spend(size) {
            let expected = Expected::AtMost(MAX_LIST);
            found.number(Rule::AttributeList, (structure, at), "bytes", expected, size);
            return Some(Vec::new());
        }
        let bytes = self.value(std::slice::from_ref(list), MAX_LIST, found).unwrap_or_default();
        let mut entries = Vec::new();
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let entry = ListEntryDisk::read_from_prefix(rest).ok();
            let length = entry.map_or(0, |(entry, _)| usize::from(entry.length.get()));
            let whole = rest.split_at_checked(length);
            let whole = whole.filter(|_| length >= ENTRY && length.is_multiple_of(8));
            let name = |entry: &ListEntryDisk| {
                let (start, units) =
                    (usize::from(entry.name_offset), usize::from(entry.name_length));
                if units == 0 { Some(&[][..]) } else { whole?.0.get(start..start + units * 2) }
            };
            let taken = entry.and_then(|(entry, _)| Some((entry, name(&entry)?, whole?.1)));
            let Some((entry, name, tail)) = taken else {
                let expected = Expected::Within(ENTRY as u64, rest.len() as u64);
                let field = "bytes of an entry";
                found.number(Rule::AttributeList, (structure, at), field, expected, length as u64);
                break;
            };
            entries.push(ListEntry {
                kind: AttributeKind(entry.kind.get()),
                name: name.to_vec(),
                first_vcn: Vcn(entry.first_vcn.get()),
                reference: FileReference::from_disk(entry.reference.get()),
                instance: entry.instance.get(),
            });
            rest = tail;
        }
        Some(entries)
    }

    /// Reads the further records that a list names, each once; those of other files are left out.
    pub(super) fn further(
        &self,
        base: &Loaded<'_>,
        entries: &[ListEntry],
        map: &mut Map,
        found: &mut Findings,
    ) -> Vec<Read> {
        let mut met = HashSet::new();
        let mut further = Vec::new();
        for entry in entries {
            let number = entry.reference.record;
            if number == base.number || !met.insert(number) {
                continue;
            }
            let state = map.state(number);
            let owner = FileReference {
                record: RecordNumber(state.base.into()),
                use_count: state.base_use_count,
            };
            if !state.is(flag::EXTENSION) || owner != map.reference(base.number) {
                continue;
            }
            let mut bytes = Vec::new();
            match self.volume.load(number, &mut bytes) {
                Ok(offset) if is_in_use(&bytes) => further.push((number, offset, bytes)),
                Ok(_) => {}
                Err(error) => found.error(Rule::UpdateSequence, error),
            }
        }
        further
    }
}
