//! Chooses matches by looking one position ahead, or two.

use super::parse::{Parse, Recent};
use super::prices::{Habits, Prices};
use crate::lzx::layout::{MAX_MATCH, MIN_MATCH, RECENT_OFFSETS};
use crate::matchfinder::links::{Effort, LinkFinder, Match};
use crate::matchfinder::{Data, Size};

/// How hard a lazy parse looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// The search at a position.
    pub(super) effort: Effort,
    /// The search one position ahead.
    pub(super) ahead: Effort,
    /// Two-byte matches are found, too, and recent offsets are tried two positions ahead.
    pub(super) thorough: bool,
}

/// A match that could be taken.
#[derive(Clone, Copy)]
struct Choice {
    gain: i32,
    length: usize,
    code: u32,
}

/// A match that is taken, but may still give bytes to the next one.
#[derive(Clone, Copy)]
struct Taken {
    at: usize,
    length: usize,
    code: u32,
    /// The recent offsets before it.
    recent: Recent,
}

impl Taken {
    const fn end(&self) -> usize {
        self.at + self.length
    }
}

/// What a lazy parse works with.
pub(super) struct Lazy<'a, S: Size> {
    pub(super) finder: &'a LinkFinder<S>,
    pub(super) data: &'a S::Data,
    pub(super) patience: Patience,
    pub(super) prices: &'a mut Prices,
    pub(super) parse: &'a mut Parse,
}

