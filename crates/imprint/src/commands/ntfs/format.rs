//! `imprint ntfs format`: makes an empty volume.

use anyhow::Context;
use imprint_image::Target as _;
use imprint_image::disk::{ChainOptions, Fresh};
use imprint_image::volume::{FormatOptions, NtfsTarget, VolumePath, open_for_writing, open_volume};
use imprint_partition::Occupied;
use imprint_progress::Progress;
use imprint_winvalues::tree::{File, Times, Tree};
use imprint_winvalues::{Attributes, FileTime};
use serde::Serialize;

use super::super::apply::refuse_parent;
use crate::cli::ntfs::FormatArgs;
use crate::console::Console;
use crate::environment;
use crate::error::CommandError;
use crate::exit::Status;
use crate::meter::Bytes;

/// Makes a volume.
pub(super) fn run(args: &FormatArgs, console: &mut Console) -> anyhow::Result<Status> {
    let path = VolumePath::parse(&args.volume);
    refuse_parent(&path.disk)?;
    if !args.force {
        refuse_occupied(args, &path)?;
    }
    let fresh = Fresh { now: environment::now(), random: &environment::random };
    let ids = fresh.write_ids().context("failed to get random bytes")?;
    let volume = open_for_writing(&path, &ChainOptions::default(), ids)?;
    let options = FormatOptions {
        cluster_size: args.cluster_size.map(|size| u32::try_from(size.0).unwrap_or(u32::MAX)),
        label: args.label.as_deref().unwrap_or_default().into(),
        serial: environment::unique()?,
        now: fresh.now,
        no_acls: false,
        no_attributes: false,
    };
    let (start, sector_size) = (volume.start(), volume.sector_size());
    let name = args.volume.display().to_string();
    let device = volume.device()?;
    let mut target = NtfsTarget::new(device, name, start, sector_size, options)?;
    let (tree, progress) = (empty(fresh.now), Progress::new());
    target.begin(&tree, &[], &progress)?;
    target.finish(&tree, &progress)?;
    drop(target);
    volume.close()?;
    tell(args, console)
}

/// A tree that has a root directory only.
fn empty(now: FileTime) -> Tree {
    let times = Times { creation: now, access: now, write: now, change: Some(now) };
    let mut root = File::new(Attributes::DIRECTORY);
    root.times = times;
    Tree::new(root)
}

/// What is there stays, unless it is to go.
fn refuse_occupied(args: &FormatArgs, path: &VolumePath) -> anyhow::Result<()> {
    let device = open_volume(path, &ChainOptions::default())?;
    let context = || format!("failed to look at {}", args.volume.display());
    let Some(found) = Occupied::look(&device).with_context(context)? else { return Ok(()) };
    let volume = args.volume.clone();
    Err(CommandError::VolumeOccupied { volume, found: Box::new(found) }.into())
}

/// Says what was made.
fn tell(args: &FormatArgs, console: &mut Console) -> anyhow::Result<Status> {
    let volume = super::open(&args.volume)?;
    let geometry = *volume.geometry();
    let size = geometry.sectors * u64::from(geometry.sector_size);
    let (cluster_size, serial) = (geometry.cluster_size, format!("{:016x}", geometry.serial));
    if console.json() {
        let path = args.volume.to_string_lossy().into_owned();
        console.print_json(&Document { path, size, cluster_size, serial })?;
    }
    console.summary(&format_args!(
        "made an NTFS volume of {} with clusters of {cluster_size} bytes on {}",
        Bytes(size),
        args.volume.display(),
    ))?;
    Ok(Status::Done)
}

#[derive(Serialize)]
struct Document {
    path: String,
    size: u64,
    cluster_size: u32,
    /// In hexadecimal.
    serial: String,
}
