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
