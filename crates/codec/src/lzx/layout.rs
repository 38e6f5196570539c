//! What the LZX encoder and decoder must agree on: alphabets, code limits, slots, block types.
//!
//! Source: \[MS-PATCH\] with the WIM differences listed in the [module docs](super).

/// Number of literal symbols; they come first in the main alphabet.
pub(crate) const LITERALS: usize = 256;
/// Main symbols per offset slot: one for each length header.
pub(crate) const LENGTH_HEADERS: usize = 8;
/// The length header that says "a length symbol follows": lengths from
/// `MIN_MATCH + LONG_LENGTH_HEADER` on.
pub(crate) const LONG_LENGTH_HEADER: usize = 7;
/// Shortest match, in bytes.
pub(crate) const MIN_MATCH: usize = 2;
/// Longest match, in bytes.
pub(crate) const MAX_MATCH: usize = 257;
/// Symbols of the length alphabet: lengths 9 to 257.
pub(crate) const LENGTH_SYMBOLS: usize = 249;
/// Symbols of the aligned-offset alphabet: the low three bits of an offset.
pub(crate) const ALIGNED_SYMBOLS: usize = 8;
/// Symbols of a pretree (the code that packs other codes' lengths).
pub(crate) const PRETREE_SYMBOLS: usize = 20;
/// Most offset slots any window has (2 MiB).
pub(crate) const MAX_OFFSET_SLOTS: usize = 50;
/// Size of the main alphabet at [`MAX_OFFSET_SLOTS`].
pub(crate) const MAX_MAIN_SYMBOLS: usize = LITERALS + MAX_OFFSET_SLOTS * LENGTH_HEADERS;

/// Longest main codeword, in bits.
pub(crate) const MAIN_MAX_BITS: usize = 16;
/// Longest length codeword, in bits.
pub(crate) const LENGTH_MAX_BITS: usize = 16;
/// Longest aligned-offset codeword, in bits.
pub(crate) const ALIGNED_MAX_BITS: usize = 7;
/// Longest pretree codeword, in bits.
pub(crate) const PRETREE_MAX_BITS: usize = 15;

/// Bits of each stored pretree codeword length.
pub(crate) const PRETREE_FIELD_BITS: u32 = 4;
/// Bits of each stored aligned-offset codeword length.
pub(crate) const ALIGNED_FIELD_BITS: u32 = 3;

/// Pretree symbols below this one are the difference to the old length, modulo this number.
pub(crate) const PRETREE_MODULUS: u8 = 17;
/// Pretree symbol: a run of `4 + bits(4)` zero lengths.
pub(crate) const PRETREE_ZEROS: u8 = 17;
/// Pretree symbol: a run of `20 + bits(5)` zero lengths.
pub(crate) const PRETREE_MANY_ZEROS: u8 = 18;
/// Pretree symbol: a run of `4 + bits(1)` equal lengths; the difference symbol follows.
pub(crate) const PRETREE_REPEAT: u8 = 19;
/// Shortest run of [`PRETREE_ZEROS`], and the width of its count field in bits.
pub(crate) const ZEROS_RUN: (usize, u32) = (4, 4);
/// Shortest run of [`PRETREE_MANY_ZEROS`], and the width of its count field in bits.
pub(crate) const MANY_ZEROS_RUN: (usize, u32) = (20, 5);
/// Shortest run of [`PRETREE_REPEAT`], and the width of its count field in bits.
pub(crate) const REPEAT_RUN: (usize, u32) = (4, 1);

/// Slots 0 to 2 stand for the recent offsets.
pub(crate) const RECENT_OFFSETS: usize = 3;
/// The recent offsets at the start of a chunk.
pub(crate) const INITIAL_RECENT: [u32; RECENT_OFFSETS] = [1; RECENT_OFFSETS];
/// In aligned blocks, slots from here on code their low [`ALIGNED_BITS`] bits with the aligned code.
pub(crate) const FIRST_ALIGNED_SLOT: usize = 8;
/// Low offset bits that the aligned code stands for.
pub(crate) const ALIGNED_BITS: u32 = 3;
/// Slots from here on all have [`MAX_EXTRA_BITS`] extra bits.
const FIRST_FLAT_SLOT: usize = 36;
/// Most verbatim bits of an offset.
pub(crate) const MAX_EXTRA_BITS: u32 = 17;

/// Width of the block type field, in bits.
pub(crate) const BLOCK_TYPE_BITS: u32 = 3;
/// The block size, in bytes, that has a one-bit form.
pub(crate) const DEFAULT_BLOCK_SIZE: usize = 32768;
/// Windows up to this many bytes have 16-bit block sizes, larger ones 24-bit sizes.
pub(crate) const SMALL_WINDOW: u32 = 32768;
/// Smallest window, in bytes: chunks below it are coded with this window's alphabet.
pub(crate) const MIN_WINDOW: u32 = 32768;

