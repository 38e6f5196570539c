//! LZX in the WIM variant.

mod block;
mod codes;
pub(crate) mod compress;
pub(crate) mod decompress;
pub(crate) mod e8;
mod entries;
pub(crate) mod layout;
mod recent;
