//! The tree of an index: root, blocks, entries, and their order.

use std::cmp::Ordering;

use imprint_blockio::{Expected, ReadAt};
use zerocopy::FromBytes;

use super::bits::{Bits, Differences};
use super::file::FileName;
use super::gather::{Gathered, clusters_of};
use super::ground::Ground;
use super::record::Part;
use super::report::{Findings, Problem, Subject};
use super::rule::Rule;
use super::state::Map;
use super::sweep::word_of;
use crate::clusters::{Clusters, Piece};
use crate::layout::{
    ENTRY_HAS_CHILD, ENTRY_IS_LAST, FileNameDisk, HAS_CHILDREN, INDEX_SIGNATURE, IndexBlockDisk,
    IndexEntryDisk, IndexHeaderDisk, IndexRootDisk, ViewDataDisk, collation, namespace,
};
use crate::record::Protected;
use crate::{AttributeKind, Corruption, RecordNumber, Structure};

/// Bytes of an entry without its key.
const ENTRY: usize = size_of::<IndexEntryDisk>();
/// Bytes before the entries of a root: what describes the index.
const ROOT: usize = size_of::<IndexRootDisk>();
/// Bytes before the header of the node in a block.
const BLOCK: usize = size_of::<IndexBlockDisk>();
/// Windows' trees of millions of names are four nodes deep.
const MAX_DEPTH: u32 = 32;

/// An entry of an index.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    /// Its first eight bytes: the reference to the file, in a directory.
    pub(super) reference: u64,
    pub(super) key: &'a [u8],
    /// Of a view index.
    pub(super) data: &'a [u8],
    /// Where it stands, bytes from the start of the volume.
    pub(super) offset: u64,
}

/// What gets the entries.
pub(super) type Each<'e> = &'e mut dyn FnMut(Entry<'_>, &mut Map, &mut Findings);

/// A tree while it is gone over.
struct Walk<'g, D> {
    ground: &'g Ground<'g, D>,
    record: RecordNumber,
    collation: u32,
    blocks: Option<Clusters>,
    block_size: usize,
    /// Bytes that the number of a block counts.
    unit: u64,
    met: Bits,
    /// At which depth the first leaf was.
    leaf: Option<u32>,
    /// The key before.
    last: Option<Vec<u8>>,
}

