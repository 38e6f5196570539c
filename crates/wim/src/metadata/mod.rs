//! The metadata of an image: its file tree and security descriptors as one stretch of bytes.
//!
//! ```text
//!  security data | root entry | 8 zeros | entries of the root | 8 zeros | entries of ... | 8 zeros
//!                   └─ subdir offset ────►┘      └─ subdir offset ──────────►┘
//! ```
//! An entry is a *name*; hard links are entries with the same group number.

mod entry;
mod items;
mod read;
mod security;
mod streams;
#[cfg(test)]
mod tests;
mod warning;
mod write;

use std::collections::BTreeMap;

use imprint_winvalues::Attributes;
use imprint_winvalues::tree::{File, FileId, Tree};

use crate::error::{Expected, Fault};

pub use read::read;
pub use warning::TreeWarning;
pub use write::write;

/// The file tree of an image, read.
#[derive(Clone, Debug)]
pub struct ImageTree {
    /// The tree.
    pub tree: Tree,
    /// What the format keeps besides the tree.
    pub details: TreeDetails,
    /// What was passed over or put right.
    pub warnings: Vec<TreeWarning>,
}

/// What entries hold besides what a tree knows; needed only to write the same bytes again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TreeDetails {
    /// Numbers of hard-link groups, of files with several names.
    pub link_groups: BTreeMap<FileId, u64>,
    /// Unknown field at 0x54 of entries, where it is not zero.
    pub unknown_54: BTreeMap<FileId, u32>,
    /// Flags of reparse points besides the known one, where there are any.
    pub reparse_flags: BTreeMap<FileId, u16>,
    /// Tagged items as they were, where they would be written differently. Used only as long as
    /// they say what the tree says.
    pub tails: BTreeMap<FileId, Box<[u8]>>,
}

/// Bit of a reparse tag: the file stands for another one, so that nothing can be inside it.
/// Source: \[MS-FSCC\] 2.1.2.1.
const NAME_SURROGATE: u32 = 0x2000_0000;

/// Whether a file is a link, and a directory's entries would be those of another directory.
fn is_link(file: &File) -> bool {
    file.attributes.contains(Attributes::REPARSE_POINT)
        && file.reparse.is_some_and(|info| info.tag & NAME_SURROGATE != 0)
}

/// Rounds up to 8. The caller has made sure that there is room.
const fn align(length: u64) -> u64 {
    length.next_multiple_of(8)
}

/// Lossless: a slice is never longer than `u64::MAX`.
fn to_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// For slicing: what does not fit lies outside of every slice.
fn to_usize(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

const fn number(field: &'static str, expected: Expected, actual: u64) -> Fault {
    Fault::Number { field, expected, actual }
}

/// Pads with zeros to a multiple of 8.
fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(8), 0);
}
