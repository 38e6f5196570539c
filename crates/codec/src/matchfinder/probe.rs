//! Finds earlier occurrences of the bytes at a position.
//!
//! ```text
//!  3 bytes ─hash─► near: latest position              one candidate, for matches of 3 and 4 bytes
//!  5 bytes ─hash─► deep: latest position ─links─► earlier ─► earlier ...      a chain, latest first
//! ```
//! Everything works on 16-bit positions so that the tables stay in the second-level cache. Position 0
//! means "none": the chunk starts at [`START`].
//!
//! Mispredicted branches are what compression time goes into, so the code prefers doing a little too
//! much to asking first: [`Finder::probe`] checks both candidates without a branch, and the chain is
//! walked to its fixed depth (a chain's end leads to position 0 and stays there).

use std::hint::select_unpredictable;

use zerocopy::FromZeros;

/// Shortest match found, in bytes.
const MIN_MATCH: usize = 3;
/// The largest chunk, in bytes.
pub(crate) const MAX_INPUT: usize = 1 << 16;
/// The position of a chunk's first byte.
pub(crate) const START: usize = 1;
/// A probe needs this many bytes from its position to the chunk's end.
pub(crate) const PROBE_BYTES: usize = 4;
/// Bits of the hash of 5 bytes.
const MAX_DEEP_BITS: u32 = 16;
/// Bits of the hash of 3 bytes.
const MAX_NEAR_BITS: u32 = 15;
/// Sequences in the chain agree in this many bytes (or have colliding hashes).
const DEEP_BYTES: u32 = 5;
/// Positions are masked with this before they index the window, which needs no bounds check then.
const WINDOW_MASK: usize = 2 * MAX_INPUT - 1;
/// The chain walk compares at most this far behind a position.
const TAIL_MASK: usize = 0x1FF;
/// Bytes behind the data that a comparison may see: they must not depend on earlier chunks.
const ZEROED_BYTES: usize = 32;

/// Bits of the hashes: small chunks use the front of the tables only, because clearing them would
/// take longer than compressing.
pub(crate) trait HashBits {
    /// Bits of the hash of 5 bytes.
    const DEEP: u32;
    /// Bits of the hash of 3 bytes.
    const NEAR: u32;
}

/// For chunks of more than [`SMALL_CHUNK`] bytes.
pub(crate) struct Large;
/// For chunks of at most [`SMALL_CHUNK`] bytes.
pub(crate) struct Small;

/// Chunks of at most this many bytes use the [`Small`] hashes.
pub(crate) const SMALL_CHUNK: usize = 8 << 10;

impl HashBits for Large {
    const DEEP: u32 = MAX_DEEP_BITS;
    const NEAR: u32 = MAX_NEAR_BITS;
}

impl HashBits for Small {
    const DEEP: u32 = 13;
    const NEAR: u32 = 12;
}

/// The chunk and the tables over it.
#[derive(FromZeros)]
pub(crate) struct Finder {
    deep_heads: [u16; 1 << MAX_DEEP_BITS],
    near_heads: [u16; 1 << MAX_NEAR_BITS],
    links: [u16; MAX_INPUT],
    window: [u8; WINDOW_MASK + 1 + size_of::<u64>()],
    end: usize,
}

/// What [`Finder::probe`] found.
#[derive(Clone, Copy)]
pub(crate) struct Candidates {
    /// The 8 bytes at the position.
    pub(crate) bytes: u64,
    /// Latest position with the same 5 bytes, or 0.
    pub(crate) deep: u16,
    /// `deep`, or else the latest position with the same 3 bytes, or 0.
    pub(crate) first: u16,
}

/// A match, or the wish for one.
#[derive(Clone, Copy)]
pub(crate) struct Match {
    /// Length in bytes.
    pub(crate) len: usize,
    /// Distance back in bytes; [`Match::NO_OFFSET`] if nothing was found.
    pub(crate) offset: usize,
}

