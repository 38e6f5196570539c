//! `imprint disk partition` and `partitions`: what a disk is divided into.

use std::io::Read as _;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;
use std::process::Command;

use imprint_image::disk::{
    PartitionError, PartitionOptions, Partitioned, disk_partitions, partition_disk,
};
use imprint_partition::{Layout, Occupied, Partition, Planned, TableId};
use serde::Serialize;

use super::{file_options, fresh};
use crate::cli::disk::{FileArgs, PartitionArgs};
use crate::console::Console;
use crate::error::CommandError;
use crate::exit::Status;

/// More than any layout has.
const MAX_LAYOUT: u64 = 1 << 20;

/// Divides a disk.
pub(super) fn partition(args: &PartitionArgs, console: &mut Console) -> anyhow::Result<Status> {
    let path = &args.file.file;
    let layout = layout(&args.layout)?;
    let options = PartitionOptions {
        chain: file_options(&args.file),
        force: args.force,
        dry_run: args.dry_run,
    };
    let done = partition_disk(path, &layout, &options, &fresh());
    if let Err(PartitionError::Occupied { found, .. }) = &done {
        tell_lost(found, console);
    }
    let Partitioned { plan, lost } = done?;
    if let Some(lost) = lost.as_ref().filter(|_| args.dry_run) {
        tell_lost(lost, console);
    }
    let partitions = plan.partitions().iter();
    let mut document = Document::new(path, plan.len(), plan.sector_size(), Some(plan.id()));
    document.partitions = partitions.map(PartitionLine::planned).collect();
    document.lost = lost.map(|lost| lost.to_string());
    document.print(console)?;
    let done = if args.dry_run { "would be partitioned" } else { "partitioned" };
    console.summary(&format_args!("{done}: {}", path.display()))?;
    if args.dry_run { Ok(Status::Done) } else { reread(path, console) }
}

/// Lists the partitions of a disk.
pub(super) fn list(args: &FileArgs, console: &mut Console) -> anyhow::Result<Status> {
    let found = disk_partitions(&args.file, &file_options(args))?;
    let id = found.table.as_ref().map(|table| table.id());
    let mut document = Document::new(&args.file, found.size, found.sector_size, id);
    if let Some(table) = &found.table {
        document.partitions = table.partitions().iter().map(PartitionLine::new).collect();
        document.warnings = table.warnings().iter().map(ToString::to_string).collect();
    }
    document.print(console)?;
    for warning in &document.warnings {
        console.note(warning);
    }
    if found.table.is_none() {
        console.summary(&"no partition table")?;
    }
    Ok(Status::Done)
}

/// The layout of that name, or in that file.
fn layout(path: &Path) -> anyhow::Result<Layout> {
    match path.to_str() {
        Some("uefi-windows") => return Ok(Layout::uefi_windows()),
        Some("uefi-storage") => return Ok(Layout::uefi_storage(None)),
        Some("bios-windows") => return Ok(Layout::bios_windows()),
        _ => {}
    }
    let mut text = String::new();
    fs_err::File::open(path)?.take(MAX_LAYOUT + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_LAYOUT {
        let path = path.to_owned();
        return Err(CommandError::LayoutTooLong { path, most: MAX_LAYOUT }.into());
    }
    let failed = |source| CommandError::Layout { path: path.to_owned(), source };
    Ok(Layout::parse(&text).map_err(failed)?)
}

/// Says what is on the disk.
fn tell_lost(found: &Occupied, console: &mut Console) {
    console.warn(&format_args!("this would be lost: {found}\n"));
    if let Occupied::Table(table) = found {
        for partition in table.partitions() {
            console.warn(&format_args!("  {}\n", PartitionLine::new(partition)));
        }
    }
}

/// Lets the kernel look at the table of a device again.
fn reread(path: &Path, console: &mut Console) -> anyhow::Result<Status> {
    if !fs_err::metadata(path)?.file_type().is_block_device() {
        return Ok(Status::Done);
    }
    // The call has no safe form in Rust, and this program is on every Linux.
    let why = match Command::new("blockdev").arg("--rereadpt").arg(path).output() {
        Ok(output) if output.status.success() => return Ok(Status::Done),
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim_end().to_owned(),
        Err(error) => format!("failed to start blockdev: {error}"),
    };
    console.warn(&format_args!(
        "warning: the table is written, but the kernel still uses the old one: {why}\n"
    ));
    Ok(Status::Incomplete)
}

#[derive(Serialize)]
struct Document {
    path: String,
    size: u64,
    sector_size: u32,
    /// `gpt`, `mbr`, or nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    table: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    partitions: Vec<PartitionLine>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    /// What the disk held before.
    #[serde(skip_serializing_if = "Option::is_none")]
    lost: Option<String>,
}

impl Document {
    fn new(path: &Path, size: u64, sector_size: u32, id: Option<TableId>) -> Self {
        Self {
            path: path.to_string_lossy().into_owned(),
            size,
            sector_size,
            table: id.map(|id| match id {
                TableId::Gpt(_) => "gpt",
                TableId::Mbr(_) => "mbr",
            }),
            id: id.map(|id| id.to_string()),
            partitions: Vec::new(),
            warnings: Vec::new(),
            lost: None,
        }
    }

    fn print(&self, console: &mut Console) -> anyhow::Result<()> {
        if console.json() {
            return Ok(console.print_json(self)?);
        }
        for partition in &self.partitions {
            console.print(&format_args!("{partition}\n"))?;
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct PartitionLine {
    number: u32,
    start: u64,
    length: u64,
    /// What it is called, or the GUID or byte.
    r#type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<String>,
    active: bool,
    /// What is made in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
}

impl PartitionLine {
    fn new(partition: &Partition) -> Self {
        let attributes = partition.attributes;
        Self {
            number: partition.number,
            start: partition.start,
            length: partition.len,
            r#type: partition.kind.to_string(),
            id: partition.id.map(|id| id.to_string()),
            name: partition.name.clone(),
            attributes: (!attributes.is_empty()).then(|| format!("{:#018x}", attributes.bits())),
            active: partition.active,
            format: None,
            label: None,
        }
    }

    fn planned(planned: &Planned) -> Self {
        Self {
            format: Some(planned.contents.to_string()),
            label: Some(planned.label.clone()).filter(|label| !label.is_empty()),
            ..Self::new(&planned.partition)
        }
    }
}

impl std::fmt::Display for PartitionLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { number, start, length, r#type, name, .. } = self;
        let attributes = self.attributes.as_deref().unwrap_or_default();
        let active = if self.active { "active" } else { "" };
        let format = self.format.as_deref().unwrap_or_default();
        let line = format!(
            "{number:>3} {start:>16} {length:>16}  {type:<18}  {format:<5} {attributes}{active} {name}"
        );
        f.write_str(line.trim_end())
    }
}
