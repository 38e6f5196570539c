//! What is to be read, cut into pieces of even size.

use imprint_winvalues::tree::{Content, FileId, NameId, Tree};

use crate::pipeline::Weighed;

/// Streams of at least this many bytes travel alone, in segments.
pub(super) const LARGE: u64 = 1 << 20;
/// A unit of small streams is closed when it holds this many bytes...
const UNIT_BYTES: u64 = 1 << 20;
/// ...or this many streams.
const UNIT_STREAMS: usize = 128;

/// A stream whose data is to be stored.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) file: FileId,
    /// One of the file's names, for messages.
    pub(super) name: NameId,
    /// Index into the file's streams.
    pub(super) stream: u32,
    /// Where the source finds it; `None` if its bytes are in the tree.
    pub(super) location: Option<u64>,
    /// Bytes, as scanned.
    pub(super) size: u64,
    /// To be stored uncompressed.
    pub(super) raw: bool,
}

impl Item {
    pub(super) const fn is_large(&self) -> bool {
        self.size >= LARGE && self.location.is_some()
    }
}

/// All streams to be stored, in tree order.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) items: Vec<Item>,
    /// Numbers of the items that need not be read any more.
    pub(super) settled: Vec<bool>,
    pub(super) bytes: u64,
    pub(super) streams: u64,
}

impl Plan {
    pub(super) fn new(tree: &Tree, uncompressed: &dyn Fn(&str) -> bool) -> Self {
        let mut plan = Self::default();
        let mut seen = vec![false; tree.files().len()];
        for (id, name) in tree.names() {
            let number = usize::try_from(name.file().0).unwrap_or(usize::MAX);
            let (Some(seen), Some(file)) = (seen.get_mut(number), tree.file(name.file())) else {
                continue;
            };
            if std::mem::replace(seen, true) {
                continue;
            }
            let mut raw = None;
            for (stream, index) in file.streams.iter().zip(0..) {
                let (location, size) = match &stream.content {
                    Content::Unread { location, size } => (Some(*location), *size),
                    Content::Inline(bytes) => (None, bytes.len() as u64),
                    Content::Empty | Content::Blob(_) => continue,
                };
                let raw = *raw.get_or_insert_with(|| uncompressed(&tree.path_of(id).to_string()));
                plan.bytes += size;
                plan.streams += 1;
                let file = name.file();
                plan.items.push(Item { file, name: id, stream: index, location, size, raw });
            }
        }
        plan.settled = vec![false; plan.items.len()];
        plan
    }

    /// The large items not settled yet, with their numbers.
    pub(super) fn large(&self) -> impl Iterator<Item = (usize, &Item)> {
        self.open_items().filter(|(_, item)| item.is_large())
    }

    fn open_items(&self) -> impl Iterator<Item = (usize, &Item)> {
        self.items
            .iter()
            .zip(&self.settled)
            .enumerate()
            .filter(|(_, (_, settled))| !**settled)
            .map(|(number, (item, _))| (number, item))
    }
}

/// A piece of work.
#[derive(Debug)]
pub(super) enum Unit {
    /// Numbers of small items.
    Small(Vec<usize>),
    /// Part of a large item.
    Segment(Segment),
}

/// Part of a large item.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    /// Number of the item.
    pub(super) item: usize,
    /// Where the part starts, bytes.
    pub(super) offset: u64,
    /// Its length, bytes.
    pub(super) len: usize,
    /// Whether the item ends with it.
    pub(super) is_last: bool,
}

/// Cuts the plan into units; `segment` is the length of the parts of large items, in bytes.
pub(super) fn units(plan: &Plan, segment: usize) -> impl Iterator<Item = Weighed<Unit>> {
    let mut items = plan.open_items().peekable();
    let mut large: Option<(usize, u64, u64)> = None;
    std::iter::from_fn(move || {
        if let Some((item, offset, size)) = large {
            let len = usize::try_from(size - offset).map_or(segment, |rest| rest.min(segment));
            let end = offset + len as u64;
            large = (end < size).then_some((item, end, size));
            let part = Segment { item, offset, len, is_last: end == size };
            return Some(Weighed { job: Unit::Segment(part), bytes: len });
        }
        let mut unit = Vec::new();
        let mut bytes = 0;
        while bytes < UNIT_BYTES
            && unit.len() < UNIT_STREAMS
            && let Some((number, item)) = items.next_if(|(_, item)| !item.is_large())
        {
            unit.push(number);
            bytes += item.size;
        }
        if !unit.is_empty() {
            let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            return Some(Weighed { job: Unit::Small(unit), bytes });
        }
        let (number, item) = items.next()?;
        let len = usize::try_from(item.size).map_or(segment, |size| size.min(segment));
        let end = len as u64;
        large = (end < item.size).then_some((number, end, item.size));
        let part = Segment { item: number, offset: 0, len, is_last: end == item.size };
        Some(Weighed { job: Unit::Segment(part), bytes: len })
    })
}
