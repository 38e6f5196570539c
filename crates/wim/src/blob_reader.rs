//! Reading one blob from its start to its end, chunk by chunk, on one thread.

use imprint_blockio::ReadAt;

use crate::blob_table::{Blob, Location};
use crate::chunk_map::ChunkMap;
use crate::decode::ResourceDecoder;
use crate::error::{Corruption, Fault, ReadError, Structure};
use crate::resource::{Coding, ResourceHeader};
use crate::wim::{Limits, Wim, read_at, read_vec, sized_buffer};

/// Bytes of an uncompressed resource that are read at once.
const PIECE: u64 = 256 << 10;

/// Yields the bytes of a blob in order.
///
/// A blob in a solid resource costs the decompression of every chunk it touches, each time: who wants
/// all blobs of such a resource decompresses its chunks once, with [`Wim::solid_chunk_map`] and a
/// [`ResourceDecoder`], and cuts the blobs out.
#[derive(Debug)]
pub struct BlobReader<'a, R> {
    file: &'a R,
    source: Source,
    /// Next byte, in the resource's uncompressed data.
    position: u64,
    /// The byte behind the blob.
    end: u64,
    decoder: ResourceDecoder,
    stored: Vec<u8>,
    out: Vec<u8>,
}

#[derive(Debug)]
enum Source {
    /// The first byte in the file.
    Raw(u64),
    Chunks(Coding, ChunkMap),
}

impl<'a, R: ReadAt> BlobReader<'a, R> {
    pub(crate) fn new(wim: &'a Wim<R>, blob: &Blob) -> Result<Self, ReadError> {
        match blob.location {
            Location::Resource(header) => {
                Self::of_resource(wim.file(), &header, wim.coding(), wim.limits())
            }
            Location::Solid { resource, offset } => {
                let solid = wim.blobs().solid_resources().get(resource);
                let solid = solid.ok_or(ReadError::MissingBlob { hash: blob.hash })?;
                let source = Source::Chunks(solid.coding, wim.solid_chunk_map(resource)?);
                check_chunk_size(solid.coding, solid.size, wim.limits())?;
                Ok(Self::start(wim.file(), source, offset, blob.size))
            }
        }
    }

    /// Reads an ordinary resource, a table or metadata.
    pub(crate) fn of_resource(
        file: &'a R,
        header: &ResourceHeader,
        coding: Option<Coding>,
        limits: Limits,
    ) -> Result<Self, ReadError> {
        let source = match coding {
            Some(coding) if header.is_compressed() => {
                check_chunk_size(coding, header.size, limits)?;
                Source::Chunks(coding, read_chunk_map(file, header, coding)?)
            }
            _ if header.is_compressed() => {
                let fault = Fault::NoCompressionFormat;
                return Err(Corruption::new(Structure::Resource, header.offset, fault).into());
            }
            _ => Source::Raw(header.offset),
        };
        Ok(Self::start(file, source, 0, header.size))
    }

    fn start(file: &'a R, source: Source, position: u64, size: u64) -> Self {
        Self {
            file,
            source,
            position,
            end: position + size,
            decoder: ResourceDecoder::new(),
            stored: Vec::new(),
            out: Vec::new(),
        }
    }

    /// Bytes not yet yielded.
    #[must_use]
    pub const fn remaining(&self) -> u64 {
        self.end - self.position
    }

    /// Returns the next bytes, `None` behind the last. Each call yields what one chunk holds of the
    /// blob, or up to 256 KiB of an uncompressed one.
    ///
    /// # Errors
    /// [`ReadError`] if the bytes cannot be had or decompressed; the reader stays where it was.
    pub fn next_chunk(&mut self) -> Result<Option<&[u8]>, ReadError> {
        let left = self.remaining();
        if left == 0 {
            return Ok(None);
        }
        let (skip, taken) = match &self.source {
            Source::Raw(start) => {
                let length = left.min(PIECE);
                sized_buffer(&mut self.out, "resource", length)?;
                let at = start.saturating_add(self.position);
                read_at(self.file, Structure::Resource, at, &mut self.out)?;
                (0, length)
            }
            Source::Chunks(coding, map) => {
                let chunk_size = u64::from(map.chunk_size());
                let skip = self.position % chunk_size;
                // The blob lies inside the resource, so the chunk exists.
                let Some(chunk) = map.chunk(self.position / chunk_size) else { return Ok(None) };
                sized_buffer(&mut self.stored, "stored chunk", chunk.stored.into())?;
                sized_buffer(&mut self.out, "chunk", chunk.size.into())?;
                read_at(self.file, Structure::Resource, chunk.offset, &mut self.stored)?;
                self.decoder.decode_chunk(*coding, &chunk, &self.stored, &mut self.out)?;
                (skip, left.min(u64::from(chunk.size).saturating_sub(skip)))
            }
        };
        self.position += taken;
        let index = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        Ok(self.out.get(index(skip)..index(skip + taken)))
    }
}

/// Reads and checks the chunk table of an ordinary compressed resource.
pub(crate) fn read_chunk_map<R: ReadAt>(
    file: &R,
    header: &ResourceHeader,
    coding: Coding,
) -> Result<ChunkMap, ReadError> {
    let table_len = ChunkMap::table_len(header.size, coding.chunk_size);
    if table_len > header.stored_size {
        // `parse` names the fault; it is asked before memory is taken.
        return ChunkMap::parse(header, coding, &[]);
    }
    let table = read_vec(file, Structure::ChunkTable, header.offset, table_len)?;
    ChunkMap::parse(header, coding, &table)
}

fn check_chunk_size(coding: Coding, size: u64, limits: Limits) -> Result<(), ReadError> {
    let size = u64::from(coding.chunk_size).min(size);
    let limit = u64::from(limits.chunk);
    if size <= limit { Ok(()) } else { Err(ReadError::TooLarge { what: "chunk", size, limit }) }
}
