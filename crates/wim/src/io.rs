//! Reading bytes into memory that only grows as they come, and hashing them.

use imprint_blockio::ReadAt;
use imprint_winvalues::BlobHash;
use sha1::{Digest, Sha1};

use crate::blob_reader::BlobReader;
use crate::error::{Corruption, Fault, ReadError, Structure};

/// Memory is taken in steps, so that a size nothing stands behind costs no more than one of them.
const STEP: u64 = 1 << 20;

/// Reads everything a reader yields.
pub(crate) fn collect<R: ReadAt>(
    mut reader: BlobReader<'_, R>,
    what: &'static str,
) -> Result<Vec<u8>, ReadError> {
    let size = reader.remaining();
    let mut bytes = Vec::new();
    while let Some(chunk) = reader.next_chunk()? {
        let left = size.saturating_sub(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if bytes.capacity() - bytes.len() < chunk.len() {
            let grown = u64::try_from(bytes.len()).unwrap_or(u64::MAX).max(STEP).min(left);
            reserve(&mut bytes, what, grown.max(u64::try_from(chunk.len()).unwrap_or(u64::MAX)))?;
        }
        bytes.extend_from_slice(chunk);
    }
    Ok(bytes)
}

fn reserve(bytes: &mut Vec<u8>, what: &'static str, more: u64) -> Result<(), ReadError> {
    let none = || ReadError::OutOfMemory { what, size: more };
    let more_usize = usize::try_from(more).map_err(|_too_large| none())?;
    bytes.try_reserve_exact(more_usize).map_err(|_refused| none())
}

/// Makes a buffer of exactly `size` bytes, reusing it.
pub(crate) fn sized_buffer(
    buffer: &mut Vec<u8>,
    what: &'static str,
    size: u64,
) -> Result<(), ReadError> {
    let none = || ReadError::OutOfMemory { what, size };
    let length = usize::try_from(size).map_err(|_too_large| none())?;
    if length > buffer.len() {
        buffer.try_reserve_exact(length - buffer.len()).map_err(|_refused| none())?;
    }
    buffer.resize(length, 0);
    Ok(())
}

/// Reads `length` bytes that are known to lie inside the file.
pub(crate) fn read_vec<R: ReadAt>(
    file: &R,
    structure: Structure,
    offset: u64,
    length: u64,
) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    sized_buffer(&mut bytes, "table", length)?;
    read_at(file, structure, offset, &mut bytes)?;
    Ok(bytes)
}

pub(crate) fn read_at<R: ReadAt>(
    file: &R,
    structure: Structure,
    offset: u64,
    buffer: &mut [u8],
) -> Result<(), ReadError> {
    file.read_exact_at(buffer, offset).map_err(|source| ReadError::Io {
        structure,
        offset,
        length: u64::try_from(buffer.len()).unwrap_or(u64::MAX),
        source,
    })
}

/// The SHA-1 of bytes in hand.
pub(crate) fn hash_of(bytes: &[u8]) -> BlobHash {
    BlobHash(Sha1::digest(bytes).into())
}

pub(crate) fn check_hash(
    bytes: &[u8],
    expected: BlobHash,
    structure: Structure,
    offset: u64,
) -> Result<(), ReadError> {
    compare_hash(expected, hash_of(bytes), structure, offset)
}

pub(crate) fn compare_hash(
    expected: BlobHash,
    actual: BlobHash,
    structure: Structure,
    offset: u64,
) -> Result<(), ReadError> {
    if expected == actual {
        return Ok(());
    }
    Err(Corruption::new(structure, offset, Fault::Hash { expected, actual }).into())
}
