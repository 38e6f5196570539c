//! Decoding LZX.
#![expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "margins are checked once per symbol; bit fields are cut out of wider words on purpose"
)]

use super::e8;
use super::layout::{
    ALIGNED_BITS, ALIGNED_FIELD_BITS, ALIGNED_MAX_BITS, ALIGNED_SYMBOLS, BLOCK_TYPE_BITS,
    BlockType, DEFAULT_BLOCK_SIZE, FIRST_ALIGNED_SLOT, INITIAL_RECENT, LENGTH_HEADERS,
    LENGTH_MAX_BITS, LENGTH_SYMBOLS, LITERALS, LONG_LENGTH_HEADER, MAIN_MAX_BITS, MANY_ZEROS_RUN,
    MAX_MAIN_SYMBOLS, MAX_MATCH, MIN_MATCH, MIN_WINDOW, OFFSET_BASE, OFFSET_EXTRA_BITS,
    PRETREE_FIELD_BITS, PRETREE_MANY_ZEROS, PRETREE_MAX_BITS, PRETREE_MODULUS, PRETREE_REPEAT,
    PRETREE_SYMBOLS, PRETREE_ZEROS, RECENT_OFFSETS, REPEAT_RUN, SMALL_WINDOW, ZEROS_RUN,
    main_symbols,
};
use crate::Fault;
use crate::bits::{FastBits, UnitReader, top};
use crate::copy::{COPY_SLACK, copy_exact, copy_wide};
use crate::huffman::decode::{
    DecodeTable, PAYLOAD_SHIFT, SIMPLE, Scratch, is_no_symbol, total_bits,
};

/// The literal whose presence makes the E8 filter necessary.
const CALL: usize = 0xE8;
/// Main literals are simple symbols with the byte here; other codes hold their symbol here.
const SYMBOL_SHIFT: u32 = 20;
/// Main matches hold their offset slot here (6 bits)...
const SLOT_SHIFT: u32 = PAYLOAD_SHIFT;
/// ...and their length header here (3 bits).
const HEADER_SHIFT: u32 = PAYLOAD_SHIFT + 6;

const MAIN_PAYLOADS: [u32; MAX_MAIN_SYMBOLS] = main_payloads();
const SYMBOL_PAYLOADS: [u32; LENGTH_SYMBOLS] = symbol_payloads();

const fn main_payloads() -> [u32; MAX_MAIN_SYMBOLS] {
    let mut table = [0; MAX_MAIN_SYMBOLS];
    let mut symbol = 0;
    while symbol < MAX_MAIN_SYMBOLS {
        table[symbol] = if symbol < LITERALS {
            SIMPLE | (symbol as u32) << SYMBOL_SHIFT
        } else {
            let slot = ((symbol - LITERALS) / LENGTH_HEADERS) as u32;
            let header = ((symbol - LITERALS) % LENGTH_HEADERS) as u32;
            slot << SLOT_SHIFT | header << HEADER_SHIFT
        };
        symbol += 1;
    }
    table
}

const fn symbol_payloads() -> [u32; LENGTH_SYMBOLS] {
    let mut table = [0; LENGTH_SYMBOLS];
    let mut symbol = 0;
    while symbol < LENGTH_SYMBOLS {
        table[symbol] = SIMPLE | (symbol as u32) << SYMBOL_SHIFT;
        symbol += 1;
    }
    table
}

/// The symbol of a simple entry.
#[inline(always)]
const fn symbol_of(entry: u32) -> u32 {
    (entry & !SIMPLE) >> SYMBOL_SHIFT
}

/// Decodes LZX chunks of one window size.
#[derive(Clone, Debug)]
pub(crate) struct LzxDecompressor {
    window: u32,
    /// Codeword lengths of the block before; those of a block are told as differences to them.
    main_lens: [u8; MAX_MAIN_SYMBOLS],
    length_lens: [u8; LENGTH_SYMBOLS],
    main: DecodeTable<11, 4096>,
    length: DecodeTable<9, 1024>,
    aligned: DecodeTable<7, 128>,
    pretree: DecodeTable<6, 1024>,
    scratch: Scratch,
}

