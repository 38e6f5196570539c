//! Chooses matches by looking one position ahead.

use super::block::Parse;
use crate::matchfinder::links::{Effort, LinkFinder, Match};
use crate::matchfinder::{Data, Size, common_length};

/// The three recent offsets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recent(pub(super) [u32; 3]);

impl Recent {
    /// Uses an offset code and returns the queue behind it.
    #[inline(always)]
    pub(super) fn after(self, code: u32) -> Self {
        let [r0, r1, r2] = self.0;
        Self(match code {
            0 => [r0, r1, r2],
            1 => [r1, r0, r2],
            2 => [r2, r1, r0],
            _ => [code - 2, r0, r1],
        })
    }

    /// The longest match at a recent offset: length and index.
    #[inline(always)]
    pub(super) fn longest(self, data: &impl Data, pos: usize, limit: usize) -> (usize, u32) {
        let seq = data.load32(pos) as u16;
        let mut best = (0, 0);
        for (index, offset) in (0..).zip(self.0) {
            let offset = offset as usize;
            if offset <= pos && data.load32(pos - offset) as u16 == seq {
                let length = common_length(data, pos, pos - offset, 2, limit);
                if length > best.0 {
                    best = (length, index);
                }
            }
        }
        best
    }
}

#[inline(always)]
pub(super) fn explicit_score(length: usize, offset: usize) -> usize {
    length + usize::from(offset < 4096) + usize::from(offset < 256)
}

/// Parses `start..end` of the chunk into `parse`.
pub(super) fn parse<S: Size>(
    finder: &LinkFinder<S>,
    data: &S::Data,
    start: usize,
    end: usize,
    mut recent: Recent,
    effort: Effort,
    parse: &mut Parse,
) -> Recent {
    let bytes = data.bytes();
    let mut pos = start;
    let mut anchor = start;
    let half = Effort { depth: (effort.depth / 2).max(1), nice: effort.nice };
    let best_at = |pos: usize, recent: Recent, effort: Effort| {
        let limit = (end - pos).min(257);
        let mut m = Match::default();
        finder.search(data, pos, limit, effort, |found| m = found);
        if m.length < 3 || (m.length == 3 && m.offset >= 8192 - 2) {
            m = Match::default();
        }
        let (rep_len, rep_index) = recent.longest(data, pos, limit);
        let score = if m.length > 0 { explicit_score(m.length, m.offset) } else { 0 };
        if rep_len >= 3 && rep_len + 2 >= score {
            (rep_len + 2, rep_len, rep_index)
        } else {
            (score, m.length, m.offset as u32 + 2)
        }
    };
    while pos + 4 < end {
        let (mut score, mut length, mut code) = best_at(pos, recent, effort);
        if score == 0 {
            pos += 1;
            continue;
        }
        while length < effort.nice && pos + 5 < end {
            let ahead = best_at(pos + 1, recent, half);
            if ahead.0 <= score {
                break;
            }
            pos += 1;
            (score, length, code) = ahead;
        }
        parse.literals(&bytes[anchor..pos]);
        parse.push((pos - anchor) as u32, length as u32, code);
        recent = recent.after(code);
        pos += length;
        anchor = pos;
    }
    parse.literals(&bytes[anchor..end]);
    recent
}
