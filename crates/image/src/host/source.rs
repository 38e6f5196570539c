//! A host directory as a source.

use std::io;
use std::path::{Path, PathBuf};

use imprint_progress::Progress;
use imprint_winvalues::tree::{NameId, Tree};
use rustix::fs::OFlags;
use rustix::io::Errno;

use super::directories::Directories;
use super::reader::FileReader;
use super::{ntfs, scan, sys};
use crate::{ScanOptions, Scanned, Source, SourceError, StreamReader};

/// A directory of this machine, read as it is: nothing is locked, and no access time changes where
/// the system allows that.
///
/// [`Source::scan`] numbers the data it finds by the names of its tree, so [`Source::open`] must get
/// that very tree. Scanning again forgets the handles of the tree before.
#[derive(Debug)]
pub struct HostSource {
    path: PathBuf,
    pub(super) directories: Directories,
}

impl HostSource {
    /// Opens the directory at `path`; a symbolic link there is followed.
    ///
    /// # Errors
    /// [`SourceError::Root`] if it cannot be opened or is not a directory.
    pub fn new(path: impl Into<PathBuf>) -> Result<Self, SourceError> {
        let path = path.into();
        match sys::open_root(&path) {
            Ok(root) => Ok(Self { path, directories: Directories::new(root) }),
            Err(error) => Err(root_error(&path, "open", error)),
        }
    }

    /// The path it was opened by.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn root_error(&self, operation: &'static str, error: Errno) -> SourceError {
        root_error(&self.path, operation, error)
    }
}

fn root_error(path: &Path, operation: &'static str, error: Errno) -> SourceError {
    SourceError::Root { operation, path: path.display().to_string(), source: error.into() }
}

/// The number of the data of a name's stream: stream in the upper half, name in the lower. Counting
/// up through these numbers goes through the tree directory by directory.
pub(super) fn location(name: NameId, stream: u32) -> u64 {
    u64::from(stream) << 32 | u64::from(name.0)
}

fn place(location: u64) -> (NameId, usize) {
    let [name, stream] = [location & u64::from(u32::MAX), location >> 32];
    (NameId(u32::try_from(name).unwrap_or(u32::MAX)), usize::try_from(stream).unwrap_or(usize::MAX))
}

impl Source for HostSource {
    fn scan(&self, options: &ScanOptions<'_>, progress: &Progress) -> Result<Scanned, SourceError> {
        self.directories.reset(options.dereference);
        scan::scan(self, options, progress)
    }

    fn open(&self, tree: &Tree, location: u64) -> io::Result<Box<dyn StreamReader + '_>> {
        let (id, stream) = place(location);
        let directory = self.directories.parent(tree, id)?;
        let mut name = self.directories.host_name(tree, id);
        let stream = tree.file_of(id).and_then(|file| file.streams.get(stream));
        if let Some(stream) = stream.filter(|stream| !stream.name.is_empty()) {
            name = ntfs::stream_file(&name, &stream.name.to_wtf8()).into();
        }
        let follow = self.directories.follows_links();
        let file = sys::open_to_read(&*directory, &name, OFlags::empty(), follow)?;
        Ok(Box::new(FileReader::new(file)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_name_both() {
        assert_eq!(place(location(NameId(7), 3)), (NameId(7), 3));
        assert_eq!(place(location(NameId(u32::MAX), 0)), (NameId(u32::MAX), 0));
    }
}
