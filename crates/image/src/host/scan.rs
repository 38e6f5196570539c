//! Reading a directory tree.
//!
//! Directory by directory, depth first: names are listed, looked up in the order of their inode
//! numbers (near the order on disk), and added to the tree in the order of their bytes, so that the
//! tree is the same wherever the files lie.

use std::collections::HashMap;
use std::sync::Arc;

use imprint_progress::Progress;
use imprint_winvalues::tree::{FileId, NameId, Tree};
use imprint_winvalues::{Attributes, WinName};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, FileType, OFlags, RawDir};
use rustix::io::Errno;

use super::source::HostSource;
use super::{ntfs, reader, sys};
use crate::{ScanOptions, Scanned, SkipReason, Skipped, SourceError};

mod entry;
mod facts;

use facts::Facts;

/// Bytes of directory entries asked for at once.
const LIST_BUFFER: usize = 64 << 10;

/// Reads the tree of `source`.
pub(super) fn scan(
    source: &HostSource,
    options: &ScanOptions<'_>,
    progress: &Progress,
) -> Result<Scanned, SourceError> {
    progress.begin("scanning", 0, 0);
    let root = source.directories.root();
    let facts = Facts::read(root, b"", AtFlags::EMPTY_PATH)
        .map_err(|error| source.root_error("read metadata of", error))?;
    let mut scan = Scan {
        source,
        options,
        progress,
        root: (facts.device, facts.inode),
        tree: Tree::new(imprint_winvalues::tree::File::default()),
        skipped: Vec::new(),
        excluded: 0,
        links: HashMap::new(),
        entered: HashMap::new(),
        pending: Vec::new(),
        path: String::new(),
        names: Vec::new(),
        scratch: Vec::new(),
    };
    scan.set_root(&facts)?;
    while let Some(next) = scan.pending.pop() {
        scan.directory(&next)?;
    }
    let Scan { tree, skipped, excluded, .. } = scan;
    Ok(Scanned { tree, skipped, excluded })
}

/// A tree being read.
struct Scan<'a> {
    source: &'a HostSource,
    options: &'a ScanOptions<'a>,
    progress: &'a Progress,
    /// Device and inode number of the root.
    root: (u64, u64),
    tree: Tree,
    skipped: Vec<Skipped>,
    excluded: u64,
    /// Files that have or may get more names, by device and inode number.
    links: HashMap<(u64, u64), FileId>,
    /// Where each directory is, to find cycles when links are followed.
    entered: HashMap<NameId, (u64, u64)>,
    pending: Vec<Directory>,
    /// Path of the entry at hand, with backslashes.
    path: String,
    /// Bytes of the names of the directory at hand.
    names: Vec<u8>,
    scratch: Vec<u8>,
}

/// A directory to be listed.
#[derive(Debug)]
struct Directory {
    id: NameId,
    path: String,
    volume: Volume,
}

/// The file system a directory is on.
#[derive(Clone, Copy, Debug)]
struct Volume {
    device: u64,
    ntfs: Option<ntfs::Streams>,
}

/// An entry found in a directory.
#[derive(Debug)]
struct Entry {
    /// Where its name is in [`Scan::names`].
    name: std::ops::Range<usize>,
    inode: u64,
    kind: FileType,
    facts: Option<Facts>,
}

