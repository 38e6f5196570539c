//! What a reader of metadata passes over or puts right.

use imprint_winvalues::WinName;
use imprint_winvalues::tree::NameId;

/// Something in the metadata that was passed over or put right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TreeWarning {
    /// An entry without name, other than the root.
    #[error("entry without name in a directory was ignored (at offset {offset:#x})")]
    Unnamed {
        /// The directory.
        directory: NameId,
        /// Offset of the entry in the metadata.
        offset: u64,
    },
    /// An entry named `.` or `..`.
    #[error("entry named {name} was ignored (at offset {offset:#x})")]
    Dots {
        /// The directory.
        directory: NameId,
        /// The name.
        name: WinName,
        /// Offset of the entry in the metadata.
        offset: u64,
    },
    /// A name that holds a NUL.
    #[error("entry {name:?} was ignored: its name holds a NUL (at offset {offset:#x})")]
    NulInName {
        /// The directory.
        directory: NameId,
        /// The name.
        name: WinName,
        /// Offset of the entry in the metadata.
        offset: u64,
    },
    /// A second entry of the same name, case included.
    #[error("second entry named {name} was ignored (at offset {offset:#x})")]
    Duplicate {
        /// The directory.
        directory: NameId,
        /// The name.
        name: WinName,
        /// Offset of the entry in the metadata.
        offset: u64,
    },
    /// The root has a name.
    #[error("name of the root was ignored (at offset {offset:#x})")]
    NamedRoot {
        /// Offset of the entry in the metadata.
        offset: u64,
    },
    /// There is no root: the image is empty.
    #[error("image has no directory entries and was read as empty (at offset {offset:#x})")]
    NoRoot {
        /// Where the root should be.
        offset: u64,
    },
    /// A file that is no directory, or a link to one, has children.
    #[error("children of a file that cannot have any were ignored (at offset {offset:#x})")]
    ChildrenOfFile {
        /// The file.
        name: NameId,
        /// Offset of the entry in the metadata.
        offset: u64,
    },
    /// A directory is said to be a hard link.
    #[error("hard link to a directory was read as a directory (at offset {offset:#x})")]
    DirectoryLink {
        /// The directory.
        name: NameId,
        /// Offset of the entry in the metadata.
        offset: u64,
    },
    /// Entries of one link group have different data; they are different files.
    #[error(
        "entries of link group {group} with different data were kept apart (at offset {offset:#x})"
    )]
    InconsistentLinks {
        /// The later entry.
        name: NameId,
        /// Number of the group.
        group: u64,
        /// Offset of the entry in the metadata.
        offset: u64,
    },
    /// The security id is no descriptor's.
    #[error("security id {id} was ignored: there are {count} descriptors (at offset {offset:#x})")]
    SecurityId {
        /// The entry.
        name: NameId,
        /// The id.
        id: u32,
        /// Number of descriptors.
        count: u32,
        /// Offset of the entry in the metadata.
        offset: u64,
    },
    /// More unnamed streams than a file can have.
    #[error("surplus unnamed stream was ignored (at offset {offset:#x})")]
    SurplusStream {
        /// The entry.
        name: NameId,
        /// Offset of the entry in the metadata.
        offset: u64,
    },
    /// A named stream of an encrypted file: its raw form already holds all streams.
    #[error("named stream of an encrypted file was ignored (at offset {offset:#x})")]
    StreamOfEncrypted {
        /// The entry.
        name: NameId,
        /// Offset of the entry in the metadata.
        offset: u64,
    },
    /// A second stream of the same name.
    #[error("second stream named {stream} was ignored (at offset {offset:#x})")]
    DuplicateStream {
        /// The entry.
        name: NameId,
        /// The stream's name.
        stream: WinName,
        /// Offset of the entry in the metadata.
        offset: u64,
    },
    /// Tagged items end in the middle of one.
    #[error("damaged tagged items were ignored (at offset {offset:#x})")]
    TaggedItems {
        /// The entry.
        name: NameId,
        /// Offset of the entry in the metadata.
        offset: u64,
    },
}
