//! Reading many blobs of WIM files, in stored order, on several threads.
//!
//! Small blobs travel in batches that lie next to each other in the file and are read with one
//! call; large ones in segments, whose pieces may overtake each other; solid resources chunk by
//! chunk. Whoever wants the blobs is a [`BlobSink`]. Every blob's hash is checked.

mod large;
mod plan;
mod run;
mod solid;

use imprint_wim::{Blob, Location, ReadError};
use imprint_winvalues::BlobHash;

pub(crate) use run::read_blobs;

/// A blob that is wanted.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// Index of the file that holds it.
    pub(crate) wim: usize,
    /// The blob.
    pub(crate) blob: Blob,
}

/// Takes blobs. All calls may come from several threads at once; `index` is that of the wanted
/// blob. For each blob there is either one `put`, or one `open`, some `write`s and one `close`, or,
/// if nothing of it could be read, only `damaged`.
pub(crate) trait BlobSink: Sync {
    /// A large blob under way.
    type Open: Send + Sync;
    /// Why nothing more can be taken.
    type Error: Send;

    fn put(&self, index: usize, data: &[u8]) -> Result<(), Self::Error>;
    fn open(&self, index: usize) -> Result<Self::Open, Self::Error>;
    fn write(&self, open: &Self::Open, offset: u64, data: &[u8]) -> Result<(), Self::Error>;
    fn close(&self, index: usize, open: Self::Open, whole: bool) -> Result<(), Self::Error>;
    /// Told once for each blob that cannot be had whole, before its `close`.
    fn damaged(&self, index: usize, damage: Damage);
}

/// Why a blob cannot be had whole.
#[derive(Debug)]
pub(crate) enum Damage {
    /// Its bytes cannot be had or decompressed.
    Read(ReadError),
    /// Its bytes are not those its name promises.
    Hash {
        /// The hash they have.
        actual: BlobHash,
        /// Where they are.
        location: Location,
    },
    /// Bytes it shares with others in a solid resource cannot be had; told for another.
    Solid(String),
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Read(error) => f.write_str(&crate::outcome::chain(error)),
            Self::Hash { actual, location } => {
                write!(f, "its bytes have the SHA-1 {actual} ")?;
                match location {
                    Location::Resource(header) => write!(f, "(at offset {:#x})", header.offset),
                    Location::Solid { resource, offset } => {
                        let number = resource + 1;
                        write!(f, "(at offset {offset:#x} of solid resource {number})")
                    }
                }
            }
            Self::Solid(error) => f.write_str(error),
        }
    }
}
