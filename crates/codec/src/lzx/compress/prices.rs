//! What a choice between single matches is based on: prices that follow the statistics as the parse
//! goes on.
#![expect(
    clippy::cast_possible_wrap,
    reason = "prices and lengths are far below 2^31; gains are signed"
)]

use super::cost::{UNIT, log2};
use super::kind::Kind;
use super::parse::{Frequencies, slot_of};
use crate::lzx::layout::*;

/// How matches are weighed, beyond what their symbols cost, in [`UNIT`]s. Fitted to real files.
#[derive(Clone, Copy, Debug)]
pub(super) struct Habits {
    /// What a byte covered by a match is worth. Close to the price of a literal: what comes behind a
    /// match is as good after a longer one as after a shorter one.
    worth: i32,
    /// A match at a recent offset costs this much less than its symbols: it leaves the other offsets
    /// in reach.
    recent_bonus: i32,
    /// Other matches, too, cost less than their symbols: the next use of the offset is cheap.
    found_bonus: i32,
    /// What each two equal bytes in a row, soon behind a match and at the same offset, are worth.
    pub(super) sequel: i32,
    /// A match is left out if it gains less than this.
    pub(super) least_gain: i32,
    /// A match one position ahead must gain this much more.
    pub(super) delay: i32,
    /// One two positions ahead this much more than that.
    pub(super) second_delay: i32,
    /// Shorter matches are weighed against the literals they replace,
    pub(super) sure: usize,
    /// which must cost this much more.
    pub(super) doubt: i32,
    /// One byte in this many counts as a literal in the first statistics.
    stride: usize,
}

impl Habits {
    /// For whatever comes.
    pub(super) const USUAL: Self = Self {
        worth: 200,
        recent_bonus: 128,
        found_bonus: 40,
        sequel: 52,
        least_gain: -48,
        delay: 80,
        second_delay: 128,
        sure: 4,
        doubt: 0,
        stride: 24,
    };
    /// For programs and other tables of numbers.
    const BINARY: Self = Self {
        worth: 172,
        recent_bonus: 108,
        found_bonus: 52,
        least_gain: -38,
        delay: 84,
        second_delay: 161,
        sure: 7,
        doubt: -34,
        stride: 32,
        ..Self::USUAL
    };
    /// For text: few recent offsets come again, and literals are better than many a short match.
    const TEXT: Self = Self {
        worth: 148,
        recent_bonus: 37,
        found_bonus: 56,
        least_gain: -28,
        delay: 28,
        second_delay: 76,
        sure: 7,
        doubt: 105,
        stride: 48,
        ..Self::USUAL
    };

    /// What suits these bytes.
    pub(super) fn for_bytes(bytes: &[u8]) -> Self {
        match Kind::of(bytes) {
            Kind::Text => Self::TEXT,
            Kind::Binary => Self::BINARY,
        }
    }
}

/// Symbols that have not occurred cost at most this.
const UNSEEN: u32 = 11 * UNIT;
const SLOTS: usize = 64;

/// Prices in [`UNIT`]s of a bit, and the frequencies they come from.
#[derive(Debug)]
pub(super) struct Prices {
    seen: Frequencies,
    /// How often what has been parsed was taken note of.
    lessons: usize,
    main_symbols: usize,
    pub(super) habits: Habits,
    literal: [i32; LITERALS],
    /// By slot and length header, with the offset's extra bits, less the bonus.
    matches: [i32; SLOTS * LENGTH_HEADERS],
    /// By match length: the length symbol, if there is one.
    length: [i32; 512],
}

impl Prices {
    pub(super) const fn new(main_symbols: usize) -> Self {
        Self {
            seen: Frequencies::new(),
            lessons: 0,
            main_symbols,
            habits: Habits::USUAL,
            literal: [0; LITERALS],
            matches: [0; SLOTS * LENGTH_HEADERS],
            length: [0; 512],
        }
    }

