//! Sector bitmaps: which sectors of a block are here.

use imprint_blockio::{Resize, Sparse};

use super::VhdxWriter;
use super::allocate::Piece;
use crate::WriteError;
use crate::vhdx::bat::{BitmapState, Entry};
use crate::vhdx::layout::MIB;
use crate::vhdx::reader::PAGE;

/// Sectors that a page of a bitmap describes.
const BITS: u64 = 8 * PAGE as u64;

impl<T: Sparse + Resize> VhdxWriter<T> {
    /// Where the bitmap of a block's chunk is. There is one afterwards.
    pub(super) fn bitmap_for(&self, block: u64) -> Result<u64, WriteError> {
        let chunk = self.parts.shape.chunk_of(block);
        let index = self.parts.shape.bitmap_entry(chunk);
        let view = self.view();
        if view.entry(index)?.bitmap_state() != BitmapState::NotPresent {
            return Ok(view.bitmap(chunk)?);
        }
        let bitmap = self.grow(MIB)?;
        self.set_entry(index, Entry::bitmap(bitmap))?;
        Ok(bitmap)
    }

    /// Says that the sectors of a piece are here. In a new block no others are, whatever the bitmap
    /// said before.
    pub(super) fn mark(&self, bitmap: u64, piece: Piece, is_new: bool) -> Result<(), WriteError> {
        let metadata = &self.parts.metadata;
        let sector = u64::from(metadata.sector_size);
        let per_block = u64::from(metadata.block_size) / sector;
        let block = (piece.block & (self.parts.shape.ratio() - 1)) * per_block;
        let first = block + piece.within / sector;
        let end = first + piece.len.div_ceil(sector);
        let (from, to) = if is_new { (block, block + per_block) } else { (first, end) };
        for page in from / BITS..to.div_ceil(BITS) {
            let start = page * BITS;
            self.edit_page(bitmap / PAGE as u64 + page, |bits| {
                if is_new {
                    fill(bits, start, from, to, false);
                }
                fill(bits, start, first, end, true);
            })?;
        }
        Ok(())
    }
}

/// Sets or clears the bits `from..to` of a bitmap, as far as they are in the page whose first bit is
/// `start`. Bits count from the lowest of each byte.
fn fill(page: &mut [u8; PAGE], start: u64, from: u64, to: u64, value: bool) {
    let from = from.saturating_sub(start).min(BITS);
    let to = to.saturating_sub(start).min(BITS);
    let mut at = from;
    while at < to {
        let (byte, bit) = (usize::try_from(at / 8).unwrap_or(0), at % 8);
        let count = (8 - bit).min(to - at);
        let mask = (0xff_u8 >> (8 - count)) << bit;
        if let Some(byte) = page.get_mut(byte) {
            *byte = if value { *byte | mask } else { *byte & !mask };
        }
        at += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(from: u64, to: u64) {
        for start in [0, BITS] {
            let mut page = [0; PAGE];
            fill(&mut page, start, from, to, true);
            let is_set = |bit: u64| page[usize::try_from(bit / 8).unwrap()] >> (bit % 8) & 1 == 1;
            for bit in 0..BITS {
                assert_eq!(is_set(bit), (from..to).contains(&(start + bit)), "bit {bit}");
            }
            let mut page = [0xff; PAGE];
            fill(&mut page, start, from, to, false);
            let is_set = |bit: u64| page[usize::try_from(bit / 8).unwrap()] >> (bit % 8) & 1 == 1;
            for bit in 0..BITS {
                assert_eq!(!is_set(bit), (from..to).contains(&(start + bit)), "bit {bit}");
            }
        }
    }

    #[test]
    fn bits_are_filled_over_bytes_and_pages() {
        for (from, to) in [(0, 1), (7, 9), (3, 5), (8, 16), (100, 1000), (0, BITS), (5, 5)] {
            check(from, to);
        }
        check(BITS - 3, BITS + 11);
        check(BITS + 8, 2 * BITS);
        check(0, 2 * BITS + 1);
    }
}
