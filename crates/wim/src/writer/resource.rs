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

#[cfg(test)]
mod tests {
    use imprint_blockio::MemoryFile;
    use imprint_codec::Format;

    use super::*;

    const CODING: Coding = Coding { format: Format::Xpress, chunk_size: 4096 };

    /// Writes chunks behind five bytes; returns the end and what the file holds from there.
    fn write(
        size: u64,
        coding: Option<Coding>,
        chunks: &[&[u8]],
    ) -> Result<(ResourceEnd, Vec<u8>), WriteError> {
        let file = MemoryFile::default();
        let mut sink = Sink::new(&file, 0);
        sink.write(Structure::Resource, b"12345").unwrap();
        let mut open = OpenResource::begin(&mut sink, size, coding)?;
        assert_eq!(open.start(), 5);
        for chunk in chunks {
            open.push(&mut sink, chunk)?;
        }
        let end = open.end(&mut sink)?;
        sink.settle(Structure::Resource).unwrap();
        Ok((end, file.to_bytes().split_off(5)))
    }

    fn written(end: &ResourceEnd) -> ResourceHeader {
        match end {
            ResourceEnd::Written(header) => *header,
            ResourceEnd::NotSmaller => panic!("not smaller"),
        }
    }

    #[test]
    fn the_chunk_table_is_filled_in_at_the_end() {
        let (end, bytes) = write(9000, Some(CODING), &[b"abc", &[7; 4096], b"xy"]).unwrap();
        let header = written(&end);
        assert_eq!((header.offset, header.size, header.stored_size), (5, 9000, 8 + 4101));
        assert!(header.is_compressed());
        assert_eq!(bytes[..8], [3, 0, 0, 0, 3, 16, 0, 0]);
        assert_eq!(bytes[8..11], *b"abc");
        let map = ChunkMap::parse(&header, CODING, &bytes[..8]).unwrap();
        let stored: Vec<_> = map.iter().map(|chunk| chunk.stored).collect();
        assert_eq!(stored, [3, 4096, 2]);
    }

    #[test]
    fn a_single_raw_chunk_is_an_uncompressed_resource() {
        let (end, bytes) = write(4, Some(CODING), &[b"abcd"]).unwrap();
        assert_eq!(written(&end).flags, ResourceFlags::empty());
        assert_eq!(bytes, b"abcd");
        let (end, _) = write(4, Some(CODING), &[b"abc"]).unwrap();
        assert_eq!(written(&end).flags, ResourceFlags::COMPRESSED);
    }

    #[test]
    fn what_did_not_shrink_is_taken_back() {
        let raw = [7; 4096];
        let (end, bytes) = write(4096 + 4, Some(CODING), &[&raw, b"abcd"]).unwrap();
        assert!(matches!(end, ResourceEnd::NotSmaller));
        assert_eq!(bytes, b"");
        // The table makes it as large as it was.
        let (end, _) = write(4096 + 4, Some(CODING), &[&raw[..4092], b"abcd"]).unwrap();
        assert!(matches!(end, ResourceEnd::NotSmaller));
        let (end, _) = write(4096 + 4, Some(CODING), &[&raw[..4091], b"abcd"]).unwrap();
        assert_eq!(written(&end).stored_size, 4099);
    }

    #[test]
    fn uncompressed_resources_take_pieces_of_any_length() {
        let (end, bytes) = write(7, None, &[b"", b"abcdef", b"g"]).unwrap();
        assert_eq!((written(&end).stored_size, bytes), (7, b"abcdefg".to_vec()));
        let text = |size, chunks: &[&[u8]]| write(size, None, chunks).err().unwrap().to_string();
        assert_eq!(text(6, &[b"abcdefg"]), "rest of a blob should have 6 bytes, but has 7");
        assert_eq!(text(8, &[b"abcdefg"]), "blob should have 8 bytes, but has 7");
        assert_eq!(text(0, &[]), "blob should have 1 bytes, but has 0");
    }

    #[test]
    fn one_chunk_too_many_or_too_few_is_refused() {
        let text = |chunks: &[&[u8]]| write(5000, Some(CODING), chunks).err().unwrap().to_string();
        assert_eq!(text(&[b"a", b"b", b"c"]), "stored chunk should have 0 bytes, but has 1");
        assert_eq!(text(&[b"a"]), "blob in chunks should have 2 bytes, but has 1");
        assert_eq!(text(&[b"a", &[0; 905]]), "stored chunk should have 904 bytes, but has 905");
    }
}
