//! Finds matches and the cheapest way through them in one sweep.
//!
//! The ways from a position on spread out with the matches found there and meet again where no match
//! leads farther. Such a stretch is searched like a block by the optimizer, but only at positions to which a cheap
//! way leads; where the ways meet, the cheapest is taken for good.

use super::cost::{COST_SHIFT, Costs};
use super::optimal::{AHEAD, BEYOND, Jump, LITERAL, Node, Queue, Reach, Step, UNREACHED};
use super::cache::{LENGTH_BITS, LENGTH_MASK, pack};
use super::parse::{Parse, Recent};
use crate::lzx::layout::*;
use crate::matchfinder::links::{Effort, LinkFinder};
use crate::matchfinder::{Data, Size};

/// Longest stretch: at this many bytes the cheapest way so far is taken.
const STRETCH: usize = 1024;
/// Room for the matches of one position, one per length.
const MOST: usize = 256;

/// The working memory of a sweep.
#[derive(Debug)]
pub(super) struct Sweep {
    nodes: Vec<Node>,
    items: Vec<u32>,
    found: Box<[u32; MOST]>,
}

impl Sweep {
    pub(super) fn new() -> Self {
        Self {
            nodes: vec![Node { key: UNREACHED, queue: 0 }; STRETCH + 2 * AHEAD],
            items: Vec::new(),
            found: Box::new([0; MOST]),
        }
    }

    /// Parses `start..end` until the parse is cut, or to the end. Returns where.
    pub(super) fn run<S: Size>(
        &mut self,
        finder: &LinkFinder<S>,
        data: &S::Data,
        (start, end): (usize, usize),
        recent: &mut Recent,
        (effort, jump): (Effort, Jump),
        costs: &Costs,
        parse: &mut Parse,
    ) -> usize {
        let bytes = data.bytes();
        let mut anchor = start;
        let mut pos = start;
        let mut queue = Queue::new(*recent);
        let cuts = parse.cuts.len();
        while pos + 4 < end {
            let mut at = 0;
            let mut last = 0;
            let mut node = 0;
            let mut horizon = (0, 0);
            let close = loop {
                let here = pos + at;
                let item = node as u32;
                let q = if at == 0 { queue } else {
                    let back = (item & LENGTH_MASK) as usize;
                    Queue(self.nodes[at - back].queue).after(item >> LENGTH_BITS)
                };
                let ahead: &mut [Node; AHEAD] = self.nodes[at..].first_chunk_mut().unwrap_or_else(|| unreachable!());
                ahead[0] = Node { key: node, queue: q.0 };
                let cost = node >> COST_SHIFT << COST_SHIFT;
                let limit = (end - here).min(MAX_MATCH);
                let step = Step { data, costs, jump, pos: here, cost, limit };
                let mut reach = Reach { from: MIN_MATCH, skip: 0 };
                if here != 0 {
                    step.try_recent(ahead, q, &mut reach);
                }
                if reach.skip == 0 && here + 4 < end {
                    let mut count = 0;
                    let floor = (last - at).max(3);
                    if last - at > LONGER {
                    finder.search_longer(data, here, limit, floor, effort, |m| {
                        self.found[count & (MOST - 1)] = pack(m);
                        count += 1;
                    });
                    } else {
                    finder.search::<true>(data, here, limit, effort, |m| {
                        self.found[count & (MOST - 1)] = pack(m);
                        count += 1;
                    });
                    }
                    step.try_found(ahead, &self.found[..count.min(MOST)], &mut reach);
                }
                let top = reach.from - 1;
                if top >= MIN_MATCH {
                    let key = ahead[top & 511].key;
                    if at + top > last {
                        last = at + top;
                        horizon = (last, key);
                    }
                }
                if at == last {
                    // Nothing leads on from here but a literal.
                    break at;
                }
                if reach.skip > 0 || at >= STRETCH {
                    break if reach.skip > 0 { last } else { at };
                }
                let mut carry = cost + costs.literal[usize::from(bytes[here])] + LITERAL;
                loop {
                    at += 1;
                    node = self.nodes[at].key.min(carry);
                    if at == last || node < BEYOND && node + jump.margin <= horizon.1 { break; }
                    carry = UNREACHED;
                }
                if at == last {
                    self.nodes[at].key = node;
                    break at;
                }
            };
            // trace
            if close == 0 {
                pos += 1;
                continue;
            }
            self.items.clear();
            let mut t = close;
            while t > 0 {
                let item = self.nodes[t].key as u32;
                self.items.push(item);
                t -= (item & LENGTH_MASK) as usize;
            }
            for &item in self.items.iter().rev() {
                let length = item & LENGTH_MASK;
                if length > 1 {
                    let code = item >> LENGTH_BITS;
                    parse.literals(&bytes[anchor..pos]);
                    parse.push((pos - anchor) as u32, length, code);
                    queue = queue.after(code);
                    anchor = pos + length as usize;
                }
                pos += length as usize;
            }
            self.nodes[..last + 8].fill(Node { key: UNREACHED, queue: 0 });
            if anchor == pos {
                parse.match_ends(pos);
                if parse.cuts.len() != cuts {
                    *recent = queue.unpack();
                    return pos;
                }
            }
        }
        parse.literals(&bytes[anchor..end]);
        *recent = queue.unpack();
        end
    }
}
const LONGER: usize = 2;
