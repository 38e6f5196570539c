//! Directories: names looked up and listed through their index.

use std::cmp::Ordering;
use std::collections::HashSet;

use imprint_blockio::{Expected, ReadAt};
use zerocopy::FromBytes;

use crate::clusters::{Clusters, Piece};
use crate::layout::{INDEX_SIGNATURE, IndexBlockDisk, IndexRootDisk, collation};
use crate::node::{DirectoryEntry, Node};
use crate::record::Protected;
use crate::{
    AttributeKind, Corruption, FileReference, FileValue, ReadError, RecordNumber, Structure,
    UpCase, Vcn, Volume,
};

/// The directory that holds all others.
const ROOT: RecordNumber = RecordNumber(5);
/// `$I30`, what the attributes of an index of names are called.
const INDEX_NAME: &[u8] = b"$\0I\x003\x000\0";
/// Bytes of a block that programs make: 4096 and, of large clusters, up to 64 KiB.
const BLOCK_SIZES: std::ops::RangeInclusive<u32> = 512..=65_536;
/// Windows' trees of millions of names are four nodes deep.
const MAX_DEPTH: usize = 16;

/// A directory, open for looking into it.
#[derive(Debug)]
pub struct Directory<'v, D> {
    volume: &'v Volume<D>,
    reference: FileReference,
    /// The value of `$INDEX_ROOT` behind what describes the index.
    root: Box<[u8]>,
    /// Where `$INDEX_ROOT` stands on the volume.
    root_at: u64,
    block_size: usize,
    /// Bytes that a block's number counts.
    unit: u64,
    blocks: Option<Clusters>,
}

impl<D: ReadAt> Volume<D> {
    /// Opens a directory. `None` if the record is not in use, or not a directory's.
    ///
    /// # Errors
    /// [`ReadError`] if its records or what describes its index are not as they should be.
    pub fn directory(&self, number: RecordNumber) -> Result<Option<Directory<'_, D>>, ReadError> {
        let Some(file) = self.file(number)?.filter(|file| file.is_directory) else {
            return Ok(None);
        };
        let mut root = None;
        let mut blocks = None;
        for found in file.attributes {
            if *found.name != *INDEX_NAME {
                continue;
            }
            match (found.kind, found.value) {
                (AttributeKind::INDEX_ROOT, FileValue::Resident(value)) => {
                    root = Some((value, found.offset));
                }
                (AttributeKind::INDEX_ALLOCATION, FileValue::Clusters(value)) => {
                    blocks = Some(value);
                }
                _ => {}
            }
        }
        let structure = Structure::Attribute(number, AttributeKind::INDEX_ROOT);
        let Some((value, root_at)) = root else {
            let (field, expected) = ("attributes in the record", Expected::Exactly(1));
            return Err(Corruption::number(structure, 0, field, expected, 0).into());
        };
        let block_size = block_size(&value, structure, root_at)?;
        let cluster_size = self.geometry().cluster_size;
        let unit = if cluster_size > block_size { 512 } else { cluster_size };
        Ok(Some(Directory {
            volume: self,
            reference: file.reference,
            root: value.get(size_of::<IndexRootDisk>()..).unwrap_or_default().into(),
            root_at,
            block_size: usize::try_from(block_size).unwrap_or(0),
            unit: unit.into(),
            blocks,
        }))
    }

    /// Finds a file by its path from the root; its names are parted by `/` or `\`, and case does not count where
    /// no name is the very same. `None` if there is none. The empty path is the root.
    ///
    /// # Errors
    /// [`ReadError`] in a directory on the way; [`Corruption`] if a name leads to a record that is another file's
    /// by now.
    pub fn find(&self, path: &str, upcase: &UpCase) -> Result<Option<FileReference>, ReadError> {
        let parts = path.split(['/', '\\']).filter(|part| !part.is_empty());
        let names: Vec<Vec<u16>> = parts.map(|part| part.encode_utf16().collect()).collect();
        self.find_names(names.iter().map(Vec::as_slice), upcase)
    }

    /// Finds a file by the names that lead to it from the root, as [`Self::find`] does.
    ///
    /// # Errors
    /// As [`Self::find`].
    pub fn find_names<'n>(
        &self,
        names: impl IntoIterator<Item = &'n [u16]>,
        upcase: &UpCase,
    ) -> Result<Option<FileReference>, ReadError> {
        let mut bytes = Vec::new();
        let Some(root) = self.record(ROOT, &mut bytes)? else { return Ok(None) };
        let mut at = root.reference();
        for name in names {
            let Some(directory) = self.directory(at.record)? else { return Ok(None) };
            let Some(entry) = directory.lookup(name, upcase)? else { return Ok(None) };
            at = entry.reference;
            let found = self.record(at.record, &mut bytes)?.map(|record| record.reference());
            if found != Some(at) {
                let structure = Structure::FileRecord(at.record);
                let (field, expected) = ("use count", Expected::Exactly(at.use_count.into()));
                let actual = found.map_or(0, |found| found.use_count.into());
                return Err(Corruption::number(structure, 0, field, expected, actual).into());
            }
        }
        Ok(Some(at))
    }
}

