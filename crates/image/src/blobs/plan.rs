//! What to read in one go.

use std::ops::Range;

use imprint_blockio::ReadAt;
use imprint_wim::{Location, Wim};

use super::Wanted;

/// A blob of at least this many bytes is read in segments.
const LARGE: u64 = 2 << 20;
/// Bytes of a segment when uncompressed.
pub(super) const SEGMENT: u64 = 1 << 20;
/// A batch is closed when it spans this many stored bytes...
const BATCH_STORED: u64 = 1 << 20;
/// ...or holds this many bytes when uncompressed...
const BATCH_BYTES: u64 = 4 << 20;
/// ...or this many blobs...
const BATCH_BLOBS: usize = 64;
/// ...or the next blob lies this much further on.
const BATCH_GAP: u64 = 64 << 10;

/// A piece of work for one thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Job {
    /// Small blobs next to each other: indices into [`Plan::order`] and the bytes that span them.
    Batch { wim: usize, offset: u64, len: u64, blobs: Range<usize> },
    /// Bytes of a large blob.
    Segment { large: usize, bytes: Range<u64> },
}

/// Everything to be read except solid resources.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Indices of the wanted blobs that are not solid, in stored order.
    pub(super) order: Vec<usize>,
    /// Indices of the large ones among them.
    pub(super) large: Vec<usize>,
    pub(super) jobs: Vec<Job>,
    /// Indices of the wanted blobs in solid resources: file, resource, offset, index, sorted.
    pub(super) solid: Vec<(usize, usize, u64, usize)>,
}

impl Plan {
    pub(super) fn new<R: ReadAt>(wims: &[Wim<R>], wanted: &[Wanted]) -> Self {
        let mut plan = Self::default();
        let mut ordered = Vec::new();
        for (index, want) in wanted.iter().enumerate() {
            match want.blob.location {
                Location::Resource(header) => ordered.push((want.wim, header.offset, index)),
                Location::Solid { resource, offset } => {
                    plan.solid.push((want.wim, resource, offset, index));
                }
            }
        }
        ordered.sort_unstable();
        plan.solid.sort_unstable();
        plan.order = ordered.into_iter().map(|(_, _, index)| index).collect();
        let mut at = 0;
        while at < plan.order.len() {
            at = plan.add_jobs(wims, wanted, at);
        }
        plan
    }

    /// Adds the jobs for the blob at position `at` of the order and those that go with it; answers
    /// the position behind them.
    fn add_jobs<R: ReadAt>(&mut self, wims: &[Wim<R>], wanted: &[Wanted], at: usize) -> usize {
        let Some((wim, start, len, size)) = self.place(wanted, at) else { return at + 1 };
        if size >= LARGE {
            let chunk = wims.get(wim).and_then(Wim::coding).map_or(0, |c| u64::from(c.chunk_size));
            let step = SEGMENT.max(chunk);
            let large = self.large.len();
            self.large.extend(self.order.get(at));
            let segment = |first| Job::Segment { large, bytes: first..size.min(first + step) };
            self.jobs.extend((0..size.div_ceil(step)).map(|n| segment(n * step)));
            return at + 1;
        }
        let (mut end, mut bytes, mut next) = (start + len, size, at + 1);
        while next - at < BATCH_BLOBS
            && let Some((other, offset, len, size)) = self.place(wanted, next)
            && other == wim
            && size < LARGE
            && offset <= end.saturating_add(BATCH_GAP)
            && offset.saturating_add(len).saturating_sub(start) <= BATCH_STORED
            && bytes + size <= BATCH_BYTES
        {
            end = end.max(offset + len);
            bytes += size;
            next += 1;
        }
        self.jobs.push(Job::Batch { wim, offset: start, len: end - start, blobs: at..next });
        next
    }

    /// File, offset, stored bytes and size of the blob at a position of the order.
    fn place(&self, wanted: &[Wanted], position: usize) -> Option<(usize, u64, u64, u64)> {
        let want = wanted.get(*self.order.get(position)?)?;
        match want.blob.location {
            Location::Resource(h) => Some((want.wim, h.offset, h.stored_size, want.blob.size)),
            Location::Solid { .. } => None,
        }
    }
}
