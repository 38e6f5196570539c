//! Decides where one block ends and the next begins.
//!
//! The chunk starts as a row of small cells. The pair of neighbours that gains most by sharing one set
//! of codes (the symbols get longer, one header is saved) is joined, again and again, until no pair
//! gains.

use super::cost::{UNIT, log2};
use super::parse::{Cut, Frequencies};

/// Estimated bits of a block's header: a fixed part, and a part for each symbol in use. Fitted to real
/// headers, most of which only code the difference to the block before.
const HEADER_BITS: u32 = 700;
const HEADER_BITS_PER_SYMBOL: u32 = 4;
/// `n * log2(n)` is tabulated below this.
const TABLE: usize = 256;

/// A stretch of the parse and what it costs.
#[derive(Debug, Clone, Copy)]
struct Cell {
    /// Index of its cut: the statistics are too large to be moved about.
    cut: usize,
    cost: u32,
    /// What joining the next cell to it gains.
    gain: i64,
    joint_cost: u32,
}

/// Cuts parses into blocks.
#[derive(Debug)]
pub(super) struct Splitter {
    cells: Vec<Cell>,
    main_symbols: usize,
    /// `n * log2(n)` in cost units.
    table: Box<[u32; TABLE]>,
}

impl Splitter {
    pub(super) fn new(main_symbols: usize) -> Self {
        let mut table = Box::new([0; TABLE]);
        for (n, entry) in (0..).zip(table.iter_mut()).skip(1) {
            *entry = n * log2(n);
        }
        Self { cells: Vec::new(), main_symbols, table }
    }

    /// Joins the cells between a parse's cuts to blocks: the cuts that stay are the blocks' ends.
    pub(super) fn split(&mut self, cuts: &mut Vec<Cut>) {
        if cuts.len() < 2 {
            return;
        }
        self.cells.clear();
        for (cut, Cut { freqs, .. }) in cuts.iter().enumerate() {
            let cost = self.cost(freqs, None);
            self.cells.push(Cell { cut, cost, gain: i64::MIN, joint_cost: 0 });
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

    /// Entropy of the symbols of one or two cells, and an estimate of the header.
    fn cost(&self, a: &Frequencies, b: Option<&Frequencies>) -> u32 {
        static NOTHING: Frequencies = Frequencies::new();
        let b = b.unwrap_or(&NOTHING);
        let main = self.entropy(&a.main[..self.main_symbols], &b.main[..self.main_symbols]);
        let length = self.entropy(&a.length, &b.length);
        let aligned = self.entropy(&a.aligned, &b.aligned);
        let used = main.1 + length.1;
        main.0 + length.0 + aligned.0 + (HEADER_BITS + used * HEADER_BITS_PER_SYMBOL) * UNIT
    }

    /// Cost of symbols with these frequencies, and how many different ones there are.
    fn entropy(&self, a: &[u32], b: &[u32]) -> (u32, u32) {
        let (mut total, mut sum, mut used) = (0, 0, 0);
        for (&a, &b) in a.iter().zip(b) {
            let freq = a + b;
            total += freq;
            used += u32::from(freq != 0);
            sum += self.self_information(freq);
        }
        (self.self_information(total) - sum, used)
    }

    #[inline(always)]
    fn self_information(&self, freq: u32) -> u32 {
        if let Some(&value) = self.table.get(freq as usize) { value } else { freq * log2(freq) }
    }

    fn update_gain(&mut self, i: usize, cuts: &[Cut]) {
        let [left, right, ..] = &self.cells[i..] else { return };
        let joint_cost = self.cost(&cuts[left.cut].freqs, Some(&cuts[right.cut].freqs));
        let gain = i64::from(left.cost) + i64::from(right.cost) - i64::from(joint_cost);
        self.cells[i].joint_cost = joint_cost;
        self.cells[i].gain = gain;
    }

    fn join(&mut self, i: usize, cuts: &mut [Cut]) {
        let left = self.cells.remove(i);
        if let Some(right) = self.cells.get_mut(i) {
            let (before, from_right) = cuts.split_at_mut(right.cut);
            if let (Some(to), Some(from)) = (from_right.first_mut(), before.get(left.cut)) {
                to.freqs.add(&from.freqs);
            }
            right.cost = left.joint_cost;
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
