//! A VHD file open for writing.

use std::sync::{Mutex, MutexGuard, PoisonError};

use imprint_blockio::{Expected, Extent, Resize, Sparse, WriteAt};
use imprint_winvalues::Guid;
use zerocopy::IntoBytes;

use super::footer::Footer;
use super::header::Header;
use super::layout::{ABSENT, FOOTER_BYTES, HEADER_BYTES, SECTOR};
use super::map::Map;
use super::parts::Parts;
use crate::container::{check_read, check_write};
use crate::{
    Container, Corruption, Format, Kind, OpenError, ParentLink, Placed, ReadError, RefusedWrite,
    Structure, WritableContainer, WriteError, WriteIds,
};

/// Data of new blocks begin at a multiple of this in the file, as Windows lays them out.
const ALIGNMENT: u64 = 4096;
/// With more changed pages than this a commit is due.
const MANY_PAGES: usize = 2048;
/// Zeros are written in pieces of this many bytes.
static ZEROES: [u8; 1 << 16] = [0; 1 << 16];

/// A VHD file, open for writing.
#[derive(Debug)]
pub struct VhdWriter<T> {
    pub(super) file: T,
    pub(super) kind: Kind,
    block_size: u32,
    pub(super) link: Option<ParentLink>,
    pub(super) size: u64,
    pub(super) map: Option<Map>,
    state: Mutex<State>,
}

/// What changes while the file is open.
#[derive(Debug)]
pub(super) struct State {
    /// The footer as it is in the file.
    pub(super) footer: Footer,
    /// The dynamic header as it is in the file.
    pub(super) header: Option<Header>,
    /// Where the footer at the end stands.
    pub(super) end: u64,
    /// Where it stood at the last commit: bitmaps behind it belong to blocks that no table in the
    /// file leads to.
    committed: u64,
    /// The identity to be given before the contents change.
    pending: Option<Guid>,
    /// Nobody relies on the file yet: nothing need be in order.
    fresh: bool,
    /// A commit failed.
    poisoned: bool,
}

impl State {
    /// What is at the end now is in the file for good.
    pub(super) const fn settle(&mut self) {
        self.committed = self.end;
    }

    /// Refuses everything later if a change was left half made.
    pub(super) const fn poison_if(&mut self, failed: bool) {
        self.poisoned = self.poisoned || failed;
    }
}

impl<T: Sparse + Resize> VhdWriter<T> {
    /// Opens a file. If a crash or a program that was careless left only one of the two footers, the
    /// other is restored first.
    ///
    /// # Errors
    /// [`OpenError::ReadOnly`] for damage that only reading can do without, and for disks of machines
    /// in saved state; otherwise as [`Vhd::open`](crate::Vhd::open), and [`OpenError::Write`] if a
    /// footer cannot be restored.
    pub fn open(file: T, ids: WriteIds) -> Result<Self, OpenError> {
        let parts = Parts::read(&file)?;
        if let Some(fault) = parts.unwritable.clone() {
            return Err(RefusedWrite::Damaged(fault).into());
        }
        if parts.footer.disk.saved_state != 0 {
            return Err(RefusedWrite::SavedState.into());
        }
        check_alignment(&parts)?;
        let writer = Self::with_parts(file, &parts, Some(ids.data_write), false);
        let end = match parts.end {
            Some(end) => end,
            None => writer.last_byte_used(&parts)?,
        };
        writer.restore(&parts, end).map_err(OpenError::Write)?;
        Ok(writer)
    }

    /// Takes over an empty disk that was just made.
    pub(super) fn fresh(file: T, parts: &Parts) -> Self {
        Self::with_parts(file, parts, None, true)
    }

    fn with_parts(file: T, parts: &Parts, pending: Option<Guid>, fresh: bool) -> Self {
        let end = parts.limit();
        Self {
            file,
            kind: parts.footer.kind,
            block_size: parts.header.map_or(0, |header| header.disk.block_size.get()),
            link: parts.link.clone(),
            size: parts.footer.size(),
            map: Map::new(parts),
            state: Mutex::new(State {
                footer: parts.footer,
                header: parts.header,
                end,
                committed: end,
                pending,
                fresh,
                poisoned: false,
            }),
        }
    }

