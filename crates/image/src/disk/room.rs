//! The room a finished disk file takes on the host.

use std::io;

use fs_err::File;
use imprint_blockio::{ReadAt, Sparse, Stored, WriteAt};
use rustix::fs::FallocateFlags;
use rustix::io::Errno;

/// How a disk file takes its room. Windows refuses to attach disk files with holes: what is written for
/// native boot onto NTFS must not be sparse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Room {
    /// Holes stay holes.
    #[default]
    Sparse,
    /// All of the file's room is reserved; zeros are written where the file system cannot do that.
    Reserved,
    /// Zeros are written into the holes.
    Written,
}

/// Takes room for all holes of a file.
pub(super) fn reserve(file: &File) -> io::Result<()> {
    let len = ReadAt::len(file)?;
    if len == 0 {
        return Ok(());
    }
    match rustix::fs::fallocate(file.file(), FallocateFlags::empty(), 0, len) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => fill_holes(file),
        result => Ok(result?),
    }
}

/// Writes zeros into all holes of a file.
pub(super) fn fill_holes(file: &File) -> io::Result<()> {
    let zeroes = vec![0; 1 << 20];
    let len = ReadAt::len(file)?;
    let mut offset = 0;
    while offset < len {
        match file.stored(offset, len - offset)? {
            Stored::Data(len) => offset += len,
            Stored::Hole(hole) => {
                let end = offset + hole;
                while offset < end {
                    let count = usize::try_from(end - offset).unwrap_or(zeroes.len());
                    let part = zeroes.get(..count.min(zeroes.len())).unwrap_or(&zeroes);
                    WriteAt::write_all_at(file, part, offset)?;
                    offset += part.len() as u64;
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[track_caller]
    fn check(fill: fn(&File) -> io::Result<()>) {
        let directory = tempfile::tempdir().unwrap();
        let mut options = fs_err::OpenOptions::new();
        let options = options.read(true).write(true).create_new(true);
        let file = options.open(directory.path().join("disk")).unwrap();
        file.set_len(8 << 20).unwrap();
        WriteAt::write_all_at(&file, &[7; 100], 3 << 20).unwrap();
        assert!(file.metadata().unwrap().blocks() < 1000);
        fill(&file).unwrap();
        assert!(file.metadata().unwrap().blocks() >= (8 << 20) / 512);
        let mut bytes = vec![1; 8 << 20];
        file.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!(bytes.iter().filter(|&&byte| byte == 7).count(), 100);
        assert_eq!(bytes.iter().filter(|&&byte| byte == 0).count(), (8 << 20) - 100);
    }

    #[test]
    fn holes_are_filled() {
        check(reserve);
        check(fill_holes);
    }
}
