//! Memory that is as long as it likes and holds only what was written.

use std::io;
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use imprint_blockio::{ReadAt, Resize, Sparse, Stored, WriteAt};

/// Bytes of a page: what a hole is counted in, as in file systems.
const PAGE: u64 = 4096;
/// The same as a length in memory.
const PAGE_LEN: usize = 4096;
/// A branch has two to this power of children.
const BITS: u32 = 6;
/// Branches between the root and a page.
const LEVELS: u32 = 6;
/// Longest a file may be: 256 TiB, four times the longest VHDX.
const LIMIT: u64 = PAGE << (BITS * LEVELS);

/// A part of the tree. Copies share everything until one of them is changed.
#[derive(Clone, Debug)]
enum Node {
    Branch(Arc<[Option<Self>; 1 << BITS]>),
    Page(Arc<[u8; PAGE_LEN]>),
}

/// The pages of a file, by number, and its length.
///
/// A tree of fixed depth whose copies cost nothing: what is the same in both is shared.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    root: Option<Node>,
    len: u64,
}

impl State {
    /// What a file with these contents is. Pages of zeros are holes.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut state = Self::default();
        for (page, piece) in (0..).zip(bytes.chunks(PAGE_LEN)) {
            if piece.iter().any(|&byte| byte != 0) {
                state.put(page * PAGE, piece);
            }
        }
        state.len = bytes.len() as u64;
        state
    }

    pub(crate) const fn len(&self) -> u64 {
        self.len
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let len = usize::try_from(self.len).unwrap_or_else(|_| panic!("longer than memory"));
        let mut bytes = vec![0; len];
        let mut from = 0;
        while let Some(page) = self.next_page(from) {
            let start = usize::try_from(page * PAGE).unwrap_or(usize::MAX);
            let end = start.saturating_add(PAGE_LEN).min(len);
            if let Some(target) = bytes.get_mut(start..end) {
                self.fill(target, page * PAGE);
            }
            from = page + 1;
        }
        bytes
    }

    /// Fills `buf` from `offset` on, with zeros where nothing is stored.
    fn fill(&self, mut buf: &mut [u8], mut offset: u64) {
        while !buf.is_empty() {
            let (page, inside) = place(offset);
            let (piece, rest) = buf.split_at_mut(buf.len().min(PAGE_LEN - inside));
            let stored = self.page(page).and_then(|bytes| bytes.get(inside..inside + piece.len()));
            match stored {
                Some(stored) => piece.copy_from_slice(stored),
                None => piece.fill(0),
            }
            offset += piece.len() as u64;
            buf = rest;
        }
    }

    /// Writes `buf` at `offset`; the length grows as needed. Ends at [`LIMIT`] or before.
    pub(crate) fn put(&mut self, mut offset: u64, mut buf: &[u8]) {
        self.len = self.len.max(offset + buf.len() as u64);
        while !buf.is_empty() {
            let (page, inside) = place(offset);
            let (piece, rest) = buf.split_at(buf.len().min(PAGE_LEN - inside));
            if let Some(target) = self.page_mut(page).get_mut(inside..inside + piece.len()) {
                target.copy_from_slice(piece);
            }
            offset += piece.len() as u64;
            buf = rest;
        }
    }

    /// Makes what is stored of a range read as zeros; its pages stay.
    pub(crate) fn clear(&mut self, range: Range<u64>) {
        const ZEROS: [u8; PAGE_LEN] = [0; PAGE_LEN];
        let stored: Vec<_> = self.stored_ranges(range).collect();
        for part in stored {
            let (page, inside) = place(part.start);
            let length = usize::try_from(part.end - part.start).unwrap_or(PAGE_LEN);
            if let Some(target) = self.page_mut(page).get_mut(inside..inside + length) {
                target.copy_from_slice(ZEROS.get(..length).unwrap_or_default());
            }
        }
    }

    /// Sets the length; what is cut off is gone.
    pub(crate) fn set_len(&mut self, len: u64) {
        if len < self.len {
            let whole = len.next_multiple_of(PAGE);
            self.clear(len..whole);
            drop_from(&mut self.root, LEVELS, 0, whole / PAGE);
        }
        self.len = len;
    }

    /// The parts of a range that are stored, page by page.
    pub(crate) fn stored_ranges(&self, range: Range<u64>) -> impl Iterator<Item = Range<u64>> {
        let mut at = range.start;
        std::iter::from_fn(move || {
            let page = self.next_page(at / PAGE).filter(|page| page * PAGE < range.end)?;
            if at >= range.end {
                return None;
            }
            let start = at.max(page * PAGE);
            at = (page + 1) * PAGE;
            Some(start..at.min(range.end))
        })
    }

    fn page(&self, page: u64) -> Option<&[u8; PAGE_LEN]> {
        let mut node = self.root.as_ref()?;
        for level in (0..LEVELS).rev() {
            let Node::Branch(children) = node else { return None };
            node = children.get(slot(page, level))?.as_ref()?;
        }
        if let Node::Page(bytes) = node { Some(bytes) } else { None }
    }

    fn page_mut(&mut self, page: u64) -> &mut [u8; PAGE_LEN] {
        let mut place = &mut self.root;
        for level in (0..LEVELS).rev() {
            let node = place.get_or_insert_with(|| Node::Branch(Arc::new([const { None }; _])));
            let Node::Branch(children) = node else { panic!("a page in place of a branch") };
            let child = Arc::make_mut(children).get_mut(slot(page, level));
            place = child.unwrap_or_else(|| panic!("there are as many children as slots"));
        }
        match place.get_or_insert_with(|| Node::Page(Arc::new([0; _]))) {
            Node::Page(bytes) => Arc::make_mut(bytes),
            Node::Branch(_) => panic!("a branch in place of a page"),
        }
    }

    /// The number of the first page that is stored, not before `from`.
    fn next_page(&self, from: u64) -> Option<u64> {
        next_page(self.root.as_ref()?, LEVELS, 0, from)
    }

    fn pages(&self) -> u64 {
        fn count(node: &Node) -> u64 {
            match node {
                Node::Branch(children) => children.iter().flatten().map(count).sum(),
                Node::Page(_) => 1,
            }
        }
        self.root.as_ref().map_or(0, count)
    }
}

