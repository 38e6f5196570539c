//! Before any data: names, directories, files without data.

use std::sync::atomic::AtomicBool;

use imprint_progress::Progress;
use imprint_winvalues::tree::{Content, File, FileId, Name, NameId, StreamKind, Tree};
use rustix::fd::AsFd;
use rustix::fs::FileType;
use rustix::io::Errno;

use super::{DIRECTORY_MODE, HostTarget, metadata, names};
use crate::host::sys::path_through;
use crate::host::xattr::Node;
use crate::host::{ntfs, sys};
use crate::{Capability, SkipReason, TargetError};

impl HostTarget {
    pub(super) fn prepare(&mut self, tree: &Tree, progress: &Progress) -> Result<(), TargetError> {
        self.directories.reset(false);
        self.usable = vec![false; tree.names().len()];
        self.made = std::iter::repeat_with(AtomicBool::default).take(tree.files().len()).collect();
        self.primary.clear();
        let mut replaced = 0;
        for (id, name) in tree.names() {
            progress.check()?;
            let usable = self.check_name(tree, id, name, &mut replaced)
                && self.make_if_directory(tree, id)?;
            if let Some(slot) = usize::try_from(id.0).ok().and_then(|n| self.usable.get_mut(n)) {
                *slot = usable;
            }
            if usable {
                self.choose_primary(tree, id, name);
            }
        }
        for (id, name) in tree.names() {
            progress.check()?;
            if self.name_of(tree, name.file(), id) == Some(id) {
                self.make_without_data(tree, id, name.file())?;
            }
        }
        Ok(())
    }

    /// Whether an entry may be made under its name. Nothing is reported below what is not made.
    fn check_name(&mut self, tree: &Tree, id: NameId, name: &Name, replaced: &mut u32) -> bool {
        let Some(parent) = name.parent() else { return true };
        if !self.is_usable(parent) {
            return false;
        }
        if !tree.file_of(parent).is_some_and(|file| self.becomes_directory(file)) {
            self.skip(tree, id, SkipReason::UnsupportedKind { kind: "name below a link" });
            return false;
        }
        let bytes = name.name.to_wtf8();
        let streams = self.ntfs == Some(ntfs::Streams::Files);
        let Err(fault) = names::check(&bytes, streams) else { return true };
        if self.options.include_invalid_names {
            *replaced += 1;
            self.directories
                .substitute(id, names::similar(&bytes, streams, *replaced).into_boxed_slice());
            return true;
        }
        self.skip(tree, id, SkipReason::Name { fault: fault.to_string() });
        false
    }

    /// Makes a directory if the entry is to be one; tells whether the entry can be used.
    fn make_if_directory(&self, tree: &Tree, id: NameId) -> Result<bool, TargetError> {
        let directory = tree.file_of(id).filter(|file| self.becomes_directory(file));
        let Some(directory) = directory.filter(|_| id != NameId::ROOT) else { return Ok(true) };
        let name = self.directories.host_name(tree, id);
        let made = self.directories.parent(tree, id).and_then(|parent| {
            match rustix::fs::mkdirat(&*parent, &*name, DIRECTORY_MODE) {
                // What is there must be a directory itself, not a link to one.
                Err(Errno::EXIST) => sys::open_base(&*parent, &name, false).map(drop),
                other => other,
            }
        });
        if let Err(error) = made {
            self.settle(tree, id, "make directory", error)?;
            return Ok(false);
        }
        self.set_short_name(tree, id)?;
        if metadata::is_other_reparse_point(directory) && self.ntfs.is_none() {
            self.not_kept(tree, id, Capability::ReparsePoints);
        }
        Ok(true)
    }

    /// Chooses the name a file with several is made under: the first that can be used, on NTFS the
    /// first of those with an 8.3 name, which belongs to the long name there is when it is set.
    fn choose_primary(&mut self, tree: &Tree, id: NameId, name: &Name) {
        let file = name.file();
        if tree.file(file).is_none_or(|file| file.links() < 2) {
            return;
        }
        let has_short = |id: NameId| tree.name(id).is_some_and(|n| !n.short_name.is_empty());
        let prefers_short = self.ntfs.is_some();
        let chosen = self.primary.entry(file).or_insert(id);
        if prefers_short && has_short(id) && !has_short(*chosen) {
            *chosen = id;
        }
    }

