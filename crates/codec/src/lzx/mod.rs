//! LZX in the WIM variant.

pub(crate) mod compress;
pub(crate) mod decompress;
pub(crate) mod e8;
pub(crate) mod layout;
