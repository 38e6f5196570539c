//! Where the compressed chunks of a resource are.
//!
//! ```text
//!  ordinary:  | entry 1 | ... | entry n-1 | chunk 0 | chunk 1 | ... |   entry i: offset of chunk i
//!                                          ▲ offsets count from here    behind the table
//!  solid:     | header 16 | size 0 | ... | size n-1 | chunk 0 | ... |   stored size of each chunk
//! ```

use imprint_codec::Format;
use zerocopy::transmute;

use crate::error::{Corruption, Expected, Fault, ReadError, Structure};
use crate::layout::SolidHeaderDisk;
use crate::resource::{Coding, ResourceHeader};

/// Resources larger than this have 8-byte table entries.
/// Source: "Windows Imaging File Format" paper; wimlib uses 8 bytes from exactly 2^32 up.
const LARGEST_WITH_SHORT_ENTRIES: u64 = 0xffff_ffff;
/// Every so many chunks of a solid resource the sum of the stored sizes before is kept.
const SUM_STEP: u64 = 32;
/// Bytes of [`SolidHeaderDisk`].
pub(crate) const SOLID_HEADER: u64 = 16;

/// A stored chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// First stored byte, from the start of the file.
    pub offset: u64,
    /// Stored bytes, 1 to `size`.
    pub stored: u32,
    /// Bytes when uncompressed.
    pub size: u32,
}

impl Chunk {
    /// Whether the stored bytes are the chunk itself.
    #[must_use]
    pub const fn is_raw(&self) -> bool {
        self.stored == self.size
    }
}

/// Start of a solid resource, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SolidHeader {
    /// Bytes of the whole resource when uncompressed.
    pub size: u64,
    /// How its chunks are compressed.
    pub coding: Coding,
}

impl SolidHeader {
    /// Checks the 16 bytes at the start of the solid resource at `offset`.
    ///
    /// # Errors
    /// [`Corruption`] if the format is unknown or its chunk size illegal.
    pub fn parse(bytes: &[u8; 16], offset: u64) -> Result<Self, Corruption> {
        let fault = |at, fault| Corruption::new(Structure::SolidResource, offset + at, fault);
        let disk: SolidHeaderDisk = transmute!(*bytes);
        let format = match disk.format.get() {
            1 => Format::Xpress,
            2 => Format::Lzx,
            3 => Format::Lzms,
            other => {
                let expected = Expected::Within(1, 3);
                let field = "compression format";
                return Err(fault(12, Fault::Number { field, expected, actual: u64::from(other) }));
            }
        };
        let coding = Coding::new(format, disk.chunk_size.get())
            .map_err(|error| fault(8, Fault::Coding(error)))?;
        Ok(Self { size: disk.size.get(), coding })
    }
}

/// The chunks of one resource, checked: every chunk lies inside the resource, none is empty and none
/// is longer than what it holds. Takes as much memory as the table has bytes.
#[derive(Clone, Debug)]
pub struct ChunkMap {
    entries: Entries,
    /// First stored byte of chunk 0.
    data: u64,
    /// The byte behind the last chunk.
    end: u64,
    size: u64,
    chunk_size: u32,
}

#[derive(Clone, Debug)]
enum Entries {
    Short(Box<[u8]>),
    Long(Box<[u8]>),
    /// Sizes, and the sum of all sizes before every [`SUM_STEP`]th.
    Sizes(Box<[u8]>, Vec<u64>),
}

impl ChunkMap {
    /// Bytes of the chunk table of a resource of `size` uncompressed bytes.
    #[must_use]
    pub const fn table_len(size: u64, chunk_size: u32) -> u64 {
        let chunks = chunk_count(size, chunk_size);
        chunks.saturating_sub(1).saturating_mul(entry_width(size))
    }

    /// Bytes of the header and sizes of a solid resource of `size` uncompressed bytes.
    #[must_use]
    pub const fn solid_table_len(size: u64, chunk_size: u32) -> u64 {
        chunk_count(size, chunk_size).saturating_mul(4).saturating_add(SOLID_HEADER)
    }