    /// Makes a file that no data will come for; on NTFS every file.
    fn make_without_data(
        &self,
        tree: &Tree,
        id: NameId,
        file_id: FileId,
    ) -> Result<(), TargetError> {
        let Some(file) = tree.file(file_id) else { return Ok(()) };
        if self.becomes_directory(file) {
            self.set_made(file_id);
            return Ok(());
        }
        if file.streams.iter().any(|stream| stream.kind == StreamKind::EncryptedRaw) {
            // Without its data the file would look like an empty one. A stream that has data is
            // reported when that comes.
            if file.streams.iter().all(|stream| stream.content == Content::Empty) {
                self.not_kept(tree, id, Capability::EncryptedFiles);
            }
            return Ok(());
        }
        let awaits_data = file.main_data().is_some_and(|s| s.content != Content::Empty);
        if self.ntfs.is_some() {
            return self.make_on_ntfs(tree, id, file_id, file, awaits_data);
        }
        if metadata::is_link(file) {
            return self.check_link_has_data(tree, id, file);
        }
        if awaits_data {
            return Ok(());
        }
        match self.special_kind(file) {
            Some(kind) => self.make_special(tree, id, file_id, file, kind),
            None => self.make_file(tree, id, file_id, file, &[]),
        }
    }

    /// A link whose reparse data is empty leads nowhere.
    fn check_link_has_data(&self, tree: &Tree, id: NameId, file: &File) -> Result<(), TargetError> {
        if file.reparse_data().is_none_or(|stream| stream.content == Content::Empty) {
            self.settle(tree, id, "make link", Errno::INVAL)?;
        }
        Ok(())
    }

    fn make_on_ntfs(
        &self,
        tree: &Tree,
        id: NameId,
        file_id: FileId,
        file: &File,
        awaits_data: bool,
    ) -> Result<(), TargetError> {
        let name = self.directories.host_name(tree, id);
        let made = self.directories.parent(tree, id).and_then(|parent| {
            let new = super::file::create(parent.as_fd(), &name, file, false)?;
            sys::close(new)
        });
        if let Err(error) = made {
            return self.settle(tree, id, "make file", error);
        }
        if !awaits_data {
            self.set_made(file_id);
        }
        self.set_short_name(tree, id)
    }

    /// Sets the 8.3 name of an entry that was just made.
    pub(super) fn set_short_name(&self, tree: &Tree, id: NameId) -> Result<(), TargetError> {
        let short_name = tree.name(id).map(|name| &name.short_name).filter(|s| !s.is_empty());
        let Some(short_name) = short_name.filter(|_| self.ntfs.is_some()) else { return Ok(()) };
        let name = self.directories.host_name(tree, id);
        let set = self.directories.parent(tree, id).and_then(|parent| {
            ntfs::set_short_name(Node::Path(&path_through(&*parent, &name)), short_name)
        });
        set.or_else(|error| self.settle(tree, id, "set short name", error))
    }

    /// The kind of special file an entry is to become, if those are wanted.
    fn special_kind(&self, file: &File) -> Option<FileType> {
        let mode = file.extras.as_ref()?.unix.filter(|_| self.options.unix_data)?.mode;
        let kind = FileType::from_raw_mode(mode);
        let special = matches!(
            kind,
            FileType::Fifo | FileType::Socket | FileType::CharacterDevice | FileType::BlockDevice
        );
        special.then_some(kind)
    }

    fn make_special(
        &self,
        tree: &Tree,
        id: NameId,
        file_id: FileId,
        file: &File,
        kind: FileType,
    ) -> Result<(), TargetError> {
        let device = file.extras.as_ref().and_then(|e| e.unix).map_or(0, |unix| unix.rdev);
        let name = self.directories.host_name(tree, id);
        let parent = match self.directories.parent(tree, id) {
            Ok(parent) => parent,
            Err(error) => return self.settle(tree, id, "make special file", error),
        };
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        let made = sys::replacing(parent.as_fd(), &name, || {
            rustix::fs::mknodat(&*parent, &*name, kind, mode, device.into())
        });
        if let Err(error) = made {
            return self.settle(tree, id, "make special file", error);
        }
        self.set_made(file_id);
        self.set_metadata_at(tree, id, file, parent.as_fd(), &name)
    }
}
