//! Which compression formats exist, and their legal chunk sizes.

use std::fmt;
use std::ops::RangeInclusive;

/// A compression format of WIM chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// XPRESS with Huffman coding, \[MS-XCA\] 2.1 "LZ77+Huffman".
    Xpress,
    /// LZX in the WIM variant.
    Lzx,
    /// LZMS, used for solid resources and optionally elsewhere.
    Lzms,
}

impl Format {
    /// Legal chunk sizes in bytes; only powers of two inside the range are legal.
    ///
    /// Source: wimlib 1.14.5 `wim_chunk_size` limits. Microsoft's own programs are only safe with
    /// 32 KiB for XPRESS and LZX, and at most 64 MiB for LZMS.
    #[must_use]
    pub const fn chunk_sizes(self) -> RangeInclusive<u32> {
        match self {
            Self::Xpress => 4 << 10..=64 << 10,
            Self::Lzx => 32 << 10..=2 << 20,
            Self::Lzms => 32 << 10..=1 << 30,
        }
    }

    /// The chunk size in bytes that non-solid resources get unless the caller asks otherwise.
    #[must_use]
    pub const fn default_chunk_size(self) -> u32 {
        match self {
            Self::Xpress | Self::Lzx => 32 << 10,
            Self::Lzms => 128 << 10,
        }
    }

    /// Whether `size` (bytes) is a legal chunk size of this format.
    #[must_use]
    pub fn allows_chunk_size(self, size: u32) -> bool {
        size.is_power_of_two() && self.chunk_sizes().contains(&size)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Xpress => "XPRESS",
            Self::Lzx => "LZX",
            Self::Lzms => "LZMS",
        })
    }
}