    /// Makes the chunk table of an ordinary compressed resource of `size` uncompressed bytes from the
    /// stored sizes of its chunks in order.
    #[must_use]
    pub fn encode_table(size: u64, stored: impl IntoIterator<Item = u32>) -> Vec<u8> {
        let mut table = Vec::new();
        let mut stored = stored.into_iter().peekable();
        let mut offset = 0;
        while let Some(bytes) = stored.next() {
            offset += u64::from(bytes);
            if stored.peek().is_some() {
                push_entry(&mut table, size, offset);
            }
        }
        table
    }

    /// Checks the chunk table of an ordinary compressed resource. `table` holds the first
    /// [`Self::table_len`] bytes of the resource.
    ///
    /// # Errors
    /// [`ReadError::BufferSize`] if `table` has another length, otherwise [`Corruption`] at the
    /// faulty entry.
    pub fn parse(header: &ResourceHeader, coding: Coding, table: &[u8]) -> Result<Self, ReadError> {
        let table_len = Self::table_len(header.size, coding.chunk_size);
        let (data, end) = data_range(header, table_len, table.len())?;
        let width = entry_width(header.size);
        let entries =
            if width == 4 { Entries::Short(table.into()) } else { Entries::Long(table.into()) };
        let map = Self { entries, data, end, size: header.size, chunk_size: coding.chunk_size };
        map.check_offsets(header.offset, width)?;
        Ok(map)
    }

    /// Checks the chunk sizes of a solid resource. `table` holds its first
    /// [`Self::solid_table_len`] bytes.
    ///
    /// # Errors
    /// [`ReadError::BufferSize`] if `table` has another length, otherwise [`Corruption`] at the
    /// faulty entry.
    pub fn parse_solid(
        header: &ResourceHeader,
        solid: &SolidHeader,
        table: &[u8],
    ) -> Result<Self, ReadError> {
        let chunk_size = solid.coding.chunk_size;
        let table_len = Self::solid_table_len(solid.size, chunk_size);
        let (data, end) = data_range(header, table_len, table.len())?;
        let sizes = table.get(16..).unwrap_or_default();
        let mut map = Self {
            entries: Entries::Sizes(sizes.into(), Vec::new()),
            data,
            end,
            size: solid.size,
            chunk_size,
        };
        let sums = map.sum_sizes(sizes, header.offset + SOLID_HEADER)?;
        map.entries = Entries::Sizes(sizes.into(), sums);
        Ok(map)
    }

    /// Number of chunks.
    #[must_use]
    pub const fn len(&self) -> u64 {
        chunk_count(self.size, self.chunk_size)
    }

