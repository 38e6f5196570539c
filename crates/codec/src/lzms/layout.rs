//! What an LZMS encoder and decoder must agree on: alphabets, slots, intervals, decision classes.
//!
//! Observed in: wimlib 1.14.5, which is the best public source for LZMS.

/// Bytes of the 16-bit units that both streams consist of.
pub(super) const UNIT: usize = 2;
/// Fewest bytes of a compressed chunk: the range decoder starts with two units.
pub(super) const MIN_INPUT: usize = 4;

/// Literal symbols: the byte values.
pub(super) const LITERALS: usize = 256;
/// Length slots.
pub(super) const LENGTHS: usize = 54;
/// Offset slots of the largest chunk.
pub(super) const MAX_OFFSETS: usize = 799;
/// Delta powers: spans of 1 to 128 bytes.
pub(super) const POWERS: usize = 8;

/// The literal and offset codes are rebuilt after this many symbols.
pub(super) const LONG_INTERVAL: u32 = 1024;
/// The length and power codes are rebuilt after this many symbols.
pub(super) const SHORT_INTERVAL: u32 = 512;

/// Longest codeword, in bits.
///
/// A tree of depth 17 takes a total frequency of at least 4181 (the 19th Fibonacci number). A code of
/// `n` symbols that is rebuilt after `i` never exceeds `2 * (n + i)`, which is 3646 for the offsets.
pub(super) const MAX_BITS: usize = 16;

/// Probabilities are multiples of 1/64 ...
pub(super) const PROBABILITY_BITS: u32 = 6;
/// ... and count the zeros among the last 64 bits; at the start these are the last bits.
pub(super) const INITIAL_HISTORY: u64 = 0x5555_5555;

/// Recent offsets that an item can name.
pub(super) const RECENT: usize = 3;

/// Values that share a symbol: `base` to `base + 2^extra_bits - 1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    /// The smallest value.
    pub(super) base: u32,
    /// Verbatim bits behind the symbol, to be added to the base.
    pub(super) extra_bits: u8,
}

/// Slots of match offsets, LZ and delta.
pub(super) static OFFSET_SLOTS: [Slot; MAX_OFFSETS] = slots(&[
    (8, 0),
    (9, 2),
    (7, 3),
    (10, 4),
    (15, 5),
    (15, 6),
    (20, 7),
    (20, 8),
    (30, 9),
    (33, 10),
    (40, 11),
    (42, 12),
    (45, 13),
    (60, 14),
    (73, 15),
    (80, 16),
    (85, 17),
    (95, 18),
    (105, 19),
    (6, 20),
    (1, 30),
]);

/// Slots of match lengths.
pub(super) static LENGTH_SLOTS: [Slot; LENGTHS] = slots(&[
    (26, 0),
    (4, 1),
    (6, 2),
    (4, 3),
    (5, 4),
    (2, 5),
    (1, 6),
    (1, 7),
    (1, 8),
    (1, 9),
    (1, 10),
    (1, 16),
    (1, 30),
]);

/// Slots from runs of (number of slots, extra bits of each); values start at 1.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn slots<const N: usize>(runs: &[(usize, u8)]) -> [Slot; N] {
    let mut slots = [Slot { base: 0, extra_bits: 0 }; N];
    let (mut base, mut at, mut run) = (1, 0, 0);
    while run < runs.len() {
        let (count, extra_bits) = runs[run];
        let end = at + count;
        while at < end {
            slots[at] = Slot { base, extra_bits };
            base += 1 << extra_bits;
            at += 1;
        }
        run += 1;
    }
    assert!(at == N);
    slots
}

/// How many offset symbols a chunk of `size` bytes has: as many as its longest offset needs.
///
/// A code has at least two symbols, whatever the size: chunks of up to two bytes have no use for more
/// than one, and no encoder is known to write any.
pub(super) fn offset_symbols(size: usize) -> usize {
    OFFSET_SLOTS.partition_point(|slot| (slot.base as usize) < size).max(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_slots_end_at_the_limits_of_the_format() {
        let last = OFFSET_SLOTS[MAX_OFFSETS - 1];
        assert_eq!(last, Slot { base: 0x065B_E4A5, extra_bits: 30 });
        assert_eq!(last.base + (1 << 30) - 1, 1_180_427_428);
        let last = LENGTH_SLOTS[LENGTHS - 1];
        assert_eq!(last.base + (1 << 30) - 1, 1_073_809_578);
    }

    #[test]
    fn slots_are_counted_up_to_the_longest_offset() {
        #[track_caller]
        fn check(size: usize, symbols: usize) {
            assert_eq!(offset_symbols(size), symbols);
        }
        check(0, 2);
        check(2, 2);
        check(3, 2);
        check(4, 3);
        check(9, 8);
        check(10, 9);
        check(13, 9);
        check(14, 10);
        check(0x065B_E4A5, 798);
        check(0x065B_E4A6, 799);
        check(1 << 30, 799);
    }
}
