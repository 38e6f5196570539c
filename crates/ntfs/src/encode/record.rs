//! File records, put together: which attributes go into which record, and their bytes.

use zerocopy::IntoBytes;

use super::attribute::{Body, NewAttribute};
use super::{align8, protect, u16_of, u32_of};
use crate::layout::{END, ListEntryDisk, RECORD_SIGNATURE, RecordHeaderDisk, STRIDE};
use crate::{AttributeKind, FileReference, RecordNumber};

/// Bytes of the mark that ends a record.
const END_MARK: usize = 8;
/// An attribute list of at most this many bytes stands in the record: one for seven attributes.
const LIST_IN_RECORD: usize = 0x100;
/// Bytes of an attribute list in clusters, in the record: its header and one run.
const LIST_IN_CLUSTERS: usize = 0x40 + 16;

/// Where the first attribute of a record is: behind header and update sequence.
pub(crate) const fn first_attribute(record_size: usize) -> usize {
    align8(size_of::<RecordHeaderDisk>() + 2 * (1 + record_size / STRIDE))
}

/// Bytes for attributes in a record.
pub(crate) const fn room(record_size: usize) -> usize {
    record_size - first_attribute(record_size) - END_MARK
}

/// Which attributes of a file go into which of its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Assembly {
    /// Indices of the attributes, for each record; the first is the base record.
    pub(crate) records: Vec<Vec<usize>>,
    /// Bytes of the attribute list, if one is needed.
    pub(crate) list: Option<usize>,
}

impl Assembly {
    /// Whether the attribute list stands in clusters.
    pub(crate) fn list_in_clusters(&self) -> bool {
        self.list.is_some_and(|size| size > LIST_IN_RECORD)
    }
}

/// What [`assemble`] needs to know of an attribute.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    pub(crate) kind: AttributeKind,
    /// UTF-16 units of its name.
    pub(crate) name: usize,
    /// Bytes in the record.
    pub(crate) size: usize,
    /// Whether it continues a value: then a list must say where its parts are.
    pub(crate) continues: bool,
}

impl Measured {
    pub(crate) fn of(attribute: &NewAttribute<'_>) -> Self {
        let continues = attribute.first_vcn().0 > 0;
        let (kind, name) = (attribute.kind, attribute.name.len());
        Self { kind, name, size: attribute.size(), continues }
    }

    const fn list_entry(&self) -> usize {
        align8(size_of::<ListEntryDisk>() + self.name * 2)
    }

    /// Which attributes stay in the base record if not all can: what finds the others and what is read first.
    fn rank(&self) -> u8 {
        match self.kind {
            AttributeKind::STANDARD_INFORMATION => 0,
            AttributeKind::INDEX_ROOT => 1,
            AttributeKind::INDEX_ALLOCATION | AttributeKind::BITMAP => 2,
            AttributeKind::DATA if self.name == 0 => 3,
            _ => 4,
        }
    }
}

/// Finds room for all attributes, which are in their order, in as few records as needed. Each fits into one record.
pub(crate) fn assemble(attributes: &[Measured], record_size: usize) -> Assembly {
    let room = room(record_size);
    let whole: usize = attributes.iter().map(|attribute| attribute.size).sum();
    let in_parts = attributes.iter().any(|attribute| attribute.continues);
    if whole <= room && !in_parts {
        return Assembly { records: vec![(0..attributes.len()).collect()], list: None };
    }
    let list: usize = attributes.iter().map(Measured::list_entry).sum();
    let in_record = if list > LIST_IN_RECORD { LIST_IN_CLUSTERS } else { 0x18 + align8(list) };
    let mut ranked: Vec<(usize, &Measured)> = attributes.iter().enumerate().collect();
    ranked.sort_by_key(|(_, attribute)| attribute.rank());
    let mut left = room - in_record;
    let mut further = Vec::new();
    let mut base = Vec::new();
    for (index, attribute) in ranked {
        // What follows in the order stays together: no later one is put before an earlier one.
        if attribute.size <= left && (further.is_empty() || attribute.rank() < 4) {
            left -= attribute.size;
            base.push(index);
        } else {
            further.push(index);
        }
    }
    base.sort_unstable();
    further.sort_unstable();
    let mut records = vec![base];
    let mut left = 0;
    for index in further {
        let size = attributes.get(index).map_or(0, |attribute| attribute.size);
        if size > left {
            records.push(Vec::new());
            left = room;
        }
        left -= size.min(left);
        if let Some(last) = records.last_mut() {
            last.push(index);
        }
    }
    Assembly { records, list: Some(list) }
}

