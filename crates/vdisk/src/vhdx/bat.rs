//! The block allocation table: which entry belongs to what, and what an entry says.
//!
//! ```text
//! entry   0 .. R-1        R               R+1 .. 2R           2R+1         ...
//!         payload 0..R-1  bitmap chunk 0  payload R..2R-1     bitmap chunk 1
//! ```
//!
//! `R` is the chunk ratio: the blocks whose sectors one bitmap block of 1 MiB describes. It is a power of
//! two and at least 16. All kinds of disks have the entries for bitmaps; only differencing disks use
//! them.

use super::layout::MIB;

/// Sectors that one bitmap block describes: 1 MiB of bits.
pub(crate) const SECTORS_PER_BITMAP: u64 = 1 << 23;
/// Bytes of an entry.
pub(crate) const ENTRY_BYTES: u64 = 8;

/// What an entry says of a payload block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PayloadState {
    /// Never written. Differencing: it is in the parent.
    NotPresent,
    /// What it holds does not matter.
    Undefined,
    /// It is all zero.
    Zero,
    /// It was given back (trim). Drafts of the format had the number 5 for it.
    Unmapped,
    /// It is in the file.
    FullyPresent,
    /// Differencing: the sector bitmap says for each sector whether it is in the file or in the
    /// parent.
    PartiallyPresent,
    /// 4 is reserved.
    Reserved,
}

/// What an entry says of a sector bitmap block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BitmapState {
    /// There is none.
    NotPresent,
    /// It is in the file.
    Present,
    /// 1 to 5 and 7 are reserved.
    Reserved,
}

/// An entry: the state in bits 0 to 2, the place in MiB in bits 20 to 63.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Entry(pub(crate) u64);

impl Entry {
    /// An entry for a payload block; `offset` is a multiple of 1 MiB, and 0 unless the block is present.
    pub(crate) const fn payload(state: PayloadState, offset: u64) -> Self {
        let number = match state {
            PayloadState::NotPresent => 0,
            PayloadState::Undefined => 1,
            PayloadState::Zero => 2,
            PayloadState::Unmapped => 3,
            PayloadState::Reserved => 4,
            PayloadState::FullyPresent => 6,
            PayloadState::PartiallyPresent => 7,
        };
        Self(offset & !(MIB - 1) | number)
    }

    /// An entry for a sector bitmap block that is at `offset`, a multiple of 1 MiB.
    pub(crate) const fn bitmap(offset: u64) -> Self {
        Self(offset & !(MIB - 1) | 6)
    }

    /// The number of the state.
    pub(crate) const fn number(self) -> u64 {
        self.0 & 7
    }

    /// What it says if it belongs to a payload block.
    pub(crate) const fn payload_state(self) -> PayloadState {
        match self.number() {
            0 => PayloadState::NotPresent,
            1 => PayloadState::Undefined,
            2 => PayloadState::Zero,
            3 | 5 => PayloadState::Unmapped,
            6 => PayloadState::FullyPresent,
            7 => PayloadState::PartiallyPresent,
            _ => PayloadState::Reserved,
        }
    }

    /// What it says if it belongs to a sector bitmap block.
    pub(crate) const fn bitmap_state(self) -> BitmapState {
        match self.number() {
            0 => BitmapState::NotPresent,
            6 => BitmapState::Present,
            _ => BitmapState::Reserved,
        }
    }

    /// Where the block is, bytes from the start of the file: a multiple of 1 MiB. Without meaning
    /// unless the block is present.
    pub(crate) const fn offset(self) -> u64 {
        self.0 & !(MIB - 1)
    }

    /// Bits 3 to 19, which should be zero.
    pub(crate) const fn reserved_bits(self) -> u64 {
        self.0 & (MIB - 1) & !7
    }
}

/// How many entries there are and which is which. All numbers are small enough to be added and
/// multiplied by the size of what they count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BatShape {
    /// Blocks of the disk, at most 2^26.
    pub(crate) payload_count: u64,
    /// Chunks of the disk, the last one maybe not whole.
    pub(crate) chunk_count: u64,
    /// The binary logarithm of the chunk ratio.
    pub(crate) ratio_shift: u32,
    /// Entries in use.
    pub(crate) entry_count: u64,
}

impl BatShape {
    /// Counts for a disk of `size` bytes; `block_size` is a power of two from 1 MiB to 256 MiB,
    /// `sector_size` 512 or 4096.
    pub(crate) const fn new(
        size: u64,
        block_size: u32,
        sector_size: u32,
        differencing: bool,
    ) -> Self {
        let block_shift = block_size.trailing_zeros();
        let ratio_shift =
            SECTORS_PER_BITMAP.trailing_zeros() + sector_size.trailing_zeros() - block_shift;
        let payload_count = size.div_ceil(1 << block_shift);
        let chunk_count = payload_count.div_ceil(1 << ratio_shift);
        let entry_count = if differencing {
            chunk_count * ((1 << ratio_shift) + 1)
        } else {
            payload_count + (payload_count.saturating_sub(1) >> ratio_shift)
        };
        Self { payload_count, chunk_count, ratio_shift, entry_count }
    }

