//! One block: what was parsed, the codes for it, and the writing.

use super::bits::BitWriter;
use super::pretree::PackedLengths;
use crate::huffman::build;
use crate::lzx::layout::*;

/// A run of literals and the match behind it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sequence {
    /// Literals before the match.
    pub(super) literals: u32,
    /// The offset's extra bits.
    pub(super) extra: u32,
    /// Main symbol of the match.
    pub(super) main: u16,
    /// Length symbol, or [`NO_LENGTH`].
    pub(super) length: u16,
}

/// The match has no length symbol.
pub(super) const NO_LENGTH: u16 = u16::MAX;

/// How often each symbol occurs in a block.
#[derive(Clone, Debug)]
pub(super) struct Frequencies {
    pub(super) main: [u32; MAX_MAIN_SYMBOLS],
    pub(super) length: [u32; LENGTH_SYMBOLS],
    pub(super) aligned: [u32; ALIGNED_SYMBOLS],
}

impl Frequencies {
    pub(super) const fn new() -> Self {
        Self {
            main: [0; MAX_MAIN_SYMBOLS],
            length: [0; LENGTH_SYMBOLS],
            aligned: [0; ALIGNED_SYMBOLS],
        }
    }

    /// Adds the counts of `other`.
    pub(super) fn add(&mut self, other: &Self) {
        let main = self.main.iter_mut().zip(&other.main);
        let length = self.length.iter_mut().zip(&other.length);
        let aligned = self.aligned.iter_mut().zip(&other.aligned);
        for (sum, &count) in main.chain(length).chain(aligned) {
            *sum += count;
        }
    }
}

/// The slot of an offset code: 0 to 2 mean recent offsets, others are the offset plus two.
#[inline(always)]
pub(super) const fn slot_of(code: u32) -> u32 {
    if code < 2 {
        return code;
    }
    let log = code.ilog2();
    if log < MAX_EXTRA_BITS + 2 {
        2 * log + ((code >> (log - 1)) & 1)
    } else {
        34 + (code >> MAX_EXTRA_BITS)
    }
}

/// A block's parse.
#[derive(Debug)]
pub(super) struct Parse {
    pub(super) sequences: Vec<Sequence>,
    pub(super) freqs: Frequencies,
}

impl Parse {
    pub(super) fn new() -> Self {
        Self { sequences: Vec::new(), freqs: Frequencies::new() }
    }

    pub(super) fn clear(&mut self) {
        self.sequences.clear();
        self.freqs = Frequencies::new();
    }

    /// Counts literals.
    #[inline(always)]
    pub(super) fn literals(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.freqs.main[usize::from(byte)] += 1;
        }
    }

    /// Counts and records a match behind `literals` literals.
    #[inline(always)]
    pub(super) fn push(&mut self, literals: u32, length: u32, code: u32) {
        let slot = slot_of(code);
        let bits = u32::from(OFFSET_EXTRA_BITS[slot as usize]);
        let extra = code & ((1 << bits) - 1);
        let header = (length - MIN_MATCH as u32).min(LONG_LENGTH_HEADER as u32);
        let main = (LITERALS as u32 + slot * 8 + header) as u16;
        self.freqs.main[usize::from(main)] += 1;
        let mut symbol = NO_LENGTH;
        if header == LONG_LENGTH_HEADER as u32 {
            let long = length - MIN_MATCH as u32 - LONG_LENGTH_HEADER as u32;
            self.freqs.length[long as usize] += 1;
            symbol = long as u16;
        }
        if slot >= FIRST_ALIGNED_SLOT as u32 {
            self.freqs.aligned[(extra & 7) as usize] += 1;
        }
        self.sequences.push(Sequence { literals, extra, main, length: symbol });
    }
}

/// The code lengths of a block.
#[derive(Clone, Debug)]
pub(super) struct Lengths {
    pub(super) main: [u8; MAX_MAIN_SYMBOLS],
    pub(super) length: [u8; LENGTH_SYMBOLS],
}

impl Lengths {
    pub(super) const fn new() -> Self {
        Self { main: [0; MAX_MAIN_SYMBOLS], length: [0; LENGTH_SYMBOLS] }
    }
}

/// The codes of a block.
pub(super) struct Codes {
    pub(super) lens: Lengths,
    main: [u16; MAX_MAIN_SYMBOLS],
    length: [u16; LENGTH_SYMBOLS],
    aligned_lens: [u8; ALIGNED_SYMBOLS],
    aligned: [u16; ALIGNED_SYMBOLS],
    main_symbols: usize,
    use_aligned: bool,
    literals: PackedLengths,
    matches: PackedLengths,
    long: PackedLengths,
    bits: u64,
}

