//! LZX in the WIM variant.
//!
//! A chunk is a row of *blocks*, each with its own codes; offsets are mostly coded as *slots* with extra
//! bits, the last three used are kept in a queue. Differences to the LZX of cabinets and of
//! \[MS-PATCH\]:
//!
//! * The window is the chunk: nothing crosses chunks, and nothing slides. Microsoft writes 32 KiB only;
//!   wimlib, and we, allow up to 2 MiB.
//! * The E8 filter is always on, with a file size of 12 000 000, and no bit says so.
//! * A block size is one bit (32768), or a zero and then 16 bits; 24 bits if the window is larger than
//!   32 KiB.
//! * There are no frames: no alignment and no restart every 32 KiB.
//!
//! Observed in: wimlib 1.14.5.

mod aligned;
mod block;
mod codes;
pub(crate) mod compress;
pub(crate) mod decompress;
pub(crate) mod e8;
mod entries;
pub(crate) mod layout;
mod recent;
