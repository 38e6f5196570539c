//! Lazy parsing: take the match at a position unless the next position has a better one.

use std::hint::select_unpredictable;

use super::costs::Costs;
use super::items::Items;
use crate::lzx::layout::offset_slot;
use crate::matchfinder::probe::{Candidates, Finder, HashBits, Match, PROBE_BYTES, START};

/// Matches longer than this enter only their ends into the tables.
const LONG_MATCH: usize = 2 * KEPT_ENDS + 4;
/// How much of each end that is.
const KEPT_ENDS: usize = 32;
/// A cell ends behind this many bytes, and no cell but the last is shorter.
const CELL: usize = 8192;
/// Bytes between two renewals of the cost estimates.
const RENEWAL: usize = 2048;
/// A byte of match length, in bits.
const BYTE: i32 = 4;
/// What a match at a recent offset is worth beside its length.
const RECENT: i32 = 2;

/// The top bit of each of 8 bytes.
const TOP_BITS: u64 = 0x8080_8080_8080_8080;

/// A match that could be taken.
#[derive(Clone, Copy)]
struct Choice {
    len: usize,
    offset: usize,
    gain: i32,
}

impl Choice {
    const NONE: Self = Self { len: 0, offset: 0, gain: i32::MIN / 2 };

    #[inline(always)]
    fn found(found: Match) -> Self {
        let bits = (found.offset as u32 + 2).ilog2() as i32 - 1;
        Self { len: found.len, offset: found.offset, gain: BYTE * found.len as i32 - bits }
    }

    #[inline(always)]
    fn recent(found: Match) -> Self {
        Self { len: found.len, offset: found.offset, gain: BYTE * found.len as i32 + RECENT }
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        if other.gain > self.gain { other } else { self }
    }
}

/// The parser of one chunk.
pub(super) struct Parser<'a> {
    pub(super) finder: &'a mut Finder,
    pub(super) items: &'a mut Items,
    /// Matches of this many bytes are taken without looking further.
    pub(super) nice: usize,
}

