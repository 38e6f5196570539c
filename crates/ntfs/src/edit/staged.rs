//! A device with changes that are not on it yet.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use imprint_blockio::{ReadAt, WriteAt};

/// Bytes of a page of changes.
const PAGE: u64 = 4096;
/// Bytes of a piece of a page: what a device writes whole or not at all.
const PIECE: usize = 512;

/// A device, and changed bytes that are kept in memory. Reading sees them.
#[derive(Debug)]
pub struct Staged<D> {
    device: D,
    pages: Mutex<Pages>,
}

/// Pages that differ from the device.
#[derive(Debug, Default)]
struct Pages {
    all: BTreeMap<u64, Page>,
    /// Those that an operation changed, as they were before it; none that were not there.
    before: Option<BTreeMap<u64, Option<Page>>>,
}

/// Bytes of the device as they are to be.
#[derive(Clone, Debug)]
struct Page {
    bytes: Vec<u8>,
    /// One bit for each piece that differs from the device.
    changed: u8,
}

impl<D> Staged<D> {
    pub(super) const fn new(device: D) -> Self {
        let pages = Pages { all: BTreeMap::new(), before: None };
        Self { device, pages: Mutex::new(pages) }
    }

    /// What lies under the changes.
    pub(super) const fn device(&self) -> &D {
        &self.device
    }

