//! Indexes changed in place: entries put into a B-tree and taken out of it.
//!
//! An entry stands once, in a leaf or between two children. A node that becomes too large is split in two, and the
//! entry between them goes up; a node that becomes empty is joined with its neighbour and the entry between
//! them. Where the root becomes too large, its entries move to a block of their own.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::EditError;

/// Bytes of the number of a child.
const CHILD: usize = 8;
/// Bytes of an entry without key; the one that ends a node has none.
const ENTRY: usize = 16;
/// Windows' trees of millions of names are four nodes deep.
const MAX_DEPTH: usize = 16;

/// An entry of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its bytes as they are in a leaf.
    pub(super) bytes: Box<[u8]>,
    /// The block with the entries before it.
    pub(super) child: Option<u64>,
}

impl Entry {
    pub(super) fn new(bytes: impl Into<Box<[u8]>>) -> Self {
        Self { bytes: bytes.into(), child: None }
    }

    const fn size(&self) -> usize {
        self.bytes.len() + if self.child.is_some() { CHILD } else { 0 }
    }
}

/// A node: the root, or a block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) entries: Vec<Entry>,
    /// The block with the entries behind the last one.
    pub(super) last_child: Option<u64>,
}

impl Node {
    /// Bytes of its entries, the one that ends it included.
    pub(super) fn size(&self) -> usize {
        let last = if self.last_child.is_some() { ENTRY + CHILD } else { ENTRY };
        self.entries.iter().map(Entry::size).sum::<usize>() + last
    }

    fn child(&self, position: usize) -> Option<u64> {
        self.entries.get(position).map_or(self.last_child, |entry| entry.child)
    }
}

/// Where blocks are kept.
pub(super) trait Blocks {
    /// Reads a block.
    fn load(&mut self, number: u64) -> Result<Node, EditError>;
    /// Finds a block that is free.
    fn allocate(&mut self) -> Result<u64, EditError>;
    /// Gives a block back.
    fn release(&mut self, number: u64) -> Result<(), EditError>;
    /// Names a fault of the index itself.
    fn fault(&self, field: &'static str, expected: u64, actual: u64) -> EditError;
}

/// Where an entry is, or would be: the nodes from the root on, each with a position in it.
type Path = Vec<(Option<u64>, usize)>;

/// An index, opened to be changed.
pub(super) struct Tree<B> {
    pub(super) blocks: B,
    pub(super) root: Node,
    pub(super) root_changed: bool,
    /// Bytes that entries of the root, and of a block, may take.
    pub(super) root_room: usize,
    block_room: usize,
    /// The blocks read, and whether they were changed.
    nodes: BTreeMap<u64, (Node, bool)>,
}

impl<B: Blocks> Tree<B> {
    pub(super) const fn new(blocks: B, root: Node, root_room: usize, block_room: usize) -> Self {
        let nodes = BTreeMap::new();
        Self { blocks, root, root_changed: false, root_room, block_room, nodes }
    }

    /// The blocks that were changed.
    pub(super) fn changed(&self) -> impl Iterator<Item = (u64, &Node)> {
        let changed = self.nodes.iter().filter(|(_, (_, changed))| *changed);
        changed.map(|(&number, (node, _))| (number, node))
    }

    /// Whether there is no entry.
    pub(super) const fn is_empty(&self) -> bool {
        self.root.entries.is_empty() && self.root.last_child.is_none()
    }

    fn node(&mut self, at: Option<u64>) -> Result<&Node, EditError> {
        let Some(number) = at else { return Ok(&self.root) };
        if !self.nodes.contains_key(&number) {
            let node = self.blocks.load(number)?;
            self.nodes.insert(number, (node, false));
        }
        Ok(self.nodes.get(&number).map_or(&self.root, |(node, _)| node))
    }

    /// A node to be changed.
    fn node_mut(&mut self, at: Option<u64>) -> Result<&mut Node, EditError> {
        self.node(at)?;
        match at.and_then(|number| self.nodes.get_mut(&number)) {
            Some((node, changed)) => {
                *changed = true;
                Ok(node)
            }
            None => {
                self.root_changed = true;
                Ok(&mut self.root)
            }
        }
    }

    fn add_node(&mut self, node: Node) -> Result<u64, EditError> {
        let number = self.blocks.allocate()?;
        self.nodes.insert(number, (node, true));
        Ok(number)
    }

    fn drop_node(&mut self, number: u64) -> Result<(), EditError> {
        self.nodes.remove(&number);
        self.blocks.release(number)
    }

