//! Reparse data that must be set last.

use std::collections::BTreeMap;
use std::sync::Arc;

use imprint_winvalues::tree::{FileId, NameId};

/// Reparse data by file, with the name the file is made under. In the order of the tree, so that
/// what is made of it does not depend on the order it came in.
pub(super) type Links = BTreeMap<FileId, (NameId, Arc<[u8]>)>;

/// Reparse data that waits for all other data to be written.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    links: Links,
    /// Bytes in memory; what several files share counts once.
    bytes: usize,
}

impl Waiting {
    /// Bytes above which links are made early, rather than kept: an image of nothing but long links
    /// must not fill the memory.
    pub(super) const MANY: usize = 16 << 20;
    /// Bytes that are kept at most where links cannot be made early.
    pub(super) const MOST: usize = 256 << 20;

    /// Adds the data of a file; `new` if the bytes are not shared with one that was added before.
    pub(super) fn add(&mut self, file: FileId, name: NameId, data: &Arc<[u8]>, new: bool) {
        self.bytes += if new { data.len() } else { 0 };
        self.links.insert(file, (name, Arc::clone(data)));
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes everything out.
    pub(super) fn take(&mut self) -> Links {
        self.bytes = 0;
        std::mem::take(&mut self.links)
    }
}
