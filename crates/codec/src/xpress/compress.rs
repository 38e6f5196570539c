//! Making XPRESS chunks: matches chosen by looking one position ahead, one code for the chunk.
#![expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "hot loops: positions lie in the chunk, which has at most 64 KiB, and symbols in the alphabet"
)]

use super::layout::{
    END_SYMBOL, LITERALS, LONG_LENGTH_BYTE, LONG_LENGTH_NIBBLE, MAX_BITS, MIN_MATCH, SYMBOLS,
    TABLE_BYTES,
};
use crate::Level;
use crate::huffman::build;
use crate::matchfinder::links::{Effort, LinkFinder, Match};
use crate::matchfinder::{Data, PADDING, Size, Small};

/// Shorter chunks cannot get smaller: the code alone takes 256 bytes, and the bits four at least.
const MIN_INPUT: usize = TABLE_BYTES + 4 + 1;
/// Three-byte matches from farther away cost more than their literals.
const NEAR_TRIPLE: usize = 4096;
/// Below this level, and from the second on, matches are taken as they come or looked at twice.
const LAZY_LEVEL: u32 = 30;

/// A literal or a match.
#[derive(Clone, Copy, Debug)]
struct Item {
    /// Bytes of the match, 0 for a literal.
    length: u32,
    /// Offset of the match, or the literal.
    value: u32,
}

/// Compresses XPRESS chunks.
#[derive(Debug)]
pub(crate) struct XpressCompressor {
    data: <Small as Size>::Data,
    finder: LinkFinder<Small>,
    items: Vec<Item>,
    freqs: [u32; SYMBOLS],
    lens: [u8; SYMBOLS],
    codewords: [u16; SYMBOLS],
    effort: Effort,
    is_lazy: bool,
}

impl XpressCompressor {
    /// Makes a compressor for chunks of at most `chunk_size` bytes.
    pub(crate) fn new(chunk_size: usize, level: Level) -> Self {
        let level = level.0.clamp(1, 200);
        let is_lazy = level >= LAZY_LEVEL;
        let depth = if is_lazy { level * 30 / 32 } else { level * 30 / 16 };
        let effort = Effort { depth: (depth / 2).max(1), nice: (level as usize * 2).max(16) };
        Self {
            data: <Small as Size>::Data::new(chunk_size),
            finder: LinkFinder::new(chunk_size),
            items: Vec::with_capacity(chunk_size),
            freqs: [0; SYMBOLS],
            lens: [0; SYMBOLS],
            codewords: [0; SYMBOLS],
            effort,
            is_lazy,
        }
    }

    /// Compresses `input` into `output`; `None` if that is not strictly smaller or does not fit.
    pub(crate) fn compress(&mut self, input: &[u8], output: &mut [u8]) -> Option<usize> {
        if input.len() < MIN_INPUT {
            return None;
        }
        let (chunk, padding) = self.data.bytes_mut().split_at_mut(input.len());
        chunk.copy_from_slice(input);
        padding[..PADDING].fill(0);
        self.finder.link::<false>(&self.data, input.len());
        self.items.clear();
        self.freqs = [0; SYMBOLS];
        self.parse(input.len());
        self.freqs[END_SYMBOL] += 1;
        build::build(&self.freqs, MAX_BITS as u8, &mut self.lens, &mut self.codewords);
        let size = self.size();
        if size >= input.len() {
            return None;
        }
        self.write(output.get_mut(..size)?);
        Some(size)
    }

    fn parse(&mut self, end: usize) {
        let mut at = 0;
        while at + MIN_MATCH < end {
            let mut found = self.search(at, end);
            if found.length == 0 {
                self.literal(at);
                at += 1;
                continue;
            }
            while self.is_lazy && found.length < self.effort.nice && at + 1 + MIN_MATCH < end {
                let ahead = self.search_longer(at + 1, end, found.length);
                if gain(ahead) <= gain(found) + 2 {
                    break;
                }
                self.literal(at);
                at += 1;
                found = ahead;
            }
            self.matched(found);
            at += found.length;
        }
        (at..end).for_each(|at| self.literal(at));
    }

