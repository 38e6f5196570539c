//! From bytes to a stored resource: chunk by chunk, raw where that is not smaller.

use std::num::NonZeroUsize;

use imprint_codec::{Compressor, Level, NewCodecError};
use imprint_wim::{ChunkMap, Coding};

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
