//! WIM files by path: opened together, made whole or not at all, changed under a lock.

use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use fs_err::File;
use imprint_codec::NewCodecError;
use imprint_progress::Progress;
use imprint_wim::{
    Coding, CreateOptions, FinishOptions, IntegrityChange, OpenError, SetError, Wim, WimWriter,
    WriteError,
};
use imprint_winvalues::Guid;
use rustix::fs::FlockOperation;

use crate::export::{ExportError, ExportImage, ExportOptions, Exported, export};
use crate::pending::PendingFile;

/// A WIM file cannot be opened, made or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The file cannot be opened, made or named; the message says which.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The file is no WIM file or damaged.
    #[error("failed to read {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: OpenError,
    },
    /// The file cannot be written.
    #[error("failed to write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: WriteError,
    },
    /// Another process is writing the file.
    #[error("{} is being written by another process", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// An image cannot be exported.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The parts of a split set do not belong together.
    #[error(transparent)]
    Set(#[from] SetError),
    /// The compression cannot be written.
    #[error(transparent)]
    Codec(#[from] NewCodecError),
}

/// Random values a new file needs; made by the program, so that tests can fix them.
#[derive(Clone, Copy, Debug)]
pub struct Entropy {
    /// Names the WIM.
    pub guid: Guid,
    /// Makes the hidden name unique.
    pub unique: u64,
}

/// Opens a WIM file for reading.
///
/// # Errors
/// [`FileError`] naming the file.
pub fn open_wim(path: &Path) -> Result<Wim<File>, FileError> {
    let file = File::open(path)?;
    Wim::open(file).map_err(|source| FileError::Open { path: path.to_owned(), source })
}

/// A new WIM file. It gets its name with [`Self::commit`]; dropped before that, nothing is left.
#[derive(Debug)]
pub struct NewWim {
    pending: PendingFile,
    path: PathBuf,
    unique: u64,
    /// Writes it. Taken by [`Self::commit`].
    pub writer: WimWriter<File>,
}

impl NewWim {
    /// Begins a file that is to become `path`.
    ///
    /// # Errors
    /// [`FileError`] naming the file.
    pub fn create(
        path: &Path,
        coding: Option<Coding>,
        rp_fix: bool,
        entropy: Entropy,
    ) -> Result<Self, FileError> {
        let pending = PendingFile::create(path, entropy.unique)?;
        let file = pending.file().try_clone()?;
        let options = CreateOptions { coding, guid: entropy.guid, rp_fix };
        let writer = WimWriter::create(file, options)
            .map_err(|source| FileError::Write { path: path.to_owned(), source })?;
        Ok(Self { pending, path: path.to_owned(), unique: entropy.unique, writer })
    }

    /// Finishes the file and gives it its name; what had the name before is replaced.
    ///
    /// # Errors
    /// [`FileError`] naming the file; what had the name before then still has it.
    pub fn commit(self, integrity: IntegrityChange, progress: &Progress) -> Result<(), FileError> {
        let Self { pending, path, unique, writer } = self;
        let failed = |source| FileError::Write { path, source };
        let options = FinishOptions { integrity };
        drop(writer.finish_with(options, progress).map_err(failed)?);
        Ok(pending.commit(unique)?)
    }
}

/// Opens a WIM file to be changed in place, under a lock that keeps other writers out until the
/// writer is finished or dropped.
///
/// # Errors
/// [`FileError`] naming the file; [`FileError::Locked`] if another process writes it.
pub fn append_to(path: &Path) -> Result<WimWriter<File>, FileError> {
    let file = File::options().read(true).write(true).open(path)?;
    if rustix::fs::flock(file.file(), FlockOperation::NonBlockingLockExclusive).is_err() {
        return Err(FileError::Locked { path: path.to_owned() });
    }
    let wim =
        Wim::open(file).map_err(|source| FileError::Open { path: path.to_owned(), source })?;
    WimWriter::append(wim).map_err(|source| FileError::Write { path: path.to_owned(), source })
}

/// Changes a WIM file in place with `work` and finishes it; if that fails, the file is as it was.
///
/// # Errors
/// [`FileError`] naming the file, and whatever `work` returns.
pub fn change_wim<T, E: From<FileError>>(
    path: &Path,
    integrity: IntegrityChange,
    progress: &Progress,
    work: impl FnOnce(&mut WimWriter<File>) -> Result<T, E>,
) -> Result<T, E> {
    let mut writer = append_to(path)?;
    let done = match work(&mut writer) {
        Ok(done) => done,
        Err(error) => {
            // If cutting fails, too, the file is longer than it need be and good all the same.
            drop(writer.abandon());
            return Err(error);
        }
    };
    let failed = |source| FileError::Write { path: path.to_owned(), source };
    drop(writer.finish_with(FinishOptions { integrity }, progress).map_err(failed)?);
    Ok(done)
}

/// What to make anew of a WIM file.
#[derive(Clone, Copy)]
pub struct Rebuild<'a> {
    /// How the new file compresses.
    pub coding: Option<Coding>,
    /// How to export.
    pub export: ExportOptions<'a>,
    /// Images to leave out, counted from 1.
    pub without: &'a [u32],
    /// What becomes of the integrity table.
    pub integrity: IntegrityChange,
}

/// Writes a WIM file anew, without the space that removed images left, and puts it in place of the
/// old one.
///
/// # Errors
/// [`FileError`]; the old file then stays as it was.
pub fn rebuild(
    path: &Path,
    what: &Rebuild<'_>,
    unique: u64,
    progress: &Progress,
) -> Result<(), FileError> {
    let old = [open_wim(path)?];
    let Some(wim) = old.first() else { return Ok(()) };
    if let Err(source) =
        rustix::fs::flock(wim.file().file(), FlockOperation::NonBlockingLockExclusive)
    {
        let _busy: rustix::io::Errno = source;
        return Err(FileError::Locked { path: path.to_owned() });
    }
    let entropy = Entropy { guid: wim.header().guid, unique };
    let rp_fix = wim.header().flags.contains(imprint_wim::HeaderFlags::RP_FIX);
    let mut new = NewWim::create(path, what.coding, rp_fix, entropy)?;
    let mut boot = 0;
    for image in (1..=wim.image_count()).filter(|image| !what.without.contains(image)) {
        let which = ExportImage { wim: 0, image, name: None, description: None };
        let exported: Exported = export(&old, &which, &mut new.writer, &what.export, progress)?;
        if image == wim.header().boot_index {
            boot = exported.image;
        }
    }
    let failed = |source| FileError::Write { path: path.to_owned(), source };
    new.writer.set_boot_index(boot).map_err(failed)?;
    let integrity = match what.integrity {
        IntegrityChange::Keep if wim.header().has_integrity() => IntegrityChange::Add,
        change => change,
    };
    new.commit(integrity, progress)
}

/// The number of threads to use when nobody says: one for each processor there is.
#[must_use]
pub fn default_threads() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}
