//! Positional reading and writing, the ground every format engine stands on.
//!
//! ```text
//!            ReadAt  (read_exact_at, len)          one reader serves many threads
//!              │
//!    ┌─────────┼──────────────┐
//!  WriteAt   BlockDevice    (capabilities: Resize, Sparse)
//!              │ extent()
//!        Data | Zero          callers move bytes and never read a hole
//! ```
//!
//! A [`Slice`] is a window of a device: what a partition is.
//!
//! [`Expected`] and [`FieldFault`] are the words in which every format says what is wrong with a field.
//!
//! **Contract.** Offsets and lengths are bytes. All methods take `&self` and may be called from many
//! threads at once; two writes to overlapping ranges have no defined order. `flush` returns only when
//! everything written before it is on stable storage. Implementations must not panic for any offset:
//! reading past the end is [`std::io::ErrorKind::UnexpectedEof`].
//!
//! **Non-goals.** No caching, no async, no opening of files: floor 2 and above open them.
#![forbid(unsafe_code)]

mod device;
mod fault;
mod file;
mod memory;
mod slice;
mod traits;

pub use device::{BlockDevice, Extent, FlatDevice, check_range};
pub use fault::{Expected, FieldFault};
pub use memory::MemoryFile;
pub use slice::Slice;
pub use traits::{ReadAt, Resize, Sparse, Stored, WriteAt};
