//! Files that Windows itself compressed ("compact", CompactOS): their data stands in a stream beside them.
//!
//! ```text
//!  reparse point: overlay, of a file, algorithm      main data: only its size counts
//!  stream `WofCompressedData`: ends of all chunks but the last │ chunk │ chunk │ ... │ chunk
//! ```
//!
//! Ends count from the end of the table: 4 bytes each, or 8 in files of 4 GiB and more. A chunk as long as what it
//! is for is not compressed. The stream is made like a resource of a WIM file.
//!
//! Source: \[MS-FSCC\] 2.1.2 (the tag); wimlib's header for the filter (the reparse data).

use std::fmt;

use imprint_blockio::{Expected, ReadAt};
use imprint_codec::{Decompressor, Format, NewCodecError};
use imprint_winvalues::WinName;
use imprint_winvalues::reparse::TAG_OVERLAY;
use zerocopy::FromBytes;

use crate::clusters::Piece;
use crate::layout::OverlayDisk;
use crate::{
    AttributeKind, Corruption, ReadError, RecordNumber, Structure, Swept, SweptStream, SweptValue,
    Volume,
};

/// The stream that has the data.
const STREAM: &str = "WofCompressedData";
/// The data is a resource of a WIM file.
const IN_WIM: u32 = 1;
/// The data is a stream of the file.
const IN_FILE: u32 = 2;
/// Bytes of the chunk table that are read at once, a multiple of 8.
const TABLE_PIECE: u64 = 4096;

/// What stands behind the main data of a file.
#[derive(Clone, Debug)]
pub enum Overlay {
    /// Nothing: it is as it is.
    None,
    /// A resource of a WIM file that lies elsewhere.
    Wim,
    /// A stream of the file.
    Compressed(SystemData),
    /// Something that is not known, or not whole.
    Unknown,
}

/// How Windows compressed a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SystemFormat {
    /// XPRESS in chunks of 4 KiB.
    Xpress4K,
    /// LZX in chunks of 32 KiB.
    Lzx,
    /// XPRESS in chunks of 8 KiB.
    Xpress8K,
    /// XPRESS in chunks of 16 KiB.
    Xpress16K,
}

impl SystemFormat {
    const fn from_disk(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::Xpress4K,
            1 => Self::Lzx,
            2 => Self::Xpress8K,
            3 => Self::Xpress16K,
            _ => return None,
        })
    }

    /// Bytes of a chunk.
    #[must_use]
    pub const fn chunk_size(self) -> u32 {
        match self {
            Self::Xpress4K => 4 << 10,
            Self::Xpress8K => 8 << 10,
            Self::Xpress16K => 16 << 10,
            Self::Lzx => 32 << 10,
        }
    }

    fn decompressor(self) -> Result<Decompressor, NewCodecError> {
        let format = if self == Self::Lzx { Format::Lzx } else { Format::Xpress };
        Decompressor::new(format, self.chunk_size())
    }
}

impl fmt::Display for SystemFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Xpress4K => "XPRESS4K",
            Self::Lzx => "LZX",
            Self::Xpress8K => "XPRESS8K",
            Self::Xpress16K => "XPRESS16K",
        })
    }
}

/// The data of a file that Windows compressed.
#[derive(Clone, Debug)]
pub struct SystemData {
    record: RecordNumber,
    format: SystemFormat,
    size: u64,
    stored: SweptValue,
}

impl SystemData {
    /// How it is compressed.
    #[must_use]
    pub const fn format(&self) -> SystemFormat {
        self.format
    }

    /// Bytes of the data.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Whether this is the stream that holds it.
    #[must_use]
    pub fn is_held_by(name: &WinName) -> bool {
        name.eq_ignoring_case(&WinName::from(STREAM))
    }

    const fn structure(&self) -> Structure {
        Structure::Attribute(self.record, AttributeKind::DATA)
    }

    /// Bytes of an end of a chunk.
    fn entry(&self) -> u64 {
        if self.size > u32::MAX.into() { 8 } else { 4 }
    }

    fn chunks(&self) -> u64 {
        self.size.div_ceil(self.format.chunk_size().into())
    }

    fn table_size(&self) -> u64 {
        self.chunks().saturating_sub(1).saturating_mul(self.entry())
    }
}

