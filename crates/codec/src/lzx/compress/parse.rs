//! What a parse is made of: sequences, their statistics, the recent offsets.

use crate::lzx::layout::*;
use crate::matchfinder::{Data, common_length};

/// The three recent offsets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recent(pub(super) [u32; 3]);

impl Recent {
    /// Uses an offset code and returns the queue behind it.
    #[inline(always)]
    pub(super) fn after(self, code: u32) -> Self {
        let [r0, r1, r2] = self.0;
        Self(match code {
            0 => [r0, r1, r2],
            1 => [r1, r0, r2],
            2 => [r2, r1, r0],
            _ => [code - 2, r0, r1],
        })
    }

    /// The longest match at a recent offset: length and index.
    #[inline(always)]
    pub(super) fn longest(self, data: &impl Data, pos: usize, limit: usize) -> (usize, u32) {
        let seq = data.load32(pos) as u16;
        let mut best = (0, 0);
        for (index, offset) in (0..).zip(self.0) {
            let offset = offset as usize;
            if offset <= pos && data.load32(pos - offset) as u16 == seq {
                let length = common_length(data, pos, pos - offset, 2, limit);
                if length > best.0 {
                    best = (length, index);
                }
            }
        }
        best
    }
}

/// A run of literals and the match behind it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sequence {
    /// Literals before the match.
    pub(super) literals: u32,
    /// The offset's extra bits.
    pub(super) extra: u32,
    /// Main symbol of the match.
    pub(super) main: u16,
    /// Length symbol, or [`NO_LENGTH`].
    pub(super) length: u16,
}

/// The match has no length symbol.
pub(super) const NO_LENGTH: u16 = u16::MAX;

/// How often each symbol occurs in a block.
#[derive(Clone, Debug)]
pub(super) struct Frequencies {
    pub(super) main: [u32; MAX_MAIN_SYMBOLS],
    pub(super) length: [u32; LENGTH_SYMBOLS],
    pub(super) aligned: [u32; ALIGNED_SYMBOLS],
}

impl Frequencies {
    pub(super) const fn new() -> Self {
        Self {
            main: [0; MAX_MAIN_SYMBOLS],
            length: [0; LENGTH_SYMBOLS],
            aligned: [0; ALIGNED_SYMBOLS],
        }
    }

    /// Multiplies all counts.
    pub(super) fn scale(&mut self, factor: u32) {
        let length = self.length.iter_mut();
        for count in self.main.iter_mut().chain(length).chain(&mut self.aligned) {
            *count *= factor;
        }
    }

    /// Adds the counts of `other`.
    pub(super) fn add(&mut self, other: &Self) {
        let main = self.main.iter_mut().zip(&other.main);
        let length = self.length.iter_mut().zip(&other.length);
        let aligned = self.aligned.iter_mut().zip(&other.aligned);
        for (sum, &count) in main.chain(length).chain(aligned) {
            *sum += count;
        }
    }
}

/// The slot of an offset code: 0 to 2 mean recent offsets, others are the offset plus two.
#[inline(always)]
pub(super) const fn slot_of(code: u32) -> u32 {
    if code < 2 {
        return code;
    }
    let log = code.ilog2();
    if log < MAX_EXTRA_BITS + 2 {
        2 * log + ((code >> (log - 1)) & 1)
    } else {
        34 + (code >> MAX_EXTRA_BITS)
    }
}

/// A block's parse.
#[derive(Debug)]
pub(super) struct Parse {
    pub(super) sequences: Vec<Sequence>,
    pub(super) freqs: Frequencies,
}

impl Parse {
    pub(super) fn new() -> Self {
        Self { sequences: Vec::new(), freqs: Frequencies::new() }
    }

    pub(super) fn clear(&mut self) {
        self.sequences.clear();
        self.freqs = Frequencies::new();
    }

    /// Counts literals.
    #[inline(always)]
    pub(super) fn literals(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.freqs.main[usize::from(byte)] += 1;
        }
    }

    /// Counts and records a match behind `literals` literals.
    #[inline(always)]
    pub(super) fn push(&mut self, literals: u32, length: u32, code: u32) {
        let slot = slot_of(code);
        let bits = u32::from(OFFSET_EXTRA_BITS[slot as usize]);
        let extra = code & ((1 << bits) - 1);
        let header = (length - MIN_MATCH as u32).min(LONG_LENGTH_HEADER as u32);
        let main = (LITERALS as u32 + slot * 8 + header) as u16;
        self.freqs.main[usize::from(main)] += 1;
        let mut symbol = NO_LENGTH;
        if header == LONG_LENGTH_HEADER as u32 {
            let long = length - MIN_MATCH as u32 - LONG_LENGTH_HEADER as u32;
            self.freqs.length[long as usize] += 1;
            symbol = long as u16;
        }
        if slot >= FIRST_ALIGNED_SLOT as u32 {
            self.freqs.aligned[(extra & 7) as usize] += 1;
        }
        self.sequences.push(Sequence { literals, extra, main, length: symbol });
    }
}

/// The code lengths of a block.
#[derive(Clone, Debug)]
pub(super) struct Lengths {
    pub(super) main: [u8; MAX_MAIN_SYMBOLS],
    pub(super) length: [u8; LENGTH_SYMBOLS],
}

impl Lengths {
    pub(super) const fn new() -> Self {
        Self { main: [0; MAX_MAIN_SYMBOLS], length: [0; LENGTH_SYMBOLS] }
    }
}
