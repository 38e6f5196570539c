//! Records and their attributes, taken apart strictly.

use imprint_blockio::Expected;
use zerocopy::FromBytes;

use super::definitions::{Definition, Definitions};
use super::report::Findings;
use super::rule::Rule;
use crate::layout::{
    AttributeHeaderDisk, END, NonResidentDisk, RecordHeaderDisk, ResidentDisk, STRIDE,
};
use crate::runs::{PairsPlace, read_runs};
use crate::{AttributeKind, Corruption, RecordNumber, Run, Structure};

/// Bytes of the header.
const HEADER: usize = size_of::<RecordHeaderDisk>();
/// Bytes of an attribute's header with the value in the record.
const RESIDENT: usize = size_of::<AttributeHeaderDisk>() + size_of::<ResidentDisk>();
/// Bytes of an attribute's header with the value in clusters.
const NON_RESIDENT: usize = size_of::<AttributeHeaderDisk>() + size_of::<NonResidentDisk>();
/// Flags of values that are compressed or sparse: the header has one more field.
pub(super) const PACKED: u16 = 0x8001;

/// The header of a record in use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) links: u16,
    /// Where the first attribute is.
    first: usize,
    /// Where the last ends.
    used: usize,
    /// The number the next attribute gets.
    next_instance: u16,
}

/// An attribute, or a part of one.
#[derive(Debug)]
pub(super) struct Part<'a> {
    /// The record it stands in.
    pub(super) holder: RecordNumber,
    pub(super) kind: AttributeKind,
    /// UTF-16LE.
    pub(super) name: &'a [u8],
    pub(super) flags: u16,
    pub(super) instance: u16,
    /// Where it stands, bytes from the start of the volume.
    pub(super) offset: u64,
    pub(super) body: Body<'a>,
}

/// The value of an attribute.
#[derive(Debug)]
pub(super) enum Body<'a> {
    Resident { value: &'a [u8], offset: u64 },
    Clusters(Mapped),
}

/// A value, or a part of one, in clusters. The sizes count in the first part only.
#[derive(Debug)]
pub(super) struct Mapped {
    pub(super) first: u64,
    pub(super) unit_shift: u8,
    pub(super) allocated: u64,
    pub(super) size: u64,
    pub(super) initialised: u64,
    /// Bytes of the clusters it really has, if it is compressed or sparse.
    pub(super) total: Option<u64>,
    pub(super) runs: Vec<Run>,
}

impl Part<'_> {
    /// What findings call it.
    pub(super) const fn structure(&self) -> Structure {
        Structure::Attribute(self.holder, self.kind)
    }

    /// The first cluster of the value that it describes.
    pub(super) const fn first(&self) -> u64 {
        match &self.body {
            Body::Resident { .. } => 0,
            Body::Clusters(mapped) => mapped.first,
        }
    }

    /// Bytes of the value.
    pub(super) const fn size(&self) -> u64 {
        match &self.body {
            Body::Resident { value, .. } => value.len() as u64,
            Body::Clusters(mapped) => mapped.size,
        }
    }
}

/// What all records of a volume are measured with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measures<'a> {
    pub(super) clusters: u64,
    pub(super) definitions: &'a Definitions,
}

/// A record in use, its sectors joined.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loaded<'a> {
    pub(super) number: RecordNumber,
    /// Where it stands, bytes from the start of the volume.
    pub(super) offset: u64,
    pub(super) bytes: &'a [u8],
}

impl<'a> Loaded<'a> {
    const fn structure(&self) -> Structure {
        Structure::FileRecord(self.number)
    }

    /// Checks the header. `None` if no attribute can be found through it.
    pub(super) fn head(&self, found: &mut Findings) -> Option<Head> {
        let (disk, _) = RecordHeaderDisk::read_from_prefix(self.bytes).ok()?;
        let (structure, at) = (self.structure(), self.offset);
        let rule = Rule::RecordHeader;
        if disk.use_count.get() == 0 {
            found.number(rule, (structure, at + 0x10), "use count", Expected::AtLeast(1), 0);
        }
        let size = self.bytes.len();
        let allocated = u64::from(disk.allocated.get());
        found.equal(rule, (structure, at + 0x1c), "allocated bytes", (size as u64, allocated));
        let sequence = usize::from(disk.sequence_offset.get());
        // Records of NTFS 3.0 and older have the update sequence there.
        if sequence >= HEADER {
            let numbers = (self.number.0 & 0xffff_ffff, disk.number.get().into());
            found.equal(rule, (structure, at + 0x2c), "number of the record", numbers);
        }
        let behind = sequence + 2 * usize::from(disk.sequence_count.get());
        let first = usize::from(disk.attributes.get());
        let used = usize::try_from(disk.used.get()).unwrap_or(usize::MAX);
        if used > size || !used.is_multiple_of(8) {
            let field = "used bytes";
            found.number(
                rule,
                (structure, at + 0x18),
                field,
                Expected::AtMost(size as u64),
                used as u64,
            );
            return None;
        }
        if first < behind || first > used || !first.is_multiple_of(8) {
            let expected = Expected::Within(behind as u64, used as u64);
            let field = "offset of the first attribute";
            found.corruption(
                rule,
                Corruption::code(structure, at + 0x14, field, expected, first as u64),
            );
            return None;
        }
        let (links, next_instance) = (disk.links.get(), disk.next_instance.get());
        Some(Head { links, first, used, next_instance })
    }

