//! Reading the tables that the header names.

use imprint_blockio::ReadAt;

use crate::blob_reader::BlobReader;
use crate::blob_table::MetadataEntry;
use crate::error::{Corruption, Expected, Fault, OpenError, ReadError, Structure, XmlFault};
use crate::header::{HEADER_SIZE, Header, HeaderFlags};
use crate::integrity::IntegrityTable;
use crate::io::{check_hash, collect, read_at, read_vec};
use crate::resource::{Coding, ResourceHeader};
use crate::wim::Limits;
use crate::xml::WimInfo;

/// How many times larger than the file its metadata may be. Source: wimlib; an image of many empty
/// files with similar names compresses about that well.
const METADATA_RATIO: u64 = 512;

pub(crate) fn file_len<R: ReadAt>(file: &R) -> Result<u64, OpenError> {
    file.len().map_err(|source| OpenError::Io {
        structure: Structure::Header,
        offset: 0,
        length: HEADER_SIZE,
        source,
    })
}

pub(crate) fn read_header<R: ReadAt>(file: &R, file_len: u64) -> Result<Header, OpenError> {
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

pub(crate) fn read_info<R: ReadAt>(
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

pub(crate) fn read_table<R: ReadAt>(
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