    /// Where the last structure or block of a file ends whose footer is missing.
    fn last_byte_used(&self, parts: &Parts) -> Result<u64, OpenError> {
        let (Some(map), Some(header)) = (&self.map, &parts.header) else {
            return Ok(parts.limit());
        };
        let mut end = parts.footer.header_at() + 1024;
        end = end.max(map.entry_offset(header.disk.max_entries.into()).min(parts.length));
        for locator in header.disk.locators.iter().filter(|locator| locator.code != [0; 4]) {
            let past = locator.offset.get().saturating_add(locator.length.get().into());
            end = end.max(past.min(parts.length));
        }
        for block in 0..map.blocks() {
            let found = map.find(&self.file, block).map_err(|error| match error {
                ReadError::Corruption(fault) => OpenError::Corruption(fault),
                ReadError::Io { structure, offset, length, source } => {
                    OpenError::Io { structure, offset, length, source }
                }
                error => OpenError::Write(error.into()),
            })?;
            if let Some(bitmap) = found {
                end = end.max(bitmap + map.bitmap_bytes + map.block_size);
            }
        }
        Ok(end.next_multiple_of(SECTOR))
    }

    /// Writes the footers again that are missing or differ, with the last one at `end`.
    fn restore(&self, parts: &Parts, end: u64) -> Result<(), WriteError> {
        let mut state = self.lock()?;
        if parts.end.is_none() {
            self.put_footer(&state.footer, end)?;
            self.flush()?;
            self.set_len(end + FOOTER_BYTES)?;
            self.flush()?;
            state.end = end;
            state.committed = end;
            self.set_limit(end);
        }
        if !parts.copied {
            self.put_footer(&state.footer, 0)?;
            self.flush()?;
        }
        Ok(())
    }

