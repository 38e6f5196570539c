//! Storage that stops working.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use imprint_blockio::{ReadAt, Resize, WriteAt};

/// The error a [`FailingFile`] gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The medium is full: `ENOSPC`, [`io::ErrorKind::StorageFull`]. Reading still works.
    Full,
    /// The medium is broken: `EIO`, for reading and writing alike.
    Broken,
}

impl Fault {
    /// The operating system's error, with its number.
    #[must_use]
    pub fn error(self) -> io::Error {
        const EIO: i32 = 5;
        const ENOSPC: i32 = 28;
        io::Error::from_raw_os_error(match self {
            Self::Full => ENOSPC,
            Self::Broken => EIO,
        })
    }
}

/// When a [`FailingFile`] begins to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// After this many successful operations. [`Fault::Full`] counts writes, flushes and length
    /// changes, [`Fault::Broken`] reads too.
    Operations(u64),
    /// After this many bytes. The operation that crosses the limit moves the bytes up to it and then
    /// fails, as a real disk does. [`Fault::Full`] counts written bytes, [`Fault::Broken`] read ones
    /// too.
    Bytes(u64),
}

/// Any storage, working until a limit and failing from then on.
#[derive(Debug)]
pub struct FailingFile<T> {
    inner: T,
    fault: Fault,
    limit: Limit,
    used: AtomicU64,
}

impl<T> FailingFile<T> {
    /// Makes `inner` fail with `fault` once `limit` is reached.
    pub const fn new(inner: T, fault: Fault, limit: Limit) -> Self {
        Self { inner, fault, limit, used: AtomicU64::new(0) }
    }

    /// Returns the storage, which works again.
    pub fn into_inner(self) -> T {
        self.inner
    }

    /// Whether at least one operation was refused. A test that never got here proved nothing.
    pub fn has_failed(&self) -> bool {
        let (Limit::Operations(limit) | Limit::Bytes(limit)) = self.limit;
        self.used.load(Ordering::Relaxed) > limit
    }

    /// Takes `bytes` from the allowance and returns how many of them may still be moved, or the
    /// error if the operation may not happen at all.
    fn take(&self, bytes: usize) -> io::Result<usize> {
        let wanted = match self.limit {
            Limit::Operations(_) => 1,
            Limit::Bytes(_) => bytes as u64,
        };
        let before = self.used.fetch_add(wanted, Ordering::Relaxed);
        match self.limit {
            Limit::Operations(limit) if before < limit => Ok(bytes),
            Limit::Operations(_) => Err(self.fault.error()),
            Limit::Bytes(limit) => {
                let left = usize::try_from(limit.saturating_sub(before)).unwrap_or(usize::MAX);
                // Nothing is left and nothing was asked for: a flush of a failed medium fails.
                if left == 0 && (bytes > 0 || self.has_failed()) {
                    Err(self.fault.error())
                } else {
                    Ok(bytes.min(left))
                }
            }
        }
    }
}

impl<T: ReadAt> ReadAt for FailingFile<T> {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        if self.fault == Fault::Broken && self.take(buf.len())? < buf.len() {
            return Err(self.fault.error());
        }
        self.inner.read_exact_at(buf, offset)
    }

    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }
}

impl<T: ReadAt> imprint_blockio::Sparse for FailingFile<T> {}

impl<T: WriteAt> WriteAt for FailingFile<T> {
    fn write_all_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        let allowed = self.take(buf.len())?;
        if let Some(prefix) = buf.get(..allowed) {
            self.inner.write_all_at(prefix, offset)?;
        }
        if allowed < buf.len() { Err(self.fault.error()) } else { Ok(()) }
    }

    fn flush(&self) -> io::Result<()> {
        self.take(0)?;
        self.inner.flush()
    }
}

impl<T: Resize> Resize for FailingFile<T> {
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.take(0)?;
        self.inner.set_len(len)
    }
}

#[cfg(test)]
mod tests {
    use imprint_blockio::MemoryFile;

    use super::*;

    #[test]
    fn a_full_medium_keeps_the_bytes_that_fitted() {
        let file = FailingFile::new(MemoryFile::default(), Fault::Full, Limit::Bytes(6));
        file.write_all_at(b"abcd", 0).unwrap();
        file.flush().unwrap();
        assert!(!file.has_failed());
        let error = file.write_all_at(b"efgh", 4).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(file.has_failed());
        assert!(file.flush().is_err());
        let mut buf = [0; 6];
        file.read_exact_at(&mut buf, 0).unwrap();
        assert_eq!(&buf, b"abcdef");
        assert_eq!(file.into_inner().into_bytes(), b"abcdef");
    }

    #[test]
    fn a_broken_medium_counts_reads() {
        let inner = MemoryFile::new(vec![1, 2, 3, 4]);
        let file = FailingFile::new(inner, Fault::Broken, Limit::Operations(2));
        let mut buf = [0; 2];
        file.read_exact_at(&mut buf, 0).unwrap();
        file.set_len(3).unwrap();
        let error = file.read_exact_at(&mut buf, 0).unwrap_err();
        assert_eq!(error.raw_os_error(), Fault::Broken.error().raw_os_error());
        assert!(file.write_all_at(b"x", 0).is_err());
        assert!(file.has_failed());
        assert_eq!(file.into_inner().into_bytes(), [1, 2, 3]);
    }

    #[test]
    fn exactly_the_limit_is_no_failure() {
        let file = FailingFile::new(MemoryFile::default(), Fault::Full, Limit::Bytes(4));
        file.write_all_at(b"abcd", 0).unwrap();
        file.flush().unwrap();
        assert!(!file.has_failed());
        let file = FailingFile::new(MemoryFile::default(), Fault::Full, Limit::Operations(0));
        assert!(file.flush().is_err());
    }
}
