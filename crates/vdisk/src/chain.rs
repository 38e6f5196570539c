//! A disk and the disks it differs from, seen as one device.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use imprint_blockio::{BlockDevice, Extent, ReadAt, Sparse, WriteAt, check_range};
use imprint_winvalues::Guid;

use crate::container::skip_hole;
use crate::recall::Recall;
use crate::{Container, Format, Kind, ParentLink, ReadError, WritableContainer, WriteError};

/// More disks than this are not a chain anybody made: Windows' own limit is lower.
pub const MAX_DEPTH: usize = 64;

/// Differencing disks are written in units of this many bytes, or in sectors if those are larger.
const SMALLEST_UNIT: u64 = 4096;

/// A disk file cannot be a parent in this chain.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// It is not the disk the child was made for, or it was changed since.
    #[error("parent has identity {actual}, but its child was made for {expected}")]
    Identity {
        /// What the child says.
        expected: Guid,
        /// What the parent says.
        actual: Guid,
    },
    /// Parent and child are of different formats, or the parent is raw.
    #[error("parent is a {parent} disk, but its child is a {child} disk")]
    Format {
        /// The child's format.
        child: Format,
        /// The parent's format.
        parent: Format,
    },
    /// Parent and child have different sizes.
    #[error("parent has {parent} bytes, but its child has {child}")]
    Size {
        /// The child's size.
        child: u64,
        /// The parent's size.
        parent: u64,
    },
    /// Parent and child have different logical sector sizes.
    #[error("parent has sectors of {parent} bytes, but its child has sectors of {child}")]
    SectorSize {
        /// The child's sector size.
        child: u32,
        /// The parent's sector size.
        parent: u32,
    },
    /// A disk of the chain has one of its children as parent.
    #[error("disk {identity} is in the chain already: it would be its own parent")]
    Loop {
        /// Its identity.
        identity: Guid,
    },
    /// There are too many disks.
    #[error("chain should have at most {MAX_DEPTH} disks, but has more")]
    TooDeep,
    /// The last disk is differencing, and no parent was given for it.
    #[error("disk number {depth} of the chain (0 is the leaf) has no parent here")]
    Missing {
        /// Its place.
        depth: usize,
    },
    /// A parent was given to a disk that has none.
    #[error("disk number {depth} of the chain (0 is the leaf) is not differencing")]
    NotNeeded {
        /// Its place.
        depth: usize,
    },
}

/// A chain, leaf first: one device of which the parents are only read.
///
/// `L` is what the leaf can do: `dyn Container` to read, `dyn WritableContainer` to write as well.
///
/// **Contract.** The parents do not change while they are part of the chain. Reads of any range run at
/// once and see what was written. Writes may have any alignment: sectors that are written in part are
/// read first, through the whole chain. Writes and flushes wait for each other. A differencing leaf
/// gets whole units of 4 KiB, with the rest of the unit taken from its parents, because there are
/// readers that go wrong over smaller ones.
pub struct Chain<L: Container + ?Sized> {
    leaf: Box<L>,
    parents: Vec<Box<dyn Container>>,
    /// What small reads found in the disks that do not change.
    recall: Recall,
    /// Whether the leaf is one that does.
    leaf_changes: bool,
    writing: Mutex<()>,
}

/// A chain being put together, from the leaf to the base.
pub struct ChainBuilder<L: Container + ?Sized> {
    chain: Chain<L>,
}

impl<'a> ChainBuilder<dyn Container + 'a> {
    /// Begins with a leaf that does not change while the chain is there.
    #[must_use]
    pub fn for_reading(leaf: Box<dyn Container + 'a>) -> Self {
        Self { chain: Chain::of(leaf, false) }
    }
}

impl<'a> ChainBuilder<dyn WritableContainer + 'a> {
    /// Begins with a leaf that is written through the chain.
    #[must_use]
    pub fn for_writing(leaf: Box<dyn WritableContainer + 'a>) -> Self {
        Self { chain: Chain::of(leaf, true) }
    }
}

impl<L: Container + ?Sized> ChainBuilder<L> {
    /// What the last disk says of its parent; `None` if the chain is whole.
    #[must_use]
    pub fn wanted(&self) -> Option<&ParentLink> {
        match self.chain.parents.last() {
            Some(last) => last.parent(),
            None => self.chain.leaf.parent(),
        }
    }

