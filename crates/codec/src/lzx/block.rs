//! Decoding the symbols of a verbatim or aligned block.
//!
//! The inner loop is built like that of XPRESS: two symbols per round, the first only if it is a
//! literal, and no branch on what a symbol is.
#![expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "margins are checked once per round; bit fields are cut out of wider words on purpose"
)]

use std::hint::select_unpredictable;

use super::codes::{ALIGNED, Codes, LENGTH, MAIN};
use super::entries::{
    byte_of, has_aligned_symbol, has_length_symbol, is_new_offset, offset_number, place_of,
    short_length_of,
};
use super::layout::{LONG_LENGTH_HEADER, MIN_MATCH};
use super::recent::RecentOffsets;
use crate::Fault;
use crate::bits::{FastBits, UnitReader};
use crate::copy::{COPY_SLACK, copy_exact, copy_wide};
use crate::huffman::decode::{
    LEN_SHIFT, PAYLOAD_SHIFT, RARE, SIMPLE, TOTAL_SHIFT, code_len, is_no_symbol, total_bits,
};
use crate::units::{SwapWindow, Swapped};

/// What a block's symbols are decoded with.
pub(crate) struct Block<'a> {
    pub(crate) codes: &'a Codes,
    /// The chunk's size in bytes, for faults.
    pub(crate) expected: usize,
}

/// What changes while they are decoded.
pub(crate) struct BlockCoding<'a, 'input> {
    pub(crate) reader: &'a mut UnitReader<'input>,
    /// Room for the part of the input that is being decoded.
    pub(crate) window: &'a mut SwapWindow,
    pub(crate) recent: &'a mut RecentOffsets,
}

/// A match of the fast loop that took more than one codeword.
struct LongMatch<'a> {
    fast: FastBits<Swapped<'a>>,
    recent: RecentOffsets,
    offset: usize,
    length: usize,
}

