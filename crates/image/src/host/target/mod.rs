//! A host directory as a target.
//!
//! | step | what happens |
//! |---|---|
//! | `begin` | names are checked, directories made, empty and special files made |
//! | `put`, `open` … `close` | files with data are made, one after the other or at once |
//! | `finish` | hard links, then symbolic links, then directory metadata, children first |
//!
//! Nothing is ever written through a name that was there before: a file in the way is unlinked and a
//! new one made, so its other hard links keep their data, and a link is never followed. Symbolic
//! links come after all files, so that no file can be written through one of the image's own.
//!
//! On an ntfs-3g mount all files are made in `begin`, because their streams arrive one by one, and
//! metadata is set in `finish`, when nothing can change it any more.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use imprint_progress::Progress;
use imprint_winvalues::tree::{File, FileId, NameId, Tree};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::Mode;
use rustix::io::Errno;

use super::directories::Directories;
use super::{ntfs, sys};
use crate::{BlobUse, Capabilities, Capability, SkipReason, Skipped, Target, TargetError};

mod begin;
mod file;
mod finish;
mod large;
mod metadata;
mod names;
mod sparse;
mod waiting;

pub use large::OpenBlob;
use waiting::Waiting;

/// How to write to a host directory.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch a user can set")]
pub struct TargetOptions {
    /// Set Linux owner, mode and extended attributes, and make special files.
    pub unix_data: bool,
    /// Leave security descriptors alone.
    pub no_acls: bool,
    /// End with an error when a security descriptor, owner or mode cannot be set, instead of listing
    /// the file and going on.
    pub strict_acls: bool,
    /// Leave Windows file attributes alone.
    pub no_attributes: bool,
    /// Make absolute link targets that were adjusted at capture point into the target.
    pub fix_reparse: bool,
    /// Write files whose names the host cannot have, under similar names.
    pub include_invalid_names: bool,
    /// Return from [`Target::finish`] only when everything is on stable storage.
    pub sync: bool,
}

/// A directory of this machine.
///
/// **What it lists as skipped** are single files, links and streams: those that could not be
/// written, and those of a kind this target does not keep (named streams, reparse points that are no
/// links, encrypted data). Metadata that [`Target::capabilities`] leaves out from the start is not
/// listed file by file. Below a directory that could not be made, nothing else is listed.
#[derive(Debug)]
pub struct HostTarget {
    path: PathBuf,
    options: TargetOptions,
    /// How named streams are reached, if this is an ntfs-3g mount.
    ntfs: Option<ntfs::Streams>,
    directories: Directories,
    /// Absolute path of the target, before adjusted link targets.
    link_root: Vec<u8>,
    /// By name: whether it can be used.
    usable: Vec<bool>,
    /// Of files with several names, the one they are made under.
    primary: HashMap<FileId, NameId>,
    /// By file: whether it is there as it should be.
    made: Vec<AtomicBool>,
    skipped: Mutex<Vec<Skipped>>,
    /// Reparse data that waits for [`Target::finish`].
    waiting: Mutex<Waiting>,
}

