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

    /// The code of this offset.
    pub(super) fn code(self, offset: u32) -> u32 {
        let index = (0..).zip(self.0).find(|&(_, recent)| recent == offset);
        index.map_or(offset + RECENT_OFFSETS as u32 - 1, |(index, _)| index)
    }

    /// The longest match at a recent offset: length and index.
    #[inline(always)]
    pub(super) fn longest(self, data: &impl Data, pos: usize, limit: usize) -> (usize, u32) {
        // At the chunk's first byte the recent offsets lead nowhere.
        if pos == 0 {
            return (0, 0);
        }
        // The first eight bytes without branches: which offset fits is hardly predictable.
        let here = data.load64(pos);
        let equal = |offset: u32| {
            (data.load64(pos.wrapping_sub(offset as usize)) ^ here).trailing_zeros() / 8
        };
        let [r0, r1, r2] = self.0;
        let keys = [equal(r0) << 2 | 2, equal(r1) << 2 | 1, equal(r2) << 2];
        let key = keys[0].max(keys[1]).max(keys[2]);
        let (length, index) = ((key >> 2) as usize, 2 - (key & 3));
        if length < 8 {
            return (length.min(limit), index);
        }
        let mut best = (0, 0);
        for (index, key) in (0..).zip(keys) {
            if key >> 2 == 8 {
                let there = pos - self.0[index as usize] as usize;
                let length = common_length(data, pos, there, 8, limit);
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

    fn clear(&mut self) {
        self.main.fill(0);
        self.length.fill(0);
        self.aligned.fill(0);
    }

    /// Adds the counts of `other`.
    pub(super) fn add(&mut self, other: &Self) {
        // Loop by loop, because chained iterators are not vectorized.
        add(&mut self.main, &other.main);
        add(&mut self.length, &other.length);
        add(&mut self.aligned, &other.aligned);
    }
}

fn add<const N: usize>(sums: &mut [u32; N], counts: &[u32; N]) {
    for (sum, count) in sums.iter_mut().zip(counts) {
        *sum += count;
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

/// Where a parse was cut, and the statistics since the cut before.
#[derive(Clone, Debug)]
pub(super) struct Cut {
    /// Position in the chunk.
    pub(super) end: usize,
    /// Number of sequences up to here.
    pub(super) sequences: usize,
    pub(super) freqs: Frequencies,
}

/// A parse. Symbols are counted from cut to cut.
#[derive(Debug)]
pub(super) struct Parse {
    pub(super) sequences: Vec<Sequence>,
    pub(super) freqs: Frequencies,
    pub(super) cuts: Vec<Cut>,
    /// The next cut comes at the first match that ends here or behind.
    cut_at: usize,
    cell_size: usize,
    end: usize,
}

impl Parse {
    pub(super) fn new() -> Self {
        Self {
            sequences: Vec::new(),
            freqs: Frequencies::new(),
            cuts: Vec::new(),
            cut_at: usize::MAX,
            cell_size: 0,
            end: 0,
        }
    }

    /// Begins a parse without cuts.
    pub(super) fn clear(&mut self) {
        self.sequences.clear();
        self.freqs.clear();
    }

    /// Begins a parse of `start..end` with a cut about every `cell_size` bytes.
    pub(super) fn begin_cells(&mut self, (start, end): (usize, usize), cell_size: usize) {
        self.clear();
        self.cuts.clear();
        self.cell_size = cell_size;
        self.end = end;
        self.set_next_cut(start);
    }

    fn set_next_cut(&mut self, from: usize) {
        // The last cell is not to be tiny.
        let at = from + self.cell_size;
        self.cut_at = if at + self.cell_size / 2 < self.end { at } else { usize::MAX };
    }

    /// Cuts, if it is time, behind a match that ends at `pos`. Answers whether it did.
    #[inline(always)]
    pub(super) fn match_ends(&mut self, pos: usize) -> bool {
        pos >= self.cut_at && self.cut(pos)
    }

    #[cold]
    #[inline(never)]
    fn cut(&mut self, pos: usize) -> bool {
        let far_from_end = pos + self.cell_size / 2 < self.end;
        if far_from_end {
            self.push_cut(pos);
        }
        self.set_next_cut(pos);
        far_from_end
    }

    /// Ends a parse with cuts.
    pub(super) fn finish_cells(&mut self) {
        self.cut_at = usize::MAX;
        self.push_cut(self.end);
    }

    fn push_cut(&mut self, end: usize) {
        let sequences = self.sequences.len();
        self.cuts.push(Cut { end, sequences, freqs: self.freqs.clone() });
        self.freqs.clear();
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