    pub(super) fn lock(&self) -> Result<MutexGuard<'_, State>, WriteError> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.poisoned { Err(WriteError::Poisoned) } else { Ok(state) }
    }

    /// Keeps the identity until somebody sets one.
    pub(super) fn forget_pending(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).pending = None;
    }

    /// Gives the disk its new identity, before anything else changes.
    fn announce(&self, state: &mut State) -> Result<(), WriteError> {
        if let Some(identity) = state.pending {
            self.put_footers(state, state.footer.with_identity(identity))?;
            state.pending = None;
        }
        Ok(())
    }

    /// Writes a footer that differs from the one in the file, durably. Each copy is one sector. The last
    /// one counts, so it is written last: until then the file says the old.
    pub(super) fn put_footers(&self, state: &mut State, footer: Footer) -> Result<(), WriteError> {
        if self.kind != Kind::Fixed {
            self.put_footer(&footer, 0)?;
            self.flush()?;
        }
        self.put_footer(&footer, state.end)?;
        self.flush()?;
        state.footer = footer;
        Ok(())
    }

    pub(super) fn put_footer(&self, footer: &Footer, at: u64) -> Result<(), WriteError> {
        self.put(Structure::Footer, footer.disk.as_bytes(), at)
    }

    pub(super) fn put(
        &self,
        structure: Structure,
        bytes: &[u8],
        offset: u64,
    ) -> Result<(), WriteError> {
        let length = bytes.len() as u64;
        self.file.write_all_at(bytes, offset).map_err(|source| WriteError::Io {
            structure,
            offset,
            length,
            source,
        })
    }

    pub(super) fn flush(&self) -> Result<(), WriteError> {
        self.file.flush().map_err(WriteError::Flush)
    }

    pub(super) fn set_len(&self, length: u64) -> Result<(), WriteError> {
        let structure = Structure::Payload;
        self.file.set_len(length).map_err(|source| WriteError::Io {
            structure,
            offset: length,
            length: 0,
            source,
        })
    }

    pub(super) fn set_limit(&self, limit: u64) {
        if let Some(map) = &self.map {
            map.set_limit(limit);
        }
    }

    /// Makes room for a block at the end. The footer there is left alone until the one behind the
    /// block is written; it stays in the padding and is never looked for again.
    fn add_block(&self, state: &mut State, map: &Map, block: u64) -> Result<u64, WriteError> {
        let behind = state.end + if state.fresh { 0 } else { FOOTER_BYTES };
        let start = (behind + map.bitmap_bytes).next_multiple_of(ALIGNMENT) - map.bitmap_bytes;
        let end = start + map.bitmap_bytes + map.block_size;
        let entry = u32::try_from(start / SECTOR).ok().filter(|&entry| entry != ABSENT);
        let entry = entry.ok_or(WriteError::Full { limit: u64::from(ABSENT) * SECTOR })?;
        self.set_len(end + FOOTER_BYTES)?;
        if !state.fresh {
            self.put_footer(&state.footer, end)?;
        }
        // From here on the room is taken, even if the table cannot be read.
        state.end = end;
        map.set_limit(end);
        if map.differencing {
            map.clear(&self.file, start)?;
        } else {
            // What is not written reads as zeros: the file was extended.
            let bits = (map.block_size / SECTOR).div_ceil(8);
            let bitmap = vec![0xff; usize::try_from(bits).unwrap_or(0)];
            self.put(Structure::SectorBitmap, &bitmap, start)?;
        }
        map.place(&self.file, block, entry)?;
        Ok(start)
    }

    /// Commits; if that fails, everything later fails as well.
    pub(super) fn commit_state(&self, state: &mut State) -> Result<(), WriteError> {
        let result = self.write_changes(state);
        state.poison_if(result.is_err());
        result
    }

    fn write_changes(&self, state: &mut State) -> Result<(), WriteError> {
        let Some(map) = &self.map else { return self.flush() };
        if state.fresh {
            self.put_pages(map, |_| true)?;
            self.put_footer(&state.footer, state.end)?;
            self.flush()?;
        } else {
            // First whatever no table leads to yet, then what makes it count.
            let behind = state.committed;
            self.put_pages(map, |offset| offset >= behind)?;
            self.flush()?;
            if self.put_pages(map, |offset| offset < behind)? {
                self.flush()?;
            }
        }
        map.pages.clean();
        state.committed = state.end;
        Ok(())
    }

    /// Writes the changed pages whose offsets are wanted; returns whether there was one.
    fn put_pages(&self, map: &Map, wanted: impl Fn(u64) -> bool) -> Result<bool, WriteError> {
        let mut any = false;
        map.pages.for_each_changed(|page, bytes| {
            if !wanted(page * SECTOR) {
                return Ok(());
            }
            any = true;
            let table = map.is_table(page);
            let structure = if table { Structure::Bat } else { Structure::SectorBitmap };
            self.put(structure, bytes, page * SECTOR)
        })?;
        Ok(any)
    }

    /// Keeps the changed pages in memory few. A new file is not flushed for that.
    fn relieve(&self, state: &mut State, map: &Map) -> Result<(), WriteError> {
        if map.pages.count_changed() <= MANY_PAGES {
            return Ok(());
        }
        if !state.fresh {
            return self.commit_state(state);
        }
        let result = self.put_pages(map, |_| true);
        state.poison_if(result.is_err());
        result?;
        map.pages.clean();
        Ok(())
    }

    fn allocate_in(&self, state: &mut State, offset: u64, len: u64) -> Result<Placed, WriteError> {
        let Some(map) = &self.map else {
            self.announce(state)?;
            return Ok(Placed { offset, len });
        };
        self.relieve(state, map)?;
        self.announce(state)?;
        let (block, within) = (offset / map.block_size, offset % map.block_size);
        let len = len.min(map.block_size - within);
        let (bitmap, complete) = match map.find(&self.file, block)? {
            Some(bitmap) => {
                check_room(state, map, block, bitmap)?;
                (bitmap, false)
            }
            None => (self.add_block(state, map, block)?, !map.differencing),
        };
        if !complete {
            map.mark(&self.file, bitmap, within / SECTOR, (within + len) / SECTOR)?;
        }
        Ok(Placed { offset: bitmap + map.bitmap_bytes + within, len })
    }

    /// Stores zeros, from an offset of the file on.
    fn put_zeroes(&self, mut offset: u64, mut len: u64) -> Result<(), WriteError> {
        while len > 0 {
            let piece = usize::try_from(len).unwrap_or(ZEROES.len()).min(ZEROES.len());
            let zeroes = ZEROES.get(..piece).unwrap_or(&ZEROES);
            self.put(Structure::Payload, zeroes, offset)?;
            offset += piece as u64;
            len -= piece as u64;
        }
        Ok(())
    }
}

