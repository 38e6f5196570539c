//! From table bytes to checked blobs.

use imprint_winvalues::BlobHash;
use zerocopy::FromBytes;

use super::index::HashIndex;
use super::{Blob, BlobTable, ENTRY_SIZE, Location, MetadataEntry, SOLID_MARK, SolidResource};
use crate::chunk_map::{SolidHeader, chunk_count};
use crate::error::{Corruption, Expected, Fault, ReadError, Structure};
use crate::header::{Header, Version};
use crate::layout::BlobEntryDisk;
use crate::resource::{Coding, ResourceFlags, ResourceHeader};

/// What a table is checked against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TableContext<'a> {
    pub(crate) header: &'a Header,
    pub(crate) coding: Option<Coding>,
    /// Bytes of the file.
    pub(crate) file_len: u64,
}

/// Checks a table. `read_solid` reads the 16 bytes at an offset of the file.
pub(crate) fn parse(
    bytes: &[u8],
    context: TableContext<'_>,
    read_solid: impl FnMut(u64) -> Result<[u8; 16], ReadError>,
) -> Result<BlobTable, ReadError> {
    let count = bytes.len() / 50;
    if u32::try_from(count).is_err() {
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let limit = u64::from(u32::MAX) * ENTRY_SIZE;
        return Err(ReadError::TooLarge { what: "blob table", size, limit });
    }
    let mut parser = Parser {
        context,
        read_solid,
        table: BlobTable::default(),
        run: None,
        solid_blobs: Vec::new(),
    };
    let entries: &[BlobEntryDisk] =
        <[BlobEntryDisk]>::ref_from_prefix_with_elems(bytes, count).map_or(&[], |(e, _)| e);
    let mut rest = entries;
    let mut at = 0;
    while let Some((entry, after)) = rest.split_first() {
        parser.entry(entry, rest, at)?;
        at += ENTRY_SIZE;
        rest = after;
    }
    parser.finish()
}

/// A table entry, read.
struct Entry {
    resource: ResourceHeader,
    part: u16,
    references: u32,
    hash: BlobHash,
    /// Offset in the table.
    at: u64,
}

/// The resources of a solid run: index of the first, and where each ends in the run's data.
struct Run {
    first: usize,
    ends: Vec<u64>,
}

struct Parser<'a, F> {
    context: TableContext<'a>,
    read_solid: F,
    table: BlobTable,
    run: Option<Run>,
    /// Position of each blob in solid resources, and offset of its entry in the table.
    solid_blobs: Vec<(u32, u64)>,
}

