//! Canonical Huffman codes, shared by the formats.
pub(crate) mod build;
pub(crate) mod decode;
