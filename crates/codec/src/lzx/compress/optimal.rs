//! Finds the cheapest parse under given costs.

use super::cache::{LENGTH_BITS, LENGTH_MASK, MatchCache};
use super::cost::{COST_SHIFT, Costs, LONG};
use super::parse::{Parse, Recent, slot_of};
use super::settings::Optimal;
use crate::lzx::layout::*;
use crate::matchfinder::{Data, common_length};

const QUEUE_BITS: u32 = 21;
const QUEUE_MASK: u64 = (1 << QUEUE_BITS) - 1;
/// Nodes a position can reach, rounded up.
const AHEAD: usize = 512 + 4;
/// Literals are items of length one.
const LITERAL: u64 = 1;
/// The key of a node that no way leads to.
const UNREACHED: u64 = u64::MAX >> 1;

/// Three recent offsets in a word, the newest lowest.
#[derive(Clone, Copy)]
struct Queue(u64);

impl Queue {
    const fn new(recent: Recent) -> Self {
        let [r0, r1, r2] = recent.0;
        Self(r0 as u64 | (r1 as u64) << QUEUE_BITS | (r2 as u64) << (2 * QUEUE_BITS))
    }

    #[inline(always)]
    const fn get(self, index: u32) -> usize {
        (self.0 >> (QUEUE_BITS * index) & QUEUE_MASK) as usize
    }

    const fn unpack(self) -> Recent {
        Recent([self.get(0) as u32, self.get(1) as u32, self.get(2) as u32])
    }

    #[inline(always)]
    fn after(self, code: u32) -> Self {
        if code == 1 || code == 2 {
            return Self::new(self.unpack().after(code));
        }
        let pushed = (self.0 << QUEUE_BITS & ((1 << (3 * QUEUE_BITS)) - 1))
            | u64::from(code.wrapping_sub(2));
        Self(if code == 0 { self.0 } else { pushed })
    }
}

/// What to parse: bytes `start..end` of the chunk. The cache begins at position `base`; the block's
/// matches begin at its entry `first`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) base: usize,
    pub(super) first: usize,
}

/// When a match is taken without looking at alternatives.
#[derive(Clone, Copy, Debug)]
pub(super) struct Jump {
    /// Matches at least this long are.
    pub(super) length: usize,
    /// But their last bytes are examined again.
    pub(super) keep: usize,
    /// How many lengths of a long match are tried: the last ones; more than `keep`.
    pub(super) lengths: usize,
}

/// A position of the block.
#[derive(Clone, Copy, Debug)]
struct Node {
    /// `cost << COST_SHIFT | item` of the cheapest way here.
    key: u64,
    /// The recent offsets behind that way.
    queue: u64,
}

/// The working memory of the search.
#[derive(Debug)]
pub(super) struct Optimizer {
    /// `cost << 32 | item` of the cheapest way to each position of the block.
    nodes: Vec<Node>,
    items: Vec<u32>,
    /// What was found.
    pub(super) parse: Parse,
}

impl Optimizer {
    pub(super) fn new() -> Self {
        Self { nodes: Vec::new(), items: Vec::new(), parse: Parse::new() }
    }

    /// Parses a block as often as asked for, each time with the costs that the time before found.
    pub(super) fn run(
        &mut self,
        data: &impl Data,
        block: Block,
        cache: &MatchCache,
        costs: &mut Costs,
        recent: Recent,
        how: Optimal,
    ) -> Recent {
        let mut after = recent;
        for pass in 0..how.passes {
            if pass > 0 {
                costs.set(&self.parse.freqs);
            }
            self.parse.clear();
            after = self.cheapest(data, block, cache, costs, recent, how.jump);
        }
        after
    }

