//! Estimates, while a chunk is parsed, of what literals and short matches will cost.

use super::items::Collector;
use crate::xpress::layout::LITERALS;

/// Costs are in eighths of a bit.
const BIT: u32 = 8;
/// What a literal and the symbol of a short match cost before anything is known.
const FIRST_LITERAL: u8 = 6 * BIT as u8;
const FIRST_SYMBOL: u32 = 8 * BIT;
/// Items seen before the first estimate, and between two.
const FIRST_UPDATE: u16 = 512;
const NEXT_UPDATE: u16 = 2048;

/// The estimates in force.
pub(super) struct Costs {
    literals: [u8; LITERALS],
    /// A match of 3 bytes, by number of extra offset bits; these are included.
    three_bytes: [u8; 16],
    /// Item count at which the estimates are due for renewal.
    due: u16,
}

impl Costs {
    pub(super) fn new() -> Self {
        let three_bytes = std::array::from_fn(|bits| (FIRST_SYMBOL + bits as u32 * BIT) as u8);
        Self { literals: [FIRST_LITERAL; LITERALS], three_bytes, due: FIRST_UPDATE }
    }

    /// Whether three literals (the lowest bytes of `bytes`) cost no more than a match of 3 bytes.
    #[inline(always)]
    pub(super) fn literals_win(&self, bytes: u64, offset_bits: u32) -> bool {
        let literal = |index: u32| u32::from(self.literals[(bytes >> (8 * index)) as usize % 256]);
        literal(0) + literal(1) + literal(2)
            <= u32::from(self.three_bytes[offset_bits as usize % 16])
    }

    /// Renews the estimates from the frequencies so far if that is due.
    #[inline(always)]
    pub(super) fn renew(&mut self, items: &Collector<'_>) {
        if items.count() >= self.due {
            self.estimate(items);
        }
    }

    #[inline(never)]
    fn estimate(&mut self, items: &Collector<'_>) {
        self.due = items.count().saturating_add(NEXT_UPDATE);
        let frequencies = items.frequencies();
        // Unseen literals count as half, unseen matches as two.
        let total = log2_sixteenths(2 * frequencies.iter().sum::<u32>() + LITERALS as u32 * 2);
        for (cost, frequency) in self.literals.iter_mut().zip(frequencies) {
            *cost = ((total - log2_sixteenths(2 * frequency + 1)) / 2) as u8;
        }
        let three_bytes = frequencies[LITERALS..].iter().step_by(16);
        for (bits, (cost, frequency)) in self.three_bytes.iter_mut().zip(three_bytes).enumerate() {
            let symbol = (total - log2_sixteenths(2 * frequency + 4)) / 2;
            *cost = (symbol + bits as u32 * BIT) as u8;
        }
    }
}

/// The logarithm of `value` in sixteenths, at most 1.4 sixteenths too small.
#[inline(always)]
fn log2_sixteenths(value: u32) -> u32 {
    let zeros = value.leading_zeros();
    (31 - zeros) * 16 + (value << zeros >> 27 & 15)
}
