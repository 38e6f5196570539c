//! The command line as it was typed: one structure per verb, and nothing decided yet.
//!
//! Help, and later man pages and completions, come from these definitions. ImageX's syntax is turned
//! into the same structures, so that both ways to say a thing mean the same.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};

use super::disk::DiskVerb;
use super::examples;
use super::ntfs::NtfsVerb;
use super::values::{ByteCount, ChunkSize, Compression, ImageProperty, ThreadCount, UpdateOf};

/// Images, deploys, resets and backs up Windows PCs from one Linux server
#[derive(Debug, Parser)]
#[command(name = "imprint", version, max_term_width = 100, infer_long_args = true)]
#[command(args_override_self = true, disable_help_subcommand = true)]
#[command(after_help = examples::PROGRAM)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// Options of every verb.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct GlobalArgs {
    /// Show no progress and no summary; warnings and errors are still shown
    #[arg(long, global = true, help_heading = "Options of every verb")]
    pub(crate) quiet: bool,
    /// Print the result as one JSON document on standard output
    #[arg(long, global = true, help_heading = "Options of every verb")]
    pub(crate) json: bool,
}

/// What to do.
#[derive(Debug, PartialEq, Eq, Subcommand)]
pub(crate) enum Verb {
    /// Make a new WIM file of a directory
    #[command(after_help = examples::CAPTURE)]
    Capture(CaptureArgs),
    /// Add an image of a directory to a WIM file
    #[command(after_help = examples::APPEND)]
    Append(AppendArgs),
    /// Put an image's files into a directory
    #[command(after_help = examples::APPLY)]
    #[command(override_usage = "imprint apply [OPTIONS] WIMFILE [IMAGE] TARGET")]
    Apply(ApplyArgs),
    /// Show or change what a WIM file says of itself and its images
    #[command(after_help = examples::INFO)]
    Info(InfoArgs),
    /// List the files of an image
    #[command(after_help = examples::DIR)]
    Dir(DirArgs),
    /// Get single files or directories out of an image
    #[command(after_help = examples::EXTRACT)]
    Extract(ExtractArgs),
    /// Copy images into another WIM file
    #[command(after_help = examples::EXPORT)]
    Export(ExportArgs),
    /// Remove images from a WIM file
    #[command(after_help = examples::DELETE)]
    Delete(DeleteArgs),
    /// Write a WIM file anew, without the gaps that changes left
    #[command(after_help = examples::OPTIMIZE)]
    Optimize(OptimizeArgs),
    /// Check that everything in a WIM file can be read and is what it was
    #[command(after_help = examples::VERIFY)]
    Verify(VerifyArgs),
    /// Work with virtual disks: raw, VHD and VHDX
    #[command(subcommand, after_help = examples::DISK)]
    Disk(DiskVerb),
    /// Work with NTFS volumes, without a driver
    #[command(subcommand, after_help = examples::NTFS)]
    Ntfs(NtfsVerb),
    /// Understand the command line of Microsoft's ImageX
    #[command(disable_help_flag = true)]
    Imagex(ImagexArgs),
}

/// What `imagex` is given; its own parser reads it.
#[derive(Args, Debug, Default, PartialEq, Eq)]
pub(crate) struct ImagexArgs {
    /// Words and options as ImageX takes them; /? shows them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "WORD")]
    pub(crate) words: Vec<OsString>,
}

/// Options about the integrity table.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct IntegrityArgs {
    /// Check the file against its integrity table first; write a table if anything is written
    #[arg(long, overrides_with = "nocheck")]
    pub(crate) check: bool,
    /// Write an integrity table, but check nothing first
    #[arg(long, overrides_with = "nocheck")]
    pub(crate) include_integrity: bool,
    /// Write no integrity table, even if there was one
    #[arg(long, overrides_with_all = ["check", "include_integrity"])]
    pub(crate) nocheck: bool,
}

/// Options about compression.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CompressionArgs {
    /// none, xpress (fast) or lzx (maximum); levels: 20 quick, 50 normal, 100 high
    #[arg(long, value_name = "TYPE[:LEVEL]")]
    pub(crate) compress: Option<Compression>,
    /// Compress in chunks of this many bytes; K and M may follow the number
    #[arg(long, value_name = "SIZE")]
    pub(crate) chunk_size: Option<ChunkSize>,
    /// Use this many threads instead of one per processor
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<ThreadCount>,
}

/// Options about security descriptors and other metadata.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MetadataArgs {
    /// Keep Linux owner, mode, special files and extended attributes
    #[arg(long)]
    pub(crate) unix_data: bool,
    /// Leave security descriptors out
    #[arg(long)]
    pub(crate) no_acls: bool,
    /// Report each security descriptor that cannot be kept, instead of going without it
    #[arg(long, conflicts_with = "no_acls")]
    pub(crate) strict_acls: bool,
}

/// Options about absolute links.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LinkArgs {
    /// Adjust absolute links that point into the tree, so that they follow it
    #[arg(long, overrides_with = "norpfix")]
    pub(crate) rpfix: bool,
    /// Leave absolute links as they are
    #[arg(long, overrides_with = "rpfix")]
    pub(crate) norpfix: bool,
}

