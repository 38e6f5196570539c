//! Room for sectors.

use std::sync::atomic::Ordering;

use imprint_blockio::{Expected, Resize, Sparse, Stored};

use super::{MAX_FILE, Session, VhdxWriter};
use crate::vhdx::bat::{Entry, PayloadState};
use crate::vhdx::layout::MIB;
use crate::{Corruption, Kind, Placed, ReadError, Structure, WriteError};

/// Zeros are written in pieces of at most this many bytes.
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// Where sectors have got room.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    pub(super) placed: Placed,
    /// The block is new: there are zeros.
    is_new: bool,
}

/// The part of a range that lies in one block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub(super) block: u64,
    /// First byte, from the start of the block.
    pub(super) within: u64,
    pub(super) len: u64,
    /// Nothing of the block is outside, but what is not on the disk.
    is_whole: bool,
}

impl<T: Sparse + Resize> VhdxWriter<T> {
    /// Cuts a range on the disk to one block.
    fn piece(&self, offset: u64, len: u64) -> Piece {
        let block_size = u64::from(self.parts.metadata.block_size);
        let within = offset & (block_size - 1);
        let len = len.min(block_size - within);
        let on_disk = block_size.min(self.parts.metadata.size - (offset - within));
        let is_whole = within == 0 && len == on_disk;
        Piece { block: offset >> block_size.trailing_zeros(), within, len, is_whole }
    }

    /// Makes room for the first piece of a range on the disk.
    pub(super) fn place(&self, offset: u64, len: u64) -> Result<Spot, WriteError> {
        let piece = self.piece(offset, len);
        let index = self.parts.shape.payload_entry(piece.block);
        let view = self.view();
        // Refuses entries that make no sense.
        view.resolve(offset, piece.len)?;
        let entry = view.entry(index)?;
        let differencing = self.parts.metadata.kind == Kind::Differencing;
        let spot = |block: u64, is_new| {
            let placed = Placed { offset: block + piece.within, len: piece.len };
            Spot { placed, is_new }
        };
        match entry.payload_state() {
            PayloadState::FullyPresent => {
                self.check_room(index, entry, piece.within + piece.len)?;
                Ok(spot(entry.offset(), false))
            }
            PayloadState::PartiallyPresent => {
                self.check_room(index, entry, piece.within + piece.len)?;
                if piece.is_whole {
                    self.set_payload(index, PayloadState::FullyPresent, entry.offset())?;
                } else {
                    let bitmap = self.bitmap_for(piece.block)?;
                    self.mark(bitmap, piece, false)?;
                }
                Ok(spot(entry.offset(), false))
            }
            PayloadState::NotPresent if differencing && !piece.is_whole => {
                let bitmap = self.bitmap_for(piece.block)?;
                let block = self.grow(self.parts.metadata.block_size.into())?;
                self.mark(bitmap, piece, true)?;
                self.set_payload(index, PayloadState::PartiallyPresent, block)?;
                Ok(spot(block, true))
            }
            _ => {
                let block = self.grow(self.parts.metadata.block_size.into())?;
                self.set_payload(index, PayloadState::FullyPresent, block)?;
                Ok(spot(block, true))
            }
        }
    }

    /// Makes the first piece of a range on the disk read as zeros, and returns its length.
    pub(super) fn zero(
        &self,
        session: &mut Session,
        offset: u64,
        len: u64,
    ) -> Result<u64, WriteError> {
        let piece = self.piece(offset, len);
        let index = self.parts.shape.payload_entry(piece.block);
        let kind = self.parts.metadata.kind;
        let is_zero = match self.view().entry(index)?.payload_state() {
            PayloadState::NotPresent => kind != Kind::Differencing,
            PayloadState::Undefined | PayloadState::Zero | PayloadState::Unmapped => true,
            _ => false,
        };
        if is_zero {
            return Ok(piece.len);
        }
        self.begin(session)?;
        self.make_room(session)?;
        // Blocks of fixed disks stay where they are. The room of others is free, and left free: what
        // is in it may be needed until the next commit, and nobody keeps a list of what is free.
        if piece.is_whole && kind != Kind::Fixed {
            self.set_payload(index, PayloadState::Zero, 0)?;
            return Ok(piece.len);
        }
        let spot = self.place(offset, piece.len)?;
        if !spot.is_new {
            self.write_zeros(spot.placed.offset, spot.placed.len)?;
        }
        Ok(piece.len)
    }

    /// Writes zeros into the file, where it has no hole.
    pub(super) fn write_zeros(&self, offset: u64, len: u64) -> Result<(), WriteError> {
        let end = offset + len;
        let mut at = offset;
        while at < end {
            let stored = self.file.stored(at, end - at).map_err(|source| {
                let (structure, offset, length) = (Structure::Payload, at, end - at);
                ReadError::Io { structure, offset, length, source }
            })?;
            at += match stored {
                Stored::Hole(length) => length,
                Stored::Data(length) => {
                    let length = length.min(ZEROS.len() as u64);
                    let zeros = usize::try_from(length).ok().and_then(|length| ZEROS.get(..length));
                    self.write(Structure::Payload, at, zeros.unwrap_or_default())?;
                    length
                }
            };
        }
        Ok(())
    }

    /// Makes the file longer by `length` bytes, and returns where they are: a multiple of 1 MiB. They
    /// are zeros.
    pub(super) fn grow(&self, length: u64) -> Result<u64, WriteError> {
        let before = self.end.load(Ordering::Acquire);
        let at = before.next_multiple_of(MIB);
        let end = at.saturating_add(length);
        if end > MAX_FILE {
            return Err(WriteError::Full { limit: MAX_FILE });
        }
        self.file.set_len(end).map_err(|source| {
            let (structure, offset) = (Structure::Payload, before);
            WriteError::Io { structure, offset, length: end - before, source }
        })?;
        self.end.store(end, Ordering::Release);
        Ok(at)
    }

    fn set_payload(&self, index: u64, state: PayloadState, block: u64) -> Result<(), WriteError> {
        self.set_entry(index, Entry::payload(state, block))
    }

    pub(super) fn set_entry(&self, index: u64, entry: Entry) -> Result<(), WriteError> {
        self.edit(self.parts.entry_offset(index), &entry.0.to_le_bytes())
    }

    /// Refuses to write where a damaged entry says the first `len` bytes of a block are, if that is
    /// outside the file or over its metadata.
    pub(super) fn check_room(&self, index: u64, entry: Entry, len: u64) -> Result<(), ReadError> {
        let (structure, at) = (Structure::Bat, self.parts.entry_offset(index));
        let start = entry.offset();
        let (end, file_end) = (start.saturating_add(len), self.view().end);
        if end > file_end {
            return Err(Corruption::past_end(structure, at, "block", file_end, end).into());
        }
        let regions = &self.parts.regions;
        let taken = [self.parts.log(), regions.bat, regions.metadata];
        let over = taken
            .iter()
            .chain(&regions.others)
            .find(|region| region.offset < end && region.end() > start);
        let lowest = if start < MIB { Some(MIB) } else { over.map(|region| region.end()) };
        lowest.map_or(Ok(()), |lowest| {
            let (field, expected) = ("block offset", Expected::AtLeast(lowest));
            Err(Corruption::code(structure, at, field, expected, start).into())
        })
    }
}
