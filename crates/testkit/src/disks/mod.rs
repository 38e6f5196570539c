//! Disk files judged by programs that have nothing to do with us.
//!
//! ```text
//!   file ── qemu-img, vhdimount, 7-Zip, dissect.hypervisor ──► Contents ◄── our own reading
//!                                                               size, hash of what is not zero
//! ```
//!
//! [`readers`] says which of them can judge a kind of disk, [`Reader::refuses`] why one cannot.
//! [`check_contents`] asks all that can.

mod contents;
mod makers;
mod readers;

use std::ops::Range;
use std::path::Path;

pub use contents::{BLOCK, Contents, first_difference};
pub use makers::{qemu_convert, qemu_create, qemu_io, qemu_replay_log, raw_file};
pub use readers::{Reader, readers};

/// The format of a disk file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The sectors and nothing else.
    Raw,
    /// Version 1.
    Vhd,
    /// Version 2.
    Vhdx,
}

impl Format {
    /// What qemu calls it.
    const fn qemu(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Vhd => "vpc",
            Self::Vhdx => "vhdx",
        }
    }

    /// What everybody else calls it, and how names of such files end.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Vhd => "vhd",
            Self::Vhdx => "vhdx",
        }
    }
}

/// How a disk file gets its room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// All of it from the start.
    Fixed,
    /// Block by block.
    Dynamic,
    /// What is not here is in the parent.
    Differencing,
}

/// What decides who can judge a disk file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    /// The format.
    pub format: Format,
    /// How it gets its room.
    pub kind: Kind,
    /// The logical sector size, bytes.
    pub sector_size: u32,
    /// The size of the disk, bytes.
    pub size: u64,
    /// All that was written to the children of a chain begins and ends at multiples of this, bytes.
    pub write_unit: u64,
    /// A child of a VHDX chain has blocks that it says are zeros and does not store, whatever its parent
    /// holds there.
    pub zero_blocks: bool,
}

impl Disk {
    /// A disk that was written in sectors and whose children have no blocks of zeros. The log of a VHDX
    /// has been replayed: no reader but qemu does that, and qemu only in a file it may write (see
    /// [`qemu_replay_log`]).
    #[must_use]
    pub const fn new(format: Format, kind: Kind, sector_size: u32, size: u64) -> Self {
        Self { format, kind, sector_size, size, write_unit: sector_size as u64, zero_blocks: false }
    }
}

/// Lets every reader that can read a disk file compare it with what should be on it. `ranges` are as for
/// [`Reader::contents`], and `expected` covers the same.
///
/// # Panics
/// If a reader sees something else, or no reader can judge it.
#[track_caller]
pub fn check_contents(path: &Path, disk: &Disk, ranges: &[Range<u64>], expected: &Contents) {
    let mut judges = 0;
    for reader in readers(disk) {
        let found = reader.contents(path, disk.format, ranges);
        if let Some(difference) = first_difference(expected, &found) {
            panic!(
                "{reader} reads {} otherwise than expected: {difference}\nexpected {expected:?}\n\
                 found {found:?}",
                path.display()
            );
        }
        judges += 1;
    }
    assert!(judges > 0, "nobody can judge {disk:?}");
}
