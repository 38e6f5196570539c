//! A part of a device seen as a device.

use std::io;

use crate::{BlockDevice, Extent, ReadAt, WriteAt, check_range};

/// A window of a device, as a partition is one.
///
/// **Contract.** Offsets count from the window's start; nothing outside it is ever read or written.
/// The sector size is the device's, even if the window does not begin or end at a sector. Files of
/// [`Extent::Data`] are those of the device, with the device's offsets.
#[derive(Clone, Copy, Debug)]
pub struct Slice<D> {
    device: D,
    start: u64,
    len: u64,
}

impl<D: ReadAt> Slice<D> {
    /// Sees `len` bytes at `start` of `device`. An empty window is allowed.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] if the window reaches past the device's end; otherwise
    /// whatever the storage reports.
    pub fn new(device: D, start: u64, len: u64) -> io::Result<Self> {
        if len > 0 {
            check_range(start, len, device.len()?)?;
        }
        Ok(Self { device, start, len })
    }
}

impl<D> Slice<D> {
    /// Where the window begins, bytes from the device's start.
    pub const fn start(&self) -> u64 {
        self.start
    }

    /// The device.
    pub const fn device(&self) -> &D {
        &self.device
    }

    /// Returns the device.
    pub fn into_inner(self) -> D {
        self.device
    }

    /// Where `len` bytes at `offset` of the window begin on the device.
    fn place(&self, offset: u64, len: u64) -> io::Result<u64> {
        check_range(offset, len, self.len)?;
        // The window lies inside the device, so this cannot overflow.
        Ok(self.start.saturating_add(offset))
    }
}

impl<D: ReadAt> ReadAt for Slice<D> {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        if buf.is_empty() {
            return Ok(());
        }
        let place = self.place(offset, buf.len() as u64)?;
        self.device.read_exact_at(buf, place)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.len)
    }
}

impl<D: WriteAt> WriteAt for Slice<D> {
    /// A window cannot grow: writing past its end is [`io::ErrorKind::UnexpectedEof`] and writes
    /// nothing.
    fn write_all_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        if buf.is_empty() {
            return Ok(());
        }
        let place = self.place(offset, buf.len() as u64)?;
        self.device.write_all_at(buf, place)
    }

    /// Flushes the whole device.
    fn flush(&self) -> io::Result<()> {
        self.device.flush()
    }
}

impl<D: BlockDevice> BlockDevice for Slice<D> {
    fn sector_size(&self) -> u32 {
        self.device.sector_size()
    }

    fn extent(&self, offset: u64, len: u64) -> io::Result<Extent> {
        self.device.extent(self.place(offset, len)?, len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FlatDevice, MemoryFile};

    fn device() -> FlatDevice<MemoryFile> {
        FlatDevice::new(MemoryFile::new((0..100).collect()), 512)
    }

    #[test]
    fn a_window_is_read_and_written_inside_only() {
        let device = device();
        let window = Slice::new(&device, 10, 20).unwrap();
        let mut buf = [0; 3];
        window.read_exact_at(&mut buf, 17).unwrap();
        assert_eq!((buf, ReadAt::len(&window).unwrap()), ([27, 28, 29], 20));
        let refused = |result: io::Result<()>| result.unwrap_err().kind();
        assert_eq!(refused(window.read_exact_at(&mut buf, 18)), io::ErrorKind::UnexpectedEof);
        assert_eq!(refused(window.read_exact_at(&mut buf, u64::MAX)), io::ErrorKind::UnexpectedEof);
        assert_eq!(refused(window.write_all_at(&[1, 2], 19)), io::ErrorKind::UnexpectedEof);
        window.write_all_at(&[7, 8], 18).unwrap();
        window.flush().unwrap();
        let expected: Vec<u8> = (0..28).chain([7, 8]).chain(30..100).collect();
        assert_eq!(device.into_inner().into_bytes(), expected);
    }

    #[test]
    fn extents_are_the_devices_cut_to_the_window() {
        let device = device();
        let window = Slice::new(&device, 10, 20).unwrap();
        let whole = Extent::Data { file: 0, offset: 15, len: 15 };
        assert_eq!((window.extent(5, 15).unwrap(), window.sector_size()), (whole, 512));
        window.extent(5, 16).unwrap_err();
        window.extent(20, 0).unwrap_err();
    }

    #[test]
    fn a_window_lies_inside_its_device() {
        let device = device();
        Slice::new(&device, 90, 11).unwrap_err();
        Slice::new(&device, u64::MAX, 2).unwrap_err();
        let empty = Slice::new(&device, 100, 0).unwrap();
        empty.read_exact_at(&mut [], 0).unwrap();
        empty.read_exact_at(&mut [0], 0).unwrap_err();
        // A window in a window counts from the first one's start.
        let inner = Slice::new(Slice::new(&device, 10, 20).unwrap(), 5, 5).unwrap();
        let mut buf = [0; 5];
        inner.read_exact_at(&mut buf, 0).unwrap();
        assert_eq!(buf, [15, 16, 17, 18, 19]);
    }
}
