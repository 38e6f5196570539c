//! What the threads of a capture do: read, hash, compress.

use std::io;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use imprint_codec::NewCodecError;
use imprint_progress::Progress;
use imprint_wim::Coding;
use imprint_winvalues::BlobHash;
use imprint_winvalues::tree::{Content, Tree};

use super::StoreOptions;
use super::units::{Item, Plan, Segment, Unit};
use crate::buffers::Buffers;
use crate::chain::{HashChain, hash_of};
use crate::encode::Encoder;
use crate::outcome::SkipReason;
use crate::pipeline::Stages;
use crate::{Source, StreamReader};

/// Bytes of a segment of a large stream, unless a chunk is larger.
const SEGMENT: usize = 1 << 20;

/// Everything the threads share.
pub(super) struct CaptureStages<'a> {
    source: &'a dyn Source,
    tree: &'a Tree,
    coding: Option<Coding>,
    options: &'a StoreOptions<'a>,
    progress: &'a Progress,
    plan: &'a Plan,
    /// One for each item of the plan; used by large ones.
    large: Vec<Large<'a>>,
    pub(super) buffers: Buffers,
}

/// A large stream being read.
#[derive(Default)]
struct Large<'a> {
    reader: Mutex<Option<Arc<dyn StreamReader + 'a>>>,
    chain: HashChain,
}

/// What the first stage makes.
pub(super) enum Read {
    Small { data: Vec<u8>, streams: Vec<SmallStream> },
    Segment(Box<SegmentData>),
}

/// A small stream in hand.
pub(super) struct SmallStream {
    pub(super) item: usize,
    /// Where its bytes are in the unit's data.
    pub(super) range: Range<usize>,
    pub(super) hash: BlobHash,
    /// What went wrong; if the data cannot be used the range is `None`-like empty and `lost` set.
    pub(super) fault: Option<SkipReason>,
    /// The data could not be read at all.
    pub(super) lost: bool,
}

/// A segment of a large stream in hand.
pub(super) struct SegmentData {
    pub(super) segment: Segment,
    pub(super) data: Arc<Vec<u8>>,
    pub(super) fault: Option<SkipReason>,
    /// The data could not be read.
    pub(super) lost: bool,
}

/// What the second stage gets.
pub(super) enum Ready {
    Small { data: Vec<u8>, new: Vec<SmallStream> },
    Segment(Box<SegmentData>),
}

/// What the second stage makes.
pub(super) enum Made {
    Small { stored: Vec<u8>, resources: Vec<Resource> },
    Segment { data: Box<SegmentData>, stored: Vec<u8>, lengths: Vec<u32> },
}

/// A whole resource as it goes into the WIM.
pub(super) struct Resource {
    pub(super) hash: BlobHash,
    pub(super) size: u64,
    pub(super) compressed: bool,
    pub(super) range: Range<usize>,
}

impl<'a> CaptureStages<'a> {
    pub(super) fn new(
        source: &'a dyn Source,
        tree: &'a Tree,
        coding: Option<Coding>,
        options: &'a StoreOptions<'a>,
        progress: &'a Progress,
        plan: &'a Plan,
    ) -> Result<Self, NewCodecError> {
        if let Some(coding) = coding {
            // Told now, so that the threads can rely on it.
            drop(Encoder::new(coding, options.level)?);
        }
        let large = plan.items.iter().map(|_| Large::default()).collect();
        let buffers = Buffers::default();
        Ok(Self { source, tree, coding, options, progress, plan, large, buffers })
    }

    /// The length of segments, a multiple of the chunk size.
    pub(super) fn segment(&self) -> usize {
        let chunk = self.coding.map_or(0, |coding| coding.chunk_size);
        usize::try_from(chunk).unwrap_or(SEGMENT).max(SEGMENT)
    }

    pub(super) fn is_compressed(&self, item: &Item) -> bool {
        self.coding.is_some() && !item.raw
    }

