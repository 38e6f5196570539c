//! The metadata region: a table of items, and those that describe the disk.

use imprint_blockio::{Expected, ReadAt};
use imprint_winvalues::Guid;
use zerocopy::FromBytes;
use zerocopy::little_endian::{U32, U64};

use super::layout::{
    DISK_ID, DISK_SIZE, FILE_PARAMETERS, FileParametersDisk, HAS_PARENT, ITEM_REQUIRED, ITEM_USER,
    LEAVE_ALLOCATED, LOGICAL_SECTOR, MAX_TABLE_ENTRIES, METADATA_SIGNATURE, MIB, MetadataEntryDisk,
    MetadataTableHeaderDisk, PARENT_LOCATOR, PHYSICAL_SECTOR, TABLE_BYTES,
};
use super::locator::parse_locator;
use super::region::{Region, Regions};
use crate::{Corruption, Kind, OpenError, ParentLink, Structure};

/// The largest disk: 64 TiB.
pub(crate) const MAX_SIZE: u64 = 64 << 40;
/// The smallest block.
pub(crate) const MIN_BLOCK: u32 = 1 << 20;
/// The largest block.
pub(crate) const MAX_BLOCK: u32 = 256 << 20;

/// Where an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// Which.
    pub(crate) guid: Guid,
    /// Bits of the table entry.
    pub(crate) flags: u32,
    /// First byte in the file.
    pub(crate) offset: u64,
    /// Bytes, at most 1 MiB; 0 for empty items.
    pub(crate) length: u32,
    /// Where its table entry is in the file.
    pub(crate) entry: u64,
}

/// What the metadata say of the disk. Everything is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Metadata {
    /// How the file gets its room.
    pub(crate) kind: Kind,
    /// Bytes of a block: a power of two from 1 MiB to 256 MiB.
    pub(crate) block_size: u32,
    /// Bytes of the disk: a multiple of the sector size, at least one, at most 64 TiB.
    pub(crate) size: u64,
    /// The disk's own id (page 83 data), if there is one.
    pub(crate) disk_id: Option<Guid>,
    /// 512 or 4096.
    pub(crate) sector_size: u32,
    /// 512 or 4096.
    pub(crate) physical_sector_size: u32,
    /// What a differencing disk says of its parent.
    pub(crate) parent: Option<ParentLink>,
    /// All items of the table, in its order; at most 2047, none over another.
    pub(crate) items: Vec<Item>,
}

impl Metadata {
    /// Where a known item is.
    pub(crate) fn item(&self, guid: Guid) -> Option<&Item> {
        find(&self.items, guid)
    }
}

fn find(items: &[Item], guid: Guid) -> Option<&Item> {
    items.iter().find(|item| item.guid == guid && item.flags & ITEM_USER == 0)
}

/// Reads all metadata.
///
/// # Errors
/// Corruption if the table or an item breaks the format, Unsupported for unknown items that must be known
/// and for locators of other kinds.
pub(crate) fn read_metadata(
    file: &(impl ReadAt + ?Sized),
    regions: &Regions,
) -> Result<Metadata, OpenError> {
    let region = regions.metadata;
    let items = read_items(file, regions)?;
    let reader = Reader { file, items: &items, table: region.offset };
    let (parameters, parameters_at): (FileParametersDisk, u64) =
        reader.required(FILE_PARAMETERS, "file parameters")?;
    let sector_size = reader.sector_size(LOGICAL_SECTOR, "logical sector size")?;
    let physical_sector_size = reader.sector_size(PHYSICAL_SECTOR, "physical sector size")?;
    let block_size = parameters.block_size.get();
    let number = |at, field, expected, actual| {
        Corruption::number(Structure::Metadata, at, field, expected, actual)
    };
    if !block_size.is_power_of_two() || !(MIN_BLOCK..=MAX_BLOCK).contains(&block_size) {
        let expected = Expected::Within(MIN_BLOCK.into(), MAX_BLOCK.into());
        let field = "block size, a power of two,";
        return Err(number(parameters_at, field, expected, block_size.into()).into());
    }
    let (size, size_at): (U64, u64) = reader.required(DISK_SIZE, "disk size")?;
    let size = size.get();
    if size == 0 || !size.is_multiple_of(sector_size.into()) || size > MAX_SIZE {
        let expected = match size {
            0 => Expected::AtLeast(sector_size.into()),
            1..=MAX_SIZE => Expected::MultipleOf(sector_size.into()),
            _ => Expected::AtMost(MAX_SIZE),
        };
        return Err(number(size_at, "disk size", expected, size).into());
    }
    let disk_id = reader.optional::<[u8; 16]>(DISK_ID, "disk id")?.map(|(id, _)| Guid(id));
    let flags = parameters.flags.get();
    let (kind, parent) = if flags & HAS_PARENT != 0 {
        (Kind::Differencing, Some(reader.locator()?))
    } else if flags & LEAVE_ALLOCATED != 0 {
        (Kind::Fixed, None)
    } else {
        (Kind::Dynamic, None)
    };
    Ok(Metadata {
        kind,
        block_size,
        size,
        disk_id,
        sector_size,
        physical_sector_size,
        parent,
        items,
    })
}

