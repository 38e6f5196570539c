//! What each symbol costs, in fractions of a bit.

use super::parse::Frequencies;
use crate::lzx::layout::*;

/// Where the cost begins in a node's word; the item stands below.
pub(super) const COST_SHIFT: u32 = 32;
/// Cost units per bit.
pub(super) const UNIT: u32 = 32;

/// The costs that guide a parse.
#[derive(Debug)]
pub(super) struct Costs {
    pub(super) literal: [u64; LITERALS],
    /// By slot and length header, with the offset's extra bits (without those the aligned code has).
    rows: [u64; ROWS],
    /// By match length: the length symbol.
    length: [u64; 512],
    /// By the offset's low bits; the second half is zero.
    aligned: [u64; 2 * ALIGNED_SYMBOLS],
    main_symbols: usize,
}

/// `log2(x)` in cost units for `x` from 1 on.
pub(super) fn log2(x: u32) -> u32 {
    const TABLE: [u8; 64] = log2_table();
    let log = x.ilog2();
    let mantissa = if log >= 6 { x >> (log - 6) } else { x << (6 - log) } & 63;
    log * UNIT + u32::from(TABLE[mantissa as usize])
}

/// Fractions of the logarithm of 1 + i/64, by repeated squaring.
const fn log2_table() -> [u8; 64] {
    let mut table = [0; 64];
    let mut i = 0;
    while i < 64 {
        let mut x: u64 = (64 + i as u64) << 24;
        let one = 64u64 << 24;
        let mut bits = 0;
        let mut result: u32 = 0;
        while bits < 6 {
            x = (x as u128 * x as u128 / one as u128) as u64;
            result <<= 1;
            if x >= 2 * one {
                result |= 1;
                x /= 2;
            }
            bits += 1;
        }
        table[i] = result.div_ceil(2) as u8;
        i += 1;
    }
    table
}

/// Most that a symbol is taken to cost that has not occurred: it must stay within reach.
const UNSEEN: u32 = 11 * UNIT;
/// Match lengths from here on have a length symbol.
pub(super) const LONG: usize = MIN_MATCH + LONG_LENGTH_HEADER;
/// Rows are read four prices at a time, from any price on.
const ROWS: usize = 64 * LENGTH_HEADERS + 8;

impl Costs {
    /// The prices of a match with this slot, `length` bytes long or up to three longer.
    #[inline(always)]
    pub(super) fn row_from(&self, slot: usize, length: usize) -> &[u64; 4] {
        let at = (slot & 63) * LENGTH_HEADERS + ((length - MIN_MATCH) & 7);
        self.rows[at..].first_chunk().unwrap_or(&[0; 4])
    }

    /// The price of the low bits of an offset code, where the aligned code would code them.
    #[inline(always)]
    pub(super) fn aligned(&self, slot: usize, code: u32) -> u64 {
        let low = if slot >= FIRST_ALIGNED_SLOT { code as usize & 7 } else { ALIGNED_SYMBOLS };
        self.aligned[low]
    }

    /// The main symbol's price of a match with this slot, [`LONG`] or longer.
    #[inline(always)]
    pub(super) fn long(&self, slot: usize) -> u64 {
        self.rows[(slot & 63) * LENGTH_HEADERS + LONG_LENGTH_HEADER]
    }

    /// The length symbol's price of matches `length` bytes long or up to three longer.
    #[inline(always)]
    pub(super) fn lengths_from(&self, length: usize) -> &[u64; 4] {
        self.length[length & 255 | length & 256..].first_chunk().unwrap_or(&[0; 4])
    }

    pub(super) const fn new(main_symbols: usize) -> Self {
        Self {
            literal: [0; LITERALS],
            rows: [0; ROWS],
            length: [0; 512],
            aligned: [0; 2 * ALIGNED_SYMBOLS],
            main_symbols,
        }
    }

    /// Costs by the entropy of these frequencies.
    pub(super) fn set(&mut self, freqs: &Frequencies) {
        let price = |total: u32| {
            let all = log2(total.max(1));
            move |freq: u32| {
                if freq == 0 {
                    (all + UNIT).min(UNSEEN)
                } else {
                    (all - log2(freq).min(all)).max(UNIT / 2)
                }
            }
        };
        let main = price(freqs.main.iter().sum());
        for (cost, &freq) in self.literal.iter_mut().zip(&freqs.main) {
            *cost = u64::from(main(freq)) << COST_SHIFT;
        }
        let rows = freqs.main[LITERALS..self.main_symbols].chunks_exact(LENGTH_HEADERS);
        for (slot, (row, freqs)) in self.rows.chunks_exact_mut(LENGTH_HEADERS).zip(rows).enumerate()
        {
            let mut extra = u32::from(OFFSET_EXTRA_BITS[slot]);
            if slot >= FIRST_ALIGNED_SLOT {
                extra -= ALIGNED_BITS;
            }
            for (length, (cost, &freq)) in (2..).zip(row.iter_mut().zip(freqs)) {
                *cost = u64::from(main(freq) + extra * UNIT) << COST_SHIFT
                    | if length < 9 { length } else { 0 };
            }
        }
        let price_length = price(freqs.length.iter().sum());
        for (length, (cost, &freq)) in (9..).zip(self.length[9..].iter_mut().zip(&freqs.length)) {
            *cost = u64::from(price_length(freq)) << COST_SHIFT | length;
        }
        let aligned = price(freqs.aligned.iter().sum());
        for (cost, &freq) in self.aligned.iter_mut().zip(&freqs.aligned) {
            *cost = u64::from(aligned(freq)) << COST_SHIFT;
        }
    }
}