impl<F: FnMut(u64) -> Result<[u8; 16], ReadError>> Parser<'_, F> {
    fn entry(
        &mut self,
        disk: &BlobEntryDisk,
        rest: &[BlobEntryDisk],
        at: u64,
    ) -> Result<(), ReadError> {
        let entry = Entry {
            resource: ResourceHeader::from_disk(&disk.resource),
            part: disk.part_number.get(),
            references: disk.references.get(),
            hash: BlobHash(disk.hash),
            at,
        };
        if !self.is_solid(&entry.resource) {
            self.run = None;
            return self.ordinary(&entry);
        }
        if self.run.is_none() {
            self.run = Some(self.start_run(rest, at)?);
        }
        if entry.resource.size == SOLID_MARK { Ok(()) } else { self.blob_in_run(&entry) }
    }

    /// Version 0x10D00 knows no solid resources; stray bits are ignored there.
    fn is_solid(&self, resource: &ResourceHeader) -> bool {
        self.context.header.version == Version::Solid
            && resource.flags.contains(ResourceFlags::SOLID)
    }

    fn corrupt(&self, at: u64, fault: Fault) -> Corruption {
        let table = self.context.header.blob_table.offset;
        Corruption::new(Structure::BlobTable, table.saturating_add(at), fault)
    }

    /// Whether an entry is to be passed over, which is noted.
    fn passed_over(&mut self, entry: &Entry, size: u64) -> bool {
        let notes = &mut self.table.notes;
        let counter = if entry.hash.is_zero() {
            &mut notes.without_hash
        } else if size == 0 {
            &mut notes.empty
        } else if entry.part != self.context.header.part_number {
            &mut notes.other_parts
        } else {
            return false;
        };
        *counter += 1;
        true
    }

    fn ordinary(&mut self, entry: &Entry) -> Result<(), ReadError> {
        let resource = entry.resource;
        if self.passed_over(entry, resource.size) {
            return Ok(());
        }
        if resource.flags.contains(ResourceFlags::METADATA) && entry.references == 0 {
            self.table.notes.unused_metadata += 1;
            return Ok(());
        }
        self.check_place(&resource, entry.at)?;
        self.check_sizes(&resource, entry.at)?;
        if resource.flags.contains(ResourceFlags::METADATA) {
            return self.metadata(entry);
        }
        self.table.blobs.push(Blob {
            hash: entry.hash,
            size: resource.size,
            references: entry.references,
            part: entry.part,
            location: Location::Resource(resource),
        });
        Ok(())
    }

    /// Metadata belongs to the images in table order, whatever the offsets or the XML data say.
    fn metadata(&mut self, entry: &Entry) -> Result<(), ReadError> {
        if entry.references != 1 {
            let fault = Fault::Number {
                field: "reference count of metadata",
                expected: Expected::Exactly(1),
                actual: entry.references.into(),
            };
            return Err(self.corrupt(entry.at + 26, fault).into());
        }
        let header = self.context.header;
        let count = u32::try_from(self.table.metadata.len()).unwrap_or(u32::MAX);
        if header.part_number != 1 || count >= header.image_count {
            self.table.notes.surplus_metadata += 1;
            return Ok(());
        }
        self.table.metadata.push(MetadataEntry { header: entry.resource, hash: entry.hash });
        Ok(())
    }

    /// Checks that a resource lies inside the file.
    fn check_place(&self, resource: &ResourceHeader, at: u64) -> Result<(), Corruption> {
        let limit = self.context.file_len;
        let end = resource.end().unwrap_or(u64::MAX);
        if end <= limit {
            return Ok(());
        }
        let (field, at) =
            if resource.offset > limit { ("resource offset", at + 8) } else { ("resource", at) };
        Err(self.corrupt(at, Fault::PastEnd { field, limit, end }))
    }

    /// Checks that both sizes of an ordinary resource agree with how it is stored.
    fn check_sizes(&self, resource: &ResourceHeader, at: u64) -> Result<(), Corruption> {
        let actual = resource.stored_size;
        let number = |expected| Fault::Number { field: "stored size", expected, actual };
        if !resource.is_compressed() {
            if actual == resource.size {
                return Ok(());
            }
            return Err(self.corrupt(at, number(Expected::Exactly(resource.size))));
        }
        let Some(coding) = self.context.coding else {
            return Err(self.corrupt(at + 7, Fault::NoCompressionFormat));
        };
        let chunks = chunk_count(resource.size, coding.chunk_size);
        let least = resource.table_len(Some(coding)).saturating_add(chunks);
        let most = resource.table_len(Some(coding)).saturating_add(resource.size);
        if actual < least || actual > most {
            return Err(self.corrupt(at, number(Expected::Within(least, most))));
        }
        Ok(())
    }

    /// Reads the headers of all solid resources of the run that starts with `entries`.
    fn start_run(&mut self, entries: &[BlobEntryDisk], at: u64) -> Result<Run, ReadError> {
        let mut run = Run { first: self.table.solid.len(), ends: Vec::new() };
        let mut sum = 0_u64;
        for (entry, index) in entries.iter().zip(0_u64..) {
            let at = at + index * ENTRY_SIZE;
            let header = ResourceHeader::from_disk(&entry.resource);
            if !self.is_solid(&header) {
                break;
            }
            if header.size != SOLID_MARK {
                continue;
            }
            self.check_place(&header, at)?;
            let expected = Expected::AtLeast(16);
            let actual = header.stored_size;
            if actual < 16 {
                let field = "stored size of a solid resource";
                return Err(self.corrupt(at, Fault::Number { field, expected, actual }).into());
            }
            let bytes = (self.read_solid)(header.offset)?;
            let solid = SolidHeader::parse(&bytes, header.offset)?;
            check_solid_size(&header, &solid)?;
            sum = sum.checked_add(solid.size).ok_or_else(|| {
                let fault = Fault::PastEnd { field: "solid run", limit: u64::MAX, end: u64::MAX };
                Corruption::new(Structure::SolidResource, header.offset, fault)
            })?;
            run.ends.push(sum);
            let SolidHeader { size, coding } = solid;
            self.table.solid.push(SolidResource { header, size, coding });
        }
        Ok(run)
    }

    fn blob_in_run(&mut self, entry: &Entry) -> Result<(), ReadError> {
        let size = entry.resource.stored_size;
        if self.passed_over(entry, size) {
            return Ok(());
        }
        if entry.resource.flags.contains(ResourceFlags::METADATA) {
            let fault = Fault::Code {
                field: "flags of a blob in a solid resource",
                expected: Expected::Exactly(ResourceFlags::SOLID.bits().into()),
                actual: entry.resource.flags.bits().into(),
            };
            return Err(self.corrupt(entry.at + 7, fault).into());
        }
        let location = self.place_in_run(entry.resource.offset, size, entry.at)?;
        let position = u32::try_from(self.table.blobs.len()).unwrap_or(u32::MAX);
        self.solid_blobs.push((position, entry.at));
        self.table.blobs.push(Blob {
            hash: entry.hash,
            size,
            references: entry.references,
            part: entry.part,
            location,
        });
        Ok(())
    }

    fn place_in_run(&self, offset: u64, size: u64, at: u64) -> Result<Location, Corruption> {
        let (first, ends) = self.run.as_ref().map_or((0, &[][..]), |r| (r.first, &r.ends));
        let number = ends.partition_point(|&end| end <= offset);
        let limit = ends.get(number).or_else(|| ends.last()).copied().unwrap_or(0);
        let start = number.checked_sub(1).and_then(|n| ends.get(n)).copied().unwrap_or(0);
        let end = offset.saturating_add(size);
        if number >= ends.len() || end > limit {
            let field = "blob in a solid resource";
            return Err(self.corrupt(at + 8, Fault::PastEnd { field, limit, end }));
        }
        Ok(Location::Solid { resource: first + number, offset: offset - start })
    }

    fn finish(mut self) -> Result<BlobTable, ReadError> {
        let header = self.context.header;
        let found = u32::try_from(self.table.metadata.len()).unwrap_or(u32::MAX);
        if header.part_number == 1 && found < header.image_count {
            let fault = Fault::Number {
                field: "image count",
                expected: Expected::Exactly(found.into()),
                actual: header.image_count.into(),
            };
            return Err(Corruption::new(Structure::Header, 0x2c, fault).into());
        }
        let index = HashIndex::new(&self.table.blobs);
        let mut repeated: Vec<u32> = index.repeated(&self.table.blobs).collect();
        self.table.index = index;
        repeated.sort_unstable();
        self.check_overlaps(&repeated)?;
        if !repeated.is_empty() {
            self.table.notes.duplicates = u64::try_from(repeated.len()).unwrap_or(u64::MAX);
            let mut position = 0_u32;
            self.table.blobs.retain(|_| {
                let keep = repeated.binary_search(&position).is_err();
                position += 1;
                keep
            });
            self.table.index = HashIndex::new(&self.table.blobs);
        }
        Ok(self.table)
    }

    /// Checks that blobs of a solid resource do not overlap; their order does not matter.
    fn check_overlaps(&self, repeated: &[u32]) -> Result<(), Corruption> {
        let mut places: Vec<(usize, u64, u64, u64)> = self
            .solid_blobs
            .iter()
            .filter(|(position, _)| repeated.binary_search(position).is_err())
            .filter_map(|&(position, at)| {
                let blob = self.table.blobs.get(usize::try_from(position).ok()?)?;
                match blob.location {
                    Location::Solid { resource, offset } => {
                        Some((resource, offset, offset + blob.size, at))
                    }
                    Location::Resource(_) => None,
                }
            })
            .collect();
        places.sort_unstable();
        let overlap = places.windows(2).find_map(|pair| match *pair {
            [(r1, _, end, _), (r2, start, _, at)] if r1 == r2 && start < end => Some(at),
            _ => None,
        });
        match overlap {
            Some(at) => {
                let field = "blob in a solid resource";
                Err(self.corrupt(at + 8, Fault::Overlap { field }))
            }
            None => Ok(()),
        }
    }
}

/// Checks that the chunks a solid resource must have fit its stored size.
fn check_solid_size(header: &ResourceHeader, solid: &SolidHeader) -> Result<(), Corruption> {
    let chunk_size = solid.coding.chunk_size;
    // Each chunk has a table entry and at least one byte.
    let chunks = (header.stored_size - 16) / 5;
    let limit = chunks.saturating_mul(chunk_size.into());
    if solid.size <= limit {
        return Ok(());
    }
    let expected = Expected::AtMost(limit);
    let fault = Fault::Number { field: "uncompressed size", expected, actual: solid.size };
    Err(Corruption::new(Structure::SolidResource, header.offset, fault))
}
