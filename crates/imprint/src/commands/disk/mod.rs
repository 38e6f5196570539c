//! `imprint disk`: one file per verb, or per few that belong together.

mod check;
mod convert;
mod create;
mod info;
mod map;
mod mount;
mod partition;
mod reshape;
mod unmount;

use std::path::Path;

use imprint_image::disk::{ChainOptions, Fresh, Naming, Room};
use imprint_vdisk::Format;

use crate::cli::disk::{DiskVerb, FileArgs, FormatName, RoomArgs, SourceArgs};
use crate::cli::values::ByteCount;
use crate::console::Console;
use crate::environment;
use crate::error::UsageError;
use crate::exit::Status;

/// Does what a verb says.
pub(super) fn run(verb: DiskVerb, console: &mut Console) -> anyhow::Result<Status> {
    match verb {
        DiskVerb::Create(args) => create::create(&args, console),
        DiskVerb::Child(args) => create::child(&args, console),
        DiskVerb::Info(args) => info::run(&args.file, console),
        DiskVerb::Convert(args) => convert::convert(&args, console),
        DiskVerb::Flatten(args) => convert::flatten(&args, console),
        DiskVerb::Merge(args) => reshape::merge(&args, console),
        DiskVerb::Compact(args) => reshape::compact(&args, console),
        DiskVerb::Resize(args) => reshape::resize(&args, console),
        DiskVerb::Rebase(args) => reshape::rebase(&args, console),
        DiskVerb::Check(args) => check::run(&args, console),
        DiskVerb::Partition(args) => partition::partition(&args, console),
        DiskVerb::Partitions(args) => partition::list(&args.file, console),
        DiskVerb::Map(args) => map::run(&args.file, console),
        DiskVerb::Mount(args) => mount::run(&args, console),
        DiskVerb::Unmount(args) => unmount::run(&args, console),
    }
}

/// The time and randomness for what is written.
fn fresh() -> Fresh<'static> {
    Fresh { now: environment::now(), random: &environment::random }
}

/// Where parents may be, and what format the leaf has.
fn chain_options(format: Option<FormatName>, source: &SourceArgs) -> ChainOptions {
    ChainOptions { format: format.map(Format::from), folders: source.parent_dirs.clone() }
}

fn file_options(file: &FileArgs) -> ChainOptions {
    chain_options(file.format, &file.source)
}

fn naming(args: RoomArgs) -> Naming {
    let room = match (args.preallocate, args.no_sparse) {
        (true, _) => Room::Reserved,
        (_, true) => Room::Written,
        _ => Room::Sparse,
    };
    Naming { replace: args.force, room, durable: !args.no_sync }
}

/// The format of a new file: the one named, or the one its ending stands for.
fn format_of(path: &Path, named: Option<FormatName>) -> Result<Format, UsageError> {
    if let Some(format) = named {
        return Ok(format.into());
    }
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    match ending.as_str() {
        "vhd" | "avhd" => Ok(Format::Vhd),
        "vhdx" | "avhdx" => Ok(Format::Vhdx),
        "img" | "raw" | "bin" | "dd" => Ok(Format::Raw),
        _ => Err(UsageError::UnknownEnding { path: path.to_owned() }),
    }
}

/// A block size as the formats take it.
fn block_size(size: Option<ByteCount>) -> Result<Option<u32>, UsageError> {
    let Some(ByteCount(bytes)) = size else { return Ok(None) };
    u32::try_from(bytes).map(Some).map_err(|_too_large| UsageError::BlockSize { bytes })
}

/// Name of a format in JSON documents.
fn format_name(format: Format) -> &'static str {
    match format {
        Format::Raw => "raw",
        Format::Vhd => "vhd",
        Format::Vhdx => "vhdx",
    }
}
