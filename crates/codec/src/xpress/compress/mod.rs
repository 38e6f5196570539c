//! The XPRESS-Huffman compressor.
//!
//! ```text
//!  chunk ─► Finder ─► parser ─► Items ─► Huffman code ─► Writer ─► compressed chunk
//!           (tables)  (level)   (packed, with frequencies)
//! ```
//! Nothing is carried from chunk to chunk but memory.
#![expect(
    clippy::indexing_slicing,
    reason = "hot loops: indices are masked or bounded by construction, and the compiler drops most \
              checks; the input is only data here, never an index beyond its own length"
)]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "positions, lengths and offsets of a chunk have at most 17 bits"
)]

mod costs;
mod items;
mod lazy;
mod params;
mod writer;

use std::fmt;

use self::finder::{Finder, HashBits, Large, MAX_INPUT, SMALL_CHUNK, Small};
use self::items::Items;
use self::params::{Effort, Params, Strategy};
use self::writer::{Code, Writer, compressed_size};
use super::layout::{END_SYMBOL, MAX_BITS, SYMBOLS, TABLE_BYTES};
use crate::Level;
use crate::huffman::build;
use crate::matchfinder::probe as finder;
use crate::matchfinder::zeroed;

/// Smaller chunks cannot shrink: the code's table, two units and a length byte come to 261 bytes.
const MIN_INPUT: usize = TABLE_BYTES + 6;

/// Compresses chunks of up to 64 KiB.
pub(crate) struct XpressCompressor {
    params: Params,
    chunk_size: usize,
    finder: Box<Finder>,
    items: Box<Items>,
    writer: Box<Writer>,
}

impl fmt::Debug for XpressCompressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { params, chunk_size, .. } = self;
        f.debug_struct("XpressCompressor")
            .field("params", params)
            .field("chunk_size", chunk_size)
            .finish_non_exhaustive()
    }
}

impl XpressCompressor {
    /// Makes a compressor for chunks of at most `chunk_size` bytes, which must not exceed 64 KiB.
    pub(crate) fn new(chunk_size: usize, level: Level) -> Self {
        Self {
            params: Params::of(level),
            chunk_size: chunk_size.min(MAX_INPUT),
            finder: zeroed(),
            items: zeroed(),
            writer: zeroed(),
        }
    }

    /// Compresses `input` into `output` and returns the number of bytes written, or `None` if that
    /// would not be strictly smaller than `input`, or larger than `output`.
    pub(crate) fn compress(&mut self, input: &[u8], output: &mut [u8]) -> Option<usize> {
        if !(MIN_INPUT..=self.chunk_size).contains(&input.len()) {
            return None;
        }
        let worthwhile = if input.len() <= SMALL_CHUNK {
            self.parse::<Small>(input)
        } else {
            self.parse::<Large>(input)
        };
        if !worthwhile {
            return None;
        }
        self.items.frequencies_mut()[END_SYMBOL] += 1;
        let mut code = Code { lens: [0; SYMBOLS], codewords: [0; SYMBOLS] };
        let Code { lens, codewords } = &mut code;
        build::build(self.items.frequencies(), MAX_BITS as u8, lens, codewords);
        let size = compressed_size(&self.items, &code.lens);
        if size >= input.len() {
            return None;
        }
        self.writer.write(&self.items, &code, output.get_mut(..size)?);
        Some(size)
    }

    /// Chooses the items; `false` if they cannot be smaller than `input`.
    fn parse<H: HashBits>(&mut self, input: &[u8]) -> bool {
        let Self { params, finder, items, .. } = self;
        finder.load::<H>(input);
        let mut items = items.collect();
        let Params { strategy: Strategy::Lazy(effort), nice } = *params;
        match effort {
            Effort::Least => lazy::parse::<H, 1, 0>(finder, &mut items, nice),
            Effort::Little => lazy::parse::<H, 3, 1>(finder, &mut items, nice),
            Effort::Medium => lazy::parse::<H, 6, 3>(finder, &mut items, nice),
            Effort::Normal => lazy::parse::<H, 12, 6>(finder, &mut items, nice),
            Effort::Much => lazy::parse::<H, 32, 16>(finder, &mut items, nice),
        }
        items.finish()
    }
}
