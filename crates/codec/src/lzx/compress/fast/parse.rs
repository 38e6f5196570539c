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
            let (recent, index) = self.recent(at, here.bytes);
            let mut choice = if here.deep != 0 {
                Choice::found(self.finder.deep_match::<FIRST>(at, here, self.nice))
            } else if here.first != 0 {
                let near = self.finder.near_match(at, here);
                let slot = offset_slot(near.offset as u32);
                if near.len == 3 && costs.three_literals_win(here.bytes, slot) {
                    Choice::NONE
                } else {
                    Choice::found(near)
                }
            } else {
                Choice::NONE
            };
            if recent.len >= 1 << 23
                || recent.len >= 1 << 15
                    && choice.len == 0
                    && !costs.two_literals_win(here.bytes, index)
            {
                choice = choice.or(Choice::recent(self.extended(at, recent)));
            }
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

    /// The longest match of up to 8 bytes at a recent offset, and its index.
    #[inline(always)]
    fn recent(&self, at: usize, bytes: u64) -> (Match, usize) {
        let offsets = self.items.recent();
        // Ones for the bits that agree before the first that does not.
        let agreeing = |offset: u32| {
            let differing = self.finder.read8(at - offset as usize) ^ bytes;
            differing.wrapping_sub(1) & !differing & 0x8080_8080_8080_8080
        };
        let [r0, r1, r2] = offsets;
        let (mut best, mut offset, mut index) = (agreeing(r0), r0, 0);
        for (other, i) in [(r1, 1), (r2, 2)] {
            let agreeing = agreeing(other);
            let better = agreeing > best;
            best = select_unpredictable(better, agreeing, best);
            offset = select_unpredictable(better, other, offset);
            index = select_unpredictable(better, i, index);
        }
        (Match { len: best as usize, offset: offset as usize }, index)
    }

    /// The whole of a match at a recent offset.
    #[inline(always)]
    fn extended(&self, at: usize, found: Match) -> Match {
        let max = self.finder.end() - at;
        let len = if (found.len as u64) < 1 << 63 {
            ((found.len.ilog2() as usize + 1) / 8).min(max)
        } else {
            self.finder.extend(at - found.offset, at, 7, max)
        };
        Match { len, offset: found.offset }
    }

    /// The best match at a position, if it can be better than `choice` one before.
    #[inline(always)]
    fn better<const NEXT: usize>(&self, at: usize, probed: Candidates, choice: Choice) -> Choice {
        let mut better = if probed.deep != 0 {
            Choice::found(self.finder.longer_match::<NEXT>(at, probed.deep, choice.len - 1))
        } else if (choice.len <= 4) & (probed.first != 0) {
            Choice::found(self.finder.near_match(at, probed))
        } else {
            Choice::NONE
        };
        let (recent, _) = self.recent(at, probed.bytes);
        if recent.len >= 1 << 23 {
            better = better.or(Choice::recent(self.extended(at, recent)));
        }
        better
    }

    /// Appends a match, which may take over literals before it.
    #[inline(always)]
    fn take(&mut self, at: usize, choice: Choice) {
        let mut start = at;
        while start > choice.offset + START
            && self.finder.byte(start - 1) == self.finder.byte(start - 1 - choice.offset)
            && self.items.take_back_literal()
        {
            start -= 1;
        }
        if let Some(len) = self.items.last_match() {
            let mut common = 0;
            while common < len
                && start > common + choice.offset + START
                && self.finder.byte(start - 1 - common)
                    == self.finder.byte(start - 1 - common - choice.offset)
            {
                common += 1;
            }
            if common + 1 >= len {
                self.items.take_back_match();
                if common < len {
                    self.items.literal(self.finder.byte(start - len));
                }
                start -= common;
            }
        }
        self.items.matched(choice.len + (at - start), choice.offset as u32);
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