impl<D: ReadAt> Ground<'_, D> {
    /// Goes over an index of a file in its order and proves its tree. `each` gets the entries.
    pub(super) fn check_index(
        &self,
        file: &Gathered<'_>,
        name: &[u8],
        map: &mut Map,
        found: &mut Findings,
        each: Each<'_>,
    ) {
        let structure = file.structure(AttributeKind::INDEX_ROOT);
        let Some((root, at)) = file.resident(AttributeKind::INDEX_ROOT, name) else { return };
        let Ok((disk, node)) = IndexRootDisk::read_from_prefix(root) else {
            let expected = Expected::AtLeast((ROOT + size_of::<IndexHeaderDisk>()) as u64);
            let place = (structure, at);
            return found.number(Rule::IndexRoot, place, "bytes", expected, root.len() as u64);
        };
        let block_size = self.geometry.index_size;
        let unit =
            if self.geometry.cluster_size > block_size { 512 } else { self.geometry.cluster_size };
        let of_names = name == super::file::INDEX_NAME;
        let kind = if of_names { AttributeKind::FILE_NAME.0 } else { 0 };
        let rule = Rule::IndexRoot;
        found.equal(
            rule,
            (structure, at),
            "type of the keys",
            (kind.into(), disk.kind.get().into()),
        );
        let sizes = (block_size.into(), disk.block_size.get().into());
        found.equal(rule, (structure, at + 8), "bytes of a block", sizes);
        let steps = ((block_size / unit).into(), disk.clusters_per_block.into());
        found.equal(rule, (structure, at + 0xc), "clusters of a block", steps);
        if of_names {
            let orders = (collation::FILE_NAME.into(), disk.collation.get().into());
            found.equal(rule, (structure, at + 4), "order of the keys", orders);
        }
        let parts = file.stream(AttributeKind::INDEX_ALLOCATION, name);
        let blocks = clusters_of(parts, self.geometry.cluster_size);
        let size = blocks.as_ref().map_or(0, Clusters::size);
        let limit = self.geometry.clusters().saturating_mul(self.cluster_size());
        if !size.is_multiple_of(block_size.into()) || size > limit {
            let expected = Expected::MultipleOf(block_size.into());
            let place = (file.structure(AttributeKind::INDEX_ALLOCATION), at);
            found.number(Rule::IndexNode, place, "bytes", expected, size);
        }
        let mut walk = Walk {
            ground: self,
            record: file.reference.record,
            collation: disk.collation.get(),
            block_size: usize::try_from(block_size).unwrap_or(0),
            unit: unit.into(),
            met: Bits::new(size.min(limit) / u64::from(block_size)),
            blocks,
            leaf: None,
            last: None,
        };
        let place = NodePlace { structure, offset: at + ROOT as u64, depth: 0 };
        let used =
            IndexHeaderDisk::read_from_prefix(node).map_or(0, |(header, _)| header.used.get());
        if usize::try_from(used).ok() != Some(node.len()) {
            let place = (structure, at + ROOT as u64 + 4);
            found.equal(
                Rule::IndexNode,
                place,
                "bytes of entries",
                (node.len() as u64, used.into()),
            );
        }
        walk.node(node, place, map, found, each);
        let met = walk.met;
        map.summary.index_blocks += met.count();
        self.check_index_bitmap(file, name, parts, &met, found);
    }

    /// The index's `$BITMAP` has the blocks that the tree reaches, and no others.
    fn check_index_bitmap(
        &self,
        file: &Gathered<'_>,
        name: &[u8],
        blocks: &[Part<'_>],
        met: &Bits,
        found: &mut Findings,
    ) {
        let structure = file.structure(AttributeKind::BITMAP);
        let parts = file.stream(AttributeKind::BITMAP, name);
        let Some(part) = parts.first() else {
            if let Some(blocks) = blocks.first() {
                let what = "is not there, beside $INDEX_ALLOCATION";
                found.structure(Rule::IndexNode, structure, blocks.offset, what);
            }
            return;
        };
        if blocks.is_empty() {
            let what = "is there without $INDEX_ALLOCATION";
            found.structure(Rule::IndexNode, structure, part.offset, what);
        }
        let size = part.size();
        if !size.is_multiple_of(8) || size.saturating_mul(8) < met.len() {
            let expected = Expected::AtLeast(met.len().div_ceil(64) * 8);
            found.number(Rule::IndexNode, (structure, part.offset), "bytes", expected, size);
        }
        // Blocks that are to come may have bits already.
        let Some(bytes) = self.value(parts, met.len() / 8 + (1 << 16), found) else { return };
        let of = file.structure(AttributeKind::INDEX_ALLOCATION);
        let mut differences = Differences::default();
        let mut tell = |blocks, marked| {
            let (rule, what) = match marked {
                true => (Rule::LostBlock, "marked as in use, but not reached"),
                false => (Rule::UnmarkedBlock, "in use, but marked as free"),
            };
            found.add(rule, Subject::Blocks(of, blocks), Some(part.offset), Problem::Is(what));
        };
        for (word, eight) in (0_u64..).zip(bytes.chunks(8)) {
            differences.compare(word * 64, met.word(word), word_of(eight), &mut tell);
        }
        differences.end(&mut tell);
    }
}

/// Which node it is.
#[derive(Clone, Copy)]
struct NodePlace {
    structure: Structure,
    /// Where its header stands.
    offset: u64,
    depth: u32,
}

impl NodePlace {
    fn wrong(
        &self,
        found: &mut Findings,
        at: usize,
        field: &'static str,
        (expected, actual): (Expected, u64),
    ) {
        let offset = self.offset + at as u64;
        let corruption = Corruption::number(self.structure, offset, field, expected, actual);
        found.corruption(Rule::IndexNode, corruption);
    }
}

