//! Where blobs are.

use std::io::{self, Write};

use imprint_blockio::ReadAt;
use imprint_wim::{Blob, Location, MetadataEntry, ResourceHeader, Wim};
use imprint_winvalues::BlobHash;
use serde::Serialize;

use super::{as_text, write_facts};

/// Facts about a blob or a metadata resource.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct BlobFacts {
    #[serde(serialize_with = "as_text")]
    hash: BlobHash,
    /// Bytes when uncompressed; absent if the blob is in none of the files given.
    size: Option<u64>,
    #[serde(flatten)]
    place: Option<Place>,
}

/// Where a blob is.
#[derive(Clone, Debug, Serialize)]
struct Place {
    part_number: u16,
    reference_count: u32,
    flags: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<OwnResource>,
    #[serde(skip_serializing_if = "Option::is_none")]
    solid_resource: Option<SolidPlace>,
}

/// A resource that holds this blob only.
#[derive(Clone, Copy, Debug, Serialize)]
struct OwnResource {
    offset: u64,
    stored_size: u64,
}

/// A resource that holds other blobs too.
#[derive(Clone, Copy, Debug, Serialize)]
struct SolidPlace {
    offset: u64,
    stored_size: u64,
    size: u64,
    /// First byte of the blob in the resource's uncompressed data.
    blob_offset: u64,
}

impl BlobFacts {
    /// Collects the facts about a blob of `wim`.
    pub(crate) fn new<R: ReadAt>(wim: &Wim<R>, blob: &Blob) -> Self {
        let (flags, resource, solid_resource) = match blob.location {
            Location::Resource(header) => (flag_names(&header, false), Some(own(&header)), None),
            Location::Solid { resource, offset } => {
                let solid = wim.blobs().solid_resources().get(resource);
                let place = solid.map(|solid| SolidPlace {
                    offset: solid.header.offset,
                    stored_size: solid.header.stored_size,
                    size: solid.size,
                    blob_offset: offset,
                });
                (vec!["solid"], None, place)
            }
        };
        let place = Place {
            part_number: blob.part,
            reference_count: blob.references,
            flags,
            resource,
            solid_resource,
        };
        Self { hash: blob.hash, size: Some(blob.size), place: Some(place) }
    }

    /// Collects the facts about the metadata resource of an image of a file with this part number.
    pub(crate) fn of_metadata(part_number: u16, entry: &MetadataEntry) -> Self {
        let place = Place {
            part_number,
            reference_count: 1,
            flags: flag_names(&entry.header, true),
            resource: Some(own(&entry.header)),
            solid_resource: None,
        };
        Self { hash: entry.hash, size: Some(entry.header.size), place: Some(place) }
    }

    /// Says of a blob that none of the files given holds it.
    pub(crate) const fn missing(hash: BlobHash) -> Self {
        Self { hash, size: None, place: None }
    }

    /// Prints the facts with wimlib's labels.
    pub(crate) fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut facts = vec![("Hash", format!("= 0x{}", self.hash))];
        match self.size {
            Some(size) => facts.push(("Uncompressed size", format!("= {size} bytes"))),
            None => facts.push(("Missing", "= in none of the files given".to_owned())),
        }
        if let Some(place) = &self.place {
            place.add_to(&mut facts);
        }
        write_facts(out, 18, &facts)?;
        writeln!(out)
    }
}

impl Place {
    fn add_to(&self, facts: &mut Vec<(&str, String)>) {
        if let Some(resource) = self.resource {
            facts.push(("Compressed size", format!("= {} bytes", resource.stored_size)));
            facts.push(("Offset in WIM", format!("= {} bytes", resource.offset)));
        }
        if let Some(SolidPlace { offset, stored_size, size, blob_offset }) = self.solid_resource {
            let resource = format!("= {size} => {stored_size} bytes @ offset {offset}");
            facts.push(("Solid resource", resource));
            facts.push(("Solid offset", format!("= {blob_offset} bytes")));
        }
        facts.push(("Part Number", format!("= {}", self.part_number)));
        facts.push(("Reference Count", format!("= {}", self.reference_count)));
        let flag = |name: &&str| format!("WIM_RESHDR_FLAG_{}", name.to_ascii_uppercase());
        let flags: Vec<_> = self.flags.iter().map(flag).collect();
        facts.push(("Flags", format!("= {}", flags.join("  "))));
    }
}

const fn own(header: &ResourceHeader) -> OwnResource {
    OwnResource { offset: header.offset, stored_size: header.stored_size }
}

fn flag_names(header: &ResourceHeader, metadata: bool) -> Vec<&'static str> {
    let names = [(header.is_compressed(), "compressed"), (metadata, "metadata")];
    names.iter().filter(|(set, _)| *set).map(|(_, name)| *name).collect()
}
