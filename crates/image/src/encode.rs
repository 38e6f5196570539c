//! From bytes to a stored resource: chunk by chunk, raw where that is not smaller.

use std::num::NonZeroUsize;

use imprint_codec::{Compressor, Level, NewCodecError};
use imprint_wim::{ChunkMap, Coding};

/// Compresses all chunks of `data` on several threads; answers in order. `None` if the coding cannot be
/// written.
pub(crate) fn chunks_in_parallel(
    data: &[u8],
    coding: Coding,
    level: Level,
    threads: NonZeroUsize,
) -> Option<Vec<Vec<u8>>> {
    let chunk_size = usize::try_from(coding.chunk_size).ok().filter(|size| *size > 0)?;
    let count = data.len().div_ceil(chunk_size);
    let share = count.div_ceil(threads.get()).max(1) * chunk_size;
    std::thread::scope(|scope| {
        let workers: Vec<_> = data
            .chunks(share)
            .map(|share| scope.spawn(move || Some(Encoder::new(coding, level).ok()?.list(share))))
            .collect();
        let mut all = Vec::with_capacity(count);
        for worker in workers {
            all.extend(worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        Some(all)
    })
}

/// Compresses resources and chunks of one coding; one per thread.
#[derive(Debug)]
pub(crate) struct Encoder {
    compressor: Compressor,
    coding: Coding,
    chunk_size: NonZeroUsize,
    chunk: Vec<u8>,
}

impl Encoder {
    /// Makes an encoder.
    pub(crate) fn new(coding: Coding, level: Level) -> Result<Self, NewCodecError> {
        let compressor = Compressor::new(coding.format, coding.chunk_size, level)?;
        let size = NonZeroUsize::new(usize::try_from(coding.chunk_size).unwrap_or_default());
        let illegal = NewCodecError::ChunkSize { format: coding.format, size: coding.chunk_size };
        let chunk_size = size.ok_or(illegal)?;
        Ok(Self { compressor, coding, chunk_size, chunk: vec![0; chunk_size.get()] })
    }

    /// Appends the stored form of every chunk of `data` to `out` and its length to `lengths`.
    pub(crate) fn chunks(&mut self, data: &[u8], out: &mut Vec<u8>, lengths: &mut Vec<u32>) {
        for chunk in data.chunks(self.chunk_size.get()) {
            let stored = match self.compressor.compress(chunk, &mut self.chunk) {
                Some(length) => self.chunk.get(..length).unwrap_or(chunk),
                None => chunk,
            };
            out.extend_from_slice(stored);
            // A chunk has at most 2 MiB (1 GiB for LZMS), so its length fits.
            lengths.push(u32::try_from(stored.len()).unwrap_or(u32::MAX));
        }
    }

    /// The stored form of every chunk of `data`.
    fn list(&mut self, data: &[u8]) -> Vec<Vec<u8>> {
        let mut list = Vec::new();
        for chunk in data.chunks(self.chunk_size.get()) {
            let (mut stored, mut lengths) = (Vec::new(), Vec::new());
            self.chunks(chunk, &mut stored, &mut lengths);
            list.push(stored);
        }
        list
    }

    /// Appends the stored form of the whole resource `data` to `out`: chunk table and chunks if that
    /// is smaller than `data` (then the answer is true), otherwise `data` itself.
    pub(crate) fn resource(&mut self, data: &[u8], out: &mut Vec<u8>) -> bool {
        let start = out.len();
        let size = data.len() as u64;
        let table = ChunkMap::table_len(size, self.coding.chunk_size);
        let table = usize::try_from(table).unwrap_or(usize::MAX);
        // Below 2^32 bytes a table entry has 4 bytes; resources in memory are far smaller.
        out.resize(start + table, 0);
        let mut lengths = Vec::with_capacity(table / 4 + 1);
        self.chunks(data, out, &mut lengths);
        if out.len() - start >= data.len() {
            out.truncate(start);
            out.extend_from_slice(data);
            return false;
        }
        let ends = lengths.iter().scan(0_u32, |end, &length| {
            *end += length;
            Some(*end)
        });
        let slots = out.get_mut(start..start + table).unwrap_or_default();
        for (slot, end) in slots.as_chunks_mut::<4>().0.iter_mut().zip(ends) {
            *slot = end.to_le_bytes();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use imprint_codec::Format;

    use super::*;

    #[test]
    fn many_threads_make_the_chunks_of_one() {
        let data: Vec<u8> = (0_u32..30_000).flat_map(|n| (n * n / 77).to_le_bytes()).collect();
        for len in [0, 1, 4096, 4097, 50_000, data.len()] {
            let data = &data[..len];
            let coding = Coding::new(Format::Xpress, 4096).unwrap();
            let expected = Encoder::new(coding, Level::default()).unwrap().list(data);
            assert_eq!(expected.len(), len.div_ceil(4096));
            for threads in [1, 2, 3, 8, 100] {
                let threads = NonZeroUsize::new(threads).unwrap();
                let chunks = chunks_in_parallel(data, coding, Level::default(), threads);
                assert_eq!(chunks.as_ref(), Some(&expected), "{len} bytes, {threads} threads");
            }
        }
        let lzms = Coding::with_default_chunks(Format::Lzms);
        assert_eq!(chunks_in_parallel(&data, lzms, Level::default(), NonZeroUsize::MIN), None);
    }
}
