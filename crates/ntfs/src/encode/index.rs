//! Indexes, built at once from entries in their order.
//!
//! Leaves are filled from the first entry to the last; the entry between two of them goes up and separates them.
//! The same is done with those that went up, until what is left fits into the root. All leaves are at the same depth.

use zerocopy::IntoBytes;

use super::{align8, protect, u16_of, u32_of};
use crate::FileReference;
use crate::layout::{
    ENTRY_HAS_CHILD, ENTRY_IS_LAST, HAS_CHILDREN, INDEX_SIGNATURE, IndexBlockDisk, IndexEntryDisk,
    IndexHeaderDisk, IndexRootDisk, STRIDE, ViewDataDisk,
};

/// Bytes of an entry without key.
const ENTRY: usize = size_of::<IndexEntryDisk>();
/// Bytes of the number of a child.
const CHILD: usize = 8;
/// Bytes of the root before its entries.
const ROOT: usize = size_of::<IndexRootDisk>() + size_of::<IndexHeaderDisk>();

/// The measures of an index.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IndexShape {
    /// Bytes of a block.
    pub(crate) block_size: usize,
    /// How many clusters a block is, or units of 512 bytes where a cluster is larger.
    pub(crate) step: u64,
    /// The most bytes the value of `$INDEX_ROOT` may have.
    pub(crate) root_room: usize,
}

impl IndexShape {
    /// Bytes of a block that its entries may take, the one that ends them included.
    pub(crate) const fn room(&self) -> usize {
        self.block_size.saturating_sub(self.first())
    }

    /// Where the first entry of a block is.
    const fn first(&self) -> usize {
        align8(
            size_of::<IndexBlockDisk>()
                + size_of::<IndexHeaderDisk>()
                + 2 * (1 + self.block_size / STRIDE),
        )
    }
}

/// What its root says of an index.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IndexKind {
    /// The type of the attributes that are its keys; 0 for a view index.
    pub(crate) attribute: u32,
    pub(crate) collation: u32,
}

/// Which entry stands in which node.
#[derive(Clone, Debug)]
pub(crate) struct IndexPlan {
    shape: IndexShape,
    /// In the order of their blocks: leaves first, then the level above them.
    blocks: Vec<Node>,
    root: Node,
}

/// Entries of a node, and the blocks below it: none, or one more than entries.
#[derive(Clone, Debug, Default)]
struct Node {
    entries: Vec<u32>,
    /// The first block below; the others follow it.
    first_child: Option<u64>,
}

impl IndexPlan {
    /// Plans an index of entries that have these sizes without the number of a child.
    pub(crate) fn new(sizes: &[u16], shape: IndexShape) -> Self {
        let size = |index: u32| usize::from(sizes.get(index as usize).copied().unwrap_or(0));
        let mut items: Vec<u32> = (0..u32_of(sizes.len())).collect();
        let mut blocks: Vec<Node> = Vec::new();
        let mut first_child = None;
        loop {
            let child = if first_child.is_some() { CHILD } else { 0 };
            let whole: usize = items.iter().map(|&item| size(item) + child).sum();
            if ROOT + whole + ENTRY + child <= shape.root_room {
                let root = Node { entries: items, first_child };
                return Self { shape, blocks, root };
            }
            let room = shape.block_size - shape.first() - ENTRY - child;
            let level = blocks.len() as u64;
            let (nodes, between) = split(&items, room, |item| size(item) + child);
            let mut below = first_child;
            for entries in nodes {
                let next = below.map(|child| child + entries.len() as u64 + 1);
                blocks.push(Node { entries, first_child: below });
                below = next;
            }
            (items, first_child) = (between, Some(level));
        }
    }

    /// How many blocks it needs.
    pub(crate) const fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Bytes of all blocks.
    pub(crate) const fn size(&self) -> u64 {
        self.blocks.len() as u64 * self.shape.block_size as u64
    }

    /// Bytes of the root's value.
    #[cfg(test)]
    pub(crate) fn root_size(&self, sizes: &[u16]) -> usize {
        let child = if self.root.first_child.is_some() { CHILD } else { 0 };
        let size = |&index: &u32| usize::from(sizes.get(index as usize).copied().unwrap_or(0));
        let entries: usize = self.root.entries.iter().map(|entry| size(entry) + child).sum();
        ROOT + entries + ENTRY + child
    }

