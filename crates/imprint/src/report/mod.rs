//! What is shown of files and images: one document each, printed as text with the labels wimlib's
//! users know, or as JSON with stable names.

pub(crate) mod blob;
pub(crate) mod header;
pub(crate) mod image;
pub(crate) mod listing;
mod listing_text;
pub(crate) mod lost;
pub(crate) mod metadata;
pub(crate) mod path;
pub(crate) mod placed;
pub(crate) mod skipped;
pub(crate) mod wim;

use std::fmt::Display;
use std::io::{self, Write};

use imprint_codec::Format;
use serde::Serializer;

/// Serializes a value as the text it prints as.
fn as_text<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// Serializes a value that may be absent as the text it prints as.
pub(crate) fn as_optional_text<T: Display, S: Serializer>(
    value: &Option<T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}

/// Name of a compression format in JSON documents.
fn compression_name(format: Option<Format>) -> &'static str {
    match format {
        None => "none",
        Some(Format::Xpress) => "xpress",
        Some(Format::Lzx) => "lzx",
        Some(Format::Lzms) => "lzms",
    }
}

/// Bytes in hexadecimal, without separators.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Prints lines of a label and a value.
pub(crate) fn write_facts(
    out: &mut dyn Write,
    width: usize,
    facts: &[(&str, String)],
) -> io::Result<()> {
    facts.iter().try_for_each(|(label, value)| writeln!(out, "{label:width$}{value}"))
}