    /// Takes its attributes apart and appends them, those behind the first that has no end left out.
    pub(super) fn parts(
        &self,
        head: &Head,
        measures: Measures<'_>,
        found: &mut Findings,
        parts: &mut Vec<Part<'a>>,
    ) {
        let begin = parts.len();
        let mut at = head.first;
        loop {
            let place = self.offset + at as u64;
            let rest = self.bytes.get(at..head.used).unwrap_or_default();
            let Some(&kind) = rest.first_chunk::<8>().and_then(|bytes| bytes.first_chunk::<4>())
            else {
                let what = "has no end mark behind its attributes";
                found.structure(Rule::RecordHeader, self.structure(), place, what);
                break;
            };
            let kind = u32::from_le_bytes(kind);
            if kind == END {
                let ends = ((at + 8) as u64, head.used as u64);
                let place = (self.structure(), self.offset + 0x18);
                found.equal(Rule::RecordHeader, place, "used bytes", ends);
                break;
            }
            let structure = Structure::Attribute(self.number, AttributeKind(kind));
            let length = rest.get(4..8).and_then(|bytes| bytes.first_chunk());
            let length = length.map_or(0, |&bytes| u64::from(u32::from_le_bytes(bytes)));
            let whole = usize::try_from(length).ok().and_then(|length| rest.get(..length));
            let whole = whole.filter(|whole| whole.len() >= RESIDENT && length.is_multiple_of(8));
            let Some(bytes) = whole else {
                let expected = Expected::Within(RESIDENT as u64, rest.len() as u64);
                found.number(Rule::Attribute, (structure, place + 4), "length", expected, length);
                break;
            };
            let attribute = Attribute { holder: self.number, bytes, structure, offset: place };
            parts.extend(attribute.part(measures, found));
            at += bytes.len();
        }
        self.instances(parts.get(begin..).unwrap_or_default(), head, found);
    }

    fn instances(&self, parts: &[Part<'_>], head: &Head, found: &mut Findings) {
        for (index, part) in parts.iter().enumerate() {
            let place = (part.structure(), part.offset + 0xe);
            if part.instance >= head.next_instance {
                let expected = Expected::AtMost(u64::from(head.next_instance).saturating_sub(1));
                found.number(Rule::Instance, place, "instance", expected, part.instance.into());
            }
            let before = parts.get(..index).unwrap_or_default();
            if before.iter().any(|other| other.instance == part.instance) {
                let what = "has the instance of another attribute of the record";
                found.structure(Rule::Instance, place.0, place.1, what);
            }
        }
    }
}

/// The bytes of one attribute.
struct Attribute<'a> {
    holder: RecordNumber,
    bytes: &'a [u8],
    structure: Structure,
    offset: u64,
}

impl<'a> Attribute<'a> {
    fn wrong(
        &self,
        found: &mut Findings,
        at: u64,
        field: &'static str,
        (expected, actual): (Expected, u64),
    ) {
        let corruption =
            Corruption::number(self.structure, self.offset + at, field, expected, actual);
        found.corruption(Rule::Attribute, corruption);
    }

