//! `imprint dir`: lists the files of an image.

use std::path::PathBuf;

use anyhow::Context;
use fs_err::File;
use imprint_wim::{BlobSet, ImageTree, Wim};
use imprint_winvalues::tree::NameId;
use serde::Serialize;

use super::open::{self, OpenSet};
use crate::cli::hi;
use crate::cli::low::DirArgs;
use crate::console::Console;
use crate::error::{CommandError, UsageError};
use crate::exit::Status;
use crate::report::listing::{self, Listed, ListingFacts};
use crate::selector::Selector;

/// What to list and how.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Job {
    wim: PathBuf,
    image: Selector,
    path: String,
    detailed: bool,
    only_this: bool,
    references: Vec<String>,
}

impl Job {
    pub(super) fn new(args: DirArgs) -> Result<Self, UsageError> {
        Ok(Self {
            wim: hi::wim_path(args.wim, "input")?,
            image: Selector::new(args.image),
            path: args.path.unwrap_or_else(|| "/".to_owned()),
            detailed: args.detailed,
            only_this: args.one_file_only,
            references: args.references.references,
        })
    }
}

/// An image and the names to list.
struct Chosen {
    index: u32,
    name: String,
    image: ImageTree,
    names: Vec<NameId>,
}

/// Lists the images.
pub(super) fn run(job: &Job, console: &mut Console) -> anyhow::Result<Status> {
    let set = OpenSet::open(&job.wim, &job.references)?;
    let wim = set.primary()?;
    let mut chosen = Vec::new();
    for index in job.image.resolve(&job.wim, &open::image_names(wim))? {
        chosen.push(choose(job, wim, index)?);
    }
    for item in &chosen {
        for warning in &item.image.warnings {
            console.warn(&format_args!("warning: image {}: {warning}\n", item.index));
        }
    }
    print(job, &set.blobs, &chosen, console)?;
    Ok(Status::Done)
}

fn choose(job: &Job, wim: &Wim<File>, index: u32) -> anyhow::Result<Chosen> {
    let context = || format!("failed to read image {index} of {}", job.wim.display());
    let image = wim.read_tree(index).with_context(context)?;
    let missing = || CommandError::NoSuchPath { image: index, path: job.path.clone() };
    let start = image.tree.find(&job.path).ok_or_else(missing)?;
    let names = listing::select(&image.tree, start, job.only_this);
    let name = wim.info().image(index).unwrap_or_default().name;
    Ok(Chosen { index, name, image, names })
}

fn print(
    job: &Job,
    blobs: &BlobSet<File>,
    chosen: &[Chosen],
    console: &mut Console,
) -> anyhow::Result<()> {
    let listed: Vec<_> = chosen
        .iter()
        .map(|Chosen { image, names, .. }| Listed {
            tree: &image.tree,
            details: &image.details,
            blobs,
            names,
        })
        .collect();
    if !console.json() {
        let style = console.path_style();
        for listed in &listed {
            match job.detailed {
                true => listed.write_details(console, style)?,
                false => listed.write_paths(console, style)?,
            }
        }
        return Ok(());
    }
    let images = chosen.iter().zip(&listed).map(|(chosen, listed)| ListingFacts {
        index: chosen.index,
        name: chosen.name.clone(),
        entries: (listed, job.detailed),
    });
    let document =
        Document { path: job.wim.to_string_lossy().into_owned(), images: images.collect() };
    Ok(console.print_json(&document)?)
}

#[derive(Serialize)]
struct Document<'a> {
    path: String,
    images: Vec<ListingFacts<'a, File>>,
}
