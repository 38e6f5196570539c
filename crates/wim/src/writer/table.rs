//! The bytes of a blob table.

use std::collections::BTreeMap;

use zerocopy::IntoBytes;

use crate::blob_table::{Blob, BlobTable, Location, MetadataEntry, SOLID_MARK};
use crate::layout::BlobEntryDisk;
use crate::resource::{ResourceFlags, ResourceHeader};

/// A blob that goes into the table.
pub(super) struct Kept<'a> {
    pub(super) blob: &'a Blob,
    pub(super) references: u32,
}

/// Makes the table: metadata in image order, then ordinary blobs, then all solid resources as one
/// run. Solid resources without blobs are left out.
pub(super) fn encode(blobs: &[Kept<'_>], images: &[MetadataEntry], old: &BlobTable) -> Vec<u8> {
    let mut out = Vec::with_capacity((blobs.len() + images.len()).saturating_mul(50));
    for MetadataEntry { header, hash } in images {
        push(&mut out, *header, 1, hash.0);
    }
    let mut solid: BTreeMap<usize, Vec<(u64, &Kept<'_>)>> = BTreeMap::new();
    for kept in blobs {
        match kept.blob.location {
            Location::Resource(header) => {
                push(&mut out, header, kept.references, kept.blob.hash.0);
            }
            Location::Solid { resource, offset } => {
                solid.entry(resource).or_default().push((offset, kept));
            }
        }
    }
    let mut before = 0_u64;
    for (resource, mut members) in solid {
        let Some(solid) = old.solid_resources().get(resource) else { continue };
        push(&mut out, ResourceHeader { size: SOLID_MARK, ..solid.header }, 1, [0; 20]);
        members.sort_unstable_by_key(|(offset, _)| *offset);
        for (offset, kept) in members {
            // Offsets count as if the uncompressed data of all resources of the run were one.
            let place = ResourceHeader {
                stored_size: kept.blob.size,
                flags: ResourceFlags::SOLID,
                offset: before.saturating_add(offset),
                size: 0,
            };
            push(&mut out, place, kept.references, kept.blob.hash.0);
        }
        before = before.saturating_add(solid.size);
    }
    out
}

fn push(out: &mut Vec<u8>, resource: ResourceHeader, references: u32, hash: [u8; 20]) {
    let entry = BlobEntryDisk {
        resource: resource.to_disk(),
        part_number: 1.into(),
        references: references.into(),
        hash,
    };
    out.extend_from_slice(entry.as_bytes());
}

#[cfg(test)]
mod tests {
    use imprint_codec::Format;
    use imprint_winvalues::{BlobHash, Guid};

    use super::*;
    use crate::blob_table::{TableContext, parse};
    use crate::header::{Version, new_header};
    use crate::layout::SolidHeaderDisk;
    use crate::resource::Coding;

    /// Reads a table; the solid resource at offset `n` holds `n` bytes.
    fn read(bytes: &[u8], images: u32) -> BlobTable {
        let coding = Coding::with_default_chunks(Format::Lzx);
        let mut header = new_header(Some(coding), Guid::default(), false);
        (header.version, header.image_count) = (Version::Solid, images);
        let context = TableContext { header: &header, coding: Some(coding), file_len: 1 << 40 };
        let read_solid = |offset: u64| {
            let disk = SolidHeaderDisk {
                size: offset.into(),
                chunk_size: coding.chunk_size.into(),
                format: 2.into(),
            };
            Ok(disk.as_bytes().try_into().unwrap())
        };
        parse(bytes, context, read_solid).unwrap()
    }

    fn resource(offset: u64, size: u64, flags: ResourceFlags) -> ResourceHeader {
        ResourceHeader { stored_size: size, flags, offset, size }
    }

    /// Two runs of solid resources with an ordinary blob between them.
    fn sample() -> Vec<u8> {
        let mut out = Vec::new();
        let solid = |offset| ResourceHeader {
            size: SOLID_MARK,
            ..resource(offset, 1000, ResourceFlags::SOLID)
        };
        let member =
            |offset| ResourceHeader { size: 0, ..resource(offset, 10, ResourceFlags::SOLID) };
        push(&mut out, resource(500, 80, ResourceFlags::METADATA), 1, [9; 20]);
        push(&mut out, solid(300), 1, [0; 20]);
        push(&mut out, member(20), 3, [1; 20]);
        push(&mut out, member(0), 4, [2; 20]);
        push(&mut out, resource(600, 7, ResourceFlags::empty()), 5, [3; 20]);
        push(&mut out, solid(400), 1, [0; 20]);
        push(&mut out, solid(700), 1, [0; 20]);
        push(&mut out, member(390), 6, [4; 20]);
        push(&mut out, member(400 + 690), 7, [5; 20]);
        out
    }

    fn kept(table: &BlobTable, skip: u8) -> Vec<Kept<'_>> {
        let blobs = table.iter().filter(|blob| blob.hash != BlobHash([skip; 20]));
        blobs.map(|blob| Kept { blob, references: blob.references + 10 }).collect()
    }

    #[test]
    fn blobs_stay_where_they_are() {
        let old = read(&sample(), 1);
        let new = read(&encode(&kept(&old, 0), old.all_metadata(), &old), 1);
        assert_eq!(new.all_metadata(), old.all_metadata());
        assert_eq!(new.solid_resources(), old.solid_resources());
        assert_eq!(new.len(), 5);
        for blob in old.iter() {
            let again = new.find(&blob.hash).unwrap();
            assert_eq!((again.location, again.size), (blob.location, blob.size));
            assert_eq!(again.references, blob.references + 10);
        }
        assert!(new.notes().is_empty());
    }

    #[test]
    fn solid_resources_that_nobody_needs_are_left_out() {
        let old = read(&sample(), 1);
        // Number 4 is all that the second resource holds.
        let new = read(&encode(&kept(&old, 4), old.all_metadata(), &old), 1);
        let offsets: Vec<_> = new.solid_resources().iter().map(|s| s.header.offset).collect();
        assert_eq!(offsets, [300, 700]);
        let last = new.find(&BlobHash([5; 20])).unwrap().location;
        assert_eq!(last, Location::Solid { resource: 1, offset: 690 });
        assert!(new.find(&BlobHash([4; 20])).is_none());
    }
}
