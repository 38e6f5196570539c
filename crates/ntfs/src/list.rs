//! Attribute lists: in which records the attributes of a file are, if they do not fit into one.

use imprint_blockio::Expected;
use zerocopy::FromBytes;

use crate::layout::ListEntryDisk;
use crate::{AttributeKind, Corruption, FileReference, Structure, Vcn};

/// Bytes of an entry without its name.
const ENTRY: usize = size_of::<ListEntryDisk>();

/// One attribute, or one part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListEntry {
    pub(crate) kind: AttributeKind,
    /// UTF-16LE.
    pub(crate) name: Vec<u8>,
    /// The first cluster of the part.
    pub(crate) first_vcn: Vcn,
    /// The record it is in.
    pub(crate) reference: FileReference,
    /// Its number there.
    pub(crate) instance: u16,
}

/// Reads all entries. `offset` is where the list's attribute stands on the volume.
///
/// # Errors
/// [`Corruption`] at the attribute, for the first entry that is not whole.
pub(crate) fn read_list(
    bytes: &[u8],
    structure: Structure,
    offset: u64,
) -> Result<Vec<ListEntry>, Corruption> {
    let mut entries = Vec::new();
    let mut rest = bytes;
    while let Ok((entry, _)) = ListEntryDisk::read_from_prefix(rest) {
        let length = usize::from(entry.length.get());
        let (start, name_length) = (usize::from(entry.name_offset), usize::from(entry.name_length));
        let name =
            rest.get(start..start + name_length * 2).filter(|_| start + name_length * 2 <= length);
        let (Some(name), Some(tail)) = (name, rest.get(length..).filter(|_| length >= ENTRY))
        else {
            let (field, expected) =
                ("bytes of an entry", Expected::Within(ENTRY as u64, rest.len() as u64));
            return Err(Corruption::number(structure, offset, field, expected, length as u64));
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
    Ok(entries)
}
