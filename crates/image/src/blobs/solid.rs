//! Solid resources: each chunk is decompressed once, by whichever thread takes it, and holds blobs
//! or pieces of blobs.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use imprint_blockio::ReadAt;
use imprint_wim::{ChunkMap, ReadError, SolidResource, Wim};

use super::large::LargeBlob;
use super::run::{Shared, Worker, io_error};
use super::{BlobSink, Damage, Wanted};
use crate::chain::hash_of;

/// Memory for chunks under way in all threads together, bytes: fewer threads take part if chunks
/// are large. One always does.
const MEMORY: u64 = 160 << 20;

/// The wanted blobs of one solid resource.
pub(super) struct SolidRun {
    wim: usize,
    resource: usize,
    /// Offset in the uncompressed data and index of the wanted blob, sorted.
    blobs: Vec<(u64, usize)>,
}

/// Blobs that more than one chunk holds a piece of, while under way.
type Partial<S> = Mutex<HashMap<usize, Arc<LargeBlob<S>>>>;

impl SolidRun {
    /// Cuts the sorted list of (file, resource, offset, index) into resources.
    pub(super) fn all(sorted: &[(usize, usize, u64, usize)]) -> Vec<Self> {
        sorted
            .chunk_by(|a, b| (a.0, a.1) == (b.0, b.1))
            .filter_map(|run| {
                let &(wim, resource, ..) = run.first()?;
                let blobs = run.iter().map(|&(.., offset, index)| (offset, index)).collect();
                Some(Self { wim, resource, blobs })
            })
            .collect()
    }

    pub(super) fn read<R: ReadAt, S: BlobSink>(
        &self,
        shared: &Shared<'_, R, S>,
        threads: NonZeroUsize,
    ) {
        let Some(wim) = shared.wims.get(self.wim) else { return };
        let Some(solid) = wim.blobs().solid_resources().get(self.resource) else { return };
        let map = match wim.solid_chunk_map(self.resource) {
            Ok(map) => map,
            Err(error) => {
                let text = crate::outcome::chain(&error);
                for &(_, index) in &self.blobs {
                    shared.sink.damaged(index, Damage::Solid(text.clone()));
                }
                return;
            }
        };
        let chunk_size = u64::from(solid.coding.chunk_size);
        let chunks = self.chunks(shared, chunk_size);
        // A chunk under way takes its own size and that of its stored form.
        let per_thread = (chunk_size.min(solid.size) * 3 / 2).max(1);
        let most = usize::try_from(MEMORY / per_thread).unwrap_or(usize::MAX);
        let threads = NonZeroUsize::new(threads.get().min(most)).unwrap_or(NonZeroUsize::MIN);
        let partial = Partial::<S>::default();
        shared.on_threads(threads, chunks.len(), |worker, job| {
            let Some(&number) = chunks.get(job) else { return Ok(()) };
            let start = number * chunk_size;
            let end = solid.size.min(start + chunk_size);
            match read_chunk(worker, wim, solid, &map, number) {
                Ok(data) => self.good_chunk(shared, &partial, start, &data),
                Err(error) => {
                    let text = crate::outcome::chain(&error);
                    self.bad_chunk(shared, &partial, (start, end), &text)
                }
            }
        });
        for (_, blob) in partial.into_inner().unwrap_or_else(PoisonError::into_inner) {
            blob.give_up(shared.sink);
        }
    }

    /// Numbers of the chunks that hold something wanted.
    fn chunks<R, S: BlobSink>(&self, shared: &Shared<'_, R, S>, chunk_size: u64) -> Vec<u64> {
        let mut chunks = BTreeSet::new();
        for &(offset, index) in &self.blobs {
            let size = shared.wanted.get(index).map_or(0, |want| want.blob.size);
            chunks.extend(offset / chunk_size..(offset + size).div_ceil(chunk_size));
        }
        chunks.into_iter().collect()
    }

