//! Estimates, while a chunk is parsed, of what literals and short matches cost.

use crate::lzx::compress::cost::{UNIT, log2};
use crate::lzx::compress::parse::Frequencies;
use crate::lzx::layout::*;

/// What a literal and the main symbol of a short match cost before anything is known.
const FIRST_LITERAL: u16 = 6 * UNIT as u16;
const FIRST_SYMBOL: u32 = 8 * UNIT;
/// Delay in bits behind a literal of usual cost.
const LEAST_DELAY: i32 = 1;
const SLOTS: usize = 32;

/// The estimates in force, in [`UNIT`]s of a bit.
#[derive(Debug)]
pub(super) struct Costs {
    literals: [u16; LITERALS],
    /// A match of 3 bytes, by slot.
    three_bytes: [u16; SLOTS],
    /// A match of 2 bytes at the most recent offset.
    two_bytes: u16,
}

impl Costs {
    pub(super) fn new() -> Self {
        let three_bytes = std::array::from_fn(|slot| {
            (FIRST_SYMBOL + u32::from(OFFSET_EXTRA_BITS[slot]) * UNIT) as u16
        });
        Self { literals: [FIRST_LITERAL; LITERALS], three_bytes, two_bytes: FIRST_SYMBOL as u16 }
    }

    #[inline(always)]
    fn literal(&self, bytes: u64, index: u32) -> u16 {
        self.literals[(bytes >> (8 * index)) as usize % LITERALS]
    }

    /// What a match must gain in bits if it comes behind a literal and not at once.
    #[inline(always)]
    pub(super) fn delay(&self, byte: u8) -> i32 {
        let literal = i32::from(self.literals[usize::from(byte)]);
        LEAST_DELAY + (literal - i32::from(FIRST_LITERAL)) / (2 * UNIT as i32)
    }

    /// Whether three literals (the lowest bytes of `bytes`) cost no more than a match of 3 bytes.
    #[inline(always)]
    pub(super) fn three_literals_win(&self, bytes: u64, slot: usize) -> bool {
        self.literal(bytes, 0) + self.literal(bytes, 1) + self.literal(bytes, 2)
            <= self.three_bytes[slot % SLOTS]
    }

    /// Whether two literals cost no more than a match of 2 bytes at the most recent offset.
    #[inline(always)]
    pub(super) fn two_literals_win(&self, bytes: u64) -> bool {
        self.literal(bytes, 0) + self.literal(bytes, 1) <= self.two_bytes
    }

    #[inline(never)]
    pub(super) fn renew(&mut self, seen: &Frequencies) {
        // Unseen literals count as half, unseen matches as two.
        let total = log2(2 * seen.main.iter().sum::<u32>() + LITERALS as u32 * 2);
        let cost = |frequency: u32| (total - log2(frequency).min(total)) as u16;
        for (price, &frequency) in self.literals.iter_mut().zip(&seen.main) {
            *price = cost(2 * frequency + 1);
        }
        let rows = seen.main[LITERALS..].chunks_exact(LENGTH_HEADERS);
        for (slot, (price, row)) in self.three_bytes.iter_mut().zip(rows).enumerate() {
            *price = cost(2 * row[1] + 4) + u16::from(OFFSET_EXTRA_BITS[slot]) * UNIT as u16;
        }
        self.two_bytes = cost(2 * seen.main[LITERALS] + 4);
    }
}
