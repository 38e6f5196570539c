//! What the calling thread of a capture does, in order: drop duplicates, write, keep the books.

use std::collections::{HashMap, HashSet};

use imprint_blockio::{Resize, WriteAt};
use imprint_progress::Progress;
use imprint_wim::{BlobEnd, WimWriter};
use imprint_winvalues::BlobHash;
use imprint_winvalues::tree::{Content, FileId, Stream, StreamKind, Tree};
use sha1::{Digest, Sha1};

use super::stages::{CaptureStages, Made, Read, Ready, SegmentData, SmallStream, read_full};
use super::units::{Item, Plan};
use super::{CaptureError, Stored};
use crate::outcome::{Fault, Outcome, SkipReason, under_all_names};
use crate::pipeline::Coordinator;

/// What a capture found out about its streams.
#[derive(Default)]
pub(crate) struct Books {
    stored: Stored,
    contents: Vec<(FileId, u32, Content)>,
    /// Streams that could not be read, by their number in their file.
    lost: HashSet<(FileId, u32)>,
    /// Each with the number of the stream that has it.
    faults: Vec<(u32, Fault)>,
}

impl Books {
    fn settle_item(&mut self, item: &Item, content: Content, size: u64) {
        self.stored.streams += 1;
        self.stored.bytes += size;
        self.contents.push((item.file, item.stream, content));
    }

    fn fault(&mut self, item: &Item, reason: SkipReason, lost: bool) {
        self.faults.push((item.stream, (item.file, item.name, reason)));
        if lost {
            self.lost.insert((item.file, item.stream));
        }
    }

    /// Enters the hashes into the tree.
    pub(super) fn enter(&mut self, tree: &mut Tree) {
        for (file, stream, content) in self.contents.drain(..) {
            let file = tree.file_mut(file);
            let index = usize::try_from(stream).unwrap_or(usize::MAX);
            if let Some(stream) = file.and_then(|f| f.streams.get_mut(index)) {
                stream.content = content;
            }
        }
    }

    /// The first stream, by its number in its file, with which something is wrong.
    pub(crate) fn first_fault(&self) -> Option<(u32, &SkipReason)> {
        let faults = self.faults.iter().map(|(stream, (.., reason))| (*stream, reason));
        faults.min_by_key(|(stream, _)| *stream)
    }

    /// Takes what could not be read out of the tree and lists what is wrong: files, or only their named streams.
    pub(super) fn close(self, tree: &mut Tree) -> Outcome<Stored> {
        let (own, of_files): (Vec<_>, Vec<_>) = self.faults.into_iter().partition(|fault| {
            let (stream, (file, ..)) = fault;
            is_named(tree, *file, *stream) && self.lost.contains(&(*file, *stream))
        });
        let faults = of_files.into_iter().map(|(_, fault)| fault).collect();
        let mut skipped = under_all_names(tree, faults);
        for (stream, fault) in own {
            let name = named(tree, fault.0, stream).map(|stream| stream.name.to_string());
            for mut one in under_all_names(tree, vec![fault]) {
                one.path = format!("{}:{}", one.path, name.as_deref().unwrap_or_default());
                skipped.push(one);
            }
        }
        let (streams, files): (Vec<_>, Vec<_>) =
            self.lost.into_iter().partition(|&(file, stream)| is_named(tree, file, stream));
        take_streams(tree, streams);
        let files: HashSet<FileId> = files.into_iter().map(|(file, _)| file).collect();
        if !files.is_empty() {
            let keep = |tree: &Tree, name| {
                tree.name(name).is_none_or(|entry| !files.contains(&entry.file()))
            };
            *tree = tree.filtered(|name| keep(tree, name));
        }
        Outcome { done: self.stored, skipped }
    }
}

/// A stream with a name of its own, which a file can do without.
fn named(tree: &Tree, file: FileId, stream: u32) -> Option<&Stream> {
    let streams = tree.file(file).map_or(&[][..], |file| &file.streams);
    let stream = streams.get(usize::try_from(stream).ok()?)?;
    Some(stream).filter(|stream| stream.kind == StreamKind::Data && !stream.name.is_empty())
}

fn is_named(tree: &Tree, file: FileId, stream: u32) -> bool {
    named(tree, file, stream).is_some()
}

/// Removes streams of files, by their number.
fn take_streams(tree: &mut Tree, mut streams: Vec<(FileId, u32)>) {
    // The last first, so that numbers stay true.
    streams.sort_unstable_by(|a, b| b.cmp(a));
    for (file, stream) in streams {
        let index = usize::try_from(stream).unwrap_or(usize::MAX);
        if let Some(file) = tree.file_mut(file).filter(|file| index < file.streams.len()) {
            file.streams.remove(index);
        }
    }
}

