//! An open WIM file.

use std::io;

use imprint_blockio::ReadAt;
use imprint_winvalues::BlobHash;
use sha1::{Digest, Sha1};

use crate::blob_reader::{BlobReader, read_chunk_map};
use crate::blob_table::{self, Blob, BlobTable, MetadataEntry, TableContext};
use crate::chunk_map::ChunkMap;
use crate::error::{Corruption, Expected, Fault, OpenError, ReadError, Structure, XmlFault};
use crate::header::{HEADER_SIZE, Header, HeaderFlags};
use crate::integrity::{BadChunk, IntegrityTable};
use crate::metadata::{self, ImageTree};
use crate::resource::{Coding, ResourceHeader};
use crate::xml::WimInfo;

/// Bounds on what a file can make its reader hold in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of an image's uncompressed metadata. Whatever this says, metadata may not be more than
    /// 512 times as large as the file.
    pub metadata: u64,
    /// Bytes of the XML data.
    pub xml: u64,
    /// Bytes of one uncompressed chunk. Microsoft's programs make none above 64 MiB.
    pub chunk: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { metadata: 2 << 30, xml: 16 << 20, chunk: 64 << 20 }
    }
}

/// How many times larger than the file its metadata may be. Source: wimlib; an image of many empty
/// files with similar names compresses about that well.
const METADATA_RATIO: u64 = 512;
/// Memory is taken in steps, so that a size nothing stands behind costs no more than one of them.
const STEP: u64 = 1 << 20;

/// An open WIM file. Everything that can be checked without reading resources has been checked.
#[derive(Debug)]
pub struct Wim<R> {
    file: R,
    file_len: u64,
    header: Header,
    coding: Option<Coding>,
    blobs: BlobTable,
    info: WimInfo,
    limits: Limits,
}

impl<R: ReadAt> Wim<R> {
    /// Opens a file with the default [`Limits`].
    ///
    /// # Errors
    /// [`OpenError`] if the header, the XML data or the blob table cannot be read or are damaged, or
    /// if the file is of a kind that is not supported.
    pub fn open(file: R) -> Result<Self, OpenError> {
        Self::open_with(file, Limits::default())
    }