/// What a block's symbols are decoded with.
struct Block {
    is_aligned: bool,
    end: usize,
}

impl LzxDecompressor {
    /// Makes a decoder for chunks of at most `window` bytes.
    pub(crate) fn new(window: u32) -> Self {
        Self {
            window: window.max(MIN_WINDOW),
            main_lens: [0; MAX_MAIN_SYMBOLS],
            length_lens: [0; LENGTH_SYMBOLS],
            main: DecodeTable::new(),
            length: DecodeTable::new(),
            aligned: DecodeTable::new(),
            pretree: DecodeTable::new(),
            scratch: Scratch::new(),
        }
    }

    /// Decodes `input` into exactly `out.len()` bytes. A fault comes with the reader's position.
    pub(crate) fn decompress(
        &mut self,
        input: &[u8],
        out: &mut [u8],
    ) -> Result<(), (Fault, usize)> {
        let mut reader = UnitReader::new(input, 0);
        self.decode_blocks(&mut reader, out).map_err(|fault| (fault, reader.position()))
    }

    fn decode_blocks(&mut self, reader: &mut UnitReader<'_>, out: &mut [u8]) -> Result<(), Fault> {
        self.main_lens = [0; MAX_MAIN_SYMBOLS];
        self.length_lens = [0; LENGTH_SYMBOLS];
        let mut recent = INITIAL_RECENT;
        let (mut at, mut may_have_calls) = (0, false);
        while at < out.len() {
            let block_type = reader.read(BLOCK_TYPE_BITS);
            let size = self.block_size(reader);
            check_input(reader, at, out.len())?;
            let remaining = out.len() - at;
            if size == 0 || size > remaining {
                return Err(Fault::BadBlockSize { size, remaining });
            }
            let end = at + size;
            match BlockType::from_bits(block_type) {
                None => return Err(Fault::BadBlockType { block_type }),
                Some(BlockType::Uncompressed) => {
                    self.copy_block(reader, &mut recent, &mut out[at..end], at)?;
                    may_have_calls = true;
                }
                Some(kind) => {
                    let is_aligned = kind == BlockType::Aligned;
                    self.read_codes(reader, is_aligned)?;
                    may_have_calls |= self.main_lens[CALL] != 0;
                    self.decode_block(reader, out, at, &Block { is_aligned, end }, &mut recent)?;
                }
            }
            at = end;
        }
        check_input(reader, at, out.len())?;
        if may_have_calls {
            e8::decode(out);
        }
        Ok(())
    }

    fn block_size(&self, reader: &mut UnitReader<'_>) -> usize {
        if reader.read(1) == 1 {
            return DEFAULT_BLOCK_SIZE;
        }
        let bits = if self.window > SMALL_WINDOW { 24 } else { 16 };
        reader.read(bits) as usize
    }

    /// An uncompressed block: three recent offsets and the bytes, from a unit boundary on.
    fn copy_block(
        &self,
        reader: &mut UnitReader<'_>,
        recent: &mut [u32; RECENT_OFFSETS],
        block: &mut [u8],
        at: usize,
    ) -> Result<(), Fault> {
        let too_short = Fault::InputTooShort { produced: at, expected: at + block.len() };
        reader.skip_to_unit();
        let offsets = reader.raw_bytes(4 * RECENT_OFFSETS).ok_or(too_short)?;
        for (offset, bytes) in recent.iter_mut().zip(offsets.as_chunks().0) {
            let value = u32::from_le_bytes(*bytes);
            if value == 0 || value > self.window {
                return Err(Fault::BadRecentOffset { value, limit: self.window });
            }
            *offset = value;
        }
        block.copy_from_slice(reader.raw_bytes(block.len()).ok_or(too_short)?);
        if block.len() % 2 == 1 {
            // The pad byte; nothing is lost if the chunk ends before it.
            let _pad = reader.raw_bytes(1);
        }
        Ok(())
    }