/// The writing end.
pub(super) struct Sink<'a, 's, F> {
    pub(super) writer: &'a mut WimWriter<F>,
    pub(super) stages: &'a CaptureStages<'s>,
    pub(super) plan: &'a Plan,
    pub(super) progress: &'a Progress,
    /// Blobs on their way through the pipeline.
    pub(super) claimed: HashSet<BlobHash>,
    /// The large item being written, if its beginning was.
    pub(super) open: Option<OpenBlob>,
    pub(super) books: &'a mut Books,
}

/// A large item being written.
pub(super) struct OpenBlob {
    item: usize,
    stored: u64,
    /// Its data broke off: the rest is passed over.
    dead: bool,
}

/// Decides which of the large items hashed beforehand need not be read again.
pub(super) fn settle_hashed<F: WriteAt + Resize>(
    writer: &WimWriter<F>,
    plan: &mut Plan,
    hashed: &[(usize, Option<BlobHash>)],
    progress: &Progress,
    books: &mut Books,
) {
    let mut first_with: HashMap<BlobHash, usize> = HashMap::new();
    for &(number, hash) in hashed {
        let (Some(hash), Some(item)) = (hash, plan.items.get(number)) else { continue };
        let known = writer.has_blob(&hash) || *first_with.entry(hash).or_insert(number) != number;
        if known {
            books.settle_item(item, Content::Blob(hash), item.size);
            progress.add_bytes(item.size);
            progress.add_files(1);
            if let Some(settled) = plan.settled.get_mut(number) {
                *settled = true;
            }
        }
    }
}

impl<'s, F: WriteAt + Resize> Coordinator<CaptureStages<'s>> for Sink<'_, 's, F> {
    type Error = CaptureError;

    fn between(&mut self, read: Read) -> Result<Option<Ready>, CaptureError> {
        self.progress.check()?;
        match read {
            Read::Small { data, streams } => {
                let new =
                    streams.into_iter().filter_map(|s| self.keep_if_new(s)).collect::<Vec<_>>();
                if new.is_empty() {
                    self.stages.buffers.give(data);
                    return Ok(None);
                }
                Ok(Some(Ready::Small { data, new }))
            }
            Read::Segment(data) => Ok(Some(Ready::Segment(data))),
        }
    }

    fn last(&mut self, made: Made) -> Result<(), CaptureError> {
        self.progress.check()?;
        match made {
            Made::Small { stored, resources } => {
                for resource in &resources {
                    let bytes = stored.get(resource.range.clone()).unwrap_or_default();
                    self.writer.write_stored(
                        resource.hash,
                        resource.size,
                        resource.compressed,
                        &[bytes],
                    )?;
                    self.count_new(resource.size, bytes.len() as u64);
                    self.progress.add_bytes(resource.size);
                }
                self.stages.buffers.give(stored);
                Ok(())
            }
            Made::Segment { data, stored, lengths } => {
                let result = self.write_segment(*data, &stored, &lengths);
                self.stages.buffers.give(stored);
                result
            }
        }
    }
}

impl<F: WriteAt + Resize> Sink<'_, '_, F> {
    fn count_new(&mut self, size: u64, stored: u64) {
        self.books.stored.new_blobs += 1;
        self.books.stored.new_bytes += size;
        self.books.stored.stored_bytes += stored;
    }

    /// Enters a small stream into the books; hands it back if its data is to be stored.
    fn keep_if_new(&mut self, stream: SmallStream) -> Option<SmallStream> {
        let item = self.plan.items.get(stream.item)?;
        if let Some(fault) = stream.fault.clone() {
            self.books.fault(item, fault, stream.lost);
        }
        let size = (stream.range.end - stream.range.start) as u64;
        self.progress.add_files(1);
        if stream.lost {
            return None;
        }
        if stream.range.is_empty() {
            self.books.settle_item(item, Content::Empty, 0);
            return None;
        }
        self.books.settle_item(item, Content::Blob(stream.hash), size);
        if self.writer.has_blob(&stream.hash) || !self.claimed.insert(stream.hash) {
            self.progress.add_bytes(size);
            return None;
        }
        Some(stream)
    }

