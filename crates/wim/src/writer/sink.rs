//! Where the bytes go: gathered in a buffer, so that small resources do not cost a call each.

use imprint_blockio::Resize;

use crate::error::{Structure, WriteError};

/// Bytes gathered before they are written.
const BUFFER: usize = 1 << 20;

/// Writes one byte after another, with the power to take back and to change what was written.
#[derive(Debug)]
pub(super) struct Sink<F> {
    file: F,
    /// Where in the file the buffer begins.
    start: u64,
    buffer: Vec<u8>,
}

impl<F: Resize> Sink<F> {
    /// Starts writing at `start`.
    pub(super) const fn new(file: F, start: u64) -> Self {
        Self { file, start, buffer: Vec::new() }
    }

    pub(super) const fn file(&self) -> &F {
        &self.file
    }

    pub(super) fn into_file(self) -> F {
        self.file
    }

    /// Where the next byte goes.
    pub(super) fn position(&self) -> u64 {
        self.start + len(&self.buffer)
    }

    pub(super) fn write(&mut self, structure: Structure, bytes: &[u8]) -> Result<(), WriteError> {
        if self.buffer.len() + bytes.len() > BUFFER {
            self.drain(structure)?;
        }
        if bytes.len() < BUFFER {
            self.buffer.extend_from_slice(bytes);
            return Ok(());
        }
        write_at(&self.file, structure, self.start, bytes)?;
        self.start += len(bytes);
        Ok(())
    }

    /// Writes `count` zeros.
    pub(super) fn write_zeros(
        &mut self,
        structure: Structure,
        count: u64,
    ) -> Result<(), WriteError> {
        let zeros = [0; 4096];
        let mut left = count;
        while left > 0 {
            let piece = usize::try_from(left).unwrap_or(usize::MAX).min(zeros.len());
            self.write(structure, zeros.get(..piece).unwrap_or(&zeros))?;
            left -= u64::try_from(piece).unwrap_or(left);
        }
        Ok(())
    }

    /// Changes bytes that were written before; all of `bytes` must lie before [`Self::position`].
    pub(super) fn patch(
        &mut self,
        structure: Structure,
        offset: u64,
        bytes: &[u8],
    ) -> Result<(), WriteError> {
        let before = usize::try_from(self.start.saturating_sub(offset)).unwrap_or(usize::MAX);
        let (outside, inside) = bytes.split_at_checked(before).unwrap_or((bytes, &[]));
        if !outside.is_empty() {
            write_at(&self.file, structure, offset, outside)?;
        }
        let at = usize::try_from(offset.saturating_sub(self.start)).unwrap_or(usize::MAX);
        if let Some(target) = self.buffer.get_mut(at..at.saturating_add(inside.len())) {
            target.copy_from_slice(inside);
        }
        Ok(())
    }

    /// Takes back everything from `position` on, which must not lie behind the next byte.
    pub(super) fn rewind(&mut self, position: u64) {
        match position.checked_sub(self.start) {
            Some(kept) => self.buffer.truncate(usize::try_from(kept).unwrap_or(usize::MAX)),
            None => {
                self.buffer.clear();
                self.start = position;
            }
        }
    }

    /// Writes what was gathered.
    pub(super) fn drain(&mut self, structure: Structure) -> Result<(), WriteError> {
        if !self.buffer.is_empty() {
            write_at(&self.file, structure, self.start, &self.buffer)?;
            self.start += len(&self.buffer);
            self.buffer.clear();
        }
        Ok(())
    }

    /// Writes what was gathered, cuts what lies behind it and makes everything durable.
    pub(super) fn settle(&mut self, structure: Structure) -> Result<(), WriteError> {
        self.drain(structure)?;
        self.cut(structure, self.start)
    }