    /// Reads the codes of a block.
    fn read_codes(&mut self, reader: &mut UnitReader<'_>, is_aligned: bool) -> Result<(), Fault> {
        if is_aligned {
            let mut lens = [0; ALIGNED_SYMBOLS];
            for len in &mut lens {
                *len = reader.read(ALIGNED_FIELD_BITS) as u8;
            }
            self.aligned
                .build(
                    &lens,
                    &SYMBOL_PAYLOADS[..ALIGNED_SYMBOLS],
                    ALIGNED_MAX_BITS,
                    &mut self.scratch,
                )
                .map_err(|_incomplete| Fault::BadCode { code: "aligned offset" })?;
        }
        let symbols = main_symbols(self.window);
        let mut main_lens = self.main_lens;
        self.read_lengths(reader, &mut main_lens[..LITERALS])?;
        self.read_lengths(reader, &mut main_lens[LITERALS..symbols])?;
        self.main_lens = main_lens;
        let mut length_lens = self.length_lens;
        self.read_lengths(reader, &mut length_lens)?;
        self.length_lens = length_lens;
        self.main
            .build(
                &self.main_lens[..symbols],
                &MAIN_PAYLOADS[..symbols],
                MAIN_MAX_BITS,
                &mut self.scratch,
            )
            .map_err(|_incomplete| Fault::BadCode { code: "main" })?;
        self.length
            .build(&self.length_lens, &SYMBOL_PAYLOADS, LENGTH_MAX_BITS, &mut self.scratch)
            .map_err(|_incomplete| Fault::BadCode { code: "length" })
    }

    /// Reads codeword lengths, told as differences to `lens`, packed with a pretree of their own.
    fn read_lengths(&mut self, reader: &mut UnitReader<'_>, lens: &mut [u8]) -> Result<(), Fault> {
        let mut pretree_lens = [0; PRETREE_SYMBOLS];
        for len in &mut pretree_lens {
            *len = reader.read(PRETREE_FIELD_BITS) as u8;
        }
        let payloads = &SYMBOL_PAYLOADS[..PRETREE_SYMBOLS];
        self.pretree
            .build(&pretree_lens, payloads, PRETREE_MAX_BITS, &mut self.scratch)
            .map_err(|_incomplete| Fault::BadCode { code: "pretree" })?;
        let mut at = 0;
        while at < lens.len() {
            let symbol = self.pretree_symbol(reader)?;
            let ((least, bits), difference) = match symbol {
                PRETREE_ZEROS => (ZEROS_RUN, None),
                PRETREE_MANY_ZEROS => (MANY_ZEROS_RUN, None),
                PRETREE_REPEAT => (REPEAT_RUN, Some(0)),
                _ => ((1, 0), Some(symbol)),
            };
            let count = if bits == 0 { least } else { least + reader.read(bits) as usize };
            let new = match difference {
                None => 0,
                Some(_) if symbol == PRETREE_REPEAT => {
                    let symbol = self.pretree_symbol(reader)?;
                    if symbol >= PRETREE_MODULUS {
                        let symbol = u32::from(symbol);
                        return Err(Fault::BadSymbol { code: "pretree", symbol });
                    }
                    changed(lens[at], symbol)
                }
                Some(symbol) => changed(lens[at], symbol),
            };
            let remaining = lens.len() - at;
            if count > remaining {
                return Err(Fault::BadSymbol { code: "pretree", symbol: u32::from(symbol) });
            }
            lens[at..at + count].fill(new);
            at += count;
        }
        Ok(())
    }

