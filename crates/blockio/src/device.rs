//! Devices: positional storage with a sector size.

use std::io;

use crate::{ReadAt, WriteAt};

/// A whole addressable device, real or virtual.
pub trait BlockDevice: ReadAt {
    /// The logical sector size in bytes, 512 or 4096.
    fn sector_size(&self) -> u32;
}

/// Any storage seen as a device without structure of its own (a raw disk file).
#[derive(Clone, Copy, Debug)]
pub struct FlatDevice<T> {
    inner: T,
    sector_size: u32,
}

impl<T> FlatDevice<T> {
    /// Sees `inner` as a device of `sector_size`-byte logical sectors.
    pub const fn new(inner: T, sector_size: u32) -> Self {
        Self { inner, sector_size }
    }

    /// Returns the storage.
    pub fn into_inner(self) -> T {
        self.inner
    }
}

impl<T: ReadAt> ReadAt for FlatDevice<T> {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.inner.read_exact_at(buf, offset)
    }

    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }
}

impl<T: WriteAt> WriteAt for FlatDevice<T> {
    fn write_all_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.inner.write_all_at(buf, offset)
    }

    fn flush(&self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<T: ReadAt> BlockDevice for FlatDevice<T> {
    fn sector_size(&self) -> u32 {
        self.sector_size
    }
}