impl SweptValue {
    /// Bytes of the value.
    #[must_use]
    pub const fn size(&self) -> u64 {
        match self {
            Self::Resident(bytes) => <[u8]>::len(bytes) as u64,
            Self::Clusters(clusters) => clusters.size(),
        }
    }
}

impl Swept {
    /// What stands behind its main data.
    #[must_use]
    pub fn overlay(&self) -> Overlay {
        let reparse = self.extras.as_ref().and_then(|extras| extras.reparse.as_ref());
        let Some((TAG_OVERLAY, _, data)) = reparse else { return Overlay::None };
        let Ok((overlay, _)) = OverlayDisk::read_from_prefix(data) else { return Overlay::Unknown };
        match (overlay.version.get(), overlay.provider.get()) {
            (1, IN_WIM) => return Overlay::Wim,
            (1, IN_FILE) if overlay.provider_version.get() == 1 => {}
            _ => return Overlay::Unknown,
        }
        let format = SystemFormat::from_disk(overlay.algorithm.get());
        let main = self.streams.iter().find(|stream| stream.name.is_empty());
        let stored = self.streams.iter().find(|stream| SystemData::is_held_by(&stream.name));
        let is_plain = |stream: &&SweptStream| !stream.is_encrypted;
        match (format, main.filter(is_plain), stored.filter(is_plain)) {
            (Some(format), Some(main), Some(stored)) => Overlay::Compressed(SystemData {
                record: self.reference.record,
                format,
                size: main.value.size(),
                stored: stored.value.clone(),
            }),
            _ => Overlay::Unknown,
        }
    }
}

impl<D: ReadAt> Volume<D> {
    /// Makes a reader of data that Windows compressed. Each thread needs its own.
    ///
    /// # Errors
    /// [`ReadError`] if the stream is shorter than its table.
    pub fn system_reader<'a>(
        &'a self,
        data: &'a SystemData,
    ) -> Result<SystemReader<'a, D>, ReadError> {
        let (limit, end) = (data.stored.size(), data.table_size());
        if end > limit {
            let structure = data.structure();
            return Err(Corruption::past_end(structure, 0, "chunk table", limit, end).into());
        }
        let decompressor = data.format.decompressor().map_err(|error| {
            let source = std::io::Error::other(error);
            ReadError::Io { structure: data.structure(), offset: 0, length: 0, source }
        })?;
        Ok(SystemReader {
            volume: self,
            data,
            decompressor,
            table: Vec::new(),
            table_at: 0,
            stored: Vec::new(),
            chunk: Vec::new(),
            number: None,
        })
    }
}

/// Reads data that Windows compressed, chunk by chunk.
#[derive(Debug)]
pub struct SystemReader<'a, D> {
    volume: &'a Volume<D>,
    data: &'a SystemData,
    decompressor: Decompressor,
    /// A piece of the chunk table, and where it begins in it.
    table: Vec<u8>,
    table_at: u64,
    stored: Vec<u8>,
    /// The last chunk of which only a part was wanted, and its number.
    chunk: Vec<u8>,
    number: Option<u64>,
}

