//! The files of an image, as text with wimlib's labels.

use std::io::{self, Write};

use imprint_blockio::ReadAt;
use imprint_winvalues::tree::NameId;

use super::listing::{EntryDetails, Listed, StreamFacts, attribute_names};
use super::path::PathStyle;
use super::write_facts;

/// Between the entries of a detailed listing.
const RULE: &str = "----------------------------------------------------------------------------";

impl<R: ReadAt> Listed<'_, R> {
    /// Prints the paths, one on each line.
    pub(crate) fn write_paths(&self, out: &mut dyn Write, style: PathStyle) -> io::Result<()> {
        self.names.iter().try_for_each(|&id| {
            style.write(out, &self.tree.path_of(id))?;
            out.write_all(b"\n")
        })
    }

    /// Prints all that is known of each file.
    pub(crate) fn write_details(&self, out: &mut dyn Write, style: PathStyle) -> io::Result<()> {
        self.names.iter().try_for_each(|&id| self.write_entry(out, style, id))
    }

    fn write_entry(&self, out: &mut dyn Write, style: PathStyle, id: NameId) -> io::Result<()> {
        let Some(details) = self.details_of(id) else { return Ok(()) };
        write!(out, "{RULE}\nFull Path           = \"")?;
        style.write(out, &self.tree.path_of(id))?;
        writeln!(out, "\"")?;
        let short_name = details.short_name.clone().unwrap_or_default().into_bytes();
        let short_name = String::from_utf8_lossy(&style.shown(short_name)).into_owned();
        write_facts(
            out,
            20,
            &[
                ("Short Name", format!("= \"{short_name}\"")),
                ("Attributes", format!("= {:#010x}", details.attributes.bits())),
            ],
        )?;
        for name in attribute_names(details.attributes) {
            writeln!(out, "    FILE_ATTRIBUTE_{name} is set")?;
        }
        write_facts(out, 20, &rest_of_facts(&details))?;
        for stream in &details.streams {
            write_stream(out, style, stream)?;
        }
        if details.streams.is_empty() {
            writeln!(out)?;
        }
        Ok(())
    }
}

fn rest_of_facts(details: &EntryDetails) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if let Some(descriptor) = &details.security_descriptor {
        facts.push(("Security Descriptor", format!("= {descriptor}")));
    }
    facts.push(("Creation Time", format!("= {}", details.creation_time)));
    facts.push(("Last Write Time", format!("= {}", details.last_write_time)));
    facts.push(("Last Access Time", format!("= {}", details.last_access_time)));
    if let Some(tag) = details.reparse_tag {
        facts.push(("Reparse Tag", format!("= {tag:#x}")));
    }
    facts.push(("Link Group ID", format!("= {:#018x}", details.link_group_id)));
    facts.push(("Link Count", format!("= {}", details.link_count)));
    if let Some(unix) = &details.unix_data {
        let (uid, gid, mode, rdev) = (unix.uid, unix.gid, unix.mode, unix.rdev);
        let text = format!("= uid:{uid} gid:{gid} mode:0{mode:o} rdev:{rdev:#x}");
        facts.push(("UNIX Data", text));
    }
    if let Some(object_id) = &details.object_id {
        facts.push(("Object ID", format!("= 0x{object_id}")));
    }
    for attribute in &details.extended_attributes {
        let text = format!("= {} ({} bytes)", attribute.name, attribute.size);
        facts.push(("Extended Attribute", text));
    }
    facts
}

fn write_stream(out: &mut dyn Write, style: PathStyle, stream: &StreamFacts) -> io::Result<()> {
    match (stream.kind, stream.name.as_str()) {
        ("reparse", _) => writeln!(out, "\tReparse point stream:")?,
        ("encrypted", _) => writeln!(out, "\tRaw encrypted data stream:")?,
        (_, "") => writeln!(out, "\tUnnamed data stream:")?,
        (_, name) => {
            out.write_all(b"\tNamed data stream \"")?;
            out.write_all(&style.shown(name.as_bytes().to_vec()))?;
            out.write_all(b"\":\n")?;
        }
    }
    match &stream.blob {
        Some(blob) => blob.write_text(out),
        None => writeln!(out, "Uncompressed size = 0 bytes\n"),
    }
}
