//! What groups of options mean together. Each verb's own meaning stands beside what it does, in
//! [`crate::commands`].

use std::path::{Path, PathBuf};

use imprint_codec::{Format, Level};

use super::low::{
    CompressionArgs, IntegrityArgs, LinkArgs, MetadataArgs, PlacementArgs, PropertyArgs,
};
use super::values::{ChunkSize, ImageProperty, ThreadCount};
use crate::error::UsageError;

/// What to do about the integrity table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Integrity {
    /// Check the file against it before anything else.
    pub(crate) check_first: bool,
    /// Whether what is written has one.
    pub(crate) table: Table,
}

/// Whether a file that is written has an integrity table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Table {
    /// If it had one before.
    #[default]
    Keep,
    Write,
    Omit,
}

impl From<&IntegrityArgs> for Integrity {
    fn from(args: &IntegrityArgs) -> Self {
        let table = match (args.check || args.include_integrity, args.nocheck) {
            (true, _) => Table::Write,
            (false, true) => Table::Omit,
            (false, false) => Table::Keep,
        };
        Self { check_first: args.check, table }
    }
}

/// How data is to be compressed, as far as the user said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Storage {
    /// Outer `None`: not said. Inner `None`: not compressed.
    pub(crate) format: Option<Option<Format>>,
    pub(crate) level: Option<Level>,
    /// Bytes.
    pub(crate) chunk_size: Option<u32>,
    /// `None`: one per processor.
    pub(crate) threads: Option<usize>,
}

impl Storage {
    /// Checks the options against each other; `default` is the format if none was named.
    pub(crate) fn new(args: &CompressionArgs, default: Option<Format>) -> Result<Self, UsageError> {
        let format = args.compress.map(|compress| compress.format);
        let chunk_size = args.chunk_size.map(|ChunkSize(bytes)| bytes);
        if let (Some(chunk_size), Some(format)) = (chunk_size, format.or(default.map(Some))) {
            let format = format.ok_or(UsageError::ChunkSizeWithoutCompression { chunk_size })?;
            check_chunk_size(format, chunk_size)?;
        }
        Ok(Self {
            format,
            level: args.compress.and_then(|compress| compress.level),
            chunk_size,
            threads: threads(args.threads),
        })
    }
}

fn check_chunk_size(format: Format, chunk_size: u32) -> Result<(), UsageError> {
    if format.allows_chunk_size(chunk_size) {
        return Ok(());
    }
    let (least, most) = (format.chunk_sizes().start() >> 10, format.chunk_sizes().end() >> 10);
    let advice = format!("{format} takes powers of two from {least}K to {most}K");
    Err(UsageError::ChunkSize { chunk_size, format, advice })
}

/// Reads `--threads`.
pub(crate) fn threads(count: Option<ThreadCount>) -> Option<usize> {
    count.map(|ThreadCount(count)| count).filter(|&count| count > 0)
}

/// Reads `--rpfix` and `--norpfix`; `None` means what the file's flag says.
pub(crate) fn fix_links(args: &LinkArgs) -> Option<bool> {
    match (args.rpfix, args.norpfix) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    }
}

/// Which metadata to keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Metadata {
    pub(crate) unix_data: bool,
    pub(crate) security: Security,
}

/// How to treat security descriptors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Security {
    /// Keep what can be kept.
    #[default]
    Lenient,
    /// Report each that cannot be kept.
    Strict,
    /// Leave all out.
    Ignore,
}

impl From<&MetadataArgs> for Metadata {
    fn from(args: &MetadataArgs) -> Self {
        let security = match (args.no_acls, args.strict_acls) {
            (true, _) => Security::Ignore,
            (_, true) => Security::Strict,
            _ => Security::Lenient,
        };
        Self { unix_data: args.unix_data, security }
    }
}

/// How files are put into a directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Placement {
    pub(crate) metadata: Metadata,
    pub(crate) no_attributes: bool,
    pub(crate) invalid_names: bool,
    /// `None`: one per processor.
    pub(crate) threads: Option<usize>,
}

impl From<&PlacementArgs> for Placement {
    fn from(args: &PlacementArgs) -> Self {
        Self {
            metadata: Metadata::from(&args.metadata),
            no_attributes: args.no_attributes,
            invalid_names: args.include_invalid_names,
            threads: threads(args.threads),
        }
    }
}

/// Name, description and XML elements that were given for an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Properties {
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    /// In the order given, `--flags` first.
    pub(crate) elements: Vec<ImageProperty>,
}

impl Properties {
    /// Joins the positional name and description with the options.
    pub(crate) fn new(
        name: Option<String>,
        description: Option<String>,
        args: PropertyArgs,
    ) -> Result<Self, UsageError> {
        let flags = args.flags.map(|value| ImageProperty { path: "FLAGS".to_owned(), value });
        Ok(Self {
            name: either(name, args.name, "a positional name", "--name")?,
            description: either(
                description,
                args.description,
                "a positional description",
                "--description",
            )?,
            elements: flags.into_iter().chain(args.properties).collect(),
        })
    }

    /// Whether nothing was given.
    pub(crate) fn is_empty(&self) -> bool {
        self.name.is_none() && self.description.is_none() && self.elements.is_empty()
    }
}

fn either<T>(
    a: Option<T>,
    b: Option<T>,
    first: &'static str,
    second: &'static str,
) -> Result<Option<T>, UsageError> {
    if a.is_some() && b.is_some() {
        return Err(UsageError::Conflict { first, second });
    }
    Ok(a.or(b))
}

/// Names an image after the directory it is made of, as wimlib and ImageX users expect. A source
/// without a last part (`/`, `..`) is named after the directory it stands for.
pub(crate) fn default_image_name(source: &Path) -> String {
    let absolute = || fs_err::canonicalize(source).ok();
    let last = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    last(source).or_else(|| last(&absolute()?)).unwrap_or_default()
}

/// Refuses `-` as a WIM file: the format needs a file that can be read and written at any offset.
pub(crate) fn wim_path(path: PathBuf, stream: &'static str) -> Result<PathBuf, UsageError> {
    if path.as_os_str() == "-" {
        return Err(UsageError::StandardStream { stream });
    }
    Ok(path)
}