    /// Blocks per chunk.
    pub(crate) const fn ratio(&self) -> u64 {
        1 << self.ratio_shift
    }

    /// The entry of a payload block.
    pub(crate) const fn payload_entry(&self, block: u64) -> u64 {
        block + (block >> self.ratio_shift)
    }

    /// The chunk of a payload block.
    pub(crate) const fn chunk_of(&self, block: u64) -> u64 {
        block >> self.ratio_shift
    }

    /// The entry of the sector bitmap block of a chunk.
    pub(crate) const fn bitmap_entry(&self, chunk: u64) -> u64 {
        (chunk << self.ratio_shift) + chunk + self.ratio()
    }

    /// What an entry belongs to.
    pub(crate) const fn owner(&self, entry: u64) -> Owner {
        let per_chunk = self.ratio() + 1;
        let (chunk, within) = (entry / per_chunk, entry % per_chunk);
        if within == self.ratio() {
            Owner::Bitmap { chunk }
        } else {
            Owner::Payload { block: (chunk << self.ratio_shift) + within }
        }
    }

    /// Bytes of the region that holds the entries: whole MiB.
    pub(crate) const fn region_length(&self) -> u64 {
        (self.entry_count * ENTRY_BYTES).next_multiple_of(MIB)
    }
}

/// What an entry of the table belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A payload block; at or behind [`BatShape::payload_count`] in the unused rest of the last chunk.
    Payload {
        /// Its number.
        block: u64,
    },
    /// The sector bitmap block of a chunk.
    Bitmap {
        /// Its number.
        chunk: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(size: u64, block: u32, sector: u32, differencing: bool, counts: [u64; 4]) {
        let shape = BatShape::new(size, block, sector, differencing);
        let found = [shape.payload_count, shape.chunk_count, shape.ratio(), shape.entry_count];
        assert_eq!(found, counts);
        for chunk in [0, shape.chunk_count - 1] {
            assert_eq!(shape.owner(shape.bitmap_entry(chunk)), Owner::Bitmap { chunk });
        }
        for block in [0, 1, 15, 16, shape.payload_count - 1] {
            let entry = shape.payload_entry(block);
            assert_eq!(shape.owner(entry), Owner::Payload { block });
            assert!(block >= shape.payload_count || entry < shape.entry_count);
        }
    }

    #[test]
    fn counts_of_entries() {
        const MIB32: u32 = 32 << 20;
        check(3 << 20, 1 << 20, 512, false, [3, 1, 4096, 3]);
        check(3 << 20, 1 << 20, 512, true, [3, 1, 4096, 4097]);
        check(4096 << 20, 1 << 20, 512, false, [4096, 1, 4096, 4096]);
        check((4096 << 20) + 512, 1 << 20, 512, false, [4097, 2, 4096, 4098]);
        check(127 << 30, MIB32, 512, false, [4064, 32, 128, 4095]);
        check(127 << 30, 2 << 20, 512, true, [65024, 32, 2048, 32 * 2049]);
        check(1 << 30, 256 << 20, 512, false, [4, 1, 16, 4]);
        check(64 << 40, 1 << 20, 512, false, [1 << 26, 1 << 14, 4096, (1 << 26) + (1 << 14) - 1]);
        check(64 << 40, MIB32, 4096, true, [1 << 21, 1 << 11, 1024, (1 << 11) * 1025]);
        assert_eq!(BatShape::new(64 << 40, 1 << 20, 512, true).region_length(), 513 << 20);
        assert_eq!(BatShape::new(512, MIB32, 512, false).region_length(), 1 << 20);
    }

    #[test]
    fn entries_are_taken_apart() {
        use PayloadState::*;
        for state in
            [NotPresent, Undefined, Zero, Unmapped, FullyPresent, PartiallyPresent, Reserved]
        {
            let entry = Entry::payload(state, 5 << 20);
            assert_eq!((entry.payload_state(), entry.offset()), (state, 5 << 20));
            assert_eq!(entry.reserved_bits(), 0);
        }
        assert_eq!(Entry(5).payload_state(), Unmapped);
        assert_eq!(Entry::bitmap(u64::MAX).bitmap_state(), BitmapState::Present);
        assert_eq!(Entry(u64::MAX).offset(), 0xffff_ffff_fff0_0000);
        assert_eq!(Entry(u64::MAX).reserved_bits(), 0xffff8);
        assert_eq!(Entry(7).bitmap_state(), BitmapState::Reserved);
        assert_eq!(Entry(0).bitmap_state(), BitmapState::NotPresent);
    }
}
