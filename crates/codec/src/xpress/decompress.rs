//! Decoding XPRESS.
//!
//! The inner loop takes two symbols per round: the first only if it is a literal, the second whatever
//! it is. Neither question is asked with a branch, because whether a literal or a match comes next is
//! close to a coin toss, and a wrong guess costs the processor as much as decoding two symbols: a
//! literal is treated as a match of length one whose copied byte is then replaced.
#![expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "margins are checked once per round; bit fields are cut out of wider words on purpose"
)]

use std::hint::select_unpredictable;

use super::layout::{
    LITERALS, LONG_LENGTH_BYTE, LONG_LENGTH_NIBBLE, MAX_BITS, MIN_MATCH, SYMBOLS, TABLE_BYTES,
};
use crate::Fault;
use crate::bits::{FastBits, UnitReader};
use crate::copy::{COPY_SLACK, copy_exact, copy_wide};
use crate::huffman::decode::{
    DecodeTable, LEN_SHIFT, PAYLOAD_SHIFT, RARE, SIMPLE, Scratch, TOTAL_SHIFT, code_len,
    is_no_symbol, total_bits,
};
use crate::units::Stored;

/// Index width of the root table. Wider means fewer subtables but more entries to fill per chunk.
const ROOT_BITS: usize = 11;
/// At most 2566 entries are used.
const TABLE_SIZE: usize = 4096;
/// Name of the code in faults.
const CODE: &str = "symbol";

/// Literals are simple symbols with the byte here.
const BYTE_SHIFT: u32 = 23;
/// Matches are compound symbols, the extra bits are the offset's. They hold 63 minus the number of
/// offset bits here (6 bits).
const OFFSET_SHIFT: u32 = PAYLOAD_SHIFT;
/// Where matches hold their length nibble (4 bits). The nibble that says "more follows" is rare.
const NIBBLE_SHIFT: u32 = 19;

const PAYLOADS: [u32; SYMBOLS] = payloads();

const fn payloads() -> [u32; SYMBOLS] {
    let mut table = [0; SYMBOLS];
    let mut symbol = 0;
    while symbol < SYMBOLS {
        table[symbol] = if symbol < LITERALS {
            SIMPLE | (symbol as u32) << BYTE_SHIFT
        } else {
            let offset_bits = (symbol as u32 >> 4) & 15;
            let nibble = symbol as u32 & 15;
            let rare = if nibble == LONG_LENGTH_NIBBLE as u32 { RARE } else { 0 };
            nibble << NIBBLE_SHIFT
                | (63 - offset_bits) << OFFSET_SHIFT
                | offset_bits << TOTAL_SHIFT
                | rare
        };
        symbol += 1;
    }
    table
}

/// The byte of a literal's entry.
#[inline(always)]
const fn byte_of(entry: u32) -> u8 {
    (entry >> BYTE_SHIFT) as u8
}

/// The offset of a match whose codeword `bits` start with.
#[inline(always)]
const fn offset_of(entry: u32, bits: u64) -> usize {
    // A one, then the offset bits.
    let offset = bits.wrapping_shl(entry >> LEN_SHIFT) >> 1 | 1 << 63;
    offset.wrapping_shr(entry >> OFFSET_SHIFT) as usize
}

/// The length of a match without length bytes.
#[inline(always)]
const fn short_length_of(entry: u32) -> usize {
    ((entry >> NIBBLE_SHIFT) & 15) as usize + MIN_MATCH
}

/// Decodes XPRESS chunks.
#[derive(Clone, Debug)]
pub(crate) struct XpressDecompressor {
    table: DecodeTable<ROOT_BITS, TABLE_SIZE>,
    scratch: Scratch,
}

impl XpressDecompressor {
    /// Makes a decoder.
    pub(crate) fn new() -> Self {
        Self { table: DecodeTable::new(), scratch: Scratch::new() }
    }

    /// Decodes `input` into exactly `out.len()` bytes. A fault comes with the reader's position.
    pub(crate) fn decompress(
        &mut self,
        input: &[u8],
        out: &mut [u8],
    ) -> Result<(), (Fault, usize)> {
        let Some(table) = input.first_chunk::<TABLE_BYTES>() else {
            let rule = "the code table alone has 256 bytes";
            return Err((Fault::BadInputSize { size: input.len(), rule }, 0));
        };
        let mut lens = [0; SYMBOLS];
        for (pair, &byte) in lens.as_chunks_mut::<2>().0.iter_mut().zip(table) {
            *pair = [byte & 15, byte >> 4];
        }
        self.table
            .build(&lens, &PAYLOADS, MAX_BITS, &mut self.scratch)
            .map_err(|_incomplete| (Fault::BadCode { code: CODE }, 0))?;

        let mut reader = UnitReader::new(input, TABLE_BYTES);
        let at = self.decode_fast(&mut reader, out);
        self.decode_carefully(&mut reader, out, at).map_err(|fault| (fault, reader.position()))
    }