    pub(super) fn into_device(self) -> D {
        self.device
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes of all pieces that differ from the device.
    pub(super) fn changed(&self) -> u64 {
        let pages = self.pages();
        let count = |page: &Page| u64::from(page.changed.count_ones());
        pages.all.values().map(count).sum::<u64>() * PIECE as u64
    }

    /// The changes, in the order of the device: where, and the bytes. Neighbours are one.
    pub(super) fn changes(&self) -> Vec<(u64, Vec<u8>)> {
        let mut all: Vec<(u64, Vec<u8>)> = Vec::new();
        for (&number, page) in &self.pages().all {
            for (index, piece) in page.bytes.chunks(PIECE).enumerate() {
                if page.changed & (1 << index) == 0 {
                    continue;
                }
                let at = number * PAGE + (index * PIECE) as u64;
                match all.last_mut() {
                    Some((start, bytes)) if *start + bytes.len() as u64 == at => {
                        bytes.extend_from_slice(piece);
                    }
                    _ => all.push((at, piece.to_vec())),
                }
            }
        }
        all
    }

    /// Begins an operation that may have to be undone.
    pub(super) fn begin(&self) {
        self.pages().before = Some(BTreeMap::new());
    }

    /// Undoes what was changed since the operation began.
    pub(super) fn undo(&self) {
        let mut pages = self.pages();
        for (number, before) in pages.before.take().unwrap_or_default() {
            match before {
                Some(page) => pages.all.insert(number, page),
                None => pages.all.remove(&number),
            };
        }
    }

    /// Ends an operation.
    pub(super) fn keep(&self) {
        self.pages().before = None;
    }

    /// Forgets the changes: they are on the device, or are not wanted.
    pub(super) fn forget(&self) {
        self.pages().all.clear();
    }
}

impl<D: ReadAt> Staged<D> {
    /// Changes bytes, which lie on the device.
    pub(super) fn stage(&self, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
        let end = self.device.len()?;
        let mut pages = self.pages();
        while !bytes.is_empty() {
            let (number, within) = (offset / PAGE, index(offset % PAGE));
            let Pages { all, before } = &mut *pages;
            if let Some(before) = before
                && let Entry::Vacant(vacant) = before.entry(number)
            {
                vacant.insert(all.get(&number).cloned());
            }
            let page = match all.entry(number) {
                Entry::Occupied(page) => page.into_mut(),
                Entry::Vacant(vacant) => {
                    let length = PAGE.min(end.saturating_sub(number * PAGE));
                    let mut old = vec![0; index(length)];
                    self.device.read_exact_at(&mut old, number * PAGE)?;
                    vacant.insert(Page { bytes: old, changed: 0 })
                }
            };
            let room = page.bytes.len().saturating_sub(within);
            let (part, rest) = bytes.split_at(room.min(bytes.len()));
            if part.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            page.change(part, within);
            (bytes, offset) = (rest, offset + part.len() as u64);
        }
        Ok(())
    }
}

impl Page {
    fn change(&mut self, mut bytes: &[u8], mut within: usize) {
        while !bytes.is_empty() {
            let piece = within / PIECE;
            let length = (PIECE - within % PIECE).min(bytes.len());
            let (part, rest) = bytes.split_at(length);
            if let Some(place) = self.bytes.get_mut(within..within + length)
                && place != part
            {
                place.copy_from_slice(part);
                self.changed |= 1 << piece;
            }
            (bytes, within) = (rest, within + length);
        }
    }
}

/// A number of bytes within a page.
fn index(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

impl<D: ReadAt> ReadAt for Staged<D> {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let end = offset.saturating_add(buf.len() as u64);
        let pages = self.pages();
        let first = offset / PAGE;
        let mut changed = pages.all.range(first..=end / PAGE).peekable();
        // What one page holds whole need not be read.
        if let Some((number, page)) = changed.peek()
            && **number == first
            && let Some(found) = page.bytes.get(index(offset % PAGE)..)
            && let Some(found) = found.get(..buf.len())
        {
            buf.copy_from_slice(found);
            return Ok(());
        }
        if changed.peek().is_none() {
            drop(pages);
            return self.device.read_exact_at(buf, offset);
        }
        self.device.read_exact_at(buf, offset)?;
        for (&number, page) in changed {
            let start = number * PAGE;
            let (from, to) = (start.max(offset), (start + page.bytes.len() as u64).min(end));
            if from >= to {
                continue;
            }
            let found = page.bytes.get(index(from - start)..index(to - start));
            let place = buf.get_mut(index(from - offset)..index(to - offset));
            if let (Some(found), Some(place)) = (found, place) {
                place.copy_from_slice(found);
            }
        }
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        self.device.len()
    }
}

impl<D: WriteAt> Staged<D> {
    /// Writes bytes to the device at once: to clusters that nothing refers to yet.
    pub(super) fn write_fresh(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut pages = self.pages();
        let end = offset.saturating_add(bytes.len() as u64);
        // Clusters smaller than a page have neighbours that may be staged.
        for (&number, page) in pages.all.range_mut(offset / PAGE..=end / PAGE) {
            let start = number * PAGE;
            let (from, to) = (start.max(offset), (start + page.bytes.len() as u64).min(end));
            let found = bytes.get(index(from - offset)..index(to.saturating_sub(offset)));
            let place = page.bytes.get_mut(index(from - start)..index(to.saturating_sub(start)));
            if let (Some(found), Some(place)) = (found, place) {
                place.copy_from_slice(found);
            }
        }
        drop(pages);
        self.device.write_all_at(bytes, offset)
    }
}

#[cfg(test)]
mod tests {
    use imprint_blockio::MemoryFile;

    use super::*;

    #[test]
    fn reading_sees_changes_and_the_device_does_not() {
        let device = MemoryFile::new(vec![7; 10_000]);
        let staged = Staged::new(device);
        staged.stage(&[1; 5000], 3000).unwrap();
        staged.stage(&[7; 100], 9000).unwrap();
        let mut buf = vec![0; 10_000];
        staged.read_exact_at(&mut buf, 0).unwrap();
        let mut expected = vec![7; 10_000];
        expected[3000..8000].fill(1);
        assert_eq!(buf, expected);
        staged.read_exact_at(&mut buf[..10], 2995).unwrap();
        assert_eq!(buf[..10], [7, 7, 7, 7, 7, 1, 1, 1, 1, 1]);
        // Whole pieces, and none that stayed as it was.
        let changes = staged.changes();
        assert_eq!(changes.len(), 1);
        assert_eq!((changes[0].0, changes[0].1.len()), (2560, 8192 - 2560));
        assert_eq!(staged.changed(), 8192 - 2560);
        staged.device.read_exact_at(&mut buf, 0).unwrap();
        assert_eq!(buf, vec![7; 10_000]);
        assert!(staged.stage(&[1; 2], 9999).is_err());
    }
}