    fn part(&self, measures: Measures<'_>, found: &mut Findings) -> Option<Part<'a>> {
        let (header, _) = AttributeHeaderDisk::read_from_prefix(self.bytes).ok()?;
        let kind = AttributeKind(header.kind.get());
        let definition = measures.definitions.get(kind);
        if definition.is_none() {
            found.structure(
                Rule::Attribute,
                self.structure,
                self.offset,
                "is of a type that is not defined",
            );
        }
        let name = match usize::from(header.name_length) {
            0 => &[],
            units => {
                let (start, least) = (
                    usize::from(header.name_offset.get()),
                    match header.non_resident {
                        0 => RESIDENT,
                        _ => NON_RESIDENT,
                    },
                );
                let name = self.bytes.get(start..start + units * 2);
                let Some(name) = name.filter(|_| start >= least) else {
                    let most = self.bytes.len().saturating_sub(units * 2) as u64;
                    let expected = Expected::Within(least as u64, most);
                    self.wrong(found, 0xa, "offset of the name", (expected, start as u64));
                    return None;
                };
                name
            }
        };
        let flags = header.flags.get();
        let body = match header.non_resident {
            0 => self.resident(&header, definition, found)?,
            1 => self.clusters(flags, measures, definition, found)?,
            other => {
                self.wrong(found, 8, "non-resident flag", (Expected::AtMost(1), other.into()));
                return None;
            }
        };
        let (holder, instance, offset) = (self.holder, header.instance.get(), self.offset);
        let part = Part { holder, kind, name, flags, instance, offset, body };
        if let Some(definition) = definition.filter(|_| part.first() == 0) {
            definition.check(&part, found);
        }
        Some(part)
    }

    fn resident(
        &self,
        header: &AttributeHeaderDisk,
        definition: Option<&Definition>,
        found: &mut Findings,
    ) -> Option<Body<'a>> {
        let rest = self.bytes.get(size_of::<AttributeHeaderDisk>()..)?;
        let (resident, _) = ResidentDisk::read_from_prefix(rest).ok()?;
        let start = usize::from(resident.offset.get());
        let length = usize::try_from(resident.length.get()).unwrap_or(usize::MAX);
        let name_end = match usize::from(header.name_length) {
            0 => RESIDENT,
            units => usize::from(header.name_offset.get()) + units * 2,
        };
        if start < name_end || !start.is_multiple_of(8) {
            let expected = Expected::AtLeast(name_end.next_multiple_of(8) as u64);
            self.wrong(found, 0x14, "offset of the value", (expected, start as u64));
            return None;
        }
        let Some(value) = self.bytes.get(start..start.saturating_add(length)) else {
            let expected = Expected::AtMost(self.bytes.len().saturating_sub(start) as u64);
            self.wrong(found, 0x10, "bytes of the value", (expected, length as u64));
            return None;
        };
        let indexed = definition.is_some_and(Definition::is_indexed);
        let numbers = (indexed.into(), resident.indexed.into());
        found.equal(Rule::Attribute, (self.structure, self.offset + 0x16), "indexed flag", numbers);
        Some(Body::Resident { value, offset: self.offset + start as u64 })
    }

    fn clusters(
        &self,
        flags: u16,
        measures: Measures<'_>,
        definition: Option<&Definition>,
        found: &mut Findings,
    ) -> Option<Body<'a>> {
        let rest = self.bytes.get(size_of::<AttributeHeaderDisk>()..).unwrap_or_default();
        let Ok((header, behind)) = NonResidentDisk::read_from_prefix(rest) else {
            let expected = Expected::AtLeast(NON_RESIDENT as u64);
            self.wrong(found, 4, "length", (expected, self.bytes.len() as u64));
            return None;
        };
        if definition.is_some_and(Definition::is_resident) {
            found.structure(Rule::Residence, self.structure, self.offset, "stands in clusters");
        }
        let first = header.first_vcn.get();
        let packed = flags & PACKED != 0 && first == 0;
        let total = behind.first_chunk().filter(|_| packed).map(|&total| u64::from_le_bytes(total));
        let least = NON_RESIDENT + if packed { 8 } else { 0 };
        let start = usize::from(header.runs_offset.get());
        if start < least || start >= self.bytes.len() {
            let expected = Expected::Within(least as u64, self.bytes.len() as u64 - 1);
            self.wrong(found, 0x20, "offset of the mapping pairs", (expected, start as u64));
            return None;
        }
        let place = PairsPlace { structure: self.structure, offset: self.offset + start as u64 };
        let pairs = self.bytes.get(start..).unwrap_or_default();
        let mut runs = Vec::new();
        let end = read_runs(pairs, crate::Vcn(first), measures.clusters, place, &mut runs);
        match end {
            Ok(end) => {
                let numbers = (end.0.wrapping_sub(1), header.last_vcn.get());
                let place = (self.structure, self.offset + 0x18);
                found.equal(Rule::Runs, place, "last cluster", numbers);
            }
            Err(corruption) => found.corruption(Rule::Runs, corruption),
        }
        Some(Body::Clusters(Mapped {
            first,
            unit_shift: header.unit_shift,
            allocated: header.allocated.get(),
            size: header.size.get(),
            initialised: header.initialised.get(),
            total,
            runs,
        }))
    }
}

/// Whether a record that was read is formatted and in use.
pub(super) fn is_in_use(bytes: &[u8]) -> bool {
    debug_assert!(bytes.len() >= STRIDE);
    bytes.get(0x16).is_some_and(|flags| flags & 1 == 1)
}
