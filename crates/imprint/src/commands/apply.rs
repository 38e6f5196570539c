//! `imprint apply`: puts an image's files into a directory.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::Context;
use fs_err::File;
use imprint_image::disk::{ChainOptions, DiskError, Fresh, children_of, open_chain};
use imprint_image::host::{HostTarget, TargetOptions};
use imprint_image::volume::{
    FormatOptions, LayerOptions, NtfsLayer, NtfsTarget, VolumePath, open_for_writing,
};
use imprint_image::{Applied, Outcome, Target, apply};
use imprint_ntfs::{EditOptions, Editor};
use imprint_wim::{HeaderFlags, Wim};
use imprint_winvalues::tree::Tree;
use serde::Serialize;

use super::open::{self, OpenSet};
use crate::cli::hi::{self, Placement, Security};
use crate::cli::low::ApplyArgs;
use crate::console::Console;
use crate::error::{CommandError, UsageError};
use crate::exit::Status;
use crate::meter::{Bytes, counted};
use crate::report::lost::{self, LostFacts};
use crate::report::placed::PlacedFacts;
use crate::report::skipped;
use crate::selector::Selector;
use crate::watch::watch;

/// What to apply, and where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Job {
    wim: PathBuf,
    image: Selector,
    target: PathBuf,
    check: bool,
    references: Vec<String>,
    /// `None`: as the file's flag says.
    fix_links: Option<bool>,
    placement: Placement,
    /// `None`: into a directory.
    format: Option<Format>,
}

/// A volume to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Format {
    label: String,
    cluster_size: Option<u32>,
}

impl Job {
    pub(super) fn new(args: ApplyArgs) -> Result<Self, UsageError> {
        let (image, target) = match args.target {
            Some(target) => (Some(args.image_or_target.to_string_lossy().into_owned()), target),
            None => (None, args.image_or_target.into()),
        };
        Ok(Self {
            wim: hi::wim_path(args.wim, "input")?,
            image: Selector::new(image),
            target,
            check: args.check,
            references: args.references.references,
            fix_links: hi::fix_links(&args.links),
            placement: Placement::from(&args.placement),
            format: args.format.format.then(|| Format {
                label: args.format.label.unwrap_or_default(),
                cluster_size: args
                    .format
                    .cluster_size
                    .map(|size| u32::try_from(size.0).unwrap_or(u32::MAX)),
            }),
        })
    }
}

/// Applies the images one after the other.
pub(super) fn run(job: &Job, console: &mut Console) -> anyhow::Result<Status> {
    let set = OpenSet::open_whole(&job.wim, &job.references)?;
    set.check_integrity(job.check, console)?;
    let wim = set.primary()?;
    let images = job.image.resolve(&job.wim, &open::image_names(wim))?;
    if job.format.is_some() && images.len() > 1 {
        return Err(CommandError::OneImageOnly { operation: "--format" }.into());
    }
    let targets = targets(job, wim, &images);
    if targets.len() > 1 {
        fs_err::create_dir_all(&job.target)?;
    }
    let mut documents = Vec::new();
    let mut status = Status::Done;
    for (index, target) in targets {
        let (document, ended) = apply_one(job, &set, (index, &target), console)?;
        documents.push(document);
        status = status.max(ended);
    }
    if console.json() {
        let path = job.wim.to_string_lossy().into_owned();
        console.print_json(&Document { path, images: documents })?;
    }
    Ok(status)
}

/// Several images get a directory each, named after the image where that is a plain name no other
/// image has, and after its index otherwise.
fn targets(job: &Job, wim: &Wim<File>, images: &[u32]) -> Vec<(u32, PathBuf)> {
    let &[only] = images else {
        let names = open::image_names(wim);
        let mut used = HashSet::new();
        let name = |(index, name): (u32, String)| {
            let plain = is_plain(&name) && used.insert(name.to_lowercase());
            let part = if plain { name } else { index.to_string() };
            (index, job.target.join(part))
        };
        return images.iter().copied().zip(names).map(name).collect();
    };
    vec![(only, job.target.clone())]
}

/// Whether a name can be a directory's on any system, and cannot be taken for an index.
fn is_plain(name: &str) -> bool {
    let odd = |c: char| c.is_control() || r#"/\:*?"<>|"#.contains(c);
    !name.is_empty()
        && name.len() <= 200
        && !name.contains(odd)
        && !name.starts_with('.')
        && !name.ends_with(['.', ' '])
        && !name.chars().all(|c| c.is_ascii_digit())
}

fn apply_one(
    job: &Job,
    set: &OpenSet,
    (index, target): (u32, &Path),
    console: &mut Console,
) -> anyhow::Result<(ImageDocument, Status)> {
    let wim = set.primary()?;
    let context = || format!("failed to read image {index} of {}", job.wim.display());
    let image = wim.read_tree(index).with_context(context)?;
    for warning in &image.warnings {
        console.warn(&format_args!("warning: image {index}: {warning}\n"));
    }
    let fix_links = wim.header().flags.contains(HeaderFlags::RP_FIX);
    let options = target_options(&job.placement, job.fix_links.unwrap_or(fix_links));
    let (outcome, lost) = match &job.format {
        Some(format) => {
            place_on_volume(set, &image.tree, (target, format), &job.placement, console)?
        }
        None if is_disk(target) => {
            lay_on_volume(set, &image.tree, target, &job.placement, console)?
        }
        None => place(set, &image.tree, (target, options), &job.placement, console)?,
    };
    console.summary(&format_args!(
        "applied image {index} of {} to {}: {}, {} of data",
        job.wim.display(),
        target.display(),
        counted(outcome.done.names, "name"),
        Bytes(outcome.done.bytes),
    ))?;
    let result = PlacedFacts::new(target, outcome.done, lost, &outcome.skipped);
    let document = ImageDocument { index, result };
    Ok((document, skipped::finish(console, &outcome.skipped)))
}

