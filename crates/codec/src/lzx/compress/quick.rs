//! A quick parse over cached matches: gives the first statistics.

use super::cache::{LENGTH_BITS, LENGTH_MASK, MatchCache};
use super::parse::{Parse, Recent, slot_of};
use crate::matchfinder::Data;

/// Matches of two bytes are not taken from this offset slot on.
pub(super) const FIRST_WITHOUT_2: u32 = 12;
/// Matches of three bytes are not taken from this offset slot on.
pub(super) const FIRST_WITHOUT_3: u32 = 22;

/// Rates a match found: near offsets are cheaper than far ones.
#[inline(always)]
fn explicit_score(length: usize, offset: usize) -> usize {
    length + usize::from(offset < 4096) + usize::from(offset < 256)
}

pub(super) fn parse(
    data: &impl Data,
    (start, end): (usize, usize),
    cache: &MatchCache,
    mut recent: Recent,
    parse: &mut Parse,
) {
    let mut next = 0;
    let mut pos = start;
    let mut anchor = start;
    let longest = |pos: usize, next: usize| -> (usize, u32) {
        let count = usize::from(cache.counts[pos - start]);
        if count == 0 {
            return (0, 0);
        }
        let found = cache.matches[next + count - 1];
        let (length, code) = ((found & LENGTH_MASK) as usize, found >> LENGTH_BITS);
        let slot = slot_of(code);
        let useless =
            length == 2 && slot >= FIRST_WITHOUT_2 || length == 3 && slot >= FIRST_WITHOUT_3;
        if useless { (0, 0) } else { (length, code) }
    };
    while pos < end {
        let limit = (end - pos).min(257);
        let score_at = |pos: usize, next: usize, limit: usize, recent: Recent| {
            let (length, code) = longest(pos, next);
            let mut best =
                (if length == 0 { 0 } else { explicit_score(length, code as usize) }, length, code);
            let (rep, index) = recent.longest(data, pos, limit);
            if rep >= 2 && rep + 2 >= best.0 {
                best = (rep + 2, rep, index);
            }
            best
        };
        let (mut score, mut length, mut code) = score_at(pos, next, limit, recent);
        if score == 0 {
            next += usize::from(cache.counts[pos - start]);
            pos += 1;
            continue;
        }
        while length < 32 && pos + 1 < end {
            let next2 = next + usize::from(cache.counts[pos - start]);
            let ahead = score_at(pos + 1, next2, (end - pos - 1).min(257), recent);
            if ahead.0 > score {
                pos += 1;
                next = next2;
                (score, length, code) = ahead;
            } else {
                break;
            }
        }
        parse.literals(&data.bytes()[anchor..pos]);
        parse.push((pos - anchor) as u32, length as u32, code);
        recent = recent.after(code);
        for p in pos..pos + length {
            next += usize::from(cache.counts[p - start]);
        }
        pos += length;
        anchor = pos;
        parse.match_ends(pos);
    }
    parse.literals(&data.bytes()[anchor..pos]);
}
