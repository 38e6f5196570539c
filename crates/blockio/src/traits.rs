//! The positional traits.

use std::io;
use std::sync::Arc;

/// Bytes that can be read at any offset.
#[expect(clippy::len_without_is_empty, reason = "the length costs a call that can fail")]
pub trait ReadAt: Send + Sync {
    /// Fills `buf` from the bytes at `offset`.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] if fewer than `buf.len()` bytes follow `offset`; otherwise
    /// whatever the storage reports.
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()>;

    /// The number of bytes there are now.
    ///
    /// # Errors
    /// Whatever the storage reports.
    fn len(&self) -> io::Result<u64>;
}

/// Bytes that can also be written at any offset.
pub trait WriteAt: ReadAt {
    /// Writes all of `buf` at `offset`, growing the storage if it can grow.
    ///
    /// # Errors
    /// Whatever the storage reports; a prefix of `buf` may have been written.
    fn write_all_at(&self, buf: &[u8], offset: u64) -> io::Result<()>;

    /// Returns when everything written so far is on stable storage.
    ///
    /// # Errors
    /// Whatever the storage reports; what was written since the last success may be lost.
    fn flush(&self) -> io::Result<()>;
}

/// Storage whose length can be set.
pub trait Resize: WriteAt {
    /// Cuts or zero-extends the storage to `len` bytes.
    ///
    /// # Errors
    /// Whatever the storage reports.
    fn set_len(&self, len: u64) -> io::Result<()>;
}

/// What the storage holds of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// The first bytes are stored, this many.
    Data(u64),
    /// The first bytes are a hole, this many: they read as zeros and take no room.
    Hole(u64),
}

/// Storage that knows its holes, so that nobody needs to read them.
pub trait Sparse: ReadAt {
    /// Says what the storage holds at `offset`: the stored bytes or the hole that begin there, cut to
    /// `len` bytes. `len` is not 0 and the range lies inside the storage. Storage without holes
    /// need not override this.
    ///
    /// # Errors
    /// Whatever the storage reports.
    fn stored(&self, offset: u64, len: u64) -> io::Result<Stored> {
        let _everywhere = offset;
        Ok(Stored::Data(len))
    }
}

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<T: ReadAt + ?Sized> ReadAt for $pointer {
            fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
                (**self).read_exact_at(buf, offset)
            }
            fn len(&self) -> io::Result<u64> {
                (**self).len()
            }
        }
        impl<T: WriteAt + ?Sized> WriteAt for $pointer {
            fn write_all_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
                (**self).write_all_at(buf, offset)
            }
            fn flush(&self) -> io::Result<()> {
                (**self).flush()
            }
        }
        impl<T: Sparse + ?Sized> Sparse for $pointer {
            fn stored(&self, offset: u64, len: u64) -> io::Result<Stored> {
                (**self).stored(offset, len)
            }
        }
        impl<T: Resize + ?Sized> Resize for $pointer {
            fn set_len(&self, len: u64) -> io::Result<()> {
                (**self).set_len(len)
            }
        }
    )*};
}

forward!(&T, Box<T>, Arc<T>);
