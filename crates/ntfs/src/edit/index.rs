//! Indexes of a file: opened, changed, written back.

use std::cmp::Ordering;

use imprint_blockio::{Expected, WriteAt};
use zerocopy::FromBytes;

use super::inode::Inode;
use super::save::{next_number, update_number};
use super::space::{set_bits, stage_value};
use super::table::{end_of, extend, resident};
use super::tree::{Blocks, Entry, Node, Tree};
use super::{EditError, Editor};
use crate::directory::{BLOCK_HEADER, IndexPlace};
use crate::encode::{
    Body, IndexKind, IndexShape, NewAttribute, Placed, add_child, align8, block, last_entry,
    renumber, room, root_value,
};
use crate::layout::{IndexEntryDisk, IndexRootDisk, collation};
use crate::node::Node as StoredNode;
use crate::{AttributeKind, Corruption, Structure, UpCase, Vcn};

/// Bytes of the root's value before its entries.
const ROOT: usize = 0x20;
/// Bytes of the header of `$INDEX_ROOT`, and of its name.
const ROOT_HEADER: usize = 0x18 + 8;
/// Bytes of `$INDEX_ALLOCATION` and `$BITMAP`, which come beside the root of an index with blocks.
const BESIDE_ROOT: usize = 0x40 + 8 + 16 + 0x18 + 8 + 8;
/// What the root of an index gets at least; then the file needs further records.
const LEAST_ROOT: usize = 0xe0;
/// Where the update sequence of a block is.
const SEQUENCE: usize = 0x28;

/// An index of a file, by its name, and what it holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct IndexName {
    pub(super) name: &'static str,
    pub(super) kind: IndexKind,
}

impl IndexName {
    pub(super) const fn view(name: &'static str, collation: u32) -> Self {
        Self { name, kind: IndexKind { attribute: 0, collation } }
    }

    pub(super) fn units(self) -> Vec<u16> {
        self.name.encode_utf16().collect()
    }
}

/// The names of a directory.
pub(super) const NAMES: IndexName = IndexName {
    name: "$I30",
    kind: IndexKind { attribute: AttributeKind::FILE_NAME.0, collation: collation::FILE_NAME },
};

/// The key of an entry.
pub(super) fn key(entry: &[u8]) -> &[u8] {
    let Ok((header, rest)) = IndexEntryDisk::read_from_prefix(entry) else { return &[] };
    rest.get(..usize::from(header.key_length.get())).unwrap_or_default()
}

/// The name in the key of an entry of a directory.
pub(super) fn name_of(entry: &[u8]) -> Vec<u16> {
    let units = key(entry).get(0x42..).unwrap_or_default();
    units.as_chunks().0.iter().map(|&unit| u16::from_le_bytes(unit)).collect()
}

/// Compares entries of a directory with a name: first without case, then with it.
pub(super) fn by_name<'a>(name: &'a [u16], upcase: &'a UpCase) -> impl Fn(&[u8]) -> Ordering + 'a {
    move |entry| upcase.order(&name_of(entry), name)
}

/// Compares entries of a view index with a key of 32-bit numbers, the first of which counts most.
pub(super) fn by_words(wanted: &[u8]) -> impl Fn(&[u8]) -> Ordering + '_ {
    let words = |bytes: &[u8]| -> Vec<u32> {
        bytes.as_chunks().0.iter().map(|&word| u32::from_le_bytes(word)).collect()
    };
    move |entry| words(key(entry)).cmp(&words(wanted))
}