    /// Goes down to where an entry is that `compare` calls equal; or else to where it would be, in a leaf.
    fn descend(&mut self, compare: impl Fn(&[u8]) -> Ordering) -> Result<(Path, bool), EditError> {
        let mut path = Path::new();
        let mut at = None;
        loop {
            if path.len() > MAX_DEPTH {
                return Err(self.blocks.fault("depth of the index", MAX_DEPTH as u64, 17));
            }
            let node = self.node(at)?;
            let mut position = node.entries.len();
            let mut found = false;
            for (index, entry) in node.entries.iter().enumerate() {
                match compare(&entry.bytes) {
                    Ordering::Less => continue,
                    Ordering::Equal => found = true,
                    Ordering::Greater => {}
                }
                position = index;
                break;
            }
            let child = node.child(position);
            path.push((at, position));
            match child {
                Some(child) if !found => at = Some(child),
                _ => return Ok((path, found)),
            }
        }
    }

    /// Changes the bytes of an entry, whose key and length stay as they are. Returns whether there is one.
    pub(super) fn patch(
        &mut self,
        compare: impl Fn(&[u8]) -> Ordering,
        change: impl FnOnce(&mut [u8]),
    ) -> Result<bool, EditError> {
        let (path, found) = self.descend(compare)?;
        let Some(&(at, position)) = path.last().filter(|_| found) else { return Ok(false) };
        let Some(entry) = self.node(at)?.entries.get(position) else { return Ok(false) };
        let mut bytes = entry.bytes.clone();
        change(&mut bytes);
        if bytes != entry.bytes
            && let Some(entry) = self.node_mut(at)?.entries.get_mut(position)
        {
            entry.bytes = bytes;
        }
        Ok(true)
    }

    /// Puts an entry in, at the place `compare` leads to. Returns false, and does nothing, if there is an equal one.
    pub(super) fn insert(
        &mut self,
        bytes: impl Into<Box<[u8]>>,
        compare: impl Fn(&[u8]) -> Ordering,
    ) -> Result<bool, EditError> {
        let (mut path, found) = self.descend(compare)?;
        let Some((at, position)) = path.pop().filter(|_| !found) else { return Ok(false) };
        self.node_mut(at)?.entries.insert(position, Entry::new(bytes));
        self.mend(at, path)?;
        Ok(true)
    }

    /// Takes an entry out.
    pub(super) fn remove(
        &mut self,
        compare: impl Fn(&[u8]) -> Ordering,
    ) -> Result<Option<Box<[u8]>>, EditError> {
        let (mut path, found) = self.descend(compare)?;
        let Some(&(at, position)) = path.last().filter(|_| found) else { return Ok(None) };
        let Some(child) = self.node(at)?.child(position) else {
            path.pop();
            let removed = self.node_mut(at)?.entries.remove(position);
            self.mend(at, path)?;
            return Ok(Some(removed.bytes));
        };
        // The entry before it, which stands in a leaf, takes its place.
        let mut leaf = child;
        while let Some(next) = self.node(Some(leaf))?.last_child {
            if path.len() > MAX_DEPTH {
                return Err(self.blocks.fault("depth of the index", MAX_DEPTH as u64, 17));
            }
            let position = self.node(Some(leaf))?.entries.len();
            path.push((Some(leaf), position));
            leaf = next;
        }
        let Some(mut before) = self.node_mut(Some(leaf))?.entries.pop() else {
            return Err(self.blocks.fault("entries of a leaf", 1, 0));
        };
        before.child = Some(child);
        let removed = match self.node_mut(at)?.entries.get_mut(position) {
            Some(place) => std::mem::replace(place, before).bytes,
            None => return Ok(None),
        };
        self.mend(Some(leaf), path)?;
        Ok(Some(removed))
    }

    /// Splits what is too large and joins what is empty, from a node up to the root.
    fn mend(&mut self, mut at: Option<u64>, mut path: Path) -> Result<(), EditError> {
        loop {
            let (size, empty) = {
                let node = self.node(at)?;
                (node.size(), node.entries.is_empty())
            };
            match at {
                None if size > self.root_room && !empty => {
                    let node = std::mem::take(self.node_mut(None)?);
                    let number = self.add_node(node)?;
                    self.node_mut(None)?.last_child = Some(number);
                    (at, path) = (Some(number), vec![(None, 0)]);
                    continue;
                }
                Some(number) if size > self.block_room => self.split(number, path.last())?,
                Some(number) if empty => self.join(number, path.last())?,
                _ => {}
            }
            match path.pop() {
                Some((parent, _)) => at = parent,
                None => break,
            }
        }
        self.lower()
    }

