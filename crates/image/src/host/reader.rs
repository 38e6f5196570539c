//! Reading a file at any offset.

use std::io;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use rustix::fd::OwnedFd;
use rustix::fs::{FileType, SeekFrom, Stat};
use rustix::io::Errno;

use super::sys;
use crate::StreamReader;

/// A regular file open for reading. Holes are not read.
#[derive(Debug)]
pub(super) struct FileReader {
    file: OwnedFd,
    /// Size and time of change when it was opened.
    state: State,
    /// The piece last looked up, if the file may have holes.
    holes: Option<Mutex<Piece>>,
}

/// What differs after a file was written to: size, seconds and nanoseconds of its last change.
type State = (i128, i128, i128);

fn state(facts: &Stat) -> State {
    (facts.st_size.into(), facts.st_mtime.into(), facts.st_mtime_nsec.into())
}

/// A range of the file that is all hole or all data.
#[derive(Clone, Debug)]
struct Piece {
    range: Range<u64>,
    hole: bool,
}

/// What was a file when the tree was read is something else now.
#[derive(Debug, thiserror::Error)]
#[error("should be a regular file, but is a {kind} now")]
struct NotAFile {
    kind: &'static str,
}

impl FileReader {
    /// Takes an open file.
    ///
    /// # Errors
    /// If it is not a regular file.
    pub(super) fn new(file: OwnedFd) -> io::Result<Self> {
        let facts = rustix::fs::fstat(&file)?;
        let kind = FileType::from_raw_mode(facts.st_mode);
        if kind != FileType::RegularFile {
            return Err(io::Error::other(NotAFile { kind: kind_name(kind) }));
        }
        let sizes = u64::try_from(facts.st_size).ok().zip(u64::try_from(facts.st_blocks).ok());
        let sparse = sizes.is_some_and(|(size, blocks)| blocks < size.div_ceil(512));
        let unknown = Piece { range: 0..0, hole: false };
        let state = state(&facts);
        Ok(Self { file, state, holes: sparse.then(|| Mutex::new(unknown)) })
    }

    /// The piece `offset` lies in; `None` at the end of the file.
    fn piece_at(&self, offset: u64, known: &Mutex<Piece>) -> Result<Option<Piece>, Errno> {
        let piece = known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if piece.range.contains(&offset) {
            return Ok(Some(piece));
        }
        let found = match rustix::fs::seek(&self.file, SeekFrom::Data(offset)) {
            Ok(data) if data > offset => Piece { range: offset..data, hole: true },
            Ok(_) => {
                let end = rustix::fs::seek(&self.file, SeekFrom::Hole(offset))?;
                Piece { range: offset..end.max(offset + 1), hole: false }
            }
            Err(Errno::NXIO) => {
                let size = u64::try_from(rustix::fs::fstat(&self.file)?.st_size).unwrap_or(0);
                if offset >= size {
                    return Ok(None);
                }
                Piece { range: offset..size, hole: true }
            }
            // The file system does not say where holes are.
            Err(Errno::INVAL | Errno::OPNOTSUPP) => Piece { range: offset..u64::MAX, hole: false },
            Err(error) => return Err(error),
        };
        *known.lock().unwrap_or_else(PoisonError::into_inner) = found.clone();
        Ok(Some(found))
    }

    fn read_around_holes(
        &self,
        buf: &mut [u8],
        offset: u64,
        known: &Mutex<Piece>,
    ) -> Result<usize, Errno> {
        let mut filled = 0;
        while filled < buf.len() {
            let at = offset + filled as u64;
            let Some(piece) = self.piece_at(at, known)? else { break };
            let left = usize::try_from(piece.range.end - at).unwrap_or(usize::MAX);
            let end = buf.len().min(filled.saturating_add(left));
            let part = buf.get_mut(filled..end).unwrap_or_default();
            let expected = part.len();
            let read = if piece.hole {
                part.fill(0);
                expected
            } else {
                sys::read_full(&self.file, part, at)?
            };
            filled += read;
            if read < expected {
                break;
            }
        }
        Ok(filled)
    }
}

impl StreamReader for FileReader {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        Ok(match &self.holes {
            None => sys::read_full(&self.file, buf, offset)?,
            Some(known) => self.read_around_holes(buf, offset, known)?,
        })
    }

    fn is_changed(&self) -> io::Result<bool> {
        Ok(state(&rustix::fs::fstat(&self.file)?) != self.state)
    }
}

/// The name of a kind of file in messages.
pub(super) fn kind_name(kind: FileType) -> &'static str {
    match kind {
        FileType::RegularFile => "regular file",
        FileType::Directory => "directory",
        FileType::Symlink => "symbolic link",
        FileType::Fifo => "pipe",
        FileType::Socket => "socket",
        FileType::CharacterDevice => "character device",
        FileType::BlockDevice => "block device",
        _ => "file of unknown kind",
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    #[test]
    fn holes_read_as_zeros_and_data_as_data() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(3 << 20).unwrap();
        file.write_all_at(b"front", 0).unwrap();
        file.write_all_at(b"middle", (1 << 20) - 3).unwrap();
        let mut expected = vec![0; 3 << 20];
        file.read_exact_at(&mut expected, 0).unwrap();

        let reader = FileReader::new(file.into()).unwrap();
        assert!(reader.holes.is_some());
        let mut actual = vec![1; (3 << 20) + 10];
        assert_eq!(reader.read_at(&mut actual, 0).unwrap(), 3 << 20);
        assert_eq!(actual[..3 << 20], expected);
        for offset in [(1 << 20) - 5, 4, 2 << 20, (3 << 20) - 1, 3 << 20, 1 << 40] {
            let mut small = [1; 4096];
            let start = usize::try_from(offset).unwrap();
            let left = expected.get(start..).unwrap_or_default();
            let read = reader.read_at(&mut small, offset).unwrap();
            assert_eq!(small[..read], left[..left.len().min(4096)]);
        }
    }

    #[test]
    fn writing_shows_and_reading_does_not() {
        let mut temporary = tempfile::NamedTempFile::new().unwrap();
        io::Write::write_all(&mut temporary, b"data").unwrap();
        // Longer ago than the clock of files is coarse.
        let past = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
        temporary.as_file().set_modified(past).unwrap();
        let reader = FileReader::new(temporary.reopen().unwrap().into()).unwrap();
        reader.read_at(&mut [0; 4], 0).unwrap();
        assert!(!reader.is_changed().unwrap());
        temporary.as_file().write_all_at(b"DATA", 0).unwrap();
        assert!(reader.is_changed().unwrap());
    }

    #[test]
    fn only_regular_files_are_read() {
        let (pipe, _other_end) = rustix::pipe::pipe().unwrap();
        let error = FileReader::new(pipe).unwrap_err();
        assert_eq!(error.to_string(), "should be a regular file, but is a pipe now");
    }
}
