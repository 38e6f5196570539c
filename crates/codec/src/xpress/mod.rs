//! XPRESS-Huffman, \[MS-XCA\] section 2.1.
