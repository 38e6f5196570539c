//! The forward stream: a binary range decoder with adaptive probabilities.
#![expect(clippy::indexing_slicing, reason = "states are masked")]

use super::bits::Ended;
use super::layout::{INITIAL_HISTORY, MIN_INPUT, PROBABILITY_BITS};

/// One kind of decision. How likely it is to be 0 is learned from its last 64 outcomes, separately for
/// each of its `STATES`: the combinations of its last few outcomes.
#[derive(Clone, Debug)]
pub(super) struct DecisionClass<const STATES: usize> {
    /// The last outcomes, the newest lowest. Only as many as tell the states apart have a meaning.
    state: usize,
    /// For each state: the probability of a 0, in 64ths. That is `zeros`, but never 0 or 64.
    of_zero: [u32; STATES],
    /// For each state: zeros among the last 64 outcomes.
    zeros: [u32; STATES],
    /// For each state: the last 64 outcomes, the newest lowest.
    history: [u64; STATES],
}

impl<const STATES: usize> DecisionClass<STATES> {
    /// A class as it is at the start of a chunk.
    pub(super) const INITIAL: Self = {
        assert!(STATES.is_power_of_two());
        Self {
            state: 0,
            of_zero: [INITIAL_HISTORY.count_zeros(); STATES],
            zeros: [INITIAL_HISTORY.count_zeros(); STATES],
            history: [INITIAL_HISTORY; STATES],
        }
    };

    /// Learns an outcome.
    #[inline(always)]
    fn update(&mut self, bit: bool) {
        let state = self.state & (STATES - 1);
        let history = self.history[state];
        // The oldest outcome falls out on top.
        let oldest = u32::from(history.cast_signed() < 0);
        self.history[state] = history << 1 | u64::from(bit);
        let zeros = self.zeros[state] + oldest - u32::from(bit);
        self.zeros[state] = zeros;
        self.of_zero[state] = if bit {
            // At least one outcome was not 0.
            zeros + u32::from(zeros == 0)
        } else {
            zeros - (zeros >> PROBABILITY_BITS)
        };
        self.state = state << 1 | usize::from(bit);
    }
}

/// Decodes decisions from the start of the input on.
#[derive(Clone, Copy, Debug)]
pub(super) struct RangeDecoder<'a> {
    /// The units not yet read.
    rest: &'a [u8],
    range: u32,
    code: u32,
}

impl<'a> RangeDecoder<'a> {
    /// A decoder of `input`; `None` if that is shorter than [`MIN_INPUT`].
    pub(super) fn new(input: &'a [u8]) -> Option<Self> {
        let (&[a, b, c, d], rest) = input.split_first_chunk::<MIN_INPUT>()?;
        Some(Self { rest, range: u32::MAX, code: u32::from_le_bytes([c, d, a, b]) })
    }

    /// Decodes one decision of `class`.
    #[inline(always)]
    pub(super) fn bit<const STATES: usize>(
        &mut self,
        class: &mut DecisionClass<STATES>,
    ) -> Result<bool, Ended> {
        if self.range <= 0xFFFF {
            let Some((unit, rest)) = self.rest.split_first_chunk() else { return Err(Ended) };
            self.range <<= 16;
            self.code = self.code << 16 | u32::from(u16::from_le_bytes(*unit));
            self.rest = rest;
        }
        let of_zero = class.of_zero[class.state & (STATES - 1)];
        let bound = (self.range >> PROBABILITY_BITS) * of_zero;
        if self.code < bound {
            self.range = bound;
            class.update(false);
            Ok(false)
        } else {
            self.range -= bound;
            self.code -= bound;
            class.update(true);
            Ok(true)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_count_zeros_and_stay_off_the_ends() {
        let mut class = DecisionClass::<1>::INITIAL;
        assert_eq!(class.of_zero, [48]);
        for (bit, end) in [(true, 1), (false, 63), (true, 1)] {
            for _ in 0..64 {
                class.update(bit);
                let zeros = class.history[0].count_zeros();
                assert_eq!(class.zeros, [zeros]);
                assert_eq!(class.of_zero, [zeros.clamp(1, 63)]);
            }
            assert_eq!(class.of_zero, [end]);
        }
    }

    #[test]
    fn states_are_the_last_outcomes() {
        let mut class = DecisionClass::<16>::INITIAL;
        for bit in [true, false, true, true, false] {
            class.update(bit);
        }
        assert_eq!(class.state & 15, 0b0110);
        assert_eq!(class.history[0b1011], INITIAL_HISTORY << 1);
    }

    #[test]
    fn the_input_ends_with_the_last_unit() {
        let mut class = DecisionClass::<16>::INITIAL;
        let mut decoder = RangeDecoder::new(&[0xFF; 6]).unwrap();
        let bits = std::iter::from_fn(|| decoder.bit(&mut class).ok());
        assert!(bits.take(1000).count() < 200);
        assert!(RangeDecoder::new(&[0; 3]).is_none());
    }
}
