//! The region tables: where the block allocation table and the metadata are.

use imprint_blockio::{Expected, ReadAt};
use imprint_winvalues::Guid;
use zerocopy::FromBytes;

use super::crc::checksum;
use super::layout::{
    BAT_REGION, MAX_TABLE_ENTRIES, METADATA_REGION, MIB, REGION_REQUIRED, REGION_SIGNATURE,
    REGION_TABLE_OFFSETS, RegionEntryDisk, RegionTableHeaderDisk, TABLE_BYTES,
};
use crate::{Corruption, OpenError, Structure};

/// A piece of the file; its end is a number too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Region {
    /// First byte.
    pub(crate) offset: u64,
    /// Bytes.
    pub(crate) length: u64,
}

impl Region {
    /// The byte behind the last.
    pub(crate) const fn end(&self) -> u64 {
        self.offset.saturating_add(self.length)
    }

    /// The bytes that both take.
    pub(crate) fn shared(&self, other: &Self) -> Option<Self> {
        let offset = self.offset.max(other.offset);
        let end = self.end().min(other.end());
        (offset < end).then(|| Self { offset, length: end - offset })
    }
}

/// Where the regions are. All are multiples of 1 MiB behind the first MiB, and no two of them overlap;
/// whether they lie inside the file is not said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Regions {
    /// The block allocation table.
    pub(crate) bat: Region,
    /// Where an entry says where the block allocation table is, for errors: bytes from the start of the
    /// file.
    pub(crate) bat_entry: u64,
    /// The metadata.
    pub(crate) metadata: Region,
    /// The same for the metadata.
    pub(crate) metadata_entry: u64,
    /// Regions that nobody needs to know.
    pub(crate) others: Vec<Region>,
}

/// A region table as it is in the file: signature and checksum are right.
pub(crate) type Table = Box<[u8]>;

const fn table_offset(copy: usize) -> u64 {
    let [first, second] = REGION_TABLE_OFFSETS;
    if copy == 0 { first } else { second }
}

/// Reads one of the two tables, 0 or 1. The inner result says whether it is one.
///
/// # Errors
/// [`OpenError::Io`].
pub(crate) fn read_table(
    file: &(impl ReadAt + ?Sized),
    copy: usize,
) -> Result<Result<Table, Corruption>, OpenError> {
    let mut bytes = vec![0; TABLE_BYTES];
    let offset = table_offset(copy);
    file.read_exact_at(&mut bytes, offset).map_err(|source| OpenError::Io {
        structure: Structure::RegionTable,
        offset,
        length: TABLE_BYTES as u64,
        source,
    })?;
    let fault = |at, field, expected: u32, actual: u32| {
        let expected = Expected::Exactly(expected.into());
        let place = offset + at;
        Ok(Err(Corruption::code(Structure::RegionTable, place, field, expected, actual.into())))
    };
    let Ok((header, _entries)) = RegionTableHeaderDisk::ref_from_prefix(&bytes) else {
        return fault(0, "signature", REGION_SIGNATURE, 0);
    };
    if header.signature != REGION_SIGNATURE {
        return fault(0, "signature", REGION_SIGNATURE, header.signature.get());
    }
    let sum = checksum(&bytes);
    if header.checksum != sum {
        return fault(4, "checksum", sum, header.checksum.get());
    }
    Ok(Ok(bytes.into()))
}

/// Reads the region table, the first that is intact; both should be equal.
///
/// # Errors
/// Corruption if neither is intact or if it breaks the format, Unsupported for unknown regions that must be
/// known.
pub(crate) fn read_regions(
    file: &(impl ReadAt + ?Sized),
    log: Region,
) -> Result<Regions, OpenError> {
    match read_table(file, 0)? {
        Ok(table) => parse_table(&table, 0, log),
        Err(fault) => match read_table(file, 1)? {
            Ok(table) => parse_table(&table, 1, log),
            Err(_also) => Err(fault.into()),
        },
    }
}