/// Files that hold data the named file lacks.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReferenceArgs {
    /// More files to take data from (split or delta WIM); quoted, as it may hold wildcards
    #[arg(long = "ref", value_name = "GLOB")]
    pub(crate) references: Vec<String>,
}

/// What is said of an image besides its files.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PropertyArgs {
    /// Name of the image, instead of the positional one
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Description of the image, instead of the positional one
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// Edition id of the image, such as Professional; Setup wants it
    #[arg(long, value_name = "EDITIONID")]
    pub(crate) flags: Option<String>,
    /// Set any element of the image's XML, such as WINDOWS/VERSION/MAJOR=10
    #[arg(long = "image-property", value_name = "NAME=VALUE")]
    pub(crate) properties: Vec<ImageProperty>,
}

/// `capture SOURCE WIMFILE [IMAGE_NAME [IMAGE_DESC]]`
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CaptureArgs {
    /// Directory to capture, or a disk or DISK:PARTITION with an NTFS volume
    pub(crate) source: PathBuf,
    /// WIM file to write; capture replaces it once the new one is complete
    #[arg(value_name = "WIMFILE")]
    pub(crate) wim: PathBuf,
    /// Name of the image [default: last part of SOURCE]
    pub(crate) image_name: Option<String>,
    /// Description of the image
    pub(crate) image_desc: Option<String>,
    /// Make this the image that boots
    #[arg(long)]
    pub(crate) boot: bool,
    /// Read exclusions from this file (ImageX or DISM form) instead of the built-in list
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Follow symbolic links instead of keeping them
    #[arg(long)]
    pub(crate) dereference: bool,
    /// Do not read files whose size and times are as in this image; negative counts from the end
    #[arg(long, value_name = "[WIMFILE:]IMAGE", allow_hyphen_values = true)]
    #[arg(value_parser = OsStringValueParser::new().try_map(|text| UpdateOf::parse(&text)))]
    pub(crate) update_of: Option<UpdateOf>,
    #[command(flatten)]
    pub(crate) properties: PropertyArgs,
    #[command(flatten)]
    pub(crate) integrity: IntegrityArgs,
    #[command(flatten)]
    pub(crate) compression: CompressionArgs,
    #[command(flatten)]
    pub(crate) metadata: MetadataArgs,
    #[command(flatten)]
    pub(crate) links: LinkArgs,
}

/// `append SOURCE WIMFILE [IMAGE_NAME [IMAGE_DESC]]`
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AppendArgs {
    #[command(flatten)]
    pub(crate) capture: CaptureArgs,
    /// Make the WIM file if there is none
    #[arg(long)]
    pub(crate) create: bool,
}

/// `apply WIMFILE [IMAGE] TARGET`
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ApplyArgs {
    /// WIM file to read
    #[arg(value_name = "WIMFILE")]
    pub(crate) wim: PathBuf,
    /// Image: index, name or all; may be left out if there is only one
    #[arg(value_name = "IMAGE")]
    pub(crate) image_or_target: OsString,
    /// Target directory, made if it is not there; with --format a disk or DISK:PARTITION
    #[arg(value_name = "TARGET")]
    pub(crate) target: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
    /// Check the file against its integrity table first
    #[arg(long)]
    pub(crate) check: bool,
    #[command(flatten)]
    pub(crate) references: ReferenceArgs,
    #[command(flatten)]
    pub(crate) links: LinkArgs,
    #[command(flatten)]
    pub(crate) placement: PlacementArgs,
}

/// How a volume is made.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FormatArgs {
    /// Make a fresh NTFS volume on TARGET, a disk file, a device or DISK:PARTITION; what is there is lost
    #[arg(long)]
    pub(crate) format: bool,
    /// Label of the volume
    #[arg(long, value_name = "TEXT", requires = "format")]
    pub(crate) label: Option<String>,
    /// Bytes of a cluster, 512 to 2M [default: as Windows chooses]
    #[arg(long, value_name = "SIZE", requires = "format")]
    pub(crate) cluster_size: Option<ByteCount>,
}

/// How files are put into a directory.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PlacementArgs {
    #[command(flatten)]
    pub(crate) metadata: MetadataArgs,
    /// Do not set Windows file attributes
    #[arg(long)]
    pub(crate) no_attributes: bool,
    /// Change names the target cannot hold, instead of leaving the files out
    #[arg(long)]
    pub(crate) include_invalid_names: bool,
    /// Use this many threads instead of one per processor
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<ThreadCount>,
}

