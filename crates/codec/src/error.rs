//! What can be wrong with a compressed chunk, and with the request for a codec.

use crate::Format;

/// The bytes of a chunk break its compression format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{format} chunk: {fault} (at offset {offset:#x} of the chunk)")]
#[non_exhaustive]
pub struct DecompressError {
    /// The format the chunk was read as.
    pub format: Format,
    /// Byte offset inside the compressed chunk near which the fault was seen: the reader's position,
    /// which may be up to 8 bytes behind the faulty bits.
    pub offset: usize,
    /// The rule that was broken.
    pub fault: Fault,
}

/// The rule a compressed chunk breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The input ends before the output is complete.
    #[error("input ends after {produced} of {expected} output bytes")]
    InputTooShort {
        /// Output bytes made so far.
        produced: usize,
        /// Output bytes wanted.
        expected: usize,
    },
    /// The chunk is larger than the decompressor was made for.
    #[error("output of {expected} bytes exceeds the decompressor's limit of {limit} bytes")]
    OutputTooLarge {
        /// Output bytes wanted.
        expected: usize,
        /// The largest output this decompressor was made for.
        limit: usize,
    },
    /// A match reaches back before the start of the chunk.
    #[error("match offset {match_offset} exceeds the {produced} bytes produced so far")]
    OffsetTooLarge {
        /// Distance back, in bytes.
        match_offset: usize,
        /// Output bytes made so far.
        produced: usize,
    },
    /// A match reaches past the end of the chunk or block.
    #[error("match of {length} bytes exceeds the {remaining} bytes left")]
    MatchTooLong {
        /// Match length, in bytes.
        length: usize,
        /// Room left, in bytes.
        remaining: usize,
    },
    /// Code word lengths do not form a complete prefix code.
    #[error("{code} code lengths do not form a complete prefix code")]
    BadCode {
        /// Which code of the format.
        code: &'static str,
    },
    /// A symbol was met that the format does not define here.
    #[error("{code} symbol {symbol} is not allowed here")]
    BadSymbol {
        /// Which code of the format.
        code: &'static str,
        /// The symbol read.
        symbol: u32,
    },
    /// A block has a type the format does not define.
    #[error("block type should be 1, 2 or 3, but is {block_type}")]
    BadBlockType {
        /// The type read.
        block_type: u32,
    },
    /// A block's size is zero or exceeds the rest of the chunk.
    #[error("block size should be 1 to {remaining}, but is {size}")]
    BadBlockSize {
        /// The size read, in bytes.
        size: usize,
        /// Room left in the chunk, in bytes.
        remaining: usize,
    },
    /// A recent offset of an uncompressed LZX block is zero or too large.
    #[error("recent offset should be 1 to {limit}, but is {value}")]
    BadRecentOffset {
        /// The value read.
        value: u32,
        /// The largest legal value.
        limit: u32,
    },
    /// The input has a size the format does not allow.
    #[error("compressed size of {size} bytes is not allowed: {rule}")]
    BadInputSize {
        /// The input's size, in bytes.
        size: usize,
        /// The rule, in words.
        rule: &'static str,
    },
}

/// A codec was asked for that cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NewCodecError {
    /// The chunk size is not legal for the format.
    #[error(
        "{format} chunk size should be a power of two from {} to {}, but is {size}",
        format.chunk_sizes().start(), format.chunk_sizes().end()
    )]
    ChunkSize {
        /// The format asked for.
        format: Format,
        /// The size asked for, in bytes.
        size: u32,
    },
    /// This format can only be decompressed.
    #[error("compression to {format} is not supported")]
    CompressUnsupported {
        /// The format asked for.
        format: Format,
    },
}
