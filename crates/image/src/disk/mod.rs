//! Disk files as the engine handles them: opening chains, and the operations on whole disks.
//!
//! ```text
//!   path ── open_file: detect, lock ──► Container ── open_chain: parents beside it ──► Chain
//!   Chain ── copy: read, leave zeros out ──► writer of any format ── flush, name ──► path
//! ```
//!
//! **Contract.** Nothing a file says is followed: a parent is looked for under its bare name, beside its
//! child and in the folders the caller names. A file is locked while it is open: any number of readers or
//! one writer. New files get their name when they are whole and durable.

mod copy;
mod error;
mod open;

pub use copy::{CopyOptions, copy_disk};
pub use error::{ChainError, DiskError, LinkFault};
pub use open::{ChainOptions, DiskFile, Fresh, open_chain, open_chain_for_writing, open_file};