    /// The leaf.
    #[must_use]
    pub fn leaf(&self) -> &L {
        self.chain.leaf()
    }

    /// The parents there are so far, the leaf's own first.
    #[must_use]
    pub fn parents(&self) -> &[Box<dyn Container>] {
        self.chain.parents()
    }

    /// Adds the parent of the last disk.
    ///
    /// # Errors
    /// Why it is not that parent.
    pub fn push(&mut self, parent: Box<dyn Container>) -> Result<(), LinkError> {
        let depth = self.chain.parents.len();
        let link = self.wanted().ok_or(LinkError::NotNeeded { depth })?;
        if depth + 1 >= MAX_DEPTH {
            return Err(LinkError::TooDeep);
        }
        check_parent(&*self.chain.leaf, link, &*parent)?;
        let identities = self.chain.parents.iter().map(|disk| disk.identity());
        let mut above = identities.chain([self.chain.leaf.identity()]);
        let identity = parent.identity();
        if let Some(identity) = above.find(|&above| above == identity).flatten() {
            return Err(LinkError::Loop { identity });
        }
        self.chain.parents.push(parent);
        Ok(())
    }

    /// Returns the chain.
    ///
    /// # Errors
    /// [`LinkError::Missing`] if the last disk needs a parent.
    pub fn finish(self) -> Result<Chain<L>, LinkError> {
        let depth = self.chain.parents.len();
        if self.wanted().is_some() { Err(LinkError::Missing { depth }) } else { Ok(self.chain) }
    }
}

/// Holds a disk against what another says of its parent.
///
/// # Errors
/// Why it is not that parent; [`LinkError::NotNeeded`] if the child has none.
pub fn check_link(
    child: &(impl Container + ?Sized),
    parent: &(impl Container + ?Sized),
) -> Result<(), LinkError> {
    let link = child.parent().ok_or(LinkError::NotNeeded { depth: 0 })?;
    check_parent(child, link, parent)
}

/// Holds a parent against what its child says, and against the leaf, whose size all have.
fn check_parent(
    leaf: &(impl Container + ?Sized),
    link: &ParentLink,
    parent: &(impl Container + ?Sized),
) -> Result<(), LinkError> {
    let formats = (leaf.format(), parent.format());
    let Some(actual) = parent.identity().filter(|_| formats.0 == formats.1) else {
        return Err(LinkError::Format { child: formats.0, parent: formats.1 });
    };
    if !link.accepts(actual) {
        return Err(LinkError::Identity { expected: link.identity, actual });
    }
    if leaf.size() != parent.size() {
        return Err(LinkError::Size { child: leaf.size(), parent: parent.size() });
    }
    if leaf.sector_size() != parent.sector_size() {
        let (child, parent) = (leaf.sector_size(), parent.sector_size());
        return Err(LinkError::SectorSize { child, parent });
    }
    Ok(())
}

impl<L: Container + ?Sized> Chain<L> {
    fn of(leaf: Box<L>, leaf_changes: bool) -> Self {
        let (recall, writing) = (Recall::default(), Mutex::new(()));
        Self { leaf, parents: Vec::new(), recall, leaf_changes, writing }
    }

    /// The leaf.
    #[must_use]
    pub fn leaf(&self) -> &L {
        &self.leaf
    }

    /// The parents, the leaf's own first.
    #[must_use]
    pub fn parents(&self) -> &[Box<dyn Container>] {
        &self.parents
    }

