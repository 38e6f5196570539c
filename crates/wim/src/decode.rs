//! Decompression of resources held in memory.

use imprint_codec::Decompressor;

use crate::chunk_map::{Chunk, ChunkMap, chunk_count};
use crate::error::{Corruption, Fault, ReadError, Structure};
use crate::resource::{Coding, ResourceHeader};

/// Decompressors kept at once: the file's own coding and one or two of solid resources.
const KEPT: usize = 3;

/// Decompresses chunks and whole resources. Keep one per thread: it reuses its decompressors.
#[derive(Debug, Default)]
pub struct ResourceDecoder {
    decompressors: Vec<Decompressor>,
}

impl ResourceDecoder {
    /// Makes a decoder; memory for a format is taken when it is first met.
    #[must_use]
    pub const fn new() -> Self {
        Self { decompressors: Vec::new() }
    }

    /// Decompresses a whole ordinary resource. `stored` holds its `stored_size` bytes, `out` takes
    /// its `size` bytes.
    ///
    /// # Errors
    /// [`ReadError::BufferSize`] if a buffer has another size, [`ReadError::Corruption`] if the bytes
    /// break the format; `out` then holds unspecified bytes.
    pub fn decode(
        &mut self,
        header: &ResourceHeader,
        coding: Option<Coding>,
        stored: &[u8],
        out: &mut [u8],
    ) -> Result<(), ReadError> {
        check_size("stored resource", header.stored_size, stored.len())?;
        check_size("resource buffer", header.size, out.len())?;
        if !header.is_compressed() {
            check_size("uncompressed resource", header.size, stored.len())?;
            out.copy_from_slice(stored);
            return Ok(());
        }
        let coding = coding.ok_or_else(|| {
            Corruption::new(Structure::Resource, header.offset, Fault::NoCompressionFormat)
        })?;
        if chunk_count(header.size, coding.chunk_size) == 1
            && let (Ok(stored_size), Ok(size)) =
                (u32::try_from(header.stored_size), u32::try_from(header.size))
        {
            let chunk = Chunk { offset: header.offset, stored: stored_size, size };
            return self.decode_chunk(coding, &chunk, stored, out);
        }
        let table = usize::try_from(header.table_len(Some(coding))).unwrap_or(usize::MAX);
        let map = ChunkMap::parse(header, coding, stored.get(..table).unwrap_or_default())?;
        let mut rest = stored.get(table..).unwrap_or_default();
        let mut out = out;
        for chunk in map.iter() {
            let taken = rest.split_at_checked(to_usize(chunk.stored));
            let room = out.split_at_mut_checked(to_usize(chunk.size));
            // The map has checked that both hold.
            let (Some((bytes, after)), Some((target, left))) = (taken, room) else { break };
            self.decode_chunk(coding, &chunk, bytes, target)?;
            (rest, out) = (after, left);
        }
        Ok(())
    }

    /// Decompresses one chunk. `stored` holds its stored bytes, `out` takes its uncompressed bytes.
    ///
    /// # Errors
    /// [`ReadError::BufferSize`] if a buffer has another size, [`ReadError::Corruption`] if the bytes
    /// break the format; `out` then holds unspecified bytes.
    pub fn decode_chunk(
        &mut self,
        coding: Coding,
        chunk: &Chunk,
        stored: &[u8],
        out: &mut [u8],
    ) -> Result<(), ReadError> {
        check_size("stored chunk", chunk.stored.into(), stored.len())?;
        check_size("chunk buffer", chunk.size.into(), out.len())?;
        if chunk.is_raw() {
            out.copy_from_slice(stored);
            return Ok(());
        }
        let corrupt = |offset, fault| Corruption::new(Structure::Resource, offset, fault);
        let decompressor = self
            .decompressor(coding)
            .map_err(|error| corrupt(chunk.offset, Fault::Coding(error)))?;
        decompressor.decompress(stored, out).map_err(|error| {
            let inside = u64::try_from(error.offset).unwrap_or(u64::MAX);
            corrupt(chunk.offset.saturating_add(inside), Fault::Chunk(error)).into()
        })
    }

    fn decompressor(
        &mut self,
        coding: Coding,
    ) -> Result<&mut Decompressor, imprint_codec::NewCodecError> {
        let fits =
            |d: &Decompressor| d.format() == coding.format && d.chunk_size() == coding.chunk_size;
        match self.decompressors.iter().position(fits) {
            Some(0) => {}
            Some(position) => self.decompressors.swap(0, position),
            None => {
                let new = Decompressor::new(coding.format, coding.chunk_size)?;
                self.decompressors.truncate(KEPT - 1);
                self.decompressors.insert(0, new);
            }
        }
        let missing = imprint_codec::NewCodecError::ChunkSize {
            format: coding.format,
            size: coding.chunk_size,
        };
        self.decompressors.first_mut().ok_or(missing)
    }
}

