//! A volume changed in place.
//!
//! ```text
//!  data ──────────► clusters that are free, at once
//!  records, indexes, bitmaps ─► memory ─► commit: flag ─► journal ─► places ─► journal erased ─► flag
//! ```
//!
//! What refers to anything is changed in memory first; a commit brings it to the device so that it is there as a
//! whole or not at all:
//!
//! 1. The volume's dirty flag is set: one sector.
//! 2. All changes are written to a journal, which lies in `$LogFile`: that is empty, as its volume was closed.
//! 3. The changes are written to their places.
//! 4. The journal is erased, then the flag.
//!
//! Cut before 2 is done, the volume is as before; cut later, the journal holds everything: [`Editor::open`] and
//! [`recover`] carry it out. Other programs see a dirty volume and check it. Clusters given back are used again after
//! the commit only, so what the old state refers to stays.

mod commit;
mod create;
mod entries;
mod error;
mod index;
mod inode;
mod journal;
mod name;
mod rebuild;
mod save;
mod secure;
mod space;
mod staged;
mod streams;
mod table;
mod tree;
mod update;
mod views;

use std::collections::BTreeSet;
use std::sync::Arc;

use imprint_blockio::{Expected, ReadAt, WriteAt};
use imprint_winvalues::{FileTime, WinName};

pub use create::NewFile;
pub use error::{EditError, Reasons};
pub use journal::{is_interrupted, mark_clean, recover};
pub use name::NameError;
pub(crate) use rebuild::{Rebuilt, mark_dirty};
pub use staged::Staged;
pub use streams::Reserved;

use crate::{
    AttributeKind, Clusters, Corruption, DirectoryEntry, FileReference, FileValue, RecordNumber,
    Structure, UpCase, Volume,
};
use secure::Descriptors;
use space::Space;

/// Bytes of changes after which they are brought to the device between two operations, if the journal has room for twice
/// as much: names that are to repeat what changed come on top.
const MAX_STAGED: u64 = 8 << 20;

/// How to edit.
#[derive(Clone, Copy, Debug)]
pub struct EditOptions {
    /// The time of changes.
    pub now: FileTime,
    /// Edit even if the volume was not closed cleanly; it stays marked dirty then.
    pub force: bool,
}

/// A volume that is changed. Nothing of a change can be seen on the device before [`Self::commit`].
#[derive(Debug)]
pub struct Editor<D> {
    volume: Volume<Staged<D>>,
    upcase: Arc<UpCase>,
    options: EditOptions,
    space: Space,
    /// Which records are in use.
    records: Clusters,
    next_record: u64,
    /// Bytes of `$MFTMirr`.
    mirror_size: u64,
    log: Clusters,
    /// Files whose names are to repeat what changed.
    stale: BTreeSet<FileReference>,
    /// Those that the operation under way added.
    newly_stale: Vec<FileReference>,
    descriptors: Option<Descriptors>,
    /// Whether the volume was marked dirty before.
    was_dirty: bool,
    /// Whether a commit has begun that could not be finished.
    broken: bool,
}

impl<D: WriteAt> Editor<D> {
    /// Opens a volume to be changed. An edit that was interrupted is finished first.
    ///
    /// # Errors
    /// [`EditError::Unclean`] unless forced; [`EditError`] if the volume cannot be read.
    pub fn open(device: D, options: EditOptions) -> Result<Self, EditError> {
        let volume = Volume::open(Staged::new(device))?;
        journal::finish(&volume)?;
        let reasons = match volume.state() {
            Ok(state) => Reasons(state.reasons()),
            // What tells it may be what is to be mended.
            Err(_) if options.force => Reasons(vec![crate::Unclean::Dirty]),
            Err(error) => return Err(error.into()),
        };
        let was_dirty = !reasons.0.is_empty();
        if was_dirty && !options.force {
            return Err(EditError::Unclean { reasons });
        }
        let log = value_of(&volume, RecordNumber(2), AttributeKind::DATA)?;
        let upcase = Arc::new(volume.upcase()?);
        let space = Space::open(&volume)?;
        let records = records_of(&volume)?;
        let mirror_size = value_of(&volume, RecordNumber(1), AttributeKind::DATA)?.size();
        Ok(Self {
            volume,
            upcase,
            options,
            space,
            records,
            next_record: 0,
            mirror_size,
            log,
            stale: BTreeSet::new(),
            newly_stale: Vec::new(),
            descriptors: None,
            was_dirty,
            broken: false,
        })
    }

    /// The volume as it is with all changes.
    pub const fn volume(&self) -> &Volume<Staged<D>> {
        &self.volume
    }

    /// How the volume folds case.
    #[must_use]
    pub fn upcase(&self) -> &UpCase {
        &self.upcase
    }

    /// Finds a file by its path from the root, as [`Volume::find`] does.
    ///
    /// # Errors
    /// [`EditError`].
    pub fn find(&self, path: &str) -> Result<Option<FileReference>, EditError> {
        Ok(self.volume.find(path, &self.upcase)?)
    }

    /// Looks a name up in a directory, case aside.
    ///
    /// # Errors
    /// [`EditError`].
    pub fn lookup(
        &self,
        directory: FileReference,
        name: &WinName,
    ) -> Result<Option<DirectoryEntry>, EditError> {
        self.entry(directory, name.units())
    }

    /// Carries out one operation: all of it or, if it fails, nothing.
    fn attempt<R>(
        &mut self,
        act: impl FnOnce(&mut Self) -> Result<R, EditError>,
    ) -> Result<R, EditError> {
        if self.volume.device().changed() > MAX_STAGED.min(journal::room(&self.log) / 2) {
            self.commit()?;
        }
        self.volume.device().begin();
        self.newly_stale.clear();
        let freed = self.space.mark_freed();
        let result = act(self);
        if result.is_err() {
            self.volume.device().undo();
            self.space.forget_freed(freed);
            for reference in std::mem::take(&mut self.newly_stale) {
                self.stale.remove(&reference);
            }
            self.descriptors = None;
            self.volume.find_table()?;
            self.find_records()?;
        }
        self.volume.device().keep();
        result
    }

    /// Notes that the names of a file are to repeat what changed.
    fn note(&mut self, file: FileReference) {
        if self.stale.insert(file) {
            self.newly_stale.push(file);
        }
    }

    /// Changes bytes of the volume.
    fn stage(&self, bytes: &[u8], offset: u64, what: &'static str) -> Result<(), EditError> {
        self.volume.device().stage(bytes, offset).map_err(|source| EditError::Write {
            what,
            offset,
            length: bytes.len() as u64,
            source,
        })
    }
}

/// The value of a file of the volume's own that stands in clusters, all of which hold data.
fn value_of<D: ReadAt>(
    volume: &Volume<D>,
    record: RecordNumber,
    kind: AttributeKind,
) -> Result<Clusters, EditError> {
    let file = volume.file(record)?;
    let found =
        file.into_iter().flat_map(|file| file.attributes).find_map(|found| match found.value {
            FileValue::Clusters(value) if found.kind == kind && found.name.is_empty() => {
                Some(value)
            }
            _ => None,
        });
    found.ok_or_else(|| {
        let structure = Structure::Attribute(record, kind);
        let (field, expected) = ("values in clusters", Expected::Exactly(1));
        Corruption::number(structure, 0, field, expected, 0).into()
    })
}

/// The bitmap of records.
fn records_of<D: ReadAt>(volume: &Volume<D>) -> Result<Clusters, EditError> {
    value_of(volume, RecordNumber(0), AttributeKind::BITMAP)
}