impl<D: ReadAt> Walk<'_, D> {
    /// Goes over a node, whose bytes begin with its header.
    fn node(
        &mut self,
        bytes: &[u8],
        place: NodePlace,
        map: &mut Map,
        found: &mut Findings,
        each: Each<'_>,
    ) {
        let Ok((header, _)) = IndexHeaderDisk::read_from_prefix(bytes) else {
            let expected = Expected::AtLeast(size_of::<IndexHeaderDisk>() as u64);
            return place.wrong(found, 0, "bytes", (expected, bytes.len() as u64));
        };
        let small = |value: u32| usize::try_from(value).unwrap_or(usize::MAX);
        let (first, used) = (small(header.first.get()), small(header.used.get()));
        let room = small(header.allocated.get());
        if room > bytes.len() {
            let expected = Expected::AtMost(bytes.len() as u64);
            return place.wrong(found, 8, "room for entries", (expected, room as u64));
        }
        if used > room {
            return place.wrong(
                found,
                4,
                "bytes of entries",
                (Expected::AtMost(room as u64), used as u64),
            );
        }
        if first < size_of::<IndexHeaderDisk>() || first > used || !first.is_multiple_of(8) {
            let expected = Expected::Within(size_of::<IndexHeaderDisk>() as u64, used as u64);
            return place.wrong(found, 0, "offset of the first entry", (expected, first as u64));
        }
        let mut at = first;
        let mut inner = None;
        loop {
            let rest = bytes.get(at..used).unwrap_or_default();
            let Ok((entry, _)) = IndexEntryDisk::read_from_prefix(rest) else {
                let offset = place.offset + at as u64;
                let what = "has a node without a last entry";
                return found.structure(Rule::IndexNode, place.structure, offset, what);
            };
            let flags = entry.flags.get();
            let (has_child, is_last) = (flags & ENTRY_HAS_CHILD != 0, flags & ENTRY_IS_LAST != 0);
            let key_length = if is_last { 0 } else { usize::from(entry.key_length.get()) };
            let least = ENTRY + key_length + if has_child { 8 } else { 0 };
            let length = usize::from(entry.length.get());
            let whole = rest.get(..length).filter(|_| length >= least && length.is_multiple_of(8));
            let Some(whole) = whole else {
                let expected = Expected::Within(least as u64, rest.len() as u64);
                return place.wrong(found, at + 8, "bytes of an entry", (expected, length as u64));
            };
            match inner {
                None => {
                    inner = Some(has_child);
                    self.begin(&header, has_child, place, found);
                }
                Some(before) if before != has_child => {
                    let what = "has a node whose entries have and have no children";
                    found.structure(
                        Rule::IndexDepth,
                        place.structure,
                        place.offset + at as u64,
                        what,
                    );
                }
                Some(_) => {}
            }
            if has_child {
                let child = whole.last_chunk().map_or(0, |&bytes| u64::from_le_bytes(bytes));
                self.child(child, place, map, found, each);
            }
            if is_last {
                if at + length != used {
                    let numbers = (Expected::Exactly((at + length) as u64), used as u64);
                    place.wrong(found, 4, "bytes of entries", numbers);
                }
                return;
            }
            self.entry(whole, has_child, place.offset + at as u64, map, found, each);
            at += length;
        }
    }

    /// The first entry of a node says whether it is a leaf.
    fn begin(
        &mut self,
        header: &IndexHeaderDisk,
        has_child: bool,
        place: NodePlace,
        found: &mut Findings,
    ) {
        let says = header.flags & HAS_CHILDREN != 0;
        // A root keeps the flag while there are blocks at all.
        if says != has_child && (has_child || place.depth > 0) {
            let what = if has_child {
                "has a node that has children and does not say so"
            } else {
                "has a leaf that says it has children"
            };
            found.structure(Rule::IndexNode, place.structure, place.offset + 0xc, what);
        }
        if !has_child {
            match self.leaf {
                None => self.leaf = Some(place.depth),
                Some(depth) if depth != place.depth => {
                    let (expected, actual) = (Expected::Exactly(depth.into()), place.depth.into());
                    let (place, field) = ((place.structure, place.offset), "depth of a leaf");
                    found.number(Rule::IndexDepth, place, field, expected, actual);
                }
                Some(_) => {}
            }
        }
    }

    /// Reads the block of a child and goes over it.
    fn child(
        &mut self,
        number: u64,
        parent: NodePlace,
        map: &mut Map,
        found: &mut Findings,
        each: Each<'_>,
    ) {
        let structure = Structure::Attribute(self.record, AttributeKind::INDEX_ALLOCATION);
        let mut wrong = |what| found.structure(Rule::IndexChild, structure, parent.offset, what);
        let at = number.saturating_mul(self.unit);
        let size = self.block_size as u64;
        let block = at / size;
        let blocks = self.blocks.as_ref().filter(|_| at.is_multiple_of(size));
        let Some(blocks) = blocks.filter(|blocks| at.saturating_add(size) <= blocks.size()) else {
            return wrong("has an entry whose child is not in the index");
        };
        if self.met.set(block) {
            return wrong("has a block that is the child of two entries");
        }
        if parent.depth >= MAX_DEPTH {
            return wrong("is deeper than 32 blocks");
        }
        if !map.spend(size) {
            return wrong("has blocks of other indexes, and more than the volume holds");
        }
        let mut bytes = vec![0; self.block_size];
        if let Err(error) = blocks.read(self.ground.device(), &mut bytes, at) {
            return found.error(Rule::IndexChild, error);
        }
        let offset = match blocks.piece(at, 1) {
            Some(Piece::Data { offset, .. }) => offset,
            Some(Piece::Zero { .. }) | None => 0,
        };
        let protected = Protected { structure, signature: INDEX_SIGNATURE, offset };
        if let Err(corruption) = protected.join_sectors(&mut bytes) {
            let torn = bytes.first_chunk() == Some(&INDEX_SIGNATURE.to_le_bytes());
            let rule = if torn { Rule::UpdateSequence } else { Rule::IndexNode };
            return found.corruption(rule, corruption);
        }
        let (node, rest) = (bytes.get(BLOCK..).unwrap_or_default(), offset + BLOCK as u64);
        let own = IndexBlockDisk::read_from_prefix(&bytes).map_or(0, |(block, _)| block.vcn.get());
        found.equal(
            Rule::IndexNode,
            (structure, offset + 0x10),
            "number of the block",
            (number, own),
        );
        let room =
            IndexHeaderDisk::read_from_prefix(node).map_or(0, |(node, _)| node.allocated.get());
        let rooms = (node.len() as u64, room.into());
        found.equal(Rule::IndexNode, (structure, rest + 8), "room for entries", rooms);
        let place = NodePlace { structure, offset: rest, depth: parent.depth + 1 };
        self.node(node, place, map, found, each);
    }

    fn entry(
        &mut self,
        bytes: &[u8],
        has_child: bool,
        offset: u64,
        map: &mut Map,
        found: &mut Findings,
        each: Each<'_>,
    ) {
        let Ok((entry, rest)) = IndexEntryDisk::read_from_prefix(bytes) else { return };
        let key = rest.get(..usize::from(entry.key_length.get())).unwrap_or_default();
        let mut data: &[u8] = &[];
        if self.collation != collation::FILE_NAME
            && let Ok((view, _)) = ViewDataDisk::read_from_prefix(bytes)
            && view.length.get() > 0
        {
            let (start, length) = (usize::from(view.offset.get()), usize::from(view.length.get()));
            let end = bytes.len() - if has_child { 8 } else { 0 };
            let place = bytes.get(..end).and_then(|bytes| bytes.get(start..start + length));
            match place.filter(|_| start >= ENTRY + key.len()) {
                Some(place) => data = place,
                None => {
                    let structure = Structure::Attribute(self.record, AttributeKind::INDEX_ROOT);
                    let what = "has an entry whose data is not in it";
                    found.structure(Rule::IndexNode, structure, offset, what);
                }
            }
        }
        self.order(key, offset, found);
        each(Entry { reference: entry.reference.get(), key, data, offset }, map, found);
        match &mut self.last {
            Some(last) => {
                last.clear();
                last.extend_from_slice(key);
            }
            None => self.last = Some(key.to_vec()),
        }
    }

    /// A key comes after the one before it.
    fn order(&self, key: &[u8], offset: u64, found: &mut Findings) {
        let structure = Structure::Attribute(self.record, AttributeKind::INDEX_ROOT);
        let words =
            matches!(self.collation, collation::U32 | collation::SECURITY_HASH | collation::U32S);
        if words && !key.len().is_multiple_of(4) {
            let (place, expected) = ((structure, offset + 0xa), Expected::MultipleOf(4));
            found.number(Rule::IndexNode, place, "bytes of a key", expected, key.len() as u64);
        }
        let Some(last) = &self.last else { return };
        let order = match self.collation {
            collation::FILE_NAME => {
                let names = (FileName::read(last, 0), FileName::read(key, 0));
                let (Some(a), Some(b)) = names else { return };
                let (a_units, b_units) = (units(a.units), units(b.units));
                let folded = self.ground.upcase.compare(&a_units, &b_units);
                let posix = |name: &FileNameDisk| name.namespace == namespace::POSIX;
                if folded.is_eq() && !posix(&a.disk) && !posix(&b.disk) {
                    let subject = Subject::Entry(self.record, b.name());
                    let problem = Problem::Is("differs from another name in case alone, if at all");
                    found.add(Rule::NameUnique, subject, Some(offset), problem);
                }
                folded.then_with(|| a_units.cmp(&b_units))
            }
            // SIDs are in the order of their parts, of which nothing here depends.
            collation::SID => return,
            _ if words => word_order(last, key),
            _ => last.as_slice().cmp(key),
        };
        if order != Ordering::Less {
            let subject = match self.collation {
                collation::FILE_NAME => {
                    let name = imprint_winvalues::WinName::from_le_bytes(
                        key.get(66..).unwrap_or_default(),
                    );
                    Subject::Entry(self.record, name)
                }
                _ => Subject::Structure(structure),
            };
            let problem = Problem::Is("does not come after the entry before it");
            found.add(Rule::IndexOrder, subject, Some(offset), problem);
        }
    }
}

fn units(bytes: &[u8]) -> Vec<u16> {
    let (units, _) = bytes.as_chunks::<2>();
    units.iter().map(|&unit| u16::from_le_bytes(unit)).collect()
}

/// Compares keys as sequences of 32-bit numbers.
fn word_order(a: &[u8], b: &[u8]) -> Ordering {
    let words = |bytes: &'_ [u8]| {
        let (words, _) = bytes.as_chunks::<4>();
        words.iter().map(|&word| u32::from_le_bytes(word)).collect::<Vec<_>>()
    };
    words(a).cmp(&words(b))
}
