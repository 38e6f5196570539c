//! Decides where one block ends and the next begins.
//!
//! The chunk starts as a row of small cells. The pair of neighbours that gains most by sharing one set
//! of codes (the symbols get longer, one header is saved) is joined, again and again, until no pair
//! gains.
//!
//! What a pair costs together differs from the sum of both only by the symbols that both use, so only
//! those are looked at.

use super::cost::{UNIT, log2};
use super::parse::{Cut, Frequencies};
use crate::lzx::layout::{LENGTH_SYMBOLS, MAX_MAIN_SYMBOLS};

/// Estimated bits of a block's header: a fixed part, and a part for each symbol in use. Fitted to real
/// headers, most of which only code the difference to the block before.
const HEADER_BITS: u32 = 700;
const HEADER_BITS_PER_SYMBOL: u32 = 4;
/// `n * log2(n)` is tabulated below this.
const TABLE: usize = 256;
/// Words of a set of main symbols, of length symbols.
const MAIN_WORDS: usize = MAX_MAIN_SYMBOLS.div_ceil(64);
const LENGTH_WORDS: usize = LENGTH_SYMBOLS.div_ceil(64);

/// The symbols that occur in a stretch.
#[derive(Debug, Clone, Copy)]
struct Symbols {
    main: [u64; MAIN_WORDS],
    length: [u64; LENGTH_WORDS],
    aligned: [u64; 1],
}

impl Symbols {
    fn of(freqs: &Frequencies) -> Self {
        Self {
            main: occurring(&freqs.main),
            length: occurring(&freqs.length),
            aligned: occurring(&freqs.aligned),
        }
    }

    fn add(&mut self, other: &Self) {
        let words = self.main.iter_mut().chain(&mut self.length).chain(&mut self.aligned);
        let others = other.main.iter().chain(&other.length).chain(&other.aligned);
        for (word, other) in words.zip(others) {
            *word |= other;
        }
    }
}

/// Which of the counts are not zero.
fn occurring<const WORDS: usize>(counts: &[u32]) -> [u64; WORDS] {
    const BITS: [u32; 8] = [1, 2, 4, 8, 16, 32, 64, 128];
    let mut set = [0; WORDS];
    for (word, counts) in set.iter_mut().zip(counts.chunks(64)) {
        // Eight at once, which vectors do.
        let (eights, rest) = counts.as_chunks::<8>();
        for (eight, shift) in eights.iter().zip((0..).step_by(8)) {
            let bits = eight.iter().zip(BITS).map(|(&count, bit)| if count == 0 { 0 } else { bit });
            *word |= u64::from(bits.sum::<u32>()) << shift;
        }
        for (&count, bit) in rest.iter().zip(8 * eights.len()..) {
            *word |= u64::from(count != 0) << bit;
        }
    }
    set
}

/// What the cost of a stretch is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sums {
    /// Main symbols, length symbols, aligned symbols.
    totals: [u32; 3],
    /// The sum of `n * log2(n)` over the counts of all symbols.
    known: u32,
    /// How many different main and length symbols there are.
    used: u32,
}

/// A stretch of the parse.
#[derive(Debug, Clone, Copy)]
struct Cell {
    /// Index of its cut and its symbols, which are too large to be moved about.
    cut: usize,
    sums: Sums,
    /// What joining the next cell to it gains.
    gain: i64,
    joint: Sums,
}

/// Cuts parses into blocks.
#[derive(Debug)]
pub(super) struct Splitter {
    cells: Vec<Cell>,
    /// Of each cut.
    symbols: Vec<Symbols>,
    /// `n * log2(n)` in cost units.
    table: Box<[u32; TABLE]>,
}

impl Splitter {
    pub(super) fn new() -> Self {
        let mut table = Box::new([0; TABLE]);
        for (n, entry) in (0..).zip(table.iter_mut()).skip(1) {
            *entry = n * log2(n);
        }
        Self { cells: Vec::new(), symbols: Vec::new(), table }
    }

