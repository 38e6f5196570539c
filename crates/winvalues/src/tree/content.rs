//! Streams and where their bytes are.

use crate::{BlobHash, WinName};

/// A stream of a file: it *refers* to bytes, several streams may refer to the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// What the bytes are.
    pub kind: StreamKind,
    /// The stream's name; empty for the main data and for reparse data.
    pub name: WinName,
    /// The bytes.
    pub content: Content,
}

/// What a stream's bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StreamKind {
    /// File data: the main data if the stream has no name, an alternate data stream otherwise.
    Data,
    /// Reparse data without the 8-byte buffer header.
    Reparse,
    /// The raw form of an EFS-encrypted file, \[MS-EFSR\] 2.2.3.
    EncryptedRaw,
}

/// The bytes of a stream, or where to get them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// No bytes.
    Empty,
    /// A blob, named by its hash; its size is known to whoever keeps the blob.
    Blob(BlobHash),
    /// Bytes not yet read, which the source of the tree finds by `location`.
    Unread {
        /// The source's own number for these bytes.
        location: u64,
        /// Length in bytes when the tree was read; may have changed since.
        size: u64,
    },
    /// Bytes in hand (reparse data, small files).
    Inline(Box<[u8]>),
}

impl Content {
    /// Makes content of bytes in hand.
    #[must_use]
    pub fn inline(bytes: &[u8]) -> Self {
        if bytes.is_empty() { Self::Empty } else { Self::Inline(bytes.into()) }
    }
}

impl Stream {
    /// Whether this is the main data of a file.
    #[must_use]
    pub fn is_main_data(&self) -> bool {
        self.kind == StreamKind::Data && self.name.is_empty()
    }
}