    /// Decodes while there is ample room on both sides and nothing is wrong; returns the output
    /// position.
    #[inline(never)]
    fn decode_fast(&self, reader: &mut UnitReader<'_>, out: &mut [u8]) -> usize {
        /// What a round may write, long matches apart: a literal, and what copying a short match does.
        const OUT_MARGIN: usize = 1 + COPY_SLACK;
        const { assert!(MIN_MATCH + LONG_LENGTH_NIBBLE <= COPY_SLACK) }
        let mut at = 0;
        let Some(out_limit) = out.len().checked_sub(OUT_MARGIN) else { return at };
        let input = reader.input();
        let mut fast = reader.begin_fast();
        while at <= out_limit {
            // The refill comes second, so that the look-up need not wait for it. A round consumes at
            // most 41 of the 64 bits there are after a refill: ROOT_BITS are always left.
            let first = self.table.root_entry(fast.bits);
            if !fast.refill() {
                break;
            }
            out[at] = byte_of(first);
            at += (first >> 31) as usize;
            fast.consume(first);

            let mut entry = self.table.root_entry(fast.bits);
            if entry & RARE != 0 {
                if is_no_symbol(entry) {
                    let Some(found) = self.table.follow(entry, fast.bits) else { break };
                    entry = found;
                    if entry & SIMPLE != 0 {
                        out[at] = byte_of(entry);
                        at += 1;
                        fast.consume(entry);
                        continue;
                    }
                }
                if entry & RARE != 0 {
                    let Some((next, length)) = long_match(entry, fast, input, out, at) else {
                        break;
                    };
                    fast = next;
                    at += length;
                    if !fast.refill() {
                        break;
                    }
                    continue;
                }
            }
            let is_literal = entry & SIMPLE != 0;
            // A literal's block is copied from the chunk's start: bytes stored long ago, which the
            // processor can load at once. (It comes behind another literal, so `at` is not zero.)
            let offset = select_unpredictable(is_literal, at, offset_of(entry, fast.bits));
            let length = select_unpredictable(is_literal, 1, short_length_of(entry));
            if offset > at {
                break;
            }
            fast.consume(entry >> TOTAL_SHIFT);
            out[at] = byte_of(entry);
            if offset >= length {
                let from = at - offset;
                out.copy_within(from..from + 16, at + (entry >> 31) as usize);
                if length > 16 {
                    out[at + 16] = out[from + 16];
                }
            } else {
                copy_wide(out, at, offset, length);
            }
            at += length;
        }
        reader.end_fast(fast);
        at
    }

    /// Decodes the rest, checking each step.
    fn decode_carefully(
        &self,
        reader: &mut UnitReader<'_>,
        out: &mut [u8],
        mut at: usize,
    ) -> Result<(), Fault> {
        let expected = out.len();
        while at < expected {
            let too_short = Fault::InputTooShort { produced: at, expected };
            reader.refill();
            let entry = self.table.symbol_entry(reader.bits());
            let entry = entry.ok_or(Fault::BadCode { code: CODE })?;
            if entry & SIMPLE != 0 {
                reader.consume(total_bits(entry));
                if reader.overrun() {
                    return Err(too_short);
                }
                out[at] = byte_of(entry);
                at += 1;
                continue;
            }
            let offset = offset_of(entry, reader.bits());
            reader.consume(code_len(entry));
            let length = if entry & RARE == 0 {
                short_length_of(entry)
            } else {
                reader.give_back(16);
                long_length(reader).ok_or(too_short)?
            };
            reader.consume(total_bits(entry) - code_len(entry));
            if reader.overrun() {
                return Err(too_short);
            }
            if offset > at {
                return Err(Fault::OffsetTooLarge { match_offset: offset, produced: at });
            }
            if length > expected - at {
                return Err(Fault::MatchTooLong { length, remaining: expected - at });
            }
            copy_exact(out, at, offset, length);
            at += length;
        }
        Ok(())
    }
}

/// Decodes a match with length bytes in the fast loop and appends it at `at`: returns the state behind
/// it and its length, or `None`, with nothing done, if anything is wrong or the output's end is near.
#[inline(always)]
fn long_match<'a>(
    entry: u32,
    mut fast: FastBits<Stored<'a>>,
    input: &'a [u8],
    out: &mut [u8],
    at: usize,
) -> Option<(FastBits<Stored<'a>>, usize)> {
    let offset = offset_of(entry, fast.bits);
    fast.consume(code_len(entry));
    fast.give_back_to_16(input);
    let &[byte, low, high] = fast.rest().0.first_chunk()?;
    let (length, bytes) = if byte == LONG_LENGTH_BYTE {
        (usize::from(u16::from_le_bytes([low, high])) + MIN_MATCH, 3)
    } else {
        (usize::from(byte) + LONG_LENGTH_NIBBLE + MIN_MATCH, 1)
    };
    fast.skip_bytes(bytes);
    fast.consume(total_bits(entry) - code_len(entry));
    if offset > at || at + length + COPY_SLACK > out.len() {
        return None;
    }
    copy_wide(out, at, offset, length);
    Some((fast, length))
}

/// Reads the length bytes of a match.
fn long_length(reader: &mut UnitReader<'_>) -> Option<usize> {
    let byte = *reader.raw_bytes(1)?.first()?;
    if byte == LONG_LENGTH_BYTE {
        let field = *reader.raw_bytes(2)?.first_chunk()?;
        Some(usize::from(u16::from_le_bytes(field)) + MIN_MATCH)
    } else {
        Some(usize::from(byte) + LONG_LENGTH_NIBBLE + MIN_MATCH)
    }
}
