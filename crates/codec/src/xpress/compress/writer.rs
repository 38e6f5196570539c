//! Writes the items of a chunk as XPRESS-Huffman.
//!
//! The format interleaves bytes (long lengths) with a stream of 16-bit units: a reader fetches two
//! units ahead, so a byte stands behind the two units that follow the one its bits end in. Writing
//! therefore goes in two steps: all bits into a plain stream, noting where bytes belong; then that
//! stream, unit by unit, with the bytes put in.

use zerocopy::FromZeros;

use super::finder::MAX_INPUT;
use super::items::{Item, Items, extra_bits};
use crate::xpress::layout::{
    END_SYMBOL, LONG_LENGTH_BYTE, LONG_LENGTH_NIBBLE, SYMBOLS, TABLE_BYTES,
};

/// The shortest match with a length byte, in bytes, bounds the number of such bytes.
const MAX_LENGTH_BYTES: usize = 4096;
/// Bits that can be put between two flushes: 64, less 7 that a flush may leave.
const FLUSH_BITS: u32 = 57;
/// Bits of a unit.
const UNIT_BITS: usize = 16;
/// Units a reader has fetched beyond the one it takes bits from.
const UNITS_AHEAD: usize = 2;

/// A chunk's Huffman code.
pub(super) struct Code {
    /// Length of each symbol's code word in bits.
    pub(super) lens: [u8; SYMBOLS],
    /// The code words, right-aligned.
    pub(super) codewords: [u16; SYMBOLS],
}

/// Buffers of the writer.
#[derive(FromZeros)]
pub(super) struct Writer {
    /// For each symbol its code word, shifted up to make room for its extra bits, and in the lowest
    /// byte the number of both.
    entries: [u64; SYMBOLS],
    stream: [u8; MAX_INPUT + size_of::<u64>()],
    /// Index of the unit a length byte stands before, and the byte in the lowest 8 bits.
    length_bytes: [u32; MAX_LENGTH_BYTES],
}

/// The exact size in bytes of `items` written with a code of these lengths.
pub(super) fn compressed_size(items: &Items, lens: &[u8; SYMBOLS]) -> usize {
    let symbols = items.frequencies().iter().zip(lens).enumerate();
    let bits = symbols.map(|(symbol, (&frequency, &len))| {
        frequency as usize * (usize::from(len) + extra_bits(symbol) as usize)
    });
    let units = (bits.sum::<usize>() - 1) / UNIT_BITS + UNITS_AHEAD;
    TABLE_BYTES + units * 2 + items.length_bytes()
}

impl Writer {
    /// Writes `items`, which must fill `out` exactly and include the end symbol in their frequencies.
    pub(super) fn write(&mut self, items: &Items, code: &Code, out: &mut [u8]) {
        let Some((table, out)) = out.split_at_mut_checked(TABLE_BYTES) else { return };
        for (byte, lens) in table.iter_mut().zip(code.lens.as_chunks::<2>().0) {
            *byte = lens[0] | lens[1] << 4;
        }
        let symbols = code.codewords.iter().zip(&code.lens).enumerate();
        for (entry, (symbol, (&codeword, &len))) in self.entries.iter_mut().zip(symbols) {
            let extra = extra_bits(symbol);
            *entry = (u64::from(codeword) << (extra + 8)) | (u64::from(len) + u64::from(extra));
        }
        let length_bytes = self.write_bits(items.words(), &code.lens);
        self.interleave(length_bytes, out);
    }

