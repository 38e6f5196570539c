//! `imprint capture`: makes a new WIM file of a directory.

use std::path::{Path, PathBuf};

use anyhow::Context;
use fs_err::File;
use imprint_blockio::{Resize, WriteAt};
use imprint_codec::Format;
use imprint_image::config::CaptureConfig;
use imprint_image::host::HostSource;
use imprint_image::volume::{NtfsSource, ReadableVolume, VolumePath};
use imprint_image::{
    CaptureRequest, Captured, Earlier, NewWim, Outcome, ScanOptions, Source, StoreOptions, capture,
    open_wim,
};
use imprint_ntfs::Volume;
use imprint_progress::Progress;
use imprint_wim::{Coding, ImageInfo, Wim, WimWriter};
use imprint_winvalues::tree::Tree;
use serde::Serialize;

use super::open;
use crate::cli::hi::{self, Integrity, Metadata, Properties, Security, Storage};
use crate::cli::low::CaptureArgs;
use crate::cli::values::UpdateOf;
use crate::console::Console;
use crate::environment;
use crate::error::UsageError;
use crate::exit::Status;
use crate::meter::{Bytes, counted};
use crate::report::skipped::{self, SkippedFacts};
use crate::selector;
use crate::watch::watch;

/// What to capture, and into what.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) source: PathBuf,
    pub(super) wim: PathBuf,
    pub(super) properties: Properties,
    pub(super) boot: bool,
    pub(super) config: Option<PathBuf>,
    pub(super) dereference: bool,
    pub(super) update_of: Option<Update>,
    pub(super) integrity: Integrity,
    pub(super) storage: Storage,
    pub(super) metadata: Metadata,
    /// `None`: as the file's flag says, and on for a new file.
    pub(super) fix_links: Option<bool>,
}

/// The image a new one is a later state of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Update {
    pub(super) wim: PathBuf,
    pub(super) image: String,
}

impl Job {
    pub(super) fn new(args: CaptureArgs) -> Result<Self, UsageError> {
        Self::with_default(args, Some(Format::Lzx), None)
    }

    /// Makes a job. `format` is used if none is named; `update_wim` is where the image of
    /// `--update-of` is if no file is named.
    pub(super) fn with_default(
        args: CaptureArgs,
        format: Option<Format>,
        update_wim: Option<&PathBuf>,
    ) -> Result<Self, UsageError> {
        let update = |UpdateOf { wim, image }: UpdateOf| {
            let needs = UsageError::Needs { option: "--update-of", needs: "WIMFILE:IMAGE" };
            let wim = wim.or_else(|| update_wim.cloned()).ok_or(needs)?;
            Ok::<_, UsageError>(Update { wim, image })
        };
        Ok(Self {
            source: args.source,
            wim: hi::wim_path(args.wim, "output")?,
            properties: Properties::new(args.image_name, args.image_desc, args.properties)?,
            boot: args.boot,
            config: args.config,
            dereference: args.dereference,
            update_of: args.update_of.map(update).transpose()?,
            integrity: Integrity::from(&args.integrity),
            storage: Storage::new(&args.compression, format)?,
            metadata: Metadata::from(&args.metadata),
            fix_links: hi::fix_links(&args.links),
        })
    }
}

/// Makes the file.
pub(super) fn run(job: &Job, console: &mut Console) -> anyhow::Result<Status> {
    let source = open_source(job, console)?;
    let coding = open::coding(&job.storage, Some(Coding::with_default_chunks(Format::Lzx)))?;
    let rp_fix = job.fix_links.unwrap_or(true);
    let name = job.properties.name.clone();
    let name = name.unwrap_or_else(|| hi::default_image_name(&job.source));
    let before = Before::open(job)?;
    let config = config(job, console)?;
    let mut new = NewWim::create(&job.wim, coding, rp_fix, environment::entropy()?)?;
    let outcome = watch(console.progress(), |progress| {
        let before = before.as_ref();
        let request = Request { job, name: &name, fix_links: rp_fix, before, config: &config };
        let outcome = request.capture(&*source, &mut new.writer, progress)?;
        progress.begin("finishing", 0, 0);
        progress.check()?;
        new.commit(open::integrity_change(job.integrity.table), progress)?;
        anyhow::Ok(outcome)
    })?;
    report(job, &name, &outcome, console)
}

/// Opens what is to be captured: a directory, or the volume on a disk or on one of its partitions.
///
/// Of a volume that was not left in order, warns: what Windows had not written yet is not in the image.
pub(super) fn open_source(job: &Job, console: &mut Console) -> anyhow::Result<Box<dyn Source>> {
    let path = VolumePath::parse(&job.source);
    if fs_err::metadata(&path.disk).is_ok_and(|metadata| !metadata.is_dir()) {
        let volume = super::ntfs::open(&job.source)?;
        warn_of_state(&job.source, &volume, console);
        return Ok(Box::new(NtfsSource::new(volume, open::threads(job.storage.threads))));
    }
    Ok(Box::new(HostSource::new(&job.source)?))
}

