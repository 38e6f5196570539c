//! Making a disk larger.
//!
//! ```text
//! commit ─► new entries of the table ─► (new table) ─► size, region tables: one log entry
//!           behind those in use: nobody looks there yet
//! ```

use imprint_blockio::{Expected, FieldFault, Resize, Sparse};

use super::{Session, VhdxWriter, reopened};
use crate::pages::Pages;
use crate::vhdx::bat::{BatShape, ENTRY_BYTES, Entry, Owner, PayloadState};
use crate::vhdx::crc::checksum;
use crate::vhdx::layout::{DISK_SIZE, REGION_TABLE_OFFSETS, TABLE_BYTES};
use crate::vhdx::metadata::MAX_SIZE;
use crate::vhdx::parts::Parts;
use crate::vhdx::reader::KEPT;
use crate::vhdx::region::Region;
use crate::{CreateError, Format, Kind, ReadError, Structure, WriteError};

/// Entries of the table are written in pieces of this many bytes.
const PIECE: usize = 64 << 10;

impl<T: Sparse + Resize> VhdxWriter<T> {
    /// Makes the disk larger. What is new reads as zeros, or as the parent has it. The identity
    /// changes, since children must have the size of their parents; after a crash the disk has
    /// either size.
    ///
    /// # Errors
    /// [`CreateError::Impossible`] if the size is less than before, more than 64 TiB or not made of
    /// sectors, and [`CreateError::Write`].
    pub fn resize(&mut self, size: u64) -> Result<(), CreateError> {
        let metadata = &self.parts.metadata;
        let sector = u64::from(metadata.sector_size);
        let fault = |expected| {
            let fault = FieldFault::Number { field: "size", expected, actual: size };
            let (format, kind) = (Format::Vhdx, metadata.kind);
            Err(CreateError::Impossible { format, kind, fault })
        };
        if !(metadata.size..=MAX_SIZE).contains(&size) {
            return fault(Expected::Within(metadata.size, MAX_SIZE));
        }
        if !size.is_multiple_of(sector) {
            return fault(Expected::MultipleOf(sector));
        }
        if size == metadata.size {
            return Ok(());
        }
        let headers = self.locked(|session| {
            self.commit_pages(session)?;
            self.begin(session)?;
            self.enlarge(session, size)?;
            Ok::<_, WriteError>(session.headers.clone())
        })?;
        self.parts = Parts::read(&self.file, headers).map_err(reopened)?;
        // Entries were written past the pages that are kept.
        self.pages = Pages::new(KEPT);
        Ok(())
    }

    fn enlarge(&self, session: &mut Session, size: u64) -> Result<(), WriteError> {
        let Parts { metadata, shape, regions, .. } = &self.parts;
        let differencing = metadata.kind == Kind::Differencing;
        let wanted = BatShape::new(size, metadata.block_size, metadata.sector_size, differencing);
        self.clear_last_block()?;
        let bat = if wanted.entry_count * ENTRY_BYTES <= regions.bat.length {
            regions.bat
        } else {
            self.move_bat(&wanted)?
        };
        let blocks = match metadata.kind {
            Kind::Fixed => {
                let count = wanted.payload_count - shape.payload_count;
                Some(self.grow(count * u64::from(metadata.block_size))?)
            }
            Kind::Dynamic | Kind::Differencing => None,
        };
        self.write_entries(bat, &wanted, blocks)?;
        if bat != regions.bat {
            self.edit_region_tables(bat)?;
        }
        if let Some(item) = metadata.item(DISK_SIZE) {
            self.edit(item.offset, &size.to_le_bytes())?;
        }
        self.commit_pages(session)
    }

    /// What the last block holds behind the end of the disk must not show. A file that ends with the
    /// disk gets the rest of its last block.
    fn clear_last_block(&self) -> Result<(), WriteError> {
        let Parts { metadata, shape, .. } = &self.parts;
        let block_size = u64::from(metadata.block_size);
        let used = metadata.size & (block_size - 1);
        let Some(last) = shape.payload_count.checked_sub(1).filter(|_| used > 0) else {
            return Ok(());
        };
        let index = shape.payload_entry(last);
        let entry = self.view().entry(index)?;
        if !matches!(
            entry.payload_state(),
            PayloadState::FullyPresent | PayloadState::PartiallyPresent
        ) {
            return Ok(());
        }
        let (start, end) = (entry.offset().saturating_add(used), self.view().end);
        let block_end = entry.offset().saturating_add(block_size);
        let there = end.min(block_end).saturating_sub(entry.offset());
        self.check_room(index, entry, there.max(used))?;
        self.write_zeros(start, end.min(block_end) - start)?;
        if end < block_end {
            self.grow(block_end - end.next_multiple_of(1 << 20))?;
        }
        Ok(())
    }

