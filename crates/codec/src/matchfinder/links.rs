//! Every position's nearest earlier positions with the same two, three and four bytes, made for a
//! whole chunk before the first search.
//!
//! Four-byte links are followed as a chain. Because the links of later positions are there too, a
//! search that has a match of `n` bytes can go over to the chain of the four bytes at its end, which
//! a longer match must share as well: whichever of the two chains leads farther back has fewer
//! candidates in it.

use super::{Data, Links, MAX_LENGTH, Size, common_length};

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

    /// Links the first `len` bytes.
    pub(crate) fn link(&mut self, data: &S::Data, len: usize) {
        let bits = (len.max(256).ilog2() + 1).min(HASH_BITS);
        self.heads2.clear(1 << PAIR_BITS);
        self.heads3.clear(1 << bits);
        self.heads4.clear(1 << bits);
        for pos in 0..len {
            let seq = data.load32(pos);
            let hash2 = (seq << 16).wrapping_mul(MULTIPLIER) >> (32 - PAIR_BITS);
            let hash3 = (seq << 8).wrapping_mul(MULTIPLIER) >> (32 - bits);
            let hash4 = seq.wrapping_mul(MULTIPLIER) >> (32 - bits);
            let pair = self.heads2.swap(hash2 as usize, pos);
            self.pairs.swap(pos, pair);
            let triple = self.heads3.swap(hash3 as usize, pos);
            self.triples.swap(pos, triple);
            let newest = self.heads4.swap(hash4 as usize, pos);
            self.chain.swap(pos, newest);
        }
    }

    /// Calls `found` for each match at `pos` that is longer and farther than those before it, none
    /// longer than `limit`. Returns the longest length, or 0.
    #[inline(always)]
    pub(crate) fn search(
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
        let pair = self.pairs.get(pos);
        let mut best = 0;
        if pair != triple && pos.wrapping_sub(pair) < NEAR && data.load32(pair) as u16 == seq as u16
        {
            found(Match { length: 2, offset: pos - pair });
            best = 2;
        }
        if triple == none {
            return best;
        }
        if (data.load32(triple) ^ seq) << 8 == 0 {
            found(Match { length: 3, offset: pos - triple });
            best = 3;
        }
        let mut cand = self.chain.get(pos);
        let nice = effort.nice.min(limit);
        let mut longest = 3;
        let mut tail = seq;
        // The chain followed is that of `pos + shift`.
        let mut shift = 0;
        let mut depth = effort.depth;
        while cand != none {
            let Some(start) = cand.checked_sub(shift) else { break };
            if data.load32(start + longest - 3) == tail && data.load32(start) == seq {
                let length = common_length(data, pos, start, 4, limit.min(MAX_LENGTH));
                if length > longest {
                    longest = length;
                    best = length;
                    found(Match { length, offset: pos - start });
                    if length >= nice {
                        break;
                    }
                    tail = data.load32(pos + longest - 3);
                    let here = self.chain.get(cand);
                    let shifted = longest - 3;
                    let mut there = self.chain.get(pos + shifted);
                    // Skip what is not farther back than the match found.
                    while depth > 1 && there != none && there >= start + shifted {
                        depth -= 1;
                        there = self.chain.get(there);
                    }
                    if there == none || here == none {
                        break;
                    }
                    if there + shift < here + shifted {
                        cand = there;
                        shift = shifted;
                    } else {
                        cand = here;
                    }
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        break;
                    }
                    continue;
                }
            }
            depth -= 1;
            if depth == 0 {
                break;
            }
            cand = self.chain.get(cand);
        }
        best
    }
}
