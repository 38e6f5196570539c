//! Entries of the log: taken apart and put together.

use imprint_blockio::ReadAt;
use imprint_winvalues::Guid;
use zerocopy::{FromBytes, IntoBytes};

use super::super::crc::{Crc32c, checksum};
use super::super::layout::{
    DATA_DESCRIPTOR_SIGNATURE, DataDescriptorDisk, LOG_DATA_SIGNATURE, LOG_ENTRY_SIGNATURE,
    LOG_SECTOR, LogDataSectorDisk, LogEntryHeaderDisk, ZERO_DESCRIPTOR_SIGNATURE,
    ZeroDescriptorDisk,
};
use super::{Ring, SECTOR, Sector};
use crate::OpenError;

/// Bytes of the head of an entry.
const HEAD: u32 = 64;
/// Bytes of a descriptor.
const DESCRIPTOR: u32 = 32;

/// Pages that fit into an entry we write: its descriptors fill one sector.
pub(crate) const MAX_PAGES: usize = 126;

/// An entry that is in the log, whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its position.
    pub(super) at: u32,
    /// Bytes it takes.
    pub(super) length: u32,
    /// The position of the oldest entry that must be replayed with it.
    pub(super) tail: u32,
    /// Its number.
    pub(super) sequence: u64,
    /// How many descriptors it has.
    pub(super) descriptor_count: u32,
    /// How long the file must be.
    pub(super) flushed: u64,
    /// Where the file's last structure ends.
    pub(super) last: u64,
}

/// What a descriptor wants to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Descriptor {
    /// A page.
    Page(Page),
    /// Zeros.
    Zero {
        /// Where, bytes from the start of the file.
        offset: u64,
        /// How many bytes.
        length: u64,
    },
}

/// A page in the log: the sector at `at`, but for its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Page {
    /// Where it belongs, bytes from the start of the file.
    pub(super) offset: u64,
    /// The position of its sector in the log.
    pub(super) at: u32,
    /// Its first bytes.
    pub(super) leading: [u8; 8],
    /// Its last bytes.
    pub(super) trailing: [u8; 4],
}

impl Page {
    /// Puts the ends of the page into the sector that was read from the log.
    pub(super) fn restore(&self, sector: &mut Sector) {
        sector[..8].copy_from_slice(&self.leading);
        sector[LOG_SECTOR - 4..].copy_from_slice(&self.trailing);
    }
}

/// Reads the entry at a position; `None` if there is no whole one that counts.
///
/// What follows the head is looked at sector by sector and given up at the first that does not fit, and
/// no sector fits into two entries: looking for entries everywhere reads the log at most twice.
pub(super) fn read_entry<T: ReadAt + ?Sized>(
    ring: &Ring<'_, T>,
    at: u32,
) -> Result<Option<Entry>, OpenError> {
    let first = ring.sector(at)?;
    let Some((entry, claimed)) = read_head(ring, at, &first) else { return Ok(None) };
    let mut crc = Crc32c::new();
    let mut data_count = 0;
    let descriptor_sectors = descriptor_sectors(entry.descriptor_count);
    let mut left = entry.descriptor_count;
    for number in 0..descriptor_sectors {
        let mut sector = if number == 0 { first } else { sector_of(ring, &entry, number)? };
        let head = if number == 0 { HEAD } else { 0 };
        let here = left.min((SECTOR - head) / DESCRIPTOR);
        left -= here;
        let Some(pages) = count_pages(&sector, head, here, entry.sequence) else {
            return Ok(None);
        };
        data_count += pages;
        if number == 0 {
            // The checksum's own place.
            sector[4..8].fill(0);
        }
        crc.add(&sector);
    }
    if descriptor_sectors + data_count != entry.length / SECTOR {
        return Ok(None);
    }
    for number in descriptor_sectors..entry.length / SECTOR {
        let sector = sector_of(ring, &entry, number)?;
        let fits = LogDataSectorDisk::ref_from_bytes(&sector).is_ok_and(|data| {
            let sequence =
                u64::from(data.sequence_high.get()) << 32 | u64::from(data.sequence_low.get());
            data.signature == LOG_DATA_SIGNATURE && sequence == entry.sequence
        });
        if !fits {
            return Ok(None);
        }
        crc.add(&sector);
    }
    Ok((crc.sum() == claimed).then_some(entry))
}

/// Takes the head of an entry apart; returns it with the checksum it claims.
fn read_head<T: ReadAt + ?Sized>(
    ring: &Ring<'_, T>,
    at: u32,
    sector: &Sector,
) -> Option<(Entry, u32)> {
    let (head, _descriptors) = LogEntryHeaderDisk::read_from_prefix(sector).ok()?;
    let entry = Entry {
        at,
        length: head.entry_length.get(),
        tail: head.tail.get(),
        sequence: head.sequence.get(),
        descriptor_count: head.descriptor_count.get(),
        flushed: head.flushed_file_offset.get(),
        last: head.last_file_offset.get(),
    };
    let fits = head.signature == LOG_ENTRY_SIGNATURE
        && Guid(head.log) == ring.header.log
        && entry.sequence > 0
        && entry.length.is_multiple_of(SECTOR)
        && (SECTOR..=ring.header.log_length).contains(&entry.length)
        && entry.tail.is_multiple_of(SECTOR)
        && entry.tail < ring.header.log_length
        && entry.descriptor_count <= (entry.length - HEAD) / DESCRIPTOR;
    fits.then_some((entry, head.checksum.get()))
}

