//! Indexes: B-trees whose root stands in the record and whose other nodes are blocks of a value.

use super::*;

/// `INDX`.
pub(crate) const INDEX_SIGNATURE: u32 = u32::from_le_bytes(*b"INDX");

/// The beginning of the value of `$INDEX_ROOT`; an [`IndexHeaderDisk`] follows.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct IndexRootDisk {
    /// The type of the attributes that are its keys; 0 for a view index.
    pub(crate) kind: U32,
    /// One of [`collation`].
    pub(crate) collation: U32,
    /// Bytes of a block.
    pub(crate) block_size: U32,
    /// Clusters of a block, or its units of 512 bytes where a cluster is larger than it.
    pub(crate) clusters_per_block: u8,
    /// Zero.
    pub(crate) reserved: [u8; 3],
}

/// In which order the keys of an index are.
pub(crate) mod collation {
    /// Names, without regard to case.
    pub(crate) const FILE_NAME: u32 = 1;
    /// A 32-bit number.
    pub(crate) const U32: u32 = 16;
    /// A SID, as bytes.
    pub(crate) const SID: u32 = 17;
    /// Two 32-bit numbers: a hash, then an id.
    pub(crate) const SECURITY_HASH: u32 = 18;
    /// A sequence of 32-bit numbers.
    pub(crate) const U32S: u32 = 19;
}

/// The beginning of an index block; an [`IndexHeaderDisk`] follows, then the update sequence.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct IndexBlockDisk {
    /// [`INDEX_SIGNATURE`].
    pub(crate) signature: U32,
    /// Where the update sequence is.
    pub(crate) sequence_offset: U16,
    /// Its words.
    pub(crate) sequence_count: U16,
    /// Of the last change in `$LogFile`.
    pub(crate) lsn: U64,
    /// Where the block stands in `$INDEX_ALLOCATION`: in clusters, or in units of 512 bytes where a cluster is
    /// larger than the block.
    pub(crate) vcn: U64,
}

/// What says of a node where its entries are. Offsets count from this header.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct IndexHeaderDisk {
    /// Where the first entry is.
    pub(crate) first: U32,
    /// Where the last entry ends.
    pub(crate) used: U32,
    /// Where the room for entries ends.
    pub(crate) allocated: U32,
    /// [`HAS_CHILDREN`].
    pub(crate) flags: u8,
    /// Zero.
    pub(crate) reserved: [u8; 3],
}

/// Flag of [`IndexHeaderDisk`]: its entries have children.
pub(crate) const HAS_CHILDREN: u8 = 1;

/// The beginning of an entry; behind it the key, in a view index the data, and in the last 8 bytes the VCN of
/// the child, if there is one: all its keys are less.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct IndexEntryDisk {
    /// The reference to the file. In a view index [`ViewDataDisk`].
    pub(crate) reference: U64,
    /// Bytes of the entry, a multiple of 8.
    pub(crate) length: U16,
    /// Bytes of the key.
    pub(crate) key_length: U16,
    /// [`ENTRY_HAS_CHILD`], [`ENTRY_IS_LAST`].
    pub(crate) flags: U16,
    /// Zero.
    pub(crate) reserved: U16,
}

/// Flag of [`IndexEntryDisk`]: a child holds the keys before it.
pub(crate) const ENTRY_HAS_CHILD: u16 = 1;
/// Flag of [`IndexEntryDisk`]: it ends the node and has no key.
pub(crate) const ENTRY_IS_LAST: u16 = 2;

/// Where the data of an entry of a view index is.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct ViewDataDisk {
    /// From the start of the entry.
    pub(crate) offset: U16,
    /// Bytes.
    pub(crate) length: U16,
    /// Zero.
    pub(crate) reserved: U32,
}

/// The beginning of an entry of `$Secure:$SDS`, the security descriptor behind it; also the data of the entries of
/// `$SII` and `$SDH`.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub(crate) struct SecurityEntryDisk {
    /// Of the descriptor.
    pub(crate) hash: U32,
    /// What files name it by, from 0x100 on.
    pub(crate) id: U32,
    /// Where this entry stands in `$SDS`.
    pub(crate) offset: U64,
    /// Bytes of the entry with the descriptor.
    pub(crate) length: U32,
}

const _: () = {
    assert!(size_of::<IndexRootDisk>() == 16);
    assert!(size_of::<IndexBlockDisk>() == 24);
    assert!(size_of::<IndexHeaderDisk>() == 16);
    assert!(size_of::<IndexEntryDisk>() == 16);
    assert!(size_of::<ViewDataDisk>() == 8);
    assert!(size_of::<SecurityEntryDisk>() == 20);
};
