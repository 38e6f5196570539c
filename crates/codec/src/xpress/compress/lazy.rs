//! Lazy parsing: take the match at a position unless the next position has a better one.

use super::costs::Costs;
use super::finder::{Finder, HashBits, Match, PROBE_BYTES, START};
use super::items::Collector;

/// Matches longer than this enter only their ends into the tables.
const LONG_MATCH: usize = 2 * KEPT_ENDS + 4;
/// How much of each end that is.
const KEPT_ENDS: usize = 32;

/// Chooses literals and matches for the chunk in `finder`.
///
/// `FIRST` and `NEXT` are the numbers of chain steps at a position and at the one behind a match.
/// Matches of `nice` bytes are taken at once.
pub(super) fn parse<H: HashBits, const FIRST: usize, const NEXT: usize>(
    finder: &mut Finder,
    items: &mut Collector<'_>,
    nice: usize,
) {
    let end = finder.end();
    let last = end.saturating_sub(PROBE_BYTES - 1);
    let mut costs = Costs::new();
    let mut at = START;
    let mut here = finder.probe::<H>(at);
    while at < last {
        // Asked for ahead of the decision that may not need it, so that the two overlap.
        let mut next = finder.probe::<H>(at + 1);
        let mut found;
        if here.deep != 0 {
            found = finder.deep_match::<FIRST>(at, here, nice);
        } else {
            found = finder.near_match(at, here);
            let unwanted = here.first == 0
                || found.len == 3 && costs.literals_win(here.bytes, found.offset_bits());
            if unwanted {
                items.literal(here.bytes as u8);
                at += 1;
                here = next;
                continue;
            }
        }
        while (found.len < nice) & (at + 1 < last) {
            let better = if next.deep != 0 {
                finder.longer_match::<NEXT>(at + 1, next.deep, found.len - 1)
            } else if (found.len > 4) | (next.first == 0) {
                break;
            } else {
                finder.near_match(at + 1, next)
            };
            if !is_worth_a_literal(better, found) {
                break;
            }
            items.literal(finder.byte(at));
            at += 1;
            found = better;
            next = finder.probe::<H>(at + 1);
        }
        let match_end = at + found.len;
        let extended = extend_back(finder, items, at, found);
        items.matched(extended);
        skip_match::<H>(finder, at, match_end.min(last), found);
        at = match_end;
        if at >= last {
            break;
        }
        here = finder.probe::<H>(at);
        costs.renew(items);
    }
    while at < end {
        items.literal(finder.byte(at));
        at += 1;
    }
}

/// Whether `better`, one byte later, saves more than a literal against `found`: a byte of length is
/// counted as 4 bits.
#[inline(always)]
fn is_worth_a_literal(better: Match, found: Match) -> bool {
    let gain = (better.len as i32 - found.len as i32) * 3;
    gain + found.offset_bits() as i32 - better.offset_bits() as i32 > 1
}

/// Lets a match at `at` take over the literals before it that it covers as well.
#[inline(always)]
fn extend_back(finder: &Finder, items: &mut Collector<'_>, at: usize, found: Match) -> Match {
    let mut start = at;
    while start > found.offset + START
        && finder.byte(start - 1) == finder.byte(start - 1 - found.offset)
        && items.take_back_literal()
    {
        start -= 1;
    }
    Match { len: found.len + (at - start), offset: found.offset }
}

/// Enters what lies inside a match, the first two positions of which have been probed.
#[inline(always)]
fn skip_match<H: HashBits>(finder: &mut Finder, at: usize, end: usize, found: Match) {
    let mut from = at + 2;
    if found.len > LONG_MATCH {
        // The inside of a short period is the same everywhere.
        if found.offset > KEPT_ENDS {
            finder.skip::<H>(from, from + KEPT_ENDS);
        }
        from = from.max(end - KEPT_ENDS);
    }
    finder.skip::<H>(from, end);
}