impl<D: WriteAt> Editor<D> {
    /// Opens an index of a file, lets it be changed, and writes its blocks. The file itself is changed in memory only.
    pub(super) fn with_index<R>(
        &mut self,
        inode: &mut Inode,
        index: IndexName,
        act: impl FnOnce(&mut Tree<Stored<'_, D>>) -> Result<R, EditError>,
    ) -> Result<R, EditError> {
        let name = index.units();
        let structure = Structure::Attribute(inode.record(), AttributeKind::INDEX_ROOT);
        let wrong = |field, expected, actual| {
            Corruption::number(structure, 0, field, Expected::Exactly(expected), actual)
        };
        let root = inode.resident(AttributeKind::INDEX_ROOT, &name).unwrap_or_default();
        let Ok((head, _)) = IndexRootDisk::read_from_prefix(root) else {
            return Err(wrong("attributes in the record", 1, 0).into());
        };
        let expected = (index.kind.attribute, index.kind.collation);
        if (head.kind.get(), head.collation.get()) != expected {
            let (expected, actual) = (expected.1.into(), head.collation.get().into());
            return Err(wrong("order of the keys", expected, actual).into());
        }
        let place = self.index_place(structure, head.block_size.get())?;
        let shape = IndexShape {
            block_size: place.block_size,
            step: place.block_size as u64 / place.unit,
            root_room: 0,
        };
        let entries = root.get(size_of::<IndexRootDisk>()..).unwrap_or_default();
        let root = parse(StoredNode::new(structure, 0, entries)?, shape.step)?;
        let root_room = self.root_room(inode, &name);
        let allocation = inode.find(AttributeKind::INDEX_ALLOCATION, &name);
        let placed = match allocation.map(|found| &found.body) {
            Some(Body::Clusters(placed)) => placed.clone(),
            _ => Placed::default(),
        };
        let bits = match inode.find(AttributeKind::BITMAP, &name) {
            Some(found) => self.volume.held_value(inode, found)?,
            None => Vec::new(),
        };
        let had_blocks = !placed.runs.is_empty();
        let stored = Stored { editor: self, place, shape, placed, bits, changed: false };
        let mut tree = Tree::new(stored, root, root_room, shape.room());
        let result = act(&mut tree)?;
        tree.write()?;
        let root_changed = tree.root_changed;
        let mut root = Vec::new();
        if root_changed {
            let entries = encode(&tree.root, shape.step);
            root = root_value(index.kind, shape, &entries, tree.root.last_child.is_some());
        }
        let is_flat = tree.root.last_child.is_none();
        let Stored { placed, bits, changed, .. } = tree.blocks;
        if root_changed && let Some(found) = inode.find_mut(AttributeKind::INDEX_ROOT, &name) {
            found.body = resident(root);
        }
        if is_flat && had_blocks {
            self.drop_blocks(inode, &name);
        } else if changed {
            self.put_blocks(inode, index, placed, bits)?;
        }
        Ok(result)
    }

    fn index_place(&self, structure: Structure, size: u32) -> Result<IndexPlace, EditError> {
        let cluster = self.cluster_size();
        let unit = if cluster > size { 512 } else { cluster };
        if !size.is_power_of_two() || !(unit..=65_536).contains(&size) {
            let expected = Expected::Within(unit.into(), 65_536);
            let field = "bytes of a block";
            return Err(Corruption::number(structure, 0, field, expected, size.into()).into());
        }
        let block_size = usize::try_from(size).unwrap_or(0);
        Ok(IndexPlace { structure, root_at: 0, block_size, unit: unit.into() })
    }

    /// How many bytes the entries of a file's index may take in its record.
    fn root_room(&self, inode: &Inode, name: &[u16]) -> usize {
        let others = inode
            .attributes
            .iter()
            .filter(|found| found.kind != AttributeKind::INDEX_ROOT || found.name.units() != name);
        let others: usize = others.map(NewAttribute::size).sum();
        let left = room(self.record_size()).saturating_sub(others + ROOT_HEADER + ROOT);
        let has_blocks = inode.find(AttributeKind::INDEX_ALLOCATION, name).is_some();
        // A root without blocks may use what they will take.
        let left = if has_blocks { left } else { left.max(BESIDE_ROOT) };
        (left / 8 * 8).max(LEAST_ROOT)
    }

    /// Gives the blocks of an index back, which needs none any more.
    pub(super) fn drop_blocks(&mut self, inode: &mut Inode, name: &[u16]) {
        for kind in [AttributeKind::INDEX_ALLOCATION, AttributeKind::BITMAP] {
            if let Some(NewAttribute { body: Body::Clusters(placed), .. }) = inode.take(kind, name)
            {
                self.space.give_back(&placed.runs);
            }
        }
    }

    /// Sets the attributes that say where the blocks of an index are, and which are in use.
    fn put_blocks(
        &mut self,
        inode: &mut Inode,
        index: IndexName,
        placed: Placed,
        bits: Vec<u8>,
    ) -> Result<(), EditError> {
        let name = index.units();
        let upcase = self.upcase.clone();
        let named = |kind, body| {
            let name = std::borrow::Cow::Owned(index.name.into());
            NewAttribute::named(kind, name, body)
        };
        let blocks = AttributeKind::INDEX_ALLOCATION;
        match inode.find_mut(blocks, &name) {
            Some(found) => found.body = Body::Clusters(placed),
            None => inode.put(named(blocks, Body::Clusters(placed)), &upcase),
        }
        let old = match inode.find(AttributeKind::BITMAP, &name).map(|found| &found.body) {
            Some(Body::Clusters(old)) => old.clone(),
            Some(Body::Resident(_)) => {
                if let Some(found) = inode.find_mut(AttributeKind::BITMAP, &name) {
                    found.body = resident(bits);
                }
                return Ok(());
            }
            None => {
                inode.put(named(AttributeKind::BITMAP, resident(bits)), &upcase);
                return Ok(());
            }
        };
        let size = bits.len() as u64;
        let new = if size <= old.allocated {
            let new = Placed { size, initialised: size, ..old };
            let structure = Structure::Attribute(inode.record(), AttributeKind::BITMAP);
            stage_value(&self.volume, &self.volume.clusters_of(structure, &new), &bits, 0)?;
            new
        } else {
            self.space.give_back(&old.runs);
            self.put_value(&bits, end_of(&old))?
        };
        if let Some(found) = inode.find_mut(AttributeKind::BITMAP, &name) {
            found.body = Body::Clusters(new);
        }
        Ok(())
    }
}

/// The blocks of an index on the volume.
pub(super) struct Stored<'e, D> {
    pub(super) editor: &'e mut Editor<D>,
    place: IndexPlace,
    shape: IndexShape,
    placed: Placed,
    /// One bit for each block that is in use.
    bits: Vec<u8>,
    /// Whether blocks came or went.
    changed: bool,
}