    /// Opens the item's data, or takes the reader that is open already.
    pub(super) fn reader(&self, number: usize) -> io::Result<Arc<dyn StreamReader + 'a>> {
        let gone = || io::Error::from(io::ErrorKind::NotFound);
        let large = self.large.get(number).ok_or_else(gone)?;
        let mut slot = large.reader.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reader) = &*slot {
            return Ok(Arc::clone(reader));
        }
        let location = self.plan.items.get(number).and_then(|item| item.location);
        let reader = Arc::from(self.source.open(self.tree, location.ok_or_else(gone)?)?);
        Ok(Arc::clone(slot.insert(reader)))
    }

    /// Closes the item's data.
    pub(super) fn close(&self, number: usize) {
        if let Some(large) = self.large.get(number) {
            large.reader.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
    }

    /// What happened to an item while it was read, told once all of it was.
    pub(super) fn fault_after(&self, number: usize) -> Option<SkipReason> {
        match self.reader(number).and_then(|reader| reader.is_changed()) {
            Ok(false) => None,
            Ok(true) => Some(SkipReason::Overwritten),
            Err(error) => Some(unreadable(&error)),
        }
    }

    pub(super) fn chain(&self, number: usize) -> Option<&HashChain> {
        self.large.get(number).map(|large| &large.chain)
    }

    fn read_small(&self, numbers: &[usize]) -> Read {
        let mut data = self.buffers.take();
        let mut streams = Vec::with_capacity(numbers.len());
        for &item in numbers {
            if let Some(planned) = self.plan.items.get(item) {
                streams.push(self.read_one(item, planned, &mut data));
            }
        }
        Read::Small { data, streams }
    }

    fn read_one(&self, item: usize, planned: &Item, data: &mut Vec<u8>) -> SmallStream {
        let start = data.len();
        let (fault, lost) = match self.append_stream(planned, data) {
            Ok(changed) => {
                let (expected, actual) = (planned.size, (data.len() - start) as u64);
                let resized = SkipReason::Changed { expected, actual };
                let overwritten = changed.then_some(SkipReason::Overwritten);
                (if actual == expected { overwritten } else { Some(resized) }, false)
            }
            Err(error) => {
                data.truncate(start);
                (Some(unreadable(&error)), true)
            }
        };
        let range = start..data.len();
        let hash = if range.is_empty() {
            BlobHash::ZERO
        } else {
            hash_of(data.get(range.clone()).unwrap_or_default())
        };
        SmallStream { item, range, hash, fault, lost }
    }

    /// Appends all there is of a small stream: as much as was scanned, or more if it grew meanwhile
    /// (up to the size at which it would have been large). Answers whether it was written to.
    fn append_stream(&self, item: &Item, data: &mut Vec<u8>) -> io::Result<bool> {
        let Some(location) = item.location else {
            let file = self.tree.file(item.file);
            let stream = file.and_then(|f| f.streams.get(usize::try_from(item.stream).ok()?));
            if let Some(Content::Inline(bytes)) = stream.map(|s| &s.content) {
                data.extend_from_slice(bytes);
            }
            return Ok(false);
        };
        let reader = self.source.open(self.tree, location)?;
        let start = data.len();
        let mut wanted = usize::try_from(item.size).unwrap_or(SEGMENT) + 1;
        loop {
            let done = data.len() - start;
            data.resize(start + wanted, 0);
            let (_, buf) = data.split_at_mut(start + done);
            let read = read_full(&*reader, buf, done as u64)?;
            data.truncate(start + done + read);
            if done + read < wanted || wanted > SEGMENT {
                return reader.is_changed();
            }
            wanted *= 2;
        }
    }

    fn read_segment(&self, segment: Segment) -> SegmentData {
        let mut data = self.buffers.take();
        data.resize(segment.len, 0);
        let result = self.reader(segment.item).and_then(|reader| {
            let read = read_full(&*reader, &mut data, segment.offset)?;
            let grew = segment.is_last
                && read == segment.len
                && reader.read_at(&mut [0], segment.offset + read as u64)? > 0;
            Ok((read, grew))
        });
        let expected = self.plan.items.get(segment.item).map_or(0, |item| item.size);
        let (fault, lost) = match result {
            Ok((read, _)) if read < segment.len => {
                let actual = segment.offset + read as u64;
                (Some(SkipReason::Changed { expected, actual }), true)
            }
            Ok((_, true)) => {
                (Some(SkipReason::Changed { expected, actual: expected.saturating_add(1) }), false)
            }
            Ok(_) => (None, false),
            Err(error) => (Some(unreadable(&error)), true),
        };
        let data = Arc::new(data);
        if let Some(chain) = self.chain(segment.item) {
            // Also after a fault: whoever waits for these bytes must not wait for ever.
            chain.bring(segment.offset, Arc::clone(&data));
        }
        SegmentData { segment, data, fault, lost }
    }

    /// Hashes a large item without keeping it. `None` if it cannot be read or has changed: it is
    /// then read again, and what is wrong reported, in its turn.
    fn hash_item(&self, number: usize) -> Option<BlobHash> {
        use sha1::{Digest, Sha1};
        let size = self.plan.items.get(number)?.size;
        let reader = self.reader(number).ok()?;
        let mut hasher = Sha1::new();
        let mut buffer = self.buffers.take();
        let mut offset = 0;
        while offset < size && self.progress.check().is_ok() {
            let len = usize::try_from(size - offset).map_or(SEGMENT, |rest| rest.min(SEGMENT));
            buffer.resize(len, 0);
            if read_full(&*reader, &mut buffer, offset).ok()? < len {
                return None;
            }
            hasher.update(&buffer);
            offset += len as u64;
        }
        self.buffers.give(buffer);
        let changed = reader.is_changed().unwrap_or(true);
        self.close(number);
        (offset == size && !changed).then(|| BlobHash(hasher.finalize().into()))
    }

    /// Hashes these items on several threads; answers in their order.
    pub(super) fn hash_items(
        &self,
        numbers: &[usize],
        threads: NonZeroUsize,
    ) -> Vec<Option<BlobHash>> {
        let next = AtomicUsize::new(0);
        let hashes: Vec<Mutex<Option<BlobHash>>> =
            numbers.iter().map(|_| Mutex::default()).collect();
        std::thread::scope(|scope| {
            for _ in 0..threads.get().min(numbers.len()) {
                scope.spawn(|| {
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let (Some(&number), Some(slot)) = (numbers.get(index), hashes.get(index))
                        else {
                            return;
                        };
                        let hash = self.hash_item(number);
                        *slot.lock().unwrap_or_else(PoisonError::into_inner) = hash;
                    }
                });
            }
        });
        hashes
            .into_iter()
            .map(|slot| slot.into_inner().unwrap_or_else(PoisonError::into_inner))
            .collect()
    }
}

