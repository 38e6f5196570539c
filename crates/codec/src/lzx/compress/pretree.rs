//! Packs the code lengths of a block: differences to the block before, runs, and a small code for both.

use super::bits::BitWriter;
use crate::huffman::build;
use crate::lzx::layout::*;

/// Most items a part can need: one per length.
const MAX_ITEMS: usize = MAX_MAIN_SYMBOLS + LENGTH_SYMBOLS;

/// One part of a block's code lengths, ready to be written.
pub(super) struct PackedLengths {
    /// Pretree symbol, run count bits << 5, and for repeats the repeated symbol << 10.
    items: [u16; MAX_ITEMS],
    count: usize,
    lens: [u8; PRETREE_SYMBOLS],
    codewords: [u16; PRETREE_SYMBOLS],
    bits: u32,
}

const fn difference(old: u8, new: u8) -> u8 {
    if old >= new { old - new } else { old + PRETREE_MODULUS - new }
}

impl PackedLengths {
    pub(super) fn new(old: &[u8], new: &[u8]) -> Self {
        let mut packed = Self {
            items: [0; MAX_ITEMS],
            count: 0,
            lens: [0; PRETREE_SYMBOLS],
            codewords: [0; PRETREE_SYMBOLS],
            bits: 0,
        };
        let mut freqs = [0u32; PRETREE_SYMBOLS];
        let extra = packed.collect(old, new, &mut freqs);
        build::build(&freqs, PRETREE_MAX_BITS as u8, &mut packed.lens, &mut packed.codewords);
        packed.bits = PRETREE_SYMBOLS as u32 * PRETREE_FIELD_BITS + extra;
        for (freq, len) in freqs.iter().zip(packed.lens) {
            packed.bits += freq * u32::from(len);
        }
        packed
    }

    fn collect(&mut self, old: &[u8], new: &[u8], freqs: &mut [u32; PRETREE_SYMBOLS]) -> u32 {
        let mut extra = 0;
        let mut at = 0;
        while at < new.len() {
            let len = new[at];
            let mut run = 1;
            while at + run < new.len() && new[at + run] == len {
                run += 1;
            }
            let mut left = run;
            if len == 0 {
                while left >= MANY_ZEROS_RUN.0 {
                    let n = left.min(MANY_ZEROS_RUN.0 + 31);
                    self.push(PRETREE_MANY_ZEROS, n - MANY_ZEROS_RUN.0, 0, freqs);
                    extra += MANY_ZEROS_RUN.1;
                    left -= n;
                }
                if left >= ZEROS_RUN.0 {
                    let n = left.min(ZEROS_RUN.0 + 15);
                    self.push(PRETREE_ZEROS, n - ZEROS_RUN.0, 0, freqs);
                    extra += ZEROS_RUN.1;
                    left -= n;
                }
            } else {
                while left >= REPEAT_RUN.0 {
                    let n = left.min(REPEAT_RUN.0 + 1);
                    let delta = difference(old[at + run - left], len);
                    self.push(PRETREE_REPEAT, n - REPEAT_RUN.0, delta, freqs);
                    freqs[usize::from(delta)] += 1;
                    extra += REPEAT_RUN.1;
                    left -= n;
                }
            }
            for &old in &old[at + run - left..at + run] {
                self.push(difference(old, len), 0, 0, freqs);
            }
            at += run;
        }
        extra
    }

    fn push(&mut self, symbol: u8, run: usize, delta: u8, freqs: &mut [u32; PRETREE_SYMBOLS]) {
        self.items[self.count] = u16::from(symbol) | (run as u16) << 5 | u16::from(delta) << 10;
        self.count += 1;
        freqs[usize::from(symbol)] += 1;
    }

    pub(super) const fn bits(&self) -> u32 {
        self.bits
    }

    pub(super) fn write(&self, out: &mut BitWriter<'_>) {
        for len in self.lens {
            out.put(u32::from(len), PRETREE_FIELD_BITS);
        }
        let code = |symbol: u8| {
            (
                u32::from(self.codewords[usize::from(symbol)]),
                u32::from(self.lens[usize::from(symbol)]),
            )
        };
        for &item in &self.items[..self.count] {
            let symbol = (item & 31) as u8;
            let run = u32::from(item >> 5 & 31);
            let (word, len) = code(symbol);
            out.put(word, len);
            match symbol {
                PRETREE_ZEROS => out.put(run, ZEROS_RUN.1),
                PRETREE_MANY_ZEROS => out.put(run, MANY_ZEROS_RUN.1),
                PRETREE_REPEAT => {
                    out.put(run, REPEAT_RUN.1);
                    let (word, len) = code((item >> 10) as u8);
                    out.put(word, len);
                }
                _ => {}
            }
        }
    }
}
