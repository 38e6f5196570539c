//! What can be wrong: the bytes could not be had (`Io`), or the bytes break the format
//! ([`Corruption`]), kept apart for every operation.

use std::{fmt, io};

use imprint_codec::{DecompressError, NewCodecError};
use imprint_winvalues::tree::NameId;
use imprint_winvalues::{BlobHash, Guid};

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

/// What a number should have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expected {
    /// This value.
    Exactly(u64),
    /// One of two values.
    Either(u64, u64),
    /// This value or less.
    AtMost(u64),
    /// This value or more.
    AtLeast(u64),
    /// From the first to the second value, both included.
    Within(u64, u64),
    /// A multiple of this value.
    MultipleOf(u64),
}

impl fmt::Display for Expected {
    /// Prints in decimal, or in hexadecimal if the alternate form is asked for.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = f.alternate();
        let number = |f: &mut fmt::Formatter<'_>, value: u64| {
            if hex { write!(f, "{value:#x}") } else { write!(f, "{value}") }
        };
        let (before, first, rest) = match *self {
            Self::Exactly(value) => ("", value, None),
            Self::Either(a, b) => ("", a, Some((" or ", b))),
            Self::AtMost(value) => ("at most ", value, None),
            Self::AtLeast(value) => ("at least ", value, None),
            Self::Within(low, high) => ("from ", low, Some((" to ", high))),
            Self::MultipleOf(value) => ("a multiple of ", value, None),
        };
        f.write_str(before)?;
        number(f, first)?;
        match rest {
            Some((between, second)) => {
                f.write_str(between)?;
                number(f, second)
            }
            None => Ok(()),
        }
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

/// A WIM file cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The bytes could not be had.
    #[error("failed to read {structure} ({length} bytes at offset {offset:#x})")]
    Io {
        /// What was to be read.
        structure: Structure,
        /// Where, bytes from the start of the file.
        offset: u64,
        /// How many bytes.
        length: u64,
        /// Why not.
        source: io::Error,
    },
    /// The bytes break the format.
    #[error(transparent)]
    Corruption(#[from] Corruption),
    /// A pipable file: a variant by wimlib that no other program reads.
    #[error("pipable WIM files are not supported")]
    Pipable,
    /// An encrypted ESD file.
    #[error("encrypted WIM files are not supported")]
    Encrypted,
    /// The file was never completed: its writer was stopped.
    #[error("WIM file is incomplete: writing it was never finished")]
    Unfinished,
}

/// Something cannot be read from an open WIM file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The bytes could not be had.
    #[error("failed to read {structure} ({length} bytes at offset {offset:#x})")]
    Io {
        /// What was to be read.
        structure: Structure,
        /// Where, bytes from the start of the file.
        offset: u64,
        /// How many bytes.
        length: u64,
        /// Why not.
        source: io::Error,
    },
    /// The bytes break the format.
    #[error(transparent)]
    Corruption(#[from] Corruption),
    /// There is no such image.
    #[error("image should be one of 1 to {count}, but is {index}")]
    NoSuchImage {
        /// The image asked for, counted from 1.
        index: u32,
        /// Images there are.
        count: u32,
    },
    /// The metadata is in another part of the split set.
    #[error("metadata is not in this file, which is part {part} of {total}")]
    MetadataElsewhere {
        /// Number of this part.
        part: u16,
        /// Number of parts.
        total: u16,
    },
    /// A blob is not in the file or set.
    #[error("blob {hash} is missing")]
    MissingBlob {
        /// Its hash.
        hash: BlobHash,
    },
    /// Something is larger than the caller takes.
    #[error("{what} should have at most {limit} bytes, but has {size}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size in bytes.
        size: u64,
        /// The most the caller takes, in bytes.
        limit: u64,
    },
    /// A buffer given has the wrong size.
    #[error("{what} should have {expected} bytes, but has {actual}")]
    BufferSize {
        /// Which buffer.
        what: &'static str,
        /// The size it should have, in bytes.
        expected: u64,
        /// The size it has, in bytes.
        actual: u64,
    },
    /// There is no memory for the result.
    #[error("no memory for {what} of {size} bytes")]
    OutOfMemory {
        /// What was to be held.
        what: &'static str,
        /// Its size in bytes.
        size: u64,
    },
}

impl From<ReadError> for OpenError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Io { structure, offset, length, source } => {
                Self::Io { structure, offset, length, source }
            }
            ReadError::Corruption(corruption) => Self::Corruption(corruption),
            // Opening asks for no image and gives no buffer; what is left is lack of memory.
            other => Self::Io {
                structure: Structure::BlobTable,
                offset: 0,
                length: 0,
                source: io::Error::new(io::ErrorKind::OutOfMemory, other),
            },
        }
    }
}

