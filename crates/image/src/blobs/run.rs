//! The threads that read.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use imprint_blockio::ReadAt;
use imprint_progress::Progress;
use imprint_wim::{
    Chunk, ChunkMap, Location, ReadError, ResourceDecoder, ResourceHeader, Structure, Wim,
};

use super::large::LargeBlob;
use super::plan::{Job, Plan};
use super::solid::SolidRun;
use super::{BlobSink, Damage, Wanted};
use crate::chain::hash_of;

/// What all threads share.
pub(super) struct Shared<'a, R, S: BlobSink> {
    pub(super) wims: &'a [Wim<R>],
    pub(super) wanted: &'a [Wanted],
    pub(super) sink: &'a S,
    pub(super) progress: &'a Progress,
    stop: AtomicBool,
    error: Mutex<Option<S::Error>>,
}

/// What each thread owns.
#[derive(Default)]
pub(super) struct Worker {
    pub(super) decoder: ResourceDecoder,
    pub(super) stored: Vec<u8>,
    out: Vec<u8>,
}

/// Reads all wanted blobs. Stops early when the sink fails or the work is cancelled; whether it was
/// cancelled is for the caller to ask [`Progress::check`].
///
/// # Errors
/// The sink's first error.
pub(crate) fn read_blobs<R: ReadAt, S: BlobSink>(
    wims: &[Wim<R>],
    wanted: &[Wanted],
    sink: &S,
    threads: NonZeroUsize,
    progress: &Progress,
) -> Result<(), S::Error> {
    let plan = Plan::new(wims, wanted);
    let stop = AtomicBool::new(false);
    let shared = Shared { wims, wanted, sink, progress, stop, error: Mutex::default() };
    let larges: Vec<LargeSlot<S>> = plan.large.iter().map(|_| Mutex::default()).collect();
    shared.on_threads(threads, plan.jobs.len(), |worker, job| match plan.jobs.get(job) {
        Some(Job::Batch { wim, offset, len, blobs }) => {
            let indices = plan.order.get(blobs.clone()).unwrap_or_default();
            shared.batch(worker, *wim, *offset, *len, indices)
        }
        Some(Job::Segment { large, bytes }) => match (plan.large.get(*large), larges.get(*large)) {
            (Some(&index), Some(slot)) => shared.segment(worker, index, slot, bytes),
            _ => Ok(()),
        },
        None => Ok(()),
    });
    for slot in &larges {
        if let Some(run) = slot.lock().unwrap_or_else(PoisonError::into_inner).take() {
            run.blob.give_up(sink);
        }
    }
    for run in SolidRun::all(&plan.solid) {
        run.read(&shared, threads);
    }
    let error = shared.error.lock().unwrap_or_else(PoisonError::into_inner).take();
    error.map_or(Ok(()), Err)
}

/// A large blob: `None` before its first and after its last byte.
type LargeSlot<S> = Mutex<Option<Arc<LargeRun<S>>>>;

struct LargeRun<S: BlobSink> {
    blob: LargeBlob<S>,
    /// `Err` says once more what is wrong with the chunk table.
    map: Result<Option<ChunkMap>, String>,
}

