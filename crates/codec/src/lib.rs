//! XPRESS-Huffman, LZX and LZMS as WIM files use them, and LZNT1 of NTFS volumes, reading.
//!
//! Each *compression chunk* is an independent stream: no history, code or recent offset crosses a
//! chunk, and the caller always knows both sizes. Formats: \[MS-XCA\] section 2.1 (XPRESS),
//! \[MS-PATCH\] with the differences listed in [`lzx`] (LZX); LZMS has no public specification, its
//! rules stand in [`lzms`].
//!
//! ```text
//!  chunk ──► Compressor ──► fewer bytes, or None = store raw
//!  stored ─► Decompressor ─► exactly the chunk, or DecompressError with a byte position
//! ```
//!
//! **Lifecycle.** Make one [`Compressor`] or [`Decompressor`] per thread and use it for every chunk:
//! all memory is allocated when it is made, none per chunk.
//!
//! **Contract.** Input is hostile: any input gives `Ok` or `Err`, never a panic, a read or write out
//! of bounds, or an endless loop. After `Err` the output buffer holds unspecified bytes. The *raw
//! chunk rule* of WIM (a chunk whose stored size equals its size is literal) is the caller's to apply
//! when reading; [`Compressor::compress`] keeps it when writing by returning `None` unless the result
//! is strictly smaller than the input.
//!
//! **Limits.** No LZMS compression. Chunk sizes are those of [`Format::chunk_sizes`].
#![forbid(unsafe_code)]

mod bits;
mod compressor;
mod copy;
mod decompressor;
mod error;
mod format;
mod huffman;
pub mod lzms;
pub mod lznt1;
pub mod lzx;
mod matchfinder;
mod units;
pub mod xpress;

pub use compressor::{Compressor, Level};
pub use decompressor::Decompressor;
pub use error::{DecompressError, Fault, NewCodecError};
pub use format::Format;