    /// Cuts what lies behind `end` and makes everything durable that was written.
    pub(super) fn cut(&self, structure: Structure, end: u64) -> Result<(), WriteError> {
        let failed = |source| WriteError::Io { structure, offset: end, length: 0, source };
        if self.file.len().map_err(failed)? > end {
            self.file.set_len(end).map_err(failed)?;
        }
        self.file.flush().map_err(failed)
    }
}

pub(super) fn write_at<F: Resize>(
    file: &F,
    structure: Structure,
    offset: u64,
    bytes: &[u8],
) -> Result<(), WriteError> {
    file.write_all_at(bytes, offset).map_err(|source| WriteError::Io {
        structure,
        offset,
        length: len(bytes),
        source,
    })
}

fn len(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Mutex;

    use imprint_blockio::{MemoryFile, ReadAt, WriteAt};

    use super::*;

    /// Counts the calls that write.
    #[derive(Debug, Default)]
    struct Counted {
        file: MemoryFile,
        writes: Mutex<Vec<(u64, usize)>>,
    }

    impl ReadAt for Counted {
        fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
            self.file.read_exact_at(buf, offset)
        }

        fn len(&self) -> io::Result<u64> {
            self.file.len()
        }
    }

    impl WriteAt for Counted {
        fn write_all_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
            self.writes.lock().unwrap().push((offset, buf.len()));
            self.file.write_all_at(buf, offset)
        }

        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Resize for Counted {
        fn set_len(&self, len: u64) -> io::Result<()> {
            self.file.set_len(len)
        }
    }

    const R: Structure = Structure::Resource;

    #[test]
    fn small_writes_are_gathered() {
        let file = Counted::default();
        let mut sink = Sink::new(&file, 10);
        for _ in 0..3000 {
            sink.write(R, &[7; 1000]).unwrap();
        }
        assert_eq!(sink.position(), 3_000_010);
        sink.settle(R).unwrap();
        assert_eq!(file.writes.lock().unwrap().len(), 3);
        assert_eq!(file.len().unwrap(), 3_000_010);
    }

    #[test]
    fn large_writes_are_not_copied_first() {
        let file = Counted::default();
        let mut sink = Sink::new(&file, 0);
        sink.write(R, &[1; 10]).unwrap();
        sink.write(R, &vec![2; 5 << 20]).unwrap();
        sink.write(R, &[3]).unwrap();
        assert_eq!(*file.writes.lock().unwrap(), [(0, 10), (10, 5 << 20)]);
        assert_eq!(sink.position(), 11 + (5 << 20));
    }

    #[test]
    fn bytes_are_changed_in_the_file_the_buffer_or_both() {
        for patch_at in [0, 5, 9_u64, 10, 12, 14] {
            let file = MemoryFile::default();
            let mut sink = Sink::new(&file, 0);
            sink.write(R, b"0123456789").unwrap();
            sink.drain(R).unwrap();
            sink.write(R, b"abcdefgh").unwrap();
            sink.patch(R, patch_at, b"XYZ").unwrap();
            sink.settle(R).unwrap();
            let mut expected = b"0123456789abcdefgh".to_vec();
            let at = usize::try_from(patch_at).unwrap();
            expected[at..at + 3].copy_from_slice(b"XYZ");
            assert_eq!(file.to_bytes(), expected, "{patch_at}");
        }
    }

    #[test]
    fn what_is_taken_back_is_overwritten_or_cut() {
        let file = MemoryFile::new(vec![9; 100]);
        let mut sink = Sink::new(&file, 50);
        sink.write(R, b"first").unwrap();
        sink.drain(R).unwrap();
        sink.write(R, b"second").unwrap();
        sink.rewind(57);
        assert_eq!(sink.position(), 57);
        sink.rewind(52);
        sink.write_zeros(R, 5000).unwrap();
        sink.rewind(53);
        sink.write(R, b"x").unwrap();
        sink.settle(R).unwrap();
        let mut expected = vec![9; 50];
        expected.extend(b"fi\0x");
        assert_eq!(file.into_bytes(), expected);
    }
}
