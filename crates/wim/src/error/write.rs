//! Why something cannot be written.

use std::io;

use imprint_codec::NewCodecError;
use imprint_progress::Cancelled;
use imprint_winvalues::tree::NameId;

use super::{ReadError, Structure};

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
    /// The caller wants no more.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
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
    /// A name that readers pass over, and the file with it.
    #[error("{path} cannot be stored: {rule}")]
    Name {
        /// Path of the file.
        path: String,
        /// What is wrong with its name.
        rule: &'static str,
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