/// The page of a byte, and where it is in it.
fn place(offset: u64) -> (u64, usize) {
    (offset / PAGE, usize::try_from(offset % PAGE).unwrap_or(0))
}

/// Which child of a branch leads to a page.
fn slot(page: u64, level: u32) -> usize {
    usize::try_from((page >> (BITS * level)) % (1 << BITS)).unwrap_or(0)
}

/// Looks below a node, whose first page is number `first`, for a page that is not before `from`.
fn next_page(node: &Node, level: u32, first: u64, from: u64) -> Option<u64> {
    let Node::Branch(children) = node else { return Some(first) };
    let span = 1 << (BITS * (level - 1));
    let start = from.saturating_sub(first) / span;
    let rest = (first + start * span..).step_by(usize::try_from(span).unwrap_or(usize::MAX));
    let children = rest.zip(children.iter().skip(usize::try_from(start).unwrap_or(usize::MAX)));
    children
        .filter_map(|(at, child)| Some((at, child.as_ref()?)))
        .find_map(|(at, child)| next_page(child, level - 1, at, from))
}

/// Drops the pages from number `from` on.
fn drop_from(place: &mut Option<Node>, level: u32, first: u64, from: u64) {
    if first >= from {
        *place = None;
    } else if let Some(Node::Branch(children)) = place {
        let span = 1 << (BITS * (level - 1));
        let start = (from - first) / span;
        let skip = usize::try_from(start).unwrap_or(usize::MAX);
        for (number, child) in (start..).zip(Arc::make_mut(children).iter_mut().skip(skip)) {
            drop_from(child, level - 1, first + number * span, from);
        }
    }
}

/// A file in memory that can be 256 TiB long: only what was written takes room, in pages of 4 KiB.
///
/// A clone is another file with the same contents; it shares the pages that neither changes, so it
/// costs nothing.
///
/// **Contract.** As a file on a file system with holes: what was never written, and whole pages cut off
/// by [`Resize::set_len`], are holes; zeros that were written are not.
#[derive(Debug, Default)]
pub struct SparseMemory {
    state: RwLock<State>,
}

impl SparseMemory {
    /// Makes a file that is one hole of `len` bytes.
    ///
    /// # Panics
    /// If that is more than 256 TiB.
    #[must_use]
    #[track_caller]
    pub fn with_len(len: u64) -> Self {
        assert!(len <= LIMIT, "{len} bytes are more than {LIMIT}");
        State { root: None, len }.into()
    }

    /// Makes a file with these contents. Whole pages of zeros are holes.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        State::of(bytes).into()
    }

    /// Returns a copy of the contents as they are now.
    ///
    /// # Panics
    /// If they are longer than memory.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.state().to_bytes()
    }

    /// The bytes that take room: all pages that are no holes.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        self.state().pages() * PAGE
    }

    pub(crate) fn snapshot(&self) -> State {
        self.state().clone()
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<State> for SparseMemory {
    fn from(state: State) -> Self {
        Self { state: RwLock::new(state) }
    }
}

impl Clone for SparseMemory {
    fn clone(&self) -> Self {
        self.snapshot().into()
    }
}

fn too_long(end: Option<u64>) -> io::Error {
    let end = end.unwrap_or(u64::MAX);
    io::Error::new(io::ErrorKind::FileTooLarge, format!("the file would end at {end:#x}"))
}

impl ReadAt for SparseMemory {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let state = self.state();
        let (wanted, len) = (buf.len(), state.len());
        if offset.checked_add(wanted as u64).is_none_or(|end| end > len) {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!(
                    "{wanted} bytes wanted at offset {offset:#x}, but the file ends at {len:#x}"
                ),
            ));
        }
        state.fill(buf, offset);
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.state().len())
    }
}

