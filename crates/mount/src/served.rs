//! Devices that can be served.

use std::io;

use imprint_blockio::{BlockDevice, Extent, ReadAt, WriteAt};

/// A device as it is served: [`ReadOnly`] or [`Writable`].
pub trait Served: BlockDevice + 'static {
    /// Whether [`Self::write`] can succeed.
    fn is_writable(&self) -> bool;

    /// Writes all of `buf` at `offset`.
    ///
    /// # Errors
    /// [`io::ErrorKind::ReadOnlyFilesystem`] if the device is not writable; otherwise whatever it
    /// reports.
    fn write(&self, buf: &[u8], offset: u64) -> io::Result<()>;

    /// Makes everything written so far durable.
    ///
    /// # Errors
    /// Whatever the device reports.
    fn sync(&self) -> io::Result<()>;
}

/// A device to be read only, whatever it could do.
#[derive(Clone, Copy, Debug)]
pub struct ReadOnly<D>(pub D);

/// A device to be read and written.
#[derive(Clone, Copy, Debug)]
pub struct Writable<D>(pub D);

macro_rules! forward {
    ($($wrapper:ident),*) => {$(
        impl<D: ReadAt> ReadAt for $wrapper<D> {
            fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
                self.0.read_exact_at(buf, offset)
            }
            fn len(&self) -> io::Result<u64> {
                self.0.len()
            }
        }
        impl<D: BlockDevice> BlockDevice for $wrapper<D> {
            fn sector_size(&self) -> u32 {
                self.0.sector_size()
            }
            fn extent(&self, offset: u64, len: u64) -> io::Result<Extent> {
                self.0.extent(offset, len)
            }
        }
    )*};
}

forward!(ReadOnly, Writable);

impl<D: BlockDevice + 'static> Served for ReadOnly<D> {
    fn is_writable(&self) -> bool {
        false
    }

    fn write(&self, _buf: &[u8], _offset: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

impl<D: BlockDevice + WriteAt + 'static> Served for Writable<D> {
    fn is_writable(&self) -> bool {
        true
    }

    fn write(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(buf, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.flush()
    }
}
