//! What the XPRESS-Huffman encoder and decoder must agree on.
//!
//! Source: \[MS-XCA\] section 2.1.

/// Number of literal symbols; they come first in the alphabet.
pub(crate) const LITERALS: usize = 256;
/// Size of the alphabet: literals, then `offset bits << 4 | length nibble`.
pub(crate) const SYMBOLS: usize = 512;
/// Longest codeword, in bits.
pub(crate) const MAX_BITS: usize = 15;
/// Bytes at the chunk's start that hold the codeword lengths, one nibble per symbol, low nibble first.
pub(crate) const TABLE_BYTES: usize = SYMBOLS / 2;

/// Shortest match, in bytes.
pub(crate) const MIN_MATCH: usize = 3;
/// A length nibble of this value says that a length byte follows.
pub(crate) const LONG_LENGTH_NIBBLE: usize = 15;
/// A length byte of this value says that a 16-bit length follows.
pub(crate) const LONG_LENGTH_BYTE: u8 = 255;
/// The symbol that Microsoft's encoder puts behind the data. Decoders do not need it.
pub(crate) const END_SYMBOL: usize = 256;
