//! Chooses matches by looking one position ahead.

use super::parse::{Frequencies, Parse, Recent};
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
    mut recent: Recent,
    effort: Effort,
    costs: &mut Costs,
    prior: &mut Frequencies,
    main_symbols: usize,
    parse: &mut Parse,
) -> Recent {
    let bytes = data.bytes();
    let mut pos = start;
    let mut anchor = start;
    let half = Effort { depth: (effort.depth / pr(9) as u32).max(1), nice: effort.nice };
    let mut pending = Pending { at: start, length: 0, code: 0, recent };
    costs.set(prior, main_symbols);
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
            bonus += costs.lit(bytes[next - 1]) as isize - rate; if step > 1 { bonus += pr(6); }
            let limit = (end - next).min(MAX_MATCH);
            let floor = (choice.length - step.min(choice.length)).max(3);
            let mut ahead = Choice { score: choice.score + bonus, length: 0, code: 0 };
            choose_rep(costs, recent.longest(data, next, limit), &mut ahead);
            if step == 1 { finder.search_longer(data, next, limit, floor, half, |found| choose(costs, found, &mut ahead));}
            if ahead.length > 0 {
                    pos = next;
                    choice = ahead;
                    continue 'steps;
                }
            }
            break;
        }
        let mut after = recent.after(choice.code);
        let next_pos = pos + choice.length;
        if pending.length > 0 {
            shift(data, costs, after.0[0] as usize, &mut pending, &mut pos, &mut choice);
            if pending.length == 0 {
                recent = pending.recent;
                let d = after.0[0];
                choice.code = (0..3).find(|&i| recent.0[i as usize] == d).unwrap_or(d + 2);
                after = recent.after(choice.code);
            } else {
            parse.literals(&bytes[anchor..pending.at]);
            parse.push((pending.at - anchor) as u32, pending.length as u32, pending.code);
            anchor = pending.at + pending.length;
            if parse.match_ends(anchor) {
                if let Some(cut) = parse.cuts.last() {
                    if pr(12) > 0 { prior.halve(); }
                    prior.add(&cut.freqs);
                    costs.set(prior, main_symbols);
                }
            }
            }
        }
        pending = Pending { at: pos, length: choice.length, code: choice.code, recent };
        recent = after;
        pos = next_pos;
    }
    if pending.length > 0 {
        parse.literals(&bytes[anchor..pending.at]);
        parse.push((pending.at - anchor) as u32, pending.length as u32, pending.code);
        anchor = pending.at + pending.length;
        parse.match_ends(anchor);
    }
    parse.literals(&bytes[anchor..end]);
    recent
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

struct Pending { at: usize, length: usize, code: u32, recent: Recent }
/// Moves the boundary between a match and the one right behind it to where both cost least.
fn shift(data: &impl Data, costs: &Costs, offset: usize, before: &mut Pending, pos: &mut usize, choice: &mut Choice) {
    let gap = *pos - before.at - before.length;
    let most = (before.length + gap).min(MAX_MATCH - choice.length);
    if most == 0 || *pos < offset + 8 { return; }
    let mut k = 0;
    loop {
        let x = data.load64(*pos - k - 8) ^ data.load64(*pos - k - offset - 8);
        if x != 0 { k += x.leading_zeros() as usize / 8; break; }
        k += 8;
        if k >= most || *pos < offset + k + 8 { break; }
    }
    let k = k.min(most);
    if k == 0 { return; }
    let slot0 = super::parse::slot_of(before.code) as usize;
    let slot1 = super::parse::slot_of(choice.code) as usize;
    let low = if slot0 >= 8 { (costs.aligned(slot0, before.code) >> 32) as u32 } else { 0 };
    let bytes = data.bytes();
    let mut literals: u32 = bytes[*pos - gap.min(k)..*pos].iter().map(|&b| costs.lit(b)).sum();
    let mut best = (costs.of(slot0, before.length) + low + literals + costs.of(slot1, choice.length), 0);
    for j in 1..=k {
        let first = if j <= gap {
            literals -= costs.lit(bytes[*pos - j]);
            costs.of(slot0, before.length) + low
        } else {
            let rest = before.length - (j - gap);
            if rest >= 2 { costs.of(slot0, rest) + low } else if rest == 1 { costs.lit(bytes[before.at]) } else { 0 }
        };
        best = best.min((first + literals + costs.of(slot1, choice.length + j), j));
    }
    let j = best.1;
    *pos -= j;
    choice.length += j;
    if j > gap { before.length -= j - gap; if before.length == 1 { before.length = 0; } }
}
