//! Building a code from symbol frequencies: exactly the code every LZMS program must arrive at.
//!
//! The rule is the textbook one: put all symbols into a heap, replace the two rarest nodes by their
//! sum until one is left, and **where a symbol and a sum are equally rare take the symbol**. Symbols
//! then get the resulting lengths by frequency, the rarest the longest, where of equally frequent
//! symbols the lower counts as rarer; and codewords by (length, symbol).
//!
//! No tree is made. Sums come into being in ascending order and are used up in that order, so one pass
//! over two sorted queues finds all pairs, and a whole level of the tree is a range of the sums: all
//! that must be kept is, for each sum, how many sums were used up before it.
#![expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "the innermost part of rebuilding: sizes are bounded by the alphabets, counts fit 16 bits"
)]

use super::layout::{MAX_BITS, MAX_OFFSETS};

/// Frequencies below this are sorted by counting.
const COUNTED: usize = 128;
/// A weight above all real ones; the sum of two weights does not matter then.
const NONE: u16 = u16::MAX;

/// Numbers of codewords of each length.
pub(super) type LengthCounts = [u16; MAX_BITS + 1];

/// Working memory, shared by the codes.
#[derive(Clone, Debug)]
pub(super) struct Scratch {
    /// Frequency (high half) and symbol (low half), ascending.
    sorted: [u32; MAX_OFFSETS],
    /// The frequencies alone, followed by two [`NONE`].
    leaves: [u16; MAX_OFFSETS + 2],
    /// Sums, each followed by two [`NONE`] when it is made.
    sums: [u16; MAX_OFFSETS + 2],
    /// How many sums were used up before each sum.
    used_before: [u16; MAX_OFFSETS],
    /// Codeword length of each symbol.
    lens: [u8; MAX_OFFSETS],
}

impl Scratch {
    /// Makes the working memory.
    pub(super) const fn new() -> Self {
        Self {
            sorted: [0; MAX_OFFSETS],
            leaves: [0; MAX_OFFSETS + 2],
            sums: [0; MAX_OFFSETS + 2],
            used_before: [0; MAX_OFFSETS],
            lens: [0; MAX_OFFSETS],
        }
    }

    /// The codeword lengths of the code built last, by symbol.
    pub(super) fn lens(&self, symbols: usize) -> &[u8] {
        &self.lens[..symbols]
    }

    /// Builds the code for these frequencies: 2 to [`MAX_OFFSETS`] symbols, each with a frequency of at
    /// least 1 and a total that [`MAX_BITS`] allows for.
    pub(super) fn build(&mut self, freqs: &[u16]) -> LengthCounts {
        self.sort(freqs);
        self.pair(freqs.len());
        let counts = self.count_lengths(freqs.len());
        let mut at = 0;
        for (len, &count) in counts.iter().enumerate().rev() {
            let end = at + usize::from(count);
            for &key in &self.sorted[at..end] {
                self.lens[usize::from(key as u16)] = len as u8;
            }
            at = end;
        }
        counts
    }

    /// Sorts the symbols by frequency, then by number.
    fn sort(&mut self, freqs: &[u16]) {
        let mut next = [0u16; COUNTED + 1];
        for &freq in freqs {
            next[usize::from(freq).min(COUNTED)] += 1;
        }
        let mut start = 0;
        for count in &mut next {
            start += std::mem::replace(count, start);
        }
        let frequent = usize::from(next[COUNTED]);
        for (symbol, &freq) in freqs.iter().enumerate() {
            let slot = &mut next[usize::from(freq).min(COUNTED)];
            self.sorted[usize::from(*slot)] = u32::from(freq) << 16 | symbol as u32;
            *slot += 1;
        }
        self.sorted[frequent..freqs.len()].sort_unstable();
        for (leaf, &key) in self.leaves.iter_mut().zip(&self.sorted[..freqs.len()]) {
            *leaf = (key >> 16) as u16;
        }
        self.leaves[freqs.len()..][..2].fill(NONE);
    }