impl Sparse for SparseMemory {
    fn stored(&self, offset: u64, len: u64) -> io::Result<Stored> {
        let state = self.state();
        let first = offset / PAGE;
        let next = state.next_page(first).map_or(u64::MAX, |page| page * PAGE);
        if next > offset && first != next / PAGE {
            return Ok(Stored::Hole(len.min(next - offset)));
        }
        let last = (first..)
            .find(|&page| page * PAGE >= offset.saturating_add(len) || state.page(page).is_none());
        let end = last.map_or(u64::MAX, |page| page * PAGE);
        Ok(Stored::Data(len.min(end - offset)))
    }
}

impl WriteAt for SparseMemory {
    fn write_all_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        let end = offset.checked_add(buf.len() as u64);
        if end.is_none_or(|end| end > LIMIT) {
            return Err(too_long(end));
        }
        self.state_mut().put(offset, buf);
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

impl Resize for SparseMemory {
    fn set_len(&self, len: u64) -> io::Result<()> {
        if len > LIMIT {
            return Err(too_long(Some(len)));
        }
        self.state_mut().set_len(len);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Random;

    #[test]
    fn does_what_plain_memory_does() {
        let mut random = Random::new(5);
        let file = SparseMemory::default();
        let mut model: Vec<u8> = Vec::new();
        for _ in 0..400 {
            let offset = random.index(1 << 20);
            let before = (file.clone(), model.clone());
            if random.chance(1, 8) {
                file.set_len(offset as u64).unwrap();
                model.resize(offset, 0);
            } else {
                let bytes: Vec<u8> = (0..random.index(10_000)).map(|_| random.byte()).collect();
                file.write_all_at(&bytes, offset as u64).unwrap();
                let end = offset + bytes.len();
                model.resize(model.len().max(end), 0);
                model[offset..end].copy_from_slice(&bytes);
            }
            assert!(file.to_bytes() == model);
            assert!(before.0.to_bytes() == before.1, "a clone changed with its file");
            let len = random.index(model.len());
            let mut buf = vec![1; model.len() - len];
            file.read_exact_at(&mut buf, len as u64).unwrap();
            assert!(buf == model[len..]);
        }
        assert!(SparseMemory::new(&model).to_bytes() == model);
    }

    #[test]
    fn is_as_long_as_the_longest_disk() {
        let file = SparseMemory::with_len(64 << 40);
        file.write_all_at(b"end", (64 << 40) - 3).unwrap();
        file.write_all_at(b"middle", 1 << 40).unwrap();
        assert_eq!(file.len().unwrap(), 64 << 40);
        assert_eq!(file.stored_bytes(), 8192);
        let mut end = [0; 3];
        file.read_exact_at(&mut end, (64 << 40) - 3).unwrap();
        assert_eq!(&end, b"end");
        file.set_len(1 << 40).unwrap();
        assert_eq!(file.stored_bytes(), 0);
        assert!(file.read_exact_at(&mut end, (64 << 40) - 3).is_err());
        assert!(file.write_all_at(b"x", LIMIT).is_err() && file.set_len(LIMIT + 1).is_err());
        assert!(file.write_all_at(b"x", u64::MAX).is_err());
    }

    #[test]
    fn says_where_its_holes_are() {
        let file = SparseMemory::with_len(10 * PAGE);
        file.write_all_at(&[1; 5000], PAGE).unwrap();
        let stored = |offset, len| file.stored(offset, len).unwrap();
        assert_eq!(stored(0, 10 * PAGE), Stored::Hole(PAGE));
        assert_eq!(stored(100, 50), Stored::Hole(50));
        assert_eq!(stored(PAGE, 9 * PAGE), Stored::Data(2 * PAGE));
        assert_eq!(stored(PAGE + 5, 10), Stored::Data(10));
        assert_eq!(stored(2 * PAGE + 5, 5 * PAGE), Stored::Data(PAGE - 5));
        assert_eq!(stored(3 * PAGE, 7 * PAGE), Stored::Hole(7 * PAGE));
        // The page holds zeros, but it is there.
        file.write_all_at(&[0], 4 * PAGE).unwrap();
        assert_eq!(stored(4 * PAGE + 1, 2 * PAGE), Stored::Data(PAGE - 1));
        file.set_len(4 * PAGE).unwrap();
        file.set_len(8 * PAGE).unwrap();
        assert_eq!(stored(3 * PAGE, 5 * PAGE), Stored::Hole(5 * PAGE));
    }
}
