//! The literals and matches chosen for a chunk, packed, with their symbol frequencies.

use crate::lzx::compress::parse::{Cut, Frequencies};
use crate::lzx::layout::*;
use crate::matchfinder::probe::MAX_INPUT;

/// Main symbols of the windows that the fast levels serve: up to 64 KiB.
pub(super) const MAIN_SYMBOLS: usize = 512;

/// A packed item: main symbol in bits 0 to 8, the offset's extra bits in 9 to 22, and above them the
/// length symbol plus one, or 0 if there is none.
#[derive(Clone, Copy)]
pub(super) struct Item(u32);

impl Item {
    const EXTRA_SHIFT: u32 = 9;
    const LENGTH_SHIFT: u32 = 23;
    const EXTRA_MASK: u32 = (1 << (Self::LENGTH_SHIFT - Self::EXTRA_SHIFT)) - 1;

    #[inline(always)]
    pub(super) fn main(self) -> usize {
        self.0 as usize % MAIN_SYMBOLS
    }

    #[inline(always)]
    pub(super) fn extra(self) -> u32 {
        self.0 >> Self::EXTRA_SHIFT & Self::EXTRA_MASK
    }

    /// The length symbol plus one, or 0.
    #[inline(always)]
    pub(super) fn length(self) -> usize {
        (self.0 >> Self::LENGTH_SHIFT) as usize
    }
}

/// The items of a chunk in their order, cut into cells.
#[derive(Debug)]
pub(super) struct Items {
    words: Box<[u32; MAX_INPUT]>,
    count: usize,
    /// Where the current cell's items begin.
    first: usize,
    frequencies: Frequencies,
    recent: [u32; RECENT_OFFSETS],
    pub(super) cuts: Vec<Cut>,
}

impl Items {
    pub(super) fn new() -> Self {
        Self {
            words: crate::matchfinder::zeroed(),
            count: 0,
            first: 0,
            frequencies: Frequencies::new(),
            recent: INITIAL_RECENT,
            cuts: Vec::new(),
        }
    }

    /// Forgets all items and starts to collect new ones.
    pub(super) fn begin(&mut self) {
        self.count = 0;
        self.first = 0;
        self.frequencies = Frequencies::new();
        self.recent = INITIAL_RECENT;
        self.cuts.clear();
    }

    /// The items from one index up to before another.
    pub(super) fn items(&self, from: usize, to: usize) -> impl Iterator<Item = Item> {
        self.words[from..to].iter().map(|&word| Item(word))
    }

    pub(super) fn recent(&self) -> [u32; RECENT_OFFSETS] {
        self.recent
    }

    /// Statistics of the current cell.
    pub(super) fn frequencies(&self) -> &Frequencies {
        &self.frequencies
    }

    /// Ends the current cell at `end`, counted in bytes from the chunk's start.
    pub(super) fn cut(&mut self, end: usize) {
        let freqs = std::mem::replace(&mut self.frequencies, Frequencies::new());
        self.cuts.push(Cut { end, sequences: self.count, freqs });
        self.first = self.count;
    }

    #[inline(always)]
    fn push(&mut self, word: u32) {
        self.words[self.count % MAX_INPUT] = word;
        self.count += 1;
    }

    #[inline(always)]
    pub(super) fn literal(&mut self, byte: u8) {
        self.frequencies.main[usize::from(byte)] += 1;
        self.push(u32::from(byte));
    }

    /// Takes the last item back if it is a literal of the current cell, and says whether it was.
    #[inline(always)]
    pub(super) fn take_back_literal(&mut self) -> bool {
        if self.count == self.first {
            return false;
        }
        let word = self.words[(self.count - 1) % MAX_INPUT];
        if word as usize >= LITERALS {
            return false;
        }
        self.frequencies.main[word as usize % LITERALS] -= 1;
        self.count -= 1;
        true
    }

    /// Appends a match of at least [`MIN_MATCH`] bytes, however long.
    #[inline(always)]
    pub(super) fn matched(&mut self, mut length: usize, offset: u32) {
        let [r0, r1, r2] = self.recent;
        let (code, middle, last) = if offset == r0 {
            (0, r1, r2)
        } else if offset == r1 {
            (1, r0, r2)
        } else if offset == r2 {
            (2, r1, r0)
        } else {
            (offset + RECENT_OFFSETS as u32 - 1, r0, r1)
        };
        self.recent = [offset, middle, last];
        let mut code = code;
        while length > MAX_MATCH {
            // What is left must not be too short for a match.
            let part = MAX_MATCH.min(length - MIN_MATCH);
            self.coded(part, code);
            code = 0;
            length -= part;
        }
        self.coded(length, code);
    }

    #[inline(always)]
    fn coded(&mut self, length: usize, code: u32) {
        // Slots 2n and 2n + 1 stand for codes with the leading bit n; 0 and 1 for themselves.
        let log = (code | 1).ilog2();
        let half = code >> log.saturating_sub(1) & 1;
        let slot = if code < 2 { code } else { 2 * log + half } % 32;
        let bits = u32::from(OFFSET_EXTRA_BITS[slot as usize]);
        let extra = code & ((1 << bits) - 1);
        let beyond = (length - MIN_MATCH) as u32;
        let header = beyond.min(LONG_LENGTH_HEADER as u32);
        let symbol = LITERALS as u32 + slot * LENGTH_HEADERS as u32 + header;
        self.frequencies.main[symbol as usize % MAIN_SYMBOLS] += 1;
        let aligned = u32::from(slot as usize >= FIRST_ALIGNED_SLOT);
        self.frequencies.aligned[extra as usize % ALIGNED_SYMBOLS] += aligned;
        let mut word = symbol | extra << Item::EXTRA_SHIFT;
        if header == LONG_LENGTH_HEADER as u32 {
            let symbol = beyond - LONG_LENGTH_HEADER as u32;
            self.frequencies.length[symbol as usize] += 1;
            word |= (symbol + 1) << Item::LENGTH_SHIFT;
        }
        self.push(word);
    }
}