    /// Makes room for a larger table at the end of the file and copies what is in use there. The
    /// old one stays as it is until the file is compacted: an old entry of the log may still be
    /// replayed onto it.
    fn move_bat(&self, wanted: &BatShape) -> Result<Region, WriteError> {
        let length = wanted.region_length();
        let offset = self.grow(length)?;
        let old = self.parts.regions.bat.offset;
        let used = self.parts.shape.entry_count * ENTRY_BYTES;
        let mut buffer = vec![0; PIECE];
        let mut at = 0;
        while at < used {
            let count = usize::try_from(used - at).unwrap_or(PIECE).min(PIECE);
            let piece = buffer.get_mut(..count).unwrap_or_default();
            self.read(Structure::Bat, old + at, piece)?;
            self.write(Structure::Bat, offset + at, piece)?;
            at += count as u64;
        }
        Ok(Region { offset, length })
    }

    /// Writes the entries of what is new, directly: nobody looks there before the size has changed.
    fn write_entries(
        &self,
        bat: Region,
        wanted: &BatShape,
        blocks: Option<u64>,
    ) -> Result<(), WriteError> {
        let shape = &self.parts.shape;
        let block_size = u64::from(self.parts.metadata.block_size);
        let mut piece = Vec::with_capacity(PIECE);
        // A chunk that was not whole has entries that are not in use, before that of its bitmap.
        let first = shape.payload_entry(shape.payload_count).min(shape.entry_count);
        let mut at = bat.offset + first * ENTRY_BYTES;
        for index in first..wanted.entry_count {
            let entry = match (wanted.owner(index), blocks) {
                (Owner::Payload { block }, Some(blocks)) => {
                    let number = block.saturating_sub(shape.payload_count);
                    Entry::payload(PayloadState::FullyPresent, blocks + number * block_size)
                }
                (Owner::Bitmap { .. }, _) if index < shape.entry_count => {
                    self.view().entry(index)?
                }
                _ => Entry::default(),
            };
            piece.extend_from_slice(&entry.0.to_le_bytes());
            if piece.len() >= PIECE {
                self.write(Structure::Bat, at, &piece)?;
                at += piece.len() as u64;
                piece.clear();
            }
        }
        if piece.is_empty() { Ok(()) } else { self.write(Structure::Bat, at, &piece) }
    }

    /// Says in both region tables where the block allocation table is.
    fn edit_region_tables(&self, bat: Region) -> Result<(), WriteError> {
        // The entry has the same place in both copies, which are equal afterwards.
        let [first, second] = REGION_TABLE_OFFSETS;
        let found = self.parts.regions.bat_entry;
        let from = if found < second { first } else { second };
        let mut table = vec![0; TABLE_BYTES];
        self.read(Structure::RegionTable, from, &mut table)?;
        let length = u32::try_from(bat.length).unwrap_or(u32::MAX);
        let mut put = |at: u64, bytes: &[u8]| {
            let start = usize::try_from(at).unwrap_or(usize::MAX);
            let end = start.saturating_add(bytes.len());
            if let Some(target) = table.get_mut(start..end) {
                target.copy_from_slice(bytes);
            }
        };
        put(found - from + 16, &bat.offset.to_le_bytes());
        put(found - from + 24, &length.to_le_bytes());
        let sum = checksum(&table);
        if let Some(target) = table.get_mut(4..8) {
            target.copy_from_slice(&sum.to_le_bytes());
        }
        REGION_TABLE_OFFSETS.iter().try_for_each(|&offset| self.edit(offset, &table))
    }

    fn read(&self, structure: Structure, offset: u64, bytes: &mut [u8]) -> Result<(), WriteError> {
        let length = bytes.len() as u64;
        self.file
            .read_exact_at(bytes, offset)
            .map_err(|source| WriteError::Read(ReadError::Io { structure, offset, length, source }))
    }
}