    /// The value of `$INDEX_ROOT`. `entry` appends the entry of an index, without a child.
    pub(crate) fn encode_root(
        &self,
        kind: IndexKind,
        mut entry: impl FnMut(u32, &mut Vec<u8>),
    ) -> Vec<u8> {
        let mut entries = Vec::new();
        self.entries(&self.root, &mut entry, &mut entries);
        root_value(kind, self.shape, &entries, !self.blocks.is_empty())
    }

    /// Appends a block.
    pub(crate) fn encode_block(
        &self,
        number: usize,
        mut entry: impl FnMut(u32, &mut Vec<u8>),
        out: &mut Vec<u8>,
    ) {
        let Some(node) = self.blocks.get(number) else { return };
        let mut entries = Vec::new();
        self.entries(node, &mut entry, &mut entries);
        block(number as u64, self.shape, &entries, node.first_child.is_some(), out);
    }

    /// Appends the entries of a node and the one that ends it.
    fn entries(&self, node: &Node, entry: &mut impl FnMut(u32, &mut Vec<u8>), out: &mut Vec<u8>) {
        let mut child = node.first_child;
        for &index in &node.entries {
            let start = out.len();
            entry(index, out);
            if let Some(number) = child {
                add_child(number * self.shape.step, start, out);
            }
            child = child.map(|number| number + 1);
        }
        last_entry(child.map(|number| number * self.shape.step), out);
    }
}

/// Adds the number of a child to the entry at `start`, which is the last there is.
pub(crate) fn add_child(number: u64, start: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&number.to_le_bytes());
    let length = u16_of(out.len() - start);
    let Some(entry) = out.get_mut(start..) else { return };
    if let Some(place) = entry.get_mut(8..10) {
        place.copy_from_slice(&length.to_le_bytes());
    }
    if let Some(flags) = entry.get_mut(12) {
        *flags |= ENTRY_HAS_CHILD.to_le_bytes()[0];
    }
}

/// Appends the entry that ends a node, with the number of its child if the node has children.
pub(crate) fn last_entry(child: Option<u64>, out: &mut Vec<u8>) {
    let start = out.len();
    let last = IndexEntryDisk {
        reference: 0.into(),
        length: u16_of(ENTRY).into(),
        key_length: 0.into(),
        flags: ENTRY_IS_LAST.into(),
        reserved: 0.into(),
    };
    out.extend_from_slice(last.as_bytes());
    if let Some(number) = child {
        add_child(number, start, out);
    }
}

/// The value of `$INDEX_ROOT`, from its entries and the one that ends them.
pub(crate) fn root_value(
    kind: IndexKind,
    shape: IndexShape,
    entries: &[u8],
    has_children: bool,
) -> Vec<u8> {
    let root = IndexRootDisk {
        kind: kind.attribute.into(),
        collation: kind.collation.into(),
        block_size: u32_of(shape.block_size).into(),
        clusters_per_block: u8::try_from(shape.step).unwrap_or(u8::MAX),
        reserved: [0; 3],
    };
    let used = size_of::<IndexHeaderDisk>() + entries.len();
    let header = header(size_of::<IndexHeaderDisk>(), used, used, has_children);
    [root.as_bytes(), header.as_bytes(), entries].concat()
}

/// Appends a block, from its entries and the one that ends them.
pub(crate) fn block(
    number: u64,
    shape: IndexShape,
    entries: &[u8],
    has_children: bool,
    out: &mut Vec<u8>,
) {
    let (start, first, size) = (out.len(), shape.first(), shape.block_size);
    let sequence = size_of::<IndexBlockDisk>() + size_of::<IndexHeaderDisk>();
    let block = IndexBlockDisk {
        signature: INDEX_SIGNATURE.into(),
        sequence_offset: u16_of(sequence).into(),
        sequence_count: u16_of(1 + size / STRIDE).into(),
        lsn: 0.into(),
        vcn: (number * shape.step).into(),
    };
    let before = size_of::<IndexBlockDisk>();
    let used = first + entries.len() - before;
    debug_assert!(used + before <= size, "an index block of {used} bytes");
    let header = header(first - before, used, size - before, has_children);
    out.extend_from_slice(block.as_bytes());
    out.extend_from_slice(header.as_bytes());
    out.resize(start + first, 0);
    out.extend_from_slice(entries);
    out.resize(start + size, 0);
    if let Some(bytes) = out.get_mut(start..) {
        protect(bytes, sequence);
    }
}

