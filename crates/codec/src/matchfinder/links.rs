//! Every position's nearest earlier positions with the same two, three and four bytes, made for a
//! whole chunk before the first search.
//!
//! Four-byte links are followed as a chain. Because the links of later positions are there too, a
//! search that has a match of `n` bytes can go over to the chain of the four bytes at its end, which
//! a longer match must share as well: whichever of the two chains leads farther back has fewer
//! candidates in it.

use super::{Data, Links, Size, common_length};

/// Two-byte matches are worth finding up to this offset.
const NEAR: usize = 256;
const PAIR_BITS: u32 = 12;
const HASH_BITS: u32 = 15;
const MULTIPLIER: u32 = 0x9E37_79B1;

/// How thorough a search is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// Most chain links to follow.
    pub(crate) depth: u32,
    /// A match of this length ends the search.
    pub(crate) nice: usize,
}

/// A match found, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Match {
    /// How long it is.
    pub(crate) length: usize,
    /// How far back it is.
    pub(crate) offset: usize,
}

/// The links.
#[derive(Debug)]
pub(crate) struct LinkFinder<S: Size> {
    pairs: S::Links,
    triples: S::Links,
    chain: S::Links,
    heads2: S::Links,
    heads3: S::Links,
    heads4: S::Links,
}

impl<S: Size> LinkFinder<S> {
    pub(crate) fn new(chunk_size: usize) -> Self {
        Self {
            pairs: S::Links::new(chunk_size),
            triples: S::Links::new(chunk_size),
            chain: S::Links::new(chunk_size),
            heads2: S::Links::new(1 << PAIR_BITS),
            heads3: S::Links::new(1 << HASH_BITS),
            heads4: S::Links::new(1 << HASH_BITS),
        }
    }

    /// Links the first `len` bytes. Only with `PAIRS` are two-byte matches found.
    pub(crate) fn link<const PAIRS: bool>(&mut self, data: &S::Data, len: usize) {
        let bits = (len.max(256).ilog2() + 1).min(HASH_BITS);
        if PAIRS {
            self.heads2.clear(1 << PAIR_BITS);
        }
        let bits3 = if PAIRS { bits } else { bits.min(14) };
        self.heads3.clear(1 << bits3);
        self.heads4.clear(1 << bits);
        for pos in 0..len {
            let seq = data.load32(pos);
            if PAIRS {
                let hash = (seq << 16).wrapping_mul(MULTIPLIER) >> (32 - PAIR_BITS);
                let newest = self.heads2.swap(hash as usize, pos);
                self.pairs.swap(pos, newest);
            }
            let hash3 = (seq << 8).wrapping_mul(MULTIPLIER) >> (32 - bits3);
            let hash4 = seq.wrapping_mul(MULTIPLIER) >> (32 - bits);
            let newest = self.heads3.swap(hash3 as usize, pos);
            self.triples.swap(pos, newest);
            let newest = self.heads4.swap(hash4 as usize, pos);
            self.chain.swap(pos, newest);
        }
    }

    /// Calls `found` for each match at `pos` that is longer and farther than those before it, at least
    /// two (with `PAIRS`) or three and at most `limit` bytes long. Returns the longest length, or 0.
    #[inline(always)]
    pub(crate) fn search<const PAIRS: bool>(
        &self,
        data: &S::Data,
        pos: usize,
        limit: usize,
        effort: Effort,
        mut found: impl FnMut(Match),
    ) -> usize {
        let none = S::Links::NONE;
        let seq = data.load32(pos);
        let triple = self.triples.get(pos);
        let mut best = 0;
        if PAIRS {
            let pair = self.pairs.get(pos);
            let offset = pos.wrapping_sub(pair);
            if pair != triple && offset < NEAR && data.load32(pair) as u16 == seq as u16 {
                found(Match { length: 2, offset });
                best = 2;
            }
        }
        if triple == none {
            return best;
        }
        if (data.load32(triple) ^ seq) << 8 == 0 {
            found(Match { length: 3, offset: pos - triple });
            best = 3;
        }
        let first = self.chain.get(pos);
        let walk = Walk { pos, cand: first, shift: 0, longest: 3, limit };
        best.max(self.walk(data, walk, effort, found))
    }

    /// Like [`Self::search`] but only for matches longer than `floor`, which is at least three.
    #[inline(always)]
    pub(crate) fn search_longer(
        &self,
        data: &S::Data,
        pos: usize,
        limit: usize,
        floor: usize,
        effort: Effort,
        found: impl FnMut(Match),
    ) -> usize {
        let none = S::Links::NONE;
        if floor >= limit {
            return 0;
        }
        let shift = floor - 3;
        let first = self.chain.get(pos);
        let there = self.chain.get(pos + shift);
        if first == none || there == none {
            return 0;
        }
        let (cand, shift) =
            if there < first + shift && there >= shift { (there, shift) } else { (first, 0) };
        self.walk(data, Walk { pos, cand, shift, longest: floor, limit }, effort, found)
    }

    #[inline(always)]
    fn walk(
        &self,
        data: &S::Data,
        walk: Walk,
        effort: Effort,
        mut found: impl FnMut(Match),
    ) -> usize {
        let none = S::Links::NONE;
        let Walk { pos, mut cand, mut shift, mut longest, limit } = walk;
        let nice = effort.nice.min(limit);
        let seq = data.load32(pos);
        let mut tail = data.load32(pos + longest - 3);
        let mut best = 0;
        let mut depth = effort.depth;
        while cand != none {
            let Some(start) = cand.checked_sub(shift) else { break };
            let mut next = self.chain.get(cand);
            if data.load32(start + longest - 3) == tail && data.load32(start) == seq {
                let length = common_length(data, pos, start, 4, limit);
                if length > longest {
                    longest = length;
                    best = length;
                    found(Match { length, offset: pos - start });
                    if length >= nice || next == none {
                        break;
                    }
                    tail = data.load32(pos + longest - 3);
                    // Does the other chain, at its first link behind this match, lead farther back?
                    let other_shift = longest - 3;
                    let mut other = self.chain.get(pos + other_shift);
                    if other != none && other >= start + other_shift {
                        other = self.chain.get(other);
                    }
                    if other == none {
                        break;
                    }
                    if other < start + other_shift && other + shift < next + other_shift {
                        next = other;
                        shift = other_shift;
                    }
                }
            }
            depth -= 1;
            if depth == 0 {
                break;
            }
            cand = next;
        }
        best
    }
}

/// Where a search stands: it follows the chain of `pos + shift`.
#[derive(Clone, Copy)]
struct Walk {
    pos: usize,
    cand: usize,
    shift: usize,
    /// Only longer matches count.
    longest: usize,
    limit: usize,
}
