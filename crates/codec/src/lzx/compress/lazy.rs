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
    score: isize,
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
    let half = Effort { depth: (effort.depth / pr(9) as u32).max(1), nice: effort.nice };
    while pos + 4 < end {
        let limit = (end - pos).min(MAX_MATCH);
        let mut found = Match::default();
        finder.search::<false>(data, pos, limit, effort, |longer| found = longer);
        let Some(mut choice) = choose(found, recent.longest(data, pos, limit)) else {
            pos += 1;
            continue;
        };
        'steps: while choice.length < effort.nice && pos + 6 < end {
            for step in 1..=pr(7) as usize {
            let next = pos + step;
            let limit = (end - next).min(MAX_MATCH);
            let mut found = Match::default();
            let floor = (choice.length - step.min(choice.length)).max(3);
            finder.search_longer(data, next, limit, floor, half, |longer| found = longer);
            match choose(found, recent.longest(data, next, limit)) {
                Some(ahead) if ahead.score > choice.score + pr(4 + step) => {
                    pos = next;
                    choice = ahead;
                    continue 'steps;
                }
                _ => {},
            }
            }
            break;
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


pub static PR: std::sync::LazyLock<Vec<isize>> = std::sync::LazyLock::new(|| std::env::var("PR").unwrap_or_default().split(' ').filter_map(|x| x.parse().ok()).collect());
fn pr(i: usize) -> isize { PR[i] }
fn choose(found: Match, (rep_length, index): (usize, u32)) -> Option<Choice> {
    let mut best = Choice { score: pr(4), length: 0, code: 0 };
    if rep_length >= 2 {
        let score = pr(0) * rep_length as isize - pr(2) - if index > 0 { pr(3) } else { 0 } - if rep_length > 8 { pr(1) } else { 0 };
        if score > best.score { best = Choice { score, length: rep_length, code: index }; }
    }
    if found.length >= 3 {
        let code = found.offset as u32 + 2;
        let score = pr(0) * found.length as isize - super::parse::slot_of(code) as isize * 4 - pr(8) - if found.length > 8 { pr(1) } else { 0 };
        if score > best.score { best = Choice { score, length: found.length, code }; }
    }
    (best.length > 0).then_some(best)
}