fn unreadable(error: &io::Error) -> SkipReason {
    SkipReason::Unreadable { operation: "read", error: error.to_string() }
}

/// Reads until `buf` is full or the data ends; answers how much was read.
pub(super) fn read_full(
    reader: &dyn StreamReader,
    buf: &mut [u8],
    offset: u64,
) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buf.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match reader.read_at(rest, offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

impl Stages for CaptureStages<'_> {
    type Job = Unit;
    type Read = Read;
    type Ready = Ready;
    type Made = Made;
    type Worker = Option<Encoder>;

    fn worker(&self) -> Option<Encoder> {
        // `new` has made one already, so this cannot fail; without an encoder data is stored as it is.
        self.coding.and_then(|coding| Encoder::new(coding, self.options.level).ok())
    }

    fn first(&self, _: &mut Option<Encoder>, job: Unit) -> Read {
        match job {
            Unit::Small(numbers) => self.read_small(&numbers),
            Unit::Segment(segment) => Read::Segment(Box::new(self.read_segment(segment))),
        }
    }

    fn second(&self, encoder: &mut Option<Encoder>, ready: Ready) -> Made {
        match ready {
            Ready::Small { data, new } => self.encode_small(encoder.as_mut(), data, &new),
            Ready::Segment(segment) => self.encode_segment(encoder.as_mut(), segment),
        }
    }
}

impl CaptureStages<'_> {
    fn encode_small(
        &self,
        encoder: Option<&mut Encoder>,
        data: Vec<u8>,
        new: &[SmallStream],
    ) -> Made {
        let resource = |stream: &SmallStream, compressed, range| {
            let size = (stream.range.end - stream.range.start) as u64;
            Resource { hash: stream.hash, size, compressed, range }
        };
        let Some(encoder) = encoder else {
            let resources = new.iter().map(|s| resource(s, false, s.range.clone())).collect();
            return Made::Small { stored: data, resources };
        };
        let mut stored = self.buffers.take();
        let mut resources = Vec::with_capacity(new.len());
        for stream in new {
            let bytes = data.get(stream.range.clone()).unwrap_or_default();
            let start = stored.len();
            let packed = self.plan.items.get(stream.item).is_some_and(|i| self.is_compressed(i));
            let compressed = packed && encoder.resource(bytes, &mut stored);
            if !packed {
                stored.extend_from_slice(bytes);
            }
            resources.push(resource(stream, compressed, start..stored.len()));
        }
        self.buffers.give(data);
        Made::Small { stored, resources }
    }

    fn encode_segment(&self, encoder: Option<&mut Encoder>, data: Box<SegmentData>) -> Made {
        let mut stored = self.buffers.take();
        let mut lengths = Vec::new();
        let item = self.plan.items.get(data.segment.item);
        if let Some(encoder) = encoder.filter(|_| item.is_some_and(|i| self.is_compressed(i)))
            && !data.lost
        {
            encoder.chunks(&data.data, &mut stored, &mut lengths);
        }
        Made::Segment { data, stored, lengths }
    }
}