    /// Opens a file.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with(file: R, limits: Limits) -> Result<Self, OpenError> {
        let file_len = file_len(&file)?;
        let header = read_header(&file, file_len)?;
        if header.pipable {
            return Err(OpenError::Pipable);
        }
        let coding = header.coding()?;
        if header.blob_table.size == 0 && header.xml.size == 0 {
            return Err(OpenError::Unfinished);
        }
        let info = read_info(&file, file_len, &header, coding, limits)?;
        let table = read_table(&file, file_len, &header, coding, limits)?;
        let context = TableContext { header: &header, coding, file_len };
        let blobs = blob_table::parse(&table, context, |offset| {
            let mut bytes = [0; 16];
            read_at(&file, Structure::SolidResource, offset, &mut bytes)?;
            Ok(bytes)
        })?;
        Ok(Self { file, file_len, header, coding, blobs, info, limits })
    }

    /// The header.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// How compressed resources outside solid ones are compressed; `None` without compression.
    #[must_use]
    pub const fn coding(&self) -> Option<Coding> {
        self.coding
    }

    /// The blob table.
    #[must_use]
    pub const fn blobs(&self) -> &BlobTable {
        &self.blobs
    }

    /// The XML data.
    #[must_use]
    pub const fn info(&self) -> &WimInfo {
        &self.info
    }

    /// The file.
    #[must_use]
    pub const fn file(&self) -> &R {
        &self.file
    }

    /// Bytes of the file when it was opened.
    #[must_use]
    pub const fn file_len(&self) -> u64 {
        self.file_len
    }

    /// The limits it was opened with.
    #[must_use]
    pub const fn limits(&self) -> Limits {
        self.limits
    }

    /// Gives the file back.
    #[must_use]
    pub fn into_file(self) -> R {
        self.file
    }

    pub(crate) fn into_parts(self) -> (R, Header, BlobTable, WimInfo) {
        (self.file, self.header, self.blobs, self.info)
    }

    /// Number of images.
    #[must_use]
    pub const fn image_count(&self) -> u32 {
        self.header.image_count
    }

    /// Finds the metadata resource of an image, counted from 1.
    ///
    /// # Errors
    /// [`ReadError::NoSuchImage`], or [`ReadError::MetadataElsewhere`] in a part other than the first.
    pub fn metadata_entry(&self, index: u32) -> Result<&MetadataEntry, ReadError> {
        let count = self.header.image_count;
        if index == 0 || index > count {
            return Err(ReadError::NoSuchImage { index, count });
        }
        self.blobs.metadata(index).ok_or(ReadError::MetadataElsewhere {
            part: self.header.part_number,
            total: self.header.total_parts,
        })
    }

    /// Reads the uncompressed metadata of an image, counted from 1, and verifies its SHA-1.
    ///
    /// # Errors
    /// [`ReadError`] if it cannot be read or is damaged.
    pub fn metadata_bytes(&self, index: u32) -> Result<Vec<u8>, ReadError> {
        let entry = self.metadata_entry(index)?;
        read_metadata(&self.file, self.file_len, entry, self.coding, self.limits)
    }

    /// Reads the file tree of an image, counted from 1.
    ///
    /// # Errors
    /// [`ReadError`] if it cannot be read or is damaged.
    pub fn read_tree(&self, index: u32) -> Result<ImageTree, ReadError> {
        let bytes = self.metadata_bytes(index)?;
        Ok(metadata::read(&bytes, index)?)
    }

    /// Starts reading a blob of this file. Its SHA-1 is not verified.
    ///
    /// # Errors
    /// [`ReadError`] if its chunk table cannot be read or is damaged.
    pub fn blob_reader(&self, blob: &Blob) -> Result<BlobReader<'_, R>, ReadError> {
        BlobReader::new(self, blob)
    }

    /// Reads a whole blob of at most `limit` bytes and verifies its SHA-1.
    ///
    /// # Errors
    /// [`ReadError`] if it is larger, cannot be read or is damaged.
    pub fn read_blob(&self, blob: &Blob, limit: u64) -> Result<Vec<u8>, ReadError> {
        if blob.size > limit {
            return Err(ReadError::TooLarge { what: "blob", size: blob.size, limit });
        }
        let bytes = collect(self.blob_reader(blob)?, "blob")?;
        check_hash(&bytes, blob.hash, Structure::Resource, self.stored_at(blob))?;
        Ok(bytes)
    }

    /// Reads a whole blob and verifies its SHA-1 without keeping it.
    ///
    /// # Errors
    /// [`ReadError`] if it cannot be read or is damaged.
    pub fn verify_blob(&self, blob: &Blob) -> Result<(), ReadError> {
        let mut reader = self.blob_reader(blob)?;
        let mut hasher = Sha1::new();
        while let Some(bytes) = reader.next_chunk()? {
            hasher.update(bytes);
        }
        let actual = BlobHash(hasher.finalize().into());
        compare_hash(blob.hash, actual, Structure::Resource, self.stored_at(blob))
    }

    /// Reads and checks the chunk table of an ordinary compressed resource.
    ///
    /// # Errors
    /// [`ReadError`] if it cannot be read or is damaged, or the resource is not compressed.
    pub fn chunk_map(&self, header: &ResourceHeader) -> Result<ChunkMap, ReadError> {
        let coding = self.coding.filter(|_| header.is_compressed()).ok_or_else(|| {
            Corruption::new(Structure::Resource, header.offset, Fault::NoCompressionFormat)
        })?;
        read_chunk_map(&self.file, header, coding)
    }

    /// Reads and checks the chunk sizes of a solid resource, by its index in
    /// [`BlobTable::solid_resources`].
    ///
    /// # Errors
    /// [`ReadError`] if it cannot be read or is damaged.
    pub fn solid_chunk_map(&self, resource: usize) -> Result<ChunkMap, ReadError> {
        let count = self.blobs.solid_resources().len();
        let solid = self.blobs.solid_resources().get(resource).ok_or(ReadError::BufferSize {
            what: "list of solid resources",
            expected: u64::try_from(resource).unwrap_or(u64::MAX),
            actual: u64::try_from(count).unwrap_or(u64::MAX),
        })?;
        let header = &solid.header;
        let length = ChunkMap::solid_table_len(solid.size, solid.coding.chunk_size);
        if length > header.stored_size {
            return ChunkMap::parse_solid(header, &solid.solid_header(), &[]);
        }
        let table = read_vec(&self.file, Structure::SolidResource, header.offset, length)?;
        ChunkMap::parse_solid(header, &solid.solid_header(), &table)
    }

    /// Reads the integrity table, if there is one.
    ///
    /// # Errors
    /// [`ReadError`] if it cannot be read or is damaged.
    pub fn integrity_table(&self) -> Result<Option<IntegrityTable>, ReadError> {
        if !self.header.has_integrity() {
            return Ok(None);
        }
        read_integrity(&self.file, self.file_len, &self.header).map(Some)
    }

    /// Verifies the file against its integrity table, from the header to the end of the blob table.
    /// `progress` is told the bytes done and the bytes there are after each of its chunks. Returns
    /// `None` if there is no table, otherwise the first bad chunk, if any.
    ///
    /// # Errors
    /// [`ReadError`] if the table or the file cannot be read.
    pub fn verify_integrity(
        &self,
        progress: impl FnMut(u64, u64),
    ) -> Result<Option<Result<(), BadChunk>>, ReadError> {
        let Some(table) = self.integrity_table()? else { return Ok(None) };
        let end = integrity_end(&self.header)?;
        table.verify(&self.file, end, progress).map(Some)
    }

    /// First byte in the file of what holds a blob.
    fn stored_at(&self, blob: &Blob) -> u64 {
        match blob.location {
            blob_table::Location::Resource(header) => header.offset,
            blob_table::Location::Solid { resource, .. } => {
                self.blobs.solid_resources().get(resource).map_or(0, |solid| solid.header.offset)
            }
        }
    }
}