/// Checks what describes an index of names.
fn block_size(value: &[u8], structure: Structure, at: u64) -> Result<u32, Corruption> {
    let Ok((root, _)) = IndexRootDisk::read_from_prefix(value) else {
        let (limit, end) = (value.len() as u64, size_of::<IndexRootDisk>() as u64);
        return Err(Corruption::past_end(structure, at, "index header", limit, end));
    };
    let code = |field, expected: u32, actual: u32| {
        let expected = Expected::Exactly(expected.into());
        Corruption::code(structure, at, field, expected, actual.into())
    };
    if root.kind.get() != AttributeKind::FILE_NAME.0 {
        return Err(code("type of the keys", AttributeKind::FILE_NAME.0, root.kind.get()));
    }
    if root.collation.get() != collation::FILE_NAME {
        return Err(code("order of the keys", collation::FILE_NAME, root.collation.get()));
    }
    let size = root.block_size.get();
    if !BLOCK_SIZES.contains(&size) || !size.is_power_of_two() {
        let expected = Expected::Within((*BLOCK_SIZES.start()).into(), (*BLOCK_SIZES.end()).into());
        return Err(Corruption::number(structure, at, "bytes of a block", expected, size.into()));
    }
    Ok(size)
}

impl<D: ReadAt> Directory<'_, D> {
    /// The reference to it.
    #[must_use]
    pub const fn reference(&self) -> FileReference {
        self.reference
    }

    /// Its names, in the order of the index. An error ends them.
    ///
    /// # Errors
    /// Of the iterator when it is made: [`ReadError`] in the index's root.
    pub fn entries(&self) -> Result<Entries<'_, D>, ReadError> {
        Ok(Entries { stack: vec![(self.root()?, None)], path: Path::new(self), ended: false })
    }

    /// Finds a name: the very same or, if there is none, one that differs in case alone. Short names are found too.
    ///
    /// # Errors
    /// [`ReadError`] in a node on the way.
    pub fn lookup(
        &self,
        name: &[u16],
        upcase: &UpCase,
    ) -> Result<Option<DirectoryEntry>, ReadError> {
        let same = self.search(|other| upcase.order(other, name))?;
        if same.is_some() {
            return Ok(same);
        }
        self.search(|other| upcase.compare(other, name))
    }

    /// Goes down to the entry that `compare` calls equal.
    fn search(
        &self,
        compare: impl Fn(&[u16]) -> Ordering,
    ) -> Result<Option<DirectoryEntry>, ReadError> {
        let mut path = Path::new(self);
        let mut depth = 1;
        let mut node = self.root()?;
        while let Some(step) = node.next()? {
            match step.entry.as_ref().map(|entry| compare(&entry.name)) {
                Some(Ordering::Less) => continue,
                Some(Ordering::Equal) => return Ok(step.entry),
                Some(Ordering::Greater) | None => {}
            }
            let Some(child) = step.child else { return Ok(None) };
            node = path.child(child, depth)?;
            depth += 1;
        }
        Ok(None)
    }

    fn root(&self) -> Result<Node, Corruption> {
        let number = self.reference.record;
        let structure = Structure::Attribute(number, AttributeKind::INDEX_ROOT);
        Node::new(structure, self.root_at, &self.root)
    }
}

/// The blocks read on the way, each of which may be met once.
#[derive(Debug)]
struct Path<'d, D> {
    directory: &'d Directory<'d, D>,
    met: HashSet<Vcn>,
}

impl<'d, D: ReadAt> Path<'d, D> {
    fn new(directory: &'d Directory<'_, D>) -> Self {
        Self { directory, met: HashSet::new() }
    }