    /// Splits a block in two; the entry between them goes to its parent.
    fn split(
        &mut self,
        number: u64,
        parent: Option<&(Option<u64>, usize)>,
    ) -> Result<(), EditError> {
        let Some(&(parent, position)) = parent else { return Ok(()) };
        let room = self.block_room;
        let node = self.node_mut(Some(number))?;
        let Some(middle) = middle(&node.entries) else {
            let (most, actual) = (room as u64, node.size() as u64);
            return Err(EditError::TooLarge { what: "entry of an index", most, actual });
        };
        let behind = node.entries.split_off(middle + 1);
        let mut before = std::mem::replace(&mut node.entries, behind);
        let Some(mut between) = before.pop() else { return Ok(()) };
        let left = self.add_node(Node { entries: before, last_child: between.child })?;
        between.child = Some(left);
        self.node_mut(parent)?.entries.insert(position, between);
        Ok(())
    }

    /// Joins an empty block with one beside it and the entry between them.
    fn join(
        &mut self,
        number: u64,
        parent: Option<&(Option<u64>, usize)>,
    ) -> Result<(), EditError> {
        let Some(&(parent, position)) = parent else { return Ok(()) };
        let count = self.node(parent)?.entries.len();
        // The entry between the two: the left one is its child.
        let Some(last) = count.checked_sub(1) else { return Ok(()) };
        let between = position.min(last);
        let above = self.node(parent)?;
        let (left, right) = (above.child(between), above.child(between + 1));
        let (Some(left), Some(right)) = (left, right) else {
            return Err(self.blocks.fault("children of an entry", 2, 1));
        };
        debug_assert!(left == number || right == number, "a block is its parent's child");
        let Some(mut entry) = above.entries.get(between).cloned() else { return Ok(()) };
        let before = self.node(Some(left))?.clone();
        entry.child = before.last_child;
        let behind = self.node(Some(right))?.clone();
        let mut all = before.entries;
        all.push(entry);
        all.extend(behind.entries);
        let whole = Node { entries: all, last_child: behind.last_child };
        if whole.size() <= self.block_room {
            *self.node_mut(Some(right))? = whole;
            self.node_mut(parent)?.entries.remove(between);
            return self.drop_node(left);
        }
        let Node { entries: mut all, last_child } = whole;
        let Some(middle) = middle(&all) else { return Ok(()) };
        let behind = all.split_off(middle + 1);
        let Some(mut entry) = all.pop() else { return Ok(()) };
        *self.node_mut(Some(left))? = Node { entries: all, last_child: entry.child };
        *self.node_mut(Some(right))? = Node { entries: behind, last_child };
        entry.child = Some(left);
        if let Some(place) = self.node_mut(parent)?.entries.get_mut(between) {
            *place = entry;
        }
        Ok(())
    }