/// The value of the attribute list. `references` are those of the records, the base record's first.
pub(crate) fn list_value(
    attributes: &[NewAttribute<'_>],
    assembly: &Assembly,
    references: &[FileReference],
) -> Vec<u8> {
    let mut places = vec![(FileReference::from_disk(0), 0_u16); attributes.len()];
    for (position, (indices, reference)) in assembly.records.iter().zip(references).enumerate() {
        for (place, &index) in indices.iter().enumerate() {
            // In the base record the list itself comes behind `$STANDARD_INFORMATION`.
            let instance = if position == 0 && place > 0 { place + 1 } else { place };
            if let Some(found) = places.get_mut(index) {
                *found = (*reference, u16_of(instance));
            }
        }
    }
    let mut value = Vec::with_capacity(assembly.list.unwrap_or(0));
    for (attribute, (reference, instance)) in attributes.iter().zip(places) {
        let length = align8(size_of::<ListEntryDisk>() + attribute.name.len() * 2);
        let entry = ListEntryDisk {
            kind: attribute.kind.0.into(),
            length: u16_of(length).into(),
            name_length: u8::try_from(attribute.name.len()).unwrap_or(u8::MAX),
            name_offset: size_of::<ListEntryDisk>().to_le_bytes()[0],
            first_vcn: attribute.first_vcn().0.into(),
            reference: reference.to_disk().into(),
            instance: instance.into(),
        };
        let start = value.len();
        value.extend_from_slice(entry.as_bytes());
        value.extend_from_slice(&attribute.name.to_le_bytes());
        value.resize(start + length, 0);
    }
    value
}

/// What a record says of itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecordHead {
    pub(crate) reference: FileReference,
    /// The record it continues.
    pub(crate) base: Option<FileReference>,
    /// How many `$FILE_NAME` attributes the file has; 0 in a record that continues another.
    pub(crate) links: u16,
    /// 1 in use, 2 directory, 4 in `$Extend`, 8 has another index.
    pub(crate) flags: u16,
}

/// Appends a record with these attributes, in this order.
pub(crate) fn encode_record<'a>(
    head: &RecordHead,
    attributes: impl Iterator<Item = &'a NewAttribute<'a>>,
    cluster_size: u32,
    record_size: usize,
    out: &mut Vec<u8>,
) {
    let start = out.len();
    out.resize(start + first_attribute(record_size), 0);
    let mut body = Vec::with_capacity(record_size);
    let mut count = 0;
    for attribute in attributes {
        attribute.encode(count, cluster_size, &mut body);
        count += 1;
    }
    out.extend_from_slice(&body);
    finish_record(head, count, start, record_size, out);
}

/// Appends a record that is not in use.
pub(crate) fn encode_free(reference: FileReference, record_size: usize, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + first_attribute(record_size), 0);
    let head = RecordHead { reference, base: None, links: 0, flags: 0 };
    finish_record(&head, 0, start, record_size, out);
}

fn finish_record(
    head: &RecordHead,
    next_instance: u16,
    start: usize,
    record_size: usize,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(&END.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    let used = out.len() - start;
    debug_assert!(used <= record_size, "a record of {used} bytes");
    out.resize(start + record_size, 0);
    let disk = RecordHeaderDisk {
        signature: RECORD_SIGNATURE.into(),
        sequence_offset: u16_of(size_of::<RecordHeaderDisk>()).into(),
        sequence_count: u16_of(1 + record_size / STRIDE).into(),
        lsn: 0.into(),
        use_count: head.reference.use_count.into(),
        links: head.links.into(),
        attributes: u16_of(first_attribute(record_size)).into(),
        flags: head.flags.into(),
        used: u32_of(used).into(),
        allocated: u32_of(record_size).into(),
        base: head.base.map_or(0, FileReference::to_disk).into(),
        next_instance: next_instance.into(),
        reserved: 0.into(),
        number: low32(head.reference.record).into(),
    };
    if let Some(record) = out.get_mut(start..) {
        if let Some(place) = record.get_mut(..size_of::<RecordHeaderDisk>()) {
            place.copy_from_slice(disk.as_bytes());
        }
        protect(record, size_of::<RecordHeaderDisk>());
    }
}

fn low32(number: RecordNumber) -> u32 {
    u32::try_from(number.0 & 0xffff_ffff).unwrap_or(0)
}

/// The attribute list as an attribute, in the record or in clusters.
pub(crate) fn list_attribute(body: Body<'_>) -> NewAttribute<'_> {
    let name = std::borrow::Cow::Owned(imprint_winvalues::WinName::default());
    NewAttribute::named(AttributeKind::ATTRIBUTE_LIST, name, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(kind: AttributeKind, size: usize) -> Measured {
        Measured { kind, name: 0, size, continues: false }
    }

    #[test]
    fn what_fits_stays_together() {
        let all = [
            measured(AttributeKind::STANDARD_INFORMATION, 0x60),
            measured(AttributeKind::FILE_NAME, 0x68),
            measured(AttributeKind::DATA, room(1024) - 0xc8),
        ];
        let one = Assembly { records: vec![vec![0, 1, 2]], list: None };
        assert_eq!(assemble(&all, 1024), one);
    }

    #[test]
    fn a_value_in_parts_needs_a_list() {
        let mut all = vec![measured(AttributeKind::DATA, 0x100); 2];
        assert_eq!(assemble(&all, 1024).list, None);
        all[1].continues = true;
        let assembly = assemble(&all, 1024);
        assert_eq!((assembly.list, assembly.records), (Some(64), vec![vec![0, 1]]));
    }

    #[test]
    fn names_go_to_further_records_and_data_stays() {
        let mut all = vec![measured(AttributeKind::STANDARD_INFORMATION, 0x60)];
        all.extend([measured(AttributeKind::FILE_NAME, 0x70); 20]);
        all.push(measured(AttributeKind::DATA, 0x50));
        let assembly = assemble(&all, 1024);
        assert_eq!(assembly.list, Some(22 * 32));
        assert!(assembly.list_in_clusters());
        assert_eq!(assembly.records[0], [0, 1, 2, 3, 4, 5, 6, 21]);
        assert_eq!(assembly.records[1], [7, 8, 9, 10, 11, 12, 13, 14]);
        let number: usize = assembly.records.iter().map(Vec::len).sum();
        assert_eq!(number, all.len());
    }
}
