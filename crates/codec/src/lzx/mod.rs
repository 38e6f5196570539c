//! LZX in the WIM variant.