    /// Whether there are no chunks, because the resource is empty.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.size == 0
    }

    /// Bytes of the resource when uncompressed.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Bytes of every uncompressed chunk but the last.
    #[must_use]
    pub const fn chunk_size(&self) -> u32 {
        self.chunk_size
    }

    /// The `index`th chunk, counted from 0. The uncompressed data of the resource at byte `o` is in
    /// chunk `o / chunk_size`.
    #[must_use]
    pub fn chunk(&self, index: u64) -> Option<Chunk> {
        if index >= self.len() {
            return None;
        }
        let start = self.start_of(index)?;
        let stored = match &self.entries {
            Entries::Sizes(sizes, _) => u64::from(u32_at(sizes, index)?),
            _ if index + 1 == self.len() => (self.end - self.data).checked_sub(start)?,
            _ => self.start_of(index + 1)?.checked_sub(start)?,
        };
        let stored = u32::try_from(stored).ok()?;
        Some(Chunk { offset: self.data + start, stored, size: self.size_of(index) })
    }

    /// All chunks in order.
    pub fn iter(&self) -> impl Iterator<Item = Chunk> {
        (0..self.len()).map_while(|index| self.chunk(index))
    }

    /// Uncompressed bytes of a chunk that exists.
    fn size_of(&self, index: u64) -> u32 {
        let before = index.saturating_mul(u64::from(self.chunk_size));
        u32::try_from(self.size.saturating_sub(before)).unwrap_or(u32::MAX).min(self.chunk_size)
    }

    /// Offset of a chunk behind the table.
    fn start_of(&self, index: u64) -> Option<u64> {
        match &self.entries {
            Entries::Sizes(sizes, sums) => {
                let sum = *sums.get(usize::try_from(index / SUM_STEP).ok()?)?;
                (index / SUM_STEP * SUM_STEP..index)
                    .try_fold(sum, |sum, i| Some(sum + u64::from(u32_at(sizes, i)?)))
            }
            _ if index == 0 => Some(0),
            Entries::Short(table) => u32_at(table, index - 1).map(u64::from),
            Entries::Long(table) => u64_at(table, index - 1),
        }
    }

    /// Checks that each offset leaves its chunk between one byte and its uncompressed size.
    fn check_offsets(&self, table: u64, width: u64) -> Result<(), Corruption> {
        let (count, available) = (self.len(), self.end - self.data);
        let mut start = 0;
        for index in 1..count {
            let actual = self.start_of(index).unwrap_or_default();
            // The chunks that follow take at least a byte each.
            let most = available.saturating_sub(count - index);
            let highest = start + u64::from(self.size_of(index - 1));
            let expected = Expected::Within(start + 1, highest.min(most));
            if actual <= start || actual > highest || actual > most {
                let at = table + (index - 1) * width;
                let fault = Fault::Code { field: "chunk offset", expected, actual };
                return Err(Corruption::new(Structure::ChunkTable, at, fault));
            }
            start = actual;
        }
        let Some(last) = count.checked_sub(1) else { return Ok(()) };
        let (actual, most) = (available - start, u64::from(self.size_of(last)));
        if actual == 0 || actual > most {
            let fault = Fault::Number {
                field: "stored size of the last chunk",
                expected: Expected::Within(1, most),
                actual,
            };
            let at = table + last.saturating_sub(1) * width;
            return Err(Corruption::new(Structure::ChunkTable, at, fault));
        }
        Ok(())
    }

    /// Checks all sizes of a solid resource and sums them up.
    fn sum_sizes(&self, sizes: &[u8], table: u64) -> Result<Vec<u64>, Corruption> {
        let mut sums = Vec::new();
        let mut sum = 0_u64;
        for index in 0..self.len() {
            if index.is_multiple_of(SUM_STEP) {
                sums.push(sum);
            }
            let actual = u64::from(u32_at(sizes, index).unwrap_or_default());
            let room = (self.end - self.data).saturating_sub(sum);
            let most = room.min(u64::from(self.size_of(index)));
            if actual == 0 || actual > most {
                let expected = Expected::Within(1, most);
                let fault = Fault::Number { field: "stored size of a chunk", expected, actual };
                return Err(Corruption::new(Structure::SolidResource, table + index * 4, fault));
            }
            sum += actual;
        }
        Ok(sums)
    }
}

/// First byte behind the table and the end of the resource, if the table fits and at least one byte
/// per chunk is left for the chunks.
fn data_range(
    header: &ResourceHeader,
    table_len: u64,
    given: usize,
) -> Result<(u64, u64), ReadError> {
    let actual = u64::try_from(given).unwrap_or(u64::MAX);
    let past_end = || {
        let fault =
            Fault::PastEnd { field: "chunk table", limit: header.stored_size, end: table_len };
        Corruption::new(Structure::ChunkTable, header.offset, fault)
    };
    let end = header.end().ok_or_else(past_end)?;
    if table_len > header.stored_size {
        return Err(past_end().into());
    }
    if actual != table_len {
        return Err(ReadError::BufferSize { what: "chunk table", expected: table_len, actual });
    }
    Ok((header.offset + table_len, end))
}

/// Number of chunks of a resource; 0 if the chunk size is 0, which [`Coding::new`] refuses.
pub(crate) const fn chunk_count(size: u64, chunk_size: u32) -> u64 {
    match chunk_size {
        0 => 0,
        _ => size.div_ceil(chunk_size as u64),
    }
}

