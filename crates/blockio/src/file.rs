//! Operating-system files as positional storage.

use std::io;
use std::os::unix::fs::FileExt;

use crate::{ReadAt, Resize, WriteAt};

impl ReadAt for fs_err::File {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.file().read_exact_at(buf, offset)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}

impl WriteAt for fs_err::File {
    fn write_all_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.file().write_all_at(buf, offset)
    }

    fn flush(&self) -> io::Result<()> {
        self.sync_all()
    }
}

impl Resize for fs_err::File {
    fn set_len(&self, len: u64) -> io::Result<()> {
        Self::set_len(self, len)
    }
}
