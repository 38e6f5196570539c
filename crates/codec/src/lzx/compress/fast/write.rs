//! Writes a block's items.

use super::items::{Item, MAIN_SYMBOLS};
use crate::lzx::compress::bits::{BitWriter, FLUSH_BITS};
use crate::lzx::compress::block::Codes;
use crate::lzx::layout::*;

/// What each symbol contributes to an item's bits.
#[derive(Debug)]
pub(super) struct Entries {
    /// Code word with room for the offset's extra bits below it, then 8 bits: the number of those, and
    /// 8 bits: the number of all bits.
    main: [u64; MAIN_SYMBOLS],
    /// Code word, then 8 bits: its length. By length symbol plus one; the first has no bits.
    length: [u32; 512],
    /// The same, by the low bits of the offset.
    aligned: [u32; ALIGNED_SYMBOLS],
}

impl Entries {
    pub(super) const fn new() -> Self {
        Self { main: [0; MAIN_SYMBOLS], length: [0; 512], aligned: [0; ALIGNED_SYMBOLS] }
    }

    /// Writes the items of a block with these codes.
    pub(super) fn write(
        &mut self,
        codes: &Codes,
        items: impl Iterator<Item = Item>,
        out: &mut BitWriter<'_>,
    ) {
        self.set(codes);
        if codes.use_aligned {
            self.write_items::<true>(items, out);
        } else {
            self.write_items::<false>(items, out);
        }
    }

    fn set(&mut self, codes: &Codes) {
        let symbols = codes.main.iter().zip(&codes.lens.main).enumerate();
        for (entry, (symbol, (&word, &len))) in self.main.iter_mut().zip(symbols) {
            let slot = symbol.saturating_sub(LITERALS) / LENGTH_HEADERS;
            let extra = u64::from(OFFSET_EXTRA_BITS[slot]);
            *entry = u64::from(word) << (extra + 16) | extra << 8 | (u64::from(len) + extra);
        }
        let symbols = codes.length.iter().zip(&codes.lens.length);
        for (entry, (&word, &len)) in self.length[1..].iter_mut().zip(symbols) {
            *entry = u32::from(word) << 8 | u32::from(len);
        }
        let symbols = codes.aligned.iter().zip(&codes.aligned_lens);
        for (entry, (&word, &len)) in self.aligned.iter_mut().zip(symbols) {
            *entry = u32::from(word) << 8 | u32::from(len);
        }
    }

    /// An item's bits and their number.
    #[inline(always)]
    fn bits<const ALIGNED: bool>(&self, item: Item) -> (u64, u32) {
        let entry = self.main[item.main()];
        let length = self.length[item.length() % 512];
        let (extra_bits, length_bits) = (entry >> 8 & 0xFF, length & 0xFF);
        let mut bits = (entry >> 16) << length_bits
            | u64::from(length >> 8) << extra_bits
            | u64::from(item.extra());
        let mut count = (entry as u32 & 0xFF) + length_bits;
        if ALIGNED && extra_bits >= u64::from(ALIGNED_BITS) {
            let aligned = self.aligned[(bits & 7) as usize];
            bits = (bits >> ALIGNED_BITS) << (aligned & 0xFF) | u64::from(aligned >> 8);
            count = count - ALIGNED_BITS + (aligned & 0xFF);
        }
        (bits, count)
    }

    #[inline(always)]
    fn write_items<const ALIGNED: bool>(
        &self,
        items: impl Iterator<Item = Item>,
        out: &mut BitWriter<'_>,
    ) {
        // As many as fit between two flushes, which nearly always are two or more.
        let mut free = FLUSH_BITS;
        for item in items {
            let (bits, count) = self.bits::<ALIGNED>(item);
            if count > free {
                out.flush();
                free = FLUSH_BITS;
            }
            free -= count;
            out.add(bits, count);
        }
        out.flush();
    }
}
