//! After all data: links, and what must come last.

use std::sync::{MutexGuard, PoisonError};

use imprint_progress::Progress;
use imprint_winvalues::reparse::Link;
use imprint_winvalues::tree::{Content, File, NameId, Tree};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, OFlags};
use rustix::io::Errno;

use super::HostTarget;
use super::file::{create, reopen};
use super::large::copy_data;
use super::waiting::{Links, Waiting};
use crate::host::ntfs::{self, Wanted};
use crate::host::xattr::Node;
use crate::host::{link, sys};
use crate::{Capability, SkipReason, TargetError};

impl HostTarget {
    pub(super) fn complete(&mut self, tree: &Tree, progress: &Progress) -> Result<(), TargetError> {
        if self.ntfs.is_some() {
            self.remove_incomplete(tree)?;
        }
        self.make_hard_links(tree, progress)?;
        let reparse = self.waiting().take();
        if self.ntfs.is_some() {
            self.complete_on_ntfs(tree, progress, &reparse)?;
        } else {
            self.make_symbolic_links(tree, progress, &reparse)?;
            self.complete_directories(tree, progress)?;
        }
        if self.options.sync
            && let Err(error) = rustix::fs::syncfs(&**self.directories.root())
        {
            return Err(self.fatal(tree, NameId::ROOT, "write to stable storage", error));
        }
        Ok(())
    }

