//! All matches of a chunk, found once and used by every pass.

use crate::matchfinder::links::{Effort, LinkFinder};
use crate::matchfinder::Size;

/// Bits of a packed item's length; the offset code stands above.
pub(super) const LENGTH_BITS: u32 = 9;
/// Mask of a packed item's length.
pub(super) const LENGTH_MASK: u32 = (1 << LENGTH_BITS) - 1;

/// Matches in order of position, each position's by ascending length.
#[derive(Debug, Default)]
pub(super) struct MatchCache {
    /// `offset code << LENGTH_BITS | length`.
    pub(super) matches: Vec<u32>,
    /// How many of them each position has.
    pub(super) counts: Vec<u8>,
}

impl MatchCache {
    pub(super) fn fill<S: Size>(
        &mut self,
        finder: &LinkFinder<S>,
        data: &S::Data,
        start: usize,
        end: usize,
        effort: Effort,
        keep: usize,
    ) {
        self.matches.clear();
        self.counts.clear();
        self.counts.resize(end - start, 0);
        let mut pos = start;
        while pos + 4 < end {
            let limit = (end - pos).min(257);
            if self.matches.capacity() - self.matches.len() < 256 { self.matches.reserve(4096); }
            let before = self.matches.len();
            let matches = &mut self.matches;
            let best = finder.search::<true>(data, pos, limit, effort, |m| {
                matches.push((m.offset as u32 + 2) << LENGTH_BITS | m.length as u32);
            });
            self.counts[pos - start] = (self.matches.len() - before) as u8;
            pos += if best >= effort.nice { best - keep } else { 1 };
        }
    }
}