    fn search(&self, at: usize, end: usize) -> Match {
        let mut found = Match::default();
        self.finder.search::<false>(&self.data, at, end - at, self.effort, |m| found = m);
        if found.length == MIN_MATCH && found.offset > NEAR_TRIPLE {
            Match::default()
        } else {
            found
        }
    }

    fn search_longer(&self, at: usize, end: usize, length: usize) -> Match {
        let mut found = Match::default();
        let effort = Effort { depth: (self.effort.depth / 2).max(1), ..self.effort };
        let floor = (length - 1).max(MIN_MATCH);
        self.finder.search_longer(&self.data, at, end - at, floor, effort, |m| found = m);
        found
    }

    fn literal(&mut self, at: usize) {
        let byte = self.data.bytes()[at];
        self.freqs[usize::from(byte)] += 1;
        self.items.push(Item { length: 0, value: u32::from(byte) });
    }

    fn matched(&mut self, found: Match) {
        let item = Item { length: found.length as u32, value: found.offset as u32 };
        self.freqs[symbol(item)] += 1;
        self.items.push(item);
    }

    /// The size of the chunk with the code that was made, in bytes.
    fn size(&self) -> usize {
        let bits: usize = (0..SYMBOLS)
            .map(|s| self.freqs[s] as usize * (usize::from(self.lens[s]) + offset_bits(s)))
            .sum();
        let length_bytes: usize = self.items.iter().map(|&item| length_bytes(item)).sum();
        TABLE_BYTES + units(bits) * 2 + length_bytes
    }

    fn write(&self, out: &mut [u8]) {
        let (table, out) = out.split_at_mut(TABLE_BYTES);
        for (byte, [low, high]) in table.iter_mut().zip(self.lens.as_chunks().0) {
            *byte = low | high << 4;
        }
        let mut writer = Writer { out, slots: [0, 2], next: 4, bits: 0, count: 0 };
        for &item in &self.items {
            let symbol = symbol(item);
            writer.put(u32::from(self.codewords[symbol]), u32::from(self.lens[symbol]));
            if item.length != 0 {
                writer.length(item.length as usize - MIN_MATCH);
                let bits = offset_bits(symbol) as u32;
                writer.put(item.value & ((1 << bits) - 1), bits);
            }
        }
        writer.put(u32::from(self.codewords[END_SYMBOL]), u32::from(self.lens[END_SYMBOL]));
        writer.finish();
    }
}

/// What taking a match is worth, in quarters of a byte.
const fn gain(found: Match) -> usize {
    let cost = (found.offset | 1).ilog2() as usize;
    (4 * found.length + 16).saturating_sub(cost)
}

/// The symbol of an item.
const fn symbol(item: Item) -> usize {
    if item.length == 0 {
        return item.value as usize;
    }
    let extra = item.length as usize - MIN_MATCH;
    let nibble = if extra < LONG_LENGTH_NIBBLE { extra } else { LONG_LENGTH_NIBBLE };
    LITERALS + ((item.value.ilog2() as usize) << 4 | nibble)
}

/// Verbatim bits that follow a symbol.
const fn offset_bits(symbol: usize) -> usize {
    if symbol < LITERALS { 0 } else { (symbol - LITERALS) >> 4 }
}

/// Bytes that tell the length of an item's match.
const fn length_bytes(item: Item) -> usize {
    let known = (MIN_MATCH + LONG_LENGTH_NIBBLE) as u32;
    match item.length {
        length if length < known => 0,
        length if length - known < LONG_LENGTH_BYTE as u32 => 1,
        _ => 3,
    }
}

/// Units that `bits` bits take: one is always kept ahead.
const fn units(bits: usize) -> usize {
    bits.div_ceil(16) + 1
}

/// Writes bits in 16-bit units and bytes between them.
///
/// A reader has always fetched the units that hold its next 16 bits when it comes to a byte, so the
/// places of two units are kept free ahead of the bytes.
struct Writer<'a> {
    out: &'a mut [u8],
    /// Places of the unit being filled and of the next.
    slots: [usize; 2],
    /// Where the next byte, or the unit after those, goes.
    next: usize,
    bits: u32,
    /// How many of `bits` are not written; at most 16 between calls.
    count: u32,
}

