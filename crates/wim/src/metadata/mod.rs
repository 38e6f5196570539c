//! The metadata of an image: its file tree and security descriptors as one stretch of bytes.
//!
//! ```text
//!  security data | root entry | 8 zeros | entries of the root | 8 zeros | entries of ... | 8 zeros
//!                   └─ subdir offset ────►┘      └─ subdir offset ──────────►┘
//! ```
//! An entry is a *name*; hard links are entries with the same group number.

mod read;
mod warning;
mod write;

use std::collections::BTreeMap;

use imprint_winvalues::tree::{FileId, Tree};

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
}
