//! All matches of a chunk, found once and used by every pass.

use super::settings::Optimal;
use crate::lzx::layout::MAX_MATCH;
use crate::matchfinder::Size;
use crate::matchfinder::links::{LinkFinder, Match};

/// Bits of a packed item's length; the offset code stands above.
pub(super) const LENGTH_BITS: u32 = 9;
/// Mask of a packed item's length.
pub(super) const LENGTH_MASK: u32 = (1 << LENGTH_BITS) - 1;

/// Room for this many matches per position; a segment that has more goes without the rest.
const MATCHES_PER_POSITION: usize = 8;
/// Most matches a position can have: one of each length.
const MOST: usize = 256;

/// Matches in order of position, each position's by ascending length.
#[derive(Debug, Default)]
pub(super) struct MatchCache {
    /// `offset code << LENGTH_BITS | length`.
    pub(super) matches: Vec<u32>,
    /// How many of them each position has.
    pub(super) counts: Vec<u8>,
}

impl MatchCache {
    /// A cache for segments of up to `segment` bytes.
    pub(super) fn new(segment: usize) -> Self {
        Self {
            matches: vec![0; segment * MATCHES_PER_POSITION + MOST],
            counts: Vec::with_capacity(segment),
        }
    }

    /// Finds the matches of `start..end`. Behind a match of `effort.nice` bytes the search goes on only
    /// `keep` bytes before its end.
    pub(super) fn fill<S: Size>(
        &mut self,
        finder: &LinkFinder<S>,
        data: &S::Data,
        (start, end): (usize, usize),
        how: Optimal,
    ) {
        let Optimal { effort, satisfied, .. } = how;
        let keep = how.jump.keep;
        self.counts.clear();
        self.counts.resize(end - start, 0);
        let mut used = 0;
        let mut pos = start;
        let mut last = Match::default();
        while pos + 4 < end {
            let Some(places) = self.matches[used..].first_chunk_mut::<MOST>() else { break };
            let limit = (end - pos).min(MAX_MATCH);
            let before = std::mem::take(&mut last);
            let mut count = 0;
            let mut keep_match = |found| {
                places[count & (MOST - 1)] = pack(found);
                count += 1;
                last = found;
            };
            if before.length > satisfied {
                // The match before goes on here. Nearer ones would hardly be used, longer ones might.
                let rest = Match { length: before.length - 1, offset: before.offset };
                keep_match(rest);
                finder.search_longer(data, pos, limit, rest.length, effort, keep_match);
            } else {
                finder.search::<true>(data, pos, limit, effort, keep_match);
            }
            let count = count.min(MOST - 1);
            self.counts[pos - start] = count as u8;
            used += count;
            pos += 1;
            if last.length >= effort.nice {
                pos += last.length - keep - 1;
                last.length = 0;
            }
        }
    }

    /// How many matches there are from one position to another, counted from the segment's start.
    pub(super) fn count(&self, from: usize, to: usize) -> usize {
        self.counts[from..to].iter().map(|&count| usize::from(count)).sum()
    }
}

#[inline(always)]
fn pack(found: Match) -> u32 {
    (found.offset as u32 + 2) << LENGTH_BITS | found.length as u32
}
