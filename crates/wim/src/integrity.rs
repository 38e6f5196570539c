//! The integrity table: SHA-1 hashes over stretches of the file.
//!
//! Covers the bytes from the end of the header to the end of the blob table; header and XML data are
//! outside, so that they can change without the table.

use imprint_blockio::ReadAt;
use imprint_progress::Progress;
use sha1::{Digest, Sha1};
use zerocopy::{FromBytes, IntoBytes};

use crate::error::{Corruption, Expected, Fault, ReadError, Structure, WriteError};
use crate::header::HEADER_SIZE;
use crate::io::{read_at, sized_buffer};
use crate::layout::IntegrityDisk;

/// Bytes of the file under one hash in tables made here; what all programs use.
pub(crate) const DEFAULT_CHUNK: u32 = 10 << 20;
/// Chunk sizes kept when a table is written anew. Source: wimlib.
const KEPT_CHUNKS: std::ops::RangeInclusive<u32> = 4096..=128 << 20;
/// Bytes read at once.
const PIECE: u64 = 256 << 10;
/// Bytes of [`IntegrityDisk`].
const FIXED: u64 = 12;

/// A stretch of the file whose hash is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadChunk {
    /// Number of the hash, counted from 0.
    pub index: u64,
    /// First byte of the stretch, from the start of the file.
    pub start: u64,
    /// The byte behind it.
    pub end: u64,
}

/// Hashes over stretches of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntegrityTable {
    /// Bytes of the file under one hash; the last stretch may be shorter.
    pub chunk_size: u32,
    /// SHA-1 of each stretch.
    pub hashes: Vec<[u8; 20]>,
}

impl IntegrityTable {
    /// Checks a table that covers `covered` bytes and lies at `offset` of the file.
    ///
    /// # Errors
    /// [`Corruption`] at the faulty field.
    pub fn parse(bytes: &[u8], covered: u64, offset: u64) -> Result<Self, Corruption> {
        let actual = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let wrong = |at, field, expected, actual| {
            let fault = Fault::Number { field, expected, actual };
            Corruption::new(Structure::IntegrityTable, offset.saturating_add(at), fault)
        };
        let (disk, hashes) = IntegrityDisk::ref_from_prefix(bytes)
            .map_err(|_short| wrong(0, "table size", Expected::AtLeast(FIXED), actual))?;
        let (size, count) = (u64::from(disk.table_size.get()), u64::from(disk.count.get()));
        let chunk_size = disk.chunk_size.get();
        if size != actual {
            return Err(wrong(0, "table size", Expected::Exactly(actual), size));
        }
        if count * 20 + FIXED != size {
            let expected = Expected::Exactly((size - FIXED) / 20);
            return Err(wrong(4, "number of hashes", expected, count));
        }
        if chunk_size == 0 {
            return Err(wrong(8, "chunk size", Expected::AtLeast(1), 0));
        }
        let chunks = covered.div_ceil(chunk_size.into());
        if count != chunks {
            return Err(wrong(4, "number of hashes", Expected::Exactly(chunks), count));
        }
        Ok(Self { chunk_size, hashes: hashes.as_chunks::<20>().0.to_vec() })
    }

