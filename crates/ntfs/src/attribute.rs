//! The attributes of a file record.

use imprint_blockio::Expected;
use zerocopy::{FromBytes, transmute};

use crate::layout::{AttributeHeaderDisk, END, NonResidentDisk, ResidentDisk};
use crate::runs::{PairsPlace, Run, read_runs};
use crate::{AttributeKind, Corruption, RecordNumber, Structure, Vcn};

/// Bytes of what every attribute begins with.
const HEADER: usize = size_of::<AttributeHeaderDisk>();
/// The flags that say how a value is compressed.
pub(crate) const COMPRESSED: u16 = 0x00FF;
/// Clusters of a compression unit: 2^4, or with Windows' own larger units up to 2^8.
const MAX_UNIT_SHIFT: u8 = 8;

/// An attribute, or a part of one whose mapping pairs do not fit into one record.
#[derive(Clone, Copy, Debug)]
pub struct Attribute<'a> {
    /// The record it stands in.
    pub record: RecordNumber,
    /// Its type.
    pub kind: AttributeKind,
    /// Its name, UTF-16LE.
    pub name: &'a [u8],
    /// 0x0001 compressed, 0x4000 encrypted, 0x8000 sparse.
    pub flags: u16,
    /// A number no other attribute of the record has.
    pub instance: u16,
    /// Where it stands, bytes from the start of the volume.
    pub offset: u64,
    /// Its value.
    pub value: Value<'a>,
}

/// The value of an attribute.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// It stands in the record.
    Resident(&'a [u8]),
    /// It stands in clusters.
    NonResident(NonResident<'a>),
}

/// A value, or a part of one, that stands in clusters.
#[derive(Clone, Copy, Debug)]
pub struct NonResident<'a> {
    /// The first cluster described here.
    pub first: Vcn,
    /// The cluster behind the last.
    pub end: Vcn,
    /// The binary logarithm of the clusters of a compression unit; 0 if not compressed.
    pub unit_shift: u8,
    /// The same as it stands there: values with holes have one, too.
    pub(crate) stored_shift: u8,
    /// Bytes of all clusters of the value; only in its first part.
    pub allocated: u64,
    /// Bytes of the value; only in its first part.
    pub size: u64,
    /// Bytes of it that were written, at most `size`; only in its first part.
    pub initialised: u64,
    pairs: &'a [u8],
    place: PairsPlace,
    clusters: u64,
}

impl Attribute<'_> {
    /// Refuses data that is compressed without a unit: it could be read as plain only by guessing. ntfs-3g refuses it
    /// too.
    ///
    /// # Errors
    /// [`Corruption`] at the unit.
    pub(crate) fn check_unit(&self, first: &NonResident<'_>) -> Result<(), Corruption> {
        let is_compressed = self.kind == AttributeKind::DATA && self.flags & COMPRESSED != 0;
        if is_compressed && first.first.0 == 0 && first.unit_shift == 0 {
            let structure = Structure::Attribute(self.record, self.kind);
            let (at, expected) = (self.offset + 0x22, Expected::AtLeast(1));
            return Err(Corruption::number(structure, at, "compression unit", expected, 0));
        }
        Ok(())
    }
}

impl NonResident<'_> {
    /// Appends the runs of this part.
    ///
    /// # Errors
    /// [`Corruption`] in the mapping pairs, or if they are for more or fewer clusters than the header
    /// says.
    pub fn read_runs(&self, runs: &mut Vec<Run>) -> Result<(), Corruption> {
        let end = read_runs(self.pairs, self.first, self.clusters, self.place, runs)?;
        if end != self.end {
            let expected = Expected::Exactly(self.end.0);
            let (structure, offset) = (self.place.structure, self.place.offset);
            return Err(Corruption::number(structure, offset, "end of runs", expected, end.0));
        }
        Ok(())
    }
}

/// Goes over the attributes of a record.
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    /// The record up to its used bytes.
    bytes: &'a [u8],
    /// Where the next attribute is; behind `bytes` when there is none.
    at: usize,
    record: RecordNumber,
    offset: u64,
    clusters: u64,
}

impl<'a> Attributes<'a> {
    pub(crate) const fn new(
        bytes: &'a [u8],
        at: usize,
        record: RecordNumber,
        offset: u64,
        clusters: u64,
    ) -> Self {
        Self { bytes, at, record, offset, clusters }
    }

