//! The match sources used last.

use super::layout::RECENT;

/// A queue of recent match sources, the newest first.
///
/// A source that an item used goes to the front only *after the next item*. Seen from the next item,
/// if it is of the same kind, the queue thus starts behind the front. Items of another kind come with
/// no source, so that behind them the delay is over.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecentQueue<T> {
    entries: [T; RECENT + 1],
}

impl<T: Copy> RecentQueue<T> {
    /// A queue with these entries.
    pub(super) const fn new(entries: [T; RECENT + 1]) -> Self {
        Self { entries }
    }

    /// Takes in a source that is not from the queue.
    #[inline(always)]
    pub(super) fn push(&mut self, source: T) {
        let [a, b, c, _] = self.entries;
        self.entries = [source, a, b, c];
    }

    /// Uses the source of this `index` (below [`RECENT`]). `delayed`: the item before was of the same
    /// kind.
    #[inline(always)]
    pub(super) fn reuse(&mut self, index: usize, delayed: bool) -> T {
        let position = index + usize::from(delayed);
        // Compares instead of indexing, so that the queue can live in registers.
        let [a, b, c, d] = self.entries;
        let source = match position {
            0 => a,
            1 => b,
            2 => c,
            _ => d,
        };
        self.entries = [
            source,
            if position >= 1 { a } else { b },
            if position >= 2 { b } else { c },
            if position >= 3 { c } else { d },
        ];
        source
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lzms::testing::{DelayedQueue, Source};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn is_the_delayed_queue(items in prop::collection::vec(0..6u32, 0..200)) {
            let mut plain = DelayedQueue::new([1, 2, 3, 4]);
            let mut queue = RecentQueue::new([1, 2, 3, 4]);
            let mut delayed = false;
            for (n, item) in (10u32..).zip(items) {
                let (expected, got) = match item {
                    0 => (plain.item(None), None),
                    1 | 2 => {
                        queue.push(n);
                        (plain.item(Some(Source::New(n))), Some(n))
                    }
                    _ => {
                        let index = item as usize - 3;
                        let expected = plain.item(Some(Source::Recent(index)));
                        (expected, Some(queue.reuse(index, delayed)))
                    }
                };
                delayed = item != 0;
                prop_assert_eq!(got, expected);
            }
        }
    }
}