impl Codes {
    /// Builds the codes for a block of `size` bytes with these frequencies.
    pub(super) fn new(freqs: &Frequencies, old: &Lengths, main_symbols: usize) -> Self {
        let mut lens = Lengths::new();
        let mut main = [0; MAX_MAIN_SYMBOLS];
        let mut length = [0; LENGTH_SYMBOLS];
        let mut aligned = [0; ALIGNED_SYMBOLS];
        let mut aligned_lens = [0; ALIGNED_SYMBOLS];
        let main_freqs = &freqs.main[..main_symbols];
        build::build(
            main_freqs,
            MAIN_MAX_BITS as u8,
            &mut lens.main[..main_symbols],
            &mut main[..main_symbols],
        );
        build::build(&freqs.length, LENGTH_MAX_BITS as u8, &mut lens.length, &mut length);
        build::build(&freqs.aligned, ALIGNED_MAX_BITS as u8, &mut aligned_lens, &mut aligned);
        let literals = PackedLengths::new(&old.main[..LITERALS], &lens.main[..LITERALS]);
        let matches = PackedLengths::new(
            &old.main[LITERALS..main_symbols],
            &lens.main[LITERALS..main_symbols],
        );
        let long = PackedLengths::new(&old.length, &lens.length);

        let mut bits = u64::from(literals.bits() + matches.bits() + long.bits());
        bits += sum(main_freqs, &lens.main) + sum(&freqs.length, &lens.length);
        for (slot, freqs) in main_freqs[LITERALS..].chunks_exact(LENGTH_HEADERS).enumerate() {
            bits += u64::from(freqs.iter().sum::<u32>()) * u64::from(OFFSET_EXTRA_BITS[slot]);
        }
        let plain = 3 * u64::from(freqs.aligned.iter().sum::<u32>());
        let coded = 24 + sum(&freqs.aligned, &aligned_lens);
        let use_aligned = coded < plain;
        if use_aligned {
            bits = bits - plain + coded;
        }
        Self {
            lens,
            main,
            length,
            aligned_lens,
            aligned,
            main_symbols,
            use_aligned,
            literals,
            matches,
            long,
            bits,
        }
    }

    /// Size of the block in bits, without type and size fields.
    pub(super) const fn bits(&self) -> u64 {
        self.bits
    }

    pub(super) fn write_header(&self, size: usize, window: u32, out: &mut BitWriter<'_>) {
        let kind = if self.use_aligned { BlockType::Aligned } else { BlockType::Verbatim };
        out.put(kind as u32, BLOCK_TYPE_BITS);
        if size == DEFAULT_BLOCK_SIZE {
            out.put(1, 1);
        } else {
            out.put(0, 1);
            if window > SMALL_WINDOW {
                out.put((size >> 16) as u32, 8);
            }
            out.put(size as u32 & 0xFFFF, 16);
        }
        if self.use_aligned {
            for len in self.aligned_lens {
                out.put(u32::from(len), ALIGNED_FIELD_BITS);
            }
        }
        self.literals.write(out);
        self.matches.write(out);
        self.long.write(out);
    }

    pub(super) fn write_body(
        &self,
        mut bytes: &[u8],
        sequences: &[Sequence],
        out: &mut BitWriter<'_>,
    ) {
        for sequence in sequences {
            let (literals, rest) = bytes.split_at(sequence.literals as usize);
            self.write_literals(literals, out);
            let main = usize::from(sequence.main);
            out.add(u32::from(self.main[main]), u32::from(self.lens.main[main]));
            let header = main & (LENGTH_HEADERS - 1);
            let mut length = header + MIN_MATCH;
            if header == LONG_LENGTH_HEADER {
                let symbol = usize::from(sequence.length);
                out.add(u32::from(self.length[symbol]), u32::from(self.lens.length[symbol]));
                length += symbol;
            }
            out.flush();
            let slot = (main - LITERALS) / LENGTH_HEADERS;
            let bits = u32::from(OFFSET_EXTRA_BITS[slot]);
            if self.use_aligned && slot >= FIRST_ALIGNED_SLOT {
                out.add(sequence.extra >> ALIGNED_BITS, bits - ALIGNED_BITS);
                let low = (sequence.extra & 7) as usize;
                out.put(u32::from(self.aligned[low]), u32::from(self.aligned_lens[low]));
            } else {
                out.put(sequence.extra, bits);
            }
            bytes = &rest[length..];
        }
        self.write_literals(bytes, out);
    }

    #[inline(always)]
    fn write_literals(&self, bytes: &[u8], out: &mut BitWriter<'_>) {
        let mut pairs = bytes.chunks_exact(2);
        for pair in &mut pairs {
            let (a, b) = (usize::from(pair[0]), usize::from(pair[1]));
            out.add(u32::from(self.main[a]), u32::from(self.lens.main[a]));
            out.add(u32::from(self.main[b]), u32::from(self.lens.main[b]));
            out.flush();
        }
        for &byte in pairs.remainder() {
            let byte = usize::from(byte);
            out.put(u32::from(self.main[byte]), u32::from(self.lens.main[byte]));
        }
    }
}

fn sum(freqs: &[u32], lens: &[u8]) -> u64 {
    freqs.iter().zip(lens).map(|(&freq, &len)| u64::from(freq) * u64::from(len)).sum()
}
