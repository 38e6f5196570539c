//! The blob table: which blobs there are and where.
//!
//! ```text
//!  entries:   ordinary | ordinary | solid resource | blob | blob | solid resource | blob | ordinary
//!                                  └──────────────── solid run ────────────────────────┘
//! ```
//! Entries with the solid flag that follow each other form a *solid run*. In a run the offsets of
//! blobs count as if the uncompressed data of its resources, in table order, were one.

mod index;
mod parse;
#[cfg(test)]
mod tests;

use imprint_winvalues::BlobHash;

use crate::chunk_map::SolidHeader;
use crate::resource::{Coding, ResourceHeader};

pub(crate) use parse::{TableContext, parse};

/// Bytes of a table entry.
pub(crate) const ENTRY_SIZE: u64 = 50;
/// Uncompressed size that marks an entry as a solid resource instead of a blob.
pub(crate) const SOLID_MARK: u64 = 0x1_0000_0000;

/// A blob and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// SHA-1 of its bytes.
    pub hash: BlobHash,
    /// Bytes when uncompressed; never 0.
    pub size: u64,
    /// How often all images together refer to it. Too low in some foreign files.
    pub references: u32,
    /// The part of the split set that holds it.
    pub part: u16,
    /// Where it is.
    pub location: Location,
}

/// Where a blob is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location {
    /// In a resource of its own.
    Resource(ResourceHeader),
    /// In a solid resource.
    Solid {
        /// Index into [`BlobTable::solid_resources`].
        resource: usize,
        /// First byte in the resource's uncompressed data.
        offset: u64,
    },
}

/// A resource that holds several blobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SolidResource {
    /// Where it is. Its `size` is the mark of the table, not a size.
    pub header: ResourceHeader,
    /// Bytes when uncompressed.
    pub size: u64,
    /// How its chunks are compressed.
    pub coding: Coding,
}

impl SolidResource {
    /// Its first 16 bytes, checked.
    #[must_use]
    pub const fn solid_header(&self) -> SolidHeader {
        SolidHeader { size: self.size, coding: self.coding }
    }
}

/// The metadata resource of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetadataEntry {
    /// Where it is.
    pub header: ResourceHeader,
    /// SHA-1 of the uncompressed metadata.
    pub hash: BlobHash,
}

/// Entries that were passed over, as all readers do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableNotes {
    /// Entries whose hash an earlier entry has.
    pub duplicates: u64,
    /// Entries without bytes.
    pub empty: u64,
    /// Entries without hash.
    pub without_hash: u64,
    /// Entries of another part of the split set.
    pub other_parts: u64,
    /// Metadata that no image refers to (seen in Windows PE of the WAIK 2.1).
    pub unused_metadata: u64,
    /// Metadata entries beyond the number of images, or in a part other than the first.
    pub surplus_metadata: u64,
}

impl TableNotes {
    /// Whether nothing was passed over.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The blob table, checked: every resource lies inside the file, every blob of a solid resource
/// inside that, and no two blobs of a solid resource overlap.
#[derive(Clone, Debug, Default)]
pub struct BlobTable {
    blobs: Vec<Blob>,
    index: index::HashIndex,
    solid: Vec<SolidResource>,
    metadata: Vec<MetadataEntry>,
    notes: TableNotes,
}

impl BlobTable {
    /// Finds a blob by its hash.
    #[must_use]
    pub fn find(&self, hash: &BlobHash) -> Option<&Blob> {
        self.index.find(&self.blobs, hash)
    }

    /// All blobs in table order; metadata is not among them.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Blob> {
        self.blobs.iter()
    }

    /// Number of blobs.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.blobs.len()
    }

    /// Whether there are no blobs.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.blobs.is_empty()
    }

    /// The solid resources in table order.
    #[must_use]
    pub fn solid_resources(&self) -> &[SolidResource] {
        &self.solid
    }

    /// The metadata resource of an image, counted from 1.
    #[must_use]
    pub fn metadata(&self, image: u32) -> Option<&MetadataEntry> {
        self.metadata.get(usize::try_from(image.checked_sub(1)?).ok()?)
    }

    /// The metadata resources in image order.
    #[must_use]
    pub fn all_metadata(&self) -> &[MetadataEntry] {
        &self.metadata
    }

    /// What was passed over.
    #[must_use]
    pub const fn notes(&self) -> TableNotes {
        self.notes
    }
}
