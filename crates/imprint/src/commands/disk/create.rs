//! `imprint disk create` and `child`: new disks.

use imprint_image::disk::{Shape, create_child, create_disk};
use imprint_vdisk::{Format, Kind};
use serde::Serialize;

use super::{block_size, chain_options, format_name, format_of, fresh, naming};
use crate::cli::disk::{ChildArgs, CreateArgs};
use crate::cli::values::ByteCount;
use crate::console::Console;
use crate::exit::Status;

/// Makes an empty disk.
pub(super) fn create(args: &CreateArgs, console: &mut Console) -> anyhow::Result<Status> {
    let format = format_of(&args.file, args.shape.format)?;
    let usual = if format == Format::Raw { Kind::Fixed } else { Kind::Dynamic };
    let kind = args.shape.kind.map_or(usual, Kind::from);
    let shape = Shape {
        format,
        kind,
        block_size: block_size(args.shape.block_size)?,
        sector_size: args.sector_size,
        physical_sector_size: args.physical_sector_size,
    };
    let ByteCount(size) = args.size;
    create_disk(&args.file, shape, size, naming(args.room), &fresh())?;
    if console.json() {
        let path = args.file.to_string_lossy().into_owned();
        console.print_json(&Made { path, format: format_name(format), size })?;
    }
    console.summary(&format_args!(
        "created {}: {kind} {format} disk of {size} bytes",
        args.file.display()
    ))?;
    Ok(Status::Done)
}

/// Makes a differencing disk.
pub(super) fn child(args: &ChildArgs, console: &mut Console) -> anyhow::Result<Status> {
    let options = chain_options(None, &args.source);
    let block_size = block_size(args.block_size)?;
    let naming = naming(args.room);
    let made = create_child(&args.parent, &args.child, block_size, &options, naming, &fresh())?;
    if console.json() {
        let path = args.child.to_string_lossy().into_owned();
        console.print_json(&Made { path, format: format_name(made.format), size: made.size })?;
    }
    console.summary(&format_args!(
        "created {}: differencing {} disk of {} bytes on {}",
        args.child.display(),
        made.format,
        made.size,
        args.parent.display()
    ))?;
    Ok(Status::Done)
}

#[derive(Serialize)]
struct Made {
    path: String,
    format: &'static str,
    size: u64,
}
