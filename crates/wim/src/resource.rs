//! Resources: stored regions of the file, whole or in compressed chunks.

use bitflags::bitflags;
use imprint_codec::{Format, NewCodecError};

use crate::chunk_map::ChunkMap;
use crate::layout::ResourceHeaderDisk;

bitflags! {
    /// Flags of a resource. Unknown bits are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct ResourceFlags: u8 {
        /// Unused space; has no meaning in practice.
        const FREE = 0x01;
        /// Metadata of an image; also set on the header's blob table and XML data.
        const METADATA = 0x02;
        /// In compressed chunks behind a chunk table.
        const COMPRESSED = 0x04;
        /// Continues in another part; never used.
        const SPANNED = 0x08;
        /// Part of a solid run; only in files of [`crate::Version::Solid`].
        const SOLID = 0x10;
        // Other bits: kept as they are.
        const _ = !0;
    }
}

/// Where a resource is and how it is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ResourceHeader {
    /// Bytes in the file, chunk table included. Below 2^56.
    pub stored_size: u64,
    /// How it is stored.
    pub flags: ResourceFlags,
    /// First byte, from the start of the file.
    pub offset: u64,
    /// Bytes when uncompressed.
    pub size: u64,
}

impl ResourceHeader {
    /// Reads the 24 bytes.
    #[must_use]
    pub fn from_disk(disk: &ResourceHeaderDisk) -> Self {
        let [a, b, c, d, e, f, g] = disk.stored_size;
        Self {
            stored_size: u64::from_le_bytes([a, b, c, d, e, f, g, 0]),
            flags: ResourceFlags::from_bits_retain(disk.flags),
            offset: disk.offset.get(),
            size: disk.size.get(),
        }
    }

    /// Makes the 24 bytes; a stored size of 2^56 or more loses its top byte (no file is that long).
    #[must_use]
    pub fn to_disk(self) -> ResourceHeaderDisk {
        let [a, b, c, d, e, f, g, _] = self.stored_size.to_le_bytes();
        ResourceHeaderDisk {
            stored_size: [a, b, c, d, e, f, g],
            flags: self.flags.bits(),
            offset: self.offset.into(),
            size: self.size.into(),
        }
    }

    /// The byte behind the last; `None` if that overflows.
    #[must_use]
    pub const fn end(&self) -> Option<u64> {
        self.offset.checked_add(self.stored_size)
    }

    /// Whether the resource is stored in compressed chunks.
    #[must_use]
    pub const fn is_compressed(&self) -> bool {
        self.flags.contains(ResourceFlags::COMPRESSED)
    }

    /// Bytes of the chunk table in front of the chunks, 0 if the resource is not compressed.
    #[must_use]
    pub fn table_len(&self, coding: Option<Coding>) -> u64 {
        match coding {
            Some(coding) if self.is_compressed() => {
                ChunkMap::table_len(self.size, coding.chunk_size)
            }
            _ => 0,
        }
    }
}

/// How chunks are compressed: a format and the size of an uncompressed chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Coding {
    /// The compression format.
    pub format: Format,
    /// Bytes of every uncompressed chunk but the last: a power of two legal for the format.
    pub chunk_size: u32,
}

impl Coding {
    /// Checks and makes a coding.
    ///
    /// # Errors
    /// [`NewCodecError::ChunkSize`] if the size is not legal for the format.
    pub fn new(format: Format, chunk_size: u32) -> Result<Self, NewCodecError> {
        if format.allows_chunk_size(chunk_size) {
            Ok(Self { format, chunk_size })
        } else {
            Err(NewCodecError::ChunkSize { format, size: chunk_size })
        }
    }

    /// The format with its default chunk size.
    #[must_use]
    pub const fn with_default_chunks(format: Format) -> Self {
        Self { format, chunk_size: format.default_chunk_size() }
    }
}