/// How to write to a directory.
pub(super) const fn target_options(placement: &Placement, fix_links: bool) -> TargetOptions {
    TargetOptions {
        unix_data: placement.metadata.unix_data,
        no_acls: matches!(placement.metadata.security, Security::Ignore),
        strict_acls: matches!(placement.metadata.security, Security::Strict),
        no_attributes: placement.no_attributes,
        fix_reparse: fix_links,
        include_invalid_names: placement.invalid_names,
        sync: false,
    }
}

/// Puts a tree into a directory and says what the directory cannot keep of it.
pub(super) fn place(
    set: &OpenSet,
    tree: &Tree,
    (path, options): (&Path, TargetOptions),
    placement: &Placement,
    console: &mut Console,
) -> anyhow::Result<(Outcome<Applied>, Vec<LostFacts>)> {
    let mut target = HostTarget::new(path, options)?;
    let lost = lost::lost(tree, &target.capabilities(), placement);
    let threads = open::threads(placement.threads);
    let outcome = watch(console.progress(), |progress| {
        apply(set.blobs.wims(), tree, &mut target, threads, progress)
    })?;
    lost::note(console, &lost);
    Ok((outcome, lost))
}

/// Whether a target is a disk, not a directory.
fn is_disk(target: &Path) -> bool {
    let disk = VolumePath::parse(target).disk;
    fs_err::metadata(&disk).is_ok_and(|metadata| !metadata.is_dir())
}

/// A disk with children must stay as it is: they hold what differs from it.
pub(super) fn refuse_parent(disk: &Path) -> anyhow::Result<()> {
    let chain = open_chain(disk, &ChainOptions::default())?.chain;
    let children = children_of(disk, chain.leaf(), &[])?;
    if children.is_empty() {
        return Ok(());
    }
    Err(DiskError::HasChildren { path: disk.to_owned(), children }.into())
}

/// Puts a tree into a fresh volume.
fn place_on_volume(
    set: &OpenSet,
    tree: &Tree,
    (path, format): (&Path, &Format),
    placement: &Placement,
    console: &mut Console,
) -> anyhow::Result<(Outcome<Applied>, Vec<LostFacts>)> {
    let fresh = Fresh { now: crate::environment::now(), random: &crate::environment::random };
    let ids = fresh.write_ids().context("failed to get random bytes")?;
    let wanted = VolumePath::parse(path);
    refuse_parent(&wanted.disk)?;
    let volume = open_for_writing(&wanted, &ChainOptions::default(), ids)?;
    let options = FormatOptions {
        cluster_size: format.cluster_size,
        label: format.label.as_str().into(),
        serial: crate::environment::unique()?,
        now: fresh.now,
        no_acls: matches!(placement.metadata.security, Security::Ignore),
        no_attributes: placement.no_attributes,
    };
    let (start, sector_size) = (volume.start(), volume.sector_size());
    let name = path.display().to_string();
    let mut target = NtfsTarget::new(volume.device()?, name, start, sector_size, options)?;
    let lost = lost::lost(tree, &target.capabilities(), placement);
    let threads = open::threads(placement.threads);
    let outcome = watch(console.progress(), |progress| {
        apply(set.blobs.wims(), tree, &mut target, threads, progress)
    })?;
    drop(target);
    volume.close()?;
    lost::note(console, &lost);
    Ok((outcome, lost))
}

/// Lays a tree over the files of a volume.
fn lay_on_volume(
    set: &OpenSet,
    tree: &Tree,
    path: &Path,
    placement: &Placement,
    console: &mut Console,
) -> anyhow::Result<(Outcome<Applied>, Vec<LostFacts>)> {
    let fresh = Fresh { now: crate::environment::now(), random: &crate::environment::random };
    let ids = fresh.write_ids().context("failed to get random bytes")?;
    let wanted = VolumePath::parse(path);
    refuse_parent(&wanted.disk)?;
    let volume = open_for_writing(&wanted, &ChainOptions::default(), ids)?;
    let options = LayerOptions {
        no_acls: matches!(placement.metadata.security, Security::Ignore),
        no_attributes: placement.no_attributes,
    };
    let name = path.display().to_string();
    let editor = Editor::open(volume.device()?, EditOptions { now: fresh.now, force: false })
        .with_context(|| format!("failed to open the NTFS volume on {name}"))?;
    let mut target = NtfsLayer::new(editor, name, options);
    let lost = lost::lost(tree, &target.capabilities(), placement);
    let threads = open::threads(placement.threads);
    let outcome = watch(console.progress(), |progress| {
        apply(set.blobs.wims(), tree, &mut target, threads, progress)
    })?;
    drop(target);
    volume.close()?;
    lost::note(console, &lost);
    Ok((outcome, lost))
}

#[derive(Serialize)]
struct Document {
    path: String,
    images: Vec<ImageDocument>,
}

#[derive(Serialize)]
struct ImageDocument {
    index: u32,
    #[serde(flatten)]
    result: PlacedFacts,
}

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn directories_get_plain_names_only() {
        for name in ["Windows 11 Pro", "x.y", "7th"] {
            assert!(is_plain(name), "{name}");
        }
        for name in ["", ".", "..", ".x", "a/b", r"a\b", "a:b", "x.", "x ", "7", "a\n"] {
            assert!(!is_plain(name), "{name}");
        }
    }
}
