//! What is on a disk, in a form that can be compared and does not hold the disk.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;

use imprint_blockio::{Sparse, Stored};
use sha2::{Digest, Sha256};

/// Contents are compared in blocks of 64 KiB, counted from the start of the disk.
pub const BLOCK: u64 = 1 << 16;
/// The same as a length in memory.
pub(super) const BLOCK_LEN: usize = 1 << 16;

/// The contents of a disk, or of some ranges of it.
///
/// Two are equal when sizes and hashes are.
#[derive(Clone, PartialEq, Eq)]
pub struct Contents {
    /// The size of the disk, bytes.
    pub size: u64,
    /// SHA-256 in hexadecimal over all blocks that are not only zeros, each after its offset as 8 bytes,
    /// little endian.
    pub hash: String,
    /// A fingerprint of each block that is not only zeros, by offset.
    blocks: BTreeMap<u64, u64>,
}

impl Contents {
    /// Takes the contents of storage; its holes are not read.
    ///
    /// # Panics
    /// If it cannot be read.
    #[must_use]
    #[track_caller]
    pub fn of(storage: &(impl Sparse + ?Sized)) -> Self {
        let size = storage.len().unwrap_or_else(|error| panic!("length: {error}"));
        Self::of_ranges(storage, std::slice::from_ref(&(0..size)))
    }

    /// Takes the contents of some ranges, which begin at blocks and are in order.
    ///
    /// # Panics
    /// If they cannot be read.
    #[must_use]
    #[track_caller]
    pub fn of_ranges(storage: &(impl Sparse + ?Sized), ranges: &[Range<u64>]) -> Self {
        let fail = |at: u64, error: io::Error| -> ! { panic!("at {at:#x}: {error}") };
        let size = storage.len().unwrap_or_else(|error| fail(0, error));
        let mut builder = Builder::new(size);
        let mut buf = vec![0; BLOCK_LEN];
        for range in ranges {
            let (mut at, end) = (range.start, range.end.min(size));
            while at < end {
                let stored = storage.stored(at, end - at).unwrap_or_else(|error| fail(at, error));
                match stored {
                    // The block in which the hole ends is looked at.
                    Stored::Hole(length) if length >= BLOCK || at + length == end => {
                        at = if at + length == end { end } else { at + length / BLOCK * BLOCK };
                    }
                    Stored::Hole(_) | Stored::Data(_) => {
                        let piece = buf.get_mut(..length_at(at, size)).unwrap_or_default();
                        let read = storage.read_exact_at(piece, at);
                        read.unwrap_or_else(|error| fail(at, error));
                        builder.add(at, piece);
                        at += BLOCK;
                    }
                }
            }
        }
        builder.finish()
    }

    /// Takes the contents of a file; its holes are not read.
    ///
    /// # Panics
    /// If it cannot be read.
    #[must_use]
    #[track_caller]
    pub fn of_file(path: &Path) -> Self {
        Self::of(&fs_err::File::open(path).unwrap_or_else(|error| panic!("{error}")))
    }

    /// Takes the contents of a stream that is as long as the disk.
    pub(super) fn of_stream(mut stream: impl Read) -> io::Result<Self> {
        let mut builder = Builder::new(0);
        let mut buf = Vec::with_capacity(BLOCK_LEN);
        loop {
            buf.clear();
            stream.by_ref().take(BLOCK).read_to_end(&mut buf)?;
            if buf.is_empty() {
                return Ok(builder.finish());
            }
            builder.add(builder.size, &buf);
            builder.size += buf.len() as u64;
        }
    }

    /// How many blocks are not only zeros.
    #[must_use]
    pub fn nonzero_blocks(&self) -> usize {
        self.blocks.len()
    }
}

impl fmt::Debug for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { size, hash, blocks } = self;
        write!(f, "{size} bytes, {} blocks that are not zero, {hash}", blocks.len())
    }
}

/// Says where two contents differ first; `None` if they are equal.
#[must_use]
pub fn first_difference(one: &Contents, two: &Contents) -> Option<String> {
    if one.size != two.size {
        return Some(format!("the sizes are {} and {}", one.size, two.size));
    }
    let both = one.blocks.keys().chain(two.blocks.keys());
    let differs = |offset: &&u64| one.blocks.get(*offset) != two.blocks.get(*offset);
    let offset = both.filter(differs).min()?;
    let what = match (one.blocks.get(offset), two.blocks.get(offset)) {
        (Some(_), Some(_)) => "both hold data",
        (Some(_), None) => "only the first is not zero",
        (None, _) => "only the second is not zero",
    };
    Some(format!("they differ first in the 64 KiB at {offset:#x}, where {what}"))
}

/// The bytes of the block at `at` on a disk of `size` bytes.
pub(super) fn length_at(at: u64, size: u64) -> usize {
    usize::try_from(size.saturating_sub(at)).map_or(BLOCK_LEN, |rest| rest.min(BLOCK_LEN))
}

/// Takes blocks in ascending order.
pub(super) struct Builder {
    size: u64,
    hasher: Sha256,
    blocks: BTreeMap<u64, u64>,
}

impl Builder {
    pub(super) fn new(size: u64) -> Self {
        Self { size, hasher: Sha256::new(), blocks: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, offset: u64, block: &[u8]) {
        if block.iter().all(|&byte| byte == 0) {
            return;
        }
        self.hasher.update(offset.to_le_bytes());
        self.hasher.update(block);
        let fingerprint = Sha256::digest(block);
        let fingerprint = fingerprint.first_chunk().copied().map_or(0, u64::from_le_bytes);
        self.blocks.insert(offset, fingerprint);
    }

    pub(super) fn finish(self) -> Contents {
        let hash = self.hasher.finalize();
        let hash = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        Contents { size: self.size, hash, blocks: self.blocks }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SparseMemory;
    use imprint_blockio::WriteAt as _;

    #[test]
    fn holes_and_zeros_are_the_same() {
        let file = SparseMemory::with_len(10 * BLOCK + 700);
        file.write_all_at(b"a", 3 * BLOCK - 1).unwrap();
        file.write_all_at(b"b", 3 * BLOCK + 5).unwrap();
        file.write_all_at(b"c", 10 * BLOCK + 699).unwrap();
        let contents = Contents::of(&file);
        assert_eq!(contents.nonzero_blocks(), 3);
        assert_eq!(contents, Contents::of(&file.to_bytes()));
        assert_eq!(contents, Contents::of_stream(file.to_bytes().as_slice()).unwrap());
        let part = Contents::of_ranges(&file, &[0..BLOCK, 3 * BLOCK..u64::MAX]);
        assert_eq!(part.nonzero_blocks(), 2);
        assert_eq!(first_difference(&contents, &contents), None);
        let difference = first_difference(&contents, &part).unwrap();
        assert!(difference.contains("at 0x20000, where only the first"), "{difference}");
        // Eight zeros and an x, by sha256sum.
        let one = Contents::of(&vec![b'x']);
        assert_eq!(one.hash, "b190c841d315c0e6aa1c86357b5ee4f67c3ab1f2ca01b2d2b75e534b62cf789e");
    }
}