impl Block<'_> {
    /// Decodes the block that `out` ends with, from `at` on.
    pub(crate) fn decode<const IS_ALIGNED: bool>(
        &self,
        mut coding: BlockCoding<'_, '_>,
        out: &mut [u8],
        at: usize,
    ) -> Result<(), Fault> {
        let mut at = at;
        while self.decode_fast::<IS_ALIGNED>(&mut coding, out, &mut at) {}
        self.decode_carefully::<IS_ALIGNED>(coding, out, at)
    }

    /// Decodes while there is ample room on both sides and nothing is wrong. Answers whether it only
    /// stopped for more input to be put into the window.
    #[inline(never)]
    fn decode_fast<const IS_ALIGNED: bool>(
        &self,
        coding: &mut BlockCoding<'_, '_>,
        out: &mut [u8],
        position: &mut usize,
    ) -> bool {
        /// What a round may write, long matches apart: a literal, and up to seven bytes less than two
        /// words for the longest short match.
        const OUT_MARGIN: usize = 1 + 2 * 8;
        const { assert!(MIN_MATCH + LONG_LENGTH_HEADER - 1 == 8) }
        let Some(out_limit) = out.len().checked_sub(OUT_MARGIN) else { return false };
        if IS_ALIGNED && self.codes.aligned.is_empty() {
            return false;
        }
        let mut at = *position;
        let main = &self.codes.main;
        let mut fast = coding.reader.begin_window(coding.window);
        let window_len = fast.rest().len();
        let mut recent = *coding.recent;
        while at <= out_limit {
            // The refill comes second, so that the look-up need not wait for it. A round consumes at
            // most 44 of the 64 bits there are after a refill: enough are left for a look-up.
            let first = main.root_entry(fast.bits);
            if !fast.refill() {
                break;
            }
            out[at] = byte_of(first);
            at += (first >> 31) as usize;
            fast.consume(first);

            let mut entry = main.root_entry(fast.bits);
            if entry & RARE != 0 {
                if is_no_symbol(entry) {
                    let Some(found) = main.follow(entry, fast.bits) else { break };
                    entry = found;
                    if entry & SIMPLE != 0 {
                        out[at] = byte_of(entry);
                        at += 1;
                        fast.consume(entry);
                        continue;
                    }
                }
                if entry & RARE != 0 {
                    let Some(long) = self.long_match::<IS_ALIGNED>(entry, fast, recent) else {
                        break;
                    };
                    let LongMatch { offset, length, .. } = long;
                    if offset > at || at + length + COPY_SLACK > out.len() {
                        break;
                    }
                    copy_wide(out, at, offset, length);
                    at += length;
                    (fast, recent) = (long.fast, long.recent);
                    continue;
                }
            }
            let is_literal = entry & SIMPLE != 0;
            let number = offset_number(entry, fast.bits.wrapping_shl(entry >> LEN_SHIFT));
            let before = fast;
            fast.consume(entry >> TOTAL_SHIFT);
            let number = self.aligned_number::<IS_ALIGNED>(entry, number, &mut fast);
            let (offset, next_recent) = recent.used_by(entry, number);
            // A literal's block is copied from the chunk's start: bytes stored long ago, which the
            // processor can load at once. (It comes behind another literal, so `at` is not zero.)
            let offset = select_unpredictable(is_literal, at, offset as usize);
            let length = select_unpredictable(is_literal, 1, short_length_of(entry));
            if offset > at {
                fast = before;
                break;
            }
            recent = next_recent;
            out[at] = byte_of(entry);
            if offset >= length {
                let from = at - offset;
                out.copy_within(from..from + 8, at + (entry >> 31) as usize);
            } else {
                copy_wide(out, at, offset, length);
            }
            at += length;
        }
        *position = at;
        *coding.recent = recent;
        coding.reader.end_window(fast, window_len)
    }

    /// Decodes a match with a length symbol. `None` if anything is wrong or the input's end is near.
    #[inline(always)]
    fn long_match<'a, const IS_ALIGNED: bool>(
        &self,
        entry: u32,
        mut fast: FastBits<Swapped<'a>>,
        recent: RecentOffsets,
    ) -> Option<LongMatch<'a>> {
        fast.consume(code_len(entry));
        let length = self.codes.length.symbol_entry(fast.bits)?;
        fast.consume(length >> TOTAL_SHIFT);
        if !fast.refill() {
            return None;
        }
        let number = offset_number(entry, fast.bits);
        fast.consume(total_bits(entry) - code_len(entry));
        let number = self.aligned_number::<IS_ALIGNED>(entry, number, &mut fast);
        let (offset, recent) = recent.used_by(entry, number);
        Some(LongMatch { fast, recent, offset: offset as usize, length: length_of(length) })
    }

    /// Puts the low bits of an offset number in place if they have their own symbol.
    #[inline(always)]
    fn aligned_number<const IS_ALIGNED: bool>(
        &self,
        entry: u32,
        number: u64,
        fast: &mut FastBits<Swapped<'_>>,
    ) -> u64 {
        if !IS_ALIGNED {
            return number;
        }
        // The three bits behind the verbatim ones are in the number already.
        let change = self.codes.aligned.change(has_aligned_symbol(entry), fast.bits);
        fast.consume(change.into());
        number ^ u64::from(change >> 8)
    }

    /// Decodes the rest, checking each step.
    fn decode_carefully<const IS_ALIGNED: bool>(
        &self,
        coding: BlockCoding<'_, '_>,
        out: &mut [u8],
        mut at: usize,
    ) -> Result<(), Fault> {
        let BlockCoding { reader, recent, .. } = coding;
        while at < out.len() {
            let too_short = Fault::InputTooShort { produced: at, expected: self.expected };
            reader.refill();
            let entry = self.codes.main.symbol_entry(reader.bits());
            let entry = entry.ok_or(Fault::BadCode { code: MAIN })?;
            if entry & SIMPLE != 0 {
                reader.consume(total_bits(entry));
                if reader.overrun() {
                    return Err(too_short);
                }
                out[at] = byte_of(entry);
                at += 1;
                continue;
            }
            reader.consume(code_len(entry));
            let mut length = short_length_of(entry);
            if has_length_symbol(entry) {
                let entry = self.codes.length.symbol_entry(reader.bits());
                let entry = entry.ok_or(Fault::BadCode { code: LENGTH })?;
                reader.consume(total_bits(entry));
                length = length_of(entry);
            }
            reader.refill();
            let offset = if is_new_offset(entry) {
                let mut number = offset_number(entry, reader.bits());
                reader.consume(total_bits(entry) - code_len(entry));
                if IS_ALIGNED && has_aligned_symbol(entry) {
                    let entry = self.codes.aligned.symbol_entry(reader.bits());
                    let entry = entry.ok_or(Fault::BadCode { code: ALIGNED })?;
                    reader.consume(total_bits(entry));
                    number = with_low_bits(number, entry);
                }
                *recent = recent.with_new(number - 2);
                number - 2
            } else {
                let offset = recent.get(place_of(entry));
                *recent = recent.with_used(place_of(entry));
                offset
            };
            if reader.overrun() {
                return Err(too_short);
            }
            let offset = offset as usize;
            if offset > at {
                return Err(Fault::OffsetTooLarge { match_offset: offset, produced: at });
            }
            if length > out.len() - at {
                return Err(Fault::MatchTooLong { length, remaining: out.len() - at });
            }
            copy_exact(out, at, offset, length);
            at += length;
        }
        Ok(())
    }
}

/// The match length that a length symbol stands for.
#[inline(always)]
const fn length_of(entry: u32) -> usize {
    ((entry >> PAYLOAD_SHIFT) & 0x1FF) as usize
}

/// An offset number whose low three bits are those of an aligned symbol.
#[inline(always)]
const fn with_low_bits(number: u64, aligned: u32) -> u64 {
    number & !7 | ((aligned >> PAYLOAD_SHIFT) & 7) as u64
}
