//! Why a volume cannot be made.

use std::io;

/// A volume cannot be planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// Sectors of that size do not exist.
    #[error("sector size should be a power of two from 512 to 4096 bytes, but is {actual}")]
    SectorSize {
        /// The size asked for, bytes.
        actual: u32,
    },
    /// Clusters of that size do not exist, or are smaller than a sector.
    #[error("cluster size should be a power of two from {least} to 2097152 bytes, but is {actual}")]
    ClusterSize {
        /// Bytes of a sector.
        least: u32,
        /// The size asked for, bytes.
        actual: u32,
    },
    /// The volume has more clusters than can be numbered.
    #[error(
        "volume has {clusters} clusters, but only 4294967295 can be numbered: choose larger ones"
    )]
    TooManyClusters {
        /// How many it has.
        clusters: u64,
    },
    /// The files do not fit.
    #[error("volume should have at least {needed} bytes for these files, but has {available}")]
    NoRoom {
        /// Bytes needed, what the volume itself needs included.
        needed: u64,
        /// Bytes of the volume.
        available: u64,
    },
    /// The label is too long.
    #[error("volume label should have at most 32 UTF-16 units, but has {actual}")]
    Label {
        /// Its units.
        actual: usize,
    },
}

/// A volume cannot be filled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FillError {
    /// The device did not take the bytes.
    #[error("failed to write {what} ({length} bytes at offset {offset:#x})")]
    Io {
        /// What was to be written.
        what: &'static str,
        /// Where, bytes from the start of the volume.
        offset: u64,
        /// How many bytes.
        length: u64,
        /// Why not.
        source: io::Error,
    },
    /// A file with holes has more data than room was left.
    #[error("no room is left on the volume for {length} bytes more")]
    Full {
        /// Bytes wanted.
        length: u64,
    },
    /// More bytes came than the plan has for the stream.
    #[error("stream has {size} bytes, but data came up to byte {end}")]
    PastEnd {
        /// Bytes of the stream.
        size: u64,
        /// Where the data would end.
        end: u64,
    },
}
