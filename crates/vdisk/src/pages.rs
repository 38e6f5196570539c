//! The metadata of an open file, in pages kept in memory.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock, RwLockWriteGuard};

use imprint_blockio::ReadAt;

/// Clean pages of a file are kept in `SLOTS` places; memory does not grow with the file.
#[derive(Debug)]
struct Slot<const SIZE: usize> {
    page: u64,
    bytes: Box<[u8; SIZE]>,
}

/// Pages of `SIZE` bytes of one file: block allocation tables and sector bitmaps.
///
/// ```text
///  read ─► changed? ─► kept? ─► file          a page number chooses its only slot, so that a read
///  edit ─► changed                            takes one lock that hardly anybody else wants
/// ```
///
/// **Contract.** Pages are numbered from the start of the file; what lies behind the file's end reads
/// as zeros. Changed pages stay in memory until [`Self::clean`]: whoever edits must write them in
/// time. Two edits of one page must not run at once.
#[derive(Debug)]
pub(crate) struct Pages<const SIZE: usize> {
    slots: Box<[RwLock<Option<Slot<SIZE>>>]>,
    changed: RwLock<BTreeMap<u64, Box<[u8; SIZE]>>>,
    /// How many pages are changed, so that readers of clean files need not look.
    count: AtomicUsize,
}

impl<const SIZE: usize> Pages<SIZE> {
    /// Makes a cache of about `bytes` bytes of clean pages.
    pub(crate) fn new(bytes: usize) -> Self {
        // A power of two, so that finding a page's slot takes no division.
        let slots = (bytes / SIZE).max(1).next_power_of_two();
        Self {
            slots: (0..slots).map(|_| RwLock::default()).collect(),
            changed: RwLock::default(),
            count: AtomicUsize::new(0),
        }
    }

    /// Shows a page to `look`.
    ///
    /// # Errors
    /// Whatever the storage reports.
    pub(crate) fn read<R>(
        &self,
        file: &(impl ReadAt + ?Sized),
        page: u64,
        look: impl FnOnce(&[u8; SIZE]) -> R,
    ) -> io::Result<R> {
        if self.count.load(Ordering::Acquire) > 0 {
            let changed = self.changed.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(bytes) = changed.get(&page) {
                return Ok(look(bytes));
            }
        }
        let Some(slot) = self.slot(page) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        if let Some(kept) = slot.read().unwrap_or_else(PoisonError::into_inner).as_ref()
            && kept.page == page
        {
            return Ok(look(&kept.bytes));
        }
        let mut kept = slot.write().unwrap_or_else(PoisonError::into_inner);
        let kept = kept.insert(Slot { page, bytes: load(file, page)? });
        Ok(look(&kept.bytes))
    }

    /// Lets `change` edit a page, which is then changed.
    ///
    /// # Errors
    /// Whatever the storage reports.
    pub(crate) fn edit<R>(
        &self,
        file: &(impl ReadAt + ?Sized),
        page: u64,
        change: impl FnOnce(&mut [u8; SIZE]) -> R,
    ) -> io::Result<R> {
        let mut changed = self.changed();
        if let Some(bytes) = changed.get_mut(&page) {
            return Ok(change(bytes));
        }
        drop(changed);
        let mut bytes = self.read(file, page, |bytes| Box::new(*bytes))?;
        let result = change(&mut bytes);
        changed = self.changed();
        changed.insert(page, bytes);
        self.count.store(changed.len(), Ordering::Release);
        Ok(result)
    }

    /// How many pages are changed.
    pub(crate) fn count_changed(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Shows all changed pages in ascending order, for writing.
    ///
    /// # Errors
    /// The first error of `write`.
    pub(crate) fn for_each_changed<E>(
        &self,
        mut write: impl FnMut(u64, &[u8; SIZE]) -> Result<(), E>,
    ) -> Result<(), E> {
        let changed = self.changed.read().unwrap_or_else(PoisonError::into_inner);
        changed.iter().try_for_each(|(&page, bytes)| write(page, bytes))
    }

    /// Forgets that pages were changed: the caller has written them all into the file.
    pub(crate) fn clean(&self) {
        let mut changed = self.changed();
        for (page, bytes) in std::mem::take(&mut *changed) {
            if let Some(slot) = self.slot(page) {
                *slot.write().unwrap_or_else(PoisonError::into_inner) = Some(Slot { page, bytes });
            }
        }
        self.count.store(0, Ordering::Release);
    }

    /// The only slot of a page. Pages in use are often a block apart, a multiple of the number of slots or
    /// nearly: multiplying by the golden ratio (Knuth, volume 3, 6.4) spreads such rows evenly.
    fn slot(&self, page: u64) -> Option<&RwLock<Option<Slot<SIZE>>>> {
        let spread = page.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let bits = self.slots.len().trailing_zeros();
        self.slots.get(usize::try_from(spread.checked_shr(64 - bits).unwrap_or(0)).unwrap_or(0))
    }

    fn changed(&self) -> RwLockWriteGuard<'_, BTreeMap<u64, Box<[u8; SIZE]>>> {
        self.changed.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads a page; what lies behind the end of the file is zero.
fn load<const SIZE: usize>(
    file: &(impl ReadAt + ?Sized),
    page: u64,
) -> io::Result<Box<[u8; SIZE]>> {
    let mut bytes = Box::new([0; SIZE]);
    let start = page.saturating_mul(SIZE as u64);
    let there = file.len()?.saturating_sub(start);
    let len = usize::try_from(there).unwrap_or(SIZE).min(SIZE);
    if let Some(part) = bytes.get_mut(..len).filter(|part| !part.is_empty()) {
        file.read_exact_at(part, start)?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_read_edited_and_written_once() {
        let file: Vec<u8> = (0..40_u8).collect();
        let pages = Pages::<16>::new(32);
        let first = |page| pages.read(&file, page, |bytes| bytes[0]).unwrap();
        assert_eq!([first(0), first(1), first(2), first(0), first(9)], [0, 16, 32, 0, 0]);
        assert_eq!(pages.read(&file, 2, |bytes| bytes[8]).unwrap(), 0);
        pages.edit(&file, 2, |bytes| bytes[0] = 99).unwrap();
        pages.edit(&file, 2, |bytes| bytes[1] = 98).unwrap();
        assert_eq!((first(2), pages.count_changed()), (99, 1));
        let mut written = Vec::new();
        pages
            .for_each_changed(|page, bytes| {
                written.push((page, bytes[1]));
                Ok::<_, io::Error>(())
            })
            .unwrap();
        assert_eq!(written, [(2, 98)]);
        pages.clean();
        assert_eq!((first(2), pages.count_changed()), (99, 0));
    }
}
