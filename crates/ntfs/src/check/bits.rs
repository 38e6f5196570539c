//! Bitmaps: what is in use, and how that differs from what a volume says.

use std::ops::Range;

/// A bit for each of a known number of things.
#[derive(Debug)]
pub(super) struct Bits {
    words: Vec<u64>,
    length: u64,
}

impl Bits {
    pub(super) fn new(length: u64) -> Self {
        let words = usize::try_from(length.div_ceil(64)).unwrap_or(0);
        Self { words: vec![0; words], length }
    }

    pub(super) const fn len(&self) -> u64 {
        self.length
    }

    pub(super) fn get(&self, bit: u64) -> bool {
        self.word(bit / 64) >> (bit % 64) & 1 == 1
    }

    /// 64 bits; zeros behind the last.
    pub(super) fn word(&self, word: u64) -> u64 {
        usize::try_from(word).ok().and_then(|word| self.words.get(word)).copied().unwrap_or(0)
    }

    /// Sets a bit; whether it was set before.
    pub(super) fn set(&mut self, bit: u64) -> bool {
        let before = self.get(bit);
        self.set_range(bit..bit + 1, |_| {});
        before
    }

    /// Sets bits; `already` gets the ranges of those that were set before. What is behind the last is left out.
    pub(super) fn set_range(&mut self, range: Range<u64>, mut already: impl FnMut(Range<u64>)) {
        let end = range.end.min(self.length);
        let mut at = range.start;
        let mut open: Option<Range<u64>> = None;
        while at < end {
            let (within, left) = (at % 64, end - at);
            let count = left.min(64 - within);
            let mask = (u64::MAX >> (64 - count)) << within;
            let Some(word) = usize::try_from(at / 64).ok().and_then(|at| self.words.get_mut(at))
            else {
                break;
            };
            let mut both = *word & mask;
            *word |= mask;
            while both != 0 {
                let first = u64::from(both.trailing_zeros());
                let ones = u64::from((both >> first).trailing_ones());
                let found = at - within + first..at - within + first + ones;
                both =
                    if first + ones >= 64 { 0 } else { both >> (first + ones) << (first + ones) };
                open = match open {
                    Some(last) if last.end == found.start => Some(last.start..found.end),
                    Some(last) => {
                        already(last);
                        Some(found)
                    }
                    None => Some(found),
                };
            }
            at += count;
        }
        open.into_iter().for_each(already);
    }

    pub(super) fn count(&self) -> u64 {
        self.words.iter().map(|word| u64::from(word.count_ones())).sum()
    }
}

/// Finds the ranges in which a bitmap is not as it should be.
#[derive(Debug, Default)]
pub(super) struct Differences {
    open: Option<(Range<u64>, bool)>,
}

impl Differences {
    /// Compares 64 bits, those from `start` on; `each` gets ranges that ended, and what the bitmap has there.
    pub(super) fn compare(
        &mut self,
        start: u64,
        expected: u64,
        actual: u64,
        mut each: impl FnMut(Range<u64>, bool),
    ) {
        let changed = expected ^ actual;
        let goes_on = self.open.as_ref().is_some_and(|(range, _)| range.end == start);
        if changed == 0 || !goes_on {
            self.end(&mut each);
        }
        let mut bit = 0;
        while bit < 64 && changed >> bit != 0 {
            bit += (changed >> bit).trailing_zeros();
            let value = actual >> bit & 1 == 1;
            let same = if value { actual } else { !actual };
            let ones = ((changed & same) >> bit).trailing_ones();
            let range = start + u64::from(bit)..start + u64::from(bit + ones);
            match &mut self.open {
                Some((last, before)) if last.end == range.start && *before == value => {
                    last.end = range.end;
                }
                _ => {
                    self.end(&mut each);
                    self.open = Some((range, value));
                }
            }
            bit += ones;
        }
    }

    /// The last range.
    pub(super) fn end(&mut self, mut each: impl FnMut(Range<u64>, bool)) {
        if let Some((range, value)) = self.open.take() {
            each(range, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_set_twice_is_told() {
        let mut bits = Bits::new(300);
        bits.set_range(10..20, |_| unreachable!());
        bits.set_range(60..200, |_| unreachable!());
        let mut twice = Vec::new();
        bits.set_range(15..290, |range| twice.push(range));
        assert_eq!(twice, [15..20, 60..200]);
        assert_eq!(bits.count(), 280);
        assert!(bits.get(289) && !bits.get(290) && !bits.get(1000));
        assert!(bits.set(289) && !bits.set(290));
    }

    proptest! {
        #[test]
        fn differences_are_those_bit_by_bit(expected: [u64; 3], actual: [u64; 3], same: [bool; 3]) {
            let mut found = Vec::new();
            let mut differences = Differences::default();
            let mut wanted: Vec<(Range<u64>, bool)> = Vec::new();
            for word in 0..3_u64 {
                let at = usize::try_from(word).unwrap();
                let actual = if same[at] { expected[at] } else { actual[at] };
                let each = |range, value| found.push((range, value));
                differences.compare(word * 64, expected[at], actual, each);
                for bit in 0..64 {
                    let value = actual >> bit & 1 == 1;
                    let number = word * 64 + bit;
                    if (expected[at] >> bit & 1 == 1) == value {
                        continue;
                    }
                    match wanted.last_mut() {
                        Some((range, before)) if range.end == number && *before == value => {
                            range.end += 1;
                        }
                        _ => wanted.push((number..number + 1, value)),
                    }
                }
            }
            differences.end(|range, value| found.push((range, value)));
            prop_assert_eq!(found, wanted);
        }
    }
}