/// `info WIMFILE [IMAGE [NEW_NAME [NEW_DESC]]]`
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct InfoArgs {
    /// WIM file to show or change
    #[arg(value_name = "WIMFILE")]
    pub(crate) wim: PathBuf,
    /// Image: index or name [default: all]
    pub(crate) image: Option<String>,
    /// New name of the image
    pub(crate) new_name: Option<String>,
    /// New description of the image
    pub(crate) new_desc: Option<String>,
    /// Make IMAGE the one that boots; image 0 is none
    #[arg(long)]
    pub(crate) boot: bool,
    /// Show the header, field by field
    #[arg(long)]
    pub(crate) header: bool,
    /// List the blobs (unique file data)
    #[arg(long)]
    pub(crate) blobs: bool,
    /// Show the metadata resource of each image
    #[arg(long)]
    pub(crate) metadata: bool,
    /// Print the XML document as it is stored (UTF-16)
    #[arg(long)]
    pub(crate) xml: bool,
    /// Write the XML document as it is stored (UTF-16) to a file
    #[arg(long, value_name = "FILE")]
    pub(crate) extract_xml: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) properties: PropertyArgs,
    #[command(flatten)]
    pub(crate) integrity: IntegrityArgs,
}

/// `dir WIMFILE [IMAGE]`
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DirArgs {
    /// WIM file to read
    #[arg(value_name = "WIMFILE")]
    pub(crate) wim: PathBuf,
    /// Image: index, name or all; may be left out if there is only one
    pub(crate) image: Option<String>,
    /// List what is under this path of the image
    #[arg(long)]
    pub(crate) path: Option<String>,
    /// Show attributes, times, security descriptors and streams of each file
    #[arg(long)]
    pub(crate) detailed: bool,
    /// Show the file or directory itself only, not what is under it
    #[arg(long)]
    pub(crate) one_file_only: bool,
    #[command(flatten)]
    pub(crate) references: ReferenceArgs,
}

/// `extract WIMFILE IMAGE [PATH...]`
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ExtractArgs {
    /// WIM file to read
    #[arg(value_name = "WIMFILE")]
    pub(crate) wim: PathBuf,
    /// Image: index or name
    pub(crate) image: String,
    /// Paths in the image, or @FILE with one path per line (@- is standard input) [default: all]
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<String>,
    /// Put the files into this directory
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) dest_dir: PathBuf,
    /// Write the files' data to standard output instead
    #[arg(long)]
    pub(crate) to_stdout: bool,
    /// Take * and ? in paths as they are
    #[arg(long, alias = "no-wildcards")]
    pub(crate) no_globs: bool,
    /// Go on when a path matches nothing
    #[arg(long)]
    pub(crate) nullglob: bool,
    /// Keep the directories a path leads through
    #[arg(long)]
    pub(crate) preserve_dir_structure: bool,
    /// Check the file against its integrity table first
    #[arg(long)]
    pub(crate) check: bool,
    #[command(flatten)]
    pub(crate) references: ReferenceArgs,
    #[command(flatten)]
    pub(crate) placement: PlacementArgs,
}

/// `export SRC_WIMFILE SRC_IMAGE DEST_WIMFILE [DEST_NAME [DEST_DESC]]`
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ExportArgs {
    /// WIM file to read
    #[arg(value_name = "SRC_WIMFILE")]
    pub(crate) source: PathBuf,
    /// Image: index, name or all
    #[arg(value_name = "SRC_IMAGE")]
    pub(crate) image: String,
    /// WIM file to write; made if there is none, added to otherwise
    #[arg(value_name = "DEST_WIMFILE")]
    pub(crate) destination: PathBuf,
    /// New name of the image
    pub(crate) dest_name: Option<String>,
    /// New description of the image
    pub(crate) dest_desc: Option<String>,
    /// Make the image the one that boots (all: the one that boots in the source)
    #[arg(long)]
    pub(crate) boot: bool,
    /// Compress anew what is compressed already
    #[arg(long)]
    pub(crate) recompress: bool,
    #[command(flatten)]
    pub(crate) references: ReferenceArgs,
    #[command(flatten)]
    pub(crate) integrity: IntegrityArgs,
    #[command(flatten)]
    pub(crate) compression: CompressionArgs,
}

/// `delete WIMFILE IMAGE`
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DeleteArgs {
    /// WIM file to change
    #[arg(value_name = "WIMFILE")]
    pub(crate) wim: PathBuf,
    /// Image: index, name or all
    pub(crate) image: String,
    /// Leave the image's data in the file, where nothing refers to it any more
    #[arg(long)]
    pub(crate) soft: bool,
    #[command(flatten)]
    pub(crate) integrity: IntegrityArgs,
}

/// `optimize WIMFILE`
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OptimizeArgs {
    /// WIM file to write anew
    #[arg(value_name = "WIMFILE")]
    pub(crate) wim: PathBuf,
    /// Compress anew what is compressed already
    #[arg(long)]
    pub(crate) recompress: bool,
    #[command(flatten)]
    pub(crate) integrity: IntegrityArgs,
    #[command(flatten)]
    pub(crate) compression: CompressionArgs,
}

/// `verify WIMFILE`
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct VerifyArgs {
    /// WIM file to check
    #[arg(value_name = "WIMFILE")]
    pub(crate) wim: PathBuf,
    /// Do not check the file against its integrity table
    #[arg(long)]
    pub(crate) nocheck: bool,
    /// Use this many threads instead of one per processor
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<ThreadCount>,
    #[command(flatten)]
    pub(crate) references: ReferenceArgs,
}
