//! One decompressor object for all formats.

use crate::lzx::decompress::LzxDecompressor;
use crate::xpress::decompress::XpressDecompressor;
use crate::{DecompressError, Format, NewCodecError, lzms};

/// Decompresses chunks of one format, reusing its tables from chunk to chunk.
#[derive(Debug)]
pub struct Decompressor {
    format: Format,
    chunk_size: u32,
    decoder: Decoder,
}

#[derive(Debug)]
enum Decoder {
    Xpress(XpressDecompressor),
    Lzx(Box<LzxDecompressor>),
    Lzms(Box<lzms::Decoder>),
}

impl Decompressor {
    /// Makes a decompressor for chunks of at most `chunk_size` bytes (uncompressed).
    ///
    /// # Errors
    /// [`NewCodecError::ChunkSize`] if the size is not legal for the format.
    pub fn new(format: Format, chunk_size: u32) -> Result<Self, NewCodecError> {
        if !format.allows_chunk_size(chunk_size) {
            return Err(NewCodecError::ChunkSize { format, size: chunk_size });
        }
        let decoder = match format {
            Format::Xpress => Decoder::Xpress(XpressDecompressor::new()),
            Format::Lzx => Decoder::Lzx(Box::new(LzxDecompressor::new(chunk_size))),
            Format::Lzms => Decoder::Lzms(Box::new(lzms::Decoder::new(chunk_size))),
        };
        Ok(Self { format, chunk_size, decoder })
    }

    /// The format this decompressor reads.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// The largest chunk, in uncompressed bytes, this decompressor takes.
    #[must_use]
    pub const fn chunk_size(&self) -> u32 {
        self.chunk_size
    }

    /// Decompresses `input` into exactly `output.len()` bytes.
    ///
    /// # Errors
    /// [`DecompressError`] if the input breaks the format or the output is larger than
    /// [`Self::chunk_size`]; `output` then holds unspecified bytes.
    pub fn decompress(&mut self, input: &[u8], output: &mut [u8]) -> Result<(), DecompressError> {
        let limit = usize::try_from(self.chunk_size).unwrap_or(usize::MAX);
        let result = if output.len() > limit {
            Err((crate::Fault::OutputTooLarge { expected: output.len(), limit }, 0))
        } else {
            match &mut self.decoder {
                Decoder::Xpress(decoder) => decoder.decompress(input, output),
                Decoder::Lzx(decoder) => decoder.decompress(input, output),
                Decoder::Lzms(decoder) => return decoder.decode(input, output),
            }
        };
        result.map_err(|(fault, offset)| DecompressError { format: self.format, offset, fault })
    }
}