fn file_len<R: ReadAt>(file: &R) -> Result<u64, OpenError> {
    file.len().map_err(|source| OpenError::Io {
        structure: Structure::Header,
        offset: 0,
        length: HEADER_SIZE,
        source,
    })
}

fn read_header<R: ReadAt>(file: &R, file_len: u64) -> Result<Header, OpenError> {
    let mut bytes = [0; 208];
    read_at(file, Structure::Header, 0, &mut bytes)?;
    let header = Header::parse(&bytes)?;
    let unfinished = header.flags.contains(HeaderFlags::WRITE_IN_PROGRESS);
    if header.pipable || unfinished && header.xml.size == 0 {
        return Ok(header);
    }
    for (field, at, resource) in [
        ("blob table", 0x30, &header.blob_table),
        ("XML data", 0x48, &header.xml),
        ("integrity table", 0x7c, &header.integrity),
    ] {
        check_table_place(field, at, resource, file_len)?;
    }
    Ok(header)
}

/// Checks that a table lies inside the file and is not said to be larger than it.
fn check_table_place(
    field: &'static str,
    at: u64,
    resource: &ResourceHeader,
    limit: u64,
) -> Result<(), Corruption> {
    let corrupt = |offset, fault| Err(Corruption::new(Structure::Header, offset, fault));
    let end = resource.end().unwrap_or(u64::MAX);
    if end > limit {
        return corrupt(at, Fault::PastEnd { field, limit, end });
    }
    let actual = resource.size;
    let expected = if resource.is_compressed() {
        Expected::AtMost(limit)
    } else {
        Expected::Exactly(resource.stored_size)
    };
    let right = match expected {
        Expected::AtMost(most) => actual <= most,
        _ => actual == resource.stored_size,
    };
    if right {
        return Ok(());
    }
    corrupt(at + 16, Fault::Number { field: "uncompressed size of a table", expected, actual })
}

fn read_info<R: ReadAt>(
    file: &R,
    file_len: u64,
    header: &Header,
    coding: Option<Coding>,
    limits: Limits,
) -> Result<WimInfo, OpenError> {
    if header.xml.size > limits.xml.min(file_len) {
        let fault = Fault::Number {
            field: "size of the XML data",
            expected: Expected::AtMost(limits.xml.min(file_len)),
            actual: header.xml.size,
        };
        return Err(Corruption::new(Structure::Header, 0x58, fault).into());
    }
    let reader = BlobReader::of_resource(file, &header.xml, coding, limits)?;
    let bytes = collect(reader, "XML data")?;
    let info = WimInfo::parse(&bytes, header.xml.offset)?;
    if info.is_encrypted() {
        return Err(OpenError::Encrypted);
    }
    let (expected, actual) = (header.image_count, info.image_count());
    if expected != actual {
        let fault = Fault::Xml(XmlFault::ImageCount { expected, actual });
        return Err(Corruption::new(Structure::Xml, header.xml.offset, fault).into());
    }
    Ok(info)
}

fn read_table<R: ReadAt>(
    file: &R,
    file_len: u64,
    header: &Header,
    coding: Option<Coding>,
    limits: Limits,
) -> Result<Vec<u8>, OpenError> {
    debug_assert!(header.blob_table.size <= file_len, "checked with the header");
    let reader = BlobReader::of_resource(file, &header.blob_table, coding, limits)?;
    Ok(collect(reader, "blob table")?)
}