impl<R: ReadAt, S: BlobSink> Shared<'_, R, S> {
    /// Runs `work` for the numbers 0 to `jobs` on several threads, until one fails.
    pub(super) fn on_threads(
        &self,
        threads: NonZeroUsize,
        jobs: usize,
        work: impl Fn(&mut Worker, usize) -> Result<(), S::Error> + Sync,
    ) {
        let next = AtomicUsize::new(0);
        let lane = || {
            let mut worker = Worker::default();
            loop {
                let job = next.fetch_add(1, Ordering::Relaxed);
                let stopped = self.stop.load(Ordering::Relaxed) || self.progress.check().is_err();
                if job >= jobs || stopped {
                    return;
                }
                if let Err(error) = work(&mut worker, job) {
                    self.stop.store(true, Ordering::Relaxed);
                    let mut first = self.error.lock().unwrap_or_else(PoisonError::into_inner);
                    first.get_or_insert(error);
                }
            }
        };
        match threads.get().min(jobs) {
            0 => {}
            1 => lane(),
            threads => std::thread::scope(|scope| {
                for _ in 0..threads {
                    scope.spawn(lane);
                }
            }),
        }
    }

    fn batch(
        &self,
        worker: &mut Worker,
        wim: usize,
        offset: u64,
        len: u64,
        indices: &[usize],
    ) -> Result<(), S::Error> {
        let Some(wim) = self.wims.get(wim) else { return Ok(()) };
        worker.stored.resize(usize::try_from(len).unwrap_or(usize::MAX), 0);
        let read = wim.file().read_exact_at(&mut worker.stored, offset);
        for &index in indices {
            let Some(want) = self.wanted.get(index) else { continue };
            let Location::Resource(header) = want.blob.location else { continue };
            if let Err(error) = &read {
                let again = std::io::Error::new(error.kind(), error.to_string());
                let error = io_error(header.offset, header.stored_size, again);
                self.sink.damaged(index, Damage::Read(error));
                continue;
            }
            self.one_of_batch(worker, wim, offset, index, &header)?;
        }
        Ok(())
    }

    fn one_of_batch(
        &self,
        worker: &mut Worker,
        wim: &Wim<R>,
        offset: u64,
        index: usize,
        header: &ResourceHeader,
    ) -> Result<(), S::Error> {
        let Some(want) = self.wanted.get(index) else { return Ok(()) };
        let start = usize::try_from(header.offset - offset).unwrap_or(usize::MAX);
        let len = usize::try_from(header.stored_size).unwrap_or(usize::MAX);
        let stored = worker.stored.get(start..start.saturating_add(len)).unwrap_or_default();
        let data = if header.is_compressed() {
            worker.out.resize(usize::try_from(header.size).unwrap_or_default(), 0);
            if let Err(error) = worker.decoder.decode(header, wim.coding(), stored, &mut worker.out)
            {
                self.sink.damaged(index, Damage::Read(error));
                return Ok(());
            }
            worker.out.as_slice()
        } else {
            stored
        };
        let actual = hash_of(data);
        if actual != want.blob.hash {
            self.sink.damaged(index, Damage::Hash { actual, location: want.blob.location });
            return Ok(());
        }
        self.sink.put(index, data)
    }

    fn segment(
        &self,
        worker: &mut Worker,
        index: usize,
        slot: &LargeSlot<S>,
        bytes: &Range<u64>,
    ) -> Result<(), S::Error> {
        let Some(want) = self.wanted.get(index) else { return Ok(()) };
        let (Some(wim), Location::Resource(header)) = (self.wims.get(want.wim), want.blob.location)
        else {
            return Ok(());
        };
        let run = {
            let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
            match &*slot {
                Some(run) => Arc::clone(run),
                None => {
                    let map =
                        chunk_map(wim, &header).map_err(|error| crate::outcome::chain(&error));
                    let blob = LargeBlob::begin(self.sink, index, want)?;
                    Arc::clone(slot.insert(Arc::new(LargeRun { blob, map })))
                }
            }
        };
        let closed = match read_segment(worker, wim, &header, &run.map, bytes) {
            Ok(data) => run.blob.bring(self.sink, want, bytes.start, data)?,
            Err(damage) => {
                let place = (bytes.start, bytes.end - bytes.start);
                run.blob.bring_nothing(self.sink, want, place, damage)?
            }
        };
        if closed {
            slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
        Ok(())
    }
}

/// Reads the chunk table of a resource; `None` if it is not compressed.
fn chunk_map<R: ReadAt>(
    wim: &Wim<R>,
    header: &ResourceHeader,
) -> Result<Option<ChunkMap>, ReadError> {
    if header.is_compressed() { wim.chunk_map(header).map(Some) } else { Ok(None) }
}

pub(super) const fn io_error(offset: u64, length: u64, source: std::io::Error) -> ReadError {
    ReadError::Io { structure: Structure::Resource, offset, length, source }
}

/// Reads a range of a resource that starts at a chunk and ends at one or at the resource's end.
fn read_segment<R: ReadAt>(
    worker: &mut Worker,
    wim: &Wim<R>,
    header: &ResourceHeader,
    map: &Result<Option<ChunkMap>, String>,
    bytes: &Range<u64>,
) -> Result<Vec<u8>, Damage> {
    let len = bytes.end - bytes.start;
    let mut data = vec![0; usize::try_from(len).unwrap_or_default()];
    match map {
        Err(error) => return Err(Damage::Solid(error.clone())),
        Ok(None) => {
            let offset = header.offset + bytes.start;
            wim.file()
                .read_exact_at(&mut data, offset)
                .map_err(|error| Damage::Read(io_error(offset, len, error)))?;
        }
        Ok(Some(map)) => {
            let chunk_size = u64::from(map.chunk_size());
            let chunks: Vec<Chunk> = (bytes.start / chunk_size..bytes.end.div_ceil(chunk_size))
                .map_while(|number| map.chunk(number))
                .collect();
            read_chunks(worker, wim, &chunks, &mut data)?;
        }
    }
    Ok(data)
}

/// Reads and decompresses chunks that follow each other.
fn read_chunks<R: ReadAt>(
    worker: &mut Worker,
    wim: &Wim<R>,
    chunks: &[Chunk],
    data: &mut [u8],
) -> Result<(), Damage> {
    let (Some(first), Some(last), Some(coding)) = (chunks.first(), chunks.last(), wim.coding())
    else {
        return Ok(());
    };
    let len = last.offset + u64::from(last.stored) - first.offset;
    worker.stored.resize(usize::try_from(len).unwrap_or(usize::MAX), 0);
    wim.file()
        .read_exact_at(&mut worker.stored, first.offset)
        .map_err(|error| Damage::Read(io_error(first.offset, len, error)))?;
    let (mut stored, mut out) = (worker.stored.as_slice(), data);
    for chunk in chunks {
        let at = usize::try_from(chunk.stored).unwrap_or(usize::MAX).min(stored.len());
        let (bytes, rest) = stored.split_at(at);
        let at = usize::try_from(chunk.size).unwrap_or(usize::MAX).min(out.len());
        let (target, left) = out.split_at_mut(at);
        worker.decoder.decode_chunk(coding, chunk, bytes, target).map_err(Damage::Read)?;
        (stored, out) = (rest, left);
    }
    Ok(())
}
