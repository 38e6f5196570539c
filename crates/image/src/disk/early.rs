//! Writing out begins while there is still more to write.

use std::borrow::Borrow;
use std::io;
use std::num::NonZeroU64;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use fs_err::File;
use imprint_blockio::{ReadAt, Resize, Sparse, Stored, WriteAt};
use rustix::fs::Advice;

/// The system is told of this many bytes at a time.
const STEP: u64 = 8 << 20;
/// Writes with smaller gaps between them belong together.
const GAP: u64 = 64 << 10;

/// A file somebody will wait for at the end. The system would otherwise begin to write it out only
/// when it is short of memory, or when that somebody waits.
#[derive(Debug)]
pub(super) struct Early<F> {
    file: F,
    written: Untold,
    /// Of a file that is read once and then removed.
    read: Option<Untold>,
}

impl<F: Borrow<File>> Early<F> {
    pub(super) fn new(file: F) -> Self {
        Self { file, written: Untold::default(), read: None }
    }

    /// For a file that is read once and then removed: its memory is given back on the way, which the
    /// file written meanwhile can take.
    pub(super) fn used_up(file: F) -> Self {
        Self { read: Some(Untold::default()), ..Self::new(file) }
    }

    fn file(&self) -> &File {
        self.file.borrow()
    }

    /// Tells the system that it may write a range out and then forget it.
    fn tell(&self, due: Option<Range<u64>>) {
        let Some(due) = due else { return };
        let length = NonZeroU64::new(due.end.saturating_sub(due.start));
        // A hint: without it only time is lost. What is not on the disk yet stays in memory.
        rustix::fs::fadvise(self.file().file(), due.start, length, Advice::DontNeed).ok();
    }
}

/// What was read or written, one piece behind the other, and the system was not told of.
#[derive(Debug, Default)]
struct Untold(Mutex<Range<u64>>);

impl Untold {
    /// Notes a piece, and returns what the system is to be told of now.
    fn add(&self, offset: u64, len: u64) -> Option<Range<u64>> {
        let mut untold = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let end = offset.saturating_add(len);
        if (untold.start..=untold.end.saturating_add(GAP)).contains(&offset) {
            untold.end = untold.end.max(end);
        } else if len >= GAP {
            // Elsewhere: the piece before ends here.
            let before = std::mem::replace(&mut *untold, offset..end);
            return Some(before).filter(|before| !before.is_empty());
        }
        if untold.end - untold.start < STEP {
            return None;
        }
        let next = untold.end..untold.end;
        Some(std::mem::replace(&mut *untold, next))
    }
}

impl<F: Borrow<File> + Send + Sync> ReadAt for Early<F> {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.file().read_exact_at(buf, offset)?;
        if let Some(read) = &self.read {
            self.tell(read.add(offset, buf.len() as u64));
        }
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        ReadAt::len(self.file())
    }
}

impl<F: Borrow<File> + Send + Sync> Sparse for Early<F> {
    fn stored(&self, offset: u64, len: u64) -> io::Result<Stored> {
        self.file().stored(offset, len)
    }
}

impl<F: Borrow<File> + Send + Sync> WriteAt for Early<F> {
    fn write_all_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        WriteAt::write_all_at(self.file(), buf, offset)?;
        self.tell(self.written.add(offset, buf.len() as u64));
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        WriteAt::flush(self.file())
    }
}

impl<F: Borrow<File> + Send + Sync> Resize for Early<F> {
    fn set_len(&self, len: u64) -> io::Result<()> {
        Resize::set_len(self.file(), len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes of (offset, length) in MiB, and of what the system is told, in MiB.
    #[track_caller]
    fn check(writes: &[(u64, u64)], told: &[(u64, u64)]) {
        let untold = Untold::default();
        let due = writes.iter().filter_map(|&(at, len)| untold.add(at << 20, len << 20));
        let due: Vec<_> = due.map(|due| (due.start >> 20, due.end >> 20)).collect();
        assert_eq!(due, told);
    }

    #[test]
    fn the_system_is_told_in_large_pieces() {
        check(&[(0, 4), (4, 3)], &[]);
        check(&[(0, 4), (4, 4), (8, 4), (12, 5)], &[(0, 8), (8, 17)]);
        check(&[(4, 4), (100, 4), (104, 4)], &[(4, 8), (100, 108)]);
        // Metadata elsewhere change nothing.
        let untold = Untold::default();
        assert_eq!(untold.add(0, 7 << 20), None);
        assert_eq!(untold.add(1 << 30, 512), None);
        assert_eq!(untold.add((7 << 20) + 512, 1 << 20), Some(0..(8 << 20) + 512));
    }
}