    /// Parses a block in the way that costs least.
    fn cheapest(
        &mut self,
        data: &impl Data,
        block: Block,
        cache: &MatchCache,
        costs: &Costs,
        recent: Recent,
        jump: Jump,
    ) -> Recent {
        let Block { start, end, base, first } = block;
        let bytes = data.bytes();
        let size = end - start;
        self.nodes.clear();
        self.nodes.resize(size + AHEAD, Node { key: UNREACHED, queue: 0 });
        let mut next_match = first;
        let mut carry = 0;
        self.nodes[0].queue = Queue::new(recent).0;
        let mut at = 0;
        let mut horizon = (0, 0);
        let counts = &cache.counts[start - base..end - base];
        while at < size {
            let pos = start + at;
            let node = self.nodes[at].key.min(carry);
            let passed_over = at < horizon.0 && node > horizon.1 && {
                // A long match may not be found again later.
                let matches = &cache.matches[next_match..next_match + usize::from(counts[at])];
                matches.last().is_none_or(|&found| ((found & LENGTH_MASK) as usize) < jump.length)
            };
            if passed_over || node >= BEYOND {
                next_match += usize::from(counts[at]);
                at += 1;
                carry = UNREACHED;
                continue;
            }
            let item = node as u32;
            let back = (item & LENGTH_MASK) as usize;
            let queue = Queue(self.nodes[at - back].queue).after(item >> LENGTH_BITS);
            let Some(ahead) = self.nodes[at..].first_chunk_mut::<AHEAD>() else { break };
            ahead[0] = Node { key: node, queue: queue.0 };
            let cost = node >> COST_SHIFT << COST_SHIFT;
            carry = cost + costs.literal[usize::from(bytes[pos])] + LITERAL;

            let step = Step { data, costs, jump, pos, cost, limit: (size - at).min(MAX_MATCH) };
            let mut reach = Reach { from: MIN_MATCH, skip: 0 };
            // At the chunk's first byte the recent offsets lead nowhere.
            if pos != 0 {
                step.try_recent(ahead, queue, &mut reach);
            }
            let count = usize::from(counts[at]);
            if reach.skip == 0 {
                step.try_found(ahead, &cache.matches[next_match..next_match + count], &mut reach);
            }
            next_match += count;
            let Reach { from, skip } = reach;
            if from > 3 {
                let end = at + from - 1;
                let there = ahead[(from - 1) & 511].key;
                if end > horizon.0 {
                    horizon = (end, there);
                }
            }
            at += 1;
            if skip > 0 {
                for &count in &counts[at..at - 1 + skip] {
                    next_match += usize::from(count);
                }
                at += skip - 1;
                carry = UNREACHED;
            }
        }
        self.nodes[size].key = self.nodes[size].key.min(carry);
        self.trace(bytes, start, size, recent)
    }

    fn trace(&mut self, bytes: &[u8], start: usize, size: usize, recent: Recent) -> Recent {
        let parse = &mut self.parse;
        self.items.clear();
        let mut at = size;
        while at > 0 {
            let item = self.nodes[at].key as u32;
            self.items.push(item);
            at -= (item & LENGTH_MASK) as usize;
        }
        let mut pos = start;
        let mut anchor = start;
        let mut recent = recent;
        for &item in self.items.iter().rev() {
            let length = item & LENGTH_MASK;
            if length > 1 {
                let code = item >> LENGTH_BITS;
                parse.literals(&bytes[anchor..pos]);
                parse.push((pos - anchor) as u32, length, code);
                recent = recent.after(code);
                anchor = pos + length as usize;
            }
            pos += length as usize;
        }
        parse.literals(&bytes[anchor..pos]);
        recent
    }
}

/// How far the matches tried at a position reach.
struct Reach {
    /// The shortest length not tried.
    from: usize,
    /// Where to go on, if not at the next position.
    skip: usize,
}

/// A position from which matches are tried.
struct Step<'a, D> {
    data: &'a D,
    costs: &'a Costs,
    jump: Jump,
    pos: usize,
    cost: u64,
    /// Longest match that ends in the block.
    limit: usize,
}