    /// Removes files that were made for data that never came.
    fn remove_incomplete(&self, tree: &Tree) -> Result<(), TargetError> {
        for (id, name) in tree.names() {
            let wanted = self.name_of(tree, name.file(), id) == Some(id);
            if !wanted || self.is_made(name.file()) {
                continue;
            }
            let host_name = self.directories.host_name(tree, id);
            let parent = self.directories.parent(tree, id);
            match parent.and_then(|parent| sys::remove(&*parent, &host_name)) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => self.settle(tree, id, "remove incomplete", error)?,
            }
        }
        Ok(())
    }

    fn make_hard_links(&self, tree: &Tree, progress: &Progress) -> Result<(), TargetError> {
        for (id, name) in tree.names() {
            let Some(&primary) = self.primary.get(&name.file()) else { continue };
            if primary == id || !self.is_usable(id) || !self.is_made(name.file()) {
                continue;
            }
            progress.check()?;
            if let Err(error) = self.make_hard_link(tree, primary, id) {
                self.settle(tree, id, "make hard link", error)?;
            } else {
                self.set_short_name(tree, id)?;
            }
        }
        Ok(())
    }

    fn make_hard_link(&self, tree: &Tree, primary: NameId, id: NameId) -> Result<(), Errno> {
        let from = self.directories.parent(tree, primary)?;
        let from_name = self.directories.host_name(tree, primary);
        let to = self.directories.parent(tree, id)?;
        let to_name = self.directories.host_name(tree, id);
        let link = || rustix::fs::linkat(&*from, &*from_name, &*to, &*to_name, AtFlags::empty());
        let made = match link() {
            Err(Errno::EXIST) => {
                // Names that are equal on the host are one name already; removing it would lose all.
                if same_file((&from, &from_name), (&to, &to_name))? {
                    return Ok(());
                }
                sys::remove(&*to, &to_name)?;
                link()
            }
            other => other,
        };
        match made {
            Err(Errno::PERM | Errno::OPNOTSUPP | Errno::MLINK | Errno::XDEV) => {
                self.not_kept(tree, id, Capability::HardLinks);
                self.copy_instead(tree, id, (&from, &from_name), (to.as_fd(), &to_name))
            }
            other => other,
        }
    }

    /// Makes a second file where the file system takes no second name.
    fn copy_instead(
        &self,
        tree: &Tree,
        id: NameId,
        (from, from_name): (&OwnedFd, &[u8]),
        (to, to_name): (BorrowedFd<'_>, &[u8]),
    ) -> Result<(), Errno> {
        let file = tree.file_of(id).ok_or(Errno::NOENT)?;
        let source = reopen(from.as_fd(), from_name, OFlags::RDONLY)?;
        let size = u64::try_from(rustix::fs::fstat(&source)?.st_size).unwrap_or(0);
        let copy = create(to, to_name, file, self.options.unix_data)?;
        copy_data(&source, &copy, size, false)?;
        rustix::fs::futimens(&copy, &sys::timestamps(&file.times))?;
        sys::close(copy)
    }

    pub(super) fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the symbolic links that wait if they are too many to keep. Files are never written
    /// through links, so nothing but caution makes these wait.
    pub(super) fn make_links_early(&self, tree: &Tree) -> Result<(), TargetError> {
        let mut waiting = self.waiting();
        if waiting.bytes() <= Waiting::MANY {
            return Ok(());
        }
        let links = waiting.take();
        drop(waiting);
        self.make_symbolic_links(tree, &Progress::new(), &links)
    }

    fn make_symbolic_links(
        &self,
        tree: &Tree,
        progress: &Progress,
        links: &Links,
    ) -> Result<(), TargetError> {
        let mut several_names = false;
        for (&id, (name, data)) in links {
            let Some(file) = tree.file(id) else { continue };
            progress.check()?;
            if file.links() > 1 {
                several_names = true;
            } else {
                self.make_symbolic_link(tree, *name, file, data)?;
            }
        }
        if several_names {
            // A link of Linux has one name: each name of the image gets its own.
            for (id, name) in tree.names() {
                let found = links.get(&name.file()).filter(|_| self.is_usable(id));
                let Some(((_, data), file)) = found.zip(tree.file(name.file())) else { continue };
                if file.links() > 1 {
                    self.make_symbolic_link(tree, id, file, data)?;
                }
            }
        }
        Ok(())
    }

    fn make_symbolic_link(
        &self,
        tree: &Tree,
        id: NameId,
        file: &File,
        data: &[u8],
    ) -> Result<(), TargetError> {
        let info = file.reparse.unwrap_or_default();
        let link = match Link::parse(info.tag, data) {
            Ok(link) => link,
            Err(error) => {
                self.skip(tree, id, SkipReason::Name { fault: error.to_string() });
                return Ok(());
            }
        };
        let root = if info.not_fixed { &[][..] } else { self.link_root.as_slice() };
        let target = link::to_target(&link, root);
        let host_name = self.directories.host_name(tree, id);
        let made = self.directories.parent(tree, id).and_then(|parent| {
            if target.contains(&0) {
                return Err(Errno::INVAL);
            }
            sys::replacing(parent.as_fd(), &host_name, || {
                rustix::fs::symlinkat(target.as_slice(), &*parent, &*host_name)
            })?;
            Ok(parent)
        });
        match made {
            Ok(parent) => self.set_metadata_at(tree, id, file, parent.as_fd(), &host_name),
            Err(error) => self.settle(tree, id, "make link", error),
        }
    }

    /// Sets the metadata of all directories, children before their parents: making an entry in a
    /// directory changes its times, setting its times changes nothing above.
    fn complete_directories(&self, tree: &Tree, progress: &Progress) -> Result<(), TargetError> {
        for (id, file) in self.directories_backwards(tree) {
            progress.check()?;
            if id == NameId::ROOT {
                self.set_metadata_of(tree, id, file, self.directories.root().as_fd())?;
                continue;
            }
            let name = self.directories.host_name(tree, id);
            let parent = match self.directories.parent(tree, id) {
                Ok(parent) => parent,
                Err(error) => {
                    self.settle(tree, id, "open directory", error)?;
                    continue;
                }
            };
            self.set_metadata_at(tree, id, file, parent.as_fd(), &name)?;
        }
        Ok(())
    }

    fn directories_backwards<'t>(
        &self,
        tree: &'t Tree,
    ) -> impl Iterator<Item = (NameId, &'t File)> {
        let ids = (0..tree.names().len()).rev().filter_map(|n| u32::try_from(n).ok().map(NameId));
        ids.filter_map(|id| Some((id, tree.file_of(id)?)))
            .filter(|&(id, file)| self.is_usable(id) && self.becomes_directory(file))
    }

    /// Sets everything that NTFS keeps: files first, then directories, children before parents.
    fn complete_on_ntfs(
        &self,
        tree: &Tree,
        progress: &Progress,
        reparse: &Links,
    ) -> Result<(), TargetError> {
        for (id, name) in tree.names() {
            let file = tree.file(name.file()).filter(|file| !file.is_directory());
            let Some(file) = file else { continue };
            if self.name_of(tree, name.file(), id) == Some(id) && self.is_made(name.file()) {
                progress.check()?;
                let data = reparse.get(&name.file()).map(|(_, data)| &**data);
                self.complete_one_on_ntfs(tree, id, file, data)?;
            }
        }
        for (id, file) in self.directories_backwards(tree) {
            progress.check()?;
            let data = tree.name(id).and_then(|name| reparse.get(&name.file()));
            self.complete_one_on_ntfs(tree, id, file, data.map(|(_, data)| &**data))?;
        }
        Ok(())
    }

    fn complete_one_on_ntfs(
        &self,
        tree: &Tree,
        id: NameId,
        file: &File,
        reparse: Option<&[u8]>,
    ) -> Result<(), TargetError> {
        for stream in file.named_streams().filter(|s| s.content == Content::Empty) {
            if self.destination(tree, id, file, stream).is_some() {
                self.put_stream(tree, id, stream, &[])?;
            }
        }
        // Reparse data may be empty, but not missing.
        let empty = file.reparse_data().is_none_or(|stream| stream.content == Content::Empty);
        let reparse = if file.reparse.is_some() && empty { Some(&[][..]) } else { reparse };
        let parent = match self.directories.parent(tree, id) {
            Ok(parent) => parent,
            Err(error) => return self.settle(tree, id, "open directory of", error),
        };
        let path = sys::path_through(&*parent, &self.directories.host_name(tree, id));
        let security = file.security.filter(|_| !self.options.no_acls);
        let wanted = Wanted {
            attributes: !self.options.no_attributes,
            security: security.and_then(|id| tree.security.get(id)),
            reparse,
        };
        let faults = ntfs::set(Node::Path(&path), file, wanted);
        if reparse.is_some() {
            // What was a file may look like a link now. The system gives up its memory of the file
            // with an error to the first who looks.
            let _first_look: Result<_, Errno> = rustix::fs::lstat(path.as_slice());
        }
        for (operation, error) in faults {
            if operation == ntfs::SET_SECURITY {
                self.settle_access(tree, id, operation, error)?;
            } else {
                self.settle(tree, id, operation, error)?;
            }
        }
        Ok(())
    }
}

/// Whether two names lead to one file.
fn same_file(a: (&OwnedFd, &[u8]), b: (&OwnedFd, &[u8])) -> Result<bool, Errno> {
    let identity = |(directory, name): (&OwnedFd, &[u8])| {
        let facts = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok::<_, Errno>((facts.st_dev, facts.st_ino))
    };
    Ok(identity(a)? == identity(b)?)
}