/// Makes sense of a table.
///
/// # Errors
/// As [`read_regions`].
pub(crate) fn parse_table(table: &[u8], copy: usize, log: Region) -> Result<Regions, OpenError> {
    let at = table_offset(copy);
    let wrong = |at, field, expected, actual| {
        Corruption::number(Structure::RegionTable, at, field, expected, actual)
    };
    let Ok((header, rest)) = RegionTableHeaderDisk::ref_from_prefix(table) else {
        return Err(wrong(at, "length", Expected::Exactly(TABLE_BYTES as u64), 0).into());
    };
    let count = header.entry_count.get();
    if count > MAX_TABLE_ENTRIES {
        let expected = Expected::AtMost(MAX_TABLE_ENTRIES.into());
        return Err(wrong(at + 8, "entry count", expected, count.into()).into());
    }
    let count = usize::try_from(count).unwrap_or(0);
    let entries = <[RegionEntryDisk]>::ref_from_prefix_with_elems(rest, count)
        .map_or(&[][..], |(entries, _)| entries);

    let (mut bat, mut metadata, mut others) = (None, None, Vec::new());
    let mut taken = Vec::with_capacity(entries.len() + 1);
    if log.length > 0 {
        taken.push((log, at));
    }
    for (place, entry) in (at + 16..).step_by(32).zip(entries) {
        let region = check_entry(entry, place)?;
        taken.push((region, place));
        let known = match Guid(entry.guid) {
            BAT_REGION => &mut bat,
            METADATA_REGION => &mut metadata,
            _ if entry.flags.get() & REGION_REQUIRED != 0 => {
                return Err(OpenError::Unsupported {
                    structure: Structure::RegionTable,
                    offset: place,
                    feature: "an unknown region that must be known",
                });
            }
            _ => {
                others.push(region);
                continue;
            }
        };
        if known.replace((region, place)).is_some() {
            return Err(wrong(place, "entries of one region", Expected::AtMost(1), 2).into());
        }
    }
    check_overlaps(&mut taken)?;
    let missing = |field| wrong(at + 8, field, Expected::Exactly(1), 0);
    let (bat, bat_entry) = bat.ok_or_else(|| missing("entries of the block allocation table"))?;
    let (metadata, metadata_entry) = metadata.ok_or_else(|| missing("entries of the metadata"))?;
    Ok(Regions { bat, bat_entry, metadata, metadata_entry, others })
}

fn check_entry(entry: &RegionEntryDisk, place: u64) -> Result<Region, Corruption> {
    let (offset, length) = (entry.offset.get(), u64::from(entry.length.get()));
    let wrong_offset = |expected| {
        let (field, structure) = ("region offset", Structure::RegionTable);
        Err(Corruption::code(structure, place + 16, field, expected, offset))
    };
    if !offset.is_multiple_of(MIB) {
        return wrong_offset(Expected::MultipleOf(MIB));
    }
    if offset < MIB {
        return wrong_offset(Expected::AtLeast(MIB));
    }
    if offset.checked_add(length).is_none() {
        return wrong_offset(Expected::AtMost(u64::MAX - length));
    }
    if !length.is_multiple_of(MIB) || length == 0 {
        let expected = if length == 0 { Expected::AtLeast(MIB) } else { Expected::MultipleOf(MIB) };
        let (field, structure) = ("region length", Structure::RegionTable);
        return Err(Corruption::number(structure, place + 24, field, expected, length));
    }
    Ok(Region { offset, length })
}