impl Parser<'_> {
    /// Chooses literals and matches.
    ///
    /// `FIRST` and `NEXT` are the numbers of chain steps at a position and at the one behind a match.
    pub(super) fn run<H: HashBits, const FIRST: usize, const NEXT: usize>(mut self) {
        let end = self.finder.end();
        let last = end.saturating_sub(PROBE_BYTES - 1);
        let mut costs = Costs::new();
        let mut renewal = START + RENEWAL / 4;
        let mut cut_at = START + CELL;
        // At the first byte recent offsets lead nowhere.
        self.finder.probe::<H>(START);
        self.items.literal(self.finder.byte(START));
        let mut at = START + 1;
        let mut here = self.finder.probe::<H>(at);
        while at < last {
            // Asked for ahead of the decision that may not need it, so that the two overlap.
            let mut next = self.finder.probe::<H>(at + 1);
            let mut choice = self.choose::<FIRST>(at, here, &costs);
            if choice.len == 0 {
                self.items.literal(here.bytes as u8);
                at += 1;
                here = next;
                continue;
            }
            while (choice.len < self.nice) & (at + 1 < last) {
                let better = self.better::<NEXT>(at + 1, next, choice);
                if better.gain <= choice.gain + costs.delay(self.finder.byte(at)) {
                    break;
                }
                self.items.literal(self.finder.byte(at));
                at += 1;
                choice = better;
                next = self.finder.probe::<H>(at + 1);
            }
            let match_end = at + choice.len;
            self.take(at, choice);
            self.skip_match::<H>(at, match_end.min(last), choice);
            at = match_end;
            if at >= renewal {
                costs.renew(self.items.frequencies());
                if at < cut_at {
                    renewal = cut_at.min(at + RENEWAL);
                } else {
                    cut_at = if at + CELL / 2 < end {
                        self.items.cut(at - START);
                        at + CELL
                    } else {
                        end
                    };
                    renewal = cut_at;
                }
            }
            if at >= last {
                break;
            }
            here = self.finder.probe::<H>(at);
        }
        while at < end {
            self.items.literal(self.finder.byte(at));
            at += 1;
        }
        self.items.cut(end - START);
    }

    /// The best match at a position; without a length if literals cost less.
    #[inline(always)]
    fn choose<const FIRST: usize>(&self, at: usize, probed: Candidates, costs: &Costs) -> Choice {
        if probed.first == 0 {
            // Three bytes at a recent offset would nearly always have been found.
            return self.pair(at, probed.bytes, costs);
        }
        let found = if probed.deep != 0 {
            Choice::found(self.finder.deep_match::<FIRST>(at, probed, self.nice))
        } else {
            let near = self.finder.near_match(at, probed);
            let slot = offset_slot(near.offset as u32);
            if near.len == 3 && costs.three_literals_win(probed.bytes, slot) {
                self.pair(at, probed.bytes, costs)
            } else {
                Choice::found(near)
            }
        };
        self.recent_or(found, at, probed.bytes)
    }

    /// The best match at a position, if it can be better than `choice` one before.
    #[inline(always)]
    fn better<const NEXT: usize>(&self, at: usize, probed: Candidates, choice: Choice) -> Choice {
        if probed.first == 0 {
            return Choice::NONE;
        }
        let better = if probed.deep != 0 {
            Choice::found(self.finder.longer_match::<NEXT>(at, probed.deep, choice.len - 1))
        } else if choice.len <= 4 {
            Choice::found(self.finder.near_match(at, probed))
        } else {
            Choice::NONE
        };
        self.recent_or(better, at, probed.bytes)
    }

    /// A match of two bytes or more at the most recent offset, if literals do not cost less.
    #[inline(always)]
    fn pair(&self, at: usize, bytes: u64, costs: &Costs) -> Choice {
        let offset = self.items.recent()[0] as usize;
        let differing = self.finder.read8(at - offset) ^ bytes;
        if differing as u16 != 0 || costs.two_literals_win(bytes) {
            return Choice::NONE;
        }
        let len = self.finder.extend(at - offset, at, 2, self.finder.end() - at);
        Choice::recent(Match { len, offset })
    }

    /// `found`, or a match of three bytes or more at a recent offset if that is better.
    #[inline(always)]
    fn recent_or(&self, found: Choice, at: usize, bytes: u64) -> Choice {
        // The top bits of the bytes that agree before the first that does not.
        let agreeing = |offset: u32| {
            let differing = self.finder.read8(at - offset as usize) ^ bytes;
            differing.wrapping_sub(1) & !differing & TOP_BITS
        };
        let [mut offset, second, third] = self.items.recent();
        let mut best = agreeing(offset);
        for other in [second, third] {
            let agreeing = agreeing(other);
            offset = select_unpredictable(agreeing > best, other, offset);
            best = best.max(agreeing);
        }
        if best < 1 << 23 {
            return found;
        }
        let offset = offset as usize;
        let max = self.finder.end() - at;
        let mut len = ((best.ilog2() as usize + 1) / 8).min(max);
        if len == 8 {
            len = self.finder.extend(at - offset, at, 8, max);
        }
        found.or(Choice::recent(Match { len, offset }))
    }

    /// Appends a match, which may take over literals before it, and the match before those.
    #[inline(always)]
    fn take(&mut self, at: usize, choice: Choice) {
        let mut start = self.take_over_literals(at, choice.offset);
        if let Some((len, worth)) = self.items.last_match() {
            let common = self.common_before(start, choice.offset, len);
            if common + worth >= len {
                self.items.take_back_match();
                for at in start - len..start - common {
                    self.items.literal(self.finder.byte(at));
                }
                start -= common;
                if common == len {
                    start = self.take_over_literals(start, choice.offset);
                }
            }
        }
        self.items.matched(choice.len + (at - start), choice.offset as u32);
    }

    /// Takes back the literals before `at` that equal the bytes `offset` before them, and returns where
    /// they began.
    #[inline(always)]
    fn take_over_literals(&mut self, mut at: usize, offset: usize) -> usize {
        while at > offset + START
            && self.finder.byte(at - 1) == self.finder.byte(at - 1 - offset)
            && self.items.take_back_literal()
        {
            at -= 1;
        }
        at
    }

    /// How many bytes before `at` equal those `offset` before them, up to `most`.
    #[inline(always)]
    fn common_before(&self, at: usize, offset: usize, most: usize) -> usize {
        let most = most.min(at - offset - START);
        let mut common = 0;
        while common < most
            && self.finder.byte(at - 1 - common) == self.finder.byte(at - 1 - common - offset)
        {
            common += 1;
        }
        common
    }

    /// Enters what lies inside a match, the first two positions of which have been probed.
    #[inline(always)]
    fn skip_match<H: HashBits>(&mut self, at: usize, end: usize, choice: Choice) {
        let mut from = at + 2;
        if choice.len > LONG_MATCH {
            // The inside of a short period is the same everywhere.
            if choice.offset > KEPT_ENDS {
                self.finder.skip::<H>(from, from + KEPT_ENDS);
            }
            from = from.max(end - KEPT_ENDS);
        }
        self.finder.skip::<H>(from, end);
    }
}