/// Reads the table.
fn read_items(file: &(impl ReadAt + ?Sized), regions: &Regions) -> Result<Vec<Item>, OpenError> {
    let region = regions.metadata;
    let (structure, at) = (Structure::Metadata, region.offset);
    let end = file_len(file, structure)?;
    if at.saturating_add(TABLE_BYTES as u64) > end {
        let (structure, entry) = (Structure::RegionTable, regions.metadata_entry);
        let field = "metadata region";
        return Err(Corruption::past_end(structure, entry + 16, field, end, region.end()).into());
    }
    let mut table = vec![0; TABLE_BYTES];
    let length = TABLE_BYTES as u64;
    file.read_exact_at(&mut table, at).map_err(|source| OpenError::Io {
        structure,
        offset: at,
        length,
        source,
    })?;
    let wrong =
        |at, field, expected, actual| Corruption::code(structure, at, field, expected, actual);
    let Ok((header, rest)) = MetadataTableHeaderDisk::ref_from_prefix(&table) else {
        return Err(wrong(at, "length", Expected::AtLeast(32), length).into());
    };
    if header.signature != METADATA_SIGNATURE {
        let expected = Expected::Exactly(METADATA_SIGNATURE);
        return Err(wrong(at, "signature", expected, header.signature.get()).into());
    }
    let count = header.entry_count.get();
    if u32::from(count) > MAX_TABLE_ENTRIES {
        let expected = Expected::AtMost(MAX_TABLE_ENTRIES.into());
        let (at, field) = (at + 10, "entry count");
        return Err(Corruption::number(structure, at, field, expected, count.into()).into());
    }
    let entries = <[MetadataEntryDisk]>::ref_from_prefix_with_elems(rest, count.into())
        .map_or(&[][..], |(entries, _)| entries);
    let items = (at + 32..)
        .step_by(32)
        .zip(entries)
        .map(|(place, entry)| check_item(entry, place, region))
        .collect::<Result<Vec<_>, _>>()?;
    check_uniqueness(&items)?;
    Ok(items)
}

fn file_len(file: &(impl ReadAt + ?Sized), structure: Structure) -> Result<u64, OpenError> {
    file.len().map_err(|source| OpenError::Io { structure, offset: 0, length: 0, source })
}

fn check_item(entry: &MetadataEntryDisk, place: u64, region: Region) -> Result<Item, OpenError> {
    let structure = Structure::Metadata;
    let (guid, flags) = (Guid(entry.guid), entry.flags.get());
    let (offset, length) = (entry.offset.get(), entry.length.get());
    let known =
        [FILE_PARAMETERS, DISK_SIZE, DISK_ID, LOGICAL_SECTOR, PHYSICAL_SECTOR, PARENT_LOCATOR];
    if flags & ITEM_REQUIRED != 0 && (flags & ITEM_USER != 0 || !known.contains(&guid)) {
        let feature = "an unknown item that must be known";
        return Err(OpenError::Unsupported { structure, offset: place, feature });
    }
    if length > 0 {
        let end = u64::from(offset) + u64::from(length);
        if u64::from(length) > MIB {
            let (at, field, expected) = (place + 20, "item length", Expected::AtMost(MIB));
            return Err(Corruption::number(structure, at, field, expected, length.into()).into());
        }
        if offset < 64 << 10 {
            let (at, field, expected) = (place + 16, "item offset", Expected::AtLeast(64 << 10));
            return Err(Corruption::code(structure, at, field, expected, offset.into()).into());
        }
        if end > region.length {
            let (limit, end) = (region.end(), region.offset.saturating_add(end));
            return Err(Corruption::past_end(structure, place + 16, "item", limit, end).into());
        }
    }
    let offset = region.offset.saturating_add(offset.into());
    Ok(Item { guid, flags, offset, length, entry: place })
}

