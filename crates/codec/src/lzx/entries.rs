//! What the entries of LZX's decode tables hold, beyond what every table's entries do.
//!
//! ```text
//!  literal         30 .. 23   byte          22 .. 13   0
//!  recent offset   25 .. 23   length header   22 .. 19   0          18 .. 13   place in the queue
//!  new offset      25 .. 23   length header   22 .. 19   mantissa   18 .. 13   60 - extra bits
//! ```
//!
//! A new offset is `(mantissa << extra bits | extra bits' value) - 2`: every slot's base, plus two, is a
//! number from 2 to 15 followed by as many zeros as the slot has extra bits. A literal looks like the
//! use of the first recent offset, which changes nothing.

use super::layout::{
    ALIGNED_BITS, FIRST_ALIGNED_SLOT, LENGTH_HEADERS, LENGTH_SYMBOLS, LITERALS, LONG_LENGTH_HEADER,
    MAX_EXTRA_BITS, MAX_MAIN_SYMBOLS, MIN_MATCH, OFFSET_BASE, OFFSET_EXTRA_BITS, RECENT_OFFSETS,
};
use super::recent::RecentOffsets;
use crate::huffman::decode::{PAYLOAD_SHIFT, RARE, SIMPLE, TOTAL_SHIFT, plain_payloads};

const BYTE_SHIFT: u32 = 23;
const HEADER_SHIFT: u32 = 23;
const MANTISSA_SHIFT: u32 = 19;
/// Bits of the mantissa.
const MANTISSA_BITS: u32 = 4;

/// Main code, verbatim blocks: matches with a length symbol are rare.
pub(crate) static VERBATIM_PAYLOADS: [u32; MAX_MAIN_SYMBOLS] = main_payloads(false);
/// Main code, aligned blocks: the low offset bits that have their own symbols are no extra bits.
pub(crate) static ALIGNED_PAYLOADS: [u32; MAX_MAIN_SYMBOLS] = main_payloads(true);
/// Length code: the payload is the match length.
#[expect(clippy::cast_possible_truncation, reason = "small")]
pub(crate) static LENGTH_PAYLOADS: [u32; LENGTH_SYMBOLS] =
    plain_payloads((MIN_MATCH + LONG_LENGTH_HEADER) as u32);

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
#[expect(clippy::cast_possible_truncation, reason = "alphabets are small")]
const fn main_payloads(is_aligned_block: bool) -> [u32; MAX_MAIN_SYMBOLS] {
    let mut table = [0; MAX_MAIN_SYMBOLS];
    let mut symbol = 0;
    while symbol < MAX_MAIN_SYMBOLS {
        table[symbol] = if symbol < LITERALS {
            SIMPLE | (symbol as u32) << BYTE_SHIFT
        } else {
            let slot = (symbol - LITERALS) / LENGTH_HEADERS;
            let header = (symbol - LITERALS) % LENGTH_HEADERS;
            let is_aligned = is_aligned_block && slot >= FIRST_ALIGNED_SLOT;
            let rare = if header == LONG_LENGTH_HEADER { RARE } else { 0 };
            (header as u32) << HEADER_SHIFT | offset_payload(slot, is_aligned) | rare
        };
        symbol += 1;
    }
    table
}

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
#[expect(clippy::cast_possible_truncation, reason = "slots are few")]
const fn offset_payload(slot: usize, is_aligned: bool) -> u32 {
    if slot < RECENT_OFFSETS {
        return RecentOffsets::place(slot as u32) << PAYLOAD_SHIFT;
    }
    let extra = OFFSET_EXTRA_BITS[slot] as u32;
    let mantissa = (OFFSET_BASE[slot] + 2) >> extra;
    assert!(mantissa >= 2 && mantissa < 1 << MANTISSA_BITS);
    assert!(mantissa << extra == OFFSET_BASE[slot] + 2);
    let verbatim = if is_aligned { extra - ALIGNED_BITS } else { extra };
    mantissa << MANTISSA_SHIFT
        | (64 - MANTISSA_BITS - extra) << PAYLOAD_SHIFT
        | verbatim << TOTAL_SHIFT
}

/// The byte of a literal.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "a bit field")]
pub(crate) const fn byte_of(entry: u32) -> u8 {
    (entry >> BYTE_SHIFT) as u8
}

/// The length of a match, except that the longest one says a length symbol follows.
#[inline(always)]
pub(crate) const fn short_length_of(entry: u32) -> usize {
    ((entry >> HEADER_SHIFT) & 7) as usize + MIN_MATCH
}

/// Whether a length symbol follows.
#[inline(always)]
pub(crate) const fn has_length_symbol(entry: u32) -> bool {
    short_length_of(entry) == MIN_MATCH + LONG_LENGTH_HEADER
}

/// Where the queue holds a recent offset: in the low six bits.
#[inline(always)]
pub(crate) const fn place_of(entry: u32) -> u32 {
    entry >> PAYLOAD_SHIFT
}

/// Whether a match has a new offset.
#[inline(always)]
pub(crate) const fn is_new_offset(entry: u32) -> bool {
    entry & ((1 << MANTISSA_BITS) - 1) << MANTISSA_SHIFT != 0
}

/// The new offset, plus two, of a match whose extra bits `bits` start with.
#[inline(always)]
pub(crate) const fn offset_number(entry: u32, bits: u64) -> u64 {
    let mantissa = (entry as u64) << (64 - MANTISSA_BITS - MANTISSA_SHIFT);
    let mantissa = mantissa & u64::MAX << (64 - MANTISSA_BITS);
    (mantissa | bits >> MANTISSA_BITS).wrapping_shr(entry >> PAYLOAD_SHIFT)
}

/// Whether, in an aligned block, an aligned symbol stands for the low bits of the offset.
///
/// Answers correctly for all symbols: the offset field of a recent offset is smaller than that of any
/// aligned slot.
#[inline(always)]
pub(crate) const fn has_aligned_symbol(entry: u32) -> bool {
    // The field is smaller the more extra bits there are.
    const LOWEST: u32 = 64 - MANTISSA_BITS - MAX_EXTRA_BITS;
    const HIGHEST: u32 = 64 - MANTISSA_BITS - ALIGNED_BITS;
    const { assert!(RecentOffsets::place(2) < LOWEST) }
    ((entry >> PAYLOAD_SHIFT) & 63).wrapping_sub(LOWEST) <= HIGHEST - LOWEST
}
