//! How bytes break the format, and where.

use std::fmt;

pub use imprint_blockio::Expected;
use imprint_codec::{DecompressError, NewCodecError};
use imprint_winvalues::BlobHash;

/// The part of a WIM file an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Structure {
    /// The 208 bytes at the start.
    Header,
    /// The table of all blobs.
    BlobTable,
    /// The table in front of a compressed resource's chunks.
    ChunkTable,
    /// A resource that holds several blobs.
    SolidResource,
    /// The stored bytes of a blob.
    Resource,
    /// The uncompressed metadata of an image.
    Metadata {
        /// The image, counted from 1; 0 for metadata that stands alone.
        image: u32,
    },
    /// The XML data.
    Xml,
    /// The integrity table.
    IntegrityTable,
}

impl fmt::Display for Structure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "WIM header",
            Self::BlobTable => "blob table",
            Self::ChunkTable => "chunk table",
            Self::SolidResource => "solid resource",
            Self::Resource => "resource",
            Self::Metadata { image: 0 } => "metadata",
            Self::Metadata { image } => return write!(f, "metadata of image {image}"),
            Self::Xml => "XML data",
            Self::IntegrityTable => "integrity table",
        })
    }
}

/// A structure breaks the format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corruption {
    /// The structure.
    pub structure: Structure,
    /// Position of the first byte of the faulty field: in the file, or for [`Structure::Metadata`]
    /// in the uncompressed metadata.
    pub offset: u64,
    /// The rule that is broken.
    pub fault: Fault,
}

impl Corruption {
    pub(crate) const fn new(structure: Structure, offset: u64, fault: Fault) -> Self {
        Self { structure, offset, fault }
    }
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { structure, offset, fault } = self;
        let base = match structure {
            Structure::Metadata { .. } => " of the uncompressed metadata",
            _ => "",
        };
        write!(f, "{structure}: {fault} (at offset {offset:#x}{base})")
    }
}

impl std::error::Error for Corruption {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.fault)
    }
}

/// The rule that bytes break.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// A count, size or length is not what it should be (shown in decimal).
    #[error("{field} should be {expected}, but is {actual}")]
    Number {
        /// The field.
        field: &'static str,
        /// What would have been right.
        expected: Expected,
        /// What is there.
        actual: u64,
    },
    /// A magic number, version, flag word or offset is not what it should be (in hexadecimal).
    #[error("{field} should be {expected:#}, but is {actual:#x}")]
    Code {
        /// The field.
        field: &'static str,
        /// What would have been right.
        expected: Expected,
        /// What is there.
        actual: u64,
    },
    /// Something reaches past the end of what holds it.
    #[error("{field} should end at or before {limit:#x}, but ends at {end:#x}")]
    PastEnd {
        /// What reaches out.
        field: &'static str,
        /// The first byte it must not take; `u64::MAX` limits stand for overflow.
        limit: u64,
        /// Where it ends, cut to `u64::MAX`.
        end: u64,
    },
    /// Bytes do not have the hash they are kept under.
    #[error("SHA-1 should be {expected}, but is {actual}")]
    Hash {
        /// The hash in the table.
        expected: BlobHash,
        /// The hash of the bytes.
        actual: BlobHash,
    },
    /// A chunk cannot be decompressed.
    #[error("chunk cannot be decompressed")]
    Chunk(#[source] DecompressError),
    /// The chunk size is not legal for the format.
    #[error("compression cannot be set up")]
    Coding(#[source] NewCodecError),
    /// A compressed resource lies in a file that says it has none.
    #[error("resource is marked as compressed, but the file has no compression format")]
    NoCompressionFormat,
    /// A resource's bytes lie where another's lie.
    #[error("{field} overlaps the one before it")]
    Overlap {
        /// What overlaps.
        field: &'static str,
    },
    /// More directory entries are reached than the metadata has room for.
    #[error("directories contain each other or share their entries")]
    Cycle,
    /// The root of an image is no directory.
    #[error("root should be a directory, but has attributes {attributes:#010x}")]
    RootNotADirectory {
        /// Its attributes.
        attributes: u32,
    },
    /// The XML data is malformed.
    #[error("{0}")]
    Xml(XmlFault),
}

/// What is wrong with XML data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum XmlFault {
    /// Not well formed.
    #[error("XML is not well formed: {rule}")]
    Malformed {
        /// The rule that is broken.
        rule: &'static str,
    },
    /// An entity that XML does not define.
    #[error("entity is not one of XML's own five or a character number")]
    UnknownEntity,
    /// Deeper than the limit.
    #[error("elements should be nested at most {limit} deep")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// More elements, attributes and texts than the limit.
    #[error("document should have at most {limit} elements, attributes and texts")]
    TooManyNodes {
        /// The limit.
        limit: usize,
    },
    /// The root is not `WIM`.
    #[error("root element should be WIM")]
    Root,
    /// The images are not numbered 1 to n, each once.
    #[error("INDEX of each IMAGE should be one of 1 to {count}, each used once")]
    ImageIndex {
        /// Number of `IMAGE` elements.
        count: u32,
    },
    /// Number of `IMAGE` elements differs from the header's image count.
    #[error("number of IMAGE elements should be {expected}, but is {actual}")]
    ImageCount {
        /// The header's image count.
        expected: u32,
        /// Number of `IMAGE` elements.
        actual: u32,
    },
}
