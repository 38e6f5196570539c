//! A file seen with its log replayed.

use std::io;

use imprint_blockio::{ReadAt, Sparse, Stored};

/// What a log changes in a file. No log has been read if there is none.
#[derive(Debug)]
pub(crate) struct Replayed;

/// A file as it will be when its log is replayed; nothing is written.
#[derive(Debug)]
pub(crate) struct Overlay<T> {
    file: T,
}

impl<T> Overlay<T> {
    /// Sees `file` with the changes of its log.
    pub(crate) fn new(file: T, _log: Option<Replayed>) -> Self {
        Self { file }
    }
}

impl<T: ReadAt> ReadAt for Overlay<T> {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buf, offset)
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
}

impl<T: Sparse> Sparse for Overlay<T> {
    fn stored(&self, offset: u64, len: u64) -> io::Result<Stored> {
        self.file.stored(offset, len)
    }
}
