//! Where files go.

use std::fmt;
use std::io;

use imprint_progress::{Cancelled, Progress};
use imprint_winvalues::tree::{FileId, NameId, Tree};

use crate::Skipped;

/// Something that can receive files: a host directory, or a fresh NTFS volume inside any disk.
///
/// Order of calls: [`Self::capabilities`], [`Self::begin`] once, then data in any order and from
/// several threads at once ([`Self::put`] for whole small blobs, [`Self::open`], [`Self::write`],
/// [`Self::close`] for large ones), [`Self::finish`] once. Every stream of the tree whose content is
/// not empty is covered by exactly one `put` or `close`, unless its blob is missing or broken.
pub trait Target: Sync {
    /// A large blob being written.
    type Open: Send + Sync;

    /// States what this target can keep.
    fn capabilities(&self) -> Capabilities;

    /// Receives the tree and makes what needs no data: directories, empty files. Names are as the
    /// image has them: whatever could lead out of the target is the target's to refuse. `coming` are
    /// all blobs that will come, in the order in which they are stored.
    ///
    /// # Errors
    /// [`TargetError`] if the target cannot be used at all.
    fn begin(
        &mut self,
        tree: &Tree,
        coming: &[Coming<'_>],
        progress: &Progress,
    ) -> Result<(), TargetError>;

    /// Writes a whole blob to all streams that refer to it.
    ///
    /// # Errors
    /// [`TargetError`] only for what makes going on pointless (disk full); a single stream that
    /// cannot be written is remembered and reported by [`Self::finish`].
    fn put(&self, tree: &Tree, uses: &[BlobUse], data: &[u8]) -> Result<(), TargetError>;

    /// Begins a blob of `size` bytes that arrives in pieces.
    ///
    /// # Errors
    /// As [`Self::put`].
    fn open(&self, tree: &Tree, uses: &[BlobUse], size: u64) -> Result<Self::Open, TargetError>;

    /// Writes a piece; pieces arrive in any order, from several threads, each once.
    ///
    /// # Errors
    /// As [`Self::put`].
    fn write(&self, open: &Self::Open, offset: u64, data: &[u8]) -> Result<(), TargetError>;

    /// Ends a blob. `whole` is false if its data turned out to be broken or missing: what was
    /// written is then removed, so that it does not look like a good file. The caller knows why, so
    /// it is the caller who lists the files concerned.
    ///
    /// # Errors
    /// As [`Self::put`].
    fn close(&self, tree: &Tree, open: Self::Open, whole: bool) -> Result<(), TargetError>;

    /// Makes links, sets what must come last (directory metadata) and returns what was not kept.
    ///
    /// # Errors
    /// As [`Self::put`].
    fn finish(&mut self, tree: &Tree, progress: &Progress) -> Result<Vec<Skipped>, TargetError>;
}

/// One stream that refers to a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlobUse {
    /// The file.
    pub file: FileId,
    /// One of the file's names (its first in the tree).
    pub name: NameId,
    /// Index into the file's streams.
    pub stream: u32,
}

/// A blob that will come.
#[derive(Clone, Copy, Debug)]
pub struct Coming<'a> {
    /// The streams that refer to it.
    pub uses: &'a [BlobUse],
    /// Its bytes.
    pub size: u64,
}

/// A property of files that a target may or may not be able to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Capability {
    /// Windows file attributes.
    Attributes,
    /// 8.3 names.
    ShortNames,
    /// Security descriptors.
    SecurityDescriptors,
    /// Alternate data streams.
    NamedStreams,
    /// Symbolic links and junctions.
    Links,
    /// Other reparse points.
    ReparsePoints,
    /// Several names of one file.
    HardLinks,
    /// Creation time.
    CreationTime,
    /// Object ids.
    ObjectIds,
    /// Extended attributes.
    ExtendedAttributes,
    /// Linux owner and mode.
    UnixData,
    /// EFS-encrypted files.
    EncryptedFiles,
}

/// What a target can keep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(pub std::collections::BTreeSet<Capability>);

impl Capabilities {
    /// Whether the target keeps `capability`.
    #[must_use]
    pub fn keeps(&self, capability: Capability) -> bool {
        self.0.contains(&capability)
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Attributes => "file attributes",
            Self::ShortNames => "short names",
            Self::SecurityDescriptors => "security descriptors",
            Self::NamedStreams => "named data streams",
            Self::Links => "symbolic links",
            Self::ReparsePoints => "reparse points",
            Self::HardLinks => "hard links",
            Self::CreationTime => "creation times",
            Self::ObjectIds => "object ids",
            Self::ExtendedAttributes => "extended attributes",
            Self::UnixData => "owner and mode",
            Self::EncryptedFiles => "encrypted files",
        })
    }
}

/// A target cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// The system refused something that all further work needs.
    #[error("failed to {operation} {path}")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On what.
        path: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A volume for these files cannot be laid out. Nothing was changed.
    #[error("cannot make a volume on {path}")]
    Plan {
        /// Where.
        path: String,
        /// Why not.
        source: imprint_ntfs::PlanError,
    },
    /// A volume cannot be filled; there is none now.
    #[error("failed to make the volume on {path}")]
    Fill {
        /// Where.
        path: String,
        /// Why not.
        #[source]
        source: imprint_ntfs::FillError,
    },
    /// A volume cannot be changed so.
    #[error("failed to change the volume on {path}")]
    Edit {
        /// Where.
        path: String,
        /// Why not.
        #[source]
        source: imprint_ntfs::EditError,
    },
    /// The work was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}
