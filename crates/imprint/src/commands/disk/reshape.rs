//! `imprint disk merge`, `compact`, `resize` and `rebase`: changing disks that are there.

use imprint_image::disk::{Naming, Room, compact_disk, merge_disk, rebase_disk, resize_disk};
use imprint_vdisk::Format;
use serde::Serialize;

use super::{file_options, fresh};
use crate::cli::disk::{CompactArgs, MergeArgs, RebaseArgs, ResizeArgs};
use crate::cli::values::ByteCount;
use crate::console::Console;
use crate::exit::Status;
use crate::meter::Bytes;
use crate::watch::watch;

/// Merges a child into its parent.
pub(super) fn merge(args: &MergeArgs, console: &mut Console) -> anyhow::Result<Status> {
    let child = &args.file.file;
    let options = file_options(&args.file);
    let merged = watch(console.progress(), |progress| {
        merge_disk(child, &options, args.force, &fresh(), progress)
    })?;
    let orphans: Vec<_> =
        merged.orphans.iter().map(|path| path.to_string_lossy().into_owned()).collect();
    for orphan in &orphans {
        console.note(&format_args!(
            "tell {orphan} where its parent is now: imprint disk rebase {orphan} {}",
            merged.parent.display()
        ));
    }
    if console.json() {
        let parent = merged.parent.to_string_lossy().into_owned();
        console.print_json(&Merge { parent, orphans })?;
    }
    console.summary(&format_args!(
        "merged {} into {}",
        child.display(),
        merged.parent.display()
    ))?;
    Ok(Status::Done)
}

#[derive(Serialize)]
struct Merge {
    parent: String,
    orphans: Vec<String>,
}

/// Writes a disk anew without what it does not need.
pub(super) fn compact(args: &CompactArgs, console: &mut Console) -> anyhow::Result<Status> {
    let room = match (args.preallocate, args.no_sparse) {
        (true, _) => Room::Reserved,
        (_, true) => Room::Written,
        _ => Room::Sparse,
    };
    let naming = Naming { replace: true, room, durable: true };
    let path = &args.file.file;
    let format = args.file.format.map(Format::from);
    let sizes = watch(console.progress(), |progress| {
        compact_disk(path, format, None, naming, &fresh(), progress)
    })?;
    if console.json() {
        let path = path.to_string_lossy().into_owned();
        console.print_json(&Compact {
            path,
            size_before: sizes.before,
            size_after: sizes.after,
        })?;
    }
    console.summary(&format_args!(
        "compacted {}: {} before, {} now",
        path.display(),
        Bytes(sizes.before),
        Bytes(sizes.after),
    ))?;
    Ok(Status::Done)
}

#[derive(Serialize)]
struct Compact {
    path: String,
    size_before: u64,
    size_after: u64,
}

/// Makes a disk larger.
pub(super) fn resize(args: &ResizeArgs, console: &mut Console) -> anyhow::Result<Status> {
    let path = &args.file.file;
    let ByteCount(size) = args.size;
    let options = file_options(&args.file);
    watch(console.progress(), |progress| {
        resize_disk(path, size, &options, args.force, &fresh(), progress)
    })?;
    if console.json() {
        console.print_json(&Resize { path: path.to_string_lossy().into_owned(), size })?;
    }
    console.summary(&format_args!("resized {} to {size} bytes", path.display()))?;
    Ok(Status::Done)
}

#[derive(Serialize)]
struct Resize {
    path: String,
    size: u64,
}

/// Tells a disk where its parent is.
pub(super) fn rebase(args: &RebaseArgs, console: &mut Console) -> anyhow::Result<Status> {
    let child = &args.file.file;
    rebase_disk(child, &args.parent, &file_options(&args.file), &fresh())?;
    if console.json() {
        let path = child.to_string_lossy().into_owned();
        console.print_json(&Rebase { path, parent: args.parent.to_string_lossy().into_owned() })?;
    }
    console.summary(&format_args!(
        "{} now has its parent at {}",
        child.display(),
        args.parent.display()
    ))?;
    Ok(Status::Done)
}

#[derive(Serialize)]
struct Rebase {
    path: String,
    parent: String,
}