/// Sectors that the head and the descriptors take.
const fn descriptor_sectors(count: u32) -> u32 {
    // At most 2^21 descriptors fit into the longest log.
    (HEAD + count * DESCRIPTOR).div_ceil(SECTOR)
}

/// The sector of an entry with this number.
fn sector_of<T: ReadAt + ?Sized>(
    ring: &Ring<'_, T>,
    entry: &Entry,
    number: u32,
) -> Result<Sector, OpenError> {
    ring.sector(ring.forward(entry.at, number * SECTOR))
}

/// Counts the data descriptors of a sector; `None` if there is anything but descriptors of the entry.
fn count_pages(sector: &Sector, head: u32, count: u32, sequence: u64) -> Option<u32> {
    let mut pages = 0;
    for disk in descriptors_of(sector, head, count) {
        if disk.sequence != sequence {
            return None;
        }
        match disk.signature.get() {
            DATA_DESCRIPTOR_SIGNATURE => pages += 1,
            ZERO_DESCRIPTOR_SIGNATURE => {}
            _ => return None,
        }
    }
    Some(pages)
}

/// The descriptors of a sector, all seen as data descriptors.
fn descriptors_of(
    sector: &Sector,
    head: u32,
    count: u32,
) -> impl Iterator<Item = &DataDescriptorDisk> {
    let bytes = usize::try_from(head).ok().and_then(|head| sector.get(head..)).unwrap_or_default();
    let (chunks, _rest) = bytes.as_chunks::<32>();
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    chunks.iter().take(count).filter_map(|chunk| DataDescriptorDisk::ref_from_bytes(chunk).ok())
}

/// Shows all descriptors of an entry to `look`, with the place of each in the file.
pub(super) fn for_each_descriptor<T: ReadAt + ?Sized>(
    ring: &Ring<'_, T>,
    entry: &Entry,
    mut look: impl FnMut(Descriptor, u64) -> Result<(), OpenError>,
) -> Result<(), OpenError> {
    let sectors = descriptor_sectors(entry.descriptor_count);
    let mut data = sectors;
    let mut left = entry.descriptor_count;
    for number in 0..sectors {
        let sector = sector_of(ring, entry, number)?;
        let head = if number == 0 { HEAD } else { 0 };
        let here = left.min((SECTOR - head) / DESCRIPTOR);
        left -= here;
        let mut place = ring.offset(ring.forward(entry.at, number * SECTOR)) + u64::from(head);
        for disk in descriptors_of(&sector, head, here) {
            let descriptor = if disk.signature == DATA_DESCRIPTOR_SIGNATURE {
                let at = ring.forward(entry.at, data * SECTOR);
                data += 1;
                Descriptor::Page(Page {
                    offset: disk.file_offset.get(),
                    at,
                    leading: disk.leading,
                    trailing: disk.trailing,
                })
            } else {
                let zero: ZeroDescriptorDisk = zerocopy::transmute!(*disk);
                Descriptor::Zero { offset: zero.file_offset.get(), length: zero.length.get() }
            };
            look(descriptor, place)?;
            place += u64::from(DESCRIPTOR);
        }
    }
    Ok(())
}

/// What an entry to be written says besides its pages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EntryHead {
    /// Its position in the log, which is also its tail: it is replayed alone.
    pub(crate) at: u32,
    /// Its number, more than 0.
    pub(crate) sequence: u64,
    /// The log's GUID.
    pub(crate) log: Guid,
    /// The length of the file, which is durable.
    pub(crate) file_length: u64,
}

/// Makes an entry of at most [`MAX_PAGES`] pages; each comes with its place in the file.
pub(crate) fn encode(head: &EntryHead, pages: &[(u64, [u8; LOG_SECTOR])]) -> Vec<u8> {
    let pages = pages.get(..MAX_PAGES).unwrap_or(pages);
    let length = (pages.len() + 1) * LOG_SECTOR;
    let mut entry = Vec::with_capacity(length);
    let disk = LogEntryHeaderDisk {
        signature: LOG_ENTRY_SIGNATURE.into(),
        checksum: 0.into(),
        entry_length: u32::try_from(length).unwrap_or(u32::MAX).into(),
        tail: head.at.into(),
        sequence: head.sequence.into(),
        descriptor_count: u32::try_from(pages.len()).unwrap_or(u32::MAX).into(),
        reserved: 0.into(),
        log: head.log.0,
        flushed_file_offset: head.file_length.into(),
        last_file_offset: head.file_length.into(),
    };
    entry.extend_from_slice(disk.as_bytes());
    for (offset, page) in pages {
        let [leading @ .., _, _, _, _] = page.first_chunk::<12>().unwrap_or(&[0; 12]);
        let disk = DataDescriptorDisk {
            signature: DATA_DESCRIPTOR_SIGNATURE.into(),
            trailing: *page.last_chunk().unwrap_or(&[0; 4]),
            leading: *leading,
            file_offset: (*offset).into(),
            sequence: head.sequence.into(),
        };
        entry.extend_from_slice(disk.as_bytes());
    }
    entry.resize(LOG_SECTOR, 0);
    let [a, b, c, d, e, f, g, h] = head.sequence.to_le_bytes();
    for (_offset, page) in pages {
        entry.extend_from_slice(&LOG_DATA_SIGNATURE.to_le_bytes());
        entry.extend_from_slice(&[e, f, g, h]);
        entry.extend_from_slice(page.get(8..LOG_SECTOR - 4).unwrap_or_default());
        entry.extend_from_slice(&[a, b, c, d]);
    }
    let sum = checksum(&entry);
    if let Some(place) = entry.get_mut(4..8) {
        place.copy_from_slice(&sum.to_le_bytes());
    }
    entry
}