/// Files do not make up one set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetError {
    /// A part belongs to another set.
    #[error("part {part} has GUID {actual}, but the set has {expected}")]
    ForeignPart {
        /// Number of the part.
        part: u16,
        /// GUID of the set.
        expected: Guid,
        /// GUID of the part.
        actual: Guid,
    },
    /// Parts are missing.
    #[error("parts {missing:?} of {total} are missing")]
    MissingParts {
        /// Their numbers.
        missing: Vec<u16>,
        /// Number of parts.
        total: u16,
    },
    /// A part is there twice.
    #[error("part {part} is given twice")]
    RepeatedPart {
        /// Its number.
        part: u16,
    },
}

/// Why a file is not changed in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The header says so.
    #[error("it is marked as read-only")]
    ReadOnly,
    /// Parts of a set depend on each other.
    #[error("it is part {part} of a split set of {total}")]
    Split {
        /// Number of this part.
        part: u16,
        /// Number of parts.
        total: u16,
    },
    /// Another program is writing, or was stopped while writing.
    #[error("it is marked as being written by another program")]
    WriteInProgress,
    /// A resource would be overwritten or lies where tables are expected.
    #[error("a resource ends at {end:#x}, behind the tables, which end at {limit:#x}")]
    ResourceBehindTables {
        /// End of the resource.
        end: u64,
        /// End of the tables.
        limit: u64,
    },
}

/// Writing failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The bytes could not be written.
    #[error("failed to write {structure} ({length} bytes at offset {offset:#x})")]
    Io {
        /// What was to be written.
        structure: Structure,
        /// Where, bytes from the start of the file.
        offset: u64,
        /// How many bytes.
        length: u64,
        /// Why not.
        source: io::Error,
    },
    /// What is there could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The file is not to be changed in place.
    #[error("file cannot be changed in place: {0}")]
    Refused(Refusal),
    /// The chunk size is not legal for the format.
    #[error("compression cannot be set up")]
    Coding(#[from] NewCodecError),
    /// The file holds as many images as the format allows.
    #[error("a WIM file should have at most {limit} images")]
    TooManyImages {
        /// The most images.
        limit: u32,
    },
    /// A tree cannot become metadata.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// A chunk or resource does not have the size announced.
    #[error("{what} should have {expected} bytes, but has {actual}")]
    Size {
        /// What has another size.
        what: &'static str,
        /// Bytes announced.
        expected: u64,
        /// Bytes given.
        actual: u64,
    },
    /// A blob is being written, or none is.
    #[error("blob should be {expected} at this call")]
    Order {
        /// The state the call needs.
        expected: &'static str,
    },
    /// The XML property cannot be set.
    #[error(transparent)]
    Property(#[from] PropertyError),
}

/// A tree cannot become a metadata resource.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// A stream's content is not yet a blob.
    #[error("stream {stream} of {path} has no hash yet")]
    Unhashed {
        /// Path of the file.
        path: String,
        /// Number of the stream, counted from 0.
        stream: usize,
        /// The name in the tree.
        name: NameId,
    },
    /// Something is longer than its length field can say.
    #[error("{what} of {path} should be at most {limit}, but is {actual}")]
    TooLong {
        /// What is too long.
        what: &'static str,
        /// Path of the file.
        path: String,
        /// The most.
        limit: u64,
        /// What there is.
        actual: u64,
    },
    /// The format has no place for a stream.
    #[error("{path} cannot hold {what}")]
    Stream {
        /// Path of the file.
        path: String,
        /// What cannot be held.
        what: &'static str,
    },
}

/// An image's XML property cannot be read or set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PropertyError {
    /// The path is not of the form `NAME/NAME[2]/NAME`.
    #[error("property path {path:?} should be element names separated by slashes")]
    Path {
        /// The path.
        path: String,
    },
    /// An element of an index that does not follow the last.
    #[error("property {path:?} cannot be made: the elements before it do not exist")]
    Gap {
        /// The path.
        path: String,
    },
    /// The value holds a character that XML does not allow.
    #[error("value of property {path:?} holds the character U+{character:04X}, which XML forbids")]
    Character {
        /// The path.
        path: String,
        /// The character.
        character: u32,
    },
    /// Another image has this name.
    #[error("name {name:?} is used by image {index}")]
    NameInUse {
        /// The name.
        name: String,
        /// The image that has it.
        index: u32,
    },
    /// There is no such image.
    #[error("image should be one of 1 to {count}, but is {index}")]
    NoSuchImage {
        /// The image asked for, counted from 1.
        index: u32,
        /// Images there are.
        count: u32,
    },
}
