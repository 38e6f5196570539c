//! Memory as positional storage.

use std::io;
use std::sync::{PoisonError, RwLock};

use crate::{ReadAt, Resize, Sparse, WriteAt};

fn past_end(offset: u64, wanted: usize, len: usize) -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        format!("{wanted} bytes wanted at offset {offset:#x}, but the storage ends at {len:#x}"),
    )
}

fn window(bytes: &[u8], offset: u64, len: usize) -> io::Result<&[u8]> {
    usize::try_from(offset)
        .ok()
        .and_then(|start| bytes.get(start..start.checked_add(len)?))
        .ok_or_else(|| past_end(offset, len, bytes.len()))
}

impl ReadAt for [u8] {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        buf.copy_from_slice(window(self, offset, buf.len())?);
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(<[u8]>::len(self) as u64)
    }
}

impl ReadAt for Vec<u8> {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.as_slice().read_exact_at(buf, offset)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(Self::len(self) as u64)
    }
}

impl Sparse for [u8] {}
impl Sparse for Vec<u8> {}
impl Sparse for MemoryFile {}

/// A growable file in memory.
#[derive(Debug, Default)]
pub struct MemoryFile {
    bytes: RwLock<Vec<u8>>,
}

impl MemoryFile {
    /// Makes a file with these contents.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self { bytes: RwLock::new(bytes) }
    }

    /// Returns the contents.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a copy of the contents as they are now.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.bytes.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ReadAt for MemoryFile {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.bytes.read().unwrap_or_else(PoisonError::into_inner).read_exact_at(buf, offset)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes.read().unwrap_or_else(PoisonError::into_inner).len() as u64)
    }
}

impl WriteAt for MemoryFile {
    fn write_all_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        let mut bytes = self.bytes.write().unwrap_or_else(PoisonError::into_inner);
        let range = usize::try_from(offset)
            .ok()
            .and_then(|start| Some(start..start.checked_add(buf.len())?))
            .ok_or_else(|| past_end(offset, buf.len(), bytes.len()))?;
        if bytes.len() < range.end {
            bytes.resize(range.end, 0);
        }
        if let Some(target) = bytes.get_mut(range) {
            target.copy_from_slice(buf);
        }
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

impl Resize for MemoryFile {
    fn set_len(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len)
            .map_err(|source| io::Error::new(io::ErrorKind::OutOfMemory, source))?;
        self.bytes.write().unwrap_or_else(PoisonError::into_inner).resize(len, 0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_past_the_end_names_the_place() {
        let error = vec![1_u8, 2].read_exact_at(&mut [0; 4], 1).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(error.to_string(), "4 bytes wanted at offset 0x1, but the storage ends at 0x2");
        assert!(vec![1_u8].read_exact_at(&mut [0; 1], u64::MAX).is_err());
    }

    #[test]
    fn writing_grows_and_keeps_what_was_there() {
        let file = MemoryFile::new(vec![1, 2, 3]);
        file.write_all_at(&[9, 9], 4).unwrap();
        file.write_all_at(&[7], 1).unwrap();
        assert_eq!(file.to_bytes(), [1, 7, 3, 0, 9, 9]);
        file.set_len(2).unwrap();
        assert_eq!(file.into_bytes(), [1, 7]);
    }
}