    /// Starts with what is usual, and the literals of `bytes`.
    pub(super) fn begin(&mut self, bytes: &[u8], habits: Habits) {
        self.habits = habits;
        self.lessons = 0;
        self.seen = Frequencies::new();
        for &byte in bytes.iter().step_by(habits.stride) {
            self.seen.main[usize::from(byte)] += 1;
        }
        let rows = self.seen.main[LITERALS..self.main_symbols].chunks_exact_mut(LENGTH_HEADERS);
        for (slot, row) in rows.enumerate() {
            let usual = match slot {
                0 => [26, 100, 11, 10, 10, 9, 4, 81],
                1 => [6, 16, 3, 2, 2, 2, 2, 13],
                2 => [3, 6, 1, 1, 1, 1, 1, 5],
                3..6 => [1; LENGTH_HEADERS],
                6..16 => [4, 4, 2, 1, 1, 1, 1, 6],
                16..22 => [0, 5, 4, 3, 2, 2, 2, 7],
                _ => [0, 1, 5, 3, 2, 2, 2, 7],
            };
            row.copy_from_slice(&usual);
        }
        for (symbol, count) in self.seen.length.iter_mut().enumerate() {
            *count = match symbol {
                0..8 => 16,
                8..16 => 5,
                16..27 => 3,
                27..64 => 1,
                _ => 0,
            };
        }
        self.update();
    }

    /// Takes note of what has been parsed. The more is known the less it changes, so that the prices
    /// follow ever more rarely.
    pub(super) fn learn(&mut self, freqs: &Frequencies) {
        self.seen.add(freqs);
        self.lessons += 1;
        let interval = match self.lessons {
            ..=8 => 1,
            9..=16 => 2,
            17..=32 => 4,
            33.. => 8,
        };
        if self.lessons.is_multiple_of(interval) {
            self.update();
        }
    }

    fn update(&mut self) {
        let Habits { recent_bonus, found_bonus, .. } = self.habits;
        let main = price_of(&self.seen.main);
        for (price, &freq) in self.literal.iter_mut().zip(&self.seen.main) {
            *price = main(freq);
        }
        let rows = self.matches.chunks_exact_mut(LENGTH_HEADERS);
        let freqs = self.seen.main[LITERALS..self.main_symbols].chunks_exact(LENGTH_HEADERS);
        for (slot, (row, freqs)) in rows.zip(freqs).enumerate() {
            let bonus = if slot < RECENT_OFFSETS { recent_bonus } else { found_bonus };
            let extra = (u32::from(OFFSET_EXTRA_BITS[slot]) * UNIT) as i32;
            for (price, &freq) in row.iter_mut().zip(freqs) {
                *price = main(freq) + extra - bonus;
            }
        }
        let length = price_of(&self.seen.length);
        let first = MIN_MATCH + LONG_LENGTH_HEADER;
        for (price, &freq) in self.length[first..].iter_mut().zip(&self.seen.length) {
            *price = length(freq);
        }
    }

    /// Price of a literal.
    #[inline(always)]
    pub(super) fn literal(&self, byte: u8) -> i32 {
        self.literal[usize::from(byte)]
    }

    /// Price of literals.
    #[inline(always)]
    pub(super) fn literals(&self, bytes: &[u8]) -> i32 {
        bytes.iter().map(|&byte| self.literal(byte)).sum()
    }

    /// Price of a match with this offset code.
    #[inline(always)]
    pub(super) fn of(&self, code: u32, length: usize) -> i32 {
        self.of_slot(slot_of(code) as usize, length)
    }

    #[inline(always)]
    fn of_slot(&self, slot: usize, length: usize) -> i32 {
        let header = (length - MIN_MATCH).min(LONG_LENGTH_HEADER);
        let row = (slot & (SLOTS - 1)) * LENGTH_HEADERS;
        self.matches[row + header] + self.length[length & 511]
    }

    /// What a match at a recent offset is worth, less what it costs.
    #[inline(always)]
    pub(super) fn recent_gain(&self, index: u32, length: usize) -> i32 {
        self.habits.worth * length as i32 - self.of_slot(index as usize, length)
    }

    /// What a match found is worth, less what it costs.
    #[inline(always)]
    pub(super) fn found_gain(&self, code: u32, length: usize) -> i32 {
        self.habits.worth * length as i32 - self.of(code, length)
    }

    /// What is lost by putting a literal before a match.
    #[inline(always)]
    pub(super) fn delay(&self, byte: u8) -> i32 {
        self.literal(byte) - self.habits.worth
    }
}

/// The price of a symbol by its frequency, with the entropy of `freqs`.
fn price_of(freqs: &[u32]) -> impl Fn(u32) -> i32 {
    let all = log2(freqs.iter().sum::<u32>().max(1));
    move |freq| {
        let price = if freq == 0 {
            (all + UNIT).min(UNSEEN)
        } else {
            (all - log2(freq).min(all)).max(UNIT / 2)
        };
        price as i32
    }
}