impl Scan<'_> {
    /// Opens, lists and adds the entries of a directory.
    fn directory(&mut self, directory: &Directory) -> Result<(), SourceError> {
        self.path.clone_from(&directory.path);
        let (base, handle) = match self.open(directory.id) {
            Ok(opened) => opened,
            Err(error) => return self.unlisted(directory, error),
        };
        let mut entries = match self.list(&handle) {
            Ok(entries) => entries,
            Err(error) => return self.unlisted(directory, error),
        };
        drop(handle);
        let names = std::mem::take(&mut self.names);
        entries.sort_unstable_by_key(|entry| entry.inode);
        for entry in &mut entries {
            self.progress.check()?;
            let name = names.get(entry.name.clone()).unwrap_or_default();
            self.begin_path(directory, name);
            self.look_up(&base, name, entry);
        }
        entries.retain(|entry| entry.facts.is_some());
        entries.sort_unstable_by(|a, b| names.get(a.name.clone()).cmp(&names.get(b.name.clone())));
        let first_below = self.pending.len();
        for entry in &entries {
            let name = names.get(entry.name.clone()).unwrap_or_default();
            if let Some(facts) = &entry.facts {
                self.begin_path(directory, name);
                self.add(directory, &base, name, facts)?;
            }
        }
        // The last pushed is listed next: turn them round to go in order.
        self.pending.get_mut(first_below..).unwrap_or_default().reverse();
        self.progress.add_files(entries.len() as u64);
        self.names = names;
        Ok(())
    }

    /// Opens a directory as a base for looking up names, and for listing.
    fn open(&self, id: NameId) -> Result<(Arc<OwnedFd>, OwnedFd), Errno> {
        let base = self.source.directories.handle(&self.tree, id)?;
        let handle = sys::open_to_read(&*base, b".", OFlags::DIRECTORY, false)?;
        Ok((base, handle))
    }

    /// The root must be listed; another directory stays without entries and is reported.
    fn unlisted(&mut self, directory: &Directory, error: Errno) -> Result<(), SourceError> {
        if directory.id == NameId::ROOT {
            return Err(self.source.root_error("list", error));
        }
        self.unreadable("list", error);
        Ok(())
    }

    /// Lists the names of a directory into [`Self::names`].
    fn list(&mut self, handle: &OwnedFd) -> Result<Vec<Entry>, Errno> {
        self.names.clear();
        self.scratch.clear();
        self.scratch.reserve(LIST_BUFFER);
        let mut raw = RawDir::new(handle, self.scratch.spare_capacity_mut());
        let mut entries = Vec::new();
        while let Some(entry) = raw.next() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b".." | b"") {
                continue;
            }
            let start = self.names.len();
            self.names.extend_from_slice(name);
            let name = start..self.names.len();
            entries.push(Entry { name, inode: entry.ino(), kind: entry.file_type(), facts: None });
        }
        Ok(entries)
    }

    /// Sets [`Self::path`] to that of an entry.
    fn begin_path(&mut self, directory: &Directory, name: &[u8]) {
        self.path.truncate(directory.path.len());
        self.path.push('\\');
        match str::from_utf8(name) {
            Ok(name) => self.path.push_str(name),
            Err(_not_text) => self.path.push_str(&String::from_utf8_lossy(name)),
        }
    }

    /// Reads the metadata of an entry unless it is left out.
    fn look_up(&mut self, base: &OwnedFd, name: &[u8], entry: &mut Entry) {
        // Whether a link or an entry of unknown kind is a directory turns out only by looking.
        let unsure = entry.kind == FileType::Unknown
            || (self.options.dereference && entry.kind == FileType::Symlink);
        if !unsure && self.is_excluded(entry.kind) {
            return;
        }
        match Facts::read(base, name, self.at_flags()) {
            Ok(facts) => {
                if !unsure || !self.is_excluded(facts.kind) {
                    entry.facts = Some(facts);
                }
            }
            Err(error) => self.unreadable("read metadata", error),
        }
    }

    fn is_excluded(&mut self, kind: FileType) -> bool {
        let excluded = (self.options.exclude)(&self.path, kind == FileType::Directory);
        self.excluded += u64::from(excluded);
        excluded
    }

    const fn at_flags(&self) -> AtFlags {
        if self.options.dereference { AtFlags::empty() } else { AtFlags::SYMLINK_NOFOLLOW }
    }

    fn skip(&mut self, reason: SkipReason) {
        self.skipped.push(Skipped { path: self.path.clone(), reason });
    }

    fn unreadable(&mut self, operation: &'static str, error: Errno) {
        self.skip(SkipReason::Unreadable { operation, error: sys::text(error) });
    }

    /// Adds an entry to the tree, under the name of another if it is the same file.
    fn add(
        &mut self,
        directory: &Directory,
        base: &OwnedFd,
        name: &[u8],
        facts: &Facts,
    ) -> Result<(), SourceError> {
        let win_name = match WinName::from_wtf8(name) {
            Ok(name) => name,
            Err(error) => {
                self.skip(SkipReason::Name { fault: error.to_string() });
                return Ok(());
            }
        };
        let known = self.links.get(&facts.identity()).copied();
        if let Some(file) = known {
            let id = self.tree.link(directory.id, win_name, file)?;
            self.add_short_name(directory, base, name, id);
            return Ok(());
        }
        if !self.options.unix_data && facts.is_special() {
            self.skip(SkipReason::UnsupportedKind { kind: reader::kind_name(facts.kind) });
            return Ok(());
        }
        if facts.kind == FileType::Directory && self.is_cycle(directory.id, facts) {
            self.skip(SkipReason::Cycle);
            return Ok(());
        }
        let volume = self.volume_of(directory, base, name, facts);
        let Some(file) = self.file(volume, base, name, facts) else { return Ok(()) };
        let is_directory = file.is_directory();
        let is_link = file.attributes.contains(Attributes::REPARSE_POINT);
        let id = self.tree.add(directory.id, win_name, file)?;
        if volume.ntfs.is_some() {
            self.add_short_name(directory, base, name, id);
        }
        if facts.kind == FileType::Directory {
            self.enter(id, facts, volume);
        } else if !is_directory && !is_link && (facts.links > 1 || self.options.dereference) {
            if let Some(name) = self.tree.name(id) {
                self.links.insert(facts.identity(), name.file());
            }
        }
        Ok(())
    }

    /// Notes a directory to be listed.
    fn enter(&mut self, id: NameId, facts: &Facts, volume: Volume) {
        if self.options.dereference {
            self.entered.insert(id, facts.identity());
        }
        self.pending.push(Directory { id, path: self.path.clone(), volume });
    }

    /// Whether a directory is one of those it is in.
    fn is_cycle(&self, parent: NameId, facts: &Facts) -> bool {
        if !self.options.dereference {
            return false;
        }
        let mut above = Some(parent);
        while let Some(id) = above {
            if self.entered.get(&id) == Some(&facts.identity()) {
                return true;
            }
            above = self.tree.name(id).and_then(imprint_winvalues::tree::Name::parent);
        }
        false
    }

    /// The file system an entry is on: its directory's, unless something is mounted there.
    fn volume_of(
        &self,
        directory: &Directory,
        base: &OwnedFd,
        name: &[u8],
        facts: &Facts,
    ) -> Volume {
        if facts.device == directory.volume.device {
            return directory.volume;
        }
        let follow = self.options.dereference;
        let opened = (facts.kind == FileType::Directory)
            .then(|| sys::open_base(base, name, follow).ok())
            .flatten();
        Volume { device: facts.device, ntfs: opened.and_then(|d| ntfs::detect(d.as_fd())) }
    }
}
