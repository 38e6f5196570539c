//! XPRESS-Huffman, \[MS-XCA\] section 2.1.

pub(crate) mod compress;
pub(crate) mod decompress;
pub(crate) mod layout;
