//! Checking a file: all structures, and what belongs to whom.

use imprint_blockio::{ReadAt, Sparse};
use imprint_progress::Progress;

use super::layout::{ABSENT, ENTRY_BYTES, FOOTER_BYTES, HEADER_BYTES, SECTOR};
use super::map::Map;
use super::parts::Parts;
use crate::{Finding, OpenError, Severity, Structure};

/// The table is read in pieces of this many bytes.
const PIECE: usize = 64 << 10;
/// Findings that are shown one by one; the rest is counted.
const SHOWN: u64 = 100;
/// Blocks that are sorted at a time: 32 MiB.
const SORTED: usize = 8 << 20;
/// A shorter gap is the padding that aligns a block, with the footer that stood there before.
const PADDING: u64 = 4096 + 2 * SECTOR;

/// Checks all structures of a VHD file: both footers, the header, the paths to the parent and every entry of
/// the block allocation table, of which no two may lead to the same bytes. Memory is bounded, about
/// 36 MiB for the longest file. Ends early, without an error, when cancelled.
///
/// # Errors
/// [`OpenError`] if the file cannot be opened at all; what is found in a file that can be opened is
/// reported to `found`.
pub fn check_vhd(
    file: &impl Sparse,
    progress: &Progress,
    found: &mut dyn FnMut(Finding),
) -> Result<(), OpenError> {
    let parts = Parts::read(file)?;
    for corruption in parts.warnings.clone() {
        found(Finding::Broken { severity: Severity::Warning, corruption });
    }
    let Some(map) = Map::new(&parts) else {
        let unused = parts.limit().saturating_sub(parts.footer.size());
        if unused > 0 {
            found(Finding::Leaked { length: unused });
        }
        return Ok(());
    };
    let mut walk = Walk {
        file,
        map: &map,
        structures: structures(&parts, &map),
        reports: Reports { found, shown: 0, hidden: 0 },
        used_to: 0,
        last: Structure::Footer,
        leaked: 0,
    };
    walk.blocks(progress)?;
    walk.finish(parts.length);
    Ok(())
}

/// Bytes of the file that belong to one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Piece {
    start: u64,
    end: u64,
    structure: Structure,
}

/// Everything but the blocks, the last first.
fn structures(parts: &Parts, map: &Map) -> Vec<Piece> {
    let piece = |structure, start: u64, length: u64| Piece {
        start,
        end: start.saturating_add(length),
        structure,
    };
    let mut pieces = vec![
        piece(Structure::Footer, 0, FOOTER_BYTES),
        piece(Structure::DynamicHeader, parts.footer.header_at(), HEADER_BYTES),
    ];
    if let Some(end) = parts.end {
        pieces.push(piece(Structure::Footer, end, parts.length - end));
    }
    if let Some(header) = &parts.header {
        let entries = u64::from(header.disk.max_entries.get());
        let table = header.disk.bat_offset.get();
        // Entries without a block may be cut off by the end of the file.
        let needed = (map.blocks() * ENTRY_BYTES).next_multiple_of(SECTOR);
        let most = (entries * ENTRY_BYTES).next_multiple_of(SECTOR);
        let length = most.min(parts.limit().saturating_sub(table)).max(needed);
        pieces.push(piece(Structure::Bat, table, length));
        if parts.link.is_some() {
            for locator in header.disk.locators.iter().filter(|locator| locator.code != [0; 4]) {
                let length = u64::from(locator.length.get()).next_multiple_of(SECTOR);
                let offset = locator.offset.get();
                if offset.saturating_add(length) <= parts.length {
                    pieces.push(piece(Structure::ParentLocator, offset, length));
                }
            }
        }
    }
    pieces.sort_unstable_by(|a, b| b.cmp(a));
    pieces
}

struct Walk<'a, T> {
    file: &'a T,
    map: &'a Map,
    /// The structures not passed yet, the last first.
    structures: Vec<Piece>,
    reports: Reports<'a>,
    /// Where what was passed ends, and what it was.
    used_to: u64,
    last: Structure,
    leaked: u64,
}

