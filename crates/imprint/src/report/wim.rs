//! What a WIM file says of itself.

use std::io::{self, Write};
use std::path::Path;

use imprint_blockio::ReadAt;
use imprint_codec::Format;
use imprint_wim::{HeaderFlags, Version, Wim};
use imprint_winvalues::Guid;
use serde::Serialize;

use super::{as_text, compression_name, hex, write_facts};

/// Facts about a file.
#[derive(Debug, Serialize)]
pub(crate) struct WimFacts {
    path: String,
    #[serde(serialize_with = "as_text")]
    guid: Guid,
    version: u32,
    image_count: u32,
    compression: &'static str,
    #[serde(skip)]
    format: Option<Format>,
    /// Bytes; 0 without compression.
    chunk_size: u32,
    part_number: u16,
    total_parts: u16,
    /// Counted from 1; 0 if no image boots.
    boot_index: u32,
    /// Bytes of the whole file.
    file_size: u64,
    /// Bytes up to the XML document, as that document says.
    total_bytes: Option<u64>,
    attributes: Vec<&'static str>,
}

/// Attributes with their names in JSON documents and in text.
const ATTRIBUTES: [(&str, &str); 6] = [
    ("integrity_table", "Integrity info"),
    ("rp_fix", "Relative path junction"),
    ("resource_only", "Resource only"),
    ("metadata_only", "Metadata only"),
    ("read_only", "Readonly"),
    ("write_in_progress", "Write in progress"),
];

impl WimFacts {
    /// Collects the facts.
    pub(crate) fn new<R: ReadAt>(path: &Path, wim: &Wim<R>) -> Self {
        let header = wim.header();
        let set = [
            header.has_integrity(),
            header.flags.contains(HeaderFlags::RP_FIX),
            header.flags.contains(HeaderFlags::RESOURCE_ONLY),
            header.flags.contains(HeaderFlags::METADATA_ONLY),
            header.flags.contains(HeaderFlags::READ_ONLY),
            header.flags.contains(HeaderFlags::WRITE_IN_PROGRESS),
        ];
        let attributes = ATTRIBUTES.iter().zip(set).filter(|(_, set)| *set);
        let format = wim.coding().map(|coding| coding.format);
        Self {
            path: path.to_string_lossy().into_owned(),
            guid: header.guid,
            version: version_number(header.version),
            image_count: header.image_count,
            compression: compression_name(format),
            format,
            chunk_size: wim.coding().map_or(0, |coding| coding.chunk_size),
            part_number: header.part_number,
            total_parts: header.total_parts,
            boot_index: header.boot_index,
            file_size: wim.file_len(),
            total_bytes: wim.info().total_bytes(),
            attributes: attributes.map(|((name, _), _)| *name).collect(),
        }
    }

    /// Prints the facts with wimlib's labels.
    pub(crate) fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let compression = self.format.map_or("None".to_owned(), |format| format.to_string());
        let named = ATTRIBUTES.iter().filter(|(name, _)| self.attributes.contains(name));
        let attributes: Vec<_> = named.map(|(_, text)| *text).collect();
        writeln!(out, "WIM Information:\n----------------")?;
        write_facts(
            out,
            16,
            &[
                ("Path:", self.path.clone()),
                // The bytes as they are stored, which is what wimlib shows.
                ("GUID:", format!("0x{}", hex(&self.guid.0))),
                ("Version:", self.version.to_string()),
                ("Image Count:", self.image_count.to_string()),
                ("Compression:", compression),
                ("Chunk Size:", format!("{} bytes", self.chunk_size)),
                ("Part Number:", format!("{}/{}", self.part_number, self.total_parts)),
                ("Boot Index:", self.boot_index.to_string()),
                ("Size:", format!("{} bytes", self.total_bytes.unwrap_or(0))),
                ("Attributes:", attributes.join(", ")),
            ],
        )?;
        writeln!(out)
    }
}

/// The number that stands in the header for a version.
pub(super) const fn version_number(version: Version) -> u32 {
    match version {
        Version::Normal => 0x1_0d00,
        Version::Solid => 0xe00,
    }
}