impl<D: WriteAt> Stored<'_, D> {
    const fn structure(&self) -> Structure {
        match self.place.structure {
            Structure::Attribute(record, _) => {
                Structure::Attribute(record, AttributeKind::INDEX_ALLOCATION)
            }
            other => other,
        }
    }

    fn blocks(&self) -> u64 {
        self.placed.size / self.place.block_size as u64
    }

    fn bit(&self, number: u64) -> bool {
        let byte = usize::try_from(number / 8).ok().and_then(|index| self.bits.get(index));
        byte.is_some_and(|byte| byte & (1 << (number % 8)) != 0)
    }

    fn set(&mut self, number: u64, used: bool) {
        set_bits(&mut self.bits, number, number + 1, used);
        self.changed = true;
    }

    /// Makes room for one block more.
    fn grow(&mut self) -> Result<u64, EditError> {
        let (number, size) = (self.blocks(), self.place.block_size as u64);
        let end = (number + 1) * size;
        if end > self.placed.allocated {
            let cluster = u64::from(self.editor.cluster_size());
            let wanted = (end - self.placed.allocated).div_ceil(cluster);
            let near = end_of(&self.placed);
            let runs = self.editor.space.take(&self.editor.volume, wanted, near)?;
            extend(&mut self.placed, &runs, cluster);
        }
        (self.placed.size, self.placed.initialised) = (end, end);
        let bytes = align8(usize::try_from((number + 1).div_ceil(8)).unwrap_or(0));
        self.bits.resize(bytes.max(self.bits.len()), 0);
        Ok(number)
    }
}

