//! Adaptive Huffman codes.
#![expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "indices are masked, or bounded by the alphabet"
)]

use super::bits::BackwardBits;
use super::build::{LengthCounts, Scratch};
use super::layout::{MAX_BITS, Slot};

/// What a symbol's table entry holds: its codeword's length (6 bits; 0 marks codewords longer than the
/// root table's index), extra bits, and number.
pub(super) type Entry = u32;
/// Where an entry holds the number of extra bits.
const EXTRA_SHIFT: u32 = 8;
/// Where an entry holds the symbol.
const SYMBOL_SHIFT: u32 = 22;
/// Symbols that an entry has room for. Tables indexed by symbols have this size, so that no index needs
/// to be checked.
pub(super) const SYMBOL_LIMIT: usize = 1 << (Entry::BITS - SYMBOL_SHIFT);

/// The symbol of an entry.
#[inline(always)]
pub(super) const fn symbol(entry: Entry) -> usize {
    (entry >> SYMBOL_SHIFT) as usize
}

/// The extra bits of an entry's symbol.
#[inline(always)]
pub(super) const fn extra_bits(entry: Entry) -> u32 {
    entry >> EXTRA_SHIFT & 0x3F
}

/// What the entries of an alphabet hold besides the length: symbols without extra bits.
pub(super) const fn plain_entries<const N: usize>() -> [Entry; N] {
    let mut entries = [0; N];
    let mut symbol = 0;
    while symbol < N {
        entries[symbol] = (symbol as u32) << SYMBOL_SHIFT;
        symbol += 1;
    }
    entries
}

/// What the entries of an alphabet hold besides the length: slots.
pub(super) const fn slot_entries<const N: usize>(slots: &[Slot; N]) -> [Entry; N] {
    let mut entries = plain_entries();
    let mut symbol = 0;
    while symbol < N {
        entries[symbol] |= (slots[symbol].extra_bits as u32) << EXTRA_SHIFT;
        symbol += 1;
    }
    entries
}

/// The slots' bases, by symbol.
pub(super) const fn bases<const N: usize>(slots: &[Slot; N]) -> [u32; SYMBOL_LIMIT] {
    let mut bases = [0; SYMBOL_LIMIT];
    let mut symbol = 0;
    while symbol < N {
        bases[symbol] = slots[symbol].base;
        symbol += 1;
    }
    bases
}

/// A Huffman code that follows the frequencies of its symbols.
///
/// All frequencies start at 1. After each `interval` symbols the code is built anew and frequencies
/// are halved. Codewords up to `log2(ROOT)` bits are decoded by one look-up, the few longer ones by a
/// search over lengths.
#[derive(Clone, Debug)]
pub(super) struct AdaptiveCode<const SYMBOLS: usize, const ROOT: usize> {
    /// Entries without lengths.
    alphabet: &'static [Entry; SYMBOLS],
    interval: u32,
    /// Symbols until the code is rebuilt.
    left: u32,
    /// How many symbols of the alphabet are in use.
    used: usize,
    freqs: [u16; SYMBOL_LIMIT],
    root: [Entry; ROOT],
    /// All entries in codeword order.
    ordered: [Entry; SYMBOLS],
    /// For each length: behind its last codeword, left-justified in 16 bits.
    end: [u32; MAX_BITS + 1],
    /// For each length: the place in `ordered` of its end.
    end_place: [u16; MAX_BITS + 1],
}

impl<const SYMBOLS: usize, const ROOT: usize> AdaptiveCode<SYMBOLS, ROOT> {
    /// A code that must be [reset](Self::reset) before use.
    pub(super) const fn new(alphabet: &'static [Entry; SYMBOLS], interval: u32) -> Self {
        const { assert!(ROOT.is_power_of_two() && ROOT <= 1 << MAX_BITS) }
        Self {
            alphabet,
            interval,
            left: 0,
            used: SYMBOLS,
            freqs: [1; SYMBOL_LIMIT],
            root: [0; ROOT],
            ordered: [0; SYMBOLS],
            end: [0; MAX_BITS + 1],
            end_place: [0; MAX_BITS + 1],
        }
    }

