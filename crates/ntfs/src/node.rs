//! Nodes of an index of names: the root in its record, and blocks.

use imprint_blockio::Expected;
use zerocopy::FromBytes;

use crate::layout::{
    ENTRY_HAS_CHILD, ENTRY_IS_LAST, FileNameDisk, IndexEntryDisk, IndexHeaderDisk,
};
use crate::{Corruption, FileReference, Structure, Vcn};

/// Bytes of an entry without its key.
const ENTRY: usize = size_of::<IndexEntryDisk>();
/// Bytes of a key without the name's units.
const NAME: usize = size_of::<FileNameDisk>();
/// Bytes of the number of a child.
const CHILD: usize = 8;

/// A name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryEntry {
    /// The file.
    pub reference: FileReference,
    /// Its name in UTF-16; any units may be in it.
    pub name: Box<[u16]>,
    /// 0 POSIX, 1 long, 2 short, 3 both.
    pub namespace: u8,
    /// File attributes when the name was last updated, and bit 28 if it is a directory.
    pub attributes: u32,
    /// Bytes of its main data when the name was last updated.
    pub size: u64,
}

impl DirectoryEntry {
    /// Whether it is a directory's.
    #[must_use]
    pub const fn is_directory(&self) -> bool {
        self.attributes & crate::layout::NAME_IS_DIRECTORY != 0
    }
}

/// A step in a node.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// The child that holds the names before the entry's.
    pub(crate) child: Option<Vcn>,
    /// The name; `None` at the end of the node.
    pub(crate) entry: Option<DirectoryEntry>,
}

/// A step in a node of an index of any kind.
#[derive(Clone, Debug)]
pub(crate) struct RawStep {
    /// The child that holds the entries before this one.
    pub(crate) child: Option<Vcn>,
    /// Where the entry is, without the number of its child; `None` at the end of the node.
    pub(crate) entry: Option<std::ops::Range<usize>>,
}

/// The entries of a node, one after the other.
#[derive(Debug)]
pub(crate) struct Node {
    structure: Structure,
    /// Where its entries stand, or what holds them.
    offset: u64,
    /// The entries, from the node's header to the last one's end.
    bytes: Box<[u8]>,
    position: usize,
    ended: bool,
}

impl Node {
    /// Takes the bytes of a node from its header on; `offset` is where they stand on the volume.
    ///
    /// # Errors
    /// [`Corruption`] if the entries reach past the bytes.
    pub(crate) fn new(structure: Structure, offset: u64, bytes: &[u8]) -> Result<Self, Corruption> {
        let past = |field, end: u64| {
            Corruption::past_end(structure, offset, field, bytes.len() as u64, end)
        };
        let Ok((header, _)) = IndexHeaderDisk::read_from_prefix(bytes) else {
            return Err(past("node header", size_of::<IndexHeaderDisk>() as u64));
        };
        let (first, used) = (header.first.get(), header.used.get());
        let used_bytes = usize::try_from(used).ok().and_then(|used| bytes.get(..used));
        let entries = used_bytes.ok_or_else(|| past("entries", used.into()))?;
        let position = usize::try_from(first).unwrap_or(usize::MAX);
        if position < size_of::<IndexHeaderDisk>() || position > entries.len() {
            let expected = Expected::Within(size_of::<IndexHeaderDisk>() as u64, used.into());
            let field = "offset of the first entry";
            return Err(Corruption::code(structure, offset, field, expected, first.into()));
        }
        Ok(Self { structure, offset, bytes: entries.into(), position, ended: false })
    }

    /// The next entry; `None` behind the one that ends the node.
    ///
    /// # Errors
    /// [`Corruption`] if an entry is not whole, or none ends the node.
    pub(crate) fn next(&mut self) -> Result<Option<Step>, Corruption> {
        let at = self.offset + self.position as u64;
        let Some(raw) = self.next_raw()? else { return Ok(None) };
        let entry = match raw.entry {
            None => None,
            Some(range) => {
                let bytes = self.bytes.get(range).unwrap_or_default();
                let (reference, key) = match IndexEntryDisk::read_from_prefix(bytes) {
                    Ok((header, rest)) => {
                        let key = rest.get(..usize::from(header.key_length.get()));
                        (header.reference.get(), key.unwrap_or_default())
                    }
                    Err(_) => (0, &[][..]),
                };
                Some(self.name(FileReference::from_disk(reference), key, at)?)
            }
        };
        Ok(Some(Step { child: raw.child, entry }))
    }

    /// The next entry of an index of any kind; `None` behind the one that ends the node.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub(crate) fn next_raw(&mut self) -> Result<Option<RawStep>, Corruption> {
        if self.ended {
            return Ok(None);
        }
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        let at = self.offset + self.position as u64;
        let wrong = |least: usize, actual: usize| {
            let expected = Expected::Within(least as u64, rest.len() as u64);
            Corruption::number(self.structure, at, "bytes of an entry", expected, actual as u64)
        };
        let Ok((header, _)) = IndexEntryDisk::read_from_prefix(rest) else {
            return Err(wrong(ENTRY, rest.len()));
        };
        let flags = header.flags.get();
        let (has_child, ends) = (flags & ENTRY_HAS_CHILD != 0, flags & ENTRY_IS_LAST != 0);
        let key_length = if ends { 0 } else { usize::from(header.key_length.get()) };
        let least = ENTRY + key_length + if has_child { CHILD } else { 0 };
        let length = usize::from(header.length.get());
        let entry = rest.get(..length).filter(|_| length >= least && length.is_multiple_of(8));
        let entry = entry.ok_or_else(|| wrong(least, length))?;
        let child = has_child.then(|| entry.last_chunk()).flatten();
        let child = child.map(|&bytes| Vcn(u64::from_le_bytes(bytes)));
        let end = self.position + length - if has_child { CHILD } else { 0 };
        let entry = (!ends).then_some(self.position..end);
        self.position += length;
        self.ended = ends;
        Ok(Some(RawStep { child, entry }))
    }

    /// A fault of the node as a whole.
    pub(crate) const fn fault(&self, field: &'static str) -> Corruption {
        let expected = Expected::Exactly(1);
        Corruption::number(self.structure, self.offset, field, expected, 0)
    }

    /// Bytes of the node that a step names.
    pub(crate) fn bytes(&self, range: std::ops::Range<usize>) -> &[u8] {
        self.bytes.get(range).unwrap_or_default()
    }

    fn name(
        &self,
        reference: FileReference,
        key: &[u8],
        at: u64,
    ) -> Result<DirectoryEntry, Corruption> {
        let past = |end: usize| {
            let limit = key.len() as u64;
            Corruption::past_end(self.structure, at, "name", limit, end as u64)
        };
        let Ok((name, units)) = FileNameDisk::read_from_prefix(key) else {
            return Err(past(NAME));
        };
        let length = usize::from(name.length) * 2;
        let units = units.get(..length).ok_or_else(|| past(NAME + length))?;
        let (units, _) = units.as_chunks();
        Ok(DirectoryEntry {
            reference,
            name: units.iter().map(|&unit| u16::from_le_bytes(unit)).collect(),
            namespace: name.namespace,
            attributes: name.attributes.get(),
            size: name.size.get(),
        })
    }
}
