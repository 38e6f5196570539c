//! The three recent offsets.

use std::hint::select_unpredictable;

use super::entries::{is_new_offset, place_of};
use super::layout::INITIAL_RECENT;

/// Bits of each offset: windows have at most 2 MiB.
const WIDTH: u32 = 21;
const MASK: u64 = (1 << WIDTH) - 1;

/// The recent offsets in one word, the most recent in the low bits, so that using one is a few
/// operations without a branch. Bit 63 has no meaning.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecentOffsets(u64);

impl RecentOffsets {
    /// The recent offsets at the start of a chunk.
    pub(crate) const START: Self = Self::new(INITIAL_RECENT);

    /// These three offsets, each below 2 MiB.
    pub(crate) const fn new([r0, r1, r2]: [u32; 3]) -> Self {
        Self(r0 as u64 | (r1 as u64) << WIDTH | (r2 as u64) << (2 * WIDTH))
    }

    /// The offset of a match with this `entry`, whose offset number is `number` if its offset is a new
    /// one, and the queue after it. Asks no question with a branch.
    #[inline(always)]
    pub(crate) fn used_by(self, entry: u32, number: u64) -> (u64, Self) {
        let is_new = is_new_offset(entry);
        let place = place_of(entry);
        let new = number.wrapping_sub(2);
        let offset = select_unpredictable(is_new, new, self.get(place));
        let queue = select_unpredictable(is_new, self.with_new(new).0, self.with_used(place).0);
        (offset, Self(queue))
    }

    /// What [`Self::get`] and [`Self::with_used`] take as the place of offset `slot` (0 to 2).
    pub(crate) const fn place(slot: u32) -> u32 {
        slot * WIDTH
    }

    /// The offset at a place (its low six bits).
    #[inline(always)]
    pub(crate) const fn get(self, place: u32) -> u64 {
        self.0.wrapping_shr(place) & MASK
    }

    /// The queue after the offset at a place was used: it changes places with the most recent one.
    /// Using the most recent one changes nothing.
    #[inline(always)]
    pub(crate) const fn with_used(self, place: u32) -> Self {
        let difference = (self.0.wrapping_shr(place) ^ self.0) & MASK;
        Self(self.0 ^ difference ^ difference.wrapping_shl(place))
    }

    /// The queue after a new `offset` (below 2 MiB) was used.
    #[inline(always)]
    pub(crate) const fn with_new(self, offset: u64) -> Self {
        Self(self.0 << WIDTH | offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offsets(queue: RecentOffsets) -> [u64; 3] {
        [0, 1, 2].map(|slot| queue.get(RecentOffsets::place(slot)))
    }

    #[test]
    fn the_queue_is_not_quite_least_recently_used() {
        let queue = RecentOffsets::new([10, 20, 30]);
        assert_eq!(offsets(queue.with_used(RecentOffsets::place(0))), [10, 20, 30]);
        assert_eq!(offsets(queue.with_used(RecentOffsets::place(1))), [20, 10, 30]);
        assert_eq!(offsets(queue.with_used(RecentOffsets::place(2))), [30, 20, 10]);
        assert_eq!(offsets(queue.with_new(40)), [40, 10, 20]);
    }

    #[test]
    fn offsets_of_the_largest_window_fit() {
        let largest = (1 << WIDTH) - 1;
        let mut queue = RecentOffsets::new([largest; 3]);
        for _ in 0..5 {
            queue = queue.with_new(u64::from(largest)).with_used(RecentOffsets::place(2));
            assert_eq!(offsets(queue), [u64::from(largest); 3]);
        }
        assert_eq!(offsets(RecentOffsets::START), [1, 1, 1]);
    }
}
