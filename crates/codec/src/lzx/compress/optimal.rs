//! Finds the cheapest parse under given costs.

use super::block::{Parse, slot_of};
use super::cache::{LENGTH_BITS, LENGTH_MASK, MatchCache};
use super::cost::{COST_SHIFT, Costs, LONG};
use super::lazy::Recent;
use crate::lzx::layout::*;
use crate::matchfinder::{Data, common_length};

const QUEUE_BITS: u32 = 21;
const QUEUE_MASK: u64 = (1 << QUEUE_BITS) - 1;
/// Nodes a position can reach, rounded up.
const AHEAD: usize = 512 + 4;
/// Literals are items of length one.
const LITERAL: u64 = 1;

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

/// When a match is taken without looking at alternatives.
#[derive(Clone, Copy, Debug)]
pub(super) struct Jump {
    /// Matches at least this long are.
    pub(super) length: usize,
    /// But their last bytes are examined again.
    pub(super) keep: usize,
    /// A position is passed over if the way to it costs more than the way to a later one, less this.
    pub(super) margin: u64,
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
}

impl Optimizer {
    pub(super) fn new() -> Self {
        Self { nodes: Vec::new(), items: Vec::new() }
    }

    /// Parses the block `bytes[start..end]`, whose matches begin at `first` in the cache (whose
    /// counts begin at position `base`).
    pub(super) fn run(
        &mut self,
        data: &impl Data,
        (start, end): (usize, usize),
        cache: &MatchCache,
        (base, first): (usize, usize),
        costs: &Costs,
        recent: Recent,
        jump: Jump,
        parse: &mut Parse,
    ) -> Recent {
        let bytes = data.bytes();
        let size = end - start;
        self.nodes.clear();
        self.nodes.resize(size + AHEAD, Node { key: u64::MAX >> 1, queue: 0 });
        let mut next_match = first;
        let mut carry = 0;
        self.nodes[0].queue = Queue::new(recent).0;
        let mut at = 0;
        let mut horizon = (0usize, 0u64);
        let counts = &cache.counts[start - base..end - base];
        while at < size {
            let pos = start + at;
            let node = self.nodes[at].key.min(carry);
            if at < horizon.0 && node + jump.margin > horizon.1 {
                let count = usize::from(counts[at]);
                if count == 0
                    || ((cache.matches[next_match + count - 1] & LENGTH_MASK) as usize)
                        < jump.length
                {
                    next_match += count;
                    at += 1;
                    carry = u64::MAX >> 1;
                    continue;
                }
            }
            let item = node as u32;
            let back = (item & LENGTH_MASK) as usize;
            let queue = Queue(self.nodes[at - back].queue).after(item >> LENGTH_BITS);
            let Some(ahead) = self.nodes[at..].first_chunk_mut::<AHEAD>() else { break };
            ahead[0] = Node { key: node, queue: queue.0 };
            let cost = node >> COST_SHIFT << COST_SHIFT;
            carry = cost + costs.literal[usize::from(bytes[pos])] + LITERAL;

            let here = data.load64(pos);
            let limit = (size - at).min(MAX_MATCH);
            let mut from = 2;
            let mut skip = 0;
            // At the chunk's first byte the recent offsets lead nowhere.
            if pos != 0 {
                let [first, second, third] = [0, 1, 2].map(|index| {
                    let there = pos.wrapping_sub(queue.get(index));
                    let equal = (data.load64(there) ^ here).trailing_zeros() as usize / 8;
                    equal.min(limit)
                });
                for (index, equal) in [(0, first), (1, second), (2, third)] {
                    if equal < from.min(8) {
                        continue;
                    }
                    let mut length = equal;
                    if equal == 8 {
                        length = common_length(data, pos, pos - queue.get(index), 8, limit);
                        if length < from {
                            continue;
                        }
                        if length >= jump.length {
                            skip = length - jump.keep;
                            from = skip;
                        }
                    }
                    relax(ahead, cost, costs, index as usize, index, from, length);
                    from = length + 1;
                }
            }
            let count = usize::from(counts[at]);
            if skip == 0 {
                for &found in &cache.matches[next_match..next_match + count] {
                    let length = ((found & LENGTH_MASK) as usize).min(limit);
                    if length < from {
                        continue;
                    }
                    let code = found >> LENGTH_BITS;
                    let slot = slot_of(code);
                    let low = if slot >= 8 { code & 7 } else { 8 };
                    let cost = cost + costs.aligned[low as usize];
                    if length >= jump.length {
                        skip = length - jump.keep;
                        from = from.max(skip);
                    }
                    relax(ahead, cost, costs, slot as usize, code, from, length);
                    from = length + 1;
                }
            }
            next_match += count;
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
                carry = u64::MAX >> 1;
            }
        }
        self.nodes[size].key = self.nodes[size].key.min(carry);
        self.trace(bytes, start, size, recent, parse)
    }

    fn trace(
        &mut self,
        bytes: &[u8],
        start: usize,
        size: usize,
        recent: Recent,
        parse: &mut Parse,
    ) -> Recent {
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
    from: usize,
    to: usize,
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
