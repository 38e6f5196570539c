//! Making changes durable: headers, the log, pages.

use imprint_blockio::{Expected, Resize, Sparse, WriteAt};
use imprint_winvalues::Guid;

use super::{Session, VhdxWriter};
use crate::vhdx::header::{Header, Headers};
use crate::vhdx::layout::HEADER_OFFSETS;
use crate::vhdx::log::{EntryHead, MAX_PAGES, encode};
use crate::vhdx::reader::PAGE;
use crate::{Corruption, ReadError, Structure, WriteError};

/// Pages that one allocation may change: an entry of the table and one for a bitmap, and 256 MiB in
/// sectors of 512 bytes have 16 pages of bits, which may begin in the middle of a page.
const MOST_PER_CALL: usize = 20;
/// Changed pages kept of a new file, which has no log to set the limit.
const MAX_NEW: usize = 512;

/// Changes the headers: first the one that is not current, then the other one. Between the two, and
/// if one of them is torn by a crash, the other is current.
///
/// # Errors
/// Whatever the storage reports; corruption if the headers cannot be counted any further.
pub(super) fn update_headers(
    file: &(impl WriteAt + ?Sized),
    headers: &mut Headers,
    change: impl FnOnce(&mut Header),
) -> Result<(), WriteError> {
    let (structure, length) = (Structure::Header, PAGE as u64);
    let mut header = headers.current;
    change(&mut header);
    for _ in 0..2 {
        let slot = 1 - headers.slot.min(1);
        let [first, second] = HEADER_OFFSETS;
        let offset = if slot == 0 { first } else { second };
        let Some(next) = header.sequence.checked_add(1) else {
            let (field, expected) = ("sequence number", Expected::AtMost(u64::MAX - 1));
            let fault = Corruption::number(structure, offset, field, expected, header.sequence);
            return Err(ReadError::Corruption(fault).into());
        };
        header.sequence = next;
        file.write_all_at(&header.encode(), offset).map_err(|source| WriteError::Io {
            structure,
            offset,
            length,
            source,
        })?;
        file.flush().map_err(WriteError::Flush)?;
        headers.current = header;
        headers.slot = slot;
    }
    Ok(())
}

impl<T: Sparse + Resize> VhdxWriter<T> {
    /// Prepares for a change of what the disk holds.
    pub(super) fn begin(&self, session: &mut Session) -> Result<(), WriteError> {
        self.begin_as(session, !session.is_identified)
    }

    /// Prepares for a change of what the file says of itself.
    pub(super) fn begin_metadata(&self, session: &mut Session) -> Result<(), WriteError> {
        self.begin_as(session, false)
    }

    fn begin_as(&self, session: &mut Session, new_identity: bool) -> Result<(), WriteError> {
        if session.is_open && !new_identity {
            return Ok(());
        }
        let ids = session.ids;
        update_headers(&self.file, &mut session.headers, |header| {
            header.file_write = ids.file_write;
            if new_identity {
                header.data_write = ids.data_write;
            }
        })?;
        session.is_open = true;
        session.is_identified |= new_identity;
        Ok(())
    }

    /// Commits if the next allocation might change more pages than one log entry holds.
    pub(super) fn make_room(&self, session: &mut Session) -> Result<(), WriteError> {
        let changed = self.pages.count_changed();
        if session.is_new {
            return if changed > MAX_NEW { self.write_pages() } else { Ok(()) };
        }
        if changed + MOST_PER_CALL > MAX_PAGES { self.commit_pages(session) } else { Ok(()) }
    }

    /// Makes everything durable.
    pub(super) fn commit_pages(&self, session: &mut Session) -> Result<(), WriteError> {
        if session.is_new {
            self.write_pages()?;
            return self.flush();
        }
        // What the caller wrote, the length, and the pages of the commit before.
        self.flush()?;
        if self.pages.count_changed() == 0 {
            return Ok(());
        }
        self.write_entry(session)?;
        self.flush()?;
        if !session.is_logged {
            // Not before there is an entry: a log that is named is never without one.
            let log = session.ids.log;
            update_headers(&self.file, &mut session.headers, |header| header.log = log)?;
            session.is_logged = true;
        }
        self.write_pages()
    }