    /// Fills `stream` and `length_bytes`; returns the number of the latter.
    fn write_bits(&mut self, words: &[u32], lens: &[u8; SYMBOLS]) -> usize {
        let mut bits = Bits { stream: &mut self.stream, position: 0, pending: 0, count: 0 };
        let mut length_bytes = 0;
        let mut words = words.iter().copied().map(Item);
        let mut upcoming = words.next();
        while let Some(item) = upcoming {
            let entry = self.entries[item.symbol()];
            if item.length_code() == 0 {
                bits.put(entry >> 8 | u64::from(item.0 >> Item::EXTRA_SHIFT), entry as u8);
                upcoming = words.next();
                // Two items at a time, which nearly always fit.
                let Some(second) = upcoming else { break };
                let second_entry = self.entries[second.symbol()];
                let room = entry as u8 + second_entry as u8;
                if (second.length_code() == 0) & (u32::from(room) <= FLUSH_BITS) {
                    let value = second_entry >> 8 | u64::from(second.0 >> Item::EXTRA_SHIFT);
                    bits.put(value, second_entry as u8);
                    upcoming = words.next();
                }
            } else {
                let symbol_end = bits.written() + usize::from(lens[item.symbol()]);
                let unit = (symbol_end - 1) / UNIT_BITS + UNITS_AHEAD;
                let full = if item.length_code() == Item::LONG { words.next() } else { None };
                let length = full.map_or(item.length_code() - 1 + LONG, |item| item.0);
                note_length(&mut self.length_bytes, &mut length_bytes, unit, length);
                bits.put(entry >> 8 | u64::from(item.extra()), entry as u8);
                upcoming = words.next();
            }
            bits.flush();
        }
        bits.flush();
        let entry = self.entries[END_SYMBOL];
        bits.put(entry >> 8, entry as u8);
        bits.finish();
        length_bytes
    }

    /// Copies `stream` to `out`, turning its units to little-endian, with the length bytes put in.
    fn interleave(&self, length_bytes: usize, mut out: &mut [u8]) {
        let mut units = self.stream.as_chunks::<2>().0;
        let mut done = 0;
        for noted in &self.length_bytes[..length_bytes] {
            let unit = (noted >> 8) as usize;
            let Some((part, rest)) = units.split_at_checked(unit - done) else { return };
            let Some((target, rest_out)) = out.split_at_mut_checked(part.len() * 2) else { return };
            copy_units(part, target);
            let Some((byte, rest_out)) = rest_out.split_first_mut() else { return };
            *byte = *noted as u8;
            (units, out, done) = (rest, rest_out, unit);
        }
        copy_units(units, out);
    }
}

/// Adjusted length from which on a length byte is written.
const LONG: u32 = LONG_LENGTH_NIBBLE as u32;

/// Notes the one or three bytes of a match length (less 3), to stand before `unit`.
#[inline(never)]
fn note_length(noted: &mut [u32], count: &mut usize, unit: usize, length: u32) {
    let mut note = |byte: u8| {
        if let Some(slot) = noted.get_mut(*count) {
            *slot = (unit as u32) << 8 | u32::from(byte);
            *count += 1;
        }
    };
    let byte = length - LONG;
    if byte < u32::from(LONG_LENGTH_BYTE) {
        note(byte as u8);
    } else {
        note(LONG_LENGTH_BYTE);
        note(length as u8);
        note((length >> 8) as u8);
    }
}

/// Copies as many units as fit into `out`, swapping their bytes.
#[inline(always)]
fn copy_units(units: &[[u8; 2]], out: &mut [u8]) {
    for (target, unit) in out.as_chunks_mut::<2>().0.iter_mut().zip(units) {
        *target = [unit[1], unit[0]];
    }
}

/// A plain bit stream, first bit in the highest bit of the first byte.
struct Bits<'a> {
    stream: &'a mut [u8; MAX_INPUT + size_of::<u64>()],
    /// Bytes complete.
    position: usize,
    /// Bits not yet in the stream, from the highest bit on, and their number.
    pending: u64,
    count: u32,
}

impl Bits<'_> {
    /// Number of bits put so far.
    fn written(&self) -> usize {
        self.position * 8 + self.count as usize
    }

    /// Appends the `count` low bits of `bits`; at most [`FLUSH_BITS`] in all between two flushes.
    #[inline(always)]
    fn put(&mut self, bits: u64, count: u8) {
        self.count += u32::from(count);
        self.pending |= bits << ((64 - self.count) & 63);
    }

    /// Moves all complete bytes to the stream.
    #[inline(always)]
    fn flush(&mut self) {
        if let Some(target) = self.stream[self.position..].first_chunk_mut() {
            *target = self.pending.to_be_bytes();
        }
        self.position += (self.count / 8) as usize;
        self.pending <<= self.count & !7 & 63;
        self.count &= 7;
    }

    /// Flushes, with zeros for the units the reader fetches ahead.
    fn finish(&mut self) {
        self.flush();
        self.flush();
        let behind = self.position + 1;
        self.stream[behind..][..6].fill(0);
    }
}