    fn write_segment(
        &mut self,
        mut data: SegmentData,
        stored: &[u8],
        lengths: &[u32],
    ) -> Result<(), CaptureError> {
        let number = data.segment.item;
        let Some(item) = self.plan.items.get(number) else { return Ok(()) };
        let is_last = data.segment.is_last;
        let is_told = data.fault.is_some();
        if let Some(fault) = data.fault.take()
            && !self.open.as_ref().is_some_and(|open| open.dead)
        {
            self.books.fault(item, fault, data.lost);
        }
        if data.lost {
            self.break_off(number);
        } else {
            self.push_segment(number, item, &data, stored, lengths)?;
        }
        if is_last {
            self.end_large(number, item, is_told)?;
        }
        Ok(())
    }
}

/// Large items: begun, filled and ended while the writer takes nothing else.
impl<F: WriteAt + Resize> Sink<'_, '_, F> {
    /// Forgets what was written of a large item whose data broke off.
    fn break_off(&mut self, item: usize) {
        if self.open.as_ref().is_some_and(|open| !open.dead) {
            self.writer.abort_blob();
        }
        self.open = Some(OpenBlob { item, stored: 0, dead: true });
    }

    fn push_segment(
        &mut self,
        number: usize,
        item: &Item,
        data: &SegmentData,
        stored: &[u8],
        lengths: &[u32],
    ) -> Result<(), CaptureError> {
        if data.segment.offset == 0 {
            if self.stages.is_compressed(item) {
                self.writer.begin_blob(item.size)?;
            } else {
                self.writer.begin_raw_blob(item.size)?;
            }
            self.open = Some(OpenBlob { item: number, stored: 0, dead: false });
        }
        let Some(open) = self.open.as_mut().filter(|open| open.item == number && !open.dead) else {
            return Ok(());
        };
        if lengths.is_empty() {
            self.writer.push_chunk(&data.data)?;
            open.stored += data.data.len() as u64;
        }
        let mut rest = stored;
        for &length in lengths {
            let at = usize::try_from(length).unwrap_or(usize::MAX).min(rest.len());
            let (chunk, after) = rest.split_at(at);
            self.writer.push_chunk(chunk)?;
            rest = after;
        }
        open.stored += stored.len() as u64;
        self.progress.add_bytes(data.data.len() as u64);
        if let Some(chain) = self.stages.chain(number) {
            // Bounds the data kept for hashing to what the pipeline has under way.
            chain.wait(data.segment.offset + data.data.len() as u64);
        }
        Ok(())
    }

    fn end_large(&mut self, number: usize, item: &Item, is_told: bool) -> Result<(), CaptureError> {
        self.progress.add_files(1);
        let open = self.open.take();
        if !is_told
            && open.as_ref().is_some_and(|open| !open.dead)
            && let Some(fault) = self.stages.fault_after(number)
        {
            self.books.fault(item, fault, false);
        }
        if let (Some(open), Some(chain)) = (open.filter(|o| !o.dead), self.stages.chain(number)) {
            let hash = chain.finish(item.size);
            if self.writer.has_blob(&hash) {
                self.writer.abort_blob();
                self.books.settle_item(item, Content::Blob(hash), item.size);
            } else if self.writer.end_blob(hash)? == BlobEnd::Written {
                self.count_new(item.size, open.stored);
                self.books.settle_item(item, Content::Blob(hash), item.size);
            } else {
                self.store_uncompressed(number, item, hash)?;
            }
        }
        self.stages.close(number);
        Ok(())
    }

    /// Reads a large item once more and stores it as it is: compression did not make it smaller.
    fn store_uncompressed(
        &mut self,
        number: usize,
        item: &Item,
        hash: BlobHash,
    ) -> Result<(), CaptureError> {
        self.writer.begin_raw_blob(item.size)?;
        let mut hasher = Sha1::new();
        let mut buffer = self.stages.buffers.take();
        let mut offset = 0;
        while offset < item.size {
            self.progress.check()?;
            let segment = self.stages.segment();
            let len = usize::try_from(item.size - offset).map_or(segment, |rest| rest.min(segment));
            buffer.resize(len, 0);
            let read = self.stages.reader(number).and_then(|r| read_full(&*r, &mut buffer, offset));
            if !matches!(read, Ok(read) if read == len) {
                break;
            }
            hasher.update(&buffer);
            self.writer.push_chunk(&buffer)?;
            offset += len as u64;
        }
        self.stages.buffers.give(buffer);
        if offset == item.size && hash == BlobHash(hasher.finalize().into()) {
            // Uncompressed blobs always count as small enough.
            let _written: BlobEnd = self.writer.end_blob(hash)?;
            self.count_new(item.size, item.size);
            self.books.settle_item(item, Content::Blob(hash), item.size);
        } else {
            self.writer.abort_blob();
            let reason = SkipReason::Changed { expected: item.size, actual: offset };
            self.books.fault(item, reason, true);
        }
        Ok(())
    }
}