impl<D: Data> Step<'_, D> {
    /// Tries the recent offsets: each only in lengths that those before it do not reach.
    #[inline(always)]
    fn try_recent(&self, ahead: &mut [Node; AHEAD], queue: Queue, reach: &mut Reach) {
        let here = self.data.load64(self.pos);
        let equal = |offset: usize| {
            let there = self.data.load64(self.pos.wrapping_sub(offset));
            ((there ^ here).trailing_zeros() as usize / 8).min(self.limit)
        };
        let lengths = [equal(queue.get(0)), equal(queue.get(1)), equal(queue.get(2))];
        for (index, equal) in (0..).zip(lengths) {
            if equal < reach.from.min(8) {
                continue;
            }
            let mut length = equal;
            if equal == 8 {
                let there = self.pos - queue.get(index);
                length = common_length(self.data, self.pos, there, 8, self.limit);
                if length < reach.from {
                    continue;
                }
                if length >= self.jump.length {
                    reach.skip = length - self.jump.keep;
                    reach.from = reach.skip;
                }
            }
            relax(
                ahead,
                self.cost,
                self.costs,
                index as usize,
                index,
                (reach.from, length),
                self.jump.lengths,
            );
            reach.from = length + 1;
        }
    }

    /// Tries the matches found: each only in lengths that those before it do not reach, because those
    /// have nearer offsets.
    #[inline(always)]
    fn try_found(&self, ahead: &mut [Node; AHEAD], matches: &[u32], reach: &mut Reach) {
        for &found in matches {
            let length = ((found & LENGTH_MASK) as usize).min(self.limit);
            if length < reach.from {
                continue;
            }
            let code = found >> LENGTH_BITS;
            let slot = slot_of(code) as usize;
            if length >= self.jump.length {
                reach.skip = length - self.jump.keep;
                reach.from = reach.from.max(reach.skip);
            }
            let cost = self.cost + self.costs.aligned(slot, code);
            relax(ahead, cost, self.costs, slot, code, (reach.from, length), self.jump.lengths);
            reach.from = length + 1;
        }
    }
}

/// Added to what lies beyond a match's length, so that a block of four can be tried at once.
const BEYOND: u64 = 1 << 62;
const PENALTY: [u64; 8] = [0, 0, 0, 0, BEYOND, BEYOND, BEYOND, BEYOND];

/// Tries a match with `code` in all lengths `from..=to`.
///
/// Four lengths at a time: the number of lengths is hardly predictable, so a loop over single ones
/// would cost more in mispredicted exits than the work it saves.
#[inline(always)]
fn relax(
    ahead: &mut [Node; AHEAD],
    cost: u64,
    costs: &Costs,
    slot: usize,
    code: u32,
    (from, to): (usize, usize),
    lengths: usize,
) {
    let base = cost + (u64::from(code) << LENGTH_BITS);
    let mut length = from;
    if length < LONG {
        let short = to.min(LONG - 1);
        loop {
            let row = costs.row_from(slot, length);
            relax_four(ahead, base, row, length, short);
            length += 4;
            if length > short {
                break;
            }
        }
        if to < LONG {
            return;
        }
        length = LONG;
    }
    // Of the many lengths of a long match only the last are worth trying.
    length = length.max((to + 1).saturating_sub(lengths));
    let base = base + costs.long(slot);
    loop {
        relax_four(ahead, base, costs.lengths_from(length), length, to);
        length += 4;
        if length > to {
            break;
        }
    }
}

#[inline(always)]
fn relax_four(ahead: &mut [Node; AHEAD], base: u64, prices: &[u64; 4], from: usize, to: usize) {
    let beyond = 4 - (to + 1 - from).min(4);
    let Some(penalty) = PENALTY[beyond & 3..].first_chunk::<4>() else { return };
    let from = from & 511;
    for i in 0..4 {
        let new = base + prices[i] + penalty[i];
        let node = &mut ahead[from + i];
        node.key = node.key.min(new);
    }
}
