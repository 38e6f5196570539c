//! Operating-system files as positional storage.

use std::io;
use std::os::unix::fs::{FileExt, FileTypeExt};

use rustix::fs::SeekFrom;
use rustix::io::Errno;

use crate::{ReadAt, Resize, Sparse, Stored, WriteAt};

impl ReadAt for fs_err::File {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.file().read_exact_at(buf, offset)
    }

    fn len(&self) -> io::Result<u64> {
        let metadata = self.metadata()?;
        if metadata.file_type().is_block_device() {
            // A device's directory entry has no length.
            return Ok(rustix::fs::seek(self.file(), SeekFrom::End(0))?);
        }
        Ok(metadata.len())
    }
}

impl Sparse for fs_err::File {
    /// Asks the file system, which may know only larger pieces than there are. The file's own
    /// position moves; nothing here depends on it.
    fn stored(&self, offset: u64, len: u64) -> io::Result<Stored> {
        let data = match rustix::fs::seek(self.file(), SeekFrom::Data(offset)) {
            Ok(data) => data,
            // Behind the last byte stored.
            Err(Errno::NXIO) => return Ok(Stored::Hole(len)),
            // A device or a file system without this knowledge.
            Err(Errno::INVAL | Errno::OPNOTSUPP | Errno::NOTTY) => return Ok(Stored::Data(len)),
            Err(error) => return Err(error.into()),
        };
        if data > offset {
            return Ok(Stored::Hole(len.min(data - offset)));
        }
        let hole = rustix::fs::seek(self.file(), SeekFrom::Hole(offset))?;
        Ok(Stored::Data(len.min(hole.saturating_sub(offset)).max(1)))
    }
}

impl WriteAt for fs_err::File {
    fn write_all_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.file().write_all_at(buf, offset)
    }

    /// The contents and what is needed to find them; not the times.
    fn flush(&self) -> io::Result<()> {
        self.sync_data()
    }
}

impl Resize for fs_err::File {
    fn set_len(&self, len: u64) -> io::Result<()> {
        Self::set_len(self, len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_knows_its_holes() {
        let directory = tempfile::tempdir().unwrap();
        let file = fs_err::File::create_new(directory.path().join("sparse")).unwrap();
        WriteAt::write_all_at(&file, &[1; 4096], 1 << 20).unwrap();
        Resize::set_len(&file, 4 << 20).unwrap();
        assert_eq!(file.stored(0, 4 << 20).unwrap(), Stored::Hole(1 << 20));
        assert_eq!(file.stored(1 << 20, 3 << 20).unwrap(), Stored::Data(4096));
        assert_eq!(file.stored((1 << 20) + 100, 50).unwrap(), Stored::Data(50));
        assert_eq!(file.stored(2 << 20, 100).unwrap(), Stored::Hole(100));
        assert_eq!(file.stored(2 << 20, 2 << 20).unwrap(), Stored::Hole(2 << 20));
    }
}