    /// Takes the only block below an empty root into the root, as long as it fits.
    fn lower(&mut self) -> Result<(), EditError> {
        while self.root.entries.is_empty()
            && let Some(child) = self.root.last_child
        {
            let room = self.root_room;
            let node = self.node(Some(child))?;
            if node.size() > room {
                break;
            }
            self.root = node.clone();
            self.root_changed = true;
            self.drop_node(child)?;
        }
        Ok(())
    }
}

/// The entry in the middle, by bytes; both sides have one at least.
fn middle(entries: &[Entry]) -> Option<usize> {
    let half = entries.iter().map(Entry::size).sum::<usize>() / 2;
    let last = entries.len().checked_sub(2).filter(|&last| last > 0)?;
    let mut before = 0;
    let found = entries.iter().position(|entry| {
        before += entry.size();
        before > half
    });
    Some(found.unwrap_or(last).clamp(1, last))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use imprint_testkit::Random;
    use proptest::prelude::*;

    use super::*;

    /// Blocks that are nowhere but in the tree's own memory.
    #[derive(Default)]
    struct Numbers {
        used: BTreeSet<u64>,
    }

    impl Blocks for Numbers {
        fn load(&mut self, number: u64) -> Result<Node, EditError> {
            panic!("block {number} was dropped")
        }
        fn allocate(&mut self) -> Result<u64, EditError> {
            let free = (0..).find(|number| !self.used.contains(number)).unwrap();
            self.used.insert(free);
            Ok(free)
        }
        fn release(&mut self, number: u64) -> Result<(), EditError> {
            assert!(self.used.remove(&number));
            Ok(())
        }
        fn fault(&self, field: &'static str, _: u64, _: u64) -> EditError {
            panic!("{field}")
        }
    }

    /// An entry whose key is a number, of some length.
    fn entry(key: u32, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        bytes[..4].copy_from_slice(&key.to_be_bytes());
        bytes
    }

    fn by(key: u32) -> impl Fn(&[u8]) -> Ordering {
        move |bytes| bytes[..4].cmp(&key.to_be_bytes())
    }

    /// All entries in their order; sizes, depth and blocks are checked.
    fn walk(tree: &Tree<Numbers>) -> Vec<u32> {
        let mut found = Vec::new();
        let mut leaves = BTreeSet::new();
        let mut seen = BTreeSet::new();
        visit(tree, &tree.root, 0, &mut found, &mut leaves, &mut seen);
        assert!(leaves.len() <= 1, "all leaves are as deep");
        assert_eq!(seen, tree.blocks.used);
        assert!(tree.root.size() <= tree.root_room);
        found
    }

    fn visit(
        tree: &Tree<Numbers>,
        node: &Node,
        depth: usize,
        found: &mut Vec<u32>,
        leaves: &mut BTreeSet<usize>,
        seen: &mut BTreeSet<u64>,
    ) {
        let mut down = |child: Option<u64>, found: &mut Vec<u32>| {
            if let Some(number) = child {
                assert!(seen.insert(number));
                let node = &tree.nodes[&number].0;
                assert!(!node.entries.is_empty() && node.size() <= tree.block_room);
                visit(tree, node, depth + 1, found, leaves, seen);
            } else {
                leaves.insert(depth);
            }
        };
        for entry in &node.entries {
            down(entry.child, found);
            found.push(u32::from_be_bytes(*entry.bytes.first_chunk().unwrap()));
        }
        down(node.last_child, found);
    }

    #[track_caller]
    fn check(seed: u64, steps: u32, keys: u64, lengths: (u64, u64), root_room: usize) {
        let mut random = Random::new(seed);
        let mut tree = Tree::new(Numbers::default(), Node::default(), root_room, 4000);
        let mut model = BTreeSet::new();
        for step in 0..steps {
            let key = u32::try_from(random.below(keys)).unwrap();
            // First it grows, then it shrinks.
            if random.chance(if step < steps / 2 { 3 } else { 1 }, 4) {
                let length = usize::try_from(lengths.0 + random.below(lengths.1)).unwrap() / 8 * 8;
                assert_eq!(tree.insert(entry(key, length), by(key)).unwrap(), model.insert(key));
            } else {
                let removed = tree.remove(by(key)).unwrap();
                assert_eq!(removed.is_some(), model.remove(&key));
            }
            if step % 64 == 0 {
                assert_eq!(walk(&tree), model.iter().copied().collect::<Vec<_>>());
            }
        }
        for key in std::mem::take(&mut model) {
            assert!(tree.patch(by(key), |_| ()).unwrap());
            assert!(tree.remove(by(key)).unwrap().is_some());
        }
        assert!(tree.is_empty());
        assert_eq!(walk(&tree), []);
    }

    #[test]
    fn trees_grow_and_shrink() {
        check(1, 20_000, 3_000, (0x58, 0x40), 0x200);
        check(2, 20_000, 1_000, (0x58, 0x200), 0x100);
        check(3, 4_000, 1_000, (0x28, 1), 0x140);
        // A root that has room for no entry at all.
        check(4, 4_000, 500, (0x100, 0x180), 0x30);
    }

    #[test]
    fn names_that_come_in_their_order_are_kept() {
        let mut tree = Tree::new(Numbers::default(), Node::default(), 0x200, 4000);
        for key in 0..10_000 {
            assert!(tree.insert(entry(key, 0x60), by(key)).unwrap());
        }
        assert_eq!(walk(&tree), (0..10_000).collect::<Vec<_>>());
        assert!(!tree.insert(entry(77, 0x60), by(77)).unwrap());
    }

    proptest! {
        #[test]
        fn any_steps_keep_the_order(seed in any::<u64>(), keys in 1_u64..400, room in 0x30_usize..0x300) {
            check(seed, 1_000, keys, (0x20, 0x240), room);
        }
    }
}
