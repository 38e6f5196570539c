//! One resource being written, chunk by chunk.

use imprint_blockio::Resize;

use super::sink::Sink;
use crate::chunk_map::{ChunkMap, chunk_count, push_entry};
use crate::error::{Structure, WriteError};
use crate::resource::{Coding, ResourceFlags, ResourceHeader};

/// A resource that has begun and not ended.
#[derive(Debug)]
pub(super) struct OpenResource {
    /// First byte in the file.
    start: u64,
    /// Bytes when uncompressed.
    size: u64,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Raw,
    Chunks {
        chunk_size: u32,
        /// Chunks given.
        given: u64,
        /// Entries of the chunk table so far.
        table: Vec<u8>,
        /// First byte of chunk 0.
        data: u64,
    },
}

/// How a resource ended.
pub(super) enum ResourceEnd {
    Written(ResourceHeader),
    NotSmaller,
}

impl OpenResource {
    /// Begins a resource; leaves room for its chunk table if it is to be compressed.
    pub(super) fn begin<F: Resize>(
        sink: &mut Sink<F>,
        size: u64,
        coding: Option<Coding>,
    ) -> Result<Self, WriteError> {
        if size == 0 {
            return Err(WriteError::Size { what: "blob", expected: 1, actual: 0 });
        }
        let start = sink.position();
        let form = match coding {
            None => Form::Raw,
            Some(Coding { chunk_size, .. }) => {
                let table = ChunkMap::table_len(size, chunk_size);
                if let Err(error) = sink.write_zeros(Structure::ChunkTable, table) {
                    sink.rewind(start);
                    return Err(error);
                }
                Form::Chunks { chunk_size, given: 0, table: Vec::new(), data: start + table }
            }
        };
        Ok(Self { start, size, form })
    }

    /// First byte in the file.
    pub(super) const fn start(&self) -> u64 {
        self.start
    }

    /// Adds a chunk, or any piece of a resource that is not compressed.
    pub(super) fn push<F: Resize>(
        &mut self,
        sink: &mut Sink<F>,
        stored: &[u8],
    ) -> Result<(), WriteError> {
        let actual = u64::try_from(stored.len()).unwrap_or(u64::MAX);
        let position = sink.position();
        match &mut self.form {
            Form::Raw => {
                let left = self.size - (position - self.start);
                if actual > left {
                    let (what, expected) = ("rest of a blob", left);
                    return Err(WriteError::Size { what, expected, actual });
                }
            }
            Form::Chunks { chunk_size, given, table, data } => {
                let before = given.saturating_mul(u64::from(*chunk_size));
                let most = self.size.saturating_sub(before).min(u64::from(*chunk_size));
                if actual == 0 || actual > most {
                    let (what, expected) = ("stored chunk", most);
                    return Err(WriteError::Size { what, expected, actual });
                }
                if *given > 0 {
                    push_entry(table, self.size, position - *data);
                }
                *given += 1;
            }
        }
        sink.write(Structure::Resource, stored)
    }

    /// Ends the resource and fills in its chunk table. What did not get smaller is taken back.
    pub(super) fn end<F: Resize>(self, sink: &mut Sink<F>) -> Result<ResourceEnd, WriteError> {
        let Self { start, size, form } = self;
        let stored_size = sink.position() - start;
        let header = |flags| ResourceHeader { stored_size, flags, offset: start, size };
        let uncompressed = ResourceEnd::Written(header(ResourceFlags::empty()));
        let Form::Chunks { chunk_size, given, table, .. } = form else {
            return match stored_size {
                stored if stored == size => Ok(uncompressed),
                actual => Err(WriteError::Size { what: "blob", expected: size, actual }),
            };
        };
        let expected = chunk_count(size, chunk_size);
        if given != expected {
            return Err(WriteError::Size { what: "blob in chunks", expected, actual: given });
        }
        if stored_size == size && given == 1 {
            // A single raw chunk has no table: its bytes are those of an uncompressed resource.
            return Ok(uncompressed);
        }
        if stored_size >= size {
            sink.rewind(start);
            return Ok(ResourceEnd::NotSmaller);
        }
        sink.patch(Structure::ChunkTable, start, &table)?;
        Ok(ResourceEnd::Written(header(ResourceFlags::COMPRESSED)))
    }
}