    /// Joins the cells between a parse's cuts to blocks: the cuts that stay are the blocks' ends.
    pub(super) fn split(&mut self, cuts: &mut Vec<Cut>) {
        if cuts.len() < 2 {
            return;
        }
        self.cells.clear();
        self.symbols.clear();
        for (cut, Cut { freqs, .. }) in cuts.iter().enumerate() {
            let symbols = Symbols::of(freqs);
            let sums = self.sums(freqs, &symbols);
            self.symbols.push(symbols);
            self.cells.push(Cell { cut, sums, gain: i64::MIN, joint: sums });
        }
        for i in 0..self.cells.len() - 1 {
            self.update_gain(i, cuts);
        }
        loop {
            let best = (0..self.cells.len() - 1).max_by_key(|&i| self.cells[i].gain);
            let Some(i) = best.filter(|&i| self.cells[i].gain > 0) else { break };
            self.join(i, cuts);
        }
        for (to, cell) in self.cells.iter().enumerate() {
            cuts.swap(to, cell.cut);
        }
        cuts.truncate(self.cells.len());
    }

    fn sums(&self, freqs: &Frequencies, symbols: &Symbols) -> Sums {
        let mut known = 0;
        let mut add = |count: u32| known += self.self_information(count);
        each(&symbols.main, |i| add(freqs.main[i]));
        each(&symbols.length, |i| add(freqs.length[i]));
        each(&symbols.aligned, |i| add(freqs.aligned[i]));
        let sets = symbols.main.iter().chain(&symbols.length);
        Sums {
            totals: [
                freqs.main.iter().sum(),
                freqs.length.iter().sum(),
                freqs.aligned.iter().sum(),
            ],
            known,
            used: sets.map(|word| word.count_ones()).sum(),
        }
    }

    /// The sums of two stretches together.
    fn joint_sums(&self, left: &Cell, right: &Cell, cuts: &[Cut]) -> Sums {
        let (a, b) = (&cuts[left.cut].freqs, &cuts[right.cut].freqs);
        let (in_a, in_b) = (&self.symbols[left.cut], &self.symbols[right.cut]);
        let both = |a: u32, b: u32| {
            self.self_information(a + b) - self.self_information(a) - self.self_information(b)
        };
        let mut known = left.sums.known + right.sums.known;
        let shared = |a: &[u64], b: &[u64], i: usize| a[i] & b[i];
        let (mut main, mut length) = ([0; MAIN_WORDS], [0; LENGTH_WORDS]);
        for (i, word) in main.iter_mut().enumerate() {
            *word = shared(&in_a.main, &in_b.main, i);
        }
        for (i, word) in length.iter_mut().enumerate() {
            *word = shared(&in_a.length, &in_b.length, i);
        }
        let aligned = [shared(&in_a.aligned, &in_b.aligned, 0)];
        each(&main, |i| known += both(a.main[i], b.main[i]));
        each(&length, |i| known += both(a.length[i], b.length[i]));
        each(&aligned, |i| known += both(a.aligned[i], b.aligned[i]));
        let twice: u32 = main.iter().chain(&length).map(|word| word.count_ones()).sum();
        let mut totals = left.sums.totals;
        for (total, other) in totals.iter_mut().zip(right.sums.totals) {
            *total += other;
        }
        Sums { totals, known, used: left.sums.used + right.sums.used - twice }
    }

    /// Entropy of the symbols, and an estimate of the header.
    fn cost(&self, sums: &Sums) -> i64 {
        let whole: u32 = sums.totals.iter().map(|&total| self.self_information(total)).sum();
        let header = (HEADER_BITS + sums.used * HEADER_BITS_PER_SYMBOL) * UNIT;
        i64::from(whole) - i64::from(sums.known) + i64::from(header)
    }

    #[inline(always)]
    fn self_information(&self, count: u32) -> u32 {
        if let Some(&value) = self.table.get(count as usize) { value } else { count * log2(count) }
    }