/// Refuses to write where a damaged table says a block is, if that is over the footer at the start, the
/// header or the table. Reading does no harm there, and checking finds it.
fn check_room(state: &State, map: &Map, block: u64, start: u64) -> Result<(), ReadError> {
    let end = start + map.bitmap_bytes + map.block_size;
    let header = state.footer.header_at();
    let table = map.entry_offset(0)..map.entry_offset(map.blocks());
    let taken = [0..FOOTER_BYTES, header..header.saturating_add(HEADER_BYTES), table];
    let over = taken.iter().find(|taken| taken.start < end && taken.end > start);
    over.map_or(Ok(()), |over| {
        let at = map.entry_offset(block);
        let expected = Expected::AtLeast(over.end.div_ceil(SECTOR));
        let field = "block's sector";
        let fault = Corruption::number(Structure::Bat, at, field, expected, start / SECTOR);
        Err(fault.into())
    })
}

/// Sectors are written whole or not at all; everything that is one must stand like one.
fn check_alignment(parts: &Parts) -> Result<(), OpenError> {
    let end = parts.end.unwrap_or(0);
    if end.is_multiple_of(SECTOR) {
        return Ok(());
    }
    let expected = Expected::MultipleOf(SECTOR);
    let fault = Corruption::number(Structure::Footer, end, "offset", expected, end);
    Err(RefusedWrite::Damaged(fault).into())
}

impl<T: Sparse + Resize> Container for VhdWriter<T> {
    fn format(&self) -> Format {
        Format::Vhd
    }

    fn kind(&self) -> Kind {
        self.kind
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn sector_size(&self) -> u32 {
        512
    }

    fn block_size(&self) -> u32 {
        self.block_size
    }

    fn identity(&self) -> Option<Guid> {
        Some(self.state.lock().unwrap_or_else(PoisonError::into_inner).footer.identity())
    }

    fn parent(&self) -> Option<&ParentLink> {
        self.link.as_ref()
    }

    fn resolve(&self, offset: u64, len: u64) -> Result<Extent, ReadError> {
        check_read(self, offset, len)?;
        match &self.map {
            Some(map) => map.resolve(&self.file, offset, len),
            None => Ok(Extent::Data { file: 0, offset, len }),
        }
    }

    fn storage(&self) -> &dyn Sparse {
        &self.file
    }
}

impl<T: Sparse + Resize> WritableContainer for VhdWriter<T> {
    fn allocate(&self, offset: u64, len: u64) -> Result<Placed, WriteError> {
        check_write(self, offset, len)?;
        let mut state = self.lock()?;
        self.allocate_in(&mut state, offset, len)
    }

    /// Absent blocks of dynamic disks stay absent, holes of the file stay holes; all else is written: the
    /// format cannot say of a sector that it is zero.
    fn write_zeroes(&self, offset: u64, len: u64) -> Result<(), WriteError> {
        check_write(self, offset, len)?;
        let mut state = self.lock()?;
        let (mut at, end) = (offset, offset + len);
        while at < end {
            if self.kind != Kind::Differencing
                && let Extent::Zero { len } = self.resolve(at, end - at)?
            {
                at += len;
                continue;
            }
            let mut placed = self.allocate_in(&mut state, at, end - at)?;
            if self.kind != Kind::Differencing {
                placed.len = placed.len.min(self.resolve(at, placed.len)?.len());
            }
            self.put_zeroes(placed.offset, placed.len)?;
            at += placed.len;
        }
        Ok(())
    }

    fn commit(&self) -> Result<(), WriteError> {
        let mut state = self.lock()?;
        self.commit_state(&mut state)
    }

    fn target(&self) -> &dyn WriteAt {
        &self.file
    }

    fn close(self: Box<Self>) -> Result<(), WriteError> {
        self.commit()
    }
}