/// Reads metadata and verifies its hash; memory grows with what is really decompressed.
pub(crate) fn read_metadata<R: ReadAt>(
    file: &R,
    file_len: u64,
    entry: &MetadataEntry,
    coding: Option<Coding>,
    limits: Limits,
) -> Result<Vec<u8>, ReadError> {
    let limit = limits.metadata.min(file_len.saturating_mul(METADATA_RATIO));
    let size = entry.header.size;
    if size > limit {
        return Err(ReadError::TooLarge { what: "metadata", size, limit });
    }
    let reader = BlobReader::of_resource(file, &entry.header, coding, limits)?;
    let bytes = collect(reader, "metadata")?;
    check_hash(&bytes, entry.hash, Structure::Resource, entry.header.offset)?;
    Ok(bytes)
}

/// The byte behind those that an integrity table covers.
pub(crate) fn integrity_end(header: &Header) -> Result<u64, ReadError> {
    let end = header.blob_table.end().unwrap_or(u64::MAX);
    if end < HEADER_SIZE {
        let fault = Fault::Code {
            field: "end of the blob table",
            expected: Expected::AtLeast(HEADER_SIZE),
            actual: end,
        };
        return Err(Corruption::new(Structure::Header, 0x30, fault).into());
    }
    Ok(end)
}

pub(crate) fn read_integrity<R: ReadAt>(
    file: &R,
    file_len: u64,
    header: &Header,
) -> Result<IntegrityTable, ReadError> {
    let place = header.integrity;
    check_table_place("integrity table", 0x7c, &place, file_len)?;
    let bytes = read_vec(file, Structure::IntegrityTable, place.offset, place.stored_size)?;
    let covered = integrity_end(header)? - HEADER_SIZE;
    Ok(IntegrityTable::parse(&bytes, covered, place.offset)?)
}

/// Reads everything a reader yields.
fn collect<R: ReadAt>(
    mut reader: BlobReader<'_, R>,
    what: &'static str,
) -> Result<Vec<u8>, ReadError> {
    let size = reader.remaining();
    let mut bytes = Vec::new();
    while let Some(chunk) = reader.next_chunk()? {
        let left = size.saturating_sub(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if bytes.capacity() - bytes.len() < chunk.len() {
            let grown = u64::try_from(bytes.len()).unwrap_or(u64::MAX).max(STEP).min(left);
            reserve(&mut bytes, what, grown.max(u64::try_from(chunk.len()).unwrap_or(u64::MAX)))?;
        }
        bytes.extend_from_slice(chunk);
    }
    Ok(bytes)
}

fn reserve(bytes: &mut Vec<u8>, what: &'static str, more: u64) -> Result<(), ReadError> {
    let none = || ReadError::OutOfMemory { what, size: more };
    let more_usize = usize::try_from(more).map_err(|_too_large| none())?;
    bytes.try_reserve_exact(more_usize).map_err(|_refused| none())
}

/// Makes a buffer of exactly `size` bytes, reusing it.
pub(crate) fn sized_buffer(
    buffer: &mut Vec<u8>,
    what: &'static str,
    size: u64,
) -> Result<(), ReadError> {
    let none = || ReadError::OutOfMemory { what, size };
    let length = usize::try_from(size).map_err(|_too_large| none())?;
    if length > buffer.len() {
        buffer.try_reserve_exact(length - buffer.len()).map_err(|_refused| none())?;
    }
    buffer.resize(length, 0);
    Ok(())
}

/// Reads `length` bytes that are known to lie inside the file.
pub(crate) fn read_vec<R: ReadAt>(
    file: &R,
    structure: Structure,
    offset: u64,
    length: u64,
) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    sized_buffer(&mut bytes, "table", length)?;
    read_at(file, structure, offset, &mut bytes)?;
    Ok(bytes)
}

pub(crate) fn read_at<R: ReadAt>(
    file: &R,
    structure: Structure,
    offset: u64,
    buffer: &mut [u8],
) -> Result<(), ReadError> {
    file.read_exact_at(buffer, offset).map_err(|source: io::Error| ReadError::Io {
        structure,
        offset,
        length: u64::try_from(buffer.len()).unwrap_or(u64::MAX),
        source,
    })
}

/// The SHA-1 of bytes in hand.
pub(crate) fn hash_of(bytes: &[u8]) -> BlobHash {
    BlobHash(Sha1::digest(bytes).into())
}

fn check_hash(
    bytes: &[u8],
    expected: BlobHash,
    structure: Structure,
    offset: u64,
) -> Result<(), ReadError> {
    compare_hash(expected, hash_of(bytes), structure, offset)
}

fn compare_hash(
    expected: BlobHash,
    actual: BlobHash,
    structure: Structure,
    offset: u64,
) -> Result<(), ReadError> {
    if expected == actual {
        return Ok(());
    }
    Err(Corruption::new(structure, offset, Fault::Hash { expected, actual }).into())
}
