//! Chooses matches by looking one position ahead.

use super::parse::{Parse, Recent};
use super::cost::Costs;
use crate::lzx::layout::MAX_MATCH;
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
    recent_io: &mut Recent,
    effort: Effort,
    costs: &Costs,
    parse: &mut Parse,
) -> usize {
    let bytes = data.bytes();
    let mut recent = *recent_io;
    let mut pos = start;
    let mut anchor = start;
    let half = Effort { depth: (effort.depth / pr(9) as u32).max(1), nice: effort.nice };
    let cuts = parse.cuts.len();
    let none = Choice { score: pr(4), length: 0, code: 0 };
    let rate = pr(0);
    while pos + 4 < end {
        let limit = (end - pos).min(MAX_MATCH);
        let mut choice = none;
        choose_rep(costs, recent.longest(data, pos, limit), &mut choice);
        if pr(11) > 0 {
        finder.search::<true>(data, pos, limit, effort, |found| choose(costs, found, &mut choice));
        } else {
        finder.search::<false>(data, pos, limit, effort, |found| choose(costs, found, &mut choice));
        }
        if choice.length > 0 && choice.length < 4 {
            let lits: isize = bytes[pos..pos+choice.length].iter().map(|&b| costs.lit(b) as isize).sum();
            if lits - (rate * choice.length as isize - choice.score) < pr(1) { choice = none; }
        }
        if choice.length == 0 {
            pos += 1;
            continue;
        };
        'steps: while choice.length < effort.nice && pos + 6 < end {
            let mut bonus = pr(5);
            for step in 1..=pr(7) as usize {
            let next = pos + step;
            bonus += costs.lit(bytes[next - 1]) as isize - rate;
            let limit = (end - next).min(MAX_MATCH);
            let floor = (choice.length - step.min(choice.length)).max(3);
            let mut ahead = Choice { score: choice.score + bonus, length: 0, code: 0 };
            choose_rep(costs, recent.longest(data, next, limit), &mut ahead);
            finder.search_longer(data, next, limit, floor, half, |found| choose(costs, found, &mut ahead));
            if ahead.length > 0 {
                    pos = next;
                    choice = ahead;
                    continue 'steps;
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
        if parse.cuts.len() != cuts {
            *recent_io = recent;
            return pos;
        }
    }
    parse.literals(&bytes[anchor..end]);
    *recent_io = recent;
    end
}

pub static PR: std::sync::LazyLock<Vec<isize>> = std::sync::LazyLock::new(|| std::env::var("PR").unwrap_or_default().split(' ').filter_map(|x| x.parse().ok()).collect());
fn pr(i: usize) -> isize { PR[i] }
#[inline(always)]
fn choose_rep(costs: &Costs, (length, index): (usize, u32), best: &mut Choice) {
    if length >= 2 {
        let score = pr(0) * length as isize - costs.of(index as usize, length) as isize - pr(2);
        if score > best.score { *best = Choice { score, length, code: index }; }
    }
}
#[inline(always)]
fn choose(costs: &Costs, found: Match, best: &mut Choice) {
        let code = found.offset as u32 + 2;
        let slot = super::parse::slot_of(code) as usize;
        let score = pr(0) * found.length as isize - costs.of(slot, found.length) as isize - (costs.aligned(slot, code) >> 32) as isize - pr(8);
        if score > best.score { *best = Choice { score, length: found.length, code }; }
}
