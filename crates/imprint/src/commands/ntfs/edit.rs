//! A volume opened to be changed, and what the verbs that change one share.

use std::ffi::OsStr;
use std::path::Path;

use anyhow::Context;
use imprint_blockio::WriteAt;
use imprint_image::disk::{ChainOptions, Fresh};
use imprint_image::volume::{VolumePath, WritableVolume, open_for_writing};
use imprint_ntfs::{EditOptions, Editor, FileReference, NewFile};
use imprint_winvalues::{Attributes, WinName};

use super::super::apply::refuse_parent;
use super::{names, shown};
use crate::cli::ntfs_edit::EditArgs;
use crate::environment;
use crate::error::CommandError;

/// Opens the disk of a volume that is to be changed.
pub(super) fn open(args: &EditArgs) -> anyhow::Result<WritableVolume> {
    let path = VolumePath::parse(&args.volume);
    refuse_parent(&path.disk)?;
    let fresh = Fresh { now: environment::now(), random: &environment::random };
    let ids = fresh.write_ids().context("failed to get random bytes")?;
    Ok(open_for_writing(&path, &ChainOptions::default(), ids)?)
}

/// A volume that is being changed.
pub(super) struct Edit<'a, D> {
    pub(super) editor: Editor<D>,
    path: &'a Path,
}

impl<'a, D: WriteAt> Edit<'a, D> {
    pub(super) fn new(args: &'a EditArgs, device: D) -> anyhow::Result<Self> {
        let options = EditOptions { now: environment::now(), force: args.force };
        let editor = Editor::open(device, options).with_context(|| {
            format!("failed to open the NTFS volume on {}", args.volume.display())
        })?;
        Ok(Self { editor, path: &args.volume })
    }

    /// Says what failed.
    pub(super) fn failed(&self, verb: &str, what: impl std::fmt::Display) -> String {
        format!("failed to {verb} {what} on {}", self.path.display())
    }

    /// Finds a file by its names.
    pub(super) fn find(&self, names: &[WinName]) -> anyhow::Result<Option<FileReference>> {
        let units = names.iter().map(WinName::units);
        let found = self.editor.volume().find_names(units, self.editor.upcase());
        found.with_context(|| self.failed("find", shown(names)))
    }

    /// Finds a file that must be there.
    pub(super) fn find_there(&self, names: &[WinName]) -> anyhow::Result<FileReference> {
        self.find(names)?.ok_or_else(|| {
            let (volume, file) = (self.path.to_owned(), shown(names));
            CommandError::NoSuchFile { volume, file }.into()
        })
    }

    pub(super) fn is_directory(&self, file: FileReference) -> anyhow::Result<bool> {
        let found = self.editor.volume().file(file.record);
        let found =
            found.with_context(|| self.failed("read", format_args!("record {}", file.record)))?;
        Ok(found.is_some_and(|file| file.is_directory))
    }

    /// The directory of a path, which must be there, and the last name; none for the root.
    pub(super) fn place<'n>(
        &self,
        names: &'n [WinName],
    ) -> anyhow::Result<(FileReference, &'n WinName)> {
        let Some((last, parents)) = names.split_last() else {
            return Err(CommandError::RootDirectory { volume: self.path.to_owned() }.into());
        };
        Ok((self.find_there(parents)?, last))
    }

    /// Where a file goes that is copied or moved to a path: into a directory that is there under its own name, or to the
    /// path itself.
    pub(super) fn target(
        &self,
        destination: &OsStr,
        own: &WinName,
        several: bool,
    ) -> anyhow::Result<Vec<WinName>> {
        let mut target = names(destination)?;
        let is_directory = match self.find(&target)? {
            Some(found) => self.is_directory(found)?,
            None => false,
        };
        if is_directory {
            target.push(own.clone());
        } else if several {
            let (volume, file) = (self.path.to_owned(), shown(&target));
            return Err(CommandError::NoDirectory { volume, file }.into());
        }
        Ok(target)
    }

    /// Makes a directory; one that is there already is as good.
    pub(super) fn make_directory(
        &mut self,
        parent: FileReference,
        name: &WinName,
    ) -> anyhow::Result<FileReference> {
        let context = |edit: &Self| edit.failed("make", name);
        let there = self.editor.lookup(parent, name).with_context(|| context(self))?;
        if let Some(there) = there.filter(imprint_ntfs::DirectoryEntry::is_directory) {
            return Ok(there.reference);
        }
        let new = NewFile {
            name: name.clone(),
            is_directory: true,
            attributes: Attributes::empty(),
            ..NewFile::default()
        };
        let made = self.editor.create(parent, &new);
        made.with_context(|| context(self))
    }

    /// Brings everything to the disk.
    pub(super) fn close(self) -> anyhow::Result<()> {
        let context = format!("failed to change {}", self.path.display());
        self.editor.close().context(context).map(drop)
    }
}