    fn update_gain(&mut self, i: usize, cuts: &[Cut]) {
        let [left, right, ..] = &self.cells[i..] else { return };
        let joint = self.joint_sums(left, right, cuts);
        let gain = self.cost(&left.sums) + self.cost(&right.sums) - self.cost(&joint);
        self.cells[i].joint = joint;
        self.cells[i].gain = gain;
    }

    fn join(&mut self, i: usize, cuts: &mut [Cut]) {
        let left = self.cells.remove(i);
        if let Some(right) = self.cells.get_mut(i) {
            let (before, from_right) = cuts.split_at_mut(right.cut);
            if let (Some(to), Some(from)) = (from_right.first_mut(), before.get(left.cut)) {
                to.freqs.add(&from.freqs);
            }
            let symbols = self.symbols[left.cut];
            self.symbols[right.cut].add(&symbols);
            right.sums = left.joint;
        }
        self.update_gain(i, cuts);
        if let Some(before) = i.checked_sub(1) {
            self.update_gain(before, cuts);
        }
        if let Some(last) = self.cells.last_mut() {
            last.gain = i64::MIN;
        }
    }
}

/// Calls `f` with each member of a set.
#[inline(always)]
fn each(set: &[u64], mut f: impl FnMut(usize)) {
    for (first, &word) in (0..).step_by(64).zip(set) {
        let mut left = word;
        while left != 0 {
            f(first + left.trailing_zeros() as usize);
            left &= left - 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts of which about half are zero, a few large.
    fn counts(mut seed: u32) -> Frequencies {
        let mut freqs = Frequencies::new();
        let all = freqs.main.iter_mut().chain(&mut freqs.length).chain(&mut freqs.aligned);
        for count in all {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *count = match seed >> 28 {
                0..8 => 0,
                8..15 => seed >> 20 & 0x1F,
                _ => seed >> 16 & 0x3FF,
            };
        }
        freqs
    }

    #[test]
    fn the_sums_of_two_stretches_are_those_of_their_joint_counts() {
        for seed in 0..50 {
            let cuts =
                [seed, seed + 1000].map(|seed| Cut { end: 0, sequences: 0, freqs: counts(seed) });
            let mut splitter = Splitter::new();
            splitter.symbols = cuts.iter().map(|cut| Symbols::of(&cut.freqs)).collect();
            let cell = |cut: usize| {
                let sums = splitter.sums(&cuts[cut].freqs, &splitter.symbols[cut]);
                Cell { cut, sums, gain: 0, joint: sums }
            };
            let joint = splitter.joint_sums(&cell(0), &cell(1), &cuts);
            let mut both = cuts[0].freqs.clone();
            both.add(&cuts[1].freqs);
            assert_eq!(joint, splitter.sums(&both, &Symbols::of(&both)), "seed {seed}");
        }
    }

    #[test]
    fn sums_count_every_symbol() {
        let freqs = counts(7);
        let splitter = Splitter::new();
        let sums = splitter.sums(&freqs, &Symbols::of(&freqs));
        let all = || freqs.main.iter().chain(&freqs.length);
        assert_eq!(sums.used as usize, all().filter(|&&count| count > 0).count());
        let known = all().chain(&freqs.aligned).map(|&count| splitter.self_information(count));
        assert_eq!(sums.known, known.sum::<u32>());
    }

    #[test]
    fn like_stretches_are_joined_and_unlike_ones_are_not() {
        let block = |end: usize, first: usize| {
            let mut freqs = Frequencies::new();
            freqs.main[first..first + 100].fill(200);
            Cut { end, sequences: end, freqs }
        };
        let mut cuts = vec![block(1, 0), block(2, 0), block(3, 120), block(4, 120)];
        Splitter::new().split(&mut cuts);
        assert_eq!(cuts.iter().map(|cut| cut.end).collect::<Vec<_>>(), [2, 4]);
        assert_eq!(cuts[1].freqs.main[120], 400);
    }
}