fn check_overlaps(taken: &mut [(Region, u64)]) -> Result<(), Corruption> {
    taken.sort_by_key(|(region, _)| region.offset);
    for pair in taken.windows(2) {
        let [(first, at), (second, place)] = pair else { continue };
        if first.end() > second.offset {
            let (field, structure) = ("region", Structure::RegionTable);
            // The log has no entry of its own.
            let place = *at.max(place);
            return Err(Corruption::past_end(structure, place, field, second.offset, first.end()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerocopy::IntoBytes;

    const LOG: Region = Region { offset: MIB, length: MIB };

    fn entry(guid: Guid, offset: u64, length: u32, flags: u32) -> RegionEntryDisk {
        RegionEntryDisk {
            guid: guid.0,
            offset: offset.into(),
            length: length.into(),
            flags: flags.into(),
        }
    }

    #[track_caller]
    fn check(entries: &[RegionEntryDisk], expected: Result<(u64, u64), &str>) {
        let mut bytes = vec![0; TABLE_BYTES];
        let count = u32::try_from(entries.len()).unwrap();
        bytes[8..12].copy_from_slice(&count.to_le_bytes());
        let entries = &entries[..entries.len().min(2047)];
        bytes[16..16 + entries.len() * 32].copy_from_slice(entries.as_bytes());
        match (parse_table(&bytes, 0, LOG), expected) {
            (Ok(found), Ok(places)) => {
                assert_eq!((found.bat.offset, found.metadata.offset), places);
            }
            (Err(error), Err(words)) => assert_eq!(error.to_string(), words),
            (found, _) => panic!("expected {expected:?}, found {found:?}"),
        }
    }

    #[test]
    fn tables_are_checked() {
        let bat = entry(BAT_REGION, 3 * MIB, 1 << 20, 1);
        let metadata = entry(METADATA_REGION, 2 * MIB, 1 << 20, 1);
        let other = |offset, length, flags| entry(Guid([7; 16]), offset, length, flags);
        check(&[bat, metadata], Ok((3 * MIB, 2 * MIB)));
        check(&[other(4 * MIB, 1 << 20, 0), metadata, bat], Ok((3 * MIB, 2 * MIB)));
        let cases: [(&[RegionEntryDisk], &str); 10] = [
            (
                &[other(4 * MIB, 1 << 20, 1), metadata, bat],
                "VHDX region table: an unknown region that must be known is not supported (at offset 0x30010)",
            ),
            (
                &[bat],
                "VHDX region table: entries of the metadata should be 1, but is 0 (at offset 0x30008)",
            ),
            (
                &[metadata],
                "VHDX region table: entries of the block allocation table should be 1, but is 0 (at offset 0x30008)",
            ),
            (
                &[bat, metadata, bat],
                "VHDX region table: entries of one region should be at most 1, but is 2 (at offset 0x30050)",
            ),
            (
                &[bat, metadata, other(3 * MIB, 1 << 20, 0)],
                "VHDX region table: region should end at or before 0x300000, but ends at 0x400000 (at offset 0x30050)",
            ),
            (
                &[bat, metadata, other(MIB, 1 << 20, 0)],
                "VHDX region table: region should end at or before 0x100000, but ends at 0x200000 (at offset 0x30050)",
            ),
            (
                &[bat, metadata, other(0, 1 << 20, 0)],
                "VHDX region table: region offset should be at least 0x100000, but is 0x0 (at offset 0x30060)",
            ),
            (
                &[bat, metadata, other(4 * MIB + 1, 1 << 20, 0)],
                "VHDX region table: region offset should be a multiple of 0x100000, but is 0x400001 (at offset 0x30060)",
            ),
            (
                &[bat, metadata, other(4 * MIB, 1, 0)],
                "VHDX region table: region length should be a multiple of 1048576, but is 1 (at offset 0x30068)",
            ),
            (
                &[bat, metadata, other(u64::MAX - MIB + 1, 2 << 20, 0)],
                "VHDX region table: region offset should be at most 0xffffffffffdfffff, but is 0xfffffffffff00000 (at offset 0x30060)",
            ),
        ];
        for (entries, words) in cases {
            check(entries, Err(words));
        }
        check(
            &vec![bat; 2048],
            Err(
                "VHDX region table: entry count should be at most 2047, but is 2048 (at offset 0x30008)",
            ),
        );
    }
}
