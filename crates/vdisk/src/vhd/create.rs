//! Making an empty disk.

use imprint_blockio::{Expected, FieldFault, Resize, Sparse};
use zerocopy::IntoBytes;

use super::footer::Footer;
use super::header::Header;
use super::layout::{ENTRY_BYTES, FOOTER_BYTES, HEADER_BYTES, SECTOR};
use super::locator::{LONGEST, NAME_UNITS, describe, file_name, new_locators};
use super::parts::Parts;
use super::writer::VhdWriter;
use crate::{CreateError, Format, Kind, NewDisk, NewParent, ReadError, Structure, WriteError};

/// The largest disk Windows takes, 2040 GiB.
pub(super) const LARGEST: u64 = 2040 << 30;
/// The block size of Windows.
const BLOCK_SIZE: u32 = 2 << 20;
/// Block sizes that can be made.
const BLOCK_SIZES: (u32, u32) = (4 << 10, 256 << 20);
/// The table is written in pieces of this many bytes.
pub(super) const PIECE: u64 = 64 << 10;

/// Makes an empty disk in an empty file and returns it open for writing. Nobody relies on the file before
/// it is closed: its writer orders nothing and keeps the identity.
///
/// # Errors
/// [`CreateError`].
pub fn create_vhd<T: Sparse + Resize>(file: T, new: &NewDisk) -> Result<VhdWriter<T>, CreateError> {
    let block_size = check(new)?;
    let footer = Footer::new(new.kind, new.size, new.identity, new.created);
    if new.kind == Kind::Fixed {
        put(&file, footer.disk.as_bytes(), new.size, Structure::Footer)?;
    } else {
        lay_out(&file, new, &footer, block_size)?;
    }
    let parts = Parts::read(&file).map_err(|error| reread(&error))?;
    Ok(VhdWriter::fresh(file, &parts))
}

/// Writes footer, header, locators, an empty table and the footer again.
fn lay_out<T: Sparse + Resize>(
    file: &T,
    new: &NewDisk,
    footer: &Footer,
    block_size: u32,
) -> Result<(), CreateError> {
    let locators = new.parent.as_ref().map(new_locators).unwrap_or_default();
    let mut at = FOOTER_BYTES + HEADER_BYTES;
    let mut entries = Vec::new();
    for locator in &locators {
        put(file, &locator.bytes, at, Structure::ParentLocator)?;
        entries.push(locator.entry(at));
        at += locator.space();
    }
    let blocks = new.size.div_ceil(block_size.into());
    let mut header = Header::new(at, u32::try_from(blocks).unwrap_or(u32::MAX), block_size);
    if let Some(parent) = &new.parent {
        header.disk.parent_id = parent.identity.0;
        describe(&mut header.disk, parent);
        for (place, entry) in header.disk.locators.iter_mut().zip(entries) {
            *place = entry;
        }
        header.disk = header.disk.sealed();
    }
    let end = at + (blocks * ENTRY_BYTES).next_multiple_of(SECTOR);
    let absent = vec![0xff; usize::try_from(PIECE).unwrap_or(0)];
    while at < end {
        let len = usize::try_from((end - at).min(PIECE)).unwrap_or(0);
        put(file, absent.get(..len).unwrap_or_default(), at, Structure::Bat)?;
        at += len as u64;
    }
    put(file, header.disk.as_bytes(), FOOTER_BYTES, Structure::DynamicHeader)?;
    // The footers make it a disk: nothing else may be missing then.
    file.flush().map_err(WriteError::Flush)?;
    put(file, footer.disk.as_bytes(), 0, Structure::Footer)?;
    put(file, footer.disk.as_bytes(), end, Structure::Footer)
}

fn put<T: Resize>(
    file: &T,
    bytes: &[u8],
    offset: u64,
    structure: Structure,
) -> Result<(), CreateError> {
    let length = bytes.len() as u64;
    file.write_all_at(bytes, offset)
        .map_err(|source| WriteError::Io { structure, offset, length, source }.into())
}

/// What was just written cannot be read again.
fn reread(error: &crate::OpenError) -> CreateError {
    let source = std::io::Error::other(error.to_string());
    let structure = Structure::Footer;
    let error = ReadError::Io { structure, offset: 0, length: FOOTER_BYTES, source };
    CreateError::Write(error.into())
}

/// Refuses what cannot be; returns the block size.
fn check(new: &NewDisk) -> Result<u32, CreateError> {
    let refuse = |field, expected, actual| CreateError::Impossible {
        format: Format::Vhd,
        kind: new.kind,
        fault: FieldFault::Number { field, expected, actual },
    };
    if (new.kind == Kind::Differencing) != new.parent.is_some() {
        return Err(CreateError::Parent);
    }
    if new.sector_size != 512 {
        return Err(refuse("sector size", Expected::Exactly(SECTOR), new.sector_size.into()));
    }
    if let Some((expected, actual)) = wrong_size(new.size) {
        return Err(refuse("size", expected, actual));
    }
    let block_size = new.block_size.unwrap_or(BLOCK_SIZE);
    let (least, most) = BLOCK_SIZES;
    if !(least..=most).contains(&block_size) || !block_size.is_power_of_two() {
        let expected = Expected::Within(least.into(), most.into());
        return Err(refuse("block size, a power of two,", expected, block_size.into()));
    }
    if let Some((field, expected, actual)) = new.parent.as_ref().and_then(wrong_parent) {
        return Err(refuse(field, expected, actual));
    }
    Ok(block_size)
}

/// What is wrong with the size of a disk.
pub(super) const fn wrong_size(size: u64) -> Option<(Expected, u64)> {
    if size < SECTOR || size > LARGEST {
        Some((Expected::Within(SECTOR, LARGEST), size))
    } else if !size.is_multiple_of(SECTOR) {
        Some((Expected::MultipleOf(SECTOR), size))
    } else {
        None
    }
}

/// What is wrong with the description of a parent.
pub(super) fn wrong_parent(parent: &NewParent) -> Option<(&'static str, Expected, u64)> {
    let units = file_name(parent).encode_utf16().count() as u64;
    if units == 0 || units > NAME_UNITS as u64 {
        let expected = Expected::Within(1, NAME_UNITS as u64);
        return Some(("length of the parent's name", expected, units));
    }
    let longest = new_locators(parent).iter().map(|locator| locator.bytes.len() as u64).max()?;
    let limit = u64::from(LONGEST);
    (longest > limit).then_some(("length of the parent's path", Expected::AtMost(limit), longest))
}
