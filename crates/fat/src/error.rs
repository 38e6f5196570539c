//! What can be wrong: the bytes could not be had (`Io`), or the bytes break the format.

use std::{fmt, io};

use imprint_blockio::{Expected, FieldFault};

/// The part of a volume an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Structure {
    /// The first sector.
    BootSector,
    /// What is known of the free clusters.
    Information,
    /// The table of clusters.
    Fat,
    /// A directory.
    Directory,
    /// The data of a file.
    Data,
}

impl fmt::Display for Structure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BootSector => "FAT boot sector",
            Self::Information => "FAT information sector",
            Self::Fat => "FAT",
            Self::Directory => "FAT directory",
            Self::Data => "file data",
        })
    }
}

/// A structure breaks the format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{structure}: {fault} (at offset {offset:#x})")]
pub struct Corruption {
    /// The structure.
    pub structure: Structure,
    /// Position of the first byte of the faulty field on the volume.
    pub offset: u64,
    /// The rule that is broken.
    pub fault: FieldFault,
}

impl Corruption {
    /// A count, size or cluster number is wrong.
    pub(crate) const fn number(
        structure: Structure,
        offset: u64,
        field: &'static str,
        expected: Expected,
        actual: u64,
    ) -> Self {
        Self { structure, offset, fault: FieldFault::Number { field, expected, actual } }
    }

    /// A magic number or a flag word is wrong.
    pub(crate) const fn code(
        structure: Structure,
        offset: u64,
        field: &'static str,
        expected: u64,
        actual: u64,
    ) -> Self {
        let expected = Expected::Exactly(expected);
        Self { structure, offset, fault: FieldFault::Code { field, expected, actual } }
    }

    /// Something reaches past the end of what holds it.
    pub(crate) const fn past_end(
        structure: Structure,
        offset: u64,
        field: &'static str,
        limit: u64,
        end: u64,
    ) -> Self {
        Self { structure, offset, fault: FieldFault::PastEnd { field, limit, end } }
    }
}

/// A volume, or something in it, cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The bytes could not be had.
    #[error("failed to read {structure} ({length} bytes at offset {offset:#x})")]
    Io {
        /// What was to be read.
        structure: Structure,
        /// Where, bytes from the start of the volume.
        offset: u64,
        /// How many bytes.
        length: u64,
        /// Why not.
        source: io::Error,
    },
    /// The bytes break the format.
    #[error(transparent)]
    Corruption(#[from] Corruption),
    /// It is FAT, but of an older kind.
    #[error("volume is FAT12 or FAT16, not FAT32")]
    OlderFat,
}

/// A name cannot be that of a file on FAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameFault {
    /// Nothing, or `.` or `..`.
    #[error("name is empty or a dot")]
    Empty,
    /// There is room for 255 units.
    #[error("name should have at most 255 UTF-16 units, but has {units}")]
    TooLong {
        /// Units of the name.
        units: usize,
    },
    /// Control characters and `" * / : < > ? \ |`.
    #[error("name has a character FAT does not allow (U+{unit:04X})")]
    Character {
        /// The first such.
        unit: u16,
    },
    /// Windows cuts such names.
    #[error("name ends with a dot or a space")]
    Trailing,
    /// The directory has an entry of that name already, in any case of letters.
    #[error("name is taken")]
    Taken,
    /// No short name is left for it.
    #[error("no short name is left for it")]
    NoShortName,
}

/// A volume cannot be changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// What is there cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The bytes could not be written.
    #[error("failed to write {structure} ({length} bytes at offset {offset:#x})")]
    Io {
        /// What was to be written.
        structure: Structure,
        /// Where, bytes from the start of the volume.
        offset: u64,
        /// How many bytes.
        length: u64,
        /// Why not.
        source: io::Error,
    },
    /// What was written may not be on stable storage.
    #[error("failed to flush the volume")]
    Flush(#[source] io::Error),
    /// No clusters are left.
    #[error("volume has {free} free clusters, but {wanted} are needed")]
    Full {
        /// Clusters needed.
        wanted: u64,
        /// Clusters found.
        free: u64,
    },
    /// A directory has at most 65,536 entries, and long names take several.
    #[error("directory is full")]
    DirectoryFull,
    /// A file has at most 4 GiB less one byte.
    #[error("file should have at most 4294967295 bytes, but has {size}")]
    FileTooLarge {
        /// Its size.
        size: u64,
    },
    /// Only empty directories are removed.
    #[error("directory is not empty")]
    NotEmpty,
}

impl From<Corruption> for WriteError {
    fn from(fault: Corruption) -> Self {
        Self::Read(fault.into())
    }
}

/// A volume cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// FAT32 has at least 65,525 clusters, each of at least a sector.
    #[error("FAT32 needs at least {least} bytes with these sectors, but there are {len}")]
    TooSmall {
        /// About the smallest volume.
        least: u64,
        /// What there is.
        len: u64,
    },
    /// Sectors are counted in 32 bits, clusters in 28.
    #[error("FAT32 cannot have {len} bytes with these clusters")]
    TooLarge {
        /// What there is.
        len: u64,
    },
    /// Other sector sizes are not made.
    #[error("sector size should be 512 or 4096, but is {sector_size}")]
    SectorSize {
        /// The device's, bytes.
        sector_size: u32,
    },
    /// A cluster is a power of two sectors, at most 128, and at most 64 KiB.
    #[error("cluster size {cluster_size} is not possible")]
    ClusterSize {
        /// The one asked for, bytes.
        cluster_size: u32,
    },
    /// A label has up to 11 characters of ASCII.
    #[error("label should be up to 11 ASCII letters, digits and signs other than {}", LABEL_SIGNS)]
    Label,
    /// The bytes could not be written.
    #[error("failed to write {structure} ({length} bytes at offset {offset:#x})")]
    Io {
        /// What was to be written.
        structure: Structure,
        /// Where, bytes from the start of the volume.
        offset: u64,
        /// How many bytes.
        length: u64,
        /// Why not.
        source: io::Error,
    },
    /// What was written may not be on stable storage.
    #[error("failed to flush the volume")]
    Flush(#[source] io::Error),
}

/// What Windows does not take in a label.
pub(crate) const LABEL_SIGNS: &str = r#"* ? . , ; : / \ | + = < > [ ] ""#;