    /// Makes the table's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let count = u32::try_from(self.hashes.len()).unwrap_or(u32::MAX);
        let disk = IntegrityDisk {
            table_size: count.saturating_mul(20).saturating_add(12).into(),
            count: count.into(),
            chunk_size: self.chunk_size.into(),
        };
        let mut bytes = disk.as_bytes().to_vec();
        bytes.extend_from_slice(self.hashes.as_flattened());
        bytes
    }

    /// Hashes a file from the end of the header to `end`. Hashes of full stretches are taken over
    /// from `old`, a table of the same file that covered the bytes up to `old_end`, none of which
    /// may have changed. Begins a phase of `progress`.
    ///
    /// # Errors
    /// [`WriteError::Read`] if the file cannot be read, [`WriteError::Cancelled`].
    pub fn build<R: ReadAt>(
        file: &R,
        end: u64,
        old: Option<(&Self, u64)>,
        progress: &Progress,
    ) -> Result<Self, WriteError> {
        let old = old.filter(|(table, _)| KEPT_CHUNKS.contains(&table.chunk_size));
        let chunk_size = old.map_or(DEFAULT_CHUNK, |(table, _)| table.chunk_size);
        let mut table = Self { chunk_size, hashes: Vec::new() };
        progress.begin("hashing", end.saturating_sub(HEADER_SIZE), 0);
        for index in 0..table.chunks(end) {
            let (start, stop) = table.stretch(index, end);
            let known = old.and_then(|(old, old_end)| {
                let same = stop <= old_end && stop - start == u64::from(chunk_size);
                old.hashes.get(usize::try_from(index).ok()?).filter(|_| same)
            });
            let hash = match known {
                Some(hash) => *hash,
                None => hash_range(file, start, stop)?,
            };
            table.hashes.push(hash);
            progress.add_bytes(stop - start);
            progress.check()?;
        }
        Ok(table)
    }

    /// Compares a file with the table. `progress` is told the bytes done and the bytes there are
    /// after each stretch. Returns the first bad stretch, if any.
    ///
    /// # Errors
    /// [`ReadError::Io`] if the file cannot be read.
    pub fn verify<R: ReadAt>(
        &self,
        file: &R,
        end: u64,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<Result<(), BadChunk>, ReadError> {
        for index in 0..self.chunks(end) {
            let (start, stop) = self.stretch(index, end);
            let hash = hash_range(file, start, stop)?;
            let known = usize::try_from(index).ok().and_then(|index| self.hashes.get(index));
            if known != Some(&hash) {
                return Ok(Err(BadChunk { index, start, end: stop }));
            }
            progress(stop - HEADER_SIZE, end - HEADER_SIZE);
        }
        Ok(Ok(()))
    }

    fn chunks(&self, end: u64) -> u64 {
        end.saturating_sub(HEADER_SIZE).div_ceil(u64::from(self.chunk_size.max(1)))
    }

    fn stretch(&self, index: u64, end: u64) -> (u64, u64) {
        let start = HEADER_SIZE + index * u64::from(self.chunk_size);
        (start, start.saturating_add(self.chunk_size.into()).min(end))
    }
}

fn hash_range<R: ReadAt>(file: &R, start: u64, end: u64) -> Result<[u8; 20], ReadError> {
    let mut hasher = Sha1::new();
    let mut buffer = Vec::new();
    let mut at = start;
    while at < end {
        sized_buffer(&mut buffer, "stretch", (end - at).min(PIECE))?;
        read_at(file, Structure::Resource, at, &mut buffer)?;
        hasher.update(&buffer);
        at += u64::try_from(buffer.len()).unwrap_or(u64::MAX);
    }
    Ok(hasher.finalize().into())
}

#[cfg(test)]
mod tests {
    use imprint_blockio::MemoryFile;

    use super::*;

    fn file(len: usize) -> Vec<u8> {
        (0_u32..).map(|n| n.to_le_bytes()[n as usize % 3]).take(len).collect()
    }

    fn table(chunk_size: u32, file: &[u8], end: u64) -> IntegrityTable {
        // A table that is there gives the chunk size.
        let pattern = IntegrityTable { chunk_size, hashes: Vec::new() };
        IntegrityTable::build(&file, end, Some((&pattern, 0)), &Progress::new()).unwrap()
    }

    #[test]
    fn tables_come_back() {
        let file = file(20_000);
        let table = table(4096, &file, 18_000);
        assert_eq!(table.hashes.len(), 5);
        let bytes = table.to_bytes();
        assert_eq!(bytes.len(), 112);
        assert_eq!(IntegrityTable::parse(&bytes, 18_000 - 208, 0), Ok(table));
        let empty = IntegrityTable::build(&file, 208, None, &Progress::new()).unwrap();
        assert_eq!(empty.to_bytes().len(), 12);
        assert_eq!(IntegrityTable::parse(&empty.to_bytes(), 0, 0), Ok(empty));
    }