impl<T: ReadAt> Walk<'_, T> {
    /// Goes over all blocks in the order of the file. If there are too many to be sorted at once, the table is
    /// read again for each stretch of the file.
    fn blocks(&mut self, progress: &Progress) -> Result<(), OpenError> {
        let length = self.map.bitmap_bytes + self.map.block_size;
        let stretch = u64::try_from(SORTED).unwrap_or(u64::MAX).saturating_mul(length / SECTOR);
        let mut from = 0;
        while from < u64::from(ABSENT) && progress.check().is_ok() {
            let to = from.saturating_add(stretch).min(ABSENT.into());
            let mut sectors = self.collect(from, to, progress)?;
            sectors.sort_unstable();
            for sector in sectors {
                let start = u64::from(sector) * SECTOR;
                self.pass_until(start);
                let end = start + length;
                self.pass(Piece { start, end, structure: Structure::Payload });
            }
            from = to;
        }
        Ok(())
    }

    /// The blocks that begin in a stretch of the file, in sectors. Only a table that leads to the same bytes
    /// again and again has more than can be sorted; those too many are left out, because the
    /// overlaps among the others are found.
    fn collect(&mut self, from: u64, to: u64, progress: &Progress) -> Result<Vec<u32>, OpenError> {
        let mut sectors = Vec::new();
        let table = self.map.entry_offset(0);
        let total = self.map.blocks() * ENTRY_BYTES;
        if from == 0 {
            progress.begin("checking", total, 0);
        }
        let mut buffer = vec![0; PIECE];
        let mut done = 0;
        while done < total && progress.check().is_ok() {
            let len = usize::try_from(total - done).unwrap_or(PIECE).min(PIECE);
            let bytes = buffer.get_mut(..len).unwrap_or_default();
            let offset = table + done;
            self.file.read_exact_at(bytes, offset).map_err(|source| OpenError::Io {
                structure: Structure::Bat,
                offset,
                length: len as u64,
                source,
            })?;
            let (entries, _none) = bytes.as_chunks::<4>();
            for (index, &entry) in entries.iter().enumerate() {
                let entry = u32::from_be_bytes(entry);
                if entry == ABSENT {
                    continue;
                }
                match self.map.check_entry(offset + index as u64 * ENTRY_BYTES, entry) {
                    Err(corruption) if from == 0 => {
                        let severity = Severity::Error;
                        self.reports.tell(Finding::Broken { severity, corruption });
                    }
                    Ok(_) if (from..to).contains(&entry.into()) && sectors.len() < SORTED => {
                        sectors.push(entry);
                    }
                    Err(_) | Ok(_) => {}
                }
            }
            done += len as u64;
            if from == 0 {
                progress.add_bytes(len as u64);
            }
        }
        Ok(sectors)
    }

    /// Passes all structures that begin before `offset`.
    fn pass_until(&mut self, offset: u64) {
        while let Some(&piece) = self.structures.last()
            && piece.start < offset
        {
            self.structures.pop();
            self.pass(piece);
        }
    }

    fn pass(&mut self, piece: Piece) {
        if piece.start < self.used_to {
            let offset = piece.start;
            let length = self.used_to.min(piece.end) - offset;
            let (first, second) = (self.last, piece.structure);
            self.reports.tell(Finding::Overlap { first, second, offset, length });
        } else if piece.start - self.used_to >= PADDING {
            self.leaked += piece.start - self.used_to;
        }
        if piece.end > self.used_to {
            self.used_to = piece.end;
            self.last = piece.structure;
        }
    }

    fn finish(mut self, length: u64) {
        self.pass_until(u64::MAX);
        self.leaked += length.saturating_sub(self.used_to);
        if self.leaked > 0 {
            (self.reports.found)(Finding::Leaked { length: self.leaked });
        }
        if self.reports.hidden > 0 {
            let (severity, count) = (Severity::Error, self.reports.hidden);
            (self.reports.found)(Finding::More { severity, count });
        }
    }
}

/// Findings about entries of the table, which may be many.
struct Reports<'a> {
    found: &'a mut dyn FnMut(Finding),
    shown: u64,
    hidden: u64,
}

impl Reports<'_> {
    fn tell(&mut self, finding: Finding) {
        if self.shown < SHOWN {
            self.shown += 1;
            (self.found)(finding);
        } else {
            self.hidden += 1;
        }
    }
}
