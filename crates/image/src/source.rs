//! Where files come from.

use std::io;

use imprint_progress::{Cancelled, Progress};
use imprint_winvalues::tree::Tree;

use crate::Skipped;

/// Something that holds files: a host directory, or an NTFS volume inside any disk.
///
/// A source is scanned once; the tree's [`Content::Unread`] streams are then opened by their
/// `location`, from several threads at once and in any order.
///
/// [`Content::Unread`]: imprint_winvalues::tree::Content::Unread
pub trait Source: Sync {
    /// Reads the tree: names, metadata, small data, and where the other data is.
    ///
    /// What cannot be read is left out of the tree and listed in [`Scanned::skipped`]. A directory
    /// that cannot be listed stays in the tree without entries; it is listed as well, and so is a
    /// file that stays without one of its properties.
    ///
    /// # Errors
    /// [`SourceError`] if nothing can be read at all (the root), or the work was cancelled.
    fn scan(&self, options: &ScanOptions<'_>, progress: &Progress) -> Result<Scanned, SourceError>;

    /// Opens the data at `location`, which stands in the scanned tree.
    ///
    /// # Errors
    /// Whatever the system reports.
    fn open(&self, tree: &Tree, location: u64) -> io::Result<Box<dyn StreamReader + '_>>;
}

/// Opened data, read at any offset, from several threads at once.
pub trait StreamReader: Send + Sync {
    /// Reads up to `buf.len()` bytes at `offset`; fewer only at the end of the data.
    ///
    /// # Errors
    /// Whatever the system reports.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Whether the data was written to since it was opened: then what was read may be a mixture of
    /// old and new.
    ///
    /// # Errors
    /// Whatever the system reports.
    fn is_changed(&self) -> io::Result<bool> {
        Ok(false)
    }
}

/// How to scan.
#[derive(Clone, Copy)]
pub struct ScanOptions<'a> {
    /// Decides what is left out on purpose: gets the path from the root with backslashes
    /// (`\Windows\x.log`) and whether it is a directory. Excluded directories are not entered.
    pub exclude: &'a (dyn Fn(&str, bool) -> bool + Sync),
    /// Keep Linux owner, mode and extended attributes.
    pub unix_data: bool,
    /// Follow symbolic links instead of keeping them.
    pub dereference: bool,
    /// Leave out security descriptors.
    pub no_acls: bool,
    /// Fail (list as skipped) when a security descriptor cannot be read, instead of going without.
    pub strict_acls: bool,
    /// Adjust absolute link targets that lie inside the source so that they point into the image.
    pub fix_reparse: bool,
}

/// A scanned source.
#[derive(Debug)]
pub struct Scanned {
    /// The tree.
    pub tree: Tree,
    /// What could not be read.
    pub skipped: Vec<Skipped>,
    /// Entries left out on purpose (exclusion list).
    pub excluded: u64,
}

/// A source cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The root cannot be read.
    #[error("failed to {operation} {path}")]
    Root {
        /// What was tried.
        operation: &'static str,
        /// The root.
        path: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A volume's structures cannot be read.
    #[error("failed to {operation}")]
    Volume {
        /// What was tried.
        operation: &'static str,
        /// Why not.
        source: Box<imprint_ntfs::ReadError>,
    },
    /// A volume's root directory is not in use, or damaged.
    #[error("volume has no root directory")]
    NoRoot,
    /// The tree has more entries than can be numbered.
    #[error(transparent)]
    Tree(#[from] imprint_winvalues::tree::AddError),
    /// The work was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}