impl<S: Size> Lazy<'_, S> {
    /// Parses `start..end` of the chunk. `THOROUGH` is the patience's `thorough`.
    pub(super) fn run<const THOROUGH: bool>(
        &mut self,
        (start, end): (usize, usize),
        mut recent: Recent,
    ) -> Recent {
        let bytes = &self.data.bytes()[start..end];
        self.prices.begin(bytes, if THOROUGH { Habits::for_bytes(bytes) } else { Habits::USUAL });
        // Literals up to here have been counted.
        let mut anchor = start;
        let mut last = Taken { at: start, length: 0, code: 0, recent };
        let mut pos = start;
        while pos + 4 < end {
            let Some(mut choice) = self.choose::<THOROUGH>(pos, end, recent) else {
                pos += 1;
                continue;
            };
            while choice.length < self.patience.ahead.nice && pos + 6 < end {
                let Some((step, better)) = self.look_ahead::<THOROUGH>(pos, end, recent, choice)
                else {
                    break;
                };
                pos += step;
                choice = better;
            }
            let mut next = Taken { at: pos, length: choice.length, code: choice.code, recent };
            pos = next.end();
            recent = next.recent.after(next.code);
            if last.length > 0 {
                self.share(&mut last, &mut next, recent.0[0]);
                if last.length > 0 {
                    anchor = self.settle(anchor, last);
                } else {
                    // Without the match before it, another code may mean the same offset.
                    let offset = recent.0[0];
                    next.recent = last.recent;
                    next.code = next.recent.code(offset);
                    recent = next.recent.after(next.code);
                }
            }
            last = next;
        }
        if last.length > 0 {
            anchor = self.settle(anchor, last);
        }
        self.parse.literals(&self.data.bytes()[anchor..end]);
        recent
    }

    /// The best match at a position, if any is worth it.
    #[inline(always)]
    fn choose<const THOROUGH: bool>(
        &self,
        pos: usize,
        end: usize,
        recent: Recent,
    ) -> Option<Choice> {
        let limit = (end - pos).min(MAX_MATCH);
        let mut best = Choice { gain: self.prices.habits.least_gain, length: 0, code: 0 };
        self.try_recent(pos, limit, recent, &mut best);
        self.finder.search::<THOROUGH>(self.data, pos, limit, self.patience.effort, |found| {
            self.consider(pos, found, &mut best);
        });
        let habits = &self.prices.habits;
        if best.length < habits.sure {
            let literals = self.prices.literals(&self.data.bytes()[pos..pos + best.length]);
            if best.length == 0 || literals < habits.doubt + self.prices.of(best.code, best.length)
            {
                return None;
            }
        }
        Some(best)
    }

    /// A better match behind `choice`'s position, and how far behind.
    #[inline(always)]
    fn look_ahead<const THOROUGH: bool>(
        &self,
        pos: usize,
        end: usize,
        recent: Recent,
        choice: Choice,
    ) -> Option<(usize, Choice)> {
        let bytes = self.data.bytes();
        let next = pos + 1;
        let limit = (end - next).min(MAX_MATCH);
        let gain = choice.gain + self.prices.habits.delay + self.prices.delay(bytes[pos]);
        let mut best = Choice { gain, length: 0, code: 0 };
        self.try_recent(next, limit, recent, &mut best);
        let floor = (choice.length - 1).max(3);
        let effort = self.patience.ahead;
        self.finder.search_longer(self.data, next, limit, floor, effort, |found| {
            self.consider(next, found, &mut best);
        });
        if best.length > 0 {
            return Some((1, best));
        }
        if THOROUGH {
            best.gain += self.prices.habits.second_delay + self.prices.delay(bytes[next]);
            self.try_recent(next + 1, limit - 1, recent, &mut best);
        }
        (best.length > 0).then_some((2, best))
    }

    #[inline(always)]
    fn try_recent(&self, pos: usize, limit: usize, recent: Recent, best: &mut Choice) {
        let (length, index) = recent.longest(self.data, pos, limit);
        if length >= MIN_MATCH {
            let offset = recent.0[index as usize] as usize;
            let gain = self.prices.recent_gain(index, length) + self.sequel(pos + length, offset);
            if gain > best.gain {
                *best = Choice { gain, length, code: index };
            }
        }
    }

    #[inline(always)]
    fn consider(&self, pos: usize, found: Match, best: &mut Choice) {
        let Match { length, offset } = found;
        let code = offset as u32 + RECENT_OFFSETS as u32 - 1;
        let gain = self.prices.found_gain(code, length) + self.sequel(pos + length, offset);
        if gain > best.gain {
            *best = Choice { gain, length, code };
        }
    }

    /// What it is worth that the bytes from a match's end on agree with those `offset` before them here
    /// and there: the offset will be a recent one then.
    #[inline(always)]
    fn sequel(&self, end: usize, offset: usize) -> i32 {
        let differing = |at: usize| self.data.load64(at) ^ self.data.load64(at - offset);
        let (low, high) = (zero_bytes(differing(end)), zero_bytes(differing(end + 8)));
        // Two bytes in a row are the shortest match. The lowest byte of `high` stands above `low`.
        let pairs = (low & (low >> 8 | high << 56)) + (high & high >> 8);
        self.prices.habits.sequel * (pairs.wrapping_mul(EACH_BYTE) >> 56) as i32
    }

    /// Moves the beginning of `next`, a match at `offset`, back to where it and the match before it
    /// cost least: over literals between them, into the match before it, or to that one's beginning,
    /// which leaves that one no length.
    #[inline(always)]
    fn share(&self, last: &mut Taken, next: &mut Taken, offset: u32) {
        let most = (next.at - last.at).min(MAX_MATCH - next.length);
        let common = self.common_before(next.at, offset as usize, most);
        if common == 0 {
            return;
        }
        let bytes = self.data.bytes();
        let prices = &*self.prices;
        let whole = prices.of(last.code, last.length);
        let gap = next.at - last.end();
        let mut literals = prices.literals(&bytes[next.at - gap.min(common)..next.at]);
        let mut best = (whole + literals + prices.of(next.code, next.length), 0, last.length);
        for back in 1..=common {
            let start = next.at - back;
            let (before, length) = match (start - last.at).min(last.length) {
                0 => (0, 0),
                1 => (prices.literal(bytes[last.at]), 0),
                length if length < last.length => (prices.of(last.code, length), length),
                length => {
                    literals -= prices.literal(bytes[start]);
                    (whole, length)
                }
            };
            let price = before + literals + prices.of(next.code, next.length + back);
            best = best.min((price, back, length));
        }
        let (_, back, length) = best;
        last.length = length;
        next.at -= back;
        next.length += back;
    }

    /// How many bytes before `pos` equal those `offset` before them, up to `most`.
    #[inline(always)]
    fn common_before(&self, pos: usize, offset: usize, most: usize) -> usize {
        let mut common = 0;
        while common < most && pos >= offset + common + 8 {
            let at = pos - common - 8;
            let difference = self.data.load64(at) ^ self.data.load64(at - offset);
            if difference != 0 {
                common += difference.leading_zeros() as usize / 8;
                break;
            }
            common += 8;
        }
        common.min(most)
    }

    /// Records a match, and after a cut the prices follow.
    #[inline(always)]
    fn settle(&mut self, anchor: usize, taken: Taken) -> usize {
        self.parse.literals(&self.data.bytes()[anchor..taken.at]);
        self.parse.push((taken.at - anchor) as u32, taken.length as u32, taken.code);
        if self.parse.match_ends(taken.end()) {
            if let Some(cut) = self.parse.cuts.last() {
                self.prices.learn(&cut.freqs);
            }
        }
        taken.end()
    }
}

/// One in each byte.
const EACH_BYTE: u64 = 0x0101_0101_0101_0101;

/// One in each byte that is zero, and zero in the others.
#[inline(always)]
const fn zero_bytes(word: u64) -> u64 {
    const LOW_BITS: u64 = 0x7F * EACH_BYTE;
    !(((word & LOW_BITS) + LOW_BITS) | word | LOW_BITS) >> 7
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_bytes_are_found_one_by_one() {
        for zeros in 0..=255_u32 {
            for other in [1, 0x7F, 0x80, 0xFF] {
                let bytes = |zero, other| {
                    u64::from_le_bytes(std::array::from_fn(|i| {
                        if zeros >> i & 1 == 1 { zero } else { other }
                    }))
                };
                assert_eq!(zero_bytes(bytes(0, other)), bytes(1, 0), "{zeros:08b}, {other:#x}");
            }
        }
    }
}
