//! The header, field by field.

use std::io::{self, Write};

use imprint_wim::{HEADER_SIZE, Header, HeaderFlags, ResourceHeader};
use imprint_winvalues::Guid;
use serde::Serialize;

use super::wim::version_number;
use super::{as_text, hex, write_facts};

/// Facts about a header.
#[derive(Debug, Serialize)]
pub(crate) struct HeaderFacts {
    header_size: u64,
    version: u32,
    flags: u32,
    flag_names: Vec<String>,
    chunk_size: u32,
    #[serde(serialize_with = "as_text")]
    guid: Guid,
    part_number: u16,
    total_parts: u16,
    image_count: u32,
    blob_table: ResourceFacts,
    xml: ResourceFacts,
    boot_metadata: ResourceFacts,
    boot_index: u32,
    integrity_table: ResourceFacts,
}

/// Where a resource is and how it is stored.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct ResourceFacts {
    /// Bytes in the file.
    stored_size: u64,
    flags: u8,
    /// Bytes from the start of the file.
    offset: u64,
    /// Bytes when uncompressed.
    size: u64,
}

impl From<&ResourceHeader> for ResourceFacts {
    fn from(header: &ResourceHeader) -> Self {
        Self {
            stored_size: header.stored_size,
            flags: header.flags.bits(),
            offset: header.offset,
            size: header.size,
        }
    }
}

/// Names of flags as the format's users know them.
const FLAG_NAMES: [(HeaderFlags, &str); 13] = [
    (HeaderFlags::RESERVED, "RESERVED"),
    (HeaderFlags::COMPRESSION, "COMPRESSION"),
    (HeaderFlags::READ_ONLY, "READONLY"),
    (HeaderFlags::SPANNED, "SPANNED"),
    (HeaderFlags::RESOURCE_ONLY, "RESOURCE_ONLY"),
    (HeaderFlags::METADATA_ONLY, "METADATA_ONLY"),
    (HeaderFlags::WRITE_IN_PROGRESS, "WRITE_IN_PROGRESS"),
    (HeaderFlags::RP_FIX, "RP_FIX"),
    (HeaderFlags::COMPRESS_RESERVED, "COMPRESS_RESERVED"),
    (HeaderFlags::COMPRESS_XPRESS, "COMPRESS_XPRESS"),
    (HeaderFlags::COMPRESS_LZX, "COMPRESS_LZX"),
    (HeaderFlags::COMPRESS_LZMS, "COMPRESS_LZMS"),
    (HeaderFlags::COMPRESS_XPRESS_2, "COMPRESS_XPRESS_2"),
];

impl From<&Header> for HeaderFacts {
    fn from(header: &Header) -> Self {
        let set = FLAG_NAMES.iter().filter(|(flag, _)| header.flags.contains(*flag));
        Self {
            header_size: HEADER_SIZE,
            version: version_number(header.version),
            flags: header.flags.bits(),
            flag_names: set.map(|(_, name)| name.to_ascii_lowercase()).collect(),
            chunk_size: header.chunk_size,
            guid: header.guid,
            part_number: header.part_number,
            total_parts: header.total_parts,
            image_count: header.image_count,
            blob_table: (&header.blob_table).into(),
            xml: (&header.xml).into(),
            boot_metadata: (&header.boot_metadata).into(),
            boot_index: header.boot_index,
            integrity_table: (&header.integrity).into(),
        }
    }
}

const WIDTH: usize = 28;

impl HeaderFacts {
    /// Prints the facts with wimlib's labels.
    pub(crate) fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        write_facts(
            out,
            WIDTH,
            &[
                ("Magic Characters", r"= MSWIM\0\0\0".to_owned()),
                ("Header Size", format!("= {}", self.header_size)),
                ("Version", format!("= {:#x}", self.version)),
                ("Flags", format!("= {:#x}", self.flags)),
            ],
        )?;
        for name in &self.flag_names {
            writeln!(out, "    WIM_HDR_FLAG_{} is set", name.to_ascii_uppercase())?;
        }
        write_facts(
            out,
            WIDTH,
            &[
                ("Chunk Size", format!("= {}", self.chunk_size)),
                ("GUID", format!("= {}", hex(&self.guid.0))),
                ("Part Number", format!("= {}", self.part_number)),
                ("Total Parts", format!("= {}", self.total_parts)),
                ("Image Count", format!("= {}", self.image_count)),
            ],
        )?;
        self.blob_table.write_text(
            out,
            ["Blob Table Size", "Blob Table Flags"],
            ["Blob Table Offset", "Blob Table Original_size"],
        )?;
        self.xml.write_text(
            out,
            ["XML Data Size", "XML Data Flags"],
            ["XML Data Offset", "XML Data Original Size"],
        )?;
        self.boot_metadata.write_text(
            out,
            ["Boot Metadata Size", "Boot Metadata Flags"],
            ["Boot Metadata Offset", "Boot Metadata Original Size"],
        )?;
        write_facts(out, WIDTH, &[("Boot Index", format!("= {}", self.boot_index))])?;
        self.integrity_table.write_text(
            out,
            ["Integrity Size", "Integrity Flags"],
            ["Integrity Offset", "Integrity Original_size"],
        )
    }
}

impl ResourceFacts {
    fn write_text(
        &self,
        out: &mut dyn Write,
        [size, flags]: [&str; 2],
        [offset, original_size]: [&str; 2],
    ) -> io::Result<()> {
        write_facts(
            out,
            WIDTH,
            &[
                (size, format!("= {}", self.stored_size)),
                (flags, format!("= {:#x}", self.flags)),
                (offset, format!("= {}", self.offset)),
                (original_size, format!("= {}", self.size)),
            ],
        )
    }
}