    #[test]
    fn the_first_bad_stretch_is_named() {
        let mut file = file(20_000);
        let table = table(4096, &file, 18_000);
        let mut seen = Vec::new();
        let found = table.verify(&file, 18_000, |done, all| seen.push((done, all))).unwrap();
        assert_eq!(found, Ok(()));
        assert_eq!(seen.last(), Some(&(17_792, 17_792)));
        file[207] ^= 1;
        file[18_000] ^= 1;
        assert_eq!(table.verify(&file, 18_000, |_, _| {}).unwrap(), Ok(()), "outside");
        file[208 + 4096] ^= 1;
        file[17_999] ^= 1;
        let bad = BadChunk { index: 1, start: 4304, end: 8400 };
        assert_eq!(table.verify(&file, 18_000, |_, _| {}).unwrap(), Err(bad));
        file[208 + 4096] ^= 1;
        let bad = BadChunk { index: 4, start: 16_592, end: 18_000 };
        assert_eq!(table.verify(&file, 18_000, |_, _| {}).unwrap(), Err(bad));
    }

    #[test]
    fn hashes_of_what_did_not_change_are_kept() {
        let mut file = file(30_000);
        let mut old = table(4096, &file, 10_000);
        // Were the old bytes read again, this hash would be put right.
        old.hashes[0] = [0; 20];
        file[9_999] ^= 1;
        let progress = Progress::new();
        let new = IntegrityTable::build(&file, 30_000, Some((&old, 10_000)), &progress).unwrap();
        assert_eq!(progress.snapshot().done_bytes, 29_792);
        assert_eq!(new.hashes.len(), 8);
        assert_eq!(new.hashes[..2], old.hashes[..2]);
        assert_ne!(new.hashes[2], old.hashes[2], "the old last stretch was not full");
        let odd = IntegrityTable { chunk_size: 100, hashes: Vec::new() };
        let new = IntegrityTable::build(&file, 30_000, Some((&odd, 10_000)), &progress).unwrap();
        assert_eq!(new.chunk_size, 10 << 20);
        progress.cancel();
        let cancelled = IntegrityTable::build(&file, 30_000, None, &progress);
        assert!(matches!(cancelled, Err(WriteError::Cancelled(_))));
    }

    #[test]
    fn faulty_tables_name_the_field() {
        let check = |at: usize, value: u32, expected: &str| {
            let file = file(20_000);
            let mut bytes = table(4096, &file, 18_000).to_bytes();
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
            let error = IntegrityTable::parse(&bytes, 17_792, 0x100).unwrap_err();
            assert_eq!(error.to_string(), format!("integrity table: {expected}"));
        };
        check(0, 111, "table size should be 112, but is 111 (at offset 0x100)");
        check(4, 6, "number of hashes should be 5, but is 6 (at offset 0x104)");
        check(4, u32::MAX, "number of hashes should be 5, but is 4294967295 (at offset 0x104)");
        check(8, 0, "chunk size should be at least 1, but is 0 (at offset 0x108)");
        check(8, 9000, "number of hashes should be 2, but is 5 (at offset 0x104)");
    }

    #[test]
    fn short_tables_and_files_are_refused() {
        assert_eq!(
            IntegrityTable::parse(&[0; 11], 0, 0).unwrap_err().to_string(),
            "integrity table: table size should be at least 12, but is 11 (at offset 0x0)"
        );
        let (file, progress) = (MemoryFile::new(file(1000)), Progress::new());
        let error = IntegrityTable::build(&file, 2000, None, &progress).unwrap_err();
        assert_eq!(error.to_string(), "failed to read resource (1792 bytes at offset 0xd0)");
    }
}