impl Match {
    /// Dearer than any real offset.
    pub(crate) const NO_OFFSET: usize = 1 << 30;

    /// Number of bits behind the offset's leading one bit.
    #[inline(always)]
    pub(crate) fn offset_bits(self) -> u32 {
        31 - (self.offset as u32 | 1).leading_zeros()
    }
}

#[inline(always)]
fn deep_hash<H: HashBits>(bytes: u64) -> usize {
    let sequence = bytes << (64 - 8 * DEEP_BYTES);
    (sequence.wrapping_mul(0x9E37_79B1_85EB_CA87) >> (64 - H::DEEP)) as usize
}

#[inline(always)]
fn near_hash<H: HashBits>(bytes: u64) -> usize {
    let sequence = (bytes as u32) << 8;
    (sequence.wrapping_mul(0x9E37_79B1) >> (32 - H::NEAR)) as usize
}

impl Finder {
    /// Takes in a chunk of at most [`MAX_INPUT`] bytes and forgets the one before.
    pub(crate) fn load<H: HashBits>(&mut self, input: &[u8]) {
        self.end = START + input.len();
        self.window[START..self.end].copy_from_slice(input);
        self.window[self.end..][..ZEROED_BYTES].fill(0);
        self.deep_heads[..1 << H::DEEP].fill(0);
        self.near_heads[..1 << H::NEAR].fill(0);
    }

    /// The chunk, for a filter to change before the first probe.
    pub(crate) fn chunk_mut(&mut self) -> &mut [u8] {
        &mut self.window[START..self.end]
    }

    /// The position behind the chunk's last byte.
    pub(crate) fn end(&self) -> usize {
        self.end
    }

    #[inline(always)]
    pub(crate) fn byte(&self, at: usize) -> u8 {
        self.window[at & WINDOW_MASK]
    }