    /// Commits and leaves the file as one that nobody has open.
    pub(super) fn finish(&self, session: &mut Session) -> Result<(), WriteError> {
        self.commit_pages(session)?;
        if session.is_logged {
            self.flush()?;
            update_headers(&self.file, &mut session.headers, |header| {
                header.log = Guid::default();
            })?;
            session.is_logged = false;
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), WriteError> {
        self.file.flush().map_err(WriteError::Flush)
    }

    fn write_entry(&self, session: &mut Session) -> Result<(), WriteError> {
        let mut pages = Vec::with_capacity(self.pages.count_changed());
        self.pages.for_each_changed(|page, bytes| {
            pages.push((page * PAGE as u64, *bytes));
            Ok::<_, WriteError>(())
        })?;
        let log = session.headers.current;
        // Halves of at least 512 KiB; the largest entry has 508.
        let at = if session.entry.is_multiple_of(2) { log.log_length / 2 } else { 0 };
        let head = EntryHead {
            at,
            sequence: session.entry,
            log: session.ids.log,
            file_length: self.view().end,
        };
        let entry = encode(&head, &pages);
        self.write(Structure::Log, log.log_offset + u64::from(at), &entry)?;
        session.entry += 1;
        Ok(())
    }

    /// Writes all changed pages to their places.
    fn write_pages(&self) -> Result<(), WriteError> {
        self.pages.for_each_changed(|page, bytes| {
            let offset = page * PAGE as u64;
            self.write(self.structure_at(offset), offset, bytes)
        })?;
        self.pages.clean();
        Ok(())
    }

    /// Writes bytes of a structure.
    pub(super) fn write(
        &self,
        structure: Structure,
        offset: u64,
        bytes: &[u8],
    ) -> Result<(), WriteError> {
        let length = bytes.len() as u64;
        self.file.write_all_at(bytes, offset).map_err(|source| WriteError::Io {
            structure,
            offset,
            length,
            source,
        })
    }

    /// Which structure a page belongs to.
    pub(super) const fn structure_at(&self, offset: u64) -> Structure {
        let (bat, metadata) = (self.parts.regions.bat, self.parts.regions.metadata);
        if offset < HEADER_OFFSETS[1] * 4 {
            Structure::RegionTable
        } else if bat.offset <= offset && offset < bat.end() {
            Structure::Bat
        } else if metadata.offset <= offset && offset < metadata.end() {
            Structure::Metadata
        } else {
            Structure::SectorBitmap
        }
    }

    /// Changes bytes of the metadata, page by page, in memory.
    pub(super) fn edit(&self, offset: u64, bytes: &[u8]) -> Result<(), WriteError> {
        let mut at = offset;
        let mut rest = bytes;
        while !rest.is_empty() {
            let within = usize::try_from(at % PAGE as u64).unwrap_or(0);
            let (piece, after) = rest.split_at(rest.len().min(PAGE - within));
            self.edit_page(at / PAGE as u64, |page| {
                if let Some(target) = page.get_mut(within..within + piece.len()) {
                    target.copy_from_slice(piece);
                }
            })?;
            at += piece.len() as u64;
            rest = after;
        }
        Ok(())
    }

    /// Lets `change` edit a page; it becomes a changed one only if it differs afterwards.
    pub(super) fn edit_page(
        &self,
        page: u64,
        change: impl FnOnce(&mut [u8; PAGE]),
    ) -> Result<(), WriteError> {
        let failed = |source| {
            let (offset, length) = (page * PAGE as u64, PAGE as u64);
            WriteError::Read(ReadError::Io {
                structure: self.structure_at(offset),
                offset,
                length,
                source,
            })
        };
        let before = self.pages.read(&self.file, page, |bytes| *bytes).map_err(failed)?;
        let mut after = before;
        change(&mut after);
        if after != before {
            self.pages.edit(&self.file, page, |bytes| *bytes = after).map_err(failed)?;
        }
        Ok(())
    }
}
