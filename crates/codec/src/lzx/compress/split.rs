//! Decides where one block ends and the next begins.
//!
//! The chunk starts as a row of small cells. The pair of neighbours that gains most by sharing one set
//! of codes (the symbols get longer, one header is saved) is joined, again and again, until no pair
//! gains.

use super::cost::{UNIT, log2};
use super::parse::{Frequencies, NO_LENGTH, Parse};
use crate::lzx::layout::*;

/// Estimated bits of a block's header: a fixed part, and a part for each symbol in use. Fitted to real
/// headers, most of which only code the difference to the block before.
const HEADER_BITS: u32 = 700;
const HEADER_BITS_PER_SYMBOL: u32 = 4;
/// `n * log2(n)` is tabulated below this.
const TABLE: usize = 256;

/// A stretch of the parse and its statistics.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    /// Where it ends, in bytes from the chunk's start.
    pub(super) end: usize,
    /// Where it ends, in sequences.
    pub(super) sequences: usize,
    pub(super) freqs: Frequencies,
    cost: u32,
    /// What joining the next cell to it gains.
    gain: i64,
    joint_cost: u32,
}

/// Cuts parses into blocks.
#[derive(Debug)]
pub(super) struct Splitter {
    cells: Vec<Cell>,
    /// Smallest stretch that can become a block, in bytes.
    cell_size: usize,
    main_symbols: usize,
    /// `n * log2(n)` in cost units.
    table: Box<[u32; TABLE]>,
}

impl Splitter {
    pub(super) fn new(main_symbols: usize, cell_size: usize) -> Self {
        let mut table = Box::new([0; TABLE]);
        for (n, entry) in (0..).zip(table.iter_mut()).skip(1) {
            *entry = n * log2(n);
        }
        Self { cells: Vec::new(), cell_size, main_symbols, table }
    }

    /// Cuts a parse of `bytes`, which begin at `start` in the chunk, into blocks.
    pub(super) fn split(&mut self, bytes: &[u8], start: usize, parse: &Parse) -> &[Cell] {
        self.cells.clear();
        if bytes.len() < 2 * self.cell_size {
            let sequences = parse.sequences.len();
            self.push(start + bytes.len(), sequences, parse.freqs.clone());
            return &self.cells;
        }
        self.make_cells(bytes, start, parse);
        for i in 0..self.cells.len() {
            self.cells[i].cost = self.cost(&self.cells[i].freqs, None);
        }
        for i in 0..self.cells.len() - 1 {
            self.update_gain(i);
        }
        loop {
            let best = (0..self.cells.len() - 1).max_by_key(|&i| self.cells[i].gain);
            let Some(i) = best.filter(|&i| self.cells[i].gain > 0) else { break };
            self.join(i);
        }
        &self.cells
    }

    fn push(&mut self, end: usize, sequences: usize, freqs: Frequencies) {
        self.cells.push(Cell { end, sequences, freqs, cost: 0, gain: i64::MIN, joint_cost: 0 });
    }

    fn make_cells(&mut self, bytes: &[u8], start: usize, parse: &Parse) {
        let mut freqs = Frequencies::new();
        let mut begin = 0;
        let mut pos = 0;
        let size = self.cell_size;
        let full = |begin: usize, pos: usize| pos - begin >= size && bytes.len() - pos > size / 2;
        for (index, sequence) in parse.sequences.iter().enumerate() {
            let literals = sequence.literals as usize;
            for &byte in &bytes[pos..pos + literals] {
                freqs.main[usize::from(byte)] += 1;
            }
            pos += literals;
            let main = usize::from(sequence.main);
            freqs.main[main] += 1;
            let mut length = main % LENGTH_HEADERS + MIN_MATCH;
            if sequence.length != NO_LENGTH {
                freqs.length[usize::from(sequence.length)] += 1;
                length += usize::from(sequence.length);
            }
            if main >= LITERALS + FIRST_ALIGNED_SLOT * LENGTH_HEADERS {
                freqs.aligned[(sequence.extra & 7) as usize] += 1;
            }
            pos += length;
            if full(begin, pos) {
                let freqs = std::mem::replace(&mut freqs, Frequencies::new());
                self.push(start + pos, index + 1, freqs);
                begin = pos;
            }
        }
        for &byte in &bytes[pos..] {
            freqs.main[usize::from(byte)] += 1;
        }
        self.push(start + bytes.len(), parse.sequences.len(), freqs);
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

    fn update_gain(&mut self, i: usize) {
        let [left, right, ..] = &self.cells[i..] else { return };
        let joint_cost = self.cost(&left.freqs, Some(&right.freqs));
        let gain = i64::from(left.cost) + i64::from(right.cost) - i64::from(joint_cost);
        self.cells[i].joint_cost = joint_cost;
        self.cells[i].gain = gain;
    }

    fn join(&mut self, i: usize) {
        let left = self.cells.remove(i);
        if let Some(right) = self.cells.get_mut(i) {
            right.freqs.add(&left.freqs);
            right.cost = left.joint_cost;
        }
        self.update_gain(i);
        if let Some(before) = i.checked_sub(1) {
            self.update_gain(before);
        }
        if let Some(last) = self.cells.last_mut() {
            last.gain = i64::MIN;
        }
    }
}
