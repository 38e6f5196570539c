//! Checking a file: all structures, and what belongs to whom.

use imprint_blockio::{Expected, ReadAt, Sparse, Stored};
use imprint_progress::Progress;

use super::bat::{BitmapState, ENTRY_BYTES, Entry, Owner, PayloadState};
use super::header::{Headers, read_headers};
use super::layout::{MIB, REGION_TABLE_OFFSETS};
use super::log::Overlay;
use super::parts::{Parts, check_identifier, log_region};
use super::region::{Region, parse_table, read_table};
use super::usage::Usage;
use crate::{Corruption, Finding, Kind, OpenError, Severity, Structure};

/// Bytes of the table read at once.
const PIECE: u64 = 64 << 10;
/// Findings about entries of the table that are shown one by one; the rest is counted.
const SHOWN: u64 = 100;

/// Checks all structures of a VHDX file: both headers, both region tables, the metadata, the log and every
/// entry of the block allocation table, of which no two may lead to the same bytes. If the log holds
/// changes, the file is checked as it will be when they are replayed. Memory is bounded, about 32 MiB for
/// the longest file. Ends early, without an error, when cancelled.
///
/// # Errors
/// [`OpenError`] if the file cannot be opened at all; what is found in a file that can be opened is
/// reported to `found`.
pub fn check_vhdx(
    file: &impl Sparse,
    progress: &Progress,
    found: &mut dyn FnMut(Finding),
) -> Result<(), OpenError> {
    check_identifier(file)?;
    let headers = read_headers(file)?;
    for fault in headers.copies.iter().filter_map(|copy| copy.as_ref().err()) {
        found(warning(fault.clone()));
    }
    let file = Overlay::open(file, &headers.current)?;
    if file.pending() > 0 {
        found(Finding::PendingLog { entries: file.pending() });
    }
    check_tables(&file, &headers, found)?;
    let parts = Parts::read(&file, headers)?;
    check_metadata(&parts, found);
    let length = file.len().map_err(|source| OpenError::Io {
        structure: Structure::Payload,
        offset: 0,
        length: 0,
        source,
    })?;
    let mut usage = Usage::new(length);
    for (structure, region) in [
        (Structure::Header, Region { offset: 0, length: MIB }),
        (Structure::Log, parts.log()),
        (Structure::Metadata, parts.regions.metadata),
        (Structure::Bat, parts.regions.bat),
    ] {
        usage.take_region(structure, region);
    }
    for &region in &parts.regions.others {
        usage.take_region(Structure::RegionTable, region);
    }
    let log = parts.log();
    if log.length > 0 && log.end() > length {
        let (structure, end) = (Structure::Log, log.end());
        found(warning(Corruption::past_end(structure, log.offset, "log", length, end)));
    }
    let mut walk = Walk {
        parts: &parts,
        length,
        usage,
        waiting: None,
        reports: Reports { found, shown: 0, hidden: 0, worst: Severity::Note },
    };
    walk.table(&file, progress)?;
    walk.finish();
    Ok(())
}

const fn warning(corruption: Corruption) -> Finding {
    Finding::Broken { severity: Severity::Warning, corruption }
}

/// Both region tables should be intact and equal.
fn check_tables(
    file: &(impl ReadAt + ?Sized),
    headers: &Headers,
    found: &mut dyn FnMut(Finding),
) -> Result<(), OpenError> {
    let tables = [read_table(file, 0)?, read_table(file, 1)?];
    match &tables {
        [Ok(first), Ok(second)] => {
            let pairs = (REGION_TABLE_OFFSETS[1]..).zip(first.iter().zip(second));
            let differing = pairs.filter(|(_, (a, b))| a != b);
            // The sums differ if anything does; the first byte behind them says more.
            let place = differing.min_by_key(|(at, _)| (*at < REGION_TABLE_OFFSETS[1] + 8, *at));
            if let Some((at, (&first, &second))) = place {
                let (field, expected) = ("byte", Expected::Exactly(first.into()));
                let structure = Structure::RegionTable;
                found(warning(Corruption::code(structure, at, field, expected, second.into())));
            }
            if let Err(OpenError::Corruption(fault)) = parse_table(second, 1, log_region(headers)) {
                found(warning(fault));
            }
        }
        [Err(fault), Ok(_)] | [Ok(_), Err(fault)] => found(warning(fault.clone())),
        // Opening says so.
        [Err(_), Err(_)] => {}
    }
    Ok(())
}

