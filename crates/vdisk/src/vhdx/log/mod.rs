//! The log: changes of the metadata that are durable but maybe not yet in their places.
//!
//! ```text
//!  log, a ring of 4 KiB sectors                       the file
//!  │ … │ entry n-1 │ entry n │ … │                    ┌──────────┬──────┬────────┬─────┐
//!         ▲ tail      ▲ newest          replay ─────► │ region   │ BAT  │ bitmap │ …   │
//!         └──────── sequence ┘                        │ tables   │ page │ page   │     │
//! ```
//!
//! An entry counts if its checksum is right and it carries the log's GUID. Entries that follow each
//! other in the ring and by number form a run; the run whose newest entry has the largest number is
//! the active sequence, from the entry that the newest one calls its tail. It is all or nothing: an
//! entry torn by a crash has a wrong checksum and never was.
//!
//! Source: \[MS-VHDX\] 2.3.

mod changes;
mod entry;
mod overlay;
mod replay;
mod sequence;

pub(crate) use entry::{EntryHead, MAX_PAGES, encode};
pub(crate) use overlay::Overlay;
pub(crate) use replay::replay;

use imprint_blockio::{Expected, ReadAt};

use super::header::Header;
use super::layout::{LOG_SECTOR, MIB};
use crate::{Corruption, OpenError, Structure};

/// The longest log that is read. Windows and qemu make logs of 1 MiB; the time to read a log and the
/// memory for what it changes grow with it.
const MAX_LENGTH: u32 = 64 << 20;

/// A sector of the log.
type Sector = [u8; LOG_SECTOR];
/// Its length, as positions in the log are counted.
const SECTOR: u32 = 4096;

/// The log of a file, seen as a ring. Positions are bytes from the start of the log, multiples of 4096
/// and less than its length.
#[derive(Debug)]
struct Ring<'a, T: ?Sized> {
    file: &'a T,
    header: &'a Header,
    /// The length of the file.
    file_length: u64,
}

impl<'a, T: ReadAt + ?Sized> Ring<'a, T> {
    /// The log that `header` describes.
    ///
    /// # Errors
    /// Corruption if it is not in the file, Unsupported if it is too long.
    fn new(file: &'a T, header: &'a Header) -> Result<Self, OpenError> {
        let length = header.log_length;
        if length > MAX_LENGTH {
            return Err(OpenError::Unsupported {
                structure: Structure::Log,
                offset: header.log_offset,
                feature: "a log longer than 64 MiB that must be replayed",
            });
        }
        let file_length = file.len().map_err(|source| OpenError::Io {
            structure: Structure::Log,
            offset: header.log_offset,
            length: length.into(),
            source,
        })?;
        let end = header.log_offset.saturating_add(length.into());
        if end > file_length {
            let offset = header.log_offset;
            return Err(
                Corruption::past_end(Structure::Log, offset, "log", file_length, end).into()
            );
        }
        if length == 0 || !u64::from(length).is_multiple_of(MIB) {
            let expected = Expected::MultipleOf(MIB);
            let offset = header.log_offset;
            return Err(Corruption::number(
                Structure::Log,
                offset,
                "length",
                expected,
                length.into(),
            )
            .into());
        }
        Ok(Self { file, header, file_length })
    }

    /// The position `by` bytes behind `at`, around the ring. `by` is at most the ring's length.
    const fn forward(&self, at: u32, by: u32) -> u32 {
        // Both are at most 64 MiB.
        (at + by) % self.header.log_length
    }

    /// Where a position is in the file.
    fn offset(&self, at: u32) -> u64 {
        self.header.log_offset + u64::from(at)
    }

    fn sector(&self, at: u32) -> Result<Sector, OpenError> {
        let mut bytes = [0; LOG_SECTOR];
        let offset = self.offset(at);
        self.file.read_exact_at(&mut bytes, offset).map_err(|source| OpenError::Io {
            structure: Structure::Log,
            offset,
            length: SECTOR.into(),
            source,
        })?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests;