    /// The blobs with bytes in `start..end`: index, offset of the blob, size.
    fn overlapping<'a, R, S: BlobSink>(
        &'a self,
        shared: &'a Shared<'_, R, S>,
        (start, end): (u64, u64),
    ) -> impl Iterator<Item = (usize, u64, u64)> + 'a {
        let size = move |index: usize| shared.wanted.get(index).map_or(0, |want| want.blob.size);
        // Blobs of a solid resource do not overlap, so their ends are sorted too.
        let first = self.blobs.partition_point(|&(offset, index)| offset + size(index) <= start);
        let from_first = self.blobs.get(first..).unwrap_or_default().iter();
        from_first
            .take_while(move |&&(offset, _)| offset < end)
            .map(move |&(offset, index)| (index, offset, size(index)))
    }

    fn good_chunk<R: ReadAt, S: BlobSink>(
        &self,
        shared: &Shared<'_, R, S>,
        partial: &Partial<S>,
        start: u64,
        data: &[u8],
    ) -> Result<(), S::Error> {
        let end = start + data.len() as u64;
        for (index, offset, size) in self.overlapping(shared, (start, end)) {
            let Some(want) = shared.wanted.get(index) else { continue };
            let (first, last) = (offset.max(start), (offset + size).min(end));
            let inside = |at: u64| usize::try_from(at - start).unwrap_or(usize::MAX);
            let piece = data.get(inside(first)..inside(last)).unwrap_or_default();
            if piece.len() as u64 == size {
                let actual = hash_of(piece);
                if actual == want.blob.hash {
                    shared.sink.put(index, piece)?;
                } else {
                    shared
                        .sink
                        .damaged(index, Damage::Hash { actual, location: want.blob.location });
                }
                continue;
            }
            let blob = self.partial(shared, partial, (index, want))?;
            if blob.bring(shared.sink, want, first - offset, piece.to_vec())? {
                partial.lock().unwrap_or_else(PoisonError::into_inner).remove(&index);
            }
        }
        Ok(())
    }

    fn bad_chunk<R: ReadAt, S: BlobSink>(
        &self,
        shared: &Shared<'_, R, S>,
        partial: &Partial<S>,
        (start, end): (u64, u64),
        error: &str,
    ) -> Result<(), S::Error> {
        for (index, offset, size) in self.overlapping(shared, (start, end)) {
            let Some(want) = shared.wanted.get(index) else { continue };
            let (first, last) = (offset.max(start), (offset + size).min(end));
            let damage = Damage::Solid(error.to_owned());
            if last - first == size {
                shared.sink.damaged(index, damage);
                continue;
            }
            let blob = self.partial(shared, partial, (index, want))?;
            let place = (first - offset, last - first);
            if blob.bring_nothing(shared.sink, want, place, damage)? {
                partial.lock().unwrap_or_else(PoisonError::into_inner).remove(&index);
            }
        }
        Ok(())
    }

    fn partial<R: ReadAt, S: BlobSink>(
        &self,
        shared: &Shared<'_, R, S>,
        partial: &Partial<S>,
        (index, want): (usize, &Wanted),
    ) -> Result<Arc<LargeBlob<S>>, S::Error> {
        let mut partial = partial.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(blob) = partial.get(&index) {
            return Ok(Arc::clone(blob));
        }
        let blob = Arc::new(LargeBlob::begin(shared.sink, index, want)?);
        partial.insert(index, Arc::clone(&blob));
        Ok(blob)
    }
}

fn read_chunk<R: ReadAt>(
    worker: &mut Worker,
    wim: &Wim<R>,
    solid: &SolidResource,
    map: &ChunkMap,
    number: u64,
) -> Result<Vec<u8>, ReadError> {
    let Some(chunk) = map.chunk(number) else { return Ok(Vec::new()) };
    let (stored, size) = (usize::try_from(chunk.stored), usize::try_from(chunk.size));
    worker.stored.resize(stored.unwrap_or_default(), 0);
    wim.file()
        .read_exact_at(&mut worker.stored, chunk.offset)
        .map_err(|error| io_error(chunk.offset, u64::from(chunk.stored), error))?;
    let mut data = vec![0; size.unwrap_or_default()];
    worker.decoder.decode_chunk(solid.coding, &chunk, &worker.stored, &mut data)?;
    Ok(data)
}
