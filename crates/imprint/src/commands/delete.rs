//! `imprint delete`: removes images from a WIM file.

use std::path::PathBuf;

use anyhow::Context;
use imprint_image::{Rebuild, append_to, change_wim, open_wim, rebuild};
use serde::Serialize;

use super::{export, open};
use crate::cli::hi::{self, Integrity, Storage};
use crate::cli::low::DeleteArgs;
use crate::console::Console;
use crate::environment;
use crate::error::UsageError;
use crate::exit::Status;
use crate::selector::Selector;
use crate::watch::watch;

/// What to remove.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Job {
    wim: PathBuf,
    image: Selector,
    /// Leave the data behind.
    soft: bool,
    integrity: Integrity,
}

impl Job {
    pub(super) fn new(args: DeleteArgs) -> Result<Self, UsageError> {
        Ok(Self {
            wim: hi::wim_path(args.wim, "input")?,
            image: Selector::new(Some(args.image)),
            soft: args.soft,
            integrity: Integrity::from(&args.integrity),
        })
    }
}

/// Removes the images.
pub(super) fn run(job: &Job, console: &mut Console) -> anyhow::Result<Status> {
    let wim = open_wim(&job.wim)?;
    open::check_integrity(&wim, &job.wim, job.integrity.check_first, console)?;
    let images = job.image.resolve(&job.wim, &open::image_names(&wim))?;
    let coding = wim.coding();
    drop(wim);
    let integrity = open::integrity_change(job.integrity.table);
    if job.soft {
        let failed = || format!("failed to change {}", job.wim.display());
        watch(console.progress(), |progress| {
            change_wim(&job.wim, integrity, progress, |writer| {
                // From the last on, as the ones behind a removed image move up.
                for &image in images.iter().rev() {
                    writer.remove_image(image).with_context(failed)?;
                }
                anyhow::Ok(())
            })
        })?;
    } else {
        // A split set or a read-only file must be refused before anything is written.
        drop(append_to(&job.wim)?);
        let export = export::options(&Storage::default(), false);
        let what = Rebuild { coding, export, without: &images, integrity };
        let unique = environment::unique()?;
        watch(console.progress(), |progress| rebuild(&job.wim, &what, unique, progress))?;
    }
    report(job, &images, console)?;
    Ok(Status::Done)
}

fn report(job: &Job, images: &[u32], console: &mut Console) -> anyhow::Result<()> {
    if console.json() {
        let path = job.wim.to_string_lossy().into_owned();
        console.print_json(&Document { path, removed: images.to_vec() })?;
    }
    for image in images {
        console.summary(&format_args!("removed image {image} from {}", job.wim.display()))?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Document {
    path: String,
    removed: Vec<u32>,
}
