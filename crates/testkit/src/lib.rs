//! What the tests of all crates share. Only test code may depend on this crate.
//!
//! - [`CrashFile`] remembers every write and can show what a kill or a power cut leaves of the file.
//! - [`SparseMemory`] is a file in memory that can be as long as the longest disk.
//! - [`FailingFile`] is any storage that stops working after a number of operations or bytes.
//! - [`Random`] and [`Kind`] make the same data from the same seed on every machine.
//! - [`census`] says all a Linux file system knows of a tree, so that two trees can be compared.
//! - [`Mount`] mounts file systems in memory and NTFS volumes, and lets go of them after the test.
//! - [`disks`] lets other programs read disk files, and makes some with them.
//! - [`volumes`] lets a strict checker and other programs judge NTFS volumes.
//! - [`tools`] finds and runs the independent programs that judge our output.
//! - [`replay`] runs what fuzzing found through what the fuzz target demands.
//! - [`soak`] lets a test run longer when asked to.
//!
//! **Contract.** Nothing here returns an error a test would have to handle: what cannot go on panics
//! and says why. A missing tool fails the test that needs it; it never skips.
//!
//! **Non-goals.** Plain memory is [`imprint_blockio::MemoryFile`]; temporary directories are
//! `tempfile`'s.
#![forbid(unsafe_code)]
#![expect(clippy::panic, reason = "a test that cannot go on says why and stops")]

pub mod census;
mod crash_file;
mod data;
pub mod disks;
mod failing_file;
mod mount;
mod random;
mod replay;
pub mod soak;
mod sparse_memory;
pub mod tools;
pub mod volumes;

pub use crash_file::{CrashFile, Cut};
pub use data::Kind;
pub use failing_file::{FailingFile, Fault, Limit};
pub use mount::{Mount, ntfs_volume, ntfs_volume_of};
pub use random::Random;
pub use replay::replay;
pub use sparse_memory::SparseMemory;