    fn pretree_symbol(&self, reader: &mut UnitReader<'_>) -> Result<u8, Fault> {
        reader.refill();
        let entry = self.pretree.symbol_entry(reader.bits());
        let entry = entry.ok_or(Fault::BadCode { code: "pretree" })?;
        reader.consume(total_bits(entry));
        Ok(symbol_of(entry) as u8)
    }

    fn decode_block(
        &self,
        reader: &mut UnitReader<'_>,
        out: &mut [u8],
        at: usize,
        block: &Block,
        recent: &mut [u32; RECENT_OFFSETS],
    ) -> Result<(), Fault> {
        let at = if block.is_aligned {
            self.decode_fast::<true>(reader, out, at, block.end, recent)
        } else {
            self.decode_fast::<false>(reader, out, at, block.end, recent)
        };
        self.decode_carefully(reader, out, at, block, recent)
    }

    /// Decodes while there is ample room on both sides and nothing is wrong; returns the output
    /// position.
    fn decode_fast<const ALIGNED: bool>(
        &self,
        reader: &mut UnitReader<'_>,
        out: &mut [u8],
        mut at: usize,
        end: usize,
        recent: &mut [u32; RECENT_OFFSETS],
    ) -> usize {
        // Two literals, the longest match and what copying it writes too much.
        const MARGIN: usize = 2 + MAX_MATCH + COPY_SLACK;
        let Some(limit) = out.len().min(end + COPY_SLACK).checked_sub(MARGIN) else { return at };
        let input = reader.input();
        let mut fast = reader.begin_fast();
        while at <= limit {
            if !fast.refill(input) {
                break;
            }
            let Some(mut entry) = self.main_entry(fast.bits) else { break };
            if entry & SIMPLE != 0 {
                out[at] = symbol_of(entry) as u8;
                at += 1;
                fast.consume(entry);
                let Some(next) = self.main_entry(fast.bits) else { break };
                if next & SIMPLE != 0 {
                    out[at] = symbol_of(next) as u8;
                    at += 1;
                    fast.consume(next);
                    continue;
                }
                entry = next;
                if !fast.refill(input) {
                    break;
                }
            }
            let start = fast;
            let taken = self.take_match::<ALIGNED>(&mut fast, input, entry, recent, at);
            let Some((offset, length)) = taken else {
                // The careful loop finds out what is wrong.
                fast = start;
                break;
            };
            copy_wide(out, at, offset, length);
            at += length;
        }
        reader.end_fast(fast);
        at
    }

    #[inline(always)]
    fn main_entry(&self, bits: u64) -> Option<u32> {
        let entry = self.main.root_entry(bits);
        if is_no_symbol(entry) { self.main.follow(entry, bits) } else { Some(entry) }
    }

    /// Takes a match in the fast loop; at least 48 bits must be there. `None`, with nothing but
    /// `fast` changed, if it is not good or input may run out.
    #[inline(always)]
    fn take_match<const ALIGNED: bool>(
        &self,
        fast: &mut FastBits,
        input: &[u8],
        entry: u32,
        recent: &mut [u32; RECENT_OFFSETS],
        at: usize,
    ) -> Option<(usize, usize)> {
        fast.consume(total_bits(entry));
        let header = (entry >> HEADER_SHIFT & 7) as usize;
        let mut length = header + MIN_MATCH;
        if header == LONG_LENGTH_HEADER {
            let entry = self.length.symbol_entry(fast.bits)?;
            length += symbol_of(entry) as usize;
            fast.consume(entry);
            if !fast.refill(input) {
                return None;
            }
        }
        let slot = (entry >> SLOT_SHIFT & 63) as usize;
        if slot < RECENT_OFFSETS {
            let offset = recent[slot];
            if offset as usize > at {
                return None;
            }
            recent.swap(0, slot);
            return Some((offset as usize, length));
        }
        let extra = u32::from(OFFSET_EXTRA_BITS[slot]);
        let mut offset = OFFSET_BASE[slot];
        if ALIGNED && slot >= FIRST_ALIGNED_SLOT {
            let verbatim = extra - ALIGNED_BITS;
            offset += top(fast.bits >> 1, verbatim + 1) << ALIGNED_BITS;
            fast.consume(verbatim);
            let entry = self.aligned.symbol_entry(fast.bits)?;
            offset += symbol_of(entry);
            fast.consume(entry);
        } else {
            // One bit more on top, so that no shift is by 64.
            offset += top(fast.bits >> 1, extra + 1);
            fast.consume(extra);
        }
        if offset as usize > at {
            return None;
        }
        *recent = [offset, recent[0], recent[1]];
        Some((offset as usize, length))
    }