    /// Sets the code to its state at the start of a chunk, with `used` symbols (at least 2).
    pub(super) fn reset(&mut self, used: usize, scratch: &mut Scratch) {
        self.used = used;
        self.freqs.fill(1);
        self.build(scratch);
    }

    /// Decodes one symbol; a refill must come before.
    #[inline(always)]
    pub(super) fn decode(&mut self, bits: &mut BackwardBits<'_>, scratch: &mut Scratch) -> Entry {
        let mut entry = self.root[(bits.bits() >> (64 - ROOT.trailing_zeros())) as usize];
        if entry == 0 {
            entry = self.find_long(bits.bits());
        }
        bits.consume(entry);
        self.freqs[symbol(entry)] += 1;
        self.left -= 1;
        if self.left == 0 {
            self.rebuild(scratch);
        }
        entry
    }

    /// The entry of a codeword longer than the root table's index.
    #[inline(never)]
    fn find_long(&self, bits: u64) -> Entry {
        let code = (bits >> 48) as u32;
        let mut len = ROOT.trailing_zeros() as usize + 1;
        while len < MAX_BITS && code >= self.end[len] {
            len += 1;
        }
        let from_end = (self.end[len] - 1).wrapping_sub(code) >> (MAX_BITS - len);
        let place = usize::from(self.end_place[len]).wrapping_sub(1 + from_end as usize);
        self.ordered[place]
    }

    #[inline(never)]
    fn rebuild(&mut self, scratch: &mut Scratch) {
        self.build(scratch);
        for freq in &mut self.freqs[..self.used] {
            *freq = (*freq >> 1) + 1;
        }
    }

    fn build(&mut self, scratch: &mut Scratch) {
        self.left = self.interval;
        let counts = scratch.build(&self.freqs[..self.used]);
        self.order(&counts, scratch.lens(self.used));
        self.fill_root(&counts);
    }

    /// Sorts the symbols by codeword.
    fn order(&mut self, counts: &LengthCounts, lens: &[u8]) {
        let mut next = [0u16; MAX_BITS + 1];
        let (mut place, mut end) = (0, 0);
        for len in 1..=MAX_BITS {
            next[len] = place;
            place += counts[len];
            end += u32::from(counts[len]) << (MAX_BITS - len);
            self.end[len] = end;
            self.end_place[len] = place;
        }
        for (&len, &entry) in lens.iter().zip(self.alphabet) {
            let slot = &mut next[usize::from(len)];
            self.ordered[usize::from(*slot)] = entry | Entry::from(len);
            *slot += 1;
        }
    }

    /// Enters each codeword the root table can hold wherever it is a prefix of the index.
    fn fill_root(&mut self, counts: &LengthCounts) {
        let root_bits = ROOT.trailing_zeros() as usize;
        let (mut at, mut place) = (0, 0);
        for (log, &count) in (0..root_bits).rev().zip(&counts[1..]) {
            let count = usize::from(count);
            let entries = &self.ordered[place..place + count];
            let slots = &mut self.root[at..at + (count << log)];
            match log {
                0 => slots.copy_from_slice(entries),
                1 => fill::<2>(slots, entries),
                2 => fill::<4>(slots, entries),
                3 => fill::<8>(slots, entries),
                4 => fill::<16>(slots, entries),
                _ => {
                    for (slots, &entry) in slots.chunks_exact_mut(1 << log).zip(entries) {
                        slots.fill(entry);
                    }
                }
            }
            at += count << log;
            place += count;
        }
        self.root[at..].fill(0);
    }
}

/// Writes each entry `N` times.
#[inline]
fn fill<const N: usize>(slots: &mut [Entry], entries: &[Entry]) {
    for (slots, &entry) in slots.as_chunks_mut::<N>().0.iter_mut().zip(entries) {
        *slots = [entry; N];
    }
}