/// Warns of a volume that was not left in order. What cannot be found out is a warning too: its files may be fine.
fn warn_of_state(path: &Path, volume: &Volume<ReadableVolume>, console: &mut Console) {
    let volume_name = path.display();
    match volume.state() {
        Ok(state) => {
            for reason in state.reasons() {
                console.warn(&format_args!(
                    "warning: {volume_name} was not left in order: {reason}\n"
                ));
            }
        }
        Err(error) => {
            let error = anyhow::Error::from(error);
            console.warn(&format_args!(
                "warning: whether {volume_name} was left in order is not known: {error:#}\n"
            ));
        }
    }
}

/// Reads what is to be left out: the file the user names, or the list that applies without one.
pub(super) fn config(job: &Job, console: &mut Console) -> anyhow::Result<CaptureConfig> {
    let Some(path) = &job.config else { return Ok(CaptureConfig::default_list()) };
    let (config, warnings) = CaptureConfig::parse(&fs_err::read(path)?);
    for warning in warnings {
        console.warn(&format_args!("warning: {}: {warning}\n", path.display()));
    }
    Ok(config)
}

/// The image that `--update-of` names.
pub(super) struct Before {
    wim: Wim<File>,
    tree: Tree,
}

impl Before {
    /// Reads it, if there is one.
    pub(super) fn open(job: &Job) -> anyhow::Result<Option<Self>> {
        let Some(Update { wim: path, image }) = &job.update_of else { return Ok(None) };
        let wim = open_wim(path)?;
        let index = selector::resolve_from_either_end(image, path, &open::image_names(&wim))?;
        let context = || format!("failed to read image {index} of {}", path.display());
        let tree = wim.read_tree(index).with_context(context)?.tree;
        Ok(Some(Self { wim, tree }))
    }
}

/// A capture with everything that had to be found out for it.
pub(super) struct Request<'a> {
    pub(super) job: &'a Job,
    pub(super) name: &'a str,
    pub(super) fix_links: bool,
    pub(super) before: Option<&'a Before>,
    pub(super) config: &'a CaptureConfig,
}

impl Request<'_> {
    /// Adds the image and sets what is said of it.
    pub(super) fn capture<F: WriteAt + Resize>(
        &self,
        source: &dyn Source,
        writer: &mut WimWriter<F>,
        progress: &Progress,
    ) -> anyhow::Result<Outcome<Captured>> {
        let job = self.job;
        let now = environment::now();
        let request = CaptureRequest {
            scan: ScanOptions {
                exclude: &|path, is_directory| self.config.excludes(path, is_directory),
                unix_data: job.metadata.unix_data,
                dereference: job.dereference,
                no_acls: job.metadata.security == Security::Ignore,
                strict_acls: job.metadata.security == Security::Strict,
                fix_reparse: self.fix_links,
            },
            store: StoreOptions {
                level: job.storage.level.unwrap_or_default(),
                threads: open::threads(job.storage.threads),
                uncompressed: &|path| self.config.compression_excluded(path),
            },
            unchanged_since: self
                .before
                .map(|before| Earlier { tree: &before.tree, wim: Some(&before.wim) }),
            info: ImageInfo {
                name: self.name.to_owned(),
                description: job.properties.description.clone(),
                creation_time: Some(now),
                last_modification_time: Some(now),
                ..ImageInfo::default()
            },
        };
        let outcome = capture(source, writer, request, progress)?;
        let image = outcome.done.image;
        for element in &job.properties.elements {
            writer.info_mut().set_property(image, &element.path, &element.value)?;
        }
        if job.boot {
            writer.set_boot_index(image)?;
        }
        Ok(outcome)
    }
}

/// Says what was captured and what was not.
pub(super) fn report(
    job: &Job,
    name: &str,
    outcome: &Outcome<Captured>,
    console: &mut Console,
) -> anyhow::Result<Status> {
    let Captured { image, names, excluded, unchanged, stored } = outcome.done;
    if console.json() {
        console.print_json(&Document {
            path: job.wim.to_string_lossy().into_owned(),
            image,
            name: name.to_owned(),
            names,
            excluded,
            unchanged_streams: unchanged,
            streams: stored.streams,
            bytes: stored.bytes,
            new_blobs: stored.new_blobs,
            new_bytes: stored.new_bytes,
            stored_bytes: stored.stored_bytes,
            skipped: skipped::facts(&outcome.skipped),
        })?;
    }
    console.summary(&format_args!(
        "captured image {image} ({name:?}) of {}: {}, {} of data, {} of it new, stored in {}",
        job.wim.display(),
        counted(names, "name"),
        Bytes(stored.bytes),
        Bytes(stored.new_bytes),
        Bytes(stored.stored_bytes),
    ))?;
    Ok(skipped::finish(console, &outcome.skipped))
}

#[derive(Serialize)]
struct Document {
    path: String,
    image: u32,
    name: String,
    names: u64,
    excluded: u64,
    unchanged_streams: u64,
    streams: u64,
    bytes: u64,
    new_blobs: u64,
    new_bytes: u64,
    stored_bytes: u64,
    skipped: Vec<SkippedFacts>,
}