impl<D: ReadAt> SystemReader<'_, D> {
    /// Fills `buf` from the bytes at `offset`.
    ///
    /// # Errors
    /// [`ReadError`]; also if the range reaches past the end of the data.
    pub fn read(&mut self, mut buf: &mut [u8], mut offset: u64) -> Result<(), ReadError> {
        let (limit, end) = (self.data.size, offset.saturating_add(buf.len() as u64));
        if end > limit {
            let structure = self.data.structure();
            return Err(Corruption::past_end(structure, 0, "range", limit, end).into());
        }
        let chunk_size = u64::from(self.data.format.chunk_size());
        while !buf.is_empty() {
            let (number, within) = (offset / chunk_size, to_usize(offset % chunk_size));
            let length = to_usize(chunk_size.min(limit - number * chunk_size));
            let wanted = (length - within).min(buf.len());
            let (part, rest) = buf.split_at_mut(wanted);
            if wanted == length {
                self.decompress(number, part)?;
            } else {
                self.keep(number, length)?;
                part.copy_from_slice(self.chunk.get(within..within + wanted).unwrap_or_default());
            }
            (buf, offset) = (rest, offset + wanted as u64);
        }
        Ok(())
    }

    /// Has a chunk in memory.
    fn keep(&mut self, number: u64, length: usize) -> Result<(), ReadError> {
        if self.number != Some(number) {
            self.number = None;
            let mut chunk = std::mem::take(&mut self.chunk);
            chunk.resize(length, 0);
            let done = self.decompress(number, &mut chunk);
            self.chunk = chunk;
            done?;
            self.number = Some(number);
        }
        Ok(())
    }

    /// Fills `plain` with a chunk, which is so long.
    fn decompress(&mut self, number: u64, plain: &mut [u8]) -> Result<(), ReadError> {
        let (start, end) = self.place(number, plain.len())?;
        let mut stored = std::mem::take(&mut self.stored);
        stored.resize(to_usize(end - start), 0);
        let done = self.fill(number, start, &mut stored, plain);
        self.stored = stored;
        done
    }

    fn fill(
        &mut self,
        number: u64,
        start: u64,
        stored: &mut [u8],
        plain: &mut [u8],
    ) -> Result<(), ReadError> {
        if stored.len() == plain.len() {
            return self.read_stored(plain, start);
        }
        self.read_stored(stored, start)?;
        self.decompressor.decompress(stored, plain).map_err(|source| ReadError::SystemCompressed {
            structure: self.data.structure(),
            offset: number * u64::from(self.data.format.chunk_size()),
            source,
        })
    }

    /// Where a chunk, which is for so many bytes, begins and ends in the stream.
    fn place(&mut self, number: u64, length: usize) -> Result<(u64, u64), ReadError> {
        let (table, whole) = (self.data.table_size(), self.data.stored.size());
        let limit = whole - table;
        let start = if number == 0 { 0 } else { self.end_of(number - 1)? };
        let is_last = number + 1 == self.data.chunks();
        let end = if is_last { limit } else { self.end_of(number)? };
        let (structure, at) = (self.data.structure(), self.place_of(number));
        if end > limit {
            return Err(Corruption::past_end(structure, at, "chunk", limit, end).into());
        }
        let stored = end.saturating_sub(start);
        if !(1..=length as u64).contains(&stored) {
            let (field, expected) = ("bytes of a chunk", Expected::Within(1, length as u64));
            return Err(Corruption::number(structure, at, field, expected, stored).into());
        }
        Ok((table + start, table + end))
    }

    /// Where on the volume the end of a chunk stands; 0 for one that stands nowhere.
    fn place_of(&self, number: u64) -> u64 {
        let SweptValue::Clusters(clusters) = &self.data.stored else { return 0 };
        match clusters.piece(number.saturating_mul(self.data.entry()), 1) {
            Some(Piece::Data { offset, .. }) => offset,
            Some(Piece::Zero { .. }) | None => 0,
        }
    }

    /// An entry of the table.
    fn end_of(&mut self, number: u64) -> Result<u64, ReadError> {
        let entry = self.data.entry();
        let at = number * entry;
        let is_here = at >= self.table_at && at < self.table_at + self.table.len() as u64;
        if !is_here {
            let first = at - at % TABLE_PIECE;
            let length = to_usize(TABLE_PIECE.min(self.data.table_size() - first));
            let mut table = std::mem::take(&mut self.table);
            table.clear();
            table.resize(length, 0);
            self.read_stored(&mut table, first)?;
            (self.table, self.table_at) = (table, first);
        }
        let bytes = self.table.get(to_usize(at - self.table_at)..).unwrap_or_default();
        let mut number = [0; 8];
        number
            .iter_mut()
            .zip(bytes.iter().take(to_usize(entry)))
            .for_each(|(to, &from)| *to = from);
        Ok(u64::from_le_bytes(number))
    }

    /// Reads bytes of the stream, which has them.
    fn read_stored(&self, buf: &mut [u8], offset: u64) -> Result<(), ReadError> {
        match &self.data.stored {
            SweptValue::Clusters(clusters) => self.volume.read_value(clusters, buf, offset),
            SweptValue::Resident(bytes) => {
                let start = to_usize(offset);
                let found = bytes.get(start..start + buf.len()).unwrap_or_default();
                buf.iter_mut().zip(found).for_each(|(to, &from)| *to = from);
                Ok(())
            }
        }
    }
}

/// Of numbers that are small.
fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
