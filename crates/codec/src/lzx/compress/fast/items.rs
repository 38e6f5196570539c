//! The literals and matches chosen for a chunk, packed, with their symbol frequencies.

use std::hint::select_unpredictable;

use crate::lzx::compress::parse::{Cut, Frequencies};
use crate::lzx::layout::*;
use crate::matchfinder::probe::MAX_INPUT;

/// Main symbols of the windows that the fast levels serve: up to 64 KiB.
pub(super) const MAIN_SYMBOLS: usize = 512;
/// A power of two above the number of length symbols.
const LENGTHS: usize = 256;

/// Main symbols from here on, those of offsets of about a hundred bytes, cost more than two literals.
const DEAR_MATCH: usize = LITERALS + 12 * LENGTH_HEADERS;
/// Those of offsets of some thousand bytes cost more than three.
const DEARER_MATCH: usize = LITERALS + 24 * LENGTH_HEADERS;

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
    /// All of the current cell but those of the length symbols.
    frequencies: Frequencies,
    /// By length symbol plus one; the first counts the matches that have none.
    lengths: [u32; LENGTHS],
    recent: [u32; RECENT_OFFSETS],
    /// The recent offsets before the last match, how many items there were behind it, its length.
    before: [u32; RECENT_OFFSETS],
    last_count: usize,
    last_length: usize,
    pub(super) cuts: Vec<Cut>,
}

impl Items {
    pub(super) fn new() -> Self {
        Self {
            words: crate::matchfinder::zeroed(),
            count: 0,
            first: 0,
            frequencies: Frequencies::new(),
            lengths: [0; LENGTHS],
            recent: INITIAL_RECENT,
            before: INITIAL_RECENT,
            last_count: 0,
            last_length: 0,
            cuts: Vec::new(),
        }
    }

    /// Forgets all items and starts to collect new ones.
    pub(super) fn begin(&mut self) {
        self.count = 0;
        self.first = 0;
        self.frequencies = Frequencies::new();
        self.lengths.fill(0);
        self.recent = INITIAL_RECENT;
        self.last_count = 0;
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
        let mut freqs = std::mem::replace(&mut self.frequencies, Frequencies::new());
        freqs.length.copy_from_slice(&self.lengths[1..=LENGTH_SYMBOLS]);
        self.lengths.fill(0);
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
        let explicit = offset + RECENT_OFFSETS as u32 - 1;
        let code = select_unpredictable(offset == r2, 2, explicit);
        let code = select_unpredictable(offset == r1, 1, code);
        let code = select_unpredictable(offset == r0, 0, code);
        // The one used comes to the front, in exchange for the one that was there.
        let middle = select_unpredictable((code == 0) | (code == 2), r1, r0);
        let last = select_unpredictable(code < 2, r2, select_unpredictable(code == 2, r0, r1));
        self.recent = [offset, middle, last];
        let mut code = code;
        self.before = [r0, r1, r2];
        self.last_length = length;
        while length > MAX_MATCH {
            // What is left must not be too short for a match.
            let part = MAX_MATCH.min(length - MIN_MATCH);
            self.coded(part, code);
            code = 0;
            length -= part;
        }
        self.coded(length, code);
        self.last_count = self.count;
    }

    /// If the last item is a match of the current cell: its length, and how many literals cost no more.
    #[inline(always)]
    pub(super) fn last_match(&self) -> Option<(usize, usize)> {
        let is_last = (self.count == self.last_count) & (self.count > self.first);
        let main = Item(self.words[self.count.wrapping_sub(1) % MAX_INPUT]).main();
        let literals = 1 + usize::from(main >= DEAR_MATCH) + usize::from(main >= DEARER_MATCH);
        (is_last & (self.last_length <= MAX_MATCH)).then_some((self.last_length, literals))
    }

    /// Takes the last item back, which must be the last match.
    pub(super) fn take_back_match(&mut self) {
        self.count -= 1;
        self.last_count = 0;
        self.recent = self.before;
        let item = Item(self.words[self.count % MAX_INPUT]);
        let (symbol, slot) = (item.main(), item.main().saturating_sub(LITERALS) / LENGTH_HEADERS);
        self.frequencies.main[symbol] -= 1;
        self.lengths[item.length() % LENGTHS] -= 1;
        let aligned = u32::from(slot >= FIRST_ALIGNED_SLOT);
        self.frequencies.aligned[item.extra() as usize % ALIGNED_SYMBOLS] -= aligned;
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
        let length = beyond.saturating_sub(LONG_LENGTH_HEADER as u32 - 1);
        self.lengths[length as usize % LENGTHS] += 1;
        let word = symbol | extra << Item::EXTRA_SHIFT | length << Item::LENGTH_SHIFT;
        self.push(word);
    }
}