/// Lossless: `usize` has at least 32 bits on every target.
pub(crate) const fn to_usize(value: u32) -> usize {
    value as usize
}

fn check_size(what: &'static str, expected: u64, actual: usize) -> Result<(), ReadError> {
    let actual = u64::try_from(actual).unwrap_or(u64::MAX);
    if actual == expected { Ok(()) } else { Err(ReadError::BufferSize { what, expected, actual }) }
}

#[cfg(test)]
mod tests {
    use imprint_codec::Format;

    use super::*;
    use crate::resource::ResourceFlags;

    const CODING: Coding = Coding { format: Format::Xpress, chunk_size: 4096 };

    fn header(flags: ResourceFlags, stored: &[u8], size: usize) -> ResourceHeader {
        let (stored_size, size) = (stored.len() as u64, size as u64);
        ResourceHeader { stored_size, flags, offset: 0x500, size }
    }

    fn decode(flags: ResourceFlags, stored: &[u8], size: usize) -> Result<Vec<u8>, String> {
        let mut out = vec![0xee; size];
        let header = header(flags, stored, size);
        let coding = Some(CODING);
        let result = ResourceDecoder::new().decode(&header, coding, stored, &mut out);
        result.map(|()| out).map_err(|error| error.to_string())
    }

    #[test]
    fn raw_bytes_are_copied() {
        let bytes: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        assert_eq!(decode(ResourceFlags::empty(), &bytes, 10_000), Ok(bytes.clone()));
        // A compressed resource of raw chunks.
        let mut stored = ChunkMap::encode_table(10_000, [4096, 4096, 1808]);
        stored.extend(&bytes);
        assert_eq!(decode(ResourceFlags::COMPRESSED, &stored, 10_000), Ok(bytes.clone()));
        assert_eq!(
            decode(ResourceFlags::COMPRESSED, &bytes[..4000], 4000),
            Ok(bytes[..4000].into())
        );
        assert_eq!(decode(ResourceFlags::COMPRESSED, &[], 0), Ok(Vec::new()));
    }

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        assert_eq!(
            decode(ResourceFlags::empty(), &[0; 10], 11).unwrap_err(),
            "uncompressed resource should have 11 bytes, but has 10"
        );
        let mut decoder = ResourceDecoder::new();
        let header = header(ResourceFlags::COMPRESSED, &[0; 10], 20);
        let mut check = |coding, stored: &[u8], out: usize, expected: &str| {
            let error = decoder.decode(&header, coding, stored, &mut vec![0; out]).unwrap_err();
            assert_eq!(error.to_string(), expected);
        };
        check(Some(CODING), &[0; 9], 20, "stored resource should have 10 bytes, but has 9");
        check(Some(CODING), &[0; 10], 19, "resource buffer should have 20 bytes, but has 19");
        check(
            None,
            &[0; 10],
            20,
            "resource: resource is marked as compressed, but the file has no compression format \
             (at offset 0x500)",
        );
        let chunk = Chunk { offset: 0, stored: 5, size: 5 };
        let error = ResourceDecoder::new().decode_chunk(CODING, &chunk, &[0; 5], &mut [0; 4]);
        assert_eq!(error.unwrap_err().to_string(), "chunk buffer should have 5 bytes, but has 4");
    }

    #[test]
    fn damaged_chunks_name_their_place() {
        let error = decode(ResourceFlags::COMPRESSED, &[0xff; 300], 4096).unwrap_err();
        assert!(
            error.starts_with("resource: chunk cannot be decompressed (at offset 0x"),
            "{error}"
        );
    }

    #[test]
    fn decompressors_are_kept_for_each_coding() {
        let mut decoder = ResourceDecoder::new();
        for chunk_size in [4096, 8192, 4096, 16_384, 32_768, 4096] {
            let coding = Coding { chunk_size, ..CODING };
            assert_eq!(decoder.decompressor(coding).unwrap().chunk_size(), chunk_size);
            assert!(decoder.decompressors.len() <= KEPT);
        }
        decoder.decompressor(Coding { chunk_size: 5, ..CODING }).unwrap_err();
    }
}