    fn next_attribute(&mut self) -> Result<Option<Attribute<'a>>, Corruption> {
        let offset = self.offset + self.at as u64;
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let kind = rest.first_chunk().map(|&kind| u32::from_le_bytes(kind));
        // Without an end mark the used bytes end it.
        let Some(kind) = kind.filter(|&kind| kind != END) else { return Ok(None) };
        let structure = Structure::Attribute(self.record, AttributeKind(kind));
        let limit = self.offset + self.bytes.len() as u64;
        let too_long = |at: u64, field, end| Corruption::past_end(structure, at, field, limit, end);
        let Ok((header, _)) = AttributeHeaderDisk::read_from_prefix(rest) else {
            return Err(too_long(offset, "header", offset + HEADER as u64));
        };
        let length = u64::from(header.length.get());
        let whole = usize::try_from(length).ok().and_then(|length| rest.get(..length));
        let Some(bytes) = whole else {
            return Err(too_long(offset + 4, "attribute", offset.saturating_add(length)));
        };
        if bytes.len() < HEADER + size_of::<ResidentDisk>() || !length.is_multiple_of(8) {
            let expected = Expected::AtLeast((HEADER + size_of::<ResidentDisk>()) as u64);
            return Err(Corruption::number(structure, offset + 4, "length", expected, length));
        }
        let part = Part { bytes, structure, offset };
        let (name_at, name_bytes) =
            (header.name_offset.get().into(), usize::from(header.name_length) * 2);
        let name =
            if name_bytes == 0 { &[] } else { part.take("name", 0x0a, name_at, name_bytes)? };
        let value = match header.non_resident {
            0 => part.resident()?,
            1 => part.non_resident(self.clusters, header.flags.get())?,
            other => {
                let (at, field) = (offset + 8, "non-resident flag");
                let expected = Expected::AtMost(1);
                return Err(Corruption::code(structure, at, field, expected, other.into()));
            }
        };
        self.at += bytes.len();
        Ok(Some(Attribute {
            record: self.record,
            kind: AttributeKind(kind),
            name,
            flags: header.flags.get(),
            instance: header.instance.get(),
            offset,
            value,
        }))
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<Attribute<'a>, Corruption>;

    fn next(&mut self) -> Option<Self::Item> {
        let found = self.next_attribute();
        if !matches!(found, Ok(Some(_))) {
            self.at = self.bytes.len();
        }
        found.transpose()
    }
}

/// The bytes of one attribute.
struct Part<'a> {
    bytes: &'a [u8],
    structure: Structure,
    offset: u64,
}

impl<'a> Part<'a> {
    /// Takes `length` bytes at `start`, of which the field at `field_at` says where they are.
    fn take(
        &self,
        field: &'static str,
        field_at: u64,
        start: usize,
        length: usize,
    ) -> Result<&'a [u8], Corruption> {
        let end = start.saturating_add(length);
        self.bytes.get(start..end).ok_or_else(|| {
            let limit = self.offset + self.bytes.len() as u64;
            let end = self.offset.saturating_add(end as u64);
            Corruption::past_end(self.structure, self.offset + field_at, field, limit, end)
        })
    }

    /// The header behind what every attribute begins with.
    fn header<const N: usize>(&self) -> Result<[u8; N], Corruption> {
        let bytes = self.take("header", 4, HEADER, N)?;
        Ok(bytes.first_chunk().copied().unwrap_or([0; N]))
    }

    fn resident(&self) -> Result<Value<'a>, Corruption> {
        let header: ResidentDisk = transmute!(self.header::<{ size_of::<ResidentDisk>() }>()?);
        let length = usize::try_from(header.length.get()).unwrap_or(usize::MAX);
        let value = self.take("value", 0x10, header.offset.get().into(), length)?;
        Ok(Value::Resident(value))
    }

    fn non_resident(&self, clusters: u64, flags: u16) -> Result<Value<'a>, Corruption> {
        let structure = self.structure;
        let header: NonResidentDisk =
            transmute!(self.header::<{ size_of::<NonResidentDisk>() }>()?);
        let (first, last) = (header.first_vcn.get(), header.last_vcn.get());
        // An empty value ends one before its beginning.
        let end = last.wrapping_add(1);
        if end < first {
            let (at, expected) = (self.offset + 0x18, Expected::AtLeast(first));
            return Err(Corruption::number(structure, at, "last cluster", expected, last));
        }
        if header.unit_shift > MAX_UNIT_SHIFT {
            let (at, expected) = (self.offset + 0x22, Expected::AtMost(MAX_UNIT_SHIFT.into()));
            let actual = header.unit_shift.into();
            return Err(Corruption::number(structure, at, "compression unit", expected, actual));
        }
        let start = usize::from(header.runs_offset.get());
        let pairs =
            self.take("mapping pairs", 0x20, start, self.bytes.len().saturating_sub(start))?;
        let (size, initialised) = (header.size.get(), header.initialised.get());
        if first == 0 && initialised > size {
            let (at, expected) = (self.offset + 0x38, Expected::AtMost(size));
            return Err(Corruption::number(
                structure,
                at,
                "initialised bytes",
                expected,
                initialised,
            ));
        }
        Ok(Value::NonResident(NonResident {
            first: Vcn(first),
            end: Vcn(end),
            // Sparse values have a unit too, in which nothing is compressed.
            unit_shift: if flags & COMPRESSED == 0 { 0 } else { header.unit_shift },
            stored_shift: header.unit_shift,
            allocated: header.allocated.get(),
            size,
            initialised,
            pairs,
            place: PairsPlace { structure, offset: self.offset + start as u64 },
            clusters,
        }))
    }
}