    /// The size of the device in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.leaf.size()
    }

    /// The file in which the offsets of an [`Extent::Data`] with this `file` count.
    #[must_use]
    pub fn storage(&self, file: usize) -> Option<&dyn Sparse> {
        match file.checked_sub(1) {
            None => Some(self.leaf.storage()),
            Some(parent) => self.parents.get(parent).map(|disk| disk.storage()),
        }
    }

    /// Says where the bytes at `offset` are, over all disks; holes of the files count as data.
    ///
    /// # Errors
    /// As [`Container::resolve`].
    pub fn resolve(&self, offset: u64, len: u64) -> Result<Extent, ReadError> {
        let mut len = len;
        if self.leaf_changes {
            match self.leaf.resolve(offset, len)? {
                Extent::Parent { len: here } => len = here,
                found => return Ok(found),
            }
        }
        // A disk alone answers as fast as what is remembered of it.
        let small = Recall::span(offset, len, self.size()).filter(|_| !self.parents.is_empty());
        let Some(span) = small else { return self.resolve_constant(offset, len) };
        if let Some(known) = self.recall.get(offset, len) {
            return Ok(known);
        }
        let found = self.resolve_constant(offset, span)?;
        self.recall.put(offset, found);
        Ok(found.cut(len))
    }

    /// Says where bytes are in those disks of the chain that do not change.
    fn resolve_constant(&self, offset: u64, mut len: u64) -> Result<Extent, ReadError> {
        if !self.leaf_changes {
            match self.leaf.resolve(offset, len)? {
                Extent::Parent { len: here } => len = here,
                found => return Ok(found),
            }
        }
        for (index, disk) in self.parents.iter().enumerate() {
            let depth = index + 1;
            let found = disk.resolve(offset, len).map_err(|error| {
                let source = Box::new(error);
                ReadError::InParent { depth, source }
            })?;
            match found {
                Extent::Parent { len: here } => len = here,
                Extent::Data { offset, len, .. } => {
                    return Ok(Extent::Data { file: depth, offset, len });
                }
                zero @ Extent::Zero { .. } => return Ok(zero),
            }
        }
        // The base of a chain has no parent, so that nothing comes here.
        Ok(Extent::Zero { len })
    }
}

impl Chain<dyn WritableContainer> {
    fn lock(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the leaf is written in, bytes: sectors, or in a differencing disk 4 KiB if they are smaller.
    ///
    /// A sector bitmap may say anything of each sector, but not every reader follows. Observed:
    /// libvhdi 20210425 reads sectors of a VHD's parent as zeros if they share a byte of the bitmap
    /// with one of the child; dissect.hypervisor 3.21 misreads a VHDX's bitmap from inside a byte. A
    /// byte stands for 4 KiB of sectors of 512 bytes.
    fn unit(&self) -> u64 {
        let sector = u64::from(self.leaf.sector_size());
        let wide = self.leaf.kind() == Kind::Differencing
            && u64::from(self.leaf.block_size()).is_multiple_of(SMALLEST_UNIT);
        if wide { sector.max(SMALLEST_UNIT) } else { sector }
    }

    /// Writes bytes that are part of one unit.
    fn patch(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let within = |unit: u64| {
            let start = offset / unit * unit;
            let end = (offset + bytes.len() as u64).next_multiple_of(unit).min(self.size());
            (start, end - start)
        };
        let (sectors, unit) = (within(self.leaf.sector_size().into()), within(self.unit()));
        let found = self.leaf.resolve(unit.0, unit.1).map_err(read_failed)?;
        let is_here = matches!(found, Extent::Data { len, .. } if len == unit.1);
        if is_here || sectors == unit {
            let whole = self.patched(bytes, offset, sectors)?;
            return self.leaf.write(&whole, sectors.0).map_err(write_failed);
        }
        let whole = self.patched(bytes, offset, unit)?;
        // What nobody asked to change can be read meanwhile: the leaf says that it has it only when it
        // has. A unit lies in one block, so that all of it has room where its sectors have.
        let placed = self.leaf.allocate(sectors.0, sectors.1).map_err(write_failed)?;
        let start = placed.offset.saturating_sub(sectors.0 - unit.0);
        self.leaf.target().write_all_at(&whole, start)?;
        self.leaf.allocate(unit.0, unit.1).map_err(write_failed)?;
        Ok(())
    }

    /// The bytes of a place on the device with those at `offset` changed.
    fn patched(&self, bytes: &[u8], offset: u64, place: (u64, u64)) -> io::Result<Vec<u8>> {
        let (start, len) = place;
        // At most a unit.
        let mut whole = vec![0; usize::try_from(len).unwrap_or(0)];
        if len != bytes.len() as u64 {
            self.read_exact_at(&mut whole, start)?;
        }
        let within = usize::try_from(offset - start).unwrap_or(0);
        if let Some(part) = whole.get_mut(within..within + bytes.len()) {
            part.copy_from_slice(bytes);
        }
        Ok(whole)
    }

    /// Makes a range of the device read as zeros, without storing them where the leaf can.
    ///
    /// # Errors
    /// Whatever the storage reports; a part of the range may be zero then.
    pub fn write_zeroes(&self, offset: u64, len: u64) -> io::Result<()> {
        if len == 0 {
            return Ok(());
        }
        check_range(offset, len, self.size())?;
        let unit = self.unit();
        let end = offset + len;
        let first = offset.next_multiple_of(unit).min(end);
        let last = if end == self.size() { end } else { (end / unit * unit).max(first) };
        for (start, end) in [(offset, first), (last, end)] {
            // At most a unit each.
            self.write_all_at(&vec![0; usize::try_from(end - start).unwrap_or(0)], start)?;
        }
        if first == last {
            return Ok(());
        }
        let _one_at_a_time = self.lock();
        self.leaf.write_zeroes(first, last - first).map_err(write_failed)
    }

    /// Commits everything and leaves the leaf as a file that nobody has open.
    ///
    /// # Errors
    /// Whatever the storage reports.
    pub fn close(self) -> Result<(), WriteError> {
        self.leaf.close()
    }
}

impl<L: Container + ?Sized> ReadAt for Chain<L> {
    fn read_exact_at(&self, mut buf: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !buf.is_empty() {
            let extent = self.resolve(offset, buf.len() as u64).map_err(read_failed)?;
            let len = usize::try_from(extent.len()).unwrap_or(buf.len()).clamp(1, buf.len());
            let (piece, rest) = buf.split_at_mut(len);
            match extent {
                Extent::Data { file, offset, .. } => match self.storage(file) {
                    Some(storage) => storage.read_exact_at(piece, offset)?,
                    None => return Err(io::ErrorKind::NotFound.into()),
                },
                Extent::Zero { .. } | Extent::Parent { .. } => piece.fill(0),
            }
            offset += len as u64;
            buf = rest;
        }
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.size())
    }
}

