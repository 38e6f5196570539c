//! One compressor object for all formats.

use crate::lzx::compress::LzxCompressor;
use crate::xpress::compress::XpressCompressor;
use crate::{Format, NewCodecError};

/// How hard to compress: higher is smaller and slower. The scale is wimlib's, so that its users'
/// numbers keep their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Level(pub u32);

impl Level {
    /// Quick, a few percent larger.
    pub const FAST: Self = Self(20);
    /// The default.
    pub const NORMAL: Self = Self(50);
    /// The smallest result.
    pub const MAX: Self = Self(100);
}

impl Default for Level {
    fn default() -> Self {
        Self::NORMAL
    }
}

/// Compresses chunks of one format, reusing its tables from chunk to chunk.
#[derive(Debug)]
pub struct Compressor {
    format: Format,
    chunk_size: u32,
    level: Level,
    engine: Engine,
}

#[derive(Debug)]
enum Engine {
    Xpress(Box<XpressCompressor>),
    Lzx(Box<LzxCompressor>),
}

impl Compressor {
    /// Makes a compressor for chunks of at most `chunk_size` bytes.
    ///
    /// # Errors
    /// [`NewCodecError`] if the size is not legal for the format or the format cannot be written.
    pub fn new(format: Format, chunk_size: u32, level: Level) -> Result<Self, NewCodecError> {
        if !format.allows_chunk_size(chunk_size) {
            return Err(NewCodecError::ChunkSize { format, size: chunk_size });
        }
        let engine = match format {
            Format::Lzx => Engine::Lzx(Box::new(LzxCompressor::new(chunk_size, level))),
            Format::Xpress => {
                Engine::Xpress(Box::new(XpressCompressor::new(chunk_size as usize, level)))
            }
            Format::Lzms => return Err(NewCodecError::CompressUnsupported { format }),
        };
        Ok(Self { format, chunk_size, level, engine })
    }

    /// The format this compressor writes.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// The largest chunk, in bytes, this compressor takes.
    #[must_use]
    pub const fn chunk_size(&self) -> u32 {
        self.chunk_size
    }

    /// The level it was made with.
    #[must_use]
    pub const fn level(&self) -> Level {
        self.level
    }

    /// Compresses `input` into `output` and returns the number of bytes written, or `None` if the
    /// result would not be strictly smaller than `input` (or not fit into `output`): the chunk is
    /// then stored raw.
    ///
    /// `input` must not exceed [`Self::chunk_size`]; if it does the answer is `None`.
    pub fn compress(&mut self, input: &[u8], output: &mut [u8]) -> Option<usize> {
        match &mut self.engine {
            _ if input.len() > self.chunk_size as usize => None,
            Engine::Lzx(lzx) => lzx.compress(input, output),
            Engine::Xpress(xpress) => xpress.compress(input, output),
        }
    }
}
