//! The forward stream: a binary range decoder with adaptive probabilities.
#![expect(clippy::indexing_slicing, reason = "states are masked")]

use super::bits::Ended;
use super::layout::{INITIAL_HISTORY, MIN_INPUT, PROBABILITY_BITS, UNIT};

/// How likely a decision is to be 0, learned from its last 64 outcomes.
#[derive(Clone, Copy, Debug)]
struct Probability {
    /// The last 64 bits, the newest lowest.
    history: u64,
    /// Zeros among them.
    zeros: u32,
}

impl Probability {
    const INITIAL: Self = Self { history: INITIAL_HISTORY, zeros: INITIAL_HISTORY.count_zeros() };

    /// The probability of a 0, in 64ths, never 0 or 64.
    #[inline(always)]
    const fn of_zero(self) -> u32 {
        // Without branches: 0 becomes 1, 64 becomes 63.
        let zeros = self.zeros;
        zeros + (zeros.wrapping_sub(1) >> 31) - (zeros >> PROBABILITY_BITS)
    }

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "one bit is left")]
    fn update(&mut self, bit: bool) {
        let oldest = (self.history >> 63) as u32;
        self.zeros = self.zeros + oldest - u32::from(bit);
        self.history = self.history << 1 | u64::from(bit);
    }
}

/// One kind of decision. Its probability depends on its own last outcomes, `STATES` (a power of two)
/// being the number of combinations told apart.
#[derive(Clone, Debug)]
pub(super) struct DecisionClass<const STATES: usize> {
    probabilities: [Probability; STATES],
}

impl<const STATES: usize> DecisionClass<STATES> {
    /// A class as it is at the start of a chunk.
    pub(super) const INITIAL: Self = {
        assert!(STATES.is_power_of_two());
        Self { probabilities: [Probability::INITIAL; STATES] }
    };
}

/// The last outcomes of one class, the newest lowest. Kept apart from the probabilities so that it can
/// stay in a register.
pub(super) type State = usize;

/// Decodes decisions from the start of the input on.
#[derive(Clone, Copy, Debug)]
pub(super) struct RangeDecoder<'a> {
    input: &'a [u8],
    next: usize,
    range: u32,
    code: u32,
}

impl<'a> RangeDecoder<'a> {
    /// A decoder of `input`; `None` if it is shorter than [`MIN_INPUT`].
    pub(super) fn new(input: &'a [u8]) -> Option<Self> {
        let &[a, b, c, d] = input.first_chunk::<MIN_INPUT>()?;
        let code = u32::from_le_bytes([c, d, a, b]);
        Some(Self { input, next: MIN_INPUT, range: u32::MAX, code })
    }

    /// Decodes one decision of `class`.
    #[inline(always)]
    pub(super) fn bit<const STATES: usize>(
        &mut self,
        class: &mut DecisionClass<STATES>,
        state: &mut State,
    ) -> Result<bool, Ended> {
        let probability = &mut class.probabilities[*state & (STATES - 1)];
        if self.range <= 0xFFFF {
            let Some(unit) = self.input.get(self.next..self.next + UNIT) else { return Err(Ended) };
            self.range <<= 16;
            self.code = self.code << 16 | u32::from(unit[0]) | u32::from(unit[1]) << 8;
            self.next += UNIT;
        }
        let bound = (self.range >> PROBABILITY_BITS) * probability.of_zero();
        if self.code < bound {
            self.range = bound;
            probability.update(false);
            *state <<= 1;
            Ok(false)
        } else {
            self.range -= bound;
            self.code -= bound;
            probability.update(true);
            *state = *state << 1 | 1;
            Ok(true)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_count_zeros_and_stay_off_the_ends() {
        let mut probability = Probability::INITIAL;
        assert_eq!(probability.of_zero(), 48);
        for _ in 0..64 {
            probability.update(true);
            assert_eq!(probability.zeros, probability.history.count_zeros());
        }
        assert_eq!(probability.of_zero(), 1);
        for _ in 0..64 {
            probability.update(false);
            assert_eq!(probability.zeros, probability.history.count_zeros());
        }
        assert_eq!(probability.of_zero(), 63);
    }

    #[test]
    fn the_input_ends_with_the_last_unit() {
        let mut class = DecisionClass::<16>::INITIAL;
        let mut state = 0;
        let mut decoder = RangeDecoder::new(&[0xFF; 6]).unwrap();
        let bits = std::iter::from_fn(|| decoder.bit(&mut class, &mut state).ok());
        assert!(bits.take(1000).count() < 200);
        assert!(RangeDecoder::new(&[0; 3]).is_none());
    }
}