    /// Replaces pairs by sums until one is left.
    fn pair(&mut self, symbols: usize) {
        let (mut leaf, mut sum) = (0, 0);
        self.sums[..symbols + 1].fill(NONE);
        for made in 0..symbols - 1 {
            let (leaf_0, leaf_1) = (self.leaves[leaf], self.leaves[leaf + 1]);
            let (sum_0, sum_1) = (self.sums[sum], self.sums[sum + 1]);
            let two_leaves = leaf_1 <= sum_0;
            let two_sums = sum_1 < leaf_0;
            let first = if two_sums { sum_1 } else { leaf_0 };
            let second = if two_leaves { leaf_1 } else { sum_0 };
            self.used_before[made] = sum as u16;
            self.sums[made] = first.wrapping_add(second);
            leaf = leaf + 1 + usize::from(two_leaves) - usize::from(two_sums);
            sum = sum + 1 + usize::from(two_sums) - usize::from(two_leaves);
        }
    }

    /// Counts the codewords of each length, walking from the root, which is the last sum.
    fn count_lengths(&self, symbols: usize) -> LengthCounts {
        let mut counts = [0; MAX_BITS + 1];
        let mut level_start = symbols - 2;
        let mut level_size = 1;
        for count in &mut counts[1..] {
            let below = usize::from(self.used_before[level_start]);
            let sums = level_start - below;
            *count = (2 * level_size - sums) as u16;
            if sums == 0 {
                break;
            }
            (level_start, level_size) = (below, sums);
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lzms::testing::reference_lens;
    use proptest::prelude::*;

    fn check(freqs: &[u16]) {
        let expected = reference_lens(freqs);
        let mut scratch = Scratch::new();
        let counts = scratch.build(freqs);
        assert_eq!(scratch.lens(freqs.len()), expected);
        for (len, &count) in counts.iter().enumerate() {
            let wanted = expected.iter().filter(|&&l| usize::from(l) == len).count();
            assert_eq!(usize::from(count), wanted, "codewords of {len} bits");
        }
    }

    #[test]
    fn equal_frequencies() {
        for symbols in [2, 3, 4, 5, 8, 54, 256, 798, 799] {
            check(&vec![1; symbols]);
        }
    }

    #[test]
    fn symbols_go_before_sums_of_the_same_weight() {
        // The symbol 2 pairs with the first 2, not with the sum 1 + 1: all lengths are equal then.
        check(&[1, 1, 2, 2]);
        let mut scratch = Scratch::new();
        scratch.build(&[1, 1, 2]);
        assert_eq!(scratch.lens(3), [2, 2, 1]);
        scratch.build(&[1, 1, 1, 1, 2, 2]);
        check(&[1, 1, 1, 1, 2, 2]);
    }

    #[test]
    fn the_steepest_frequencies_a_code_can_reach_fit_the_longest_codeword() {
        let mut freqs = vec![1u16, 1, 1, 3];
        while freqs.iter().sum::<u16>() < 2000 {
            freqs.push(freqs[freqs.len() - 1] + freqs[freqs.len() - 2]);
        }
        check(&freqs);
        let mut fibonacci = vec![1u16, 1];
        while fibonacci.iter().sum::<u16>() < 2500 {
            fibonacci.push(fibonacci[fibonacci.len() - 1] + fibonacci[fibonacci.len() - 2]);
        }
        fibonacci.pop();
        check(&fibonacci);
    }

    proptest! {
        #[test]
        fn is_the_textbook_code(
            freqs in prop::collection::vec((0..9u32, any::<u16>()), 2..400).prop_map(|parts| {
                let mut left = 3600u16;
                parts.into_iter().map(|(bits, random)| {
                    let freq = (1 + random % (1 << bits)).min(left / 400 + 1);
                    left -= freq.min(left);
                    freq
                }).collect::<Vec<_>>()
            })
        ) {
            check(&freqs);
        }

        #[test]
        fn is_the_textbook_code_when_steep(
            freqs in prop::collection::vec((0..10u32).prop_map(|bits| 1u16 << bits), 2..20)
        ) {
            check(&freqs);
        }
    }
}
