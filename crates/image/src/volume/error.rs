//! Why a volume cannot be opened.

use std::io;
use std::path::PathBuf;

use crate::disk::ChainError;

/// A volume cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VolumeError {
    /// The disk it lies on cannot be opened.
    #[error(transparent)]
    Disk(#[from] ChainError),
    /// The disk's partition table cannot be read.
    #[error("failed to read the partition table of {path}")]
    Table {
        /// The disk.
        path: PathBuf,
        /// Why not.
        source: Box<imprint_partition::ReadError>,
    },
    /// There is no such partition.
    #[error("{path} has no partition {number}; it has {there}")]
    NoPartition {
        /// The disk.
        path: PathBuf,
        /// The number asked for.
        number: u32,
        /// Those there are.
        there: Numbers,
    },
    /// The disk has partitions and none was named.
    #[error("{path} has partitions ({there}), and none is named")]
    Unnamed {
        /// The disk.
        path: PathBuf,
        /// Those there are.
        there: Numbers,
    },
    /// The disk could not be read or written.
    #[error("failed to use {path}")]
    Io {
        /// The disk.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// Numbers of partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbers(pub Vec<u32>);

impl std::fmt::Display for Numbers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        for (position, number) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{number}")?;
        }
        Ok(())
    }
}
