//! A file seen with its log replayed.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;

use imprint_blockio::{ReadAt, Sparse, Stored, check_range};

use super::changes::for_each_change;
use super::entry::{Descriptor, Page};
use super::sequence::active;
use super::{Ring, SECTOR, Sector};
use crate::vhdx::header::Header;
use crate::{OpenError, Structure};

/// Pieces of changed bytes that are kept in memory, about 48 bytes each. A log of 64 MiB has 16 Ki pages;
/// only made-up ones are full of descriptors for zeros.
const MAX_PIECES: usize = 1 << 17;

/// A file as it will be when its log has been replayed; nothing is written. Pages stay in the log and
/// are read from there.
#[derive(Debug)]
pub(crate) struct Overlay<T> {
    file: T,
    /// Where the log is in the file.
    log: u64,
    /// How many entries are pending.
    entries: u64,
    /// The length of the file after replay, if anything is pending.
    length: u64,
    changed: Pieces,
}

/// Changed bytes, by their first offset; pieces do not overlap.
#[derive(Debug, Default)]
struct Pieces(BTreeMap<u64, Piece>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    end: u64,
    bytes: Bytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bytes {
    Zero,
    Page(Page),
}

impl Pieces {
    /// Lays a piece over what was there. All offsets are multiples of 4096, so that pages are never
    /// cut.
    fn insert(&mut self, start: u64, end: u64, bytes: Bytes) {
        if start >= end {
            return;
        }
        let before = self.0.range_mut(..start).next_back();
        let cut = before.filter(|(_, piece)| piece.end > start).map(|(_, piece)| {
            let rest = *piece;
            piece.end = start;
            rest
        });
        let mut rest = cut;
        while let Some((&first, &piece)) = self.0.range(start..end).next() {
            self.0.remove(&first);
            rest = Some(piece);
        }
        if let Some(rest) = rest.filter(|rest| rest.end > end) {
            self.0.insert(end, rest);
        }
        self.0.insert(start, Piece { end, bytes });
    }

    /// The piece that covers `offset`, or where the next one begins.
    fn at(&self, offset: u64) -> Result<(Range<u64>, Bytes), u64> {
        match self.0.range(..=offset).next_back() {
            Some((&start, piece)) if piece.end > offset => Ok((start..piece.end, piece.bytes)),
            _ => Err(self.0.range(offset..).next().map_or(u64::MAX, |(&start, _)| start)),
        }
    }
}

impl<T: ReadAt> Overlay<T> {
    /// Sees `file` with the changes of the log that its current header names, if it names one.
    ///
    /// # Errors
    /// Corruption if the log holds nothing valid or nonsense, Unsupported if it is larger than what is
    /// held in memory, Io if it cannot be read.
    pub(crate) fn open(file: T, header: &Header) -> Result<Self, OpenError> {
        let mut changed = Pieces::default();
        let (mut entries, mut length) = (0, 0);
        if header.has_log() {
            let ring = Ring::new(&file, header)?;
            let sequence = active(&ring)?;
            entries = sequence.len() as u64;
            length = for_each_change(&ring, &sequence, |change| {
                match change {
                    Descriptor::Page(page) => {
                        let end = page.offset + u64::from(SECTOR);
                        changed.insert(page.offset, end, Bytes::Page(page));
                    }
                    Descriptor::Zero { offset, length } => {
                        changed.insert(offset, offset + length, Bytes::Zero);
                    }
                }
                if changed.0.len() <= MAX_PIECES {
                    return Ok(());
                }
                Err(OpenError::Unsupported {
                    structure: Structure::Log,
                    offset: header.log_offset,
                    feature: "a log that changes more than 131072 pieces of the file",
                })
            })?;
        }
        Ok(Self { file, log: header.log_offset, entries, length, changed })
    }
}

impl<T> Overlay<T> {
    /// How many entries of the log wait to be replayed.
    pub(crate) const fn pending(&self) -> u64 {
        self.entries
    }
}

impl<T: ReadAt> Overlay<T> {
    /// Reads a part of the file where nothing is changed; behind its end there are zeros.
    fn read_unchanged(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let there = self.file.len()?.saturating_sub(offset).min(buf.len() as u64);
        let there = usize::try_from(there).unwrap_or(buf.len()).min(buf.len());
        let (stored, behind) = buf.split_at_mut(there);
        behind.fill(0);
        if stored.is_empty() { Ok(()) } else { self.file.read_exact_at(stored, offset) }
    }

    /// Reads a part of a changed page.
    fn read_page(&self, page: &Page, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let mut sector: Sector = [0; 4096];
        self.file.read_exact_at(&mut sector, self.log + u64::from(page.at))?;
        page.restore(&mut sector);
        let start = usize::try_from(offset - page.offset).unwrap_or(usize::MAX);
        let part = sector.get(start..).and_then(|rest| rest.get(..buf.len()));
        buf.copy_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

impl<T: ReadAt> ReadAt for Overlay<T> {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        if self.entries == 0 {
            return self.file.read_exact_at(buf, offset);
        }
        if buf.is_empty() {
            return Ok(());
        }
        check_range(offset, buf.len() as u64, self.len()?)?;
        let (mut at, mut rest) = (offset, buf);
        while !rest.is_empty() {
            let found = self.changed.at(at);
            let end = found.as_ref().map_or_else(|&next| next, |(range, _)| range.end);
            let length = usize::try_from(end - at).unwrap_or(usize::MAX).min(rest.len());
            let (part, after) = rest.split_at_mut(length);
            match found {
                Ok((_, Bytes::Zero)) => part.fill(0),
                Ok((_, Bytes::Page(page))) => self.read_page(&page, part, at)?,
                Err(_) => self.read_unchanged(part, at)?,
            }
            at += length as u64;
            rest = after;
        }
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.len()?.max(self.length))
    }
}

impl<T: Sparse> Sparse for Overlay<T> {
    fn stored(&self, offset: u64, len: u64) -> io::Result<Stored> {
        if self.entries == 0 {
            return self.file.stored(offset, len);
        }
        match self.changed.at(offset) {
            Ok((range, Bytes::Zero)) => Ok(Stored::Hole(len.min(range.end - offset))),
            Ok((range, Bytes::Page(_))) => Ok(Stored::Data(len.min(range.end - offset))),
            Err(next) => {
                let len = len.min(next - offset);
                match self.file.len()?.checked_sub(offset) {
                    Some(there) if there > 0 => self.file.stored(offset, len.min(there)),
                    _ => Ok(Stored::Hole(len)),
                }
            }
        }
    }
}
