//! `imprint export`: copies images into another WIM file.

use std::path::PathBuf;

use fs_err::File;
use imprint_codec::Format;
use imprint_image::{
    ExportImage, ExportOptions, Exported, NewWim, StoreOptions, change_wim, export, open_wim,
};
use imprint_progress::Progress;
use imprint_wim::{Coding, HeaderFlags, Wim, WimWriter};
use serde::Serialize;

use super::open::{self, OpenSet};
use crate::cli::hi::{self, Integrity, Storage};
use crate::cli::low::ExportArgs;
use crate::console::Console;
use crate::environment;
use crate::error::{CommandError, UsageError};
use crate::exit::Status;
use crate::meter::{Count, counted};
use crate::selector::Selector;
use crate::watch::watch;

/// What to export, and into what.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Job {
    source: PathBuf,
    image: Selector,
    destination: PathBuf,
    name: Option<String>,
    description: Option<String>,
    boot: bool,
    recompress: bool,
    references: Vec<String>,
    integrity: Integrity,
    storage: Storage,
}

impl Job {
    pub(super) fn new(args: ExportArgs) -> Result<Self, UsageError> {
        let image = Selector::new(Some(args.image));
        if image == Selector::All && args.dest_name.is_some() {
            let (first, second) = ("all images", "a name for one");
            return Err(UsageError::Conflict { first, second });
        }
        Ok(Self {
            source: hi::wim_path(args.source, "input")?,
            image,
            destination: hi::wim_path(args.destination, "output")?,
            name: args.dest_name,
            description: args.dest_desc,
            boot: args.boot,
            recompress: args.recompress,
            references: args.references.references,
            integrity: Integrity::from(&args.integrity),
            storage: Storage::new(&args.compression, None)?,
        })
    }
}

/// Exports the images into a new file, or into one that is there.
pub(super) fn run(job: &Job, console: &mut Console) -> anyhow::Result<Status> {
    let set = OpenSet::open_whole(&job.source, &job.references)?;
    let images = job.image.resolve(&job.source, &open::image_names(set.primary()?))?;
    set.check_integrity(job.integrity.check_first, console)?;
    let exported = match job.destination.try_exists()? {
        true => into_existing(job, &set, &images, console)?,
        false => into_new(job, &set, &images, console)?,
    };
    report(job, &exported, console)?;
    Ok(Status::Done)
}

fn into_new(
    job: &Job,
    set: &OpenSet,
    images: &[u32],
    console: &Console,
) -> anyhow::Result<Vec<Exported>> {
    let wim = set.primary()?;
    let coding = open::coding(&job.storage, writable_coding(wim))?;
    let rp_fix = wim.header().flags.contains(HeaderFlags::RP_FIX);
    let mut new = NewWim::create(&job.destination, coding, rp_fix, environment::entropy()?)?;
    watch(console.progress(), |progress| {
        let exported = export_all(job, set, images, &mut new.writer, progress)?;
        new.commit(open::integrity_change(job.integrity.table), progress)?;
        Ok(exported)
    })
}

/// The coding of a file, or the default if that is one that is only read.
fn writable_coding(wim: &Wim<File>) -> Option<Coding> {
    match wim.coding() {
        Some(Coding { format: Format::Lzms, .. }) => Some(Coding::with_default_chunks(Format::Lzx)),
        other => other,
    }
}

fn into_existing(
    job: &Job,
    set: &OpenSet,
    images: &[u32],
    console: &Console,
) -> anyhow::Result<Vec<Exported>> {
    let destination = open_wim(&job.destination)?;
    let has = destination.coding();
    let wanted = open::coding(&job.storage, has)?;
    if wanted != has {
        return Err(CommandError::OtherCompression { wim: job.destination.clone(), has }.into());
    }
    let check_first = job.integrity.check_first;
    open::check_integrity(&destination, &job.destination, check_first, console)?;
    drop(destination);
    watch(console.progress(), |progress| {
        let integrity = open::integrity_change(job.integrity.table);
        change_wim(&job.destination, integrity, progress, |writer| {
            export_all(job, set, images, writer, progress)
        })
    })
}

fn export_all(
    job: &Job,
    set: &OpenSet,
    images: &[u32],
    writer: &mut WimWriter<File>,
    progress: &Progress,
) -> anyhow::Result<Vec<Exported>> {
    let wim = set.primary()?;
    let same = |other: &Wim<File>| std::ptr::eq(other, wim);
    let position = set.blobs.wims().iter().position(same).unwrap_or(0);
    let options = options(&job.storage, job.recompress);
    let mut exported = Vec::new();
    for &image in images {
        let which = ExportImage {
            wim: position,
            image,
            name: job.name.as_deref(),
            description: job.description.as_deref(),
        };
        let done = export(set.blobs.wims(), &which, writer, &options, progress)?;
        if job.boot && (images.len() == 1 || image == wim.header().boot_index) {
            writer.set_boot_index(done.image)?;
        }
        exported.push(done);
    }
    progress.begin("finishing", 0, 0);
    progress.check()?;
    Ok(exported)
}

/// How to write what must be compressed anew.
pub(super) fn options(storage: &Storage, recompress: bool) -> ExportOptions<'static> {
    ExportOptions {
        store: StoreOptions {
            level: storage.level.unwrap_or_default(),
            threads: open::threads(storage.threads),
            uncompressed: &|_| false,
        },
        recompress,
    }
}

fn report(job: &Job, exported: &[Exported], console: &mut Console) -> anyhow::Result<()> {
    if console.json() {
        let images = exported.iter().map(|done| ImageDocument {
            image: done.image,
            copied_blobs: done.copied,
            recompressed_blobs: done.recompressed,
        });
        let path = job.destination.to_string_lossy().into_owned();
        console.print_json(&Document { path, images: images.collect() })?;
    }
    for done in exported {
        console.summary(&format_args!(
            "exported image {} of {}: {} copied, {} compressed anew",
            done.image,
            job.destination.display(),
            counted(done.copied, "blob"),
            Count(done.recompressed),
        ))?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Document {
    path: String,
    images: Vec<ImageDocument>,
}

#[derive(Serialize)]
struct ImageDocument {
    image: u32,
    copied_blobs: u64,
    recompressed_blobs: u64,
}