    /// Decodes the rest of a block, checking each step.
    fn decode_carefully(
        &self,
        reader: &mut UnitReader<'_>,
        out: &mut [u8],
        mut at: usize,
        block: &Block,
        recent: &mut [u32; RECENT_OFFSETS],
    ) -> Result<(), Fault> {
        let expected = out.len();
        while at < block.end {
            reader.refill();
            let entry = self.main.symbol_entry(reader.bits());
            let entry = entry.ok_or(Fault::BadCode { code: "main" })?;
            reader.consume(total_bits(entry));
            if entry & SIMPLE != 0 {
                check_input(reader, at, expected)?;
                out[at] = symbol_of(entry) as u8;
                at += 1;
                continue;
            }
            let header = (entry >> HEADER_SHIFT & 7) as usize;
            let mut length = header + MIN_MATCH;
            if header == LONG_LENGTH_HEADER {
                let entry = self.length.symbol_entry(reader.bits());
                let entry = entry.ok_or(Fault::BadCode { code: "length" })?;
                length += symbol_of(entry) as usize;
                reader.consume(total_bits(entry));
            }
            let slot = (entry >> SLOT_SHIFT & 63) as usize;
            let offset = self.read_offset(reader, slot, block.is_aligned, recent)?;
            check_input(reader, at, expected)?;
            if offset > at {
                return Err(Fault::OffsetTooLarge { match_offset: offset, produced: at });
            }
            let remaining = block.end - at;
            if length > remaining {
                return Err(Fault::MatchTooLong { length, remaining });
            }
            copy_exact(out, at, offset, length);
            at += length;
        }
        Ok(())
    }

    fn read_offset(
        &self,
        reader: &mut UnitReader<'_>,
        slot: usize,
        is_aligned: bool,
        recent: &mut [u32; RECENT_OFFSETS],
    ) -> Result<usize, Fault> {
        if slot < RECENT_OFFSETS {
            let offset = recent[slot];
            recent.swap(0, slot);
            return Ok(offset as usize);
        }
        let extra = u32::from(OFFSET_EXTRA_BITS[slot]);
        let mut offset = OFFSET_BASE[slot];
        if is_aligned && slot >= FIRST_ALIGNED_SLOT {
            if extra > ALIGNED_BITS {
                offset += reader.read(extra - ALIGNED_BITS) << ALIGNED_BITS;
            }
            reader.refill();
            let entry = self.aligned.symbol_entry(reader.bits());
            let entry = entry.ok_or(Fault::BadCode { code: "aligned offset" })?;
            offset += symbol_of(entry);
            reader.consume(total_bits(entry));
        } else if extra > 0 {
            offset += reader.read(extra);
        }
        *recent = [offset, recent[0], recent[1]];
        Ok(offset as usize)
    }
}

/// A codeword length that differs from `old` as the pretree symbol says.
const fn changed(old: u8, symbol: u8) -> u8 {
    (old + PRETREE_MODULUS - symbol) % PRETREE_MODULUS
}

const fn check_input(
    reader: &UnitReader<'_>,
    produced: usize,
    expected: usize,
) -> Result<(), Fault> {
    if reader.overrun() { Err(Fault::InputTooShort { produced, expected }) } else { Ok(()) }
}