impl HostTarget {
    /// Opens the directory at `path`, which is made if it is not there; a symbolic link is followed.
    ///
    /// # Errors
    /// [`TargetError::Io`] if it can be neither made nor opened.
    pub fn new(path: impl Into<PathBuf>, options: TargetOptions) -> Result<Self, TargetError> {
        let path = path.into();
        let fault = |operation, error: Errno| TargetError::Io {
            operation,
            path: path.display().to_string(),
            source: error.into(),
        };
        match rustix::fs::mkdir(&path, DIRECTORY_MODE) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(fault("make directory", error)),
        }
        let root = sys::open_root(&path).map_err(|error| fault("open directory", error))?;
        let ntfs = ntfs::detect(root.as_fd());
        let link_root = if options.fix_reparse {
            absolute(&path, &root).map_err(|error| fault("find absolute path of", error))?
        } else {
            Vec::new()
        };
        Ok(Self {
            options,
            ntfs,
            directories: Directories::new(root),
            link_root,
            usable: Vec::new(),
            primary: HashMap::new(),
            made: Vec::new(),
            skipped: Mutex::default(),
            waiting: Mutex::default(),
            path,
        })
    }

    /// The path it was opened by.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The name a file is made under; `None` if none of its names can be used.
    fn name_of(&self, tree: &Tree, file: FileId, name: NameId) -> Option<NameId> {
        let linked = tree.file(file).is_some_and(|f| f.links() > 1);
        let name = if linked { *self.primary.get(&file)? } else { name };
        self.is_usable(name).then_some(name)
    }

    fn is_usable(&self, name: NameId) -> bool {
        usize::try_from(name.0).ok().and_then(|n| self.usable.get(n)).copied().unwrap_or(false)
    }

    fn made(&self, file: FileId) -> Option<&AtomicBool> {
        usize::try_from(file.0).ok().and_then(|n| self.made.get(n))
    }

    fn set_made(&self, file: FileId) {
        if let Some(made) = self.made(file) {
            made.store(true, Ordering::Relaxed);
        }
    }

    fn is_made(&self, file: FileId) -> bool {
        self.made(file).is_some_and(|made| made.load(Ordering::Relaxed))
    }

    fn skip(&self, tree: &Tree, name: NameId, reason: SkipReason) {
        let path = tree.path_of(name).to_string();
        self.skipped.lock().unwrap_or_else(PoisonError::into_inner).push(Skipped { path, reason });
    }

    fn not_kept(&self, tree: &Tree, name: NameId, capability: Capability) {
        self.skip(tree, name, SkipReason::NotKept { capability });
    }

    /// Lists a failure, or ends everything if nothing else can succeed either.
    fn settle(
        &self,
        tree: &Tree,
        name: NameId,
        operation: &'static str,
        error: Errno,
    ) -> Result<(), TargetError> {
        if sys::ends_everything(error) {
            return Err(self.fatal(tree, name, operation, error));
        }
        self.skip(tree, name, SkipReason::Unwritable { operation, error: sys::text(error) });
        Ok(())
    }

    /// As [`Self::settle`], but for access rights, which a user may insist on.
    fn settle_access(
        &self,
        tree: &Tree,
        name: NameId,
        operation: &'static str,
        error: Errno,
    ) -> Result<(), TargetError> {
        if self.options.strict_acls {
            return Err(self.fatal(tree, name, operation, error));
        }
        self.settle(tree, name, operation, error)
    }

    fn fatal(
        &self,
        tree: &Tree,
        name: NameId,
        operation: &'static str,
        error: Errno,
    ) -> TargetError {
        let mut path = self.path.clone();
        for part in tree.path_of(name).0 {
            path.push(part.to_string());
        }
        TargetError::Io { operation, path: path.display().to_string(), source: error.into() }
    }

    /// Whether a directory of the image becomes a directory here: links do not.
    fn becomes_directory(&self, file: &File) -> bool {
        file.is_directory() && (self.ntfs.is_some() || !metadata::is_link(file))
    }
}

/// The absolute path of an open directory, without links where the system tells it.
fn absolute(path: &Path, directory: &OwnedFd) -> Result<Vec<u8>, Errno> {
    if let Ok(real) = rustix::fs::readlink(sys::path_of_handle(directory), Vec::new()) {
        return Ok(real.into_bytes());
    }
    let absolute = std::path::absolute(path);
    absolute
        .map(|path| path.into_os_string().into_encoded_bytes())
        .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::INVAL))
}

/// What a directory is made with. Source: wimlib 1.14.5, `unix_apply.c`.
const DIRECTORY_MODE: Mode = Mode::from_bits_retain(0o755);

impl Target for HostTarget {
    type Open = OpenBlob;

    fn capabilities(&self) -> Capabilities {
        let mut kept = std::collections::BTreeSet::from([Capability::Links, Capability::HardLinks]);
        if let Some(streams) = self.ntfs {
            kept.extend([
                Capability::Attributes,
                Capability::ShortNames,
                Capability::SecurityDescriptors,
                Capability::ReparsePoints,
                Capability::CreationTime,
                Capability::ObjectIds,
                Capability::ExtendedAttributes,
            ]);
            if streams != ntfs::Streams::Hidden {
                kept.insert(Capability::NamedStreams);
            }
        } else if self.options.unix_data {
            kept.extend([Capability::UnixData, Capability::ExtendedAttributes]);
        }
        Capabilities(kept)
    }

    fn begin(
        &mut self,
        tree: &Tree,
        _: &[crate::Coming<'_>],
        progress: &Progress,
    ) -> Result<(), TargetError> {
        self.prepare(tree, progress)
    }

    fn put(&self, tree: &Tree, uses: &[BlobUse], data: &[u8]) -> Result<(), TargetError> {
        self.put_all(tree, uses, data)
    }

    fn open(&self, tree: &Tree, uses: &[BlobUse], size: u64) -> Result<OpenBlob, TargetError> {
        self.open_blob(tree, uses, size)
    }

    fn write(&self, open: &OpenBlob, offset: u64, data: &[u8]) -> Result<(), TargetError> {
        self.write_piece(open, offset, data)
    }

    fn close(&self, tree: &Tree, open: OpenBlob, whole: bool) -> Result<(), TargetError> {
        self.close_blob(tree, open, whole)
    }

    fn finish(&mut self, tree: &Tree, progress: &Progress) -> Result<Vec<Skipped>, TargetError> {
        self.complete(tree, progress)?;
        let mut skipped =
            std::mem::take(&mut *self.skipped.lock().unwrap_or_else(PoisonError::into_inner));
        // Threads add to it in any order.
        skipped.sort_by(|a, b| {
            let reasons = || a.reason.to_string().cmp(&b.reason.to_string());
            a.path.cmp(&b.path).then_with(reasons)
        });
        Ok(skipped)
    }
}