    #[inline(always)]
    fn read4(&self, at: usize) -> u32 {
        self.window[at & WINDOW_MASK..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
    }

    #[inline(always)]
    pub(crate) fn read8(&self, at: usize) -> u64 {
        self.window[at & WINDOW_MASK..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }

    /// Enters `at` into the tables and returns the latest earlier positions that match it. To be
    /// called once for each position, in order; [`Finder::skip`] counts as calling.
    #[inline(always)]
    pub(crate) fn probe<H: HashBits>(&mut self, at: usize) -> Candidates {
        let position = at as u16;
        let bytes = self.read8(usize::from(position));
        let head = &mut self.deep_heads[deep_hash::<H>(bytes)];
        let deep = std::mem::replace(head, position);
        self.links[usize::from(position)] = deep;
        let head = &mut self.near_heads[near_hash::<H>(bytes)];
        let near = std::mem::replace(head, position);

        let differing = (self.read8(usize::from(deep)) ^ bytes) << (64 - 8 * DEEP_BYTES);
        let deep = select_unpredictable(differing == 0, deep, 0);
        let differing = (self.read4(usize::from(near)) ^ bytes as u32) << 8;
        let near = select_unpredictable(differing == 0, near, 0);
        Candidates { bytes, deep, first: select_unpredictable(deep != 0, deep, near) }
    }

    /// Enters the positions from `from` up to before `to` without looking for matches.
    #[inline(always)]
    pub(crate) fn skip<H: HashBits>(&mut self, from: usize, to: usize) {
        for at in from..to {
            let position = at as u16;
            let bytes = self.read8(usize::from(position));
            let head = &mut self.deep_heads[deep_hash::<H>(bytes)];
            self.links[usize::from(position)] = std::mem::replace(head, position);
            self.near_heads[near_hash::<H>(bytes)] = position;
        }
    }

    /// The match of `candidates.first`, if that is not a deep one: 3 or 4 bytes.
    #[inline(always)]
    pub(crate) fn near_match(&self, at: usize, candidates: Candidates) -> Match {
        let near = usize::from(candidates.first);
        let fourth_too = self.read4(near) == candidates.bytes as u32;
        Match { len: MIN_MATCH + usize::from(fourth_too), offset: at - near }
    }

    /// The longest match among `candidates.deep`, which must not be 0, and the `STEPS` positions
    /// behind it. The search ends with a match of `nice` bytes.
    #[inline(always)]
    pub(crate) fn deep_match<const STEPS: usize>(
        &self,
        at: usize,
        candidates: Candidates,
        nice: usize,
    ) -> Match {
        let position = usize::from(at as u16);
        let max = self.end - at;
        let deep = usize::from(candidates.deep);
        let low = self.read8(deep) ^ candidates.bytes;
        let high = self.read8(deep + 8) ^ self.read8(position + 8);
        // Setting the top bit spares the check for zero; the last byte's answer is not used then.
        let low_len = ((low | 1 << 63).trailing_zeros() / 8) as usize;
        let high_len = ((high | 1 << 63).trailing_zeros() / 8) as usize + 8;
        let mut len = select_unpredictable(low == 0, high_len, low_len);
        if low | high == 0 {
            len = self.extend(deep, at, 16, max);
        }
        let first = Match { len: len.min(max), offset: at - deep };
        if first.len >= nice.min(max) {
            return first;
        }
        self.walk::<STEPS>(at, candidates.deep, first)
    }

    /// The longest match of more than `floor` bytes among `deep`, which must not be 0, and the
    /// `STEPS` positions behind it; without an offset if there is none.
    #[inline(always)]
    pub(crate) fn longer_match<const STEPS: usize>(
        &self,
        at: usize,
        deep: u16,
        floor: usize,
    ) -> Match {
        let best = Match { len: floor, offset: Match::NO_OFFSET };
        if self.tail_agrees(usize::from(deep), at, floor) {
            return self.refine(at, deep, STEPS + 1, best);
        }
        self.walk::<STEPS>(at, deep, best)
    }

    /// Looks for a match longer than `best` at the `STEPS` positions behind `candidate`.
    #[inline(always)]
    fn walk<const STEPS: usize>(&self, at: usize, mut candidate: u16, best: Match) -> Match {
        for step in 0..STEPS {
            candidate = self.links[usize::from(candidate)];
            if self.tail_agrees(usize::from(candidate), at, best.len) {
                return self.refine(at, candidate, STEPS - step, best);
            }
        }
        best
    }

    /// Whether the 4 bytes that end with the one behind a match of `len` bytes agree.
    #[inline(always)]
    fn tail_agrees(&self, candidate: usize, at: usize, len: usize) -> bool {
        let tail = len.saturating_sub(3) & TAIL_MASK;
        self.read4(candidate + tail) == self.read4(usize::from(at as u16) + tail)
    }

    /// The careful half of [`Finder::walk`]: looks at `candidate` and those behind it, `steps` in all.
    #[inline(never)]
    fn refine(&self, at: usize, mut candidate: u16, steps: usize, mut best: Match) -> Match {
        let max = self.end - at;
        for _ in 0..steps {
            if candidate == 0 {
                break;
            }
            let earlier = usize::from(candidate);
            if self.byte(earlier + best.len) == self.byte(at + best.len) {
                let len = self.extend(earlier, at, 0, max);
                if len > best.len {
                    best = Match { len, offset: at - earlier };
                }
            }
            candidate = self.links[earlier];
        }
        best
    }

    /// How far the bytes at `earlier` and `at` agree, at most `max`, if they agree for `len` bytes.
    #[inline(always)]
    pub(crate) fn extend(&self, earlier: usize, at: usize, mut len: usize, max: usize) -> usize {
        while len < max {
            let differing = self.read8(earlier + len) ^ self.read8(at + len);
            if differing != 0 {
                return (len + differing.trailing_zeros() as usize / 8).min(max);
            }
            len += size_of::<u64>();
        }
        max
    }
}