impl<D: WriteAt> Blocks for Stored<'_, D> {
    fn load(&mut self, number: u64) -> Result<Node, EditError> {
        let structure = self.structure();
        let place = IndexPlace { structure, ..self.place };
        let value = self.editor.volume.clusters_of(structure, &self.placed);
        let vcn = Vcn(number.saturating_mul(self.shape.step));
        let (bytes, offset) = place.read_block(&self.editor.volume, Some(&value), vcn)?;
        let entries = bytes.get(BLOCK_HEADER..).unwrap_or_default();
        let node = StoredNode::new(structure, offset + BLOCK_HEADER as u64, entries)?;
        parse(node, self.shape.step)
    }

    fn allocate(&mut self) -> Result<u64, EditError> {
        let free = (0..self.blocks()).find(|&number| !self.bit(number));
        let number = match free {
            Some(number) => number,
            None => self.grow()?,
        };
        self.set(number, true);
        Ok(number)
    }

    fn release(&mut self, number: u64) -> Result<(), EditError> {
        self.set(number, false);
        Ok(())
    }

    fn fault(&self, field: &'static str, expected: u64, actual: u64) -> EditError {
        let expected = Expected::Exactly(expected);
        Corruption::number(self.place.structure, 0, field, expected, actual).into()
    }
}

impl<D: WriteAt> Tree<Stored<'_, D>> {
    /// Stages the blocks that were changed.
    fn write(&self) -> Result<(), EditError> {
        let stored = &self.blocks;
        let structure = stored.structure();
        let value = stored.editor.volume.clusters_of(structure, &stored.placed);
        let mut old = vec![0; stored.place.block_size];
        for (number, node) in self.changed() {
            let at = number * stored.place.block_size as u64;
            value.read(stored.editor.volume.device(), &mut old, at)?;
            let entries = encode(node, stored.shape.step);
            let mut bytes = Vec::with_capacity(stored.place.block_size);
            block(number, stored.shape, &entries, node.last_child.is_some(), &mut bytes);
            if old.starts_with(b"INDX") {
                renumber(&mut bytes, SEQUENCE, next_number(update_number(&old)));
                if let (Some(place), Some(lsn)) = (bytes.get_mut(8..16), old.get(8..16)) {
                    place.copy_from_slice(lsn);
                }
            }
            stage_value(&stored.editor.volume, &value, &bytes, at)?;
        }
        Ok(())
    }
}

/// Takes the entries of a node apart. `step` is how much the number of a block counts.
fn parse(mut stored: StoredNode, step: u64) -> Result<Node, EditError> {
    let mut node = Node::default();
    while let Some(found) = stored.next_raw()? {
        let child = found.child.map(|Vcn(vcn)| {
            // One that is no block's number leads behind the last block, where reading finds the fault.
            if vcn.is_multiple_of(step) { vcn / step } else { u64::MAX / step }
        });
        match found.entry {
            Some(range) => {
                let mut bytes = stored.bytes(range).to_vec();
                strip_child(&mut bytes);
                node.entries.push(Entry { bytes: bytes.into(), child });
            }
            None => node.last_child = child,
        }
    }
    let leaves = node.entries.iter().filter(|entry| entry.child.is_none()).count();
    if leaves != if node.last_child.is_some() { 0 } else { node.entries.len() } {
        return Err(stored.fault("children of a node").into());
    }
    Ok(node)
}

/// Makes an entry one of a leaf.
fn strip_child(bytes: &mut [u8]) {
    let length = crate::encode::u16_of(bytes.len()).to_le_bytes();
    if let Some(place) = bytes.get_mut(8..10) {
        place.copy_from_slice(&length);
    }
    if let Some(flags) = bytes.get_mut(12) {
        *flags &= !1;
    }
}

/// Puts the entries of a node together, and the one that ends it.
fn encode(node: &Node, step: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(node.size());
    for entry in &node.entries {
        let start = out.len();
        out.extend_from_slice(&entry.bytes);
        if let Some(child) = entry.child {
            add_child(child * step, start, &mut out);
        }
    }
    last_entry(node.last_child.map(|child| child * step), &mut out);
    out
}