impl Writer<'_> {
    /// Appends the low `n` bits of `value`, at most 15.
    fn put(&mut self, value: u32, n: u32) {
        self.bits = self.bits << n | value;
        self.count += n;
        if self.count > 16 {
            self.count -= 16;
            self.unit((self.bits >> self.count) as u16);
            self.slots = [self.slots[1], self.next];
            self.next += 2;
        }
    }

    fn unit(&mut self, unit: u16) {
        self.out[self.slots[0]..self.slots[0] + 2].copy_from_slice(&unit.to_le_bytes());
    }

    fn byte(&mut self, byte: u8) {
        self.out[self.next] = byte;
        self.next += 1;
    }

    /// Appends the bytes that tell the length of a match, given less the shortest.
    fn length(&mut self, extra: usize) {
        let Some(rest) = extra.checked_sub(LONG_LENGTH_NIBBLE) else { return };
        match u8::try_from(rest) {
            Ok(rest) if rest < LONG_LENGTH_BYTE => self.byte(rest),
            _ => {
                self.byte(LONG_LENGTH_BYTE);
                let [low, high] = (extra as u16).to_le_bytes();
                self.byte(low);
                self.byte(high);
            }
        }
    }

    fn finish(mut self) {
        self.unit(((self.bits << 16) >> self.count) as u16);
        self.slots[0] = self.slots[1];
        self.unit(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Decompressor, Format};

    fn check(input: &[u8], level: u32) -> Option<usize> {
        let mut out = vec![0; input.len()];
        let mut compressor = XpressCompressor::new(65536, Level(level));
        let size = compressor.compress(input, &mut out)?;
        assert!(size < input.len());
        let mut back = vec![0; input.len()];
        let mut decompressor = Decompressor::new(Format::Xpress, 65536).unwrap();
        decompressor.decompress(&out[..size], &mut back).unwrap();
        assert!(back == input, "{} bytes at level {level}", input.len());
        // The same again with a used compressor; and it never writes past the room it has.
        let mut again = vec![0; size];
        assert_eq!(compressor.compress(input, &mut again), Some(size));
        assert_eq!(again, out[..size]);
        assert_eq!(compressor.compress(input, &mut again[..size - 1]), None);
        Some(size)
    }

    fn noise(len: usize, mut state: u32, values: u32) -> Vec<u8> {
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((state >> 16) % values) as u8
        };
        (0..len).map(|_| next()).collect()
    }

    #[test]
    fn chunks_come_back_at_every_size_and_level() {
        for level in [1, 20, 29, 30, 50, 100, 200] {
            for len in (0..600).step_by(7).chain([4096, 32767, 32768, 65535, 65536]) {
                check(&vec![b'x'; len], level);
                check(&noise(len, 1, 4), level);
                let mut text = noise(len, 2, 40);
                let half = len / 2;
                text.copy_within(..half, len - half);
                check(&text, level);
            }
        }
    }

    #[test]
    fn match_lengths_around_every_border_come_back() {
        for length in [3, 4, 17, 18, 19, 271, 272, 273, 274, 275, 300, 30_000] {
            let mut input = noise(1000, 7, 256);
            let start = input.len();
            input.extend(std::iter::repeat_n(0xaa, length + 1));
            input.extend(noise(40, 9, 256));
            input.extend_from_within(start - 500..start);
            assert!(check(&input, 50).is_some(), "{length}");
        }
    }

    #[test]
    fn the_longest_offset_comes_back() {
        let mut input = vec![0; 65536];
        input[..8].copy_from_slice(b"abcdefgh");
        input[65528..].copy_from_slice(b"abcdefgh");
        input[65535] = b'a';
        assert!(check(&input, 50).is_some());
    }

    #[test]
    fn random_data_is_stored_as_it_is() {
        assert_eq!(check(&noise(32768, 3, 256), 50), None);
        assert_eq!(check(&[0; 260], 50), None);
    }
}
