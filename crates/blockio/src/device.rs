//! Devices: positional storage with a sector size.

use std::io;
use std::sync::Arc;

use crate::{ReadAt, Sparse, Stored, WriteAt};

/// A piece of a resolved range: where its bytes are. Lengths are bytes and never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The bytes stand in a file.
    Data {
        /// Which file of the chain: 0 is the leaf, 1 its parent and so on.
        file: usize,
        /// Position in that file, bytes from its start.
        offset: u64,
        /// How many bytes.
        len: u64,
    },
    /// The bytes are all zero and stand nowhere.
    Zero {
        /// How many bytes.
        len: u64,
    },
    /// The bytes are those of the parent at the same place.
    Parent {
        /// How many bytes.
        len: u64,
    },
}

impl Extent {
    /// How many bytes it covers.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "an extent is never empty")]
    pub const fn len(&self) -> u64 {
        match self {
            Self::Data { len, .. } | Self::Zero { len } | Self::Parent { len } => *len,
        }
    }

    /// Its first `most` bytes, or all of it if it has fewer.
    #[must_use]
    pub const fn cut(mut self, most: u64) -> Self {
        match &mut self {
            Self::Data { len, .. } | Self::Zero { len } | Self::Parent { len } => {
                if *len > most {
                    *len = most;
                }
            }
        }
        self
    }
}

/// A whole addressable device, real or virtual.
pub trait BlockDevice: ReadAt {
    /// The logical sector size in bytes, 512 or 4096.
    fn sector_size(&self) -> u32;

    /// Says where the bytes at `offset` are: the extent that begins there, cut to `len` bytes.
    /// Never [`Extent::Parent`]: a device is whole.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] if the range is empty or reaches past the end; otherwise
    /// whatever the storage reports.
    fn extent(&self, offset: u64, len: u64) -> io::Result<Extent>;
}

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<T: BlockDevice + ?Sized> BlockDevice for $pointer {
            fn sector_size(&self) -> u32 {
                (**self).sector_size()
            }
            fn extent(&self, offset: u64, len: u64) -> io::Result<Extent> {
                (**self).extent(offset, len)
            }
        }
    )*};
}

forward!(&T, Box<T>, Arc<T>);

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

impl<T: Sparse> BlockDevice for FlatDevice<T> {
    fn sector_size(&self) -> u32 {
        self.sector_size
    }

    fn extent(&self, offset: u64, len: u64) -> io::Result<Extent> {
        check_range(offset, len, self.inner.len()?)?;
        Ok(match self.inner.stored(offset, len)? {
            Stored::Data(len) => Extent::Data { file: 0, offset, len },
            Stored::Hole(len) => Extent::Zero { len },
        })
    }
}

/// Refuses a range that is empty or reaches past the `end` of a device.
///
/// # Errors
/// [`io::ErrorKind::UnexpectedEof`], naming the range and the end.
pub fn check_range(offset: u64, len: u64, end: u64) -> io::Result<()> {
    if len > 0 && offset.checked_add(len).is_some_and(|last| last <= end) {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::UnexpectedEof,
        format!("{len} bytes wanted at offset {offset:#x}, but the device ends at {end:#x}"),
    ))
}
