//! One block: the codes for what was parsed, and the writing.

use super::bits::BitWriter;
use super::parse::{Frequencies, Lengths, Sequence};
use super::pretree::PackedLengths;
use crate::huffman::build;
use crate::lzx::layout::*;

/// The codes of a block.
pub(super) struct Codes {
    pub(super) lens: Lengths,
    pub(super) main: [u16; MAX_MAIN_SYMBOLS],
    pub(super) length: [u16; LENGTH_SYMBOLS],
    pub(super) aligned_lens: [u8; ALIGNED_SYMBOLS],
    pub(super) aligned: [u16; ALIGNED_SYMBOLS],
    pub(super) use_aligned: bool,
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
            out.add(u64::from(self.main[main]), u32::from(self.lens.main[main]));
            let header = main & (LENGTH_HEADERS - 1);
            let mut length = header + MIN_MATCH;
            if header == LONG_LENGTH_HEADER {
                let symbol = usize::from(sequence.length);
                out.add(u64::from(self.length[symbol]), u32::from(self.lens.length[symbol]));
                length += symbol;
            }
            let slot = (main - LITERALS) / LENGTH_HEADERS;
            let bits = u32::from(OFFSET_EXTRA_BITS[slot]);
            if self.use_aligned && slot >= FIRST_ALIGNED_SLOT {
                out.add(u64::from(sequence.extra >> ALIGNED_BITS), bits - ALIGNED_BITS);
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
        let (triples, rest) = bytes.as_chunks::<3>();
        for triple in triples {
            for &byte in triple {
                let byte = usize::from(byte);
                out.add(u64::from(self.main[byte]), u32::from(self.lens.main[byte]));
            }
            out.flush();
        }
        for &byte in rest {
            let byte = usize::from(byte);
            out.put(u32::from(self.main[byte]), u32::from(self.lens.main[byte]));
        }
    }
}

fn sum(freqs: &[u32], lens: &[u8]) -> u64 {
    freqs.iter().zip(lens).map(|(&freq, &len)| u64::from(freq) * u64::from(len)).sum()
}