pub(crate) const fn entry_width(size: u64) -> u64 {
    if size > LARGEST_WITH_SHORT_ENTRIES { 8 } else { 4 }
}

/// Appends the offset of a chunk, in the width a resource of `size` bytes has.
pub(crate) fn push_entry(table: &mut Vec<u8>, size: u64, offset: u64) {
    let bytes = offset.to_le_bytes();
    let width = if entry_width(size) == 4 { 4 } else { 8 };
    table.extend_from_slice(bytes.get(..width).unwrap_or(&bytes));
}

fn u32_at(bytes: &[u8], index: u64) -> Option<u32> {
    let at = usize::try_from(index).ok()?.checked_mul(4)?;
    bytes.get(at..)?.first_chunk().map(|b| u32::from_le_bytes(*b))
}

fn u64_at(bytes: &[u8], index: u64) -> Option<u64> {
    let at = usize::try_from(index).ok()?.checked_mul(8)?;
    bytes.get(at..)?.first_chunk().map(|b| u64::from_le_bytes(*b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::ResourceFlags;

    const CODING: Coding = Coding { format: Format::Xpress, chunk_size: 4096 };

    fn header(stored_size: u64, size: u64) -> ResourceHeader {
        ResourceHeader { stored_size, flags: ResourceFlags::COMPRESSED, offset: 1000, size }
    }

    /// Makes the table of chunks with these stored sizes and reads it again.
    fn round_trip(size: u64, stored: &[u32]) -> Vec<Chunk> {
        let table = ChunkMap::encode_table(size, stored.iter().copied());
        assert_eq!(table.len() as u64, ChunkMap::table_len(size, CODING.chunk_size));
        let sum: u64 = stored.iter().map(|&bytes| u64::from(bytes)).sum();
        let header = header(table.len() as u64 + sum, size);
        ChunkMap::parse(&header, CODING, &table).unwrap().iter().collect()
    }

    #[test]
    fn chunks_lie_one_behind_the_other() {
        assert_eq!(round_trip(1, &[1]), [Chunk { offset: 1000, stored: 1, size: 1 }]);
        assert_eq!(
            round_trip(9000, &[100, 4096, 7]),
            [
                Chunk { offset: 1008, stored: 100, size: 4096 },
                Chunk { offset: 1108, stored: 4096, size: 4096 },
                Chunk { offset: 5204, stored: 7, size: 808 },
            ]
        );
        assert!(round_trip(4096 * 2, &[4096, 4096]).iter().all(Chunk::is_raw));
    }

    #[test]
    fn entries_are_eight_bytes_from_four_gigabytes_up() {
        assert_eq!(ChunkMap::table_len(0, 4096), 0);
        assert_eq!(ChunkMap::table_len(0xffff_ffff, 32 << 10), 4 * 0x1_ffff);
        assert_eq!(ChunkMap::table_len(1 << 32, 32 << 10), 8 * 0x1_ffff);
        let chunks = (1_u64 << 32) / 4096 + 1;
        let table = ChunkMap::encode_table((1 << 32) + 1, (0..chunks).map(|_| 5));
        // The last chunk holds a single byte.
        let header = header(table.len() as u64 + chunks * 5 - 4, (1 << 32) + 1);
        let map = ChunkMap::parse(&header, CODING, &table).unwrap();
        assert_eq!(map.len(), chunks);
        let last = map.chunk(chunks - 1).unwrap();
        assert_eq!((last.stored, last.size), (1, 1));
        assert_eq!(last.offset, 1000 + table.len() as u64 + (chunks - 1) * 5);
        assert_eq!(map.chunk(chunks), None);
    }

    fn fault(stored_size: u64, size: u64, table: &[u32]) -> String {
        let table: Vec<u8> = table.iter().flat_map(|entry| entry.to_le_bytes()).collect();
        ChunkMap::parse(&header(stored_size, size), CODING, &table).unwrap_err().to_string()
    }

    #[test]
    fn faulty_tables_name_the_entry() {
        assert_eq!(
            fault(1000, 12_000, &[100, 100]),
            "chunk table: chunk offset should be from 0x65 to 0x3df, but is 0x64 (at offset 0x3ec)"
        );
        assert_eq!(
            fault(10_000, 12_000, &[4097, 5000]),
            "chunk table: chunk offset should be from 0x1 to 0x1000, but is 0x1001 (at offset 0x3e8)"
        );
        assert_eq!(
            fault(1000, 12_000, &[990, 992]),
            "chunk table: chunk offset should be from 0x3df to 0x3df, but is 0x3e0 (at offset 0x3ec)"
        );
        assert_eq!(
            fault(10_000, 8200, &[1, 2]),
            "chunk table: stored size of the last chunk should be from 1 to 8, but is 9990 \
             (at offset 0x3ec)"
        );
        assert_eq!(
            fault(4097, 4096, &[]),
            "chunk table: stored size of the last chunk should be from 1 to 4096, but is 4097 \
             (at offset 0x3e8)"
        );
        assert_eq!(
            fault(7, 12_000, &[]),
            "chunk table: chunk table should end at or before 0x7, but ends at 0x8 \
             (at offset 0x3e8)"
        );
        assert_eq!(fault(100, 12_000, &[1]), "chunk table should have 8 bytes, but has 4");
    }

    fn solid(sizes: &[u32], size: u64, stored: u64) -> Result<ChunkMap, ReadError> {
        let mut table = vec![0; 16];
        table.extend(sizes.iter().flat_map(|size| size.to_le_bytes()));
        ChunkMap::parse_solid(
            &header(stored, 1 << 32),
            &SolidHeader { size, coding: CODING },
            &table,
        )
    }

    #[test]
    fn solid_chunks_are_found_by_their_sizes() {
        let sizes: Vec<u32> = (1..=100).map(|n| n * 40).collect();
        let table = 16 + 400;
        let sum: u64 = sizes.iter().map(|&s| u64::from(s)).sum();
        let map = solid(&sizes, 100 * 4096 - 1, table + sum).unwrap();
        let mut offset = 1000 + table;
        for (index, &stored) in (0..).zip(&sizes) {
            let size = if index == 99 { 4095 } else { 4096 };
            assert_eq!(map.chunk(index), Some(Chunk { offset, stored, size }), "{index}");
            offset += u64::from(stored);
        }
        assert_eq!(map.iter().count(), 100);
    }

    #[test]
    fn faulty_solid_sizes_name_the_chunk() {
        let text =
            |sizes: &[u32], size, stored| solid(sizes, size, stored).unwrap_err().to_string();
        assert_eq!(
            text(&[5, 0], 5000, 100),
            "solid resource: stored size of a chunk should be from 1 to 71, but is 0 \
             (at offset 0x3fc)"
        );
        assert_eq!(
            text(&[4097], 4096, 10_000),
            "solid resource: stored size of a chunk should be from 1 to 4096, but is 4097 \
             (at offset 0x3f8)"
        );
        assert!(text(&[1, 1], 5000, 23).contains("should end at or before 0x17, but ends at 0x18"));
    }

    #[test]
    fn solid_headers_are_checked() {
        let parse = |size: u64, chunk_size: u32, format: u32| {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&size.to_le_bytes());
            bytes[8..12].copy_from_slice(&chunk_size.to_le_bytes());
            bytes[12..].copy_from_slice(&format.to_le_bytes());
            SolidHeader::parse(&bytes, 500).map_err(|error| error.to_string())
        };
        let coding = Coding { format: Format::Lzms, chunk_size: 64 << 20 };
        assert_eq!(parse(77, 64 << 20, 3), Ok(SolidHeader { size: 77, coding }));
        assert_eq!(
            parse(77, 64 << 20, 4).unwrap_err(),
            "solid resource: compression format should be from 1 to 3, but is 4 (at offset 0x200)"
        );
        assert_eq!(
            parse(77, 1000, 2).unwrap_err(),
            "solid resource: compression cannot be set up (at offset 0x1fc)"
        );
    }
}
