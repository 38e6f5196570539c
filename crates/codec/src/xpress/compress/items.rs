//! The literals and matches chosen for a chunk, packed, with their symbol frequencies.

use zerocopy::FromZeros;

use super::finder::{MAX_INPUT, Match};
use crate::xpress::layout::{LITERALS, LONG_LENGTH_NIBBLE, MIN_MATCH, SYMBOLS};

/// A packed item: symbol in bits 0 to 8, extra offset bits in 9 to 23, length code in 24 to 31.
///
/// The length code is 0 if the symbol says it all, 1 to 254 for a length byte of one less, and
/// [`Item::LONG`] if the next word holds the length (less 3) in full.
#[derive(Clone, Copy)]
pub(super) struct Item(pub(super) u32);

impl Item {
    /// Position of the extra offset bits.
    pub(super) const EXTRA_SHIFT: u32 = 9;
    /// The extra offset bits, once shifted down.
    const EXTRA_MASK: u32 = 0x7FFF;
    const LENGTH_SHIFT: u32 = 24;
    /// Length code of a match that takes two words.
    pub(super) const LONG: u32 = 255;

    #[inline(always)]
    pub(super) fn symbol(self) -> usize {
        self.0 as usize % SYMBOLS
    }

    #[inline(always)]
    pub(super) fn extra(self) -> u32 {
        self.0 >> Self::EXTRA_SHIFT & Self::EXTRA_MASK
    }

    #[inline(always)]
    pub(super) fn length_code(self) -> u32 {
        self.0 >> Self::LENGTH_SHIFT
    }
}

/// Number of extra offset bits of a symbol.
#[inline(always)]
pub(super) fn extra_bits(symbol: usize) -> u32 {
    (symbol.saturating_sub(LITERALS) >> 4) as u32
}

/// The items of a chunk in their order.
#[derive(FromZeros)]
pub(super) struct Items {
    /// Every item covers at least one byte, and one of two words covers hundreds.
    words: [u32; MAX_INPUT],
    frequencies: [u32; SYMBOLS],
    count: usize,
    /// Number of matches whose length takes three bytes.
    three_byte_lengths: usize,
}

impl Items {
    /// The packed words.
    pub(super) fn words(&self) -> &[u32] {
        &self.words[..self.count]
    }

    pub(super) fn frequencies(&self) -> &[u32; SYMBOLS] {
        &self.frequencies
    }

    pub(super) fn frequencies_mut(&mut self) -> &mut [u32; SYMBOLS] {
        &mut self.frequencies
    }

    /// Number of bytes that lengths take beside the bit stream.
    pub(super) fn length_bytes(&self) -> usize {
        let long = self.frequencies[LITERALS + LONG_LENGTH_NIBBLE..].iter().step_by(16);
        long.sum::<u32>() as usize + 2 * self.three_byte_lengths
    }

    /// Forgets all items and starts to collect new ones.
    pub(super) fn collect(&mut self) -> Collector<'_> {
        self.frequencies.fill(0);
        self.three_byte_lengths = 0;
        Collector { items: self, count: 0 }
    }
}

/// Appends to [`Items`]; the count stays in a register this way.
///
/// The count wraps to 0 at 65536, which only a chunk of nothing but literals reaches.
pub(super) struct Collector<'a> {
    items: &'a mut Items,
    count: u16,
}

impl Collector<'_> {
    /// Number of words so far.
    #[inline(always)]
    pub(super) fn count(&self) -> u16 {
        self.count
    }

    pub(super) fn frequencies(&self) -> &[u32; SYMBOLS] {
        &self.items.frequencies
    }

    #[inline(always)]
    fn push(&mut self, word: u32) {
        self.items.words[usize::from(self.count)] = word;
        self.count = self.count.wrapping_add(1);
    }

    #[inline(always)]
    pub(super) fn literal(&mut self, byte: u8) {
        self.items.frequencies[usize::from(byte)] += 1;
        self.push(u32::from(byte));
    }

    /// Takes the last item back if it is a literal, and says whether it was. There must be an item.
    #[inline(always)]
    pub(super) fn take_back_literal(&mut self) -> bool {
        let word = self.items.words[usize::from(self.count.wrapping_sub(1))];
        // The second word of a long match is larger than any literal.
        if word as usize >= LITERALS {
            return false;
        }
        self.items.frequencies[word as usize % LITERALS] -= 1;
        self.count = self.count.wrapping_sub(1);
        true
    }

    /// Appends a match of at least [`MIN_MATCH`] bytes at an offset of 1 to 65535.
    #[inline(always)]
    pub(super) fn matched(&mut self, found: Match) {
        let offset_bits = found.offset_bits() & 15;
        let length = (found.len - MIN_MATCH) as u32;
        let nibble = length.min(LONG_LENGTH_NIBBLE as u32);
        let symbol = LITERALS as u32 + (offset_bits << 4 | nibble);
        self.items.frequencies[symbol as usize % SYMBOLS] += 1;
        let extra = found.offset as u32 ^ 1 << offset_bits;
        let mut word = symbol | extra << Item::EXTRA_SHIFT;
        if length >= LONG_LENGTH_NIBBLE as u32 {
            let byte = length - LONG_LENGTH_NIBBLE as u32;
            if byte + 1 < Item::LONG {
                word |= (byte + 1) << Item::LENGTH_SHIFT;
            } else {
                self.push(word | Item::LONG << Item::LENGTH_SHIFT);
                self.items.three_byte_lengths += usize::from(byte >= 255);
                word = length;
            }
        }
        self.push(word);
    }

    /// Ends the collection and returns whether it can possibly be smaller than the chunk.
    pub(super) fn finish(self) -> bool {
        self.items.count = usize::from(self.count);
        self.count != 0
    }
}