/// Splits items into nodes of at most `room` bytes; between each two of them is one that belongs to neither.
fn split(items: &[u32], room: usize, size: impl Fn(u32) -> usize) -> (Vec<Vec<u32>>, Vec<u32>) {
    let (mut nodes, mut between) = (Vec::new(), Vec::new());
    let mut node: Vec<u32> = Vec::new();
    let mut left = room;
    for (position, &item) in items.iter().enumerate() {
        if size(item) <= left {
            left -= size(item);
            node.push(item);
            continue;
        }
        // The last item cannot separate: nothing would be behind it.
        let last = position + 1 == items.len();
        let separator = if last { node.pop() } else { Some(item) };
        between.extend(separator);
        nodes.push(std::mem::take(&mut node));
        left = room;
        if last {
            node.push(item);
        }
    }
    nodes.push(node);
    (nodes, between)
}

fn header(first: usize, used: usize, allocated: usize, has_children: bool) -> IndexHeaderDisk {
    IndexHeaderDisk {
        first: u32_of(first).into(),
        used: u32_of(used).into(),
        allocated: u32_of(allocated).into(),
        flags: if has_children { HAS_CHILDREN } else { 0 },
        reserved: [0; 3],
    }
}

/// Bytes of an entry of a directory, for a `$FILE_NAME` of so many bytes.
pub(crate) const fn name_entry_size(key: usize) -> usize {
    align8(ENTRY + key)
}

/// Appends an entry of a directory: its key is the `$FILE_NAME`.
pub(crate) fn name_entry(file: FileReference, key: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    let length = name_entry_size(key.len());
    let entry = IndexEntryDisk {
        reference: file.to_disk().into(),
        length: u16_of(length).into(),
        key_length: u16_of(key.len()).into(),
        flags: 0.into(),
        reserved: 0.into(),
    };
    out.extend_from_slice(entry.as_bytes());
    out.extend_from_slice(key);
    out.resize(start + length, 0);
}

/// Makes an entry of a view index.
pub(crate) fn view_entry(key: &[u8], data: &[u8]) -> Vec<u8> {
    let length = align8(ENTRY + key.len() + data.len());
    let at = if data.is_empty() { 0 } else { ENTRY + key.len() };
    let place = ViewDataDisk {
        offset: u16_of(at).into(),
        length: u16_of(data.len()).into(),
        reserved: 0.into(),
    };
    let mut out = place.as_bytes().to_vec();
    for value in [u16_of(length), u16_of(key.len()), 0, 0] {
        out.extend_from_slice(&value.to_le_bytes());
    }
    out.extend_from_slice(key);
    out.extend_from_slice(data);
    out.resize(length, 0);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: IndexShape = IndexShape { block_size: 4096, step: 1, root_room: 0x200 };

    #[test]
    fn few_entries_stay_in_the_root() {
        let plan = IndexPlan::new(&[0x60; 4], SHAPE);
        assert_eq!(plan.blocks(), 0);
        assert_eq!(plan.root_size(&[0x60; 4]), 0x20 + 4 * 0x60 + 0x10);
        assert_eq!(IndexPlan::new(&[0x60; 5], SHAPE).blocks(), 1);
    }

    #[test]
    fn every_entry_stands_once_and_in_its_order() {
        for number in [1, 5, 42, 43, 44, 85, 86, 87, 1_000, 50_000] {
            let sizes = vec![0x60; number];
            let plan = IndexPlan::new(&sizes, SHAPE);
            let mut found = Vec::new();
            walk(&plan, &plan.root, &mut found);
            assert_eq!(found, (0..u32_of(number)).collect::<Vec<_>>());
        }
    }

    fn walk(plan: &IndexPlan, node: &Node, found: &mut Vec<u32>) {
        let child = |place: usize| {
            let first = usize::try_from(node.first_child?).ok()?;
            plan.blocks.get(first + place)
        };
        for (place, &entry) in node.entries.iter().enumerate() {
            child(place).into_iter().for_each(|child| walk(plan, child, found));
            found.push(entry);
        }
        if let Some(child) = child(node.entries.len()) {
            assert!(!child.entries.is_empty());
            walk(plan, child, found);
        }
    }
}