/// What opening does without.
fn check_metadata(parts: &Parts, found: &mut dyn FnMut(Finding)) {
    if parts.metadata.disk_id.is_none() {
        let (at, expected) = (parts.regions.metadata.offset + 10, Expected::Exactly(1));
        let (structure, field) = (Structure::Metadata, "entries of the disk id");
        found(warning(Corruption::number(structure, at, field, expected, 0)));
    }
}

/// Findings about entries, of which a damaged table can have millions.
struct Reports<'a> {
    found: &'a mut dyn FnMut(Finding),
    shown: u64,
    hidden: u64,
    worst: Severity,
}

impl Reports<'_> {
    fn add(&mut self, finding: Finding) {
        if self.shown < SHOWN {
            self.shown += 1;
            (self.found)(finding);
        } else {
            self.hidden += 1;
            self.worst = self.worst.max(finding.severity());
        }
    }

    fn broken(&mut self, severity: Severity, corruption: Corruption) {
        self.add(Finding::Broken { severity, corruption });
    }
}

struct Walk<'a> {
    parts: &'a Parts,
    /// Of the file.
    length: u64,
    usage: Usage,
    /// The chunk that has a partially present block and whose bitmap has not been met yet.
    waiting: Option<u64>,
    reports: Reports<'a>,
}