/// No item comes twice, and no two take the same bytes.
fn check_uniqueness(items: &[Item]) -> Result<(), Corruption> {
    let structure = Structure::Metadata;
    let mut sorted: Vec<&Item> = items.iter().collect();
    sorted.sort_by_key(|item| (item.guid, item.flags & ITEM_USER));
    for pair in sorted.windows(2) {
        let [first, second] = pair else { continue };
        if first.guid == second.guid && (first.flags ^ second.flags) & ITEM_USER == 0 {
            let (at, expected) = (first.entry.max(second.entry), Expected::AtMost(1));
            return Err(Corruption::number(structure, at, "entries of one item", expected, 2));
        }
    }
    sorted.retain(|item| item.length > 0);
    sorted.sort_by_key(|item| item.offset);
    for pair in sorted.windows(2) {
        let [first, second] = pair else { continue };
        let end = first.offset.saturating_add(first.length.into());
        if end > second.offset {
            let at = first.entry + 16;
            return Err(Corruption::past_end(structure, at, "item", second.offset, end));
        }
    }
    Ok(())
}

struct Reader<'a, F: ?Sized> {
    file: &'a F,
    items: &'a [Item],
    /// Where the table is.
    table: u64,
}

impl<F: ReadAt + ?Sized> Reader<'_, F> {
    /// Reads an item that has exactly the length of `V`, and its place.
    fn optional<V: FromBytes>(
        &self,
        guid: Guid,
        field: &'static str,
    ) -> Result<Option<(V, u64)>, OpenError> {
        let Some(item) = find(self.items, guid) else { return Ok(None) };
        let wrong = || {
            let (at, expected) = (item.entry + 20, Expected::Exactly(size_of::<V>() as u64));
            let structure = Structure::Metadata;
            Corruption::number(structure, at, field_length(field), expected, item.length.into())
        };
        if usize::try_from(item.length) != Ok(size_of::<V>()) {
            return Err(wrong().into());
        }
        let bytes = self.bytes(item, Structure::Metadata)?;
        let value = V::read_from_bytes(&bytes).map_err(|_length| wrong())?;
        Ok(Some((value, item.offset)))
    }

    fn required<V: FromBytes>(
        &self,
        guid: Guid,
        field: &'static str,
    ) -> Result<(V, u64), OpenError> {
        self.optional(guid, field)?.ok_or_else(|| {
            let (at, expected) = (self.table + 10, Expected::Exactly(1));
            Corruption::number(Structure::Metadata, at, field_count(field), expected, 0).into()
        })
    }

    fn sector_size(&self, guid: Guid, field: &'static str) -> Result<u32, OpenError> {
        let (size, at): (U32, u64) = self.required(guid, field)?;
        match size.get() {
            size @ (512 | 4096) => Ok(size),
            other => {
                let expected = Expected::Either(512, 4096);
                Err(Corruption::number(Structure::Metadata, at, field, expected, other.into())
                    .into())
            }
        }
    }

    fn locator(&self) -> Result<ParentLink, OpenError> {
        let Some(item) = find(self.items, PARENT_LOCATOR) else {
            let (at, field) = (self.table + 10, "entries of the parent locator");
            let expected = Expected::Exactly(1);
            return Err(Corruption::number(Structure::Metadata, at, field, expected, 0).into());
        };
        let bytes = self.bytes(item, Structure::ParentLocator)?;
        parse_locator(&bytes, item.offset)
    }

    /// At most 1 MiB.
    fn bytes(&self, item: &Item, structure: Structure) -> Result<Vec<u8>, OpenError> {
        let end = file_len(self.file, structure)?;
        let item_end = item.offset.saturating_add(item.length.into());
        if item_end > end {
            let (at, field) = (item.entry + 16, "item");
            return Err(Corruption::past_end(Structure::Metadata, at, field, end, item_end).into());
        }
        let mut bytes = vec![0; usize::try_from(item.length).unwrap_or(0)];
        self.file.read_exact_at(&mut bytes, item.offset).map_err(|source| OpenError::Io {
            structure,
            offset: item.offset,
            length: item.length.into(),
            source,
        })?;
        Ok(bytes)
    }
}

/// The names of known items and of what can be wrong with their entries.
const FIELDS: [(&str, &str, &str); 5] = [
    ("file parameters", "length of the file parameters", "entries of the file parameters"),
    ("disk size", "length of the disk size", "entries of the disk size"),
    ("disk id", "length of the disk id", "entries of the disk id"),
    (
        "logical sector size",
        "length of the logical sector size",
        "entries of the logical sector size",
    ),
    (
        "physical sector size",
        "length of the physical sector size",
        "entries of the physical sector size",
    ),
];

fn field_length(field: &'static str) -> &'static str {
    FIELDS.iter().find(|names| names.0 == field).map_or(field, |names| names.1)
}

fn field_count(field: &'static str) -> &'static str {
    FIELDS.iter().find(|names| names.0 == field).map_or(field, |names| names.2)
}
