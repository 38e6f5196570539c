//! `imprint disk convert` and `flatten`: one disk as another file.

use imprint_image::disk::{ConvertTo, CopyOptions, convert_disk, file_room, open_chain};
use imprint_vdisk::Kind;
use serde::Serialize;

use super::{block_size, chain_options, format_name, format_of, fresh, naming};
use crate::cli::disk::ConvertArgs;
use crate::console::Console;
use crate::exit::Status;
use crate::meter::Bytes;
use crate::watch::watch;

/// Writes a disk into another file.
pub(super) fn convert(args: &ConvertArgs, console: &mut Console) -> anyhow::Result<Status> {
    run(args, "converted", console)
}

/// Writes a chain into one file.
pub(super) fn flatten(args: &ConvertArgs, console: &mut Console) -> anyhow::Result<Status> {
    run(args, "flattened", console)
}

fn run(args: &ConvertArgs, done: &str, console: &mut Console) -> anyhow::Result<Status> {
    let source = open_chain(&args.input, &chain_options(args.input_format, &args.source))?;
    let format = format_of(&args.output, args.shape.format)?;
    let to = ConvertTo {
        format,
        kind: args.shape.kind.map(Kind::from),
        size: None,
        block_size: block_size(args.shape.block_size)?,
        copy: CopyOptions::default(),
        used_only: args.used,
    };
    let naming = naming(args.room);
    let converted = watch(console.progress(), |progress| {
        convert_disk(&source.chain, &args.output, to, naming, &fresh(), progress)
    })?;
    let (length, room) = file_room(&args.output)?;
    if console.json() {
        let path = args.output.to_string_lossy().into_owned();
        let format = format_name(format);
        console.print_json(&Document { path, format, size: converted.size, length, room })?;
    }
    console.summary(&format_args!(
        "{done} {} to {}: {format} disk of {} bytes, takes {}",
        args.input.display(),
        args.output.display(),
        converted.size,
        Bytes(room),
    ))?;
    Ok(Status::Done)
}

#[derive(Serialize)]
struct Document {
    path: String,
    format: &'static str,
    /// The disk's size in bytes.
    size: u64,
    /// The file's length in bytes.
    length: u64,
    /// The room the file takes in bytes.
    room: u64,
}