    /// Reads the child of a node that is so deep.
    fn child(&mut self, number: Vcn, depth: usize) -> Result<Node, ReadError> {
        let directory = self.directory;
        let record = directory.reference.record;
        let structure = Structure::Attribute(record, AttributeKind::INDEX_ALLOCATION);
        let wrong = |field, expected, actual| {
            Corruption::number(structure, directory.root_at, field, expected, actual)
        };
        if depth >= MAX_DEPTH {
            let expected = Expected::AtMost(MAX_DEPTH as u64);
            return Err(wrong("depth of the index", expected, depth as u64 + 1).into());
        }
        if !self.met.insert(number) {
            let expected = Expected::Exactly(1);
            return Err(wrong("parents of an index block", expected, 2).into());
        }
        let place = IndexPlace {
            structure,
            root_at: directory.root_at,
            block_size: directory.block_size,
            unit: directory.unit,
        };
        let blocks = directory.blocks.as_ref();
        let (bytes, offset) = place.read_block(directory.volume, blocks, number)?;
        let entries = bytes.get(BLOCK_HEADER..).unwrap_or_default();
        Ok(Node::new(structure, offset + BLOCK_HEADER as u64, entries)?)
    }
}

/// Bytes of a block before its node.
pub(crate) const BLOCK_HEADER: usize = size_of::<IndexBlockDisk>();

/// The measures of an index, and where it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IndexPlace {
    pub(crate) structure: Structure,
    /// Where `$INDEX_ROOT` stands on the volume.
    pub(crate) root_at: u64,
    pub(crate) block_size: usize,
    /// Bytes that a block's number counts.
    pub(crate) unit: u64,
}

impl IndexPlace {
    /// Reads a block, its sectors joined; returns where it stands on the volume as well.
    ///
    /// # Errors
    /// [`ReadError`], also if there is no such block.
    pub(crate) fn read_block(
        &self,
        volume: &Volume<impl ReadAt>,
        blocks: Option<&Clusters>,
        number: Vcn,
    ) -> Result<(Vec<u8>, u64), ReadError> {
        let structure = self.structure;
        let size = blocks.map_or(0, Clusters::size);
        let at = number.0.saturating_mul(self.unit);
        let end = at.saturating_add(self.block_size as u64);
        let Some(blocks) = blocks.filter(|_| end <= size) else {
            let at = self.root_at;
            return Err(Corruption::past_end(structure, at, "index block", size, end).into());
        };
        let mut bytes = vec![0; self.block_size];
        blocks.read(volume.device(), &mut bytes, at)?;
        let offset = match blocks.piece(at, 1) {
            Some(Piece::Data { offset, .. }) => offset,
            Some(Piece::Zero { .. }) | None => 0,
        };
        Protected { structure, signature: INDEX_SIGNATURE, offset }.join_sectors(&mut bytes)?;
        let header = IndexBlockDisk::read_from_prefix(&bytes).ok();
        let found = header.map(|(block, _)| block.vcn.get());
        if found != Some(number.0) {
            let (expected, actual) = (Expected::Exactly(number.0), found.unwrap_or(0));
            let field = "number of the block";
            return Err(
                Corruption::number(structure, offset + 0x10, field, expected, actual).into()
            );
        }
        Ok((bytes, offset))
    }
}

/// The names of a directory, in the order of its index.
#[derive(Debug)]
pub struct Entries<'d, D> {
    /// The nodes from the root to where it is; with each the entry that follows when its child is done.
    stack: Vec<(Node, Option<DirectoryEntry>)>,
    path: Path<'d, D>,
    ended: bool,
}

impl<D: ReadAt> Entries<'_, D> {
    fn step(&mut self) -> Result<Option<DirectoryEntry>, ReadError> {
        loop {
            let depth = self.stack.len();
            let Some((node, waiting)) = self.stack.last_mut() else { return Ok(None) };
            if let Some(entry) = waiting.take() {
                return Ok(Some(entry));
            }
            match node.next()? {
                None => {
                    self.stack.pop();
                }
                Some(step) => {
                    *waiting = step.entry;
                    if let Some(child) = step.child {
                        let child = self.path.child(child, depth)?;
                        self.stack.push((child, None));
                    }
                }
            }
        }
    }
}

impl<D: ReadAt> Iterator for Entries<'_, D> {
    type Item = Result<DirectoryEntry, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let step = self.step().transpose();
        self.ended = !matches!(step, Some(Ok(_)));
        step
    }
}
