//! Chooses matches by looking one position ahead.

use super::parse::{Parse, Recent};
use crate::lzx::layout::{MAX_MATCH, RECENT_OFFSETS};
use crate::matchfinder::links::{Effort, LinkFinder, Match};
use crate::matchfinder::{Data, Size};

#[inline(always)]
pub(super) fn explicit_score(length: usize, offset: usize) -> usize {
    length + usize::from(offset < 4096) + usize::from(offset < 256)
}

/// Three-byte matches are not worth more than this offset.
const NEAR_TRIPLE: usize = 8192 - 2;

/// A match that could be taken.
#[derive(Clone, Copy)]
struct Choice {
    score: usize,
    length: usize,
    code: u32,
}

/// Parses `start..end` of the chunk into `parse`.
pub(super) fn parse<S: Size>(
    finder: &LinkFinder<S>,
    data: &S::Data,
    (start, end): (usize, usize),
    mut recent: Recent,
    effort: Effort,
    parse: &mut Parse,
) -> Recent {
    let bytes = data.bytes();
    let mut pos = start;
    let mut anchor = start;
    let half = Effort { depth: (effort.depth / 2).max(1), nice: effort.nice };
    while pos + 4 < end {
        let limit = (end - pos).min(MAX_MATCH);
        let mut found = Match::default();
        finder.search::<false>(data, pos, limit, effort, |longer| found = longer);
        if found.length == 3 && found.offset > NEAR_TRIPLE {
            found = Match::default();
        }
        let Some(mut choice) = choose(found, recent.longest(data, pos, limit)) else {
            pos += 1;
            continue;
        };
        while choice.length < effort.nice && pos + 5 < end {
            let next = pos + 1;
            let limit = (end - next).min(MAX_MATCH);
            let mut found = Match::default();
            let floor = (choice.length - 1).max(3);
            finder.search_longer(data, next, limit, floor, half, |longer| found = longer);
            match choose(found, recent.longest(data, next, limit)) {
                Some(ahead) if ahead.score > choice.score => {
                    pos = next;
                    choice = ahead;
                }
                _ => break,
            }
        }
        parse.literals(&bytes[anchor..pos]);
        parse.push((pos - anchor) as u32, choice.length as u32, choice.code);
        recent = recent.after(choice.code);
        pos += choice.length;
        anchor = pos;
        parse.match_ends(pos);
    }
    parse.literals(&bytes[anchor..end]);
    recent
}

/// The better of an explicit match and one at a recent offset.
#[inline(always)]
fn choose(found: Match, (rep_length, index): (usize, u32)) -> Option<Choice> {
    let explicit = Choice {
        score: explicit_score(found.length, found.offset),
        length: found.length,
        code: found.offset as u32 + RECENT_OFFSETS as u32 - 1,
    };
    let rep = Choice { score: rep_length + 2, length: rep_length, code: index };
    if rep_length >= 3 && (found.length == 0 || rep.score >= explicit.score) {
        Some(rep)
    } else {
        (found.length != 0).then_some(explicit)
    }
}