/// How a block's bytes are coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BlockType {
    /// Offsets' extra bits are stored as they are.
    Verbatim = 1,
    /// The low three extra bits of long offsets have their own code.
    Aligned = 2,
    /// The bytes are stored.
    Uncompressed = 3,
}

impl BlockType {
    /// The type with this number, if there is one.
    pub(crate) const fn from_bits(bits: u32) -> Option<Self> {
        match bits {
            1 => Some(Self::Verbatim),
            2 => Some(Self::Aligned),
            3 => Some(Self::Uncompressed),
            _ => None,
        }
    }
}

/// Verbatim bits of an offset, by slot. The recent-offset slots have none.
pub(crate) const OFFSET_EXTRA_BITS: [u8; MAX_OFFSET_SLOTS] = extra_bits_table();
/// Smallest offset of each slot, in bytes; the extra bits are added. Zero for the recent-offset slots.
pub(crate) const OFFSET_BASE: [u32; MAX_OFFSET_SLOTS] = base_table();

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn extra_bits_table() -> [u8; MAX_OFFSET_SLOTS] {
    let mut table = [0; MAX_OFFSET_SLOTS];
    let mut slot = RECENT_OFFSETS + 1;
    let mut bits = 1;
    while slot < MAX_OFFSET_SLOTS {
        table[slot] = bits;
        if slot % 2 == 1 && slot < FIRST_FLAT_SLOT {
            bits += 1;
        }
        slot += 1;
        if slot == FIRST_FLAT_SLOT {
            bits = 17;
        }
    }
    table
}

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn base_table() -> [u32; MAX_OFFSET_SLOTS] {
    let mut table = [0; MAX_OFFSET_SLOTS];
    let mut base = 1;
    let mut slot = RECENT_OFFSETS;
    while slot < MAX_OFFSET_SLOTS {
        table[slot] = base;
        base += 1 << OFFSET_EXTRA_BITS[slot];
        slot += 1;
    }
    table
}

/// The slot of an explicit `offset` (1 to 2 MiB, in bytes).
pub(crate) const fn offset_slot(offset: u32) -> usize {
    let shifted = offset + 2;
    let log = shifted.ilog2();
    if shifted < 1 << (MAX_EXTRA_BITS + 2) {
        (2 * log + ((shifted >> (log - 1)) & 1)) as usize
    } else {
        FIRST_FLAT_SLOT - 2 + (shifted >> MAX_EXTRA_BITS) as usize
    }
}

/// Number of offset slots of a window of `window` bytes (a power of two, 32 KiB to 2 MiB).
///
/// The longest legal offset is `window - 3`: the format leaves out the one match that would copy the
/// window's first two bytes to its last two, and so saves a slot.
pub(crate) const fn offset_slots(window: u32) -> usize {
    offset_slot(window - 3) + 1
}

/// Size of the main alphabet for a window of `window` bytes.
pub(crate) const fn main_symbols(window: u32) -> usize {
    LITERALS + offset_slots(window) * LENGTH_HEADERS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_per_window_are_the_known_ones() {
        let slots: Vec<_> = (15..=21).map(|order| offset_slots(1 << order)).collect();
        assert_eq!(slots, [30, 32, 34, 36, 38, 42, 50]);
        assert_eq!(main_symbols(MIN_WINDOW), 496);
    }

    #[test]
    fn bases_and_extra_bits_are_the_known_ones() {
        assert_eq!(OFFSET_BASE[..12], [0, 0, 0, 1, 2, 4, 6, 10, 14, 22, 30, 46]);
        assert_eq!(OFFSET_EXTRA_BITS[..12], [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
        assert_eq!(OFFSET_EXTRA_BITS[33..38], [15, 16, 16, 17, 17]);
        assert_eq!(OFFSET_EXTRA_BITS[49], 17);
        assert_eq!(OFFSET_BASE[36], (1 << 18) - 2);
        assert_eq!(OFFSET_BASE[49], (15 << 17) - 2);
    }

    #[test]
    fn every_offset_lies_in_its_slot() {
        for offset in 1..(2 << 20) - 2 {
            let slot = offset_slot(offset);
            assert!((RECENT_OFFSETS..MAX_OFFSET_SLOTS).contains(&slot), "{offset}");
            let within = offset.checked_sub(OFFSET_BASE[slot]).unwrap();
            assert!(within < 1 << OFFSET_EXTRA_BITS[slot], "{offset}");
        }
    }
}