impl<L: Container + ?Sized> BlockDevice for Chain<L> {
    fn sector_size(&self) -> u32 {
        self.leaf.sector_size()
    }

    fn extent(&self, offset: u64, len: u64) -> io::Result<Extent> {
        let extent = self.resolve(offset, len).map_err(read_failed)?;
        let Extent::Data { file, .. } = extent else { return Ok(extent) };
        let Some(storage) = self.storage(file) else { return Ok(extent) };
        skip_hole(extent, storage).map_err(read_failed)
    }
}

impl WriteAt for Chain<dyn WritableContainer> {
    fn write_all_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        if buf.is_empty() {
            return Ok(());
        }
        check_range(offset, buf.len() as u64, self.size())?;
        let _one_at_a_time = self.lock();
        let unit = self.unit();
        let end = offset + buf.len() as u64;
        // Only units written in part are read and patched; those between are written as they are.
        let first = offset.next_multiple_of(unit).min(end);
        let last = if end == self.size() { end } else { (end / unit * unit).max(first) };
        let (head, rest) = buf.split_at(usize::try_from(first - offset).unwrap_or(buf.len()));
        let (middle, tail) = rest.split_at(usize::try_from(last - first).unwrap_or(rest.len()));
        self.patch(head, offset)?;
        self.leaf.write(middle, first).map_err(write_failed)?;
        self.patch(tail, last)
    }

    fn flush(&self) -> io::Result<()> {
        let _one_at_a_time = self.lock();
        self.leaf.commit().map_err(write_failed)
    }
}

/// A [`ReadError`] as the traits of `blockio` want it.
fn read_failed(error: ReadError) -> io::Error {
    io::Error::new(read_kind(&error), error)
}

fn read_kind(error: &ReadError) -> io::ErrorKind {
    match error {
        ReadError::Io { source, .. } => source.kind(),
        ReadError::Corruption(_) => io::ErrorKind::InvalidData,
        ReadError::OutOfRange { .. } => io::ErrorKind::UnexpectedEof,
        ReadError::InParent { source, .. } => read_kind(source),
    }
}

/// A [`WriteError`] as the traits of `blockio` want it.
fn write_failed(error: WriteError) -> io::Error {
    let kind = match &error {
        WriteError::Io { source, .. } | WriteError::Flush(source) => source.kind(),
        WriteError::Read(_) => io::ErrorKind::InvalidData,
        WriteError::OutOfRange { .. } => io::ErrorKind::InvalidInput,
        WriteError::Full { .. } => io::ErrorKind::FileTooLarge,
        WriteError::Poisoned => io::ErrorKind::Other,
    };
    io::Error::new(kind, error)
}
