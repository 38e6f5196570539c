//! What the entries to be replayed want to be written, checked.

use imprint_blockio::{Expected, ReadAt};

use super::entry::{Descriptor, Entry, for_each_descriptor};
use super::{Ring, SECTOR};
use crate::vhdx::layout::REGION_TABLE_OFFSETS;
use crate::{Corruption, OpenError, Structure};

/// The longest file a log may ask for: the largest disk has 64 TiB, and everything else in its file is
/// less than that.
const MAX_FILE: u64 = 128 << 40;

/// Shows what the entries want to be written to `look`, oldest first, and returns the length that the
/// file must at least have afterwards.
///
/// # Errors
/// Corruption if the file is shorter than it was when an entry was written, or if anything is to be
/// written where the log has no say: before the region tables, into the log itself, behind the end
/// that the entry names; otherwise the first error of `look`.
pub(super) fn for_each_change<T: ReadAt + ?Sized>(
    ring: &Ring<'_, T>,
    entries: &[Entry],
    mut look: impl FnMut(Descriptor) -> Result<(), OpenError>,
) -> Result<u64, OpenError> {
    let mut length = ring.file_length;
    for entry in entries {
        let fault = |at: u64, field, most, actual| {
            let expected = Expected::AtMost(most);
            Corruption::code(Structure::Log, ring.offset(entry.at) + at, field, expected, actual)
        };
        if entry.flushed > ring.file_length {
            let field = "flushed file offset, a length the file had,";
            return Err(fault(48, field, ring.file_length, entry.flushed).into());
        }
        if entry.last > MAX_FILE {
            return Err(fault(56, "last file offset", MAX_FILE, entry.last).into());
        }
        for_each_descriptor(ring, entry, |descriptor, place| {
            check_target(ring, entry, descriptor, place)?;
            look(descriptor)
        })?;
        length = length.max(entry.last);
    }
    Ok(length)
}

/// Whether a descriptor at `place` in the file points to where the log may write.
fn check_target<T: ?Sized>(
    ring: &Ring<'_, T>,
    entry: &Entry,
    descriptor: Descriptor,
    place: u64,
) -> Result<(), Corruption> {
    let sector = u64::from(SECTOR);
    let (offset, length) = match descriptor {
        Descriptor::Page(page) => (page.offset, sector),
        Descriptor::Zero { offset, length } => (offset, length),
    };
    if !length.is_multiple_of(sector) {
        let expected = Expected::MultipleOf(sector);
        return Err(Corruption::number(Structure::Log, place + 8, "zero length", expected, length));
    }
    let [region_tables, _] = REGION_TABLE_OFFSETS;
    let fault = |expected| {
        Err(Corruption::code(Structure::Log, place + 16, "file offset", expected, offset))
    };
    if !offset.is_multiple_of(sector) {
        return fault(Expected::MultipleOf(sector));
    }
    if offset < region_tables {
        return fault(Expected::AtLeast(region_tables));
    }
    let end = offset.saturating_add(length);
    if end > entry.last {
        let limit = entry.last;
        return Err(Corruption::past_end(Structure::Log, place + 16, "change", limit, end));
    }
    let log_end = ring.header.log_offset.saturating_add(ring.header.log_length.into());
    if offset < log_end && end > ring.header.log_offset {
        return fault(Expected::AtLeast(log_end));
    }
    Ok(())
}