impl Walk<'_> {
    /// Goes through the table; holes in it are entries of value 0.
    fn table(&mut self, file: &impl Sparse, progress: &Progress) -> Result<(), OpenError> {
        let mut entry = 0;
        let mut buffer = vec![0; usize::try_from(PIECE).unwrap_or(0)];
        while entry < self.parts.shape.entry_count && progress.check().is_ok() {
            let offset = self.parts.entry_offset(entry);
            let rest = (self.parts.shape.entry_count - entry) * ENTRY_BYTES;
            let io = |length| {
                move |source| OpenError::Io { structure: Structure::Bat, offset, length, source }
            };
            match file.stored(offset, rest).map_err(io(rest))? {
                Stored::Hole(length) if length >= ENTRY_BYTES => {
                    let next = entry + length.min(rest) / ENTRY_BYTES;
                    self.skip(entry, next);
                    entry = next;
                }
                stored => {
                    let length = match stored {
                        Stored::Data(length) => length.next_multiple_of(ENTRY_BYTES),
                        Stored::Hole(_) => ENTRY_BYTES,
                    };
                    let length = length.clamp(ENTRY_BYTES, PIECE).min(rest);
                    let end = usize::try_from(length).unwrap_or(0);
                    let bytes = buffer.get_mut(..end).unwrap_or_default();
                    file.read_exact_at(bytes, offset).map_err(io(length))?;
                    for &value in bytes.as_chunks::<8>().0 {
                        self.entry(entry, Entry(u64::from_le_bytes(value)));
                        entry += 1;
                    }
                }
            }
        }
        Ok(())
    }

    /// Passes entries of value 0.
    fn skip(&mut self, from: u64, to: u64) {
        if let Some(chunk) = self.waiting {
            let bitmap = self.parts.shape.bitmap_entry(chunk);
            if (from..to).contains(&bitmap) {
                self.bitmap(chunk, bitmap, Entry(0));
            }
        }
    }

    fn entry(&mut self, index: u64, entry: Entry) {
        match self.parts.shape.owner(index) {
            Owner::Bitmap { chunk } => self.bitmap(chunk, index, entry),
            Owner::Payload { block } if block < self.parts.shape.payload_count => {
                self.payload(block, index, entry);
            }
            Owner::Payload { .. } if entry.number() != 0 => {
                let fault = self.wrong(index, "state behind the last block", 0, entry.number());
                self.reports.broken(Severity::Warning, fault);
            }
            Owner::Payload { .. } => {}
        }
        if entry.reserved_bits() != 0 {
            let fault = self.wrong(index, "reserved bits", 0, entry.reserved_bits());
            self.reports.broken(Severity::Warning, fault);
        }
    }

    fn wrong(&self, index: u64, field: &'static str, expected: u64, actual: u64) -> Corruption {
        let at = self.parts.entry_offset(index);
        Corruption::code(Structure::Bat, at, field, Expected::Exactly(expected), actual)
    }

    fn payload(&mut self, block: u64, index: u64, entry: Entry) {
        let at = self.parts.entry_offset(index);
        let differencing = self.parts.metadata.kind == Kind::Differencing;
        match entry.payload_state() {
            PayloadState::NotPresent
            | PayloadState::Undefined
            | PayloadState::Zero
            | PayloadState::Unmapped => return,
            PayloadState::FullyPresent => {}
            PayloadState::PartiallyPresent if differencing => {
                self.waiting = Some(self.parts.shape.chunk_of(block));
            }
            PayloadState::PartiallyPresent | PayloadState::Reserved => {
                let highest = if entry.number() == 4 { 3 } else { 6 };
                let (field, expected) = ("block state", Expected::AtMost(highest));
                let number = entry.number();
                let fault = Corruption::code(Structure::Bat, at, field, expected, number);
                return self.reports.broken(Severity::Error, fault);
            }
        }
        let size = u64::from(self.parts.metadata.block_size);
        // What lies behind the end of the disk need not be in the file.
        let used = self.parts.metadata.size.saturating_sub(block.saturating_mul(size)).min(size);
        self.take(Structure::Payload, at, entry, size, used);
    }

    fn bitmap(&mut self, chunk: u64, index: u64, entry: Entry) {
        let at = self.parts.entry_offset(index);
        let needed = self.waiting == Some(chunk);
        self.waiting = None;
        let differencing = self.parts.metadata.kind == Kind::Differencing;
        match entry.bitmap_state() {
            BitmapState::Present if differencing => {
                self.take(Structure::SectorBitmap, at, entry, MIB, MIB);
            }
            BitmapState::NotPresent if !needed => {}
            BitmapState::NotPresent | BitmapState::Present | BitmapState::Reserved => {
                let severity = if needed { Severity::Error } else { Severity::Warning };
                let expected = if needed { 6 } else { 0 };
                let fault = self.wrong(index, "sector bitmap state", expected, entry.number());
                self.reports.broken(severity, fault);
            }
        }
    }

    /// Checks where a block is, and takes its room. `used` bytes of its `size` must be in the file.
    fn take(&mut self, structure: Structure, at: u64, entry: Entry, size: u64, used: u64) {
        let offset = entry.offset();
        let (place, limit, field) = match structure {
            Structure::SectorBitmap => ("sector bitmap offset", self.length, "sector bitmap"),
            _ => ("block offset", self.length, "block"),
        };
        if offset < MIB {
            let expected = Expected::AtLeast(MIB);
            let fault = Corruption::code(Structure::Bat, at, place, expected, offset);
            return self.reports.broken(Severity::Error, fault);
        }
        let end = offset.saturating_add(used);
        if end > limit {
            let fault = Corruption::past_end(Structure::Bat, at, field, limit, end);
            return self.reports.broken(Severity::Error, fault);
        }
        let region = Region { offset, length: size };
        let reports = &mut self.reports;
        self.usage.take_block(structure, region, &mut |overlap| {
            let (offset, length) = (overlap.shared.offset, overlap.shared.length);
            reports.add(Finding::Overlap {
                first: overlap.first,
                second: structure,
                offset,
                length,
            });
        });
    }

    fn finish(self) {
        let Reports { found, hidden, worst, .. } = self.reports;
        if hidden > 0 {
            found(Finding::More { severity: worst, count: hidden });
        }
        let leaked = self.usage.free(self.length);
        if leaked > 0 {
            found(Finding::Leaked { length: leaked });
        }
    }
}
